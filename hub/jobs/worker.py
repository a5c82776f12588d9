"""The worker process: RQ's forking worker around ``run.execute``.

RQ brings an id, forks, and guards the time limit; the row decides whether anything runs. Each job has a process of
its own, so that one that leaks, crashes or hangs takes nothing with it.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from enum import Enum
from types import FrameType
from typing import Any, NoReturn

import redis
from rq import Worker as RQWorker
from rq.job import Job as RQJob

from hub.base.context import Context
from hub.base.log import get_logger
from hub.db.engine import DATABASE
from hub.jobs.queue import RedisQueue, connect
from hub.jobs.run import CANCEL_GRACE_S, Interruption, execute, settle_dead
from hub.jobs.scheduler import Scheduler
from hub.jobs.service import QUEUE_NAMES

log = get_logger(__name__)

# How often RQ looks for ids that a killed worker had taken but not started.
_MAINTENANCE_INTERVAL_S = 60
# RQ waits this long in one call for a job, and calls a worker lost after it: short, so that a lost Redis is noticed.
_WORKER_TTL_S = 60

_REDIS_WAIT_S = 1.0
# By which the process tells itself that its loop shall end and begin anew; nobody else sends it.
ANEW_SIGNAL = signal.SIGUSR2

_PR_SET_PDEATHSIG = 1

# RQ calls functions by name and hands them JSON; the context of the worker's process is therefore kept here.
_process_context: Context | None = None


def _context() -> Context:
    if _process_context is None:
        raise RuntimeError("this function is called by RQ inside `hub worker` only")
    return _process_context


def run_job(uuid: str) -> None:
    """What RQ calls in the forked process. Never raises for the job's own failure: the row holds it."""
    interruption = Interruption()
    interruption.listen()
    execute(_context(), uuid, interruption=interruption)


def settle_stopped(rq_job: RQJob, _connection: redis.Redis) -> None:
    """What RQ calls in the worker when a job was stopped and did not end by itself."""
    _settle_killed(rq_job, "The job was stopped.")


def _settle_killed(rq_job: RQJob, reason: str) -> None:
    uuid, _, attempt = rq_job.id.rpartition("-")
    context = _context()
    try:
        settle_dead(context, uuid, attempt=int(attempt), reason=reason, delay_s=None)
    except Exception:
        # The sweep does it once the heartbeat is stale.
        log.exception("job_not_settled", job=uuid)


class Worker(RQWorker):
    """RQ's forking worker with gentle cancellation, and rows that are settled when a job's process dies."""

    log_result_lifespan = False
    max_connection_wait_time = 5.0
    # Held by a scheduler in this process while it works: what a thread holds at a fork stays held in the child.
    fork_lock = threading.Lock()
    is_told_to_stop = False
    is_to_begin_anew = False

    def _install_signal_handlers(self) -> None:
        super()._install_signal_handlers()  # type: ignore[no-untyped-call]
        signal.signal(ANEW_SIGNAL, self._begin_anew)
        if Worker.is_to_begin_anew:  # it was asked for while this worker was not yet listening
            os.kill(os.getpid(), ANEW_SIGNAL)

    def _begin_anew(self, _signum: int, _frame: FrameType | None) -> None:
        """The running job may end, then so does the loop. A signal to stop is still the first one."""
        self.handle_warm_shutdown_request()  # type: ignore[no-untyped-call]
        self._shutdown()  # type: ignore[no-untyped-call]

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        """The first signal: the running job may end."""
        self.is_told_to_stop = True
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]

    def teardown(self) -> None:
        try:
            super().teardown()  # type: ignore[no-untyped-call]
        except (redis.RedisError, OSError):
            # Redis is away and cannot be told; what it remembers of this worker expires.
            listener: Any = self.pubsub_thread
            if listener is not None:
                listener.stop()

    def fork_work_horse(self, job: RQJob, queue: Any) -> None:
        with self.fork_lock:
            # A connection must not cross the fork, not even unused: SQLite's locks belong to the process.
            _context()[DATABASE].dispose()
            super().fork_work_horse(job, queue)

    def handle_work_horse_killed(self, job: RQJob, retpid: int, ret_val: int, rusage: Any) -> None:
        signal_number = os.WTERMSIG(ret_val) if ret_val is not None and os.WIFSIGNALED(ret_val) else None
        how = f"by signal {signal_number}" if signal_number else f"with status {ret_val}"
        _settle_killed(job, f"The job's process was ended {how}.")

    def kill_horse(self, sig: signal.Signals = signal.SIGKILL) -> None:
        """End the job's process and those it started: at once, or after a grace when the job was cancelled."""
        if self._stopped_job_id is None or sig != signal.SIGKILL:
            super().kill_horse(sig)
            return
        pid = self.horse_pid
        if not pid:  # it has just ended; 0 would mean this process's own group
            return
        # To it alone: what it has started, it ends itself, and the rest goes after the grace.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)

        def insist() -> None:
            if self.horse_pid == pid:
                super(Worker, self).kill_horse(signal.SIGKILL)

        timer = threading.Timer(CANCEL_GRACE_S, insist)
        timer.daemon = True
        timer.start()

    def request_force_stop(self, signum: int, frame: FrameType | None) -> None:
        """The second signal: the running job is killed, and goes back to the queue."""
        for number in (signal.SIGTERM, signal.SIGINT):
            # A third signal would only interrupt what the second began.
            signal.signal(number, signal.SIG_IGN)
        try:
            super().request_force_stop(signum, frame)
            # RQ took the signal for an echo of the first.
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self.request_force_stop)
        except SystemExit:
            for execution in list(self.executions.values()):
                with contextlib.suppress(redis.RedisError):
                    _settle_killed(execution.job, "The worker was stopped.")
            raise

    def main_work_horse(self, job: RQJob, queue: Any) -> NoReturn:
        # An orphan would run on beside the job's next attempt.
        die_with_parent(signal.SIGKILL)
        super().main_work_horse(job, queue)
        os._exit(0)


