"""Finding repositories: by name first, then by what is said of them, then by what their cards say.

Each of these is a tier with a query of its own that reads as many rows as the page needs, the best first: however many
a common word finds, few are read. What several tiers find stands where the first puts it.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Integer, Select, and_, bindparam, func, literal_column, or_, select
from sqlalchemy import union_all as all_of
from sqlalchemy.dialects.postgresql import ARRAY

from hub.accounts.models import Namespace
from hub.accounts.policy import Actor
from hub.assets.models_search import SearchCard
from hub.assets.search.choices import Narrowing
from hub.assets.search.filters import may_read_content
from hub.assets.search.fulltext import card_holds, has_full_text
from hub.assets.search.grammar import Query
from hub.assets.search.ranking import CARD, NAME, TEXT, Hit, Tiers, first_of_many, look_through, order_of
from hub.assets.search.words import Row, row_of
from hub.assets.service.modelmetadata import ALSO
from hub.base.errors import Invalid
from hub.base.paging import PageArgs
from hub.db.engine import DATABASE, PLANNED_EACH_TIME
from hub.db.shapes import Shape, shape_of
from hub.db.totals import COUNT_LIMIT, ESTIMATE_TTL_S, MAX_ESTIMATES, total_of
from hub.db.uow import UnitOfWork
from hub.repos.lookup import is_live, may_read
from hub.repos.models import Repository
from hub.repos.rows import ROWS, RepositoryRow, read_rows
from hub.repos.searching import has_word, literal_pattern
from hub.repos.service.listing import FORWARDS
from hub.repos.service.listing import SORTS as LIST_SORTS

# By how well it fits; of what fits equally, what is trending first.
RELEVANCE = "relevance"
# Those that are found in several ways are put together with the greatest first.
SORTS = (RELEVANCE, *(name for name in LIST_SORTS if name not in FORWARDS))
# What comes after is reached by narrowing the search.
MAX_REACHED = 1_000
# What else is kept of a search beside its total: that by what is said alone more than the limit are found.
_MANY = "many"
# Of a kind among others, it is counted so far.
BRIEF_COUNT_LIMIT = 50
_MAX_SHAPES = 500


@dataclass(frozen=True)
class Found:
    """A page. matches: by the repository's id, where its words were found. total: of all pages."""

    rows: Sequence[RepositoryRow]
    total: int
    is_estimate: bool = False
    matches: Mapping[int, str] = field(default_factory=dict)


def tiers_of(
    work: UnitOfWork, actor: Actor, query: Query, narrowings: Sequence[Narrowing], *, with_cards: bool = True
) -> Tiers:
    """How a query finds repositories. narrowings: of its filters."""
    words = [term.text.lower() for term in query.words]
    seen = [_LIVE, may_read(actor)]
    refused = [Narrowing.of(~has_word(term.text.lower())) for term in query.refused]
    if not words:
        return Tiers(seen, [*narrowings, *refused])
    names, said = _by_name(tuple(words)), _by_text(tuple(words))
    # What names have is part of what is said; but for a row of words, which names write without spaces.
    others = [(TEXT, or_(said, *names) if any(" " in word for word in words) else said)]
    card = _in_card(work, actor, query) if with_cards else None
    if card is not None:
        others.append((CARD, card))
    # Where filters, or a name of several parts, make each tier costly, what is called so, or begins so, may be enough.
    is_costly = bool(narrowings) or len(words) > 1 or "-" in words[0]
    return Tiers(seen, [*narrowings, *refused], names, 2 if is_costly else len(names), others)


# Built once: what is searched for is searched for again, and to build it takes longer than to find it.
_LIVE = is_live()


@lru_cache(maxsize=_MAX_SHAPES)
def _by_text(words: tuple[str, ...]) -> ColumnElement[bool]:
    return and_(*(has_word(word) for word in words))


@lru_cache(maxsize=_MAX_SHAPES)
def _by_name(words: tuple[str, ...]) -> list[ColumnElement[bool]]:
    """Exactly the name; its beginning; every word in it. None where no name can be so."""
    if not all(word.isascii() for word in words):
        return []
    if len(words) == 1 and words[0].count("/") == 1:
        owner, name = words[0].split("/")
        is_owned = Repository.namespace_id == select(Namespace.id).where(Namespace.path_key == owner).scalar_subquery()
        return [is_owned & (Repository.name_key == name), is_owned & _begins(name)] if owner and name else []
    spelled = list(dict.fromkeys(sign.join(" ".join(words).split()) for sign in ("-", "_", ".", "")))
    exact = Repository.name_key == spelled[0] if len(spelled) == 1 else Repository.name_key.in_(spelled)
    return [exact, or_(*map(_begins, spelled[:2])), and_(*(has_word(word, in_name=True) for word in words))]


