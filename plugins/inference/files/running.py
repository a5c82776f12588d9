"""The job that works on a batch: a slice of time of it, then others have their turn.

The result of a line is written in the transaction that records its usage. So a line that was counted is never called
again, whenever the worker dies; one that was not may be.
"""

from __future__ import annotations

import io
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import msgspec
from sqlalchemy import select

from hub.plugin import Context, get_logger
from hub.plugin.db import Model, reading, unit_of_work
from hub.plugin.jobs import JobRun
from hub.plugin.metering import Usage, write_usage
from hub.plugin.settings import settings_of
from plugins.inference.files import batches
from plugins.inference.files.finishing import finish
from plugins.inference.files.lines import Line, judge, read_line, split_lines
from plugins.inference.files.models import Batch, BatchResult, BatchStatus, StoredFile
from plugins.inference.files.service import open_file
from plugins.inference.gateway.app import KINDS
from plugins.inference.gateway.caller import Caller, Client
from plugins.inference.gateway.calls import Answer, CallKind
from plugins.inference.gateway.faults import ClientGone, Fault, internal, upstream_failed
from plugins.inference.gateway.ledger import Booking
from plugins.inference.gateway.wire import Request
from plugins.inference.keys import Bearer
from plugins.inference.models import ApiKey
from plugins.inference.settings import InferenceSettings

log = get_logger(__name__)

# So often a run writes down how far it is, and sees whether its batch was cancelled.
_LOOK_S = 1.0
# What may be better later, without a word on when.
_LATER_S = 5.0
_MAX_WAIT_S = 60.0
# An upstream that fails is asked so often for one line (each time the gateway tries several).
_TRIES = 3
MAX_RESULT_BYTES = 16 * 1024 * 1024
# Others who use the key come first: a batch leaves them so much of each of its limits of a minute.
_LEFT = 0.2


@dataclass(frozen=True)
class _Outcome:
    """What became of a line. later_s: it is to be called again after so long; None: it has its result."""

    later_s: float | None = None
    pause_s: float = 0.0
    is_failure: bool = False
    refused: Fault | None = None


def run_batch(run: JobRun, batch_id: int) -> None:
    """The job."""
    taken = batches.take_lease(run.context, batch_id, job_uuid=run.uuid, attempt=run.attempt)
    if taken is None:
        return
    batch, lease = taken
    worker = _Worker(run, batch, lease)
    try:
        worker.work()
    except _LostLease:
        log.warning("batch_taken_over", batch=batch.public_id)
    finally:
        context = run.context
        if batches.change(context, batch, lease, leased_until=context.clock.now()) and not batch.status.is_over:
            with unit_of_work(context) as work:
                batches.ask_for_run(work, batch_id, delay_s=worker.pause_s)