def die_with_parent(sig: signal.Signals) -> None:
    """Have the kernel send this process a signal when its parent dies, however that dies. Linux only."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, sig)


def begin_anew() -> None:
    """Have this process's ``work`` return, once the running job has ended; from any thread."""
    Worker.is_to_begin_anew = True
    os.kill(os.getpid(), ANEW_SIGNAL)


def work(
    context: Context,
    *,
    queues: Sequence[str] = QUEUE_NAMES,
    is_burst: bool = False,
    with_scheduler: bool = False,
) -> bool:
    """Work until a signal says stop: the first lets the running job end, the second puts it back.

    queues: in the order of preference. is_burst: return as soon as the queues are empty. with_scheduler: a thread of
    this process schedules, too, which saves a small machine a process. Returns whether it ended to begin anew
    (``begin_anew``), and nobody has told it to stop.
    """
    global _process_context
    _process_context = context
    # Noted, and looked at as soon as there is a worker to end.
    signal.signal(ANEW_SIGNAL, lambda _number, _frame: None)
    for name in ("rq.worker", "rq.job"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # A client of its own: the worker waits in one command for longer than others may.
    client = connect(context.settings, is_waiting=True)
    with _scheduling(context) if with_scheduler else contextlib.nullcontext():
        while (end := _work_until_stopped_or_lost(client, queues, is_burst=is_burst)) is _End.LOST:
            # RQ gives up when Redis goes away at the wrong moment; nothing is lost by trying again.
            log.warning("worker_tries_again", pid=os.getpid())
    log.info("worker_stopped", pid=os.getpid())
    return end is _End.ANEW


class _End(Enum):
    """Why a worker's loop has ended."""

    STOPPED = "stopped"
    LOST = "lost"  # Redis went away at the wrong moment
    ANEW = "anew"


def _work_until_stopped_or_lost(client: redis.Redis, queues: Sequence[str], *, is_burst: bool) -> _End:
    """Work, and say why it has ended."""
    for number in (signal.SIGTERM, signal.SIGINT):
        # While waiting there is nothing to end gently.
        signal.signal(number, _leave)
    _wait_for_redis(client)
    courier = RedisQueue(client)
    try:
        worker = Worker(
            [courier.rq_queue(name) for name in queues],
            connection=client,
            serializer="json",
            maintenance_interval=_MAINTENANCE_INTERVAL_S,
            worker_ttl=_WORKER_TTL_S,
        )
        log.info("worker_started", queues=",".join(queues), pid=os.getpid())
        worker.work(burst=is_burst, logging_level="WARNING")
    except (redis.RedisError, OSError) as error:
        log.warning("worker_lost_redis", reason=type(error).__name__)
        return _End.LOST
    if is_burst or worker.is_told_to_stop:
        return _End.STOPPED
    return _End.ANEW if Worker.is_to_begin_anew else _End.LOST


def _leave(_number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(0)


def _wait_for_redis(client: redis.Redis) -> None:
    """Return when Redis answers: a worker that comes up first waits for it."""
    while True:
        try:
            client.ping()
            return
        except (redis.RedisError, OSError) as error:
            log.warning("worker_waits_for_redis", reason=type(error).__name__)
            time.sleep(_REDIS_WAIT_S)


@contextlib.contextmanager
def _scheduling(context: Context) -> Iterator[None]:
    scheduler = Scheduler(context, turn=Worker.fork_lock)
    thread = threading.Thread(target=scheduler.run, name="scheduler", daemon=True)
    thread.start()
    try:
        yield
    finally:
        scheduler.stop()
        thread.join()
