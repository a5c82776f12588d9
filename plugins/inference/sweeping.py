"""Calls become sums of days, and are swept away when they are old; what was spent is then read from the sums."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from sqlalchemy import Date, delete, func, insert, literal, select

from hub.plugin import Context
from hub.plugin.db import UnitOfWork, reading, unit_of_work
from hub.plugin.jobs import JobRun
from hub.plugin.settings import settings_of
from plugins.inference.models import Alert, Call, SpentDay, SpentUntil
from plugins.inference.settings import InferenceSettings
from plugins.inference.spending import EPOCH, SUM_NAMES, midnight, sums_of_calls

_DAY = timedelta(days=1)
# A day's calls are read themselves until it has been over for a day: a call is written at its end.
_SETTLED = timedelta(days=1)
# Sums are made anew so often; a stream may last.
_SUMMED_AGAIN = 3
_SWEPT_AT_ONCE = 1000
_ALERTS_KEPT = timedelta(days=400)
_WORDS = ("owner_uuid", "key_id", "user_id", "model", "route")


def sweep(run: JobRun) -> None:
    """Add up the days that are over, and forget calls as old as the setting says."""
    context = run.context
    today = context.clock.now().date()
    run.log(f"Added up {sum_days(context, today)} days.")
    keep_days = settings_of(context, InferenceSettings).keep_calls_days
    if keep_days:
        swept = 0
        for count in sweep_calls(context, today - timedelta(days=keep_days)):
            run.check_cancelled()
            swept += count
            run.progress(swept, unit="calls")
        run.log(f"Forgot {swept} calls.")
    with unit_of_work(context) as work:
        work.session.execute(delete(Alert).where(Alert.created_at < work.now() - _ALERTS_KEPT))


def sum_days(context: Context, today: date) -> int:
    """Make the sums of the days that have long been over, and of the last of them anew; how many days these were."""
    end = today - _SETTLED
    with reading(context) as work:
        until = _read_until(work)
        oldest = work.session.scalar(select(func.min(Call.started_at)))
    if oldest is None:
        return 0
    first = max(min(until.summed_before, end) - _SUMMED_AGAIN * _DAY, until.swept_before, oldest.date())
    days: int = max((end - first).days, 0)
    for number in range(days):
        with unit_of_work(context) as work:
            _sum_day(work, first + number * _DAY)
    return days


def sweep_calls(context: Context, before: date) -> Iterator[int]:
    """Forget the calls of earlier days, whose sums stay; yields how many were forgotten at a time."""
    with reading(context) as work:
        until = _read_until(work)
        oldest = work.session.scalar(select(func.min(Call.started_at)))
    if oldest is None:
        return
    day = max(until.swept_before, oldest.date())
    while day < min(before, until.summed_before):
        # From here on the sums are all that there is, so they are made a last time.
        with unit_of_work(context) as work:
            _sum_day(work, day)
            _lock_until(work).swept_before = day + _DAY
        day += _DAY
    with reading(context) as work:
        swept_before = midnight(_read_until(work).swept_before)
    while True:
        with unit_of_work(context) as work:
            ids = work.session.scalars(
                select(Call.id).where(Call.started_at < swept_before).order_by(Call.started_at).limit(_SWEPT_AT_ONCE)
            ).all()
            work.session.execute(delete(Call).where(Call.id.in_(ids)))
        yield len(ids)
        if len(ids) < _SWEPT_AT_ONCE:
            return


def _sum_day(work: UnitOfWork, day: date) -> None:
    until = _lock_until(work)
    if day < until.swept_before:
        return
    columns = [getattr(Call, name) for name in _WORDS]
    query = (
        select(literal(day, Date).label("day"), *columns, *sums_of_calls())
        .where(Call.started_at >= midnight(day), Call.started_at < midnight(day + _DAY))
        .group_by(*columns)
    )
    work.session.execute(delete(SpentDay).where(SpentDay.day == day))
    work.session.execute(insert(SpentDay).from_select(["day", *_WORDS, *SUM_NAMES], query))
    until.summed_before = max(until.summed_before, day + _DAY)


def _read_until(work: UnitOfWork) -> SpentUntil:
    return work.session.get(SpentUntil, 1) or SpentUntil(id=1, summed_before=EPOCH, swept_before=EPOCH)


def _lock_until(work: UnitOfWork) -> SpentUntil:
    """For writing; two jobs at once take turns."""
    row = work.session.get(SpentUntil, 1, with_for_update=True)
    if row is None:
        row = SpentUntil(id=1, summed_before=EPOCH, swept_before=EPOCH)
        work.session.add(row)
        work.session.flush()
    return row
