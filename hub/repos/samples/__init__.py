"""Something to look at on a new hub: a small real data set and a small real model, made on request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from hub.accounts.models import User
from hub.accounts.policy import Action, Actor, require
from hub.accounts.service import get_own_user
from hub.base.context import Context
from hub.base.errors import Conflict
from hub.db.uow import UnitOfWork, reading
from hub.jobs.models import Job
from hub.jobs.run import JobRun
from hub.jobs.service import JobSpec, enqueue, register
from hub.repos.service import create_repository

JOB = "repos.samples"
_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Sample:
    """A repository that comes with the hub. folder: of its files, below this one."""

    kind: str
    name: str
    folder: str
    description: str
    license: str

    def read_files(self, namespace: str) -> dict[str, bytes]:
        """Its files by path; their texts name the namespace that they are made in."""
        files = {path.name: path.read_bytes() for path in sorted((_FOLDER / self.folder).iterdir()) if path.is_file()}
        card = files["README.md"].decode().replace("{namespace}", namespace)
        return files | {"README.md": card.encode()}


SAMPLES = (
    Sample("dataset", "iris", "dataset", "150 flowers of three kinds, measured in 1936", "cc-by-4.0"),
    Sample("model", "iris-classifier", "model", "Tells three kinds of iris apart, by 15 parameters", "mit"),
)


def install(context: Context) -> None:
    """Register the job; done once, by ``build_context``."""
    register(context, JobSpec(JOB, "hub.repos.samples:run_job", timeout_s=600))


def ask_for_samples(work: UnitOfWork, *, actor: Actor) -> Job:
    """Have the samples made in the actor's own namespace, by a job; asked twice, they are made once.

    Raises NotSignedIn, Denied.
    """
    user = get_own_user(work, actor=actor)
    require(work, actor, Action.NAMESPACE_CREATE, user.namespace, what="namespace")
    return enqueue(work, JOB, args={"user_id": user.id}, unique_key=f"{JOB}:{user.id}", actor_id=user.id)


def find_asked(work: UnitOfWork, *, actor: Actor) -> Job | None:
    """The job that was asked for last to make the actor's samples; None: none was."""
    mine = (Job.name == JOB, Job.actor_id == actor.user_id)
    return work.session.scalar(select(Job).where(*mine).order_by(Job.id.desc()).limit(1))


def run_job(run: JobRun, *, user_id: int) -> None:
    """Make what is not there yet."""
    with reading(run.context) as work:
        actor = Actor.of_user(work.session.get_one(User, user_id), via="session")
    made = make_samples(run.context, actor=actor, tell=lambda done, total: run.progress(done, total, "repositories"))
    run.log(f"Made {', '.join(made) or 'nothing: all of it was there'}.")


def make_samples(context: Context, *, actor: Actor, tell: Callable[[int, int], None]) -> list[str]:
    """The paths of the samples that were made in the actor's namespace; one whose name is taken is left out.

    tell: called with how many are done, of how many.
    """
    made = []
    for number, sample in enumerate(SAMPLES):
        tell(number, len(SAMPLES))
        try:
            repository = create_repository(
                context,
                actor=actor,
                namespace=actor.name,
                name=sample.name,
                kind=sample.kind,
                description=sample.description,
                license=sample.license,
                files=sample.read_files(actor.name),
            )
        except Conflict:
            continue
        made.append(repository.path)
    tell(len(SAMPLES), len(SAMPLES))
    return made
