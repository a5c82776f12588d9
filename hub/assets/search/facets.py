"""How many repositories of a list carry each label, under the list's other filters.

Of a category in which labels are chosen already the counts are those without that choice, so that they say what another
choice would bring. Up to ``EXACT_LIMIT`` repositories they are counted; of more a sample is, spread evenly over all in
the order of their making, and the counts are told as estimates.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Executable, Select, bindparam, func, literal, or_, select, union_all

from hub.accounts.policy import Actor
from hub.assets.models import RepositoryTag, Tag, TagCategory
from hub.assets.search.choices import Choice, Chosen, Sample, find_choices
from hub.assets.service.catalogue import MAX_SEARCH_CHARS
from hub.base.errors import Invalid
from hub.base.paging import PageArgs
from hub.db.engine import PLANNED_EACH_TIME
from hub.db.moments import remembered
from hub.db.shapes import Shape, shape_of
from hub.db.totals import total_of
from hub.db.uow import UnitOfWork
from hub.repos.lookup import is_live, may_read
from hub.repos.models import Repository
from hub.repos.searching import matches

EXACT_LIMIT = 1_000
KNOWN_FOR_S = 5.0
SAMPLE_SIZE = 700
# The sample is of so many pieces; within each, neighbours.
_WINDOWS = 20
_FEW = 25_000
_NEIGHBOURS = 512
MAX_CATEGORIES = 12
# Of lists that differ in the values only, the statements are built once.
_MAX_SHAPES = 500
MAX_VALUES = 200
# What is told of, where nobody says which. Source: web UI contract, section 6.1.
USUAL = ("task", "license", "language", "framework")


_CATEGORIES = select(TagCategory.name).where(TagCategory.scope == bindparam("scope"), TagCategory.is_enabled)


@dataclass(frozen=True)
class Value:
    """A label and how many repositories carry it. is_chosen: by the list's filters."""

    name: str
    show_name: str
    group: str
    count: int
    is_chosen: bool


@dataclass(frozen=True)
class Facet:
    """A category's labels, the most carried first. total: of the repositories that were asked about.

    is_estimate: they are too many to count; ``sample_size`` of them were looked at.
    """

    category: str
    values: Sequence[Value]
    total: int
    is_estimate: bool
    sample_size: int


def find_facets(
    work: UnitOfWork,
    *,
    actor: Actor,
    kind: str,
    search: str = "",
    where: Sequence[ColumnElement[bool]] = (),
    choices: Sequence[Choice] = (),
    categories: Sequence[str] = (),
    containing: str = "",
) -> list[Facet]:
    """The facets of a list of repositories of a kind. where, choices: its filters.

    categories: none for the usual ones and those in which something is chosen. Four queries at most for all categories
    without a choice together, and for each one with a choice. containing: only labels whose name has this in it, in any
    case. Raises Invalid (``REQ-ERR-6``: too many categories).

    They may be ``KNOWN_FOR_S`` old.
    """
    asked = list(dict.fromkeys(categories or (*USUAL, *(category for category, _names in choices))))
    if len(asked) > MAX_CATEGORIES:
        raise Invalid(f"More than {MAX_CATEGORIES} categories at once.", code="REQ-ERR-6", query="categories")
    base = [is_live(), may_read(actor), Repository.kind == kind, *matches(search), *where]
    # Who asks is among the values: what one may see is told to nobody else.
    shape, values = shape_of(base)
    chosen = tuple((category, *names) for category, names in choices)
    key = ("facets", kind, shape, repr(values), chosen, *asked, containing)
    return remembered(work, key, lambda: _find_facets(work, kind, base, choices, asked, containing), for_s=KNOWN_FOR_S)


def _find_facets(
    work: UnitOfWork,
    kind: str,
    base: Sequence[ColumnElement[bool]],
    choices: Sequence[Choice],
    asked: Sequence[str],
    containing: str,
) -> list[Facet]:
    known = {name for (name,) in work.rows(_CATEGORIES, {"scope": kind})}
    asked = [category for category in asked if category in known]
    found_choices = [*zip(choices, find_choices(work, scopes=[kind], choices=choices), strict=True)]
    chosen: dict[str, set[str]] = defaultdict(set)
    for category, names in choices:
        chosen[category] |= set(names)
    found: dict[str, Facet] = {}
    plain = [category for category in asked if category not in chosen]
    for group in ([plain] if plain else []) + [[category] for category in asked if category in chosen]:
        left = [labels for (category, _names), labels in found_choices if [category] != group]
        found |= _count(work, kind, base, left, group, chosen, containing)
    return [found[category] for category in asked]


