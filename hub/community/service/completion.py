"""What a text is completed from while it is written: people who may read it, and discussions beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, case, func, or_, select

from hub.accounts.models import Namespace, User
from hub.accounts.policy import Actor
from hub.base.names import fold_name
from hub.base.texts import is_storable
from hub.community.models import Discussion
from hub.community.service.discussions import OPEN
from hub.community.service.people import readers_of
from hub.db.uow import UnitOfWork
from hub.repos.lookup import get_readable
from hub.repos.searching import literal_pattern

MAX_FOUND = 8
MAX_BEGINNING_CHARS = 64
# So many of the newest are looked at for words of their titles.
_LOOKED_AT = 1_000
_LARGEST = 2**31 - 1


class FoundPerson(NamedTuple):
    """Somebody who can be named."""

    name: str
    nickname: str
    avatar: str


class FoundThread(NamedTuple):
    """An issue or pull request that can be named."""

    number: int
    title: str
    is_pull_request: bool


def find_people(work: UnitOfWork, *, actor: Actor, repository_id: int, beginning: str) -> Sequence[FoundPerson]:
    """At most ``MAX_FOUND`` active users who may read a repository and whose names begin so. Raises NotFound."""
    repository = get_readable(work, actor=actor, repository_id=repository_id)
    if not is_storable(beginning) or len(beginning) > MAX_BEGINNING_CHARS:
        return []
    pattern = f"{literal_pattern(fold_name(beginning))}%"
    rows = work.session.execute(
        select(User.name, User.nickname, User.avatar)
        .join(Namespace, Namespace.id == User.namespace_id)
        .where(Namespace.path_key.like(pattern, escape="\\"), User.is_active, readers_of(repository))
        .order_by(Namespace.path_key)
        .limit(MAX_FOUND)
    )
    return [FoundPerson(*row) for row in rows]


def find_threads(work: UnitOfWork, *, actor: Actor, repository_id: int, beginning: str) -> Sequence[FoundThread]:
    """At most ``MAX_FOUND`` of a repository whose number begins so, or whose title has it; open ones first.

    Raises NotFound.
    """
    repository = get_readable(work, actor=actor, repository_id=repository_id)
    beginning = beginning.strip().lower()
    if not is_storable(beginning) or len(beginning) > MAX_BEGINNING_CHARS:
        return []
    here = Discussion.repository_id == repository.id
    if beginning.isascii() and beginning.isdigit():
        wanted = and_(here, _begins_with(int(beginning)))
    else:
        newest = select(Discussion.id).where(here).order_by(Discussion.id.desc()).limit(_LOOKED_AT)
        title = func.lower(Discussion.title).like(f"%{literal_pattern(beginning)}%", escape="\\")
        wanted = and_(Discussion.id.in_(newest), title)
    rows = work.session.execute(
        select(Discussion.number, Discussion.title, Discussion.is_pull_request)
        .where(wanted)
        .order_by(case((Discussion.status.in_(OPEN), 0), else_=1), Discussion.number.desc())
        .limit(MAX_FOUND)
    )
    return [FoundThread(*row) for row in rows]


def _begins_with(digits: int) -> ColumnElement[bool]:
    """That a number is written so, or begins so: as ranges, which the index of numbers knows."""
    ranges, first, last = [], digits, digits
    while 0 < first <= _LARGEST:
        ranges.append(Discussion.number.between(first, min(last, _LARGEST)))
        first, last = first * 10, last * 10 + 9
    return or_(*ranges) if ranges else Discussion.number == 0
