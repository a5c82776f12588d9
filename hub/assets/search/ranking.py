"""How one kind's repositories are ranked: by the tier that finds them, then by what is trending.

What few repositories hold is looked through whole, so that one statement gives the order and the number. Of what many
hold the first ones are read: tier after tier, each in the order of an index, until there are enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    bindparam,
    case,
    false,
    func,
    inspect,
    literal_column,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.orm import aliased
from sqlalchemy.sql.util import ClauseAdapter

from hub.assets.search.choices import Narrowing
from hub.db.engine import PLANNED_EACH_TIME
from hub.db.shapes import Shape, shape_of
from hub.db.totals import COUNT_LIMIT
from hub.db.uow import UnitOfWork
from hub.repos.models import Repository
from hub.repos.service.listing import SORTS

_MAX_SHAPES = 500
# Who asks for more of many than this is better served by looking for all of them.
_MAX_IN_ORDER = 100

# What a tier's number says of where the words were found.
NAME, TEXT, CARD = "name", "text", "card"


@dataclass(frozen=True)
class Tiers:
    """What must hold of all that is found, and the ways to be found, the best first.

    seen: who asks may see it. narrowings: of the filters. names: by the name; the first ones of them are likely to be
    enough. others: by what is said, and by the card. Empty: by the filters alone.
    """

    seen: Sequence[ColumnElement[bool]]
    narrowings: Sequence[Narrowing] = ()
    names: Sequence[ColumnElement[bool]] = ()
    first: int = 0
    others: Sequence[tuple[str, ColumnElement[bool]]] = ()

    @property
    def common(self) -> list[ColumnElement[bool]]:
        """What must hold of all that is found."""
        return [*self.seen, *(narrowing.by_index for narrowing in self.narrowings)]

    @property
    def ways(self) -> Sequence[tuple[str, ColumnElement[bool]]]:
        """The ways that find all; what names have is part of what is said."""
        return self.others or [(TEXT, true())]


@dataclass(frozen=True)
class Hit:
    """A repository that was found. match: where."""

    id: int
    kind: str
    match: str


def order_of(sort: str) -> tuple[Sequence[Any], list[ColumnElement[Any]]]:
    """How a list is sorted, and the columns that it is sorted by with their names in a subquery."""
    order = SORTS[sort]
    return order, [expression.element.label(f"by_{at}") for at, expression in enumerate(order)]


def look_through(work: UnitOfWork, tiers: Tiers, *, kind: str, way: int, most: int) -> tuple[list[Hit], int]:
    """The first ones that one of the ways finds and none before it, and how many it finds: up to one over the limit.

    Where the count is over ``COUNT_LIMIT``, names may be missing among the first ones. One query.
    """
    common, values = shape_of(tiers.common, "c")
    ways = []
    for at, (_match, condition) in enumerate(tiers.ways[: way + 1]):
        shape, more = shape_of([condition], f"w{at}_")
        ways.append(shape)
        values |= more
    names, more = _names_of(tiers if way == 0 else None)
    values |= more | {"most": most, "bound": COUNT_LIMIT + 1}
    rows = work.rows(_whole_statement(common, tuple(ways), names, kind), values)
    match = tiers.ways[way][0]
    hits = [Hit(id, kind, NAME if tier < len(names) else match) for tier, id, _count in rows]
    return hits, rows[0][2] if rows else 0


def _names_of(tiers: Tiers | None) -> tuple[tuple[Shape, ...], dict[str, Any]]:
    shapes: list[Shape] = []
    values: dict[str, Any] = {}
    for at, condition in enumerate(tiers.names if tiers else ()):
        shape, more = shape_of([condition], f"n{at}_")
        shapes.append(shape)
        values |= more
    return tuple(shapes), values


@lru_cache(maxsize=_MAX_SHAPES)
def _whole_statement(common: Shape, ways: tuple[Shape, ...], names: tuple[Shape, ...], kind: str) -> Any:
    order, columns = order_of("trending")
    tier: ColumnElement[int] = _number(len(names))
    if names:
        tier = case(*((name.condition(f"n{at}_"), _number(at)) for at, name in enumerate(names)), else_=tier)
    *before, last = [way.condition(f"w{at}_") for at, way in enumerate(ways)]
    inner = (
        select(tier.label("tier"), Repository.id, *columns)
        .where(common.condition("c"), Repository.kind == kind, last, *(~condition for condition in before))
        # In this order a common word is soon met often enough.
        .order_by(*order)
        .limit(bindparam("bound", type_=Integer))
        .subquery()
    )
    whole = select(inner.c.tier, inner.c.id, func.count().over())
    whole = whole.order_by(inner.c.tier, *(inner.c[column.name].desc() for column in columns))
    return whole.limit(bindparam("most", type_=Integer)).execution_options(**{PLANNED_EACH_TIME: True})


def _number(number: int) -> ColumnElement[int]:
    # Of our own, which need not be values of the statement.
    return literal_column(str(number), Integer)


def first_of_many(work: UnitOfWork, tiers: Tiers, *, kind: str, most: int) -> list[Hit]:
    """The first ones by name and by what is said, where many are found. One query."""
    names, values = _names_of(tiers)
    match, condition = tiers.ways[0]
    way, more = shape_of([condition], "w0_")
    values |= more | {"most": most}
    masks = [narrowing.bits for narrowing in tiers.narrowings if narrowing.bits]
    if masks and most <= _MAX_IN_ORDER:
        seen, more = shape_of(tiers.seen, "s")
        narrowed, others = shape_of([narrowing.by_row for narrowing in tiers.narrowings], "c")
        values |= more | others | {f"bits_{at}": mask for at, mask in enumerate(masks)}
        statement = _ahead_statement(seen, len(masks), narrowed, names, way, kind)
    else:
        common, more = shape_of(tiers.common, "c")
        values |= more
        statement = _tiers_statement(common, names, way, kind)
    rows = sorted(work.rows(statement, values), key=lambda row: row[0])
    return [Hit(id, kind, NAME if tier < len(names) else match) for tier, id, *_ in rows]


@lru_cache(maxsize=_MAX_SHAPES)
def _tiers_statement(common: Shape, names: tuple[Shape, ...], way: Shape, kind: str) -> Any:
    base = select(Repository.id).where(common.condition("c"), Repository.kind == kind)
    conditions = [*(name.condition(f"n{at}_") for at, name in enumerate(names)), way.condition("w0_")]
    arms = [base.where(condition) for condition in _apart(conditions)]
    return _one_after_another([arm.order_by(*SORTS["trending"]) for arm in arms])


# The repositories once more, of which only what the index of trending ones holds is asked.
_AHEAD = aliased(Repository, name="ahead")
_BITS_AHEAD = literal_column("ahead.label_bits", BigInteger)


@lru_cache(maxsize=_MAX_SHAPES)
def _ahead_statement(seen: Shape, masks: int, narrowed: Shape, names: tuple[Shape, ...], way: Shape, kind: str) -> Any:
    """As ``_tiers_statement``: that index alone tells most rows apart, the others are looked at one by one."""
    adapter = ClauseAdapter(inspect(_AHEAD).selectable)
    order = [adapter.traverse(one) for one in SORTS["trending"]]
    base = (
        select(_AHEAD.id)
        # The sum keeps PostgreSQL from seeing that this is one row, of which it would read all at once.
        .join(Repository, Repository.id == _AHEAD.id + literal_column("0"))
        .where(adapter.traverse(seen.condition("s")), _AHEAD.kind == kind, narrowed.condition("c"))
        .where(*(_BITS_AHEAD.op("&")(bindparam(f"bits_{at}", type_=BigInteger)) > _number(0) for at in range(masks)))
    )
    conditions = [adapter.traverse(name.condition(f"n{at}_")) for at, name in enumerate(names)]
    arms = [base.where(condition) for condition in _apart([*conditions, way.condition("w0_")])]
    return _one_after_another([arm.order_by(*order) for arm in arms])


def _apart(conditions: Sequence[ColumnElement[bool]]) -> list[ColumnElement[bool]]:
    """Of conditions each without what one before it finds."""
    return [
        condition & ~func.coalesce(or_(*conditions[:at]), false()) if at else condition
        for at, condition in enumerate(conditions)
    ]


def _one_after_another(arms: Sequence[Select[Any]]) -> Any:
    """The first ``most`` of all arms: both databases begin with one when those before it have not given enough."""
    most = bindparam("most", type_=Integer)
    numbered = [arm.add_columns(_number(at).label("tier")).limit(most).subquery() for at, arm in enumerate(arms)]
    every = union_all(*(select(arm.c.tier, arm.c.id) for arm in numbered)).subquery()
    return select(every.c.tier, every.c.id).limit(most).execution_options(**{PLANNED_EACH_TIME: True})
