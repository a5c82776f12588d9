"""What jobs that look at one repository have found: asked for, kept, and shown to who administers it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import select

from hub.accounts.policy import Action, Actor
from hub.base.context import Context
from hub.db.insert import insert_new
from hub.db.uow import UnitOfWork
from hub.jobs.models import Job
from hub.jobs.schedule import Schedule, register_schedule
from hub.jobs.service import JobSpec, enqueue, register
from hub.repos.lookup import get_for
from hub.repos.models_upkeep import RepositoryReport

# The names of reports are those of the jobs that write them.
SURVEY, COLLECT, CHECK, EXPORT = "repos.survey", "repos.collect", "repos.check", "repos.export"


def install(context: Context) -> None:
    """Register the jobs, which are in ``upkeep``; done once, by the room's own ``install``."""
    for name, function in ((SURVEY, "survey"), (COLLECT, "collect"), (CHECK, "check"), (EXPORT, "export")):
        register(context, JobSpec(name, f"hub.repos.upkeep:{function}", timeout_s=6 * 3600, max_attempts=2))
    register(context, JobSpec("repos.drop_exports", "hub.repos.upkeep:drop_exports"))
    register_schedule(context, Schedule("repos.drop_exports", "15 5 * * *", "repos.drop_exports"))


class Report(NamedTuple):
    """data: as the job wrote it; None: there is none yet. job: the newest that was asked for; None: none is kept."""

    data: dict[str, Any] | None
    made_at: datetime | None
    job: Job | None

    @property
    def is_under_way(self) -> bool:
        """Whether a newer one is being made."""
        return self.job is not None and not self.job.state.is_final


def ask(work: UnitOfWork, name: str, *, actor: Actor, repository_id: int, args: Mapping[str, Any] | None = None) -> Job:
    """Have a report made by its job; while one waits, that is it. For those who administer the repository.

    Raises NotFound, NotSignedIn, Denied.
    """
    get_for(work, actor=actor, action=Action.REPOSITORY_ADMIN, repository_id=repository_id)
    return enqueue(
        work,
        name,
        args={"repository_id": repository_id, **(args or {})},
        unique_key=f"{name}:{repository_id}",
        subject=("repository", repository_id),
        actor_id=actor.user_id,
    )


def find_report(work: UnitOfWork, name: str, *, actor: Actor, repository_id: int) -> Report:
    """A report and the job that makes the next. Raises NotFound, NotSignedIn, Denied."""
    get_for(work, actor=actor, action=Action.REPOSITORY_ADMIN, repository_id=repository_id)
    row = work.session.get(RepositoryReport, (repository_id, name))
    of_repository = (Job.subject_type == "repository", Job.subject_id == repository_id, Job.name == name)
    job = work.session.scalar(select(Job).where(*of_repository).order_by(Job.id.desc()).limit(1))
    return Report(row.data if row else None, row.made_at if row else None, job)


def keep_report(work: UnitOfWork, repository_id: int, name: str, data: dict[str, Any]) -> None:
    """Write down what a job found, in place of what it found before."""
    values = {"repository_id": repository_id, "name": name, "data": data, "made_at": work.now()}
    if not insert_new(work.session, RepositoryReport, [values]):
        row = work.session.get_one(RepositoryReport, (repository_id, name), with_for_update=True)
        row.data, row.made_at = data, work.now()
        work.session.flush()


def reports_of(work: UnitOfWork, name: str, repository_ids: Sequence[int]) -> dict[int, RepositoryReport]:
    """The report of each of these repositories that has one, by its id. The caller has judged who asks. One query."""
    if not repository_ids:
        return {}
    named = (RepositoryReport.name == name, RepositoryReport.repository_id.in_(repository_ids))
    return {row.repository_id: row for row in work.session.scalars(select(RepositoryReport).where(*named))}
