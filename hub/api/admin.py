"""REST for site administrators: accounts, organisations, background work."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from hub.accounts import service as accounts
from hub.accounts.models import Organization
from hub.accounts.policy import require_site_admin
from hub.accounts.service import resets, second_factors
from hub.accounts.service.namespaces import set_quota
from hub.accounts.service.verifications import statuses_of
from hub.api import admin_schemas, schemas
from hub.api.account_schemas import OrganizationsQuery, UserSchema
from hub.api.account_views import organization_view, user_view
from hub.api.envelope import enveloped, ok, paged
from hub.api.organizations import organization_filter
from hub.api.users import users_page
from hub.api.views import job_view
from hub.base.errors import Invalid, Unavailable
from hub.db.uow import reading, unit_of_work
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.http.routing import PREFIX, RepositoryBlueprint
from hub.jobs.models import JobState
from hub.jobs.overview import list_queues, list_schedules
from hub.jobs.schedule import pause_schedule, resume_schedule, run_schedule
from hub.jobs.service import cancel_job, get_job, list_jobs, retry_job
from hub.jobs.workers import list_workers

blp = RepositoryBlueprint("admin", __name__, url_prefix=f"{PREFIX}/admin", description="For site administrators")


@blp.get("/jobs")
@blp.arguments(admin_schemas.AdminJobsQuery, location="query")
@blp.response(200, enveloped(schemas.JobSchema, many=True))
def list_all_jobs(query: dict[str, Any]) -> dict[str, Any]:
    """Background jobs of the whole hub, newest first."""
    with reading(current_context()) as work:
        require_site_admin(work, current_actor())
        state, name, queue = _state(query["state"]), query["name"] or None, query["queue"] or None
        page = list_jobs(work, state=state, name=name, queue=queue, page=page_args())
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


@blp.get("/queues")
@blp.response(200, enveloped(admin_schemas.QueueSchema, many=True))
def list_all_queues() -> dict[str, Any]:
    """How many jobs wait, run and have ended in each queue."""
    with reading(current_context()) as work:
        require_site_admin(work, current_actor())
        queues = list_queues(work)
    views = [
        {"name": queue.name, "oldest_due_at": queue.oldest_due_at}
        | {state.value: count for state, count in queue.counts.items()}
        for queue in queues
    ]
    return ok(views, total=len(views))


@blp.get("/schedules")
@blp.response(200, enveloped(admin_schemas.ScheduleSchema, many=True))
def list_all_schedules() -> dict[str, Any]:
    """Every periodic job: when it is due, when it was asked for last, when it is next."""
    with reading(current_context()) as work:
        require_site_admin(work, current_actor())
        schedules = list_schedules(work)
    return ok([dataclasses.asdict(schedule) for schedule in schedules], total=len(schedules))


@blp.post("/schedules/<name>/run")
@blp.response(202, enveloped(schemas.JobSchema))
def run_now(name: str) -> dict[str, Any]:
    """Ask for a periodic job now; its next moment stays what it is. While it waits already, that one is told."""
    actor = current_actor()
    with unit_of_work(current_context()) as work:
        require_site_admin(work, actor)
        return ok(job_view(run_schedule(work, name, actor_id=actor.user_id)))


@blp.put("/schedules/<name>/pause")
@blp.response(200, enveloped())
def pause(name: str) -> dict[str, Any]:
    """Have a periodic job asked for no more, until it is resumed."""
    actor = current_actor()
    with unit_of_work(current_context()) as work:
        require_site_admin(work, actor)
        pause_schedule(work, name, actor_id=actor.user_id)
    return ok()


@blp.delete("/schedules/<name>/pause")
@blp.response(200, enveloped())
def resume(name: str) -> dict[str, Any]:
    """Let a periodic job be asked for again, from its next moment on."""
    actor = current_actor()
    with unit_of_work(current_context()) as work:
        require_site_admin(work, actor)
        resume_schedule(work, name, actor_id=actor.user_id)
    return ok()


@blp.get("/workers")
@blp.response(200, enveloped(admin_schemas.WorkerSchema, many=True))
def list_all_workers() -> dict[str, Any]:
    """The processes that run jobs, those included that have gone silent or are lost."""
    with reading(current_context()) as work:
        require_site_admin(work, current_actor())
    workers = list_workers(current_context())
    if workers is None:
        raise Unavailable("Redis does not answer; only it knows the workers.", code="redis_unavailable")
    return ok([dataclasses.asdict(worker) for worker in workers], total=len(workers))


# Accounts and organisations.


@blp.get("/users")
@blp.arguments(admin_schemas.AdminUsersQuery, location="query")
@blp.response(200, enveloped(UserSchema, paged=True))
def list_all_users(query: dict[str, Any]) -> dict[str, Any]:
    """Users with all their members, the switched-off ones, too."""
    actor = current_actor()
    with reading(current_context()) as work:
        require_site_admin(work, actor)
    return users_page(actor, query)


@blp.post("/users/<username>/deactivate")
@blp.response(200, enveloped(UserSchema))
def deactivate(username: str) -> dict[str, Any]:
    """Switch an account off: no credential of it is good any more, at once; what it owns stays."""
    return _change_user(username, accounts.deactivate_user)


@blp.post("/users/<username>/reactivate")
@blp.response(200, enveloped(UserSchema))
def reactivate(username: str) -> dict[str, Any]:
    """Switch an account on again."""
    return _change_user(username, accounts.reactivate_user)


@blp.delete("/users/<username>/sessions")
@blp.response(200, enveloped(UserSchema))
def sign_out(username: str) -> dict[str, Any]:
    """Sign a user out everywhere: of every browser and of signed session tokens; access tokens and keys stay."""
    return _change_user(username, accounts.close_all_sessions)


@blp.delete("/users/<username>/second_factor")
@blp.response(200, enveloped(UserSchema))
def reset_second_factor(username: str) -> dict[str, Any]:
    """Take the second factor off an account whose owner has lost it; the password alone signs in again."""
    return _change_user(username, second_factors.reset)


@blp.post("/users/<username>/password_link")
@blp.response(200, enveloped(admin_schemas.PasswordLinkSchema))
def make_password_link(username: str) -> dict[str, Any]:
    """A link by which the account gets a new password, to be handed over; good for an hour, and once."""
    actor = current_actor()
    with reading(current_context()) as work:
        require_site_admin(work, actor)
        url = resets.make_reset_link(work, actor=actor, user=accounts.get_user(work, username))
    return ok({"url": url, "ttl_s": resets.TTL_S})


@blp.put("/namespaces/<namespace>/quota")
@blp.arguments(admin_schemas.QuotaBody)
@blp.response(200, enveloped())
def set_namespace_quota(body: dict[str, Any], namespace: str) -> dict[str, Any]:
    """How much a user or an organisation may store in Git and LFS together."""
    actor = current_actor()
    with unit_of_work(current_context()) as work:
        require_site_admin(work, actor)
        found = accounts.get_namespace(work, namespace)
        set_quota(work, actor=actor, namespace=found, quota_bytes=body["quota_bytes"])
    return ok()


def _change_user(username: str, change: Callable[..., None]) -> dict[str, Any]:
    actor = current_actor()
    with unit_of_work(current_context()) as work:
        require_site_admin(work, actor)
        user = accounts.get_user(work, username)
        change(work, actor=actor, user=user)
        return ok(user_view(work, actor, user))


@blp.get("/organizations")
@blp.arguments(OrganizationsQuery, location="query")
@blp.response(200, enveloped(admin_schemas.AdminOrganizationSchema, paged=True))
def list_all_organizations(query: dict[str, Any]) -> dict[str, Any]:
    """Organisations with the number of their members and how their verification stands."""
    actor = current_actor()
    wanted = organization_filter(query)
    with reading(current_context()) as work:
        require_site_admin(work, actor)
        page = accounts.list_organizations(work, actor=actor, wanted=wanted, page=page_args())
        ids = [organization.id for organization in page.items]
        counts = accounts.count_members(work, ids)
        statuses = statuses_of(work, Organization.resource_type, ids)
    views = [
        organization_view(one, verify_status=statuses.get(one.id, "")) | {"member_count": counts.get(one.id, 0)}
        for one in page.items
    ]
    return paged(views, page.total)