def _count(
    work: UnitOfWork,
    kind: str,
    conditions: Sequence[ColumnElement[bool]],
    labels_asked: Sequence[Chosen],
    categories: Sequence[str],
    chosen: dict[str, set[str]],
    containing: str,
) -> dict[str, Facet]:
    shape, values_asked = shape_of([*conditions, *(labels.condition() for labels in labels_asked)])
    total, is_estimate = total_of(work, _ids_of(shape), PageArgs(per=1), 1, values=values_asked, limit=EXACT_LIMIT)
    is_sampled = total > EXACT_LIMIT
    if is_sampled:
        sample = _sample_of(work, total)
        within = [labels.condition(sample) for labels in labels_asked]
        shape, values_asked = shape_of([*conditions, sample(Repository.id), *within])
    shown = [Tag.scope == kind, Tag.category.in_(categories)]
    if wanted := containing.strip().lower()[:MAX_SEARCH_CHARS]:
        names = (Tag.name, func.lower(Tag.show_name))
        shown.append(or_(*(name.contains(wanted, autoescape=True) for name in names)))
    labels_shape, more = shape_of(shown, prefix="label")
    counting = _counting(shape, labels_shape, 2 * SAMPLE_SIZE if is_sampled else EXACT_LIMIT)
    rows = work.rows(counting, {**values_asked, **more})
    # No label's category is empty.
    looked_at = sum(count for category, *_, count in rows if not category)
    found = sorted((row for row in rows if row[0]), key=lambda row: (-row[4], row[1]))
    share = total / looked_at if is_sampled and looked_at else 1.0
    values: dict[str, list[Value]] = {category: [] for category in categories}
    for category, name, show_name, group, count in found:
        counted = _rounded(count * share) if is_sampled else count
        value = Value(name, show_name or name, group, counted, name in chosen.get(category, ()))
        if len(values[category]) < MAX_VALUES or value.is_chosen:
            values[category].append(value)
    total = total if is_sampled else looked_at
    return {
        category: Facet(category, values[category], total, is_estimate or is_sampled, looked_at)
        for category in categories
    }


@lru_cache(maxsize=_MAX_SHAPES)
def _ids_of(shape: Shape) -> Select[Any]:
    return select(Repository.id).where(shape.condition())


@lru_cache(maxsize=_MAX_SHAPES)
def _counting(shape: Shape, labels_shape: Shape, limit: int) -> Executable:
    """The labels that are carried by repositories of a shape, how often; and how many of these were looked at."""
    base = _ids_of(shape).limit(limit).cte("base")
    # Counted by the labels' ids first: what they are called is asked of these only.
    carried = (
        select(RepositoryTag.tag_id, func.count().label("count"))
        .join(base, base.c.id == RepositoryTag.repository_id)
        .group_by(RepositoryTag.tag_id)
        .subquery()
    )
    labels = (
        select(Tag.category, Tag.name, Tag.show_name, Tag.group, carried.c.count)
        .join(carried, carried.c.tag_id == Tag.id)
        .where(labels_shape.condition("label"))
    )
    size = select(literal(""), literal(""), literal(""), literal(""), func.count()).select_from(base)
    return union_all(labels, size).execution_options(**{PLANNED_EACH_TIME: True})


def _sample_of(work: UnitOfWork, total: int) -> Sample:
    """The condition that an id is in one of some evenly spread ranges, which hold about the sample."""
    if total < _FEW:
        # Few are found faster by the filters than by ranges. As an equation: of those PostgreSQL expects few rows.
        every = max(total // SAMPLE_SIZE, 1)
        return lambda column: (column // _NEIGHBOURS) % every == 0
    last = work.rows(select(func.max(Repository.id)))[0][0] or 0
    step = max(last // _WINDOWS, 1)
    width = max(int(step * SAMPLE_SIZE / total), 1)
    starts = [number * step for number in range(_WINDOWS)]
    return lambda column: or_(*(column.between(start, start + width - 1) for start in starts))


def _rounded(number: float) -> int:
    """Two digits that mean something: no more is known."""
    whole = round(number)
    digits = len(str(whole)) - 2
    return int(round(whole, -digits)) if digits > 0 else whole
