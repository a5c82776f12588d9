"""One run of one job: claim the row, call the function, keep the row true, settle it.

Nothing here knows RQ: the worker, Lite and the tests all call ``execute``.
"""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from dataclasses import dataclass
from datetime import timedelta
from types import FrameType
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.exc import IntegrityError

from hub.base.context import Context
from hub.base.errors import Denied, HubError, Invalid, NotFound
from hub.base.log import bind, get_logger, unbind
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.jobs.models import Job, JobState
from hub.jobs.queue import send_after_commit
from hub.jobs.service import JOBS, JobSpec

log = get_logger(__name__)

HEARTBEAT_S = 5.0
PROGRESS_S = 0.5
CANCEL_LOOK_S = 1.0
# A cancelled job has this long for its own cleaning up before its process is killed.
CANCEL_GRACE_S = 10.0
# What a plugin was asked for waits for it: its licence may come back, its upgrade may end.
PLUGIN_WAIT_S = 300.0
PLUGIN_PATIENCE_S = 7 * 24 * 3600.0
MAX_LOG_BYTES = 64 * 1024
MAX_ERROR_CHARS = 4000

_CREDENTIALS_IN_URL = re.compile(r"(\w+://)[^/\s@]+@")
_CREDENTIALS_BY_NAME = re.compile(
    r"(?i)\b(password|passwd|secret|token|api[-_]?key|authorization)(['\"]?\s*[=:]\s*)\S+"
)


class JobCancelled(BaseException):
    """Raised inside a job that somebody cancelled.

    It passes ``except Exception`` blocks on its way out, as ``KeyboardInterrupt`` does: a job that catches its own
    errors must still be stoppable.
    """


class Interruption:
    """Makes ``JobCancelled`` rise in a job that runs in a process of its own, wherever the job is waiting.

    It rises once, and only while the job's own function runs: neither its cleaning up nor the run's book-keeping is
    cut off by a second request.
    """

    def __init__(self) -> None:
        self.is_armed = False
        self._asked_at: float | None = None

    def listen(self) -> None:
        """Take SIGTERM for the request; in the process's main thread, where the job runs."""
        signal.signal(signal.SIGTERM, self._on_signal)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self.is_armed:
            self.is_armed = False
            raise JobCancelled

    def insist(self) -> None:
        """Ask from another thread; who asks again after the grace kills the process and what it started."""
        now = time.monotonic()
        if self._asked_at is None:
            self._asked_at = now
        if now - self._asked_at < CANCEL_GRACE_S:
            os.kill(os.getpid(), signal.SIGTERM)
        else:
            os.killpg(os.getpgrp(), signal.SIGKILL)


@dataclass(frozen=True)
class _Claim:
    """What a run holds of the row that it claimed. ``attempt`` tells this run from any other of the same row."""

    id: int
    uuid: str
    name: str
    args: dict[str, Any]
    attempt: int
    log: str


class JobRun:
    """What a job function gets: the context, and how to report.

    Reports are kept here and written by a thread of the run's own, so that they may be made inside a unit of work
    and as often as one likes; the row follows at most every half second.
    """

    def __init__(self, context: Context, claim: _Claim, interruption: Interruption | None) -> None:
        self.context = context
        self.uuid = claim.uuid
        self.name = claim.name
        self.attempt = claim.attempt
        self._claim = claim
        self._interruption = interruption
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._ending = threading.Event()
        self._is_cancelled = False
        self._looked_at = time.monotonic()
        self._log = claim.log
        self._changes: dict[str, Any] = {}
        self._thread = threading.Thread(target=self._keep, name=f"job-{claim.id}", daemon=True)

    def progress(self, done: int, total: int | None = None, unit: str = "") -> None:
        """Say how far the job is: ``done`` of ``total`` (None: not known) bytes, rows, steps, ..."""
        with self._lock:
            self._changes.update(progress_done=done, progress_total=total, progress_unit=unit[:16])
        self._wake.set()

    def log(self, text: str) -> None:
        """Add lines to the job's log, of which the last 64 KiB are kept. Never put secrets there."""
        with self._lock:
            self._log = _tail(self._log + (text if text.endswith("\n") else text + "\n"))
            self._changes["log"] = self._log
        self._wake.set()

    def check_cancelled(self) -> None:
        """Raise JobCancelled when somebody has cancelled the job. Cheap: the row is read at most once a second."""
        if not self._is_cancelled and time.monotonic() - self._looked_at >= CANCEL_LOOK_S:
            self._looked_at = time.monotonic()
            with reading(self.context) as work:
                row = work.session.execute(
                    select(Job.is_cancel_requested, Job.state, Job.attempt).where(Job.id == self._claim.id)
                ).first()
            if row is None or row[0] or (row[1], row[2]) != (JobState.RUNNING, self.attempt):
                self._is_cancelled = True
        if self._is_cancelled:
            raise JobCancelled

    def start(self) -> None:
        """Begin to keep the row: heartbeat and reports."""
        self._thread.start()

    def end(self) -> dict[str, Any]:
        """Stop keeping the row; the reports that are not written yet."""
        self._ending.set()
        self._wake.set()
        self._thread.join()
        with self._lock:
            changes, self._changes = self._changes, {}
        return changes

    def _keep(self) -> None:
        """The thread: write what was reported, at least the heartbeat, and notice a cancellation."""
        while True:
            is_reported = self._wake.wait(HEARTBEAT_S)
            if self._ending.is_set():
                return
            self._wake.clear()
            try:
                self._write()
            except Exception as error:
                # A database that is away for a moment must not end the job; the next beat tries again.
                log.warning("job_heartbeat_failed", job=self.uuid, reason=type(error).__name__)
            if self._is_cancelled and self._interruption is not None:
                self._interruption.insist()
            if is_reported:
                self._ending.wait(PROGRESS_S)

    def _write(self) -> None:
        with self._lock:
            changes, self._changes = self._changes, {}
        try:
            with unit_of_work(self.context) as work:
                is_ours = _update(work, self._claim, heartbeat_at=work.now(), **changes)
                wanted = select(Job.is_cancel_requested).where(Job.id == self._claim.id)
                if not is_ours or work.session.scalar(wanted):
                    self._is_cancelled = True
        except BaseException:
            with self._lock:
                self._changes = {**changes, **self._changes}
            raise


