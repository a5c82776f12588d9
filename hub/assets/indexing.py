"""What is read from a repository's files after each push that moves its default branch.

One job runs the indexers of the repository's kind, one after another. Each is a step of its own: it is done at a
commit, or failed there with a reason that leaves the others alone. A run that was cut off goes on where it stood.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.engine import CursorResult

from hub.accounts.policy import SYSTEM, Action, Actor, can, require
from hub.assets.models_indexing import IndexStep, StepState
from hub.base.context import Context, Key
from hub.base.dotted import load_dotted
from hub.base.errors import Conflict, Denied, Failed, Invalid, NotFound
from hub.base.log import get_logger
from hub.base.names import branch_ref
from hub.base.offload import offload
from hub.base.registry import Registry
from hub.db.insert import insert_new
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.git.repository import find_revision
from hub.jobs.models import Job
from hub.jobs.queue import send_after_commit
from hub.jobs.run import JobCancelled, JobRun, describe
from hub.jobs.service import enqueue
from hub.repos.contents import read_file
from hub.repos.events import RefsUpdated, RepositoryUpdated
from hub.repos.kinds import KINDS
from hub.repos.lookup import is_live, repository_path
from hub.repos.models import Repository
from hub.repos.rows import Shown

log = get_logger(__name__)

JOB = "assets.index"
# Whose process ended so often while it ran has itself to blame.
MAX_STARTS = 3
MAX_ERROR_CHARS = 1000
_BATCH = 200


@dataclass(frozen=True)
class Indexer:
    """One step of what is read from a repository's files.

    run: ``"module:function"``, imported when it is first run, or a callable; it is called with an ``IndexRun``.
    kinds: the names of the kinds whose repositories it reads; None: all. version: a higher one has every repository
    read again when it is next indexed.
    """

    name: str
    title: str
    run: str | Callable[[IndexRun], None]
    kinds: frozenset[str] | None = None
    version: int = 1


INDEXERS: Key[Registry[Indexer]] = Key("assets.indexers")


def add_indexer(context: Context, indexer: Indexer, owner: str = "hub") -> None:
    """Add a step after those that are there. Raises RegistryError when its name is taken."""
    context[INDEXERS].add(indexer.name, indexer, owner=owner)


def indexers_of(context: Context, kind: str) -> list[Indexer]:
    """The steps for repositories of a kind, in their order: those that read it and that it does not leave out."""
    declared = context[KINDS].find(kind)
    wanted = declared.indexers if declared is not None else frozenset()
    return [
        indexer
        for indexer in context[INDEXERS].values()
        if (indexer.kinds is None or kind in indexer.kinds) and (wanted is None or indexer.name in wanted)
    ]


class Superseded(Conflict):
    """Another run has taken over this repository's step; what this one found is of no use."""

    code = "index_superseded"


@dataclass(frozen=True)
class IndexRun:
    """What an indexer gets: the repository at a commit, and how to report.

    repository: a row that belongs to no session. commit_id: of its default branch; empty when the branch is gone, so
    that nothing is to be kept. previous_commit_id: at which this indexer was last done; empty: never.
    An indexer writes what it found in one unit of work, in which it calls ``finish``; what it keeps by the content's
    id may be written before. It may run again at the same commit.
    """

    context: Context
    repository: Repository
    commit_id: str
    previous_commit_id: str
    indexer: Indexer
    _job: JobRun

    def note(self, done: int, total: int | None = None, unit: str = "files") -> None:
        """Report progress. Raises JobCancelled when somebody has cancelled the job."""
        self._job.check_cancelled()
        self._job.progress(done, total, unit)

    def log(self, text: str) -> None:
        """Add a line to the job's log."""
        self._job.log(text)

    def read(self, path: str, *, limit_bytes: int) -> bytes | None:
        """The beginning of a file at the commit, as Git holds it (an LFS pointer stays one); None without one."""
        try:
            found = read_file(
                *(self.context, self.repository),
                actor=SYSTEM,
                path=path,
                revision=self.commit_id,
                limit_bytes=limit_bytes,
            )
        except (NotFound, Invalid):  # no such file, or a folder, or a submodule
            return None
        return found.blob.data

    def finish(self, work: UnitOfWork) -> None:
        """Mark the step done at the commit, with what else the unit of work writes.

        Raises Superseded when another run has begun the step since: then nothing of this one may be written.
        """
        _settle(
            work,
            self,
            state=StepState.DONE,
            done_commit_id=self.commit_id,
            done_version=self.indexer.version,
            starts=0,
            error="",
        )

    @property
    def token(self) -> str:
        """What this run holds its step by."""
        return f"{self._job.uuid}.{self._job.attempt}"


