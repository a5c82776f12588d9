"""What can be done with batches: begin one, look at it, list them, cancel it; and the turns of the run that works.

A batch is a row and its results; whoever works on it holds its lease, so that of two workers one does nothing, and
goes on where another one died.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4, uuid5

from sqlalchemy import case, delete, func, or_, select, update
from sqlalchemy.engine import CursorResult

from hub.plugin import Context, get_logger
from hub.plugin.db import UnitOfWork, unit_of_work
from hub.plugin.errors import Conflict, Invalid, NotFound, QuotaExceeded
from hub.plugin.jobs import enqueue
from hub.plugin.settings import settings_of
from plugins.inference.files.jobs import RUN_BATCH
from plugins.inference.files.models import OVER, Batch, BatchResult, BatchStatus
from plugins.inference.files.paging import Listed, Range, find_page
from plugins.inference.files.service import BATCH, get_file, lock_account
from plugins.inference.keys import Bearer
from plugins.inference.settings import InferenceSettings

log = get_logger(__name__)

# Source: gateway contract, section 1.10.
WINDOW, WINDOW_LENGTH = "24h", timedelta(hours=24)
MAX_INPUT_BYTES = 200 * 1024 * 1024
MAX_LINES = 50_000
# The calls of which a batch may be.
ENDPOINTS = ("/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses", "/v1/moderations")
MAX_DETAILS, MAX_DETAIL_NAME, MAX_DETAIL = 16, 64, 512
# A run that has not said for so long that it is there has died.
LEASE = timedelta(seconds=60)
_MAX_LEASE = 36
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_RESULTS_AT_ONCE = 1000


@dataclass(frozen=True)
class Counts:
    """How many of a batch's lines have a result, and of which kind."""

    completed: int = 0
    failed: int = 0


def create_batch(
    work: UnitOfWork, *, bearer: Bearer, input_file_id: str, endpoint: str, window: str, details: object = None
) -> Batch:
    """A new batch, on the account and with the rights of a key. details: words of its maker's, or None.

    Raises Invalid (``batch_invalid``), NotFound (``file_not_found``), QuotaExceeded (``too_many_batches``).
    """
    if endpoint not in ENDPOINTS:
        raise Invalid(f"An endpoint is one of {', '.join(ENDPOINTS)}.", code="batch_invalid")
    if window != WINDOW:
        raise Invalid(f"The completion window is {WINDOW!r}.", code="batch_invalid")
    file = get_file(work, bearer=bearer, public_id=input_file_id)
    if file.purpose != BATCH or not 0 < file.size_bytes <= MAX_INPUT_BYTES:
        raise Invalid(
            f"A batch reads a file of the purpose {BATCH!r}, of 1 to {MAX_INPUT_BYTES} bytes.", code="batch_invalid"
        )
    lock_account(work, bearer.namespace_id)
    under_way = select(func.count()).where(Batch.namespace_id == bearer.namespace_id, Batch.status.not_in(OVER))
    if (work.session.scalar(under_way) or 0) >= settings_of(work.context, InferenceSettings).max_batches:
        raise QuotaExceeded("The account has too many batches under way; wait for one.", code="too_many_batches")
    now = work.now()
    row = Batch(
        uuid=str(uuid4()),
        namespace_id=bearer.namespace_id,
        owner_uuid=bearer.owner_uuid,
        key_id=bearer.key_id,
        endpoint=endpoint,
        model="",
        input_file_id=file.public_id,
        output_file_id="",
        error_file_id="",
        status=BatchStatus.VALIDATING,
        outcome="",
        errors=[],
        details=_checked_details(details),
        total=0,
        completed=0,
        failed=0,
        next_line=0,
        next_byte=0,
        lease="",
        leased_until=_NEVER,
        created_at=now,
        expires_at=now + WINDOW_LENGTH,
    )
    work.session.add(row)
    work.session.flush()
    ask_for_run(work, row.id)
    log.info("batch_created", batch=row.public_id, key_id=bearer.key_id)
    return row


def _checked_details(details: object) -> dict[str, str]:
    if details is None:
        return {}
    if not isinstance(details, Mapping) or len(details) > MAX_DETAILS:
        raise Invalid(f"The metadata are an object of {MAX_DETAILS} members at most.", code="batch_invalid")
    for name, word in details.items():
        if not isinstance(word, str) or len(name) > MAX_DETAIL_NAME or len(word) > MAX_DETAIL:
            raise Invalid("A member of the metadata is a short name and a text.", code="batch_invalid")
        if not (_is_kept(name) and _is_kept(word)):
            raise Invalid("A member of the metadata cannot be kept: it is no text.", code="batch_invalid")
    return dict(details)


def _is_kept(text: str) -> bool:
    return "\0" not in text and text.encode(errors="replace").decode() == text


def ask_for_run(work: UnitOfWork, batch_id: int, *, delay_s: float = 0) -> None:
    """Have a worker work on a batch; once, however often it is asked for."""
    run_after = work.now() + timedelta(seconds=delay_s) if delay_s else None
    enqueue(work, RUN_BATCH, args={"batch_id": batch_id}, unique_key=f"{RUN_BATCH}:{batch_id}", run_after=run_after)


def get_batch(work: UnitOfWork, *, bearer: Bearer, public_id: str, for_update: bool = False) -> Batch:
    """A batch of the key's account. Raises NotFound (``batch_not_found``)."""
    try:
        uuid = str(UUID(public_id.removeprefix("batch_")[:36]))
    except ValueError:
        uuid = ""
    query = select(Batch).where(Batch.uuid == uuid, Batch.namespace_id == bearer.namespace_id)
    found = work.session.scalar(query.with_for_update() if for_update else query)
    if found is None:
        raise NotFound("There is no such batch.", code="batch_not_found")
    return found


