"""Watched repositories: how much of what happens in one a person wants to be told.

``all``: of everything that is said and proposed in it. ``participating``, which nobody needs to say: of what they take
part in (``service.people``). ``ignore``: of nothing in it, not even where they are named, as on other forges. What
somebody said about a single discussion is stronger than any of these.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import delete, func, select, update

from hub.accounts.policy import Action, Actor, require
from hub.accounts.service import get_own_user
from hub.base.paging import Page, PageArgs
from hub.community.models_people import RepositoryWatch
from hub.community.service.discussions import count_of
from hub.db.insert import insert_new
from hub.db.uow import UnitOfWork
from hub.repos.lookup import is_live, may_read
from hub.repos.models import Repository
from hub.repos.service import list_by_ids


class Level(StrEnum):
    """How much one is told of a repository."""

    ALL = "all"
    PARTICIPATING = "participating"
    IGNORE = "ignore"


@dataclass(frozen=True)
class Watched:
    """A repository about which somebody said how much they want to be told."""

    repository: Repository
    level: Level


def find_level(work: UnitOfWork, *, actor: Actor, repository_id: int) -> Level:
    """How much the actor is told of a repository. One query; of nobody, none."""
    if actor.user_id is None:
        return Level.PARTICIPATING
    row = work.session.scalar(
        select(RepositoryWatch.level).where(
            RepositoryWatch.repository_id == repository_id, RepositoryWatch.user_id == actor.user_id
        )
    )
    return Level(row) if row else Level.PARTICIPATING


def set_level(work: UnitOfWork, *, actor: Actor, repository: Repository, level: Level) -> None:
    """Say how much one wants to be told of a repository that one may read; may be repeated.

    Raises NotFound, NotSignedIn, Denied.
    """
    user = get_own_user(work, actor=actor)
    require(work, actor, Action.REPOSITORY_READ, repository)
    require(work, actor, Action.ACCOUNT_WRITE, user, what="user")
    own = (RepositoryWatch.repository_id == repository.id, RepositoryWatch.user_id == user.id)
    if level == Level.PARTICIPATING:
        count_of(work, delete(RepositoryWatch).where(*own))
        return
    row = {"repository_id": repository.id, "user_id": user.id, "level": level.value, "created_at": work.now()}
    if not insert_new(work.session, RepositoryWatch, [row]):
        count_of(work, update(RepositoryWatch).where(*own).values(level=level.value))


def count_watchers(work: UnitOfWork, *, repository_id: int) -> int:
    """How many are told of everything in a repository."""
    of_it = (RepositoryWatch.repository_id == repository_id, RepositoryWatch.level == Level.ALL)
    return work.session.scalar(select(func.count()).where(*of_it)) or 0


def list_watched(work: UnitOfWork, *, actor: Actor, page: PageArgs) -> Page[Watched]:
    """The repositories about which the actor said something, those said last first, as far as they may be read still.

    Raises NotSignedIn, Denied.
    """
    user = get_own_user(work, actor=actor)
    require(work, actor, Action.ACCOUNT_READ, user, what="user")
    query = (
        select(RepositoryWatch.repository_id, RepositoryWatch.level)
        .join(Repository, Repository.id == RepositoryWatch.repository_id)
        .where(RepositoryWatch.user_id == user.id, is_live(), may_read(actor))
    )
    total = work.session.scalar(query.with_only_columns(func.count())) or 0
    order = (RepositoryWatch.created_at.desc(), RepositoryWatch.repository_id.desc())
    rows = work.session.execute(query.order_by(*order).offset(page.offset).limit(page.per)).all()
    readable = list_by_ids(work, actor=actor, ids=[row.repository_id for row in rows])
    by_id = {repository.id: repository for repository in readable}
    found = [Watched(by_id[id], Level(level)) for id, level in rows if id in by_id]
    return Page(found, total)
