"""Which of a repository's large files its commits name: looked up by a job, listed, and the others let go.

A look writes ``LFSUse`` rows. What no commit names has none; it is let go when it has been there for a day, as clients
send contents before the commits that name them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, func, insert, or_, select

from hub.accounts.policy import Action, Actor
from hub.base.context import Context
from hub.base.errors import Conflict, Invalid
from hub.base.log import get_logger
from hub.base.offload import offload
from hub.base.paging import Page, PageArgs
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.git.largefiles import Named, survey
from hub.git.repository import list_refs
from hub.repos.checks import BRANCHES, TAGS
from hub.repos.lfs.holdings import unlink_objects
from hub.repos.lookup import get_for, lock_row, repository_path
from hub.repos.models import LFSLink, LFSObject, LFSProposal, Push, PushState, Repository
from hub.repos.models_upkeep import LFSUse
from hub.repos.reports import SURVEY, keep_report

log = get_logger(__name__)

GRACE = timedelta(days=1)
SORTS = ("size", "path", "used", "refs", "since")
_AT_ONCE = 1000


@dataclass(frozen=True)
class HeldFile:
    """An object that a repository holds, and what its commits say of it.

    path, used_at: None when no commit names it, or none did at the last look. refs: branches and tags that have it.
    """

    oid: str
    size_bytes: int
    held_at: datetime
    path: str | None
    refs: int
    used_at: datetime | None


def list_files(
    work: UnitOfWork,
    *,
    actor: Actor,
    repository_id: int,
    unnamed: bool = False,
    sort: str = "",
    page: PageArgs | None = None,
) -> Page[HeldFile]:
    """A page of what the repository holds, the largest first. For those who administer it. Two queries.

    unnamed: only what no commit names. sort: one of ``SORTS``. Raises NotFound, NotSignedIn, Denied; Invalid.
    """
    get_for(work, actor=actor, action=Action.REPOSITORY_ADMIN, repository_id=repository_id)
    if sort and sort not in SORTS:
        raise Invalid(f"Sort by one of: {', '.join(SORTS)}.", code="sort_invalid")
    page = page or PageArgs()
    orders: dict[str, Any] = {
        "size": LFSObject.size_bytes.desc(),
        "path": LFSUse.path,
        "used": LFSUse.used_at.desc().nulls_last(),
        "refs": func.coalesce(LFSUse.refs, 0).desc(),
        "since": LFSLink.created_at.desc(),
    }
    held = (
        select(LFSLink.oid, LFSObject.size_bytes, LFSLink.created_at, LFSUse.path, LFSUse.refs, LFSUse.used_at)
        .join(LFSObject, LFSObject.oid == LFSLink.oid)
        .outerjoin(LFSUse, _is_use_of_link())
        .where(LFSLink.repository_id == repository_id)
    )
    total = select(func.count()).select_from(LFSLink).where(LFSLink.repository_id == repository_id)
    if unnamed:
        held = held.where(LFSUse.oid.is_(None))
        total = total.outerjoin(LFSUse, _is_use_of_link()).where(LFSUse.oid.is_(None))
    rows = work.session.execute(
        held.order_by(orders[sort or "size"], LFSLink.oid).offset(page.offset).limit(page.per)
    ).all()
    files = [HeldFile(oid, size, since, path, refs or 0, used) for oid, size, since, path, refs, used in rows]
    return Page(files, work.session.scalar(total) or 0)


def _is_use_of_link() -> ColumnElement[bool]:
    return (LFSUse.repository_id == LFSLink.repository_id) & (LFSUse.oid == LFSLink.oid)


@dataclass(frozen=True)
class Looked:
    """A look at all commits. last_push_id: of the pushes that were recorded when it began."""

    named: dict[str, Named]
    last_push_id: int


def look(context: Context, repository: Repository, *, tell: Callable[[int], None]) -> Looked:
    """Which objects the repository's commits name, those of pull requests and deleted branches included."""
    with reading(context) as work:
        last = work.session.scalar(select(func.max(Push.id)).where(Push.repository_id == repository.id)) or 0
    path = repository_path(context.settings, repository)
    found = offload(list_refs, path)
    counted = {ref: oid for ref, oid in found.items() if ref.startswith((BRANCHES, TAGS))}
    others = {ref: oid for ref, oid in found.items() if ref not in counted}
    return Looked(offload(survey, path, counted=counted, others=others, tell=tell), last)


def note(work: UnitOfWork, repository_id: int, named: dict[str, Named]) -> dict[str, Any]:
    """Write a look down; what is told of it: counts and bytes of what is held, and of what no commit names."""
    work.session.execute(delete(LFSUse).where(LFSUse.repository_id == repository_id))
    rows = [
        {"repository_id": repository_id, "oid": oid, "path": one.path, "refs": one.refs, "used_at": one.used_at}
        for oid, one in named.items()
    ]
    for start in range(0, len(rows), _AT_ONCE):
        work.session.execute(insert(LFSUse), rows[start : start + _AT_ONCE])
    of_repository = (
        select(func.count(), func.coalesce(func.sum(LFSObject.size_bytes), 0))
        .select_from(LFSLink)
        .join(LFSObject, LFSObject.oid == LFSLink.oid)
        .where(LFSLink.repository_id == repository_id)
    )
    objects, size_bytes = work.session.execute(of_repository).one()
    unnamed, unnamed_bytes = work.session.execute(
        of_repository.outerjoin(LFSUse, _is_use_of_link()).where(LFSUse.oid.is_(None))
    ).one()
    told = {
        "objects": objects,
        "size_bytes": int(size_bytes),
        "unnamed": unnamed,
        "unnamed_bytes": int(unnamed_bytes),
    }
    keep_report(work, repository_id, SURVEY, told)
    return told


def let_go_unnamed(context: Context, *, repository_id: int, looked: Looked) -> tuple[int, int]:
    """Let go what no commit named and what is older than a day; how many objects, and their bytes.

    The repository's size says so at once. Raises Conflict (``pushed_meanwhile``) when something was pushed since the
    look: look again.
    """
    with unit_of_work(context) as work:
        lock_row(work, repository_id)
        newer = or_(Push.id > looked.last_push_id, Push.state == PushState.PENDING)
        if work.session.scalar(select(func.count(Push.id)).where(Push.repository_id == repository_id, newer)):
            raise Conflict("Something was pushed meanwhile.", code="pushed_meanwhile")
        proposed = select(LFSProposal.oid).where(LFSProposal.repository_id == repository_id)
        old = work.session.execute(
            select(LFSLink.oid, LFSObject.size_bytes)
            .join(LFSObject, LFSObject.oid == LFSLink.oid)
            .where(
                LFSLink.repository_id == repository_id,
                LFSLink.created_at < work.now() - GRACE,
                LFSLink.oid.not_in(proposed),
            )
        )
        gone = {oid: size_bytes for oid, size_bytes in old if oid not in looked.named}
        count = unlink_objects(work, repository_id, [*gone])
        note(work, repository_id, looked.named)
    log.info("unnamed_objects_let_go", repository_id=repository_id, count=count)
    return count, sum(gone.values())
