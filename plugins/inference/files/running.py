"""The job that works on a batch: a slice of time of it, then others have their turn."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime
from typing import Any

from hub.plugin import get_logger
from hub.plugin.db import reading, unit_of_work
from hub.plugin.jobs import JobRun
from hub.plugin.settings import settings_of
from plugins.inference.files import batches
from plugins.inference.files.calling import LineCaller, Outcome, find_kind
from plugins.inference.files.finishing import finish
from plugins.inference.files.input import find_input, unread_lines
from plugins.inference.files.lines import Line, judge, split_lines
from plugins.inference.files.models import Batch, BatchStatus, StoredFile
from plugins.inference.files.service import open_file
from plugins.inference.gateway.faults import Fault, bad_request
from plugins.inference.settings import InferenceSettings

log = get_logger(__name__)

# So often a run writes down how far it is, and sees whether its batch was cancelled.
_LOOK_S = 1.0
_MAX_WAIT_S = 60.0


class _LostLease(Exception):
    """Another run works on the batch, or it is gone: this one stops."""


def run_batch(run: JobRun, batch_id: int) -> None:
    """The job."""
    context = run.context
    taken = batches.take_lease(context, batch_id, job_uuid=run.uuid, attempt=run.attempt)
    if taken is None:
        return
    batch, lease = taken
    worker = _Worker(run, batch, lease)
    try:
        worker.work()
    except _LostLease:
        log.warning("batch_taken_over", batch=batch.public_id)
    finally:
        if batches.change(context, batch, lease, leased_until=context.clock.now()) and not batch.status.is_over:
            with unit_of_work(context) as work:
                batches.ask_for_run(work, batch_id, delay_s=worker.pause_s)


class _Worker:
    """One run of one batch."""

    def __init__(self, run: JobRun, batch: Batch, lease: str) -> None:
        self._run, self._context, self._batch, self._lease = run, run.context, batch, lease
        self._settings = settings_of(run.context, InferenceSettings)
        self._caller = LineCaller(run.context, batch)
        self._paused_until = 0.0
        self._ends_s = time.monotonic() + self._settings.batch_slice_s
        self._looked_s = time.monotonic()
        # Lines that are to be called again; where those end that have a result and follow one that has none yet.
        self._again: deque[Line] = deque()
        self._done: dict[int, int] = {}
        self._refused: Fault | None = None

    @property
    def pause_s(self) -> float:
        """How long there is nothing to be done."""
        return max(0.0, self._paused_until - time.monotonic())

    def work(self) -> None:
        """A slice of the work, whatever is to be done next."""
        batch = self._batch
        if batch.status == BatchStatus.VALIDATING and not self._is_late():
            self._validate()
        if batch.status == BatchStatus.IN_PROGRESS and not self._is_late() and not self._call_lines():
            return
        if batch.status in (BatchStatus.VALIDATING, BatchStatus.IN_PROGRESS):
            self._change(status=BatchStatus.FINALIZING, finalizing_at=self._now(), **self._outcome())
        if batch.status in (BatchStatus.FINALIZING, BatchStatus.CANCELLING):
            finish(self._context, batch, self._lease)

    def _outcome(self) -> dict[str, Any]:
        if self._refused is not None:
            return {"outcome": BatchStatus.FAILED, "errors": [_error_of(self._refused)]}
        return {"outcome": BatchStatus.EXPIRED if self._is_late() else BatchStatus.COMPLETED}

    def _now(self) -> datetime:
        return self._context.clock.now()

    def _is_late(self) -> bool:
        return self._batch.expires_at <= self._now()

    def _change(self, **values: Any) -> None:
        """Write to the batch, unless it was cancelled: then the object says so. Raises _LostLease."""
        if batches.change(self._context, self._batch, self._lease, unless_cancelled=True, **values):
            return
        with reading(self._context) as work:
            found = work.session.get(Batch, self._batch.id)
        if found is None or found.lease != self._lease:
            raise _LostLease
        self._batch.status = found.status

    def _look(self) -> bool:
        """Whether it is time to write down how far the run is; then, whether its job was cancelled."""
        if time.monotonic() - self._looked_s < _LOOK_S:
            return False
        self._looked_s = time.monotonic()
        self._run.check_cancelled()
        return True

    # Whether it can be worked on.

    def _validate(self) -> None:
        batch, limit = self._batch, self._settings.max_body_bytes
        file = find_input(self._context, self._batch)
        if find_kind(batch.endpoint) is None:
            self._fail([_error_of(bad_request("The gateway has no such endpoint.", code="invalid_endpoint"))])
        elif file is None:
            self._fail([_error_of(_file_gone())])
        else:
            pieces = self._watched(open_file(self._context, file))
            verdict = judge(split_lines(pieces, limit_bytes=limit), endpoint=batch.endpoint, limit_bytes=limit)
            if not verdict.errors:
                try:
                    self._caller.check_model(verdict.model)
                except Fault as fault:
                    verdict.errors.append(_error_of(fault))
            if verdict.errors:
                self._fail(verdict.errors, total=verdict.total)
            else:
                begun = {"status": BatchStatus.IN_PROGRESS, "in_progress_at": self._now()}
                self._change(**begun, total=verdict.total, model=verdict.model)

    def _fail(self, errors: Sequence[Mapping[str, Any]], total: int = 0) -> None:
        self._change(status=BatchStatus.FAILED, failed_at=self._now(), errors=[*errors], total=total)
        log.info("batch_failed", batch=self._batch.public_id, code=errors[0]["code"])

    def _watched(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """The same, while the batch is held."""
        for piece in pieces:
            if self._look():
                self._change()
            yield piece

    # The calls.

    def _call_lines(self) -> bool:
        """Make calls for a slice of time; whether all have their results, or no more are to be made."""
        kind, file = find_kind(self._batch.endpoint), find_input(self._context, self._batch)
        if kind is None or file is None:
            self._refused = _file_gone()
            return True
        lines, is_read = self._unread(file), False
        under_way: dict[Future[Outcome], Line] = {}
        with ThreadPoolExecutor(self._settings.batch_parallel, thread_name_prefix="batch") as pool:
            while True:
                while self._may_begin() and len(under_way) < self._settings.batch_parallel:
                    line = self._again.popleft() if self._again else next(lines, None)
                    if line is None:
                        is_read = True
                        break
                    under_way[pool.submit(self._caller.call, kind, line)] = line
                if under_way:
                    for future in wait(under_way, timeout=_LOOK_S, return_when=FIRST_COMPLETED).done:
                        self._take(under_way.pop(future), future.result())
                elif self._may_wait():
                    time.sleep(min(self.pause_s, _LOOK_S))
                elif not self._may_begin() or (is_read and not self._again):
                    break
                if self._look():
                    self._remember()
        self._remember()
        return not self._is_wanted() or (is_read and not self._again)

    def _is_wanted(self) -> bool:
        return self._batch.status == BatchStatus.IN_PROGRESS and self._refused is None and not self._is_late()

    def _may_begin(self) -> bool:
        return self._is_wanted() and self._paused_until <= time.monotonic() < self._ends_s

    def _may_wait(self) -> bool:
        """Whether lines may be called again before the slice is over."""
        return self._is_wanted() and time.monotonic() < self._paused_until < self._ends_s

    def _unread(self, file: StoredFile) -> Iterator[Line]:
        """The lines that have no result yet."""
        for line in unread_lines(self._context, self._batch, file, limit_bytes=self._settings.max_body_bytes):
            if line.has_result:
                self._done[line.number] = line.end_byte
            else:
                yield line

    def _take(self, line: Line, outcome: Outcome) -> None:
        pause_s = max(outcome.pause_s, outcome.later_s or 0.0)
        if pause_s:
            self._paused_until = max(self._paused_until, time.monotonic() + min(pause_s, _MAX_WAIT_S))
        if outcome.refused is not None:
            self._refused = outcome.refused
        elif outcome.later_s is not None:
            self._again.append(line)
        else:
            self._done[line.number] = line.end_byte

    def _remember(self) -> None:
        """Write down up to where all lines have their results, and see whether the batch goes on."""
        batch = self._batch
        line, byte = batch.next_line, batch.next_byte
        while line in self._done:
            byte = self._done.pop(line)
            line += 1
        self._run.progress(line, batch.total, "lines")
        self._change(next_line=line, next_byte=byte)


def _file_gone() -> Fault:
    return bad_request("The input file is gone.", code="file_not_found")


def _error_of(fault: Fault) -> dict[str, Any]:
    """As OpenAI's clients read errors of batches."""
    return {"code": fault.code, "message": fault.message, "param": fault.param, "line": None}