def _begins(name: str) -> ColumnElement[bool]:
    return Repository.name_key.like(f"{literal_pattern(name)}%", escape="\\")


def _in_card(work: UnitOfWork, actor: Actor, query: Query) -> ColumnElement[bool] | None:
    if not has_full_text(work.context):
        return None
    rows = [row_of(term.text, is_phrase=term.is_phrase) for term in query.words]
    refused = [row_of(term.text, is_phrase=True, is_negated=True) for term in query.refused]
    asked = [row for row in rows if row is not None]
    if len(asked) < len(rows):
        # One of the words has neither letter nor digit.
        return None
    asked += [row for row in refused if row is not None]
    return _has_such_card(actor, tuple(asked), work.context[DATABASE].is_sqlite)


@lru_cache(maxsize=_MAX_SHAPES)
def _has_such_card(actor: Actor, asked: tuple[Row, ...], is_sqlite: bool) -> ColumnElement[bool]:
    holding = select(SearchCard.repository_id).where(card_holds(asked, for_sqlite=is_sqlite))
    return and_(Repository.id.in_(holding), may_read_content(actor))


def find_repositories(work: UnitOfWork, tiers: Tiers, *, kind: str, sort: str = RELEVANCE, page: PageArgs) -> Found:
    """A page of what the tiers find of a kind. Six queries at most, whatever they find.

    Raises Invalid (``REQ-ERR-6``) for an unknown sort, and for a page beyond ``MAX_REACHED``.
    """
    check_page(sort, page)
    last = page.offset + page.per
    if sort == RELEVANCE:
        found, total, is_estimate = _most_relevant(work, tiers, kind, page)
    else:
        found = _ranked(work, tiers, kinds=(kind,), sort=sort, most=last)
        total, is_estimate = _count(work, tiers, kind, page, len(found[page.offset :]))
    hits = found[page.offset : last]
    rows = _rows_of(work, [hit.id for hit in hits])
    # What went meanwhile is left out.
    return Found(
        [rows[hit.id] for hit in hits if hit.id in rows],
        max(total, len(found)),
        is_estimate,
        {hit.id: hit.match for hit in hits},
    )


def _most_relevant(work: UnitOfWork, tiers: Tiers, kind: str, page: PageArgs) -> tuple[list[Hit], int, bool]:
    """The first hits up to the page's last, how many there are, and whether that is estimated. Four queries at most."""
    most = page.offset + page.per
    estimates, key = work.context[DATABASE].estimates, _key_of(tiers, kind)
    # Of the words that many have: the total, as far as it is known, is one of more than the limit.
    total, good_until = estimates.get(key, (0, 0.0))
    is_estimate = time.monotonic() <= good_until
    is_many = is_estimate and time.monotonic() <= estimates.get((key, _MANY), (0, 0.0))[1]
    hits: list[Hit] = []
    counted = 0
    for way in range(len(tiers.ways)):
        if is_many and way == 0:
            hits = first_of_many(work, tiers, kind=kind, most=most)
            counted = COUNT_LIMIT + 1
        else:
            found, count = look_through(work, tiers, kind=kind, way=way, most=max(most - len(hits), 1))
            counted += count
            if way == 0 and count > COUNT_LIMIT:
                is_many = True
                found = first_of_many(work, tiers, kind=kind, most=most)
            hits += found
        if counted > COUNT_LIMIT or (is_estimate and len(hits) >= most):
            break
    if not is_estimate and counted <= COUNT_LIMIT:
        return hits[:most], counted, False
    if not is_estimate:
        total = _estimate(work, tiers, kind, key, counted, is_many=is_many)
    return hits[:most], max(total, len(hits)), True


def check_page(sort: str, page: PageArgs) -> None:
    """Return when such a page can be asked for. Raises Invalid (``REQ-ERR-6``)."""
    if sort not in SORTS:
        raise Invalid(f"'sort' must be one of {', '.join(SORTS)}.", code="REQ-ERR-6", query="sort", allowed=[*SORTS])
    if page.offset + page.per > MAX_REACHED:
        reason = f"Only the first {MAX_REACHED} results can be shown; narrow the search instead."
        raise Invalid(reason, code="REQ-ERR-6", query="page")


