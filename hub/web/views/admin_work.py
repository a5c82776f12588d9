"""The console's pages of background work and of the licence."""

from __future__ import annotations

from flask import Blueprint, Response, request

from hub.accounts.service.licenses import list_licenses
from hub.db.uow import reading
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.jobs.models import JobState
from hub.jobs.overview import list_queues, list_schedules
from hub.jobs.service import JOBS, QUEUE_NAMES, get_job, list_jobs
from hub.jobs.sweep import is_stale
from hub.jobs.workers import list_workers
from hub.licensing.service import LICENSING
from hub.web.console import PER_PAGE, render_console, require_console
from hub.web.pages import render_page, wants_part

blueprint = Blueprint("admin_work", __name__)


@blueprint.get("/admin_panel/jobs")
def show_jobs() -> Response:
    """Background work, the newest first. ``state``, ``queue``, ``name``."""
    context, args, query = current_context(), page_args(default=PER_PAGE), request.args
    state = query.get("state", "")
    queue = query.get("queue", "")
    name = query.get("name", "")
    with reading(context) as work:
        require_console(work)
        found = list_jobs(
            work,
            state=JobState(state) if state in [*JobState] else None,
            queue=queue or None,
            name=name or None,
            page=args,
        )
        queues = list_queues(work)
        stale = {job.uuid for job in found.items if is_stale(job, work.now())}
    if wants_part():
        return render_page("admin/_jobs.html", found=found, args=args, stale=stale)
    return render_console(
        "jobs",
        "jobs.html",
        state="ready" if found.items else "empty",
        queues=queues,
        queue_names={name: name for name in QUEUE_NAMES},
        names={name: name for name in sorted(spec.name for spec in context[JOBS].values())},
        chosen={"state": state, "queue": queue, "name": name},
        found=found,
        args=args,
        stale=stale,
        workers=list_workers(context),
    )


@blueprint.get("/admin_panel/jobs/<uuid>")
def show_job(uuid: str) -> Response:
    """One job with its arguments, its log and what became of it."""
    with reading(current_context()) as work:
        require_console(work)
        job = get_job(work, uuid)
    if wants_part():
        return render_page("admin/_job.html", job=job)
    return render_console("jobs", "job.html", job=job)


@blueprint.get("/admin_panel/schedules")
def show_schedules() -> Response:
    """Every periodic job."""
    with reading(current_context()) as work:
        require_console(work)
        schedules = list_schedules(work)
    return render_console("jobs", "schedules.html", schedules=sorted(schedules, key=lambda one: one.name))


@blueprint.get("/admin_panel/license")
def show_license() -> Response:
    """How the hub stands with its licence, and those that were installed."""
    context, args = current_context(), page_args(default=PER_PAGE)
    licensing = context[LICENSING]
    with reading(context) as work:
        actor = require_console(work)
        standing = licensing.standing(work)
        found = list_licenses(work, actor=actor, page=args)
    return render_console(
        "license",
        "license.html",
        standing=standing,
        edition=licensing.edition,
        editions=licensing.editions,
        limits=licensing.limits(standing),
        found=found,
        args=args,
        from_file=context.settings.license_file,
    )
