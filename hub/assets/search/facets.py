"""How many repositories of a list carry each label, under the list's other filters.

Of a category in which labels are chosen already the counts are those without that choice, so that they say what another
choice would bring. Up to ``EXACT_LIMIT`` repositories they are counted; of more a sample is, spread evenly over all in
the order of their making, and the counts are told as estimates.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, or_, select, true

from hub.accounts.policy import Actor
from hub.assets.models import RepositoryTag, Tag
from hub.assets.search.choices import Choice, with_choices
from hub.assets.search.filters import may_read
from hub.assets.service.catalogue import list_categories
from hub.base.errors import Invalid
from hub.base.paging import PageArgs
from hub.db.engine import PLANNED_EACH_TIME
from hub.db.totals import total_of
from hub.db.uow import UnitOfWork
from hub.repos.lookup import is_live
from hub.repos.models import Repository
from hub.repos.searching import matches

EXACT_LIMIT = 3_000
SAMPLE_SIZE = 2_000
# The sample is of so many pieces; within each, neighbours.
_WINDOWS = 40
MAX_CATEGORIES = 12
MAX_VALUES = 200
# What is told of, where nobody says which. Source: web UI contract, section 6.1.
USUAL = ("task", "license", "language", "framework")


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
) -> list[Facet]:
    """The facets of a list of repositories of a kind. where, choices: its filters.

    categories: none for the usual ones and those in which something is chosen. Five queries at most for all categories
    without a choice together, and for each one with a choice. Raises Invalid (``REQ-ERR-6``: too many categories).
    """
    asked = list(dict.fromkeys(categories or (*USUAL, *(category for category, _names in choices))))
    if len(asked) > MAX_CATEGORIES:
        raise Invalid(f"More than {MAX_CATEGORIES} categories at once.", code="REQ-ERR-6", query="categories")
    known = {category.name for category in list_categories(work, scope=kind, is_enabled=True)}
    asked = [category for category in asked if category in known]
    conditions = dict(zip(choices, with_choices(work, scopes=[kind], choices=choices), strict=True))
    base = [is_live(), may_read(actor), Repository.kind == kind, *matches(search), *where]
    chosen: dict[str, set[str]] = defaultdict(set)
    for category, names in choices:
        chosen[category] |= set(names)
    found: dict[str, Facet] = {}
    plain = [category for category in asked if category not in chosen]
    for group in ([plain] if plain else []) + [[category] for category in asked if category in chosen]:
        left = [condition for (category, _names), condition in conditions.items() if [category] != group]
        found |= _count(work, kind, [*base, *left], group, chosen)
    return [found[category] for category in asked]


def _count(
    work: UnitOfWork,
    kind: str,
    conditions: Sequence[ColumnElement[bool]],
    categories: Sequence[str],
    chosen: dict[str, set[str]],
) -> dict[str, Facet]:
    ids = select(Repository.id).where(*conditions)
    total, is_estimate = total_of(work, ids, PageArgs(per=1), 1, limit=EXACT_LIMIT)
    is_sampled = total > EXACT_LIMIT
    sample = ids.where(_is_in_sample(work, total)) if is_sampled else ids
    base = sample.limit(2 * EXACT_LIMIT).cte("base")
    planned = {PLANNED_EACH_TIME: True}
    looked_at = total
    if is_sampled:
        size = select(func.count()).select_from(base).execution_options(**planned)
        looked_at = work.rows(size)[0][0]
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
        .where(Tag.scope == kind, Tag.category.in_(categories))
        .order_by(carried.c.count.desc(), Tag.name)
        .execution_options(**planned)
    )
    share = total / looked_at if is_sampled and looked_at else 1.0
    values: dict[str, list[Value]] = {category: [] for category in categories}
    for category, name, show_name, group, count in work.rows(labels):
        counted = _rounded(count * share) if is_sampled else count
        value = Value(name, show_name or name, group, counted, name in chosen.get(category, ()))
        if len(values[category]) < MAX_VALUES or value.is_chosen:
            values[category].append(value)
    return {
        category: Facet(category, values[category], total, is_estimate or is_sampled, looked_at)
        for category in categories
    }


def _is_in_sample(work: UnitOfWork, total: int) -> ColumnElement[bool]:
    """The condition that a repository's id is in one of some evenly spread ranges, which hold about the sample."""
    last = work.rows(select(func.max(Repository.id)))[0][0] or 0
    share = SAMPLE_SIZE / total
    if share >= 1:
        return true()
    step = last / _WINDOWS
    width = max(int(step * share), 1)
    starts = [int(step * number) + 1 for number in range(_WINDOWS)]
    return or_(*(Repository.id.between(start, start + width - 1) for start in starts))


def _rounded(number: float) -> int:
    """Two digits that mean something: no more is known."""
    whole = round(number)
    digits = len(str(whole)) - 2
    return int(round(whole, -digits)) if digits > 0 else whole
