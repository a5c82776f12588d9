"""REST for site administrators: background jobs."""

from __future__ import annotations

from typing import Any

from hub.accounts.policy import require_site_admin
from hub.api import schemas
from hub.api.envelope import enveloped, ok
from hub.api.views import job_view
from hub.base.errors import Invalid
from hub.db.uow import reading, unit_of_work
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.http.routing import PREFIX, RepositoryBlueprint
from hub.jobs.models import JobState
from hub.jobs.service import cancel_job, get_job, list_jobs, retry_job

blp = RepositoryBlueprint("admin", __name__, url_prefix=f"{PREFIX}/admin", description="For site administrators")


@blp.get("/jobs")
@blp.arguments(schemas.JobsQuery, location="query")
@blp.response(200, enveloped(schemas.JobSchema, many=True))
def list_all_jobs(query: dict[str, Any]) -> dict[str, Any]:
    """Background jobs of the whole hub, newest first."""
    with reading(current_context()) as work:
        require_site_admin(work, current_actor())
        page = list_jobs(work, state=_state(query["state"]), name=query["name"] or None, page=page_args())
    return ok([job_view(job) for job in page.items], total=page.total)


def _state(word: str) -> JobState | None:
    if word and word not in list(JobState):
        allowed = [state.value for state in JobState]
        raise Invalid(f"'state' must be one of {', '.join(allowed)}.", code="REQ-ERR-6", query="state", allowed=allowed)
    return JobState(word) if word else None


@blp.get("/jobs/<uuid>")
@blp.response(200, enveloped(schemas.JobSchema))
def show_job(uuid: str) -> dict[str, Any]:
    """One job with its log."""
    with reading(current_context()) as work:
        require_site_admin(work, current_actor())
        return ok(job_view(get_job(work, uuid), with_log=True))


@blp.post("/jobs/<uuid>/cancel")
@blp.response(200, enveloped(schemas.JobSchema))
def cancel(uuid: str) -> dict[str, Any]:
    """Cancel a job that waits, or tell a running one to stop."""
    with unit_of_work(current_context()) as work:
        require_site_admin(work, current_actor())
        return ok(job_view(cancel_job(work, uuid)))


@blp.post("/jobs/<uuid>/retry")
@blp.response(200, enveloped(schemas.JobSchema))
def retry(uuid: str) -> dict[str, Any]:
    """Queue a failed or cancelled job again."""
    with unit_of_work(current_context()) as work:
        require_site_admin(work, current_actor())
        return ok(job_view(retry_job(work, uuid)))
