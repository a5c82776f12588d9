"""Deleted branches: for ``KEPT_DAYS`` whoever may write can see them and bring them back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select

from hub.accounts.models import User
from hub.accounts.policy import Action, Actor
from hub.base.context import Context
from hub.base.errors import Conflict, HubError, NotFound
from hub.base.log import get_logger
from hub.base.names import branch_ref
from hub.base.offload import offload
from hub.base.paging import Page, PageArgs
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.git.repository import find_commits, list_refs
from hub.git.types import ZERO_OID, Commit, RefChange
from hub.git.write import update_refs
from hub.jobs.run import JobRun
from hub.jobs.schedule import Schedule, register_schedule
from hub.jobs.service import JobSpec, register
from hub.repos import refs
from hub.repos.kept_refs import KEPT_REFS
from hub.repos.lookup import get_for, is_live, repository_path
from hub.repos.models import DeletedBranch, Repository
from hub.repos.rows import Shown

log = get_logger(__name__)

# Source: web-ui.md, section 7.5, H5.
KEPT_DAYS = 30
_AT_ONCE = 500


@dataclass(frozen=True)
class DeletedView:
    """A deleted branch. deleted_by: "": the hub, or nobody any more. expires_at: when it goes for good."""

    uuid: str
    name: str
    commit_id: str
    deleted_by: str
    deleted_at: datetime
    expires_at: datetime


def list_deleted(
    work: UnitOfWork, *, actor: Actor, repository_id: int, page: PageArgs | None = None
) -> Page[DeletedView]:
    """The branches that can be brought back, the last deleted first. Raises NotFound, NotSignedIn, Denied."""
    get_for(work, actor=actor, action=Action.REPOSITORY_WRITE, repository_id=repository_id)
    page = page or PageArgs()
    kept_for = timedelta(days=KEPT_DAYS)
    wanted = (DeletedBranch.repository_id == repository_id, DeletedBranch.deleted_at > work.now() - kept_for)
    total = work.session.scalar(select(func.count(DeletedBranch.id)).where(*wanted)) or 0
    rows = work.session.execute(
        select(DeletedBranch, User.name)
        .outerjoin(User, User.id == DeletedBranch.deleted_by_id)
        .where(*wanted)
        .order_by(DeletedBranch.id.desc())
        .offset(page.offset)
        .limit(page.per)
    )
    found = [
        DeletedView(row.uuid, row.name, row.commit_id, name or "", row.deleted_at, row.deleted_at + kept_for)
        for row, name in rows
    ]
    return Page(found, total)


def read_commits(context: Context, repository: Shown, branches: Sequence[DeletedView]) -> dict[str, Commit]:
    """The last commits of deleted branches, by their ids, as far as they are there."""
    path = repository_path(context.settings, repository)
    return {commit.id: commit for commit in offload(find_commits, path, [branch.commit_id for branch in branches])}


def restore_branch(
    context: Context, *, actor: Actor, repository_id: int, uuid: str, name: str = "", via: str = "api"
) -> str:
    """The name of a deleted branch that is there again. name: another one; "": the one that it had.

    Raises NotFound (``branch_not_found``: there is none of that uuid, or its time is over), Conflict
    (``branch_exists``), Invalid, and what a push may raise.
    """
    with reading(context) as work:
        repository = get_for(work, actor=actor, action=Action.REPOSITORY_WRITE, repository_id=repository_id)
        found = work.session.scalar(
            select(DeletedBranch).where(
                DeletedBranch.repository_id == repository_id,
                DeletedBranch.uuid == uuid,
                DeletedBranch.deleted_at > work.now() - timedelta(days=KEPT_DAYS),
            )
        )
    if found is None:
        raise NotFound("There is no such deleted branch, or its time is over.", code="branch_not_found")
    ref = branch_ref(name or found.name)
    path = repository_path(context.settings, repository)
    there = offload(list_refs, path)
    if ref in there:
        raise Conflict(
            f"There is a branch {ref.removeprefix('refs/heads/')!r} by now: bring this one back by another name.",
            code="branch_exists",
        )
    # Files that were removed from the history are removed from what is kept, too: then its ref has moved.
    commit_id = there.get(found.kept_ref, found.commit_id)
    change = RefChange(ref, ZERO_OID, commit_id)
    refs.receive(context, actor=actor, repository=repository, changes=[change], via=via)
    # From here on the branch keeps its commits; what a crash leaves is a row too many, until its time is over.
    _forget(context, repository, [found])
    return ref.removeprefix("refs/heads/")


def forget_old(context: Context) -> int:
    """Let the branches go whose time is over; how many. May be repeated, and run beside everything."""
    count = 0
    while True:
        with reading(context) as work:
            before = work.now() - timedelta(days=KEPT_DAYS)
            rows = work.session.execute(
                select(DeletedBranch, Repository)
                .join(Repository, Repository.id == DeletedBranch.repository_id)
                .where(DeletedBranch.deleted_at <= before, is_live())
                .order_by(DeletedBranch.id)
                .limit(_AT_ONCE)
            ).all()
        by_repository: dict[int, tuple[Repository, list[DeletedBranch]]] = {}
        for branch, repository in rows:
            by_repository.setdefault(repository.id, (repository, []))[1].append(branch)
        for repository, branches in by_repository.values():
            _forget(context, repository, branches)
            count += len(branches)
        if len(rows) < _AT_ONCE:
            return count


def _forget(context: Context, repository: Repository, branches: Sequence[DeletedBranch]) -> None:
    path = repository_path(context.settings, repository)
    # The row first: a ref that is left over costs a little room, a row without its commits promises what is not there.
    with unit_of_work(context) as work:
        statement = delete(DeletedBranch).where(DeletedBranch.id.in_([branch.id for branch in branches]))
        work.session.execute(statement.execution_options(synchronize_session=False))
    try:
        there = offload(list_refs, path, prefix=KEPT_REFS)
        kept = {branch.kept_ref: there[branch.kept_ref] for branch in branches if branch.kept_ref in there}
        update_refs(path, [RefChange(ref, oid, ZERO_OID) for ref, oid in kept.items()])
    except (HubError, OSError) as error:
        log.warning("kept_refs_not_removed", repository_id=repository.id, reason=repr(error))


def install(context: Context) -> None:
    """Register the daily job, before the night's upkeep; done once, by ``build_context``."""
    register(context, JobSpec("repos.forget_branches", "hub.repos.deleted_branches:forget", timeout_s=3600))
    register_schedule(context, Schedule("repos.forget_branches", "25 2 * * *", "repos.forget_branches"))


def forget(run: JobRun) -> None:
    """Let deleted branches go whose time is over; see ``forget_old``."""
    run.log(f"Let {forget_old(run.context)} deleted branches go.")
