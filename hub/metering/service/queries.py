"""Questions about usage: single events, and sums by owner, resource, day and more. Days are of UTC."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, SQLColumnExpression, String, and_, cast, func, literal, or_, select

from hub.accounts.models import Namespace, Organization, User
from hub.accounts.policy import Action, Actor, require, require_site_admin
from hub.accounts.service import find_namespace_by_uuid
from hub.base.context import Context
from hub.base.errors import Invalid, NotFound
from hub.base.paging import Page, PageArgs
from hub.db.totals import total_of
from hub.db.uow import UnitOfWork, reading
from hub.metering.models import UsageDay, UsageEvent
from hub.metering.service.readers import usage_of
from hub.metering.service.sums import SUM_NAMES, Sums
from hub.metering.usage import Scene, Usage

# A year and its leap day, in one question.
MAX_DAYS = 366
_EXPORT_AT_ONCE = 1000


def find_owner(work: UnitOfWork, *, actor: Actor, uuid: str) -> Namespace:
    """The account (by its namespace's, user's or organisation's UUID) whose usage the actor may see.

    That is one's own, an organisation's for its administrators, and everybody's for those of the site.
    Raises NotFound (``namespace_not_found``), NotSignedIn, Denied.
    """
    namespace = find_namespace_by_uuid(work, uuid) or work.session.scalar(
        select(Namespace)
        .outerjoin(User, User.namespace_id == Namespace.id)
        .outerjoin(Organization, Organization.namespace_id == Namespace.id)
        .where(or_(User.uuid == uuid, Organization.uuid == uuid))
    )
    if namespace is None:
        raise NotFound("There is no such account.", code="namespace_not_found")
    require(work, actor, Action.NAMESPACE_USAGE, namespace, what="namespace")
    return namespace


@dataclass(frozen=True)
class Span:
    """Days from the first to the last one, both included."""

    first: date
    last: date

    def check(self) -> None:
        """Raises Invalid (``span_invalid``)."""
        if not 0 <= (self.last - self.first).days < MAX_DAYS:
            raise Invalid(
                f"The last day must not be before the first, nor {MAX_DAYS} days after it.", code="span_invalid"
            )


def list_events(
    work: UnitOfWork,
    *,
    owner: Namespace,
    start: datetime,
    end: datetime,
    scene: Scene | None = None,
    customer_id: str = "",
    page: PageArgs,
) -> Page[Usage]:
    """An account's events from start up to end, the newest first; see ``find_owner`` for who may ask."""
    query = select(UsageEvent).where(_events_of(owner.uuid, start, end, scene, customer_id))
    newest = query.order_by(UsageEvent.occurred_at.desc(), UsageEvent.id.desc())
    rows = work.session.scalars(newest.offset(page.offset).limit(page.per)).all()
    total, is_estimate = total_of(work, query, page, len(rows))
    return Page([usage_of(row) for row in rows], total, is_estimate)


def _events_of(
    owner_uuid: str, start: datetime, end: datetime, scene: Scene | None, customer_id: str
) -> ColumnElement[bool]:
    conditions = [UsageEvent.owner_uuid == owner_uuid, UsageEvent.occurred_at >= start, UsageEvent.occurred_at < end]
    if scene is not None:
        conditions.append(UsageEvent.scene == int(scene))
    if customer_id:
        conditions.append(UsageEvent.customer_id == customer_id)
    return and_(*conditions)


def iter_events(context: Context, *, owner: Namespace, span: Span, scene: Scene | None = None) -> Iterator[Usage]:
    """An account's events of those days, the oldest first, however many: read a thousand at a time.

    Raises Invalid (``span_invalid``), at once.
    """
    span.check()
    start, end = _moment(span.first), _moment(span.last + timedelta(days=1))
    return _iter_events(context, _events_of(owner.uuid, start, end, scene, ""))


def _iter_events(context: Context, condition: ColumnElement[bool]) -> Iterator[Usage]:
    after: ColumnElement[bool] = condition
    while True:
        with reading(context) as work:
            query = select(UsageEvent).where(after).order_by(UsageEvent.occurred_at, UsageEvent.id)
            rows = work.session.scalars(query.limit(_EXPORT_AT_ONCE)).all()
            yield from [usage_of(row) for row in rows]
        if len(rows) < _EXPORT_AT_ONCE:
            return
        last = rows[-1]
        is_later = and_(UsageEvent.occurred_at == last.occurred_at, UsageEvent.id > last.id)
        after = and_(condition, or_(UsageEvent.occurred_at > last.occurred_at, is_later))


def _moment(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)


_DAY: SQLColumnExpression[str] = cast(UsageDay.day, String)
# What sums can be grouped by. All but the words of a group are added up.
GROUPS: Mapping[str, SQLColumnExpression[Any]] = {
    "owner": UsageDay.owner_uuid,
    "user": UsageDay.user_key,
    "scene": UsageDay.scene,
    "resource": UsageDay.resource_id,
    "instance": UsageDay.customer_id,
    "key": UsageDay.token_key,
    "gpu_model": UsageDay.gpu_model,
    "day": _DAY,
    "month": func.substr(_DAY, 1, 7),
}


@dataclass(frozen=True)
class Group:
    """The sums of one group. name: the group's word; title: for people, where the word is an id."""

    name: str
    title: str
    unit: str
    sums: Sums

    @property
    def gpu_hours(self) -> float:
        """Hours of whole cards."""
        return self.sums.gpu_millis_seconds / 3_600_000

    @property
    def cpu_hours(self) -> float:
        """Hours of processor cores."""
        return self.sums.cpu_millis_seconds / 3_600_000

    @property
    def memory_gib_hours(self) -> float:
        return self.sums.memory_mib_seconds / 1024 / 3600


def report_usage(
    work: UnitOfWork,
    *,
    actor: Actor,
    owner: Namespace | None,
    span: Span,
    group_by: str,
    scene: Scene | None = None,
    page: PageArgs,
) -> Page[Group]:
    """The sums of those days by group and unit: days and months in their order, others by quantity.

    owner: from ``find_owner``; None: of all, for site administrators. What was used in the last minute may be missing.
    Raises NotSignedIn, Denied, Invalid (``span_invalid``, ``group_invalid``).
    """
    if owner is None:
        require_site_admin(work, actor)
    span.check()
    group = GROUPS.get(group_by)
    if group is None:
        raise Invalid(f"Usage can be grouped by {', '.join(GROUPS)}.", code="group_invalid")
    conditions: list[ColumnElement[bool]] = [UsageDay.day >= span.first, UsageDay.day <= span.last]
    if owner is not None:
        conditions.append(UsageDay.owner_uuid == owner.uuid)
    if scene is not None:
        conditions.append(UsageDay.scene == int(scene))
    query = _grouped(group_by, group).where(*conditions).group_by(group, UsageDay.unit)
    in_time = group_by in ("day", "month")
    order = [group, UsageDay.unit] if in_time else [func.sum(UsageDay.quantity).desc(), group, UsageDay.unit]
    rows = work.rows(query.order_by(*order).offset(page.offset).limit(page.per))
    total, is_estimate = total_of(work, query, page, len(rows))
    titles = _titles(work, group_by, [row[0] for row in rows])
    groups = [
        Group(str(name), titles.get(name) or title or "", unit, Sums(*map(int, sums)))
        for name, title, unit, *sums in rows
    ]
    return Page(groups, total, is_estimate)


def _grouped(group_by: str, group: SQLColumnExpression[Any]) -> Select[Any]:
    title = func.max(UsageDay.resource_name) if group_by == "resource" else literal("")
    return select(group, title, UsageDay.unit, *(func.sum(getattr(UsageDay, name)) for name in SUM_NAMES))


def _titles(work: UnitOfWork, group_by: str, names: Sequence[Any]) -> Mapping[Any, str]:
    """What people call the groups whose words are ids. One query at most."""
    if group_by == "scene":
        return {int(scene): scene.name.lower() for scene in Scene}
    known: Mapping[str, tuple[Any, Any]] = {"owner": (Namespace.uuid, Namespace.path), "user": (User.id, User.name)}
    if group_by not in known:
        return {}
    id, title = known[group_by]
    return {row[0]: row[1] for row in work.rows(select(id, title).where(id.in_(names)))}
