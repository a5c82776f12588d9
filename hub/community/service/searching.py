"""Discussions and pull requests in the search, found by their titles."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from sqlalchemy import Integer, Select, bindparam, func, select

from hub.accounts.models import Namespace, User
from hub.accounts.policy import Actor
from hub.base.context import Context
from hub.base.paging import Page, PageArgs
from hub.community.models import Discussion
from hub.db.engine import PLANNED_EACH_TIME
from hub.db.shapes import Shape, shape_of
from hub.db.uow import UnitOfWork
from hub.repos.finding import Hit, Provider, Wanted, add_provider
from hub.repos.kinds import KINDS
from hub.repos.lookup import may_read
from hub.repos.models import Repository
from hub.repos.searching import literal_pattern
from hub.repos.service import is_live

# So many are looked at, the newest first.
MAX_LOOKED_AT = 1_000


def install(context: Context) -> None:
    """Let the search find discussions; done once, by ``build_context``."""
    add_provider(context, Provider("discussions", "Discussions", find_discussions))


def find_discussions(work: UnitOfWork, actor: Actor, wanted: Wanted, page: PageArgs) -> Page[Hit]:
    """Discussions and pull requests with all the words in their titles, what was last active first. One query.

    Of more than ``MAX_LOOKED_AT`` the newest are looked at, and the total is an estimate.
    """
    if not wanted.words:
        return Page((), 0)
    title = func.lower(Discussion.title)
    shape, values = shape_of(
        [
            may_read(actor),
            Repository.kind.in_([*work.context[KINDS]]),
            *(title.like(f"%{literal_pattern(word)}%", escape="\\") for word in wanted.words),
            *(title.not_like(f"%{literal_pattern(word)}%", escape="\\") for word in wanted.refused),
            *([Namespace.path_key.in_(wanted.owners)] if wanted.owners else ()),
        ]
    )
    rows = work.rows(_statement(shape), values | {"offset": page.offset, "per": page.per})
    total = rows[0].total if rows else 0
    return Page([_hit_of(row) for row in rows], total, total > MAX_LOOKED_AT)


# Of searches that differ in the values only, the statement is built once.
@lru_cache(maxsize=200)
def _statement(shape: Shape) -> Select[Any]:
    inner = (
        select(Discussion.id, Discussion.title, Discussion.number, Discussion.status, Discussion.updated_at)
        .add_columns(Discussion.user_id, Repository.kind, Repository.name, Namespace.path.label("owner"))
        .join(Repository, Repository.id == Discussion.repository_id)
        .join(Namespace, Namespace.id == Repository.namespace_id)
        .where(is_live(), shape.condition())
        .order_by(Discussion.id.desc())
        .limit(MAX_LOOKED_AT + 1)
        .subquery()
    )
    return (
        select(*inner.c, User.name.label("author"), func.count().over().label("total"))
        .outerjoin(User, User.id == inner.c.user_id)
        .order_by(inner.c.updated_at.desc(), inner.c.id.desc())
        .offset(bindparam("offset", type_=Integer))
        .limit(bindparam("per", type_=Integer))
        .execution_options(**{PLANNED_EACH_TIME: True})
    )


def _hit_of(row: Any) -> Hit:
    return Hit(
        id=row.id,
        title=row.title,
        kind=row.kind,
        path=f"{row.owner}/{row.name}",
        number=row.number,
        state=row.status.value,
        author=row.author or "",
        updated_at=row.updated_at,
    )
