"""The console's pages of what the hub holds and says: repositories, labels, findings in files, broadcasts, e-mail."""

from __future__ import annotations

from flask import Blueprint, Response, request
from flask_babel import gettext

from hub.assets.security.overview import list_endangered
from hub.assets.service import list_categories, list_labels, weights_of
from hub.assets.service.catalogue import ORGANIZATION_SCOPE
from hub.assets.service.trends import MAX_WEIGHT
from hub.base.mail import MAILER, LogMailer
from hub.community.models_reviews import MailState
from hub.community.service.broadcasts import FORMS, MAX_BROADCAST_CHARS, THEMES, list_broadcasts
from hub.community.service.mails import list_mails
from hub.db.uow import reading
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.repos.kinds import KINDS
from hub.repos.reports import CHECK, reports_of
from hub.repos.service.administration import RepositoryFilter, list_all_repositories
from hub.web.console import PER_PAGE, choice, render_console, require_console
from hub.web.kinds import plural_title

blueprint = Blueprint("admin_content", __name__)


@blueprint.get("/admin_panel/repositories")
def show_repositories() -> Response:
    """Repositories of all kinds. ``search``, ``kind``, ``private``, ``archived``, ``deleted``, ``sort``."""
    context, args, query = current_context(), page_args(default=PER_PAGE), request.args
    kind = query.get("kind", "")
    wanted = RepositoryFilter(
        search=query.get("search", ""),
        kind=kind if kind in context[KINDS] else "",
        is_private=choice(query.get("private", "")),
        is_archived=choice(query.get("archived", "")),
        is_deleted=query.get("deleted") == "1",
    )
    with reading(context) as work:
        actor = require_console(work)
        found = list_all_repositories(work, actor=actor, wanted=wanted, sort=query.get("sort", ""), page=args)
        weights = weights_of(work, [one.row.id for one in found.items])
        checks = reports_of(work, CHECK, [one.row.id for one in found.items])
    return render_console(
        "repositories",
        "repositories.html",
        state="ready" if found.items else "empty",
        found=found,
        args=args,
        wanted=wanted,
        sort=query.get("sort", ""),
        weights=weights,
        checks=checks,
        most_weight=MAX_WEIGHT,
        by_name={one.name: one for one in context[KINDS].values()},
        kind_titles={one.name: plural_title(one) for one in context[KINDS].values()},
        is_narrowed=wanted != RepositoryFilter(),
    )


@blueprint.get("/admin_panel/tags")
def show_labels() -> Response:
    """The catalogue of labels and its categories. ``scope``, ``category``, ``search``."""
    context, args, query = current_context(), page_args(default=PER_PAGE), request.args
    scope, category, search = query.get("scope", ""), query.get("category", ""), query.get("search", "")
    with reading(context) as work:
        actor = require_console(work)
        categories = list_categories(work)
        found = list_labels(
            work,
            actor=actor,
            scopes=[scope] if scope else [],
            categories=[category] if category else [],
            search=search,
            page=args,
        )
    shown = [one for one in categories if not scope or one.scope == scope]
    titles = {one.name: plural_title(one) for one in context[KINDS].values()}
    titles[ORGANIZATION_SCOPE] = gettext("Organisations")
    return render_console(
        "tags",
        "labels.html",
        state="ready" if found.items else "empty",
        found=found,
        args=args,
        shown_categories=shown,
        category_titles={one.name: one.show_name or one.name for one in shown},
        scope_titles=titles,
        scope=scope,
        category=category,
        search=search,
    )


@blueprint.get("/admin_panel/security")
def show_security() -> Response:
    """Which repositories have files that nobody should load unlooked at."""
    context, args = current_context(), page_args(default=PER_PAGE)
    with reading(context) as work:
        actor = require_console(work)
        found = list_endangered(work, actor=actor, page=args)
    return render_console(
        "security",
        "security.html",
        state="ready" if found.items else "empty",
        found=found,
        args=args,
        by_name={one.name: one for one in context[KINDS].values()},
    )


@blueprint.get("/admin_panel/broadcasts")
def show_broadcasts() -> Response:
    """What everybody is told, now or before. ``edit``: the number of one that is changed."""
    args = page_args(default=PER_PAGE)
    with reading(current_context()) as work:
        actor = require_console(work)
        found = list_broadcasts(work, actor=actor, page=args)
        now = work.now()
    edited = next((one for one in found.items if str(one.id) == request.args.get("edit")), None)
    return render_console(
        "broadcasts",
        "broadcasts.html",
        state="ready" if found.items else "empty",
        found=found,
        args=args,
        edited=edited,
        now=now,
        forms=FORMS,
        themes=THEMES,
        most=MAX_BROADCAST_CHARS,
    )


@blueprint.get("/admin_panel/mail")
def show_mail() -> Response:
    """Whether e-mail goes out, and what was sent. ``status``: pending, sent or failed."""
    context, args, status = current_context(), page_args(default=PER_PAGE), request.args.get("status", "")
    with reading(context) as work:
        actor = require_console(work)
        found = list_mails(work, actor=actor, state=status, page=args)
    mailer = context[MAILER]
    return render_console(
        "mail",
        "mail.html",
        state="ready" if found.items else "empty",
        found=found,
        args=args,
        chosen=status,
        statuses=[one.value for one in MailState],
        mailer=mailer,
        is_log=isinstance(mailer, LogMailer),
    )
