"""Periodic jobs: which there are, and which are due. The loop that asks is in ``scheduler.py``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from croniter import CroniterError, croniter
from sqlalchemy import select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.exc import IntegrityError

from hub.base.context import Context, Key
from hub.base.errors import NotFound
from hub.base.log import get_logger
from hub.base.registry import Registry
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.jobs.models import Job, ScheduleRun
from hub.jobs.service import enqueue

log = get_logger(__name__)


@dataclass(frozen=True)
class Schedule:
    """A job that is asked for again and again.

    cron_utc: five fields, in UTC ("*/5 * * * *"). job: a name in the registry of jobs.
    """

    name: str
    cron_utc: str
    job: str
    args: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not croniter.is_valid(self.cron_utc):
            raise ValueError(f"schedule {self.name!r}: {self.cron_utc!r} is no cron expression")
        try:
            self.next_after(datetime.now(UTC))
            json.dumps(dict(self.args))
        except (CroniterError, TypeError) as error:
            raise ValueError(
                f"schedule {self.name!r}: it is never due, or its arguments are no JSON: {error}"
            ) from error

    def next_after(self, moment: datetime) -> datetime:
        """The first moment after this one at which the job is due."""
        found: datetime = croniter(self.cron_utc, moment).get_next(datetime)
        return found


ScheduleRegistry = Registry[Schedule]
SCHEDULES: Key[ScheduleRegistry] = Key("jobs.schedules")


def create_schedules() -> ScheduleRegistry:
    """An empty registry; ``hub.app.build_context`` fills it through ``register_schedule``."""
    return Registry("schedules")


def register_schedule(context: Context, schedule: Schedule, *, owner: str = "hub") -> None:
    """Add one schedule under its name. Raises RegistryError when the name is taken."""
    context[SCHEDULES].add(schedule.name, schedule, owner=owner)


def enqueue_due(context: Context) -> list[str]:
    """Ask for every periodic job that is due, and say which schedules these were.

    A schedule that is seen for the first time is due at its next moment. After a pause of the scheduler a schedule
    runs once, however many moments it missed. Two schedulers at once ask once: the row of the last run decides.
    """
    with reading(context) as work:
        now = work.now()
        last_runs = {row.name: row.last_run_at for row in work.session.scalars(select(ScheduleRun))}
    names = []
    for schedule in context[SCHEDULES].values():
        last = last_runs.get(schedule.name)
        if last is not None and schedule.next_after(last) > now:
            continue
        try:
            with unit_of_work(context) as work:
                if _take_turn(work, schedule):
                    enqueue(work, schedule.job, args=schedule.args, unique_key=f"schedule:{schedule.name}")
                    names.append(schedule.name)
        except Exception:
            # One that cannot be asked for keeps no other from its turn.
            log.exception("schedule_failed", schedule=schedule.name)
    return names


def run_schedule(work: UnitOfWork, name: str, *, actor_id: int | None) -> Job:
    """Ask for a periodic job now; its next moment stays what it is. While it waits already, that one is returned.

    Raises NotFound (``schedule_not_found``), and Conflict as ``enqueue``.
    """
    schedule = work.context[SCHEDULES].find(name)
    if schedule is None:
        raise NotFound("There is no such periodic job.", code="schedule_not_found")
    return enqueue(work, schedule.job, args=schedule.args, unique_key=f"schedule:{schedule.name}", actor_id=actor_id)


def _take_turn(work: UnitOfWork, schedule: Schedule) -> bool:
    now = work.now()
    last = work.session.scalar(select(ScheduleRun.last_run_at).where(ScheduleRun.name == schedule.name))
    if last is None:
        try:
            with work.session.begin_nested():
                work.session.add(ScheduleRun(name=schedule.name, last_run_at=now))
        except IntegrityError:
            log.debug("schedule_met_twice", schedule=schedule.name)
        return False
    if schedule.next_after(last) > now:
        return False
    result = work.session.execute(
        update(ScheduleRun)
        .where(ScheduleRun.name == schedule.name, ScheduleRun.last_run_at == last)
        .values(last_run_at=now)
        .execution_options(synchronize_session=False)
    )
    assert isinstance(result, CursorResult)
    return bool(result.rowcount)