def list_batches(work: UnitOfWork, *, bearer: Bearer, range: Range) -> Listed[Batch]:
    """The account's batches, the newest first unless told otherwise. Raises NotFound (``batch_not_found``)."""
    query = select(Batch).where(Batch.namespace_id == bearer.namespace_id)
    after = get_batch(work, bearer=bearer, public_id=range.after).id if range.after else None
    return find_page(work, query, Batch.id, range, after)


def count_results(work: UnitOfWork, rows: Sequence[Batch]) -> dict[int, Counts]:
    """How far batches are, by their ids."""
    found = {row.id: Counts(row.completed, row.failed) for row in rows}
    under_way = [row.id for row in rows if not row.status.is_over]
    if under_way:
        failed = func.sum(case((BatchResult.is_failed, 1), else_=0))
        query = select(BatchResult.batch_id, func.count(), failed).where(BatchResult.batch_id.in_(under_way))
        for id, number, wrong in work.session.execute(query.group_by(BatchResult.batch_id)):
            found[id] = Counts(number - wrong, wrong)
    return found


def cancel_batch(work: UnitOfWork, *, bearer: Bearer, public_id: str) -> Batch:
    """Make no more of its calls; those that are made stay, and are written out.

    Cancelling again changes nothing. Raises NotFound (``batch_not_found``), Conflict (``batch_over``).
    """
    row = get_batch(work, bearer=bearer, public_id=public_id, for_update=True)
    if row.status in (BatchStatus.CANCELLING, BatchStatus.CANCELLED):
        return row
    if row.status.is_over or row.status == BatchStatus.FINALIZING:
        raise Conflict("The batch has ended.", code="batch_over")
    row.status, row.cancelling_at = BatchStatus.CANCELLING, work.now()
    ask_for_run(work, row.id)
    log.info("batch_cancelled", batch=row.public_id, key_id=bearer.key_id)
    return row


def event_id(batch: Batch, custom_id: str) -> str:
    """Of the usage of a line: the same, however often the line is tried. Source: gateway contract, section 1.10."""
    return str(uuid5(UUID(batch.uuid), custom_id))


# What the run that works on a batch does with its row.


def take_lease(context: Context, batch_id: int, *, job_uuid: str, attempt: int) -> tuple[Batch, str] | None:
    """The batch, and the word by which this run works on it; None when another one does, or it is over.

    A job that is tried again has died before: it does not wait for the end of its own lease. One that another holds
    is asked for again when the lease ends.
    """
    job = UUID(job_uuid).hex
    lease = f"{job}:{attempt}"[:_MAX_LEASE]
    with unit_of_work(context) as work:
        now = work.now()
        is_free = or_(Batch.leased_until <= now, Batch.lease.startswith(job))
        taken = work.session.execute(
            update(Batch)
            .where(Batch.id == batch_id, is_free, Batch.status.not_in(OVER))
            .values(lease=lease, leased_until=now + LEASE)
            .execution_options(synchronize_session=False)
        )
        assert isinstance(taken, CursorResult)
        if taken.rowcount:
            return work.session.get_one(Batch, batch_id), lease
        held = work.session.scalar(select(Batch.leased_until).where(Batch.id == batch_id, Batch.status.not_in(OVER)))
        if held is not None:
            ask_for_run(work, batch_id, delay_s=max((held - now).total_seconds(), 1.0))
        return None


def change(context: Context, batch: Batch, lease: str, *, unless_cancelled: bool = False, **values: Any) -> bool:
    """Write to a batch, and go on holding it; False when it is not this run's any more (or, if so asked, cancelled).

    The object that the run has is changed as the row is.
    """
    with unit_of_work(context) as work:
        values.setdefault("leased_until", work.now() + LEASE)
        query = update(Batch).where(Batch.id == batch.id, Batch.lease == lease)
        if unless_cancelled:
            query = query.where(Batch.status != BatchStatus.CANCELLING)
        changed = work.session.execute(query.values(**values).execution_options(synchronize_session=False))
        assert isinstance(changed, CursorResult)
        if not changed.rowcount:
            return False
    for name, value in values.items():
        setattr(batch, name, value)
    return True


def sweep_batches(context: Context) -> int:
    """Have those worked on that nobody works on; forget results that are in files. How many were asked for."""
    with unit_of_work(context) as work:
        idle = select(Batch.id).where(Batch.status.not_in(OVER), Batch.leased_until <= work.now())
        ids = list(work.session.scalars(idle.order_by(Batch.id).limit(1000)))
        for id in ids:
            ask_for_run(work, id)
    with unit_of_work(context) as work:
        # Of those that ended lately: a run that died just then left them.
        since = work.now() - 2 * WINDOW_LENGTH
        over = select(Batch.id).where(Batch.status.in_(OVER), Batch.created_at > since)
        left = list(work.session.scalars(select(BatchResult.batch_id).where(BatchResult.batch_id.in_(over)).distinct()))
    for id in left:
        forget_results(context, id)
    return len(ids)


def forget_results(context: Context, batch_id: int) -> None:
    """Remove a batch's results, some at a time: they are in its files."""
    while True:
        with unit_of_work(context) as work:
            some = select(BatchResult.id).where(BatchResult.batch_id == batch_id).limit(_RESULTS_AT_ONCE)
            ids = list(work.session.scalars(some))
            if ids:
                work.session.execute(delete(BatchResult).where(BatchResult.id.in_(ids)))
        if len(ids) < _RESULTS_AT_ONCE:
            return
