"""The console's overview: the dashboard, what is stored, and the system."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import Blueprint, Response, request
from flask_babel import gettext

from hub.accounts.service.figures import count_accounts
from hub.base.context import Context
from hub.db.uow import reading
from hub.http.checks import check_address
from hub.http.context import current_context
from hub.http.health import instance_id
from hub.http.origin import hub_url
from hub.http.paging import page_args
from hub.jobs.overview import list_queues
from hub.licensing.service import LICENSING
from hub.repos.figures import count_repositories, list_uses, sum_storage
from hub.web.charts import make_day_chart
from hub.web.console import PER_PAGE, render_console, require_console
from hub.web.operations import (
    describe_migrations,
    describe_versions,
    free_space,
    list_steps,
    look_around,
    look_quickly,
    xet_bytes,
)
from hub.web.pages import render_page
from hub.web.setting_up import config_path, make_store_probe

blueprint = Blueprint("admin_pages", __name__)

DAYS = 30


@blueprint.get("/admin_panel")
@blueprint.get("/admin_panel/dashboard")
def show_dashboard() -> Response:
    """How the hub is. ``part``: health, figures; what takes a moment is asked for by the page afterwards."""
    context, part = current_context(), request.args.get("part", "")
    with reading(context) as work:
        actor = require_console(work)
        if part == "figures":
            return render_page("admin/_figures.html", **_figures(context))
        queues = [] if part else list_queues(work)
        standing = context[LICENSING].standing(work)
    if part == "health":
        return render_page("admin/_health.html", looks=look_around(context), is_whole=True)
    return render_console(
        "dashboard",
        "dashboard.html",
        looks=look_quickly(context),
        queues=queues,
        standing=standing,
        steps=list_steps(context, standing),
        actor=actor,
    )


def _figures(context: Context) -> dict[str, Any]:
    """Counts and their growth; on a large hub they take some hundred milliseconds."""
    with reading(context) as work:
        actor = require_console(work)
        last = work.now().date()
        first = last - timedelta(days=DAYS - 1)
        accounts = count_accounts(work, first=first)
        repositories = count_repositories(work, first=first)
        storage = sum_storage(work, actor=actor)
    new = {"users": accounts.new_users, "organizations": accounts.new_organizations, "repositories": repositories.new}
    charts = {name: make_day_chart(counts, last=last, days=DAYS) for name, counts in new.items()}
    return {
        "accounts": accounts,
        "repositories": repositories,
        "storage": storage,
        "xet": xet_bytes(context),
        "charts": charts,
        "days": DAYS,
    }


@blueprint.get("/admin_panel/storage")
def show_storage() -> Response:
    """What is stored, by class and by whom."""
    context, args = current_context(), page_args(default=PER_PAGE)
    with reading(context) as work:
        actor = require_console(work)
        storage = sum_storage(work, actor=actor)
        uses = list_uses(work, actor=actor, page=args)
    return render_console(
        "storage",
        "storage.html",
        state="ready" if uses.items else "empty",
        storage=storage,
        xet=xet_bytes(context),
        uses=uses,
        args=args,
        places=free_space(context),
        settings=context.settings,
    )


@blueprint.get("/admin_panel/settings/address")
def show_address() -> Response:
    """Whether the address in force leads here: from the browser, and (``part=server``) from the hub's own machine."""
    context = current_context()
    with reading(context) as work:
        require_console(work)
    base_url = context.settings.effective_base_url
    if request.args.get("part") == "server":
        found = check_address(context, base_url)
        return render_page("setup/_checks.html", checks=[found], title=gettext("From the hub's machine"))
    return render_page(
        "admin/_address.html",
        base_url=base_url,
        here_url=hub_url(),
        is_set=bool(context.settings.base_url),
        instance=instance_id(context),
        probe=make_store_probe(context),
        config_path=config_path(context.settings),
    )


@blueprint.get("/admin_panel/system")
def show_system() -> Response:
    """Versions, the state of the database, and all that is looked at."""
    context = current_context()
    with reading(context) as work:
        require_console(work)
    return render_console(
        "system", "system.html", versions=describe_versions(context), migrations=describe_migrations(context)
    )