def _tail(text: str) -> str:
    """The last 64 KiB of a text, from the start of a line where there is one."""
    data = text.encode(errors="replace")
    if len(data) <= MAX_LOG_BYTES:
        return text
    kept = data[-MAX_LOG_BYTES:].decode(errors="ignore")
    return kept.partition("\n")[2] or kept


def _update(work: UnitOfWork, claim: _Claim, **values: Any) -> bool:
    """Write to the row if it is still this run's; False when a sweep has given it to another."""
    result = work.session.execute(
        update(Job)
        .where(Job.id == claim.id, Job.state == JobState.RUNNING, Job.attempt == claim.attempt)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    assert isinstance(result, CursorResult)
    return bool(result.rowcount)


def _claim(context: Context, uuid: str) -> _Claim | None:
    """Take a queued job that is due; None when another run has it, or it was cancelled. Compare and set."""
    with unit_of_work(context) as work:
        now = work.now()
        result = work.session.execute(
            update(Job)
            .where(Job.uuid == uuid, Job.state == JobState.QUEUED, Job.run_after <= now)
            .values(
                state=JobState.RUNNING,
                attempt=Job.attempt + 1,
                started_at=now,
                heartbeat_at=now,
                finished_at=None,
                error="",
                progress_done=0,
                progress_total=None,
                progress_unit="",
            )
            .execution_options(synchronize_session=False)
        )
        assert isinstance(result, CursorResult)
        if not result.rowcount:
            return None
        job = work.session.scalars(select(Job).where(Job.uuid == uuid)).one()
        return _Claim(job.id, job.uuid, job.name, job.args, job.attempt, job.log)


def execute(context: Context, uuid: str, *, interruption: Interruption | None = None) -> JobState | None:
    """Run a queued job to its end and say how it ended: QUEUED means that it will be tried again.

    None when there was nothing to run: a second delivery, a cancelled job, one that is not due.
    interruption: how a cancellation reaches a job that does not look for it; None: it must look.
    """
    claim = _claim(context, uuid)
    if claim is None:
        log.debug("job_not_claimed", job=uuid)
        return None
    token = bind(job=uuid)
    try:
        return _run(context, claim, interruption)
    finally:
        unbind(token)


def _run(context: Context, claim: _Claim, interruption: Interruption | None) -> JobState:
    started = time.monotonic()
    run = JobRun(context, claim, interruption)
    run.start()
    error: BaseException | None = None
    try:
        try:
            function = _spec_of(context, claim.name).load()
            if interruption is not None:
                interruption.is_armed = True
            function(run, **claim.args)
        finally:
            if interruption is not None:
                interruption.is_armed = False
    except (Exception, JobCancelled) as caught:
        error = caught
        if not isinstance(caught, HubError | JobCancelled):
            log.exception("job_raised", name=claim.name, attempt=claim.attempt)
    finally:
        changes = run.end()
    if error is None:
        state = _settle(context, claim, changes)
    elif isinstance(error, JobCancelled):
        state = _settle(context, claim, changes, error="The job was interrupted.", delay_s=0.0)
    elif isinstance(error, _JobUnknown):
        state = _settle(
            context,
            claim,
            changes,
            error=str(error),
            may_retry=False,
            delay_s=PLUGIN_WAIT_S,
            patience_s=PLUGIN_PATIENCE_S,
        )
    else:
        state = _settle(context, claim, changes, error=describe(error), may_retry=_may_succeed_later(error))
    took_s = round(time.monotonic() - started, 3)
    log.info("job_ended", name=claim.name, state=state.value, attempt=claim.attempt, took_s=took_s)
    return state


class _JobUnknown(NotFound):
    """No plugin that runs has a job of that name."""

    code = "job_unknown"


def _spec_of(context: Context, name: str) -> JobSpec:
    spec = context[JOBS].find(name)
    if spec is None:
        raise _JobUnknown(f"No job is registered under the name {name!r}: its plugin is locked, disabled or gone.")
    return spec


def _may_succeed_later(error: BaseException) -> bool:
    # What was refused as such, or is gone, is refused again.
    return not isinstance(error, Invalid | Denied | NotFound)


def describe(error: BaseException) -> str:
    """An error in words for the job's page: type and message, without anything that looks like a credential."""
    text = str(error) if isinstance(error, HubError) else f"{type(error).__name__}: {error}"
    text = _CREDENTIALS_IN_URL.sub(r"\1***@", text)
    text = _CREDENTIALS_BY_NAME.sub(r"\1\2***", text)
    return text[:MAX_ERROR_CHARS]


def _settle(
    context: Context,
    claim: _Claim,
    changes: dict[str, Any],
    *,
    error: str | None = None,
    may_retry: bool = True,
    delay_s: float | None = None,
    patience_s: float = 0.0,
) -> JobState:
    """Write how the run ended. A failed one is queued again while attempts are left, after a pause.

    One that failed after it was asked to stop is cancelled; a stop that nobody asked for (the whole machine is being
    shut down) is a failure like any other. delay_s: the pause; None: the job's own back-off. patience_s: for so long
    after it was asked for, this failure costs the job no attempt.
    """
    with unit_of_work(context) as work:
        job = work.session.scalars(select(Job).where(Job.id == claim.id).with_for_update()).one_or_none()
        if job is None or job.state != JobState.RUNNING or job.attempt != claim.attempt:
            return JobState.CANCELLED if job is None else job.state
        for name, value in changes.items():
            setattr(job, name, value)
        if error is None:
            _finish(work, job, JobState.SUCCEEDED)
        elif job.is_cancel_requested:
            _finish(work, job, JobState.CANCELLED)
        elif work.now() - job.created_at < timedelta(seconds=patience_s):
            job.max_attempts += 1
            _queue_again(work, job, error, delay_s or 0.0)
        elif not may_retry or job.attempt >= job.max_attempts:
            _finish(work, job, JobState.FAILED, error)
        else:
            spec = context[JOBS].find(job.name)
            if delay_s is None:
                delay_s = spec.backoff_after(job.attempt) if spec else 60.0
            _queue_again(work, job, error, delay_s)
        return job.state


def _finish(work: UnitOfWork, job: Job, state: JobState, error: str = "") -> None:
    job.state = state
    job.error = error
    job.finished_at = work.now()


def _queue_again(work: UnitOfWork, job: Job, error: str, delay_s: float) -> None:
    try:
        with work.session.begin_nested():
            job.state = JobState.QUEUED
            job.error = error
            job.run_after = work.now() + timedelta(seconds=delay_s)
            job.started_at = job.heartbeat_at = None
    except IntegrityError:
        # Somebody has asked for the same again meanwhile: that job does what this one did not.
        work.session.refresh(job)
        _finish(work, job, JobState.FAILED, f"{error}\nA newer job of the same kind takes its place.")
        return
    if delay_s <= 0:
        send_after_commit(work, job)


def settle_dead(context: Context, uuid: str, *, attempt: int, reason: str, delay_s: float | None = 0.0) -> JobState:
    """Settle a run whose process is gone: cancelled if that was asked, else queued again or failed."""
    with reading(context) as work:
        job = work.session.scalar(select(Job).where(Job.uuid == uuid))
    if job is None:
        return JobState.CANCELLED
    claim = _Claim(job.id, job.uuid, job.name, job.args, attempt, job.log)
    state = _settle(context, claim, {}, error=reason, delay_s=delay_s)
    log.warning("job_run_died", job=uuid, name=job.name, attempt=attempt, reason=reason, state=state.value)
    return state


def run_due(context: Context, *, limit: int = 100) -> int:
    """Run queued jobs that are due in this process, oldest first, with those that they ask for; how many ran.

    For Lite, commands and tests, where no worker runs. ``limit`` keeps jobs that ask for themselves from staying.
    """
    ran = 0
    while ran < limit:
        with reading(context) as work:
            due = select(Job.uuid).where(Job.state == JobState.QUEUED, Job.run_after <= work.now())
            uuid = work.session.scalar(due.order_by(Job.run_after, Job.id).limit(1))
        if uuid is None:
            return ran
        execute(context, uuid)
        ran += 1
    return ran