def find_of_each_kind(
    work: UnitOfWork, tiers: Tiers, *, kinds: Sequence[str], most: int, with_counts: bool = True
) -> dict[str, Found]:
    """For each kind the first ``most``; with how many there are, up to ``BRIEF_COUNT_LIMIT``. Seven queries at most."""
    if not kinds:
        return {}
    hits = _ranked(work, tiers, kinds=tuple(kinds), sort=RELEVANCE, most=most, of_each=True)
    rows = _rows_of(work, [hit.id for hit in hits])
    # Of those with less on the page than it may have all were found.
    of_kinds = Counter(hit.kind for hit in hits)
    full = tuple(kind for kind in kinds if of_kinds[kind] >= most)
    counts = _count_each(work, tiers, full) if with_counts and full else {}
    found: dict[str, Found] = {}
    for kind in kinds:
        own = [hit for hit in hits if hit.kind == kind and hit.id in rows]
        total = max(counts.get(kind, 0), len(own))
        is_estimate = total > BRIEF_COUNT_LIMIT or (not with_counts and len(own) == most)
        matches = {hit.id: hit.match for hit in own}
        found[kind] = Found([rows[hit.id] for hit in own], total, is_estimate, matches)
    return found


def _ranked(
    work: UnitOfWork, tiers: Tiers, *, kinds: tuple[str, ...], sort: str, most: int, of_each: bool = False
) -> list[Hit]:
    """The first hits in their order; of_each: so many of each kind. Four queries, or one where names are enough."""
    order = "trending" if sort == RELEVANCE else sort
    common, values = shape_of(tiers.common, "c")
    values |= {"most": most}
    hits: dict[int, Hit] = {}
    for group in _groups(tiers, sort):
        shapes = []
        for at, (_match, condition) in enumerate(group):
            shape, more = shape_of([condition], f"t{at}_")
            shapes.append(shape)
            values |= more
        rows = [*work.rows(_tiers_statement(common, tuple(shapes), kinds, order), values)]
        rows.sort(key=lambda row: tuple(row[3:]), reverse=True)
        if sort == RELEVANCE:
            rows.sort(key=lambda row: row[0])
        for tier, id, kind, *_ in rows:
            hits.setdefault(id, Hit(id, kind, group[tier][0]))
        # What is full looks no further.
        counts = Counter(hit.kind for hit in hits.values())
        kinds = tuple(kind for kind in kinds if counts[kind] < most) if of_each else kinds
        if not kinds or (not of_each and len(hits) >= most):
            break
    if not of_each:
        return [*hits.values()][:most]
    of_kinds: dict[str, list[Hit]] = defaultdict(list)
    for hit in hits.values():
        of_kinds[hit.kind].append(hit)
    return [hit for found in of_kinds.values() for hit in found[:most]]


def _groups(tiers: Tiers, sort: str) -> list[list[tuple[str, ColumnElement[bool]]]]:
    """Tiers that are asked for in one query each; a common word finds enough in the first one."""
    if not tiers.others:
        return [[*tiers.ways]]
    if sort != RELEVANCE:
        return [[*tiers.others]]
    names = [(NAME, condition) for condition in tiers.names]
    groups = (names[: tiers.first], names[tiers.first :], *([other] for other in tiers.others))
    return [group for group in groups if group]


@lru_cache(maxsize=_MAX_SHAPES)
def _tiers_statement(common: Shape, tiers: tuple[Shape, ...], kinds: tuple[str, ...], sort: str) -> Any:
    order, columns = order_of(sort)
    most = bindparam("most", type_=Integer)
    arms = []
    for at, tier in enumerate(tiers):
        # Numbers of our own, which need not be values of the statement.
        chosen = select(literal_column(str(at), Integer).label("tier"), Repository.id, Repository.kind)
        chosen = chosen.add_columns(*columns).where(common.condition("c"), tier.condition(f"t{at}_"))
        for kind in kinds:
            arm = chosen.where(Repository.kind == kind).order_by(*order).limit(most)
            arms.append(select(arm.subquery()))
    return all_of(*arms).execution_options(**{PLANNED_EACH_TIME: True})


_BY_IDS = ROWS.add_columns(ALSO).where(Repository.id.in_(bindparam("ids", expanding=True)))
# With one value, whatever their number, PostgreSQL plans it once.
_IDS = bindparam("ids", type_=ARRAY(BigInteger))
_BY_ARRAY = ROWS.add_columns(ALSO).where(Repository.id == func.any(_IDS, type_=BigInteger))


