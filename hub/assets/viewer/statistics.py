"""Statistics of tables: worked out by a job once for each content, column by column, and there as far as they are.

A table of up to ``MAX_WHOLE_BYTES`` is measured as a whole; of a larger one a sample stands for it, and it is said so.
Columns are measured in batches, each stored when it is done: a job that was cut off goes on with the next one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.engine import CursorResult

from hub.accounts.policy import SYSTEM, Actor
from hub.assets.models_statistics import MeasureState, ViewerStatistics, ViewerStatisticsBatch
from hub.assets.viewer import measures
from hub.assets.viewer.engine import ENGINE
from hub.assets.viewer.jobs import MEASURE
from hub.assets.viewer.measures import Sample
from hub.assets.viewer.parts import Table
from hub.assets.viewer.tables import open_table
from hub.base.context import Context
from hub.base.errors import Invalid, Unavailable, Unprocessable
from hub.base.log import get_logger
from hub.base.paging import PageArgs
from hub.db.insert import insert_new
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.jobs.models import Job, JobState
from hub.jobs.run import JobRun
from hub.jobs.service import enqueue
from hub.repos.models import Repository
from hub.repos.rows import Shown

log = get_logger(__name__)

# Source: the pages' contract, section 8.
MAX_WHOLE_BYTES = 5 * 1024**3
SAMPLE_ROWS = 100_000
BATCH = 20
FORMAT = "1"
_BATCH_S = 600.0
# What failed is tried again when somebody asks for it later than this.
_RETRY_S = 24 * 3600.0
_USED_EVERY_S = 24 * 3600.0
UNUSED_S = 90 * 24 * 3600.0
_PRUNED_AT_ONCE = 200


@dataclass(frozen=True)
class Statistics:
    """What is known of a table's columns.

    state: "pending", "running", "done", "failed" (then ``reason`` says why). measured_rows: fewer than ``num_rows``
    where a sample stands for the table. columns: of the page that was asked for, as far as they are measured; each a
    dictionary as ``measures`` gives it. is_partial: the table itself has not all rows of its files.
    """

    commit_id: str
    state: MeasureState
    reason: str
    num_rows: int
    measured_rows: int
    is_partial: bool
    column_count: int
    columns_done: int
    columns: Sequence[dict[str, Any]] = ()

    @property
    def is_sample(self) -> bool:
        return self.measured_rows < self.num_rows


def key_of(table: Table) -> str:
    """By which a table's statistics are known."""
    return hashlib.sha256(f"{FORMAT}:{measures.BINS}:{table.digest}".encode()).hexdigest()


def find_statistics(
    context: Context,
    repository: Shown,
    *,
    actor: Actor,
    config: str,
    split: str,
    revision: str = "",
    page: PageArgs | None = None,
) -> Statistics:
    """The statistics of a split at a revision; where there are none yet, they are asked for. page: of columns.

    Raises what ``open_table`` raises.
    """
    table = open_table(context, repository, actor=actor, config=config, split=split, revision=revision)
    key = key_of(table)
    first = page.offset if page is not None else 0
    end = first + page.per if page is not None else len(table.columns)
    with reading(context) as work:
        row = work.session.get(ViewerStatistics, key)
        columns, done = _read_columns(work, key, first, end) if row is not None else ([], 0)
    if row is None or row.state != MeasureState.DONE:
        row = _ask(context, repository, table, key)
    elif context.clock.now() - row.last_used_at > timedelta(seconds=_USED_EVERY_S):
        with unit_of_work(context) as work:
            used = update(ViewerStatistics).where(ViewerStatistics.key == key).values(last_used_at=work.now())
            work.session.execute(used)
    return Statistics(
        commit_id=table.commit_id,
        state=row.state,
        reason=row.reason,
        num_rows=table.num_rows,
        measured_rows=row.measured_rows or _sample(table).rows,
        is_partial=table.is_partial,
        column_count=len(table.columns),
        columns_done=done,
        columns=columns,
    )


def _read_columns(work: UnitOfWork, key: str, first: int, end: int) -> tuple[list[dict[str, Any]], int]:
    """What is stored of the columns of a page, and how many columns are done in all."""
    batch = ViewerStatisticsBatch
    rows = work.session.execute(
        select(batch.first, batch.statistics)
        .where(batch.key == key, batch.first < end, batch.first + batch.count > first)
        .order_by(batch.first)
    ).all()
    done = work.session.scalar(select(func.coalesce(func.sum(batch.count), 0)).where(batch.key == key))
    found = [(start + at, column) for start, columns in rows for at, column in enumerate(columns)]
    return [column for number, column in found if first <= number < end], int(done or 0)


