"""The console's pages of what runs, and of what it can be run on."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request

from hub.accounts.policy import Actor
from hub.base.errors import Unavailable
from hub.compute.hardware import ACCELERATORS, SCENARIOS, names_of
from hub.compute.models import Desired, Workload
from hub.compute.reports import LogLine
from hub.compute.service.clusters import look_at_cluster
from hub.compute.service.polling import find_usage, read_logs, see_workload
from hub.compute.service.skus import list_offers
from hub.compute.service.workloads import get_workload, list_tasks, list_workloads
from hub.compute.states import WORDS
from hub.compute.transitions import ENDED, STARTABLE
from hub.db.uow import reading
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.web.console import PER_PAGE, render_console, require_console
from hub.web.pages import render_page, wants_part

blueprint = Blueprint("admin_compute", __name__)

_LINES = 200
_ROW_ID = "int(min=1, max=9223372036854775807)"


@blueprint.get("/admin_panel/workloads")
def show_workloads() -> Response:
    """Everything that runs, ran or will, the newest first. ``status``, ``purpose``."""
    args, query = page_args(default=PER_PAGE), request.args
    status, purpose = query.get("status", ""), query.get("purpose", "")[:32]
    codes = [code for code, word in WORDS.items() if word == status]
    with reading(current_context()) as work:
        actor = require_console(work)
        found = list_workloads(work, actor=actor, codes=codes, purpose=purpose, page=args)
    if wants_part():
        return render_page("admin/_workloads.html", found=found, args=args, **_words())
    return render_console(
        "workloads",
        "workloads.html",
        state="ready" if found.items else "empty",
        found=found,
        args=args,
        chosen={"status": status if codes else "", "purpose": purpose},
        statuses={word: word for word in dict.fromkeys(WORDS.values())},
        **_words(),
    )


def _words() -> dict[str, Any]:
    """What the pages ask of a workload's state."""
    return {
        "can_start": lambda one: one.state in STARTABLE and (one.desired is Desired.STOPPED or one.state in ENDED),
        "can_stop": lambda one: one.desired is Desired.RUNNING and one.state not in ENDED,
    }


@blueprint.get(f"/admin_panel/workloads/<{_ROW_ID}:workload_id>")
def show_workload(workload_id: int) -> Response:
    """One workload as it stands, with its starts and the last that it printed."""
    context = current_context()
    with reading(context) as work:
        actor = require_console(work)
        get_workload(work, actor=actor, workload_id=workload_id)
    seen = see_workload(context, workload_id=workload_id)
    with reading(context) as work:
        workload = get_workload(work, actor=actor, workload_id=workload_id)
        tasks = list_tasks(work, workload)
    values = {
        "workload": workload,
        "seen": seen,
        "tasks": tasks,
        "usage": find_usage(context, actor=actor, workload_id=workload_id),
        "lines": _read_lines(workload, actor),
        **_words(),
    }
    if wants_part():
        return render_page("admin/_workload.html", **values)
    return render_console("workloads", "workload.html", **values)


def _read_lines(workload: Workload, actor: Actor) -> list[LogLine] | None:
    """The last that it printed; None: nobody can say."""
    try:
        lines = read_logs(current_context(), actor=actor, workload_id=workload.id, limit=_LINES)
        return [line for line in lines if line is not None]
    except Unavailable:
        return None


@blueprint.get("/admin_panel/resources")
def show_resources() -> Response:
    """What workloads can be run on, and the machines behind it."""
    context, args = current_context(), page_args(default=PER_PAGE)
    with reading(context) as work:
        require_console(work)
    found = list_offers(context, page=args)
    return render_console(
        "resources",
        "resources.html",
        state="ready" if found.items else "empty",
        found=found,
        args=args,
        cluster=look_at_cluster(context),
        percent=context.settings.compute_overcommit_percent,
        accelerators=ACCELERATORS,
        scenarios=list(SCENARIOS),
        names_of=names_of,
    )
