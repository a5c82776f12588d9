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
from collections.abc import Sequence
from types import FrameType
from typing import Any, NoReturn

import redis
from rq import Worker as RQWorker
from rq.job import Job as RQJob

from hub.base.context import Context
from hub.base.log import get_logger
from hub.db.engine import DATABASE
from hub.jobs.queue import REDIS, RedisQueue
from hub.jobs.run import JobCancelled, execute, settle_dead
from hub.jobs.service import QUEUE_NAMES

log = get_logger(__name__)

# A cancelled job has this long for its own cleaning up before its process is killed.
CANCEL_GRACE_S = 10.0
# How often RQ looks for ids that a killed worker had taken but not started.
_MAINTENANCE_INTERVAL_S = 60
# RQ waits this long in one call for a job, and calls a worker lost after it: short, so that a lost Redis is noticed.
_WORKER_TTL_S = 60

_PR_SET_PDEATHSIG = 1

# RQ calls functions by name and hands them JSON; the context of the worker's process is therefore kept here.
_process_context: Context | None = None


def _context() -> Context:
    if _process_context is None:
        raise RuntimeError("this function is called by RQ inside `hub worker` only")
    return _process_context


def run_job(uuid: str) -> None:
    """What RQ calls in the forked process. Never raises for the job's own failure: the row holds it."""
    context = _context()
    # The connections of the parent's pool belong to the parent.
    context[DATABASE].engine.dispose(close=False)
    is_running = True

    def stop(_signal: int, _frame: FrameType | None) -> None:
        if is_running:
            raise JobCancelled

    signal.signal(signal.SIGTERM, stop)
    try:
        execute(context, uuid, interrupt=lambda: os.kill(os.getpid(), signal.SIGTERM))
    except JobCancelled:
        # The signal came between two steps of the run's own book-keeping; the sweep settles the row.
        log.info("job_stopped_outside_its_function", job=uuid)
    finally:
        is_running = False


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
    finally:
        # What the parent holds open, every later job would inherit.
        context[DATABASE].dispose()


class Worker(RQWorker):
    """RQ's forking worker with gentle cancellation, and rows that are settled when a job's process dies."""

    log_result_lifespan = False
    max_connection_wait_time = 5.0

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
        super().kill_horse(signal.SIGTERM)

        def insist() -> None:
            if self.horse_pid == pid:
                super(Worker, self).kill_horse(signal.SIGKILL)

        timer = threading.Timer(CANCEL_GRACE_S, insist)
        timer.daemon = True
        timer.start()

    def request_force_stop(self, signum: int, frame: FrameType | None) -> None:
        """The second signal: the running job is killed, and goes back to the queue."""
        try:
            super().request_force_stop(signum, frame)
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


def work(context: Context, *, queues: Sequence[str] = QUEUE_NAMES, is_burst: bool = False) -> None:
    """Work until a signal says stop: the first lets the running job end, the second kills it.

    queues: in the order of preference. is_burst: return as soon as the queues are empty.
    """
    global _process_context
    _process_context = context
    for name in ("rq.worker", "rq.job"):
        logging.getLogger(name).setLevel(logging.WARNING)
    client = context[REDIS]
    courier = RedisQueue(client)
    # Nothing of the start may stay open: every job's process would inherit it.
    context[DATABASE].dispose()
    worker = Worker(
        [courier.rq_queue(name) for name in queues],
        connection=client,
        serializer="json",
        maintenance_interval=_MAINTENANCE_INTERVAL_S,
        worker_ttl=_WORKER_TTL_S,
    )
    log.info("worker_started", queues=",".join(queues), pid=os.getpid())
    worker.work(burst=is_burst, logging_level="WARNING")
    log.info("worker_stopped", pid=os.getpid())
