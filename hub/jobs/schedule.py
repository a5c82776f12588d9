"""Periodic jobs: which there are, and which are due. The loop that asks is in ``scheduler.py``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from croniter import CroniterError, croniter
from sqlalchemy import delete, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.exc import IntegrityError

from hub.base.context import Context, Key
from hub.base.errors import NotFound
from hub.base.log import get_logger
from hub.base.registry import Registry
from hub.db.insert import insert_new
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.jobs.models import Job, SchedulePause, ScheduleRun
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

    One that is paused is left out. A schedule that is seen for the first time is due at its next moment. After a pause
    of the scheduler a schedule runs once, however many moments it missed. Two schedulers at once ask once: the row of
    the last run decides.
    """
    with reading(context) as work:
        now = work.now()
        last_runs = {row.name: row.last_run_at for row in work.session.scalars(select(ScheduleRun))}
        paused = set(work.session.scalars(select(SchedulePause.name)))
    names = []
    for schedule in context[SCHEDULES].values():
        if schedule.name in paused:
            continue
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
    schedule = _get(work, name)
    return enqueue(work, schedule.job, args=schedule.args, unique_key=f"schedule:{schedule.name}", actor_id=actor_id)


def pause_schedule(work: UnitOfWork, name: str, *, actor_id: int | None) -> None:
    """Have a periodic job asked for no more, until it is resumed; pausing it again changes nothing.

    What waits already runs all the same. Raises NotFound (``schedule_not_found``).
    """
    _get(work, name)
    row = {"name": name, "paused_at": work.now(), "paused_by_id": actor_id}
    if insert_new(work.session, SchedulePause, [row]):
        log.info("schedule_paused", schedule=name, actor_id=actor_id)


def resume_schedule(work: UnitOfWork, name: str, *, actor_id: int | None) -> None:
    """Let a periodic job be asked for again, at its next moment: what it missed meanwhile stays missed.

    Raises NotFound (``schedule_not_found``).
    """
    _get(work, name)
    gone = delete(SchedulePause).where(SchedulePause.name == name).returning(SchedulePause.name)
    if work.session.scalar(gone) is None:
        return
    now = work.now()
    work.session.execute(update(ScheduleRun).where(ScheduleRun.name == name).values(last_run_at=now))
    log.info("schedule_resumed", schedule=name, actor_id=actor_id)


def _get(work: UnitOfWork, name: str) -> Schedule:
    schedule = work.context[SCHEDULES].find(name)
    if schedule is None:
        raise NotFound("There is no such periodic job.", code="schedule_not_found")
    return schedule


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