def _settle(work: UnitOfWork, run: IndexRun, **values: Any) -> None:
    is_held = (
        IndexStep.repository_id == run.repository.id,
        IndexStep.name == run.indexer.name,
        IndexStep.token == run.token,
    )
    result = work.session.execute(
        update(IndexStep)
        .where(*is_held)
        .values(finished_at=work.now(), **values)
        .execution_options(synchronize_session=False)
    )
    assert isinstance(result, CursorResult)
    if not result.rowcount:
        raise Superseded(f"Another run has begun the step {run.indexer.name!r}.")


# The job.


def ask_to_index(work: UnitOfWork, repository: Repository, *, actor_id: int | None, is_forced: bool = False) -> Job:
    """Ask for the repository to be indexed; one that waits already is enough. is_forced: also what is done."""
    job = enqueue(
        work,
        JOB,
        args={"repository_id": repository.id} | ({"is_forced": True} if is_forced else {}),
        unique_key=f"{JOB}:{repository.id}{':all' if is_forced else ''}",
        subject=("repository", repository.id),
        actor_id=actor_id,
    )
    if job.run_after > work.now():
        # One that failed waits for its next try: what is there now need not.
        job.run_after = work.now()
        send_after_commit(work, job)
    return job


def ask_for_all(context: Context, *, is_forced: bool = False) -> int:
    """Ask for every repository to be indexed, a few at a time; how many they are."""
    last_id = count = 0
    while True:
        with unit_of_work(context) as work:
            live = select(Repository).where(is_live(), Repository.id > last_id).order_by(Repository.id)
            found = work.session.scalars(live.limit(_BATCH)).all()
            for repository in found:
                ask_to_index(work, repository, actor_id=None, is_forced=is_forced)
                last_id = repository.id
        count += len(found)
        if len(found) < _BATCH:
            return count


def moved_repository(work: UnitOfWork, event: object) -> tuple[Repository, int | None] | None:
    """The repository whose default branch an event says to be elsewhere, or another, and who did it; else None."""
    moved: set[str] | None = None
    match event:
        case RefsUpdated(changes=changes):
            moved = {change.ref for change in changes}
        case RepositoryUpdated(fields=fields) if "default_branch" in fields:
            pass
        case _:
            return None
    repository = work.session.get(Repository, event.repository_id)
    if repository is None or (moved is not None and branch_ref(repository.default_branch) not in moved):
        return None
    return repository, event.actor_id


def index(job: JobRun, *, repository_id: int, is_forced: bool = False) -> None:
    """The job: run the steps that are not done at the default branch's commit. Harmless when it is repeated.

    Raises Failed when a step failed in a way that another try may mend; the steps that are done stay done.
    """
    context = job.context
    with reading(context) as work:
        repository = work.session.get(Repository, repository_id)
    if repository is None or repository.deleted_at is not None:
        return
    commit_id = find_head(context, repository)
    if is_forced:
        _forget(context, repository_id)
    failed = []
    for indexer in _in_order(context, repository, commit_id):
        job.check_cancelled()
        run = _begin(job, repository, commit_id, indexer)
        if run is None:
            continue
        # Whoever moved the branch has asked for another run, which finds what is there now.
        if find_head(context, repository) != commit_id:
            return
        try:
            if not _run(run):
                failed.append(indexer.title)
        except Superseded:
            if find_head(context, repository) != commit_id:
                return
            raise
    if failed:
        raise Failed(f"These failed: {', '.join(failed)}. Each step says why.", code="index_failed")


def find_head(context: Context, repository: Shown) -> str:
    """The commit of a repository's default branch; empty without one."""
    with reading(context) as work:
        branch = work.session.scalar(select(Repository.default_branch).where(Repository.id == repository.id))
    return offload(find_revision, repository_path(context.settings, repository), branch or "") or "" if branch else ""


def _steps(work: UnitOfWork, repository_id: int) -> dict[str, IndexStep]:
    found = work.session.scalars(select(IndexStep).where(IndexStep.repository_id == repository_id))
    return {step.name: step for step in found}


def _forget(context: Context, repository_id: int) -> None:
    with unit_of_work(context) as work:
        every = update(IndexStep).where(IndexStep.repository_id == repository_id)
        work.session.execute(every.values(done_version=0, starts=0).execution_options(synchronize_session=False))


def _is_done(step: IndexStep | None, commit_id: str, indexer: Indexer) -> bool:
    return step is not None and step.done_commit_id == commit_id and step.done_version == indexer.version


def _in_order(context: Context, repository: Repository, commit_id: str) -> list[Indexer]:
    """The steps to run. One that was cut off at this commit comes last: it may have ended its process."""
    with reading(context) as work:
        steps = _steps(work, repository.id)
    left = [
        each for each in indexers_of(context, repository.kind) if not _is_done(steps.get(each.name), commit_id, each)
    ]

    def was_cut_off(indexer: Indexer) -> bool:
        step = steps.get(indexer.name)
        return step is not None and step.commit_id == commit_id and step.starts > 0

    return sorted(left, key=was_cut_off)