class _Worker:
    """One run of one batch."""

    def __init__(self, run: JobRun, batch: Batch, lease: str) -> None:
        self._run, self._context, self._batch, self._lease = run, run.context, batch, lease
        self._settings = settings_of(run.context, InferenceSettings)
        self._caller = Caller(run.context)
        self._spool = run.context.settings.home / "incoming"
        self._token_hash = ""
        self._paused_until = 0.0
        self._waiting: deque[Line] = deque()
        self._tries: dict[int, int] = {}
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
            outcome = self._outcome()
            self._change(status=BatchStatus.FINALIZING, outcome=outcome, finalizing_at=self._now())
        if batch.status in (BatchStatus.FINALIZING, BatchStatus.CANCELLING):
            finish(self._context, batch, self._lease)

    def _outcome(self) -> BatchStatus:
        if self._refused is not None:
            fault = self._refused
            error = {"code": fault.code, "message": fault.message, "param": None, "line": None}
            self._change(errors=[error])
            return BatchStatus.FAILED
        return BatchStatus.EXPIRED if self._is_late() else BatchStatus.COMPLETED

    def _now(self) -> Any:
        return self._context.clock.now()

    def _is_late(self) -> bool:
        return bool(self._batch.expires_at <= self._now())

    def _change(self, **values: Any) -> bool:
        """Write to the batch unless it was cancelled, which the object says then."""
        if batches.change(self._context, self._batch, self._lease, unless_cancelled=True, **values):
            return True
        with reading(self._context) as work:
            found = work.session.get(Batch, self._batch.id)
            if found is None or found.lease != self._lease:
                raise _LostLease
            self._batch.status = found.status
        return False

    # Whether it can be worked on.

    def _validate(self) -> None:
        batch = self._batch
        kind = self._kind()
        file = self._find_input()
        if kind is None or file is None:
            code, message = (
                ("file_not_found", "The input file is gone.")
                if file is None
                else ("invalid_endpoint", "The gateway has no such endpoint.")
            )
            self._fail([{"code": code, "message": message, "param": None, "line": None}])
            return
        pieces = self._watched(open_file(self._context, file))
        limit = self._settings.max_body_bytes
        verdict = judge(split_lines(pieces, limit_bytes=limit), endpoint=batch.endpoint, limit_bytes=limit)
        if not verdict.errors:
            try:
                self._caller.find_model(self._authenticate(), verdict.model)
            except Fault as fault:
                verdict.refuse(fault.code or fault.type, fault.message)
        if verdict.errors:
            self._fail(verdict.errors, total=verdict.total)
        else:
            self._change(
                status=BatchStatus.IN_PROGRESS, in_progress_at=self._now(), total=verdict.total, model=verdict.model
            )

    def _fail(self, errors: Sequence[Mapping[str, Any]], total: int = 0) -> None:
        self._change(status=BatchStatus.FAILED, failed_at=self._now(), errors=[*errors], total=total)
        log.info("batch_failed", batch=self._batch.public_id, code=errors[0]["code"])

    def _watched(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """The same, while the batch is held."""
        looked_s = time.monotonic()
        for piece in pieces:
            if time.monotonic() - looked_s > _LOOK_S:
                looked_s = time.monotonic()
                self._run.check_cancelled()
                self._change()
            yield piece

    def _kind(self) -> CallKind | None:
        return next((kind for kind in KINDS if self._batch.endpoint in kind.paths), None)

    def _find_input(self) -> StoredFile | None:
        batch = self._batch
        with reading(self._context) as work:
            query = select(StoredFile).where(
                StoredFile.public_id == batch.input_file_id, StoredFile.namespace_id == batch.namespace_id
            )
            return work.session.scalar(query)

    def _authenticate(self) -> Bearer:
        """The key with which the batch was made, as it is now. Raises Fault."""
        if not self._token_hash:
            with reading(self._context) as work:
                query = select(ApiKey.token_hash).where(ApiKey.id == self._batch.key_id)
                self._token_hash = work.session.scalar(query) or ""
        return self._caller.authenticate_hash(self._token_hash)

    # The calls.

    def _call_lines(self) -> bool:
        """Make calls for a slice of time; whether all have their results, or no more are to be made."""
        kind, file = self._kind(), self._find_input()
        if kind is None or file is None:
            self._refused = upstream_failed()
            return True
        lines = self._unread(file)
        ends_s = time.monotonic() + self._settings.batch_slice_s
        under_way: dict[Future[_Outcome], Line] = {}
        done: dict[int, int] = {}
        looked_s, is_read = time.monotonic(), False
        with ThreadPoolExecutor(self._settings.batch_parallel, thread_name_prefix="batch") as pool:
            while True:
                may_begin = self._may_begin(ends_s)
                while may_begin and len(under_way) < self._settings.batch_parallel:
                    line = self._waiting.popleft() if self._waiting else next(lines, None)
                    if line is None:
                        is_read = True
                        break
                    under_way[pool.submit(self._call, kind, line)] = line
                if not under_way and (not may_begin or is_read) and not self._may_wait(ends_s):
                    break
                if under_way:
                    finished, _ = wait(under_way, timeout=_LOOK_S, return_when=FIRST_COMPLETED)
                else:
                    time.sleep(min(self.pause_s, _LOOK_S))
                    finished = set()
                for future in finished:
                    self._take(under_way.pop(future), future.result(), done)
                if time.monotonic() - looked_s > _LOOK_S:
                    looked_s = time.monotonic()
                    self._run.check_cancelled()
                    self._remember(done)
        self._remember(done)
        return (
            self._batch.status != BatchStatus.IN_PROGRESS
            or self._refused is not None
            or (is_read and not self._waiting)
            or self._is_late()
        )

    def _may_begin(self, ends_s: float) -> bool:
        now_s = time.monotonic()
        is_wanted = self._batch.status == BatchStatus.IN_PROGRESS and self._refused is None
        return is_wanted and self._paused_until <= now_s < ends_s and not self._is_late()

    def _may_wait(self, ends_s: float) -> bool:
        """Whether it is worth waiting in this slice until lines may be called again."""
        is_wanted = self._batch.status == BatchStatus.IN_PROGRESS and self._refused is None
        return is_wanted and time.monotonic() < self._paused_until < ends_s and not self._is_late()

    def _unread(self, file: StoredFile) -> Iterator[Line]:
        """The lines that have no result yet. Those before ``next_line`` have one, and a few of the others."""
        batch = self._batch
        with reading(self._context) as work:
            query = select(BatchResult.line).where(
                BatchResult.batch_id == batch.id, BatchResult.line >= batch.next_line
            )
            known = set(work.session.scalars(query))
        pieces = open_file(self._context, file, batch.next_byte)
        limit = self._settings.max_body_bytes
        for line in split_lines(pieces, limit_bytes=limit, number=batch.next_line, byte=batch.next_byte):
            if line.number in known:
                continue
            yield line

    def _take(self, line: Line, outcome: _Outcome, done: dict[int, int]) -> None:
        if outcome.refused is not None:
            self._refused = outcome.refused
            return
        pause_s = max(outcome.pause_s, outcome.later_s or 0.0)
        if pause_s:
            self._paused_until = max(self._paused_until, time.monotonic() + min(pause_s, _MAX_WAIT_S))
        if outcome.later_s is None:
            done[line.number] = line.end_byte
        else:
            self._waiting.append(line)

    def _remember(self, done: dict[int, int]) -> None:
        """Write down up to where all lines have their results, and see whether the batch goes on."""
        batch = self._batch
        line, byte = batch.next_line, batch.next_byte
        while line in done:
            byte = done.pop(line)
            line += 1
        self._run.progress(line, batch.total, "lines")
        self._change(next_line=line, next_byte=byte)

    # One call.

    def _call(self, kind: CallKind, line: Line) -> _Outcome:
        """Call a line, in a thread of its own."""
        written: list[tuple[Sequence[Usage], Mapping[type[Model], Sequence[Mapping[str, Any]]]]] = []

        def keep(_context: Context, *usages: Usage, beside: Any = None) -> None:
            written.append((usages, beside or {}))

        assert line.text is not None
        wanted = read_line(line.text)
        booking = Booking(batches.event_id(self._batch, wanted.custom_id), self._settings.batch_price_percent, keep)
        headers: list[tuple[str, str]] = []
        client = Client(f"{self._batch.public_id}-{line.number}", booking=booking)
        try:
            bearer = self._authenticate()
        except Fault as fault:
            return _Outcome(refused=fault)
        try:
            status, said = self._ask(kind, bearer, client, wanted.body, headers)
        except Fault as fault:
            later_s = self._later(line, fault)
            if later_s is not None:
                self._write(written)
                return _Outcome(later_s)
            status, said = kind.say(fault)
        except Exception as error:
            log.exception("batch_line_failed", batch=self._batch.public_id, line=line.number)
            status, said = kind.say(internal())
            if isinstance(error, ClientGone):
                return _Outcome(_LATER_S)
        result = _result_of(self._batch, line, wanted.custom_id, client.request_id, status, said)
        try:
            self._write(written, result)
        except Exception:
            log.exception("batch_result_not_written", batch=self._batch.public_id, line=line.number)
            return _Outcome(_LATER_S)
        return _Outcome(pause_s=_pause_of(headers))

    def _ask(
        self,
        kind: CallKind,
        bearer: Bearer,
        client: Client,
        body: Mapping[str, Any],
        headers: list[tuple[str, str]],
    ) -> tuple[int, bytes]:
        """As a client would, by the same code; without a connection. Raises Fault."""
        data = msgspec.json.encode(body)
        environ: dict[str, Any] = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": self._batch.endpoint,
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(data)),
            "wsgi.input": io.BytesIO(data),
        }
        asked = kind.read(Request(environ, self._spool), self._settings)
        try:
            answer = self._caller.call(kind, bearer, client, asked, headers)
        finally:
            asked.payload.close()
        # Kinds that batches know answer in JSON, whole, where no stream is asked for.
        assert isinstance(answer, Answer)
        assert isinstance(answer.body, bytes)
        return answer.status, answer.body

    def _later(self, line: Line, fault: Fault) -> float | None:
        """In how many seconds a call that failed may succeed; None: it will not."""
        if fault.code in ("rate_limit_exceeded", "upstream_rate_limited") or fault.status == 503:
            return float(fault.retry_after_s or _LATER_S)
        tries = self._tries[line.number] = self._tries.get(line.number, 0) + 1
        return float(2**tries) if fault.status >= 500 and tries < _TRIES else None

    def _write(
        self,
        written: Sequence[tuple[Sequence[Usage], Mapping[type[Model], Sequence[Mapping[str, Any]]]]],
        result: Mapping[str, Any] | None = None,
    ) -> None:
        """What the gateway wanted to be written, and the result, in one transaction."""
        usages = [usage for some, _ in written for usage in some]
        beside: dict[type[Model], list[Mapping[str, Any]]] = {}
        for _, more in written:
            for model, rows in more.items():
                beside.setdefault(model, []).extend(rows)
        if result is not None:
            beside[BatchResult] = [result]
        write_usage(self._context, *usages, beside=beside)


class _LostLease(Exception):
    """Another run works on the batch, or it is gone: this one stops."""


def _result_of(
    batch: Batch, line: Line, custom_id: str, request_id: str, status: int, said: bytes
) -> Mapping[str, Any]:
    if len(said) > MAX_RESULT_BYTES:
        status, said = 502, upstream_failed().body
    response = {"status_code": status, "request_id": request_id, "body": msgspec.Raw(said)}
    shown = {"id": f"batch_req_{uuid4().hex}", "custom_id": custom_id, "response": response, "error": None}
    body = msgspec.json.encode(shown).decode()
    return {"batch_id": batch.id, "line": line.number, "is_failed": status >= 400, "body": body}


def _pause_of(headers: Sequence[tuple[str, str]]) -> float:
    """How long to leave the key to others: a while, when little is left of one of its limits of a minute."""
    told = dict(headers)
    for word in ("requests", "tokens"):
        limit, left = told.get(f"x-ratelimit-limit-{word}"), told.get(f"x-ratelimit-remaining-{word}")
        if limit is not None and left is not None and int(left) < int(limit) * _LEFT:
            return 2 * _LOOK_S
    return 0.0