def _rows_of(work: UnitOfWork, ids: Sequence[int]) -> dict[int, RepositoryRow]:
    if not ids:
        return {}
    statement = _BY_IDS if work.context[DATABASE].is_sqlite else _BY_ARRAY
    return {row.id: row for row in read_rows(work, statement, {"ids": [*ids]})}


def _count(work: UnitOfWork, tiers: Tiers, kind: str, page: PageArgs, found: int) -> tuple[int, bool]:
    """As ``total_of``, for all ways to be found together: an estimate serves again for a minute."""
    if found < page.per and (found or page.page == 1):
        return page.offset + found, False
    key = _key_of(tiers, kind)
    value, good_until = work.context[DATABASE].estimates.get(key, (0, 0.0))
    if time.monotonic() > good_until:
        counted, is_over = count_found(work, tiers, [kind])
        if not is_over:
            return counted, False
        value = _estimate(work, tiers, kind, key, counted)
    return max(value, page.offset + found), True


def _key_of(tiers: Tiers, kind: str) -> Hashable:
    common, values = shape_of(tiers.common, "c")
    # What names have is part of what is said.
    shape, more = shape_of([tiers.ways[0][1]], "t0_")
    return ("search", common, shape, kind, repr(sorted((values | more).items())))


def _estimate(work: UnitOfWork, tiers: Tiers, kind: str, key: Hashable, counted: int, *, is_many: bool = False) -> int:
    """How many are found, by the planner; so many were counted. is_many: by what is said alone, which is kept, too."""
    common, values = shape_of(tiers.common, "c")
    shape, more = shape_of([tiers.ways[0][1]], "t0_")
    statement, page = _all_statement(common, shape, kind), PageArgs(per=1)
    value = max(counted, total_of(work, statement, page, 1, values=values | more, limit=0)[0])
    estimates, good_until = work.context[DATABASE].estimates, time.monotonic() + ESTIMATE_TTL_S
    if len(estimates) < MAX_ESTIMATES:
        estimates[key] = (value, good_until)
        if is_many:
            estimates[key, _MANY] = (value, good_until)
    return value


@lru_cache(maxsize=_MAX_SHAPES)
def _all_statement(common: Shape, tier: Shape, kind: str) -> Select[Any]:
    return select(Repository.id).where(common.condition("c"), tier.condition("t0_"), Repository.kind == kind)


def _count_each(
    work: UnitOfWork, tiers: Tiers, kinds: tuple[str, ...], *, limit: int = BRIEF_COUNT_LIMIT
) -> dict[str, int]:
    """How many there are of each kind; of each way to be found one more than the limit at most are looked at.

    Two queries at most: a kind of which enough was found one way is not looked at for the others.
    """
    ways = [condition for _match, condition in tiers.ways]
    common, values = shape_of(tiers.common, "c")
    values |= {"most": limit + 1}
    counts: dict[str, int] = dict.fromkeys(kinds, 0)
    for at, way in enumerate(ways):
        left = tuple(kind for kind in kinds if counts[kind] <= limit)
        if left:
            # What was found one way already is not counted again.
            shape, more = shape_of([way, *(~before for before in ways[:at])], "t0_")
            for kind, count in work.rows(_count_statement(common, shape, left), values | more):
                counts[kind] += count
    return counts


@lru_cache(maxsize=_MAX_SHAPES)
def _count_statement(common: Shape, tier: Shape, kinds: tuple[str, ...]) -> Any:
    most = bindparam("most", type_=Integer)
    arms = [
        select(
            select(Repository.id, Repository.kind)
            .where(common.condition("c"), tier.condition("t0_"), Repository.kind == kind)
            # In this order a common word is soon met often enough, as on a page.
            .order_by(*LIST_SORTS["trending"])
            .limit(most)
            .subquery()
        )
        for kind in kinds
    ]
    ids = (arms[0] if len(arms) == 1 else all_of(*arms)).subquery()
    counted = select(ids.c.kind, func.count()).group_by(ids.c.kind)
    return counted.execution_options(**{PLANNED_EACH_TIME: True})


def count_found(work: UnitOfWork, tiers: Tiers, kinds: Sequence[str]) -> tuple[int, bool]:
    """How many the tiers find, up to about ``COUNT_LIMIT``, and whether there are more. One query."""
    total = sum(_count_each(work, tiers, tuple(kinds), limit=COUNT_LIMIT).values()) if kinds else 0
    return total, total > COUNT_LIMIT