def _ask(context: Context, repository: Shown, table: Table, key: str) -> ViewerStatistics:
    """Let the job be there, once, whoever else asks at the same time."""
    with unit_of_work(context) as work:
        now = work.now()
        values = {"key": key, "state": MeasureState.PENDING, "reason": "", "num_rows": table.num_rows}
        values |= {"measured_rows": _sample(table).rows, "column_count": len(table.columns), "job_uuid": ""}
        values |= {"created_at": now, "updated_at": now, "last_used_at": now}
        insert_new(work.session, ViewerStatistics, [values])
        row = work.session.scalars(select(ViewerStatistics).where(ViewerStatistics.key == key).with_for_update()).one()
        if row.state == MeasureState.DONE:
            return row
        job = work.session.scalar(select(Job).where(Job.uuid == row.job_uuid)) if row.job_uuid else None
        if row.state == MeasureState.FAILED:
            is_wanted = now - row.updated_at > timedelta(seconds=_RETRY_S)
        elif job is not None and job.state in (JobState.FAILED, JobState.CANCELLED):
            row.state, row.updated_at = MeasureState.FAILED, now
            row.reason = f"Measuring the table came to nothing: {job.error or job.state.value}"[:1000]
            is_wanted = False
        else:
            # A job that is done while the row is not was told of another table; its successor is told of this one.
            is_wanted = job is None or job.state == JobState.SUCCEEDED
        if is_wanted:
            args = {"repository_id": repository.id, "config": table.config, "split": table.split}
            args |= {"commit_id": table.commit_id, "key": key}
            subject = ("repository", repository.id)
            row.job_uuid = enqueue(work, MEASURE, args=args, unique_key=f"{MEASURE}:{key}", subject=subject).uuid
            row.state, row.reason, row.updated_at = MeasureState.PENDING, "", now
        return row


def _sample(table: Table) -> Sample:
    if sum(part.size_bytes for part in table.parts) <= MAX_WHOLE_BYTES:
        return measures.whole(table)
    return measures.sample(table, SAMPLE_ROWS)


# The job.


def measure_table(run: JobRun, *, repository_id: int, config: str, split: str, commit_id: str, key: str) -> None:
    """Measure the columns of a table that are not measured yet. May be repeated."""
    context = run.context
    with reading(context) as work:
        repository = work.session.get(Repository, repository_id)
    if repository is None or repository.deleted_at is not None:
        _settle(context, key, MeasureState.FAILED, "The data set is gone.")
        return
    table = open_table(context, repository, actor=SYSTEM, config=config, split=split, revision=commit_id)
    if key_of(table) != key:
        run.log("The table is another by now.")
        return
    _settle(context, key, MeasureState.RUNNING)
    rows = _sample(table)
    engine = context[ENGINE]
    try:
        with engine.open(table, limit_s=_BATCH_S) as session:
            types = session.types()
        if len(types) != len(table.columns):
            raise Unprocessable("The table's columns cannot be told apart.", code="table_unreadable")
    except (Unprocessable, Invalid) as error:
        _settle(context, key, MeasureState.FAILED, str(error))
        return
    with reading(context) as work:
        batch = ViewerStatisticsBatch
        done = set(work.session.scalars(select(batch.first).where(batch.key == key)))
    for first in range(0, len(types), BATCH):
        run.check_cancelled()
        run.progress(first, len(types), "columns")
        if first in done:
            continue
        numbers = range(first, min(first + BATCH, len(types)))
        found = _measure(context, table, types, numbers, rows)
        with unit_of_work(context) as work:
            row = {"key": key, "first": first, "count": len(numbers), "statistics": found}
            insert_new(work.session, ViewerStatisticsBatch, [row])
    run.progress(len(types), len(types), "columns")
    _settle(context, key, MeasureState.DONE)
    run.log(f"{len(types)} columns of {rows.rows} rows.")


def _measure(
    context: Context, table: Table, types: Sequence[dict[str, Any]], numbers: Sequence[int], rows: Sample
) -> list[dict[str, Any]]:
    """Some columns; where they cannot be measured together, each half by itself, so that one spoils no other."""
    try:
        with context[ENGINE].open(table, limit_s=_BATCH_S) as session:
            return measures.measure(session, types, numbers, rows)
    except (Unprocessable, Invalid, Unavailable) as error:
        if len(numbers) == 1:
            log.info("column_not_measured", table=table.digest, column=numbers[0], reason=str(error))
            return [measures.failed(types[numbers[0]], table.columns[numbers[0]], error)]
    middle = len(numbers) // 2
    return [
        column
        for half in (numbers[:middle], numbers[middle:])
        for column in _measure(context, table, types, half, rows)
    ]


def _settle(context: Context, key: str, state: MeasureState, reason: str = "") -> None:
    with unit_of_work(context) as work:
        row = update(ViewerStatistics).where(ViewerStatistics.key == key, ViewerStatistics.state != MeasureState.DONE)
        work.session.execute(row.values(state=state, reason=reason[:1000], updated_at=work.now()))


def prune_statistics(run: JobRun) -> None:
    """Forget the statistics that nobody has looked at for long."""
    count = 0
    while True:
        run.check_cancelled()
        with unit_of_work(run.context) as work:
            oldest = work.now() - timedelta(seconds=UNUSED_S)
            keys = work.session.scalars(
                select(ViewerStatistics.key).where(ViewerStatistics.last_used_at < oldest).limit(_PRUNED_AT_ONCE)
            ).all()
            gone = work.session.execute(delete(ViewerStatistics).where(ViewerStatistics.key.in_(keys)))
            assert isinstance(gone, CursorResult)
        count += len(keys)
        if len(keys) < _PRUNED_AT_ONCE:
            break
    run.log(f"The statistics of {count} tables went.")
