"""The account of calls: single ones, and sums by day, model, key, user or route. Days are of UTC.

Sums of days that have long been over are kept in a table of their own, so that they are read fast, and stay when the
calls themselves are swept away (``sweeping``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    SQLColumnExpression,
    String,
    Subquery,
    and_,
    case,
    cast,
    func,
    or_,
    select,
    true,
    union_all,
)

from hub.plugin import Action, Actor, Context
from hub.plugin.db import Page, PageArgs, UnitOfWork, reading, total_of
from hub.plugin.errors import Invalid, NotFound
from hub.plugin.policy import Namespace, Organization, User, require, require_site_admin
from plugins.inference.models import ApiKey, Call, SpentDay, SpentUntil

# A year and its leap day, in one question.
MAX_DAYS = 366
_EXPORT_AT_ONCE = 1000
EPOCH = date(1970, 1, 1)
STATUSES = ("2xx", "4xx", "5xx")


def find_owner(work: UnitOfWork, *, actor: Actor, uuid: str) -> Namespace:
    """The account (by its namespace's, user's or organisation's UUID) whose spending the actor may see.

    Raises NotFound (``namespace_not_found``), NotSignedIn, Denied.
    """
    query = (
        select(Namespace)
        .outerjoin(User, User.namespace_id == Namespace.id)
        .outerjoin(Organization, Organization.namespace_id == Namespace.id)
        .where(or_(Namespace.uuid == uuid, User.uuid == uuid, Organization.uuid == uuid))
    )
    namespace = work.session.scalars(query.limit(1)).first() if uuid.isprintable() else None
    if namespace is None:
        raise NotFound("There is no such account.", code="namespace_not_found")
    require(work, actor, Action.NAMESPACE_USAGE, namespace, what="namespace")
    return namespace


def midnight(day: date) -> datetime:
    """When a day begins."""
    return datetime.combine(day, time.min, UTC)


# Single calls


@dataclass(frozen=True)
class CallFilter:
    """Which calls are asked for. status: one of ``STATUSES`` or a number as text; empty words and None: any."""

    key_id: int | None = None
    user_id: int | None = None
    model: str = ""
    route: str = ""
    status: str = ""
    request_id: str = ""
    start: datetime | None = None
    end: datetime | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """Raises Invalid (``status_invalid``)."""
        found: list[ColumnElement[bool]] = []
        for column, wanted in (
            (Call.key_id, self.key_id),
            (Call.user_id, self.user_id),
            (Call.model, self.model or None),
            (Call.route, self.route or None),
            (Call.request_id, self.request_id or None),
        ):
            if wanted is not None:
                found.append(column == wanted)
        if self.start is not None:
            found.append(Call.started_at >= self.start)
        if self.end is not None:
            found.append(Call.started_at < self.end)
        if self.status in STATUSES:
            first = int(self.status[0]) * 100
            found.append(Call.status.between(first, first + 99))
        elif self.status:
            if not self.status.isdecimal() or len(self.status) != 3:
                raise Invalid("A status is 2xx, 4xx, 5xx or a number of three digits.", code="status_invalid")
            found.append(Call.status == int(self.status))
        return found


def _of_owner(work: UnitOfWork, actor: Actor, owner: Namespace | None) -> list[ColumnElement[bool]]:
    if owner is None:
        require_site_admin(work, actor)
        return []
    return [Call.owner_uuid == owner.uuid]


def list_calls(
    work: UnitOfWork, *, actor: Actor, owner: Namespace | None, wanted: CallFilter, page: PageArgs
) -> Page[Call]:
    """Calls, the newest first. owner: from ``find_owner``; None: of all, for site administrators.

    Raises NotSignedIn, Denied, Invalid (``status_invalid``).
    """
    query = select(Call).where(*_of_owner(work, actor, owner), *wanted.conditions())
    newest = query.order_by(Call.started_at.desc(), Call.id.desc())
    rows = work.session.scalars(newest.offset(page.offset).limit(page.per)).all()
    total, is_estimate = total_of(work, query, page, len(rows))
    return Page(rows, total, is_estimate)


def get_call(work: UnitOfWork, *, actor: Actor, owner: Namespace | None, uuid: str) -> Call:
    """One of them, by its UUID or the id of its request; of several with this id the last one.

    Raises NotSignedIn, Denied, NotFound (``call_not_found``).
    """
    is_it = or_(Call.uuid == uuid, Call.request_id == uuid)
    query = select(Call).where(*_of_owner(work, actor, owner), is_it).order_by(Call.id.desc()).limit(1)
    call = work.session.scalars(query).first() if uuid.isprintable() else None
    if call is None:
        raise NotFound("There is no such call.", code="call_not_found")
    return call


def iter_calls(context: Context, *, actor: Actor, owner: Namespace | None, wanted: CallFilter) -> Iterator[Call]:
    """All of them, the oldest first, however many: read a thousand at a time. Raises as ``list_calls``, at once."""
    with reading(context) as work:
        condition = and_(true(), *_of_owner(work, actor, owner), *wanted.conditions())
    return _iter_calls(context, condition)


def _iter_calls(context: Context, condition: ColumnElement[bool]) -> Iterator[Call]:
    after = condition
    while True:
        with reading(context) as work:
            query = select(Call).where(after).order_by(Call.started_at, Call.id).limit(_EXPORT_AT_ONCE)
            rows = work.session.scalars(query).all()
        yield from rows
        if len(rows) < _EXPORT_AT_ONCE:
            return
        last = rows[-1]
        is_later = and_(Call.started_at == last.started_at, Call.id > last.id)
        after = and_(condition, or_(Call.started_at > last.started_at, is_later))


def key_names(work: UnitOfWork, calls: Sequence[Call]) -> Mapping[int, str]:
    """What the keys of calls are called, of those that are still there. One query."""
    ids = {call.key_id for call in calls}
    return dict(work.session.execute(select(ApiKey.id, ApiKey.name).where(ApiKey.id.in_(ids))).all()) if ids else {}


# Sums


@dataclass(frozen=True)
class Sums:
    """What is added up."""

    calls: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    cost_nano: int = 0


SUM_NAMES = tuple(member.name for member in fields(Sums))


@dataclass(frozen=True)
class Group:
    """The sums of one group. name: the group's word; title: for people, where the word is an id."""

    name: str
    title: str
    sums: Sums


def sums_of_calls() -> list[ColumnElement[Any]]:
    """``SUM_NAMES`` as columns of a query on calls."""
    return [
        func.count().label("calls"),
        func.sum(case((Call.status != 200, 1), else_=0)).label("failed"),
        *(
            func.sum(getattr(Call, name)).label(name)
            for name in ("prompt_tokens", "cached_tokens", "completion_tokens", "cost_nano")
        ),
    ]


def _day_of_call(work: UnitOfWork) -> SQLColumnExpression[Any]:
    if work.session.get_bind().dialect.name == "sqlite":
        return func.strftime("%Y-%m-%d", Call.started_at, type_=String)
    return func.to_char(func.timezone("UTC", Call.started_at), "YYYY-MM-DD", type_=String)


# By what spending can be grouped: the columns of calls and of sums of days.
_GROUPS: Mapping[str, tuple[SQLColumnExpression[Any] | None, SQLColumnExpression[Any]]] = {
    "day": (None, cast(SpentDay.day, String)),
    "model": (Call.model, SpentDay.model),
    "key": (Call.key_id, SpentDay.key_id),
    "user": (Call.user_id, SpentDay.user_id),
    "route": (Call.route, SpentDay.route),
    "owner": (Call.owner_uuid, SpentDay.owner_uuid),
}
GROUPS = tuple(_GROUPS)


def sum_spending(
    work: UnitOfWork, *, actor: Actor, owner: Namespace | None, group_by: str, first: date, last: date, page: PageArgs
) -> Page[Group]:
    """The sums of the days from the first to the last: days in their order, other groups by cost.

    owner: from ``find_owner``; None: of all, for site administrators.
    Raises NotSignedIn, Denied, Invalid (``span_invalid``, ``group_invalid``).
    """
    if owner is None:
        require_site_admin(work, actor)
    if not 0 <= (last - first).days < MAX_DAYS:
        raise Invalid(f"The last day must not be before the first, nor {MAX_DAYS} days after it.", code="span_invalid")
    if group_by not in _GROUPS:
        raise Invalid(f"Spending can be grouped by {', '.join(GROUPS)}.", code="group_invalid")
    both = _both(work, group_by, owner, first, last)
    summed = [func.sum(both.c[name]) for name in SUM_NAMES]
    query = select(both.c.word, *summed).group_by(both.c.word)
    order = [both.c.word] if group_by == "day" else [summed[-1].desc(), summed[0].desc(), both.c.word]
    rows = work.rows(query.order_by(*order).offset(page.offset).limit(page.per))
    total, is_estimate = total_of(work, query, page, len(rows))
    titles = _titles(work, group_by, [row[0] for row in rows])
    groups = [
        Group("" if word is None else str(word), titles.get(word, ""), Sums(*map(int, sums))) for word, *sums in rows
    ]
    return Page(groups, total, is_estimate)


def _both(work: UnitOfWork, group_by: str, owner: Namespace | None, first: date, last: date) -> Subquery:
    """Sums of days that are kept, and of the calls of later ones."""
    summed_before, _ = read_until(work)
    of_call, of_day = _GROUPS[group_by]
    if of_call is None:
        of_call = _day_of_call(work)
    calls = [Call.started_at >= midnight(max(first, summed_before)), Call.started_at < midnight(last + _DAY)]
    days: list[ColumnElement[bool]] = [SpentDay.day >= first, SpentDay.day <= last, SpentDay.day < summed_before]
    if owner is not None:
        calls.append(Call.owner_uuid == owner.uuid)
        days.append(SpentDay.owner_uuid == owner.uuid)
    parts: list[Select[Any]] = [select(of_call.label("word"), *sums_of_calls()).where(*calls).group_by("word")]
    if first < summed_before:
        summed = (func.sum(getattr(SpentDay, name)).label(name) for name in SUM_NAMES)
        parts.append(select(of_day.label("word"), *summed).where(*days).group_by("word"))
    return union_all(*parts).subquery()


_DAY = timedelta(days=1)


def read_until(work: UnitOfWork) -> tuple[date, date]:
    """Before which day days are read from their sums, and before which there are no calls any more."""
    for summed_before, swept_before in work.rows(select(SpentUntil.summed_before, SpentUntil.swept_before)):
        return summed_before, swept_before
    return EPOCH, EPOCH


def _titles(work: UnitOfWork, group_by: str, words: Sequence[Any]) -> Mapping[Any, str]:
    """What people call the groups whose words are ids. One query at most."""
    known: Mapping[str, tuple[Any, Any]] = {
        "owner": (Namespace.uuid, Namespace.path),
        "user": (User.id, User.name),
        "key": (ApiKey.id, ApiKey.name),
    }
    if group_by not in known:
        return {}
    id, title = known[group_by]
    return {row[0]: row[1] for row in work.rows(select(id, title).where(id.in_(words)))}