def _begin(job: JobRun, repository: Repository, commit_id: str, indexer: Indexer) -> IndexRun | None:
    """Take the step; None where another run has done it meanwhile, or it has ended its process too often."""
    context = job.context
    with unit_of_work(context) as work:
        now = work.now()
        row = {
            "repository_id": repository.id,
            "name": indexer.name,
            "state": StepState.RUNNING,
            "commit_id": commit_id,
            "started_at": now,
        }
        insert_new(work.session, IndexStep, [row])
        mine = (IndexStep.repository_id == repository.id, IndexStep.name == indexer.name)
        step = work.session.scalars(select(IndexStep).where(*mine).with_for_update()).one_or_none()
        if step is None or _is_done(step, commit_id, indexer):
            return None
        run = IndexRun(context, repository, commit_id, step.done_commit_id or "", indexer, job)
        if step.commit_id != commit_id:
            step.commit_id, step.starts = commit_id, 0
        step.token, step.started_at, step.finished_at = run.token, now, None
        if step.starts >= MAX_STARTS:
            step.state, step.finished_at = StepState.FAILED, now
            step.error = f"The process that ran it ended {step.starts} times before it was done."
            return None
        step.state, step.error, step.starts = StepState.RUNNING, "", step.starts + 1
    return run


def _run(run: IndexRun) -> bool:
    """Run one step; False when it failed in a way that another try may mend. Raises Superseded."""
    context = run.context
    try:
        load_dotted(run.indexer.run)(run)
        with unit_of_work(context) as work:
            run.finish(work)
    except Superseded:
        raise
    except JobCancelled:
        with unit_of_work(context) as work:
            _settle(work, run, state=StepState.FAILED, starts=0, error="It was interrupted.")
        raise
    except Exception as error:
        log.exception("indexer_failed", indexer=run.indexer.name, repository=run.repository.uuid)
        with unit_of_work(context) as work:
            _settle(work, run, state=StepState.FAILED, starts=0, error=reason_of(error))
        # What was refused as such is refused again.
        return isinstance(error, Invalid | Denied | NotFound)
    return True


def reason_of(error: BaseException) -> str:
    """An error in words that can be stored and shown."""
    return (
        describe(error).replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()[:MAX_ERROR_CHARS]
    )


# What people see.


@dataclass(frozen=True)
class Step:
    """One step at the default branch's commit. state: "pending", "running", "done" or "failed".

    commit_id: at which it was last done; empty: never. error: why it failed, for those who may write.
    """

    name: str
    title: str
    state: str
    commit_id: str
    error: str
    finished_at: datetime | None


@dataclass(frozen=True)
class IndexStatus:
    """How far a repository is indexed. state: "failed" where a step is, else "pending" where one is not done."""

    commit_id: str
    state: str
    steps: Sequence[Step]


def find_status(context: Context, repository: Shown, *, actor: Actor) -> IndexStatus:
    """How far the default branch is indexed. Raises NotFound."""
    commit_id = find_head(context, repository)
    with reading(context) as work:
        require(work, actor, Action.REPOSITORY_READ, repository)
        rows = _steps(work, repository.id)
        # Paths and other insides of the machine may stand in them, and in a gated repository what is in its files.
        tells_errors = can(work, actor, Action.REPOSITORY_WRITE, repository)
    steps = [_view(each, rows.get(each.name), commit_id) for each in indexers_of(context, repository.kind)]
    if not tells_errors:
        steps = [replace(step, error="") for step in steps]
    states = {step.state for step in steps}
    state = "failed" if "failed" in states else "done" if states <= {"done"} else "pending"
    return IndexStatus(commit_id, state, steps)


def _view(indexer: Indexer, row: IndexStep | None, commit_id: str) -> Step:
    if row is None:
        return Step(indexer.name, indexer.title, "pending", "", "", None)
    state = "pending"
    if _is_done(row, commit_id, indexer):
        state = "done"
    elif row.commit_id == commit_id and row.state != StepState.DONE:
        state = row.state.value
    return Step(indexer.name, indexer.title, state, row.done_commit_id or "", row.error, row.finished_at)


def request_indexing(work: UnitOfWork, *, actor: Actor, repository: Repository) -> Job:
    """Have a repository indexed anew, also what is done. Raises NotFound, NotSignedIn, Denied."""
    require(work, actor, Action.REPOSITORY_WRITE, repository)
    return ask_to_index(work, repository, actor_id=actor.user_id, is_forced=True)
