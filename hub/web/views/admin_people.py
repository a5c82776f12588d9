"""The console's pages of people: users, organisations, and who asks to be confirmed."""

from __future__ import annotations

from flask import Blueprint, Response, request

from hub.accounts import service
from hub.accounts.models import Organization
from hub.accounts.passwords import MIN_PASSWORD_LENGTH
from hub.accounts.service import verifications
from hub.accounts.service.directory import SORTS
from hub.accounts.service.invitations import list_invitations
from hub.accounts.service.resets import can_reset
from hub.base.paging import PageArgs
from hub.db.uow import reading
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.repos.quotas import used_bytes
from hub.repos.service import list_repositories
from hub.web.account_settings import name_browser
from hub.web.console import PER_PAGE, choice, render_console, require_console

blueprint = Blueprint("admin_people", __name__)

_SHOWN = 10


@blueprint.get("/admin_panel/users")
def show_users() -> Response:
    """All accounts. ``search``, ``role`` (admin, user), ``state`` (active, off), ``sort``, ``order``."""
    args, query = page_args(default=PER_PAGE), request.args
    role, state = query.get("role", ""), query.get("state", "")
    wanted = service.UserFilter(
        search=query.get("search", ""),
        is_active={"active": True, "off": False}.get(state),
        is_admin={"admin": True, "user": False}.get(role),
        sort_by=query["sort"] if query.get("sort") in SORTS else "",
        is_descending=query.get("order") == "desc",
    )
    with reading(current_context()) as work:
        actor = require_console(work)
        found = service.list_users(work, actor=actor, wanted=wanted, page=args)
        invited = list_invitations(work, actor=actor, page=PageArgs(per=PER_PAGE))
        now = work.now()
    return render_console(
        "users",
        "users.html",
        invitations=invited,
        now=now,
        sends_mail=can_reset(current_context()),
        state="ready" if found.items else "empty",
        found=found,
        args=args,
        wanted=wanted,
        role=role,
        chosen=state,
        is_narrowed=bool(wanted.search or role or state),
        least=MIN_PASSWORD_LENGTH,
    )


@blueprint.get("/admin_panel/users/<username>")
def show_user(username: str) -> Response:
    """One account: what it has, how it signs in, what can be done with it."""
    context, few = current_context(), PageArgs(per=_SHOWN)
    with reading(context) as work:
        actor = require_console(work)
        user = service.get_user(work, username)
        organizations = service.list_user_organizations(work, actor=actor, user=user, page=few)
        repositories = list_repositories(work, actor=actor, namespace=user.name, page=few)
        tokens = service.list_tokens(work, actor=actor, user=user).items
        keys = service.list_ssh_keys(work, actor=actor, user=user).items
        sessions = service.list_sessions(work, actor=actor, user=user)
        used = used_bytes(work, user.namespace_id)
    return render_console(
        "users",
        "user.html",
        user=user,
        organizations=organizations,
        repositories=repositories,
        tokens=tokens,
        keys=keys,
        sessions=[(session, name_browser(session.user_agent)) for session in sessions],
        used=used,
        quota=user.namespace.quota_bytes,
        hub_quota=context.settings.quota_bytes,
    )


@blueprint.get("/admin_panel/organizations")
def show_organizations() -> Response:
    """All organisations. ``search``, ``verified``."""
    context, args, query = current_context(), page_args(default=PER_PAGE), request.args
    verified = choice(query.get("verified", ""))
    wanted = service.OrganizationFilter(
        search=query.get("search", ""),
        verify_status="" if verified is None else verifications.APPROVED if verified else verifications.NONE,
    )
    with reading(context) as work:
        actor = require_console(work)
        found = service.list_organizations(work, actor=actor, wanted=wanted, page=args)
        ids = [one.id for one in found.items]
        members = service.count_members(work, ids)
        statuses = verifications.statuses_of(work, Organization.resource_type, ids)
    return render_console(
        "organizations",
        "organizations.html",
        state="ready" if found.items else "empty",
        found=found,
        args=args,
        search=wanted.search,
        verified=query.get("verified", ""),
        members=members,
        statuses=statuses,
        hub_quota=context.settings.quota_bytes,
    )


@blueprint.get("/admin_panel/verifications")
def show_verifications() -> Response:
    """Who asks to be confirmed, with what they handed in. ``status``: pending, approved, rejected."""
    args, status = page_args(default=PER_PAGE), request.args.get("status") or verifications.PENDING
    with reading(current_context()) as work:
        actor = require_console(work)
        found = verifications.list_verifications(work, actor=actor, status=status, page=args)
    return render_console(
        "verifications",
        "verifications.html",
        state="ready" if found.items else "empty",
        found=found,
        args=args,
        chosen=status,
    )
