"""What runs is counted by the time it runs: intervals that are opened, split and closed, and become events."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any

from sqlalchemy import select, update

from hub.base.context import Context
from hub.base.errors import Conflict
from hub.db.base import new_uuid
from hub.db.insert import insert_new
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.metering.models import UsageInterval
from hub.metering.service.recording import record
from hub.metering.usage import Power, Scene, Unit, Usage

_BATCH = 200
# Closing and opening again can be overtaken by another hand as often as it does the same.
_TRIES = 5


@dataclass(frozen=True)
class Running:
    """Something that runs, as ``usage.Usage`` names it; time is counted for each of its replicas."""

    customer_id: str
    owner_uuid: str
    scene: Scene
    resource_id: str = ""
    resource_name: str = ""
    user_id: int | None = None
    replicas: int = 1
    power: Power = field(default_factory=Power)
    details: Mapping[str, Any] = field(default_factory=dict)


def start_interval(work: UnitOfWork, running: Running, *, at: datetime) -> None:
    """From this moment on it runs so. What is told again changes nothing; what has changed begins a new interval.

    Raises Conflict (``usage_interval_changing``) when another hand changes the same again and again.
    """
    _as_event(running, new_uuid(), quantity=0, at=at).check()
    for _ in range(_TRIES):
        opened = _get_open(work, running.customer_id)
        if opened is not None and _running_of(opened) == running:
            return
        # Time that was counted for what it was before is not counted for what it is now.
        at = stop_interval(work, running.customer_id, at=at) or at
        if insert_new(work.session, UsageInterval, [_row_of(running, at)]):
            return
    raise Conflict("What runs is being changed by somebody else; try again.", code="usage_interval_changing")


def stop_interval(work: UnitOfWork, customer_id: str, *, at: datetime) -> datetime | None:
    """From this moment on it runs no more; return when its time ended, None when it did not run.

    Time that has become events stays so: an earlier moment ends it where they end.
    """
    opened = _get_open(work, customer_id)
    if opened is None:
        return None
    end = max(at, opened.told_until)
    query = update(UsageInterval).where(UsageInterval.id == opened.id, UsageInterval.ended_at.is_(None))
    work.session.execute(query.values(ended_at=end).execution_options(synchronize_session=False))
    return end


def _get_open(work: UnitOfWork, customer_id: str) -> UsageInterval | None:
    query = select(UsageInterval).where(UsageInterval.customer_id == customer_id, UsageInterval.ended_at.is_(None))
    return work.session.scalars(query.with_for_update().execution_options(populate_existing=True)).first()


def _running_of(row: UsageInterval) -> Running:
    power = Power(row.cpu_millis, row.memory_mib, row.gpu_millis, row.gpu_model)
    return Running(
        row.customer_id,
        row.owner_uuid,
        Scene(row.scene),
        row.resource_id,
        row.resource_name,
        row.user_id,
        row.replicas,
        power,
        row.details,
    )


def _row_of(running: Running, at: datetime) -> dict[str, Any]:
    return {
        "uuid": new_uuid(),
        "customer_id": running.customer_id,
        "owner_uuid": running.owner_uuid,
        "scene": int(running.scene),
        "resource_id": running.resource_id,
        "resource_name": running.resource_name,
        "user_id": running.user_id,
        "replicas": running.replicas,
        "cpu_millis": running.power.cpu_millis,
        "memory_mib": running.power.memory_mib,
        "gpu_millis": running.power.gpu_millis,
        "gpu_model": running.power.gpu_model,
        "details": dict(running.details),
        "started_at": at,
        "ended_at": None,
        "told_until": at,
        "is_told": False,
    }


def tell_intervals(context: Context) -> int:
    """Make events of the time that has passed since the last time; return how many.

    An open interval is told of in whole seconds up to now. However often this runs, and wherever it dies, each second
    is counted once: the events and how far they reach are one transaction, and an event's id follows from both.
    """
    count, last_id = 0, 0
    while True:
        with reading(context) as work:
            ids = work.session.scalars(
                select(UsageInterval.id)
                .where(UsageInterval.is_told.is_(False), UsageInterval.id > last_id)
                .order_by(UsageInterval.id)
                .limit(_BATCH)
            ).all()
        if not ids:
            return count
        last_id = ids[-1]
        with unit_of_work(context) as work:
            count += _tell(work, ids)


def _tell(work: UnitOfWork, ids: Any) -> int:
    query = (
        select(UsageInterval)
        .where(UsageInterval.id.in_(ids), UsageInterval.is_told.is_(False))
        .order_by(UsageInterval.id)
    )
    usages: list[Usage] = []
    for row in work.session.scalars(query.with_for_update()):
        end = row.ended_at or work.now().replace(microsecond=0)
        for start, stop in _days_of(row.told_until, end):
            seconds = _seconds_between(row.started_at, start, stop)
            id = str(uuid.uuid5(uuid.UUID(row.uuid), start.isoformat()))
            usages.append(_as_event(_running_of(row), id, quantity=seconds * row.replicas, at=start))
        row.told_until = max(row.told_until, end)
        row.is_told = row.ended_at is not None
    return record(work, [usage for usage in usages if usage.quantity])


def _seconds_between(origin: datetime, start: datetime, stop: datetime) -> int:
    """Whole seconds of an interval that lie between: parts add up to the whole, however it is cut."""
    return (stop - origin) // timedelta(seconds=1) - (start - origin) // timedelta(seconds=1)


def _days_of(start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The time from start to end, cut at each midnight (UTC), so that days have what is theirs."""
    while start < end:
        midnight = datetime.combine(start.astimezone(UTC).date() + timedelta(days=1), time.min, UTC)
        yield start, min(midnight, end)
        start = midnight


def _as_event(running: Running, id: str, *, quantity: int, at: datetime) -> Usage:
    return Usage(
        id,
        running.owner_uuid,
        running.scene,
        Unit.SECOND,
        quantity,
        at,
        resource_id=running.resource_id,
        resource_name=running.resource_name,
        customer_id=running.customer_id,
        user_id=running.user_id,
        power=running.power,
        details={"replicas": running.replicas} | dict(running.details),
    )
