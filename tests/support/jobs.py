"""Jobs for tests, and ``python -m tests.support.jobs``: a real worker that knows them.

Each job reports by files below a directory of the test's, so that a test can wait for what another process did.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from hub.app import build_context
from hub.base import log
from hub.base.context import Context
from hub.base.settings import load
from hub.db.uow import unit_of_work
from hub.jobs.run import JobRun, execute
from hub.jobs.service import JobSpec, enqueue, register
from hub.jobs.worker import begin_anew, work


def run_now(context: Context, name: str, **args: Any) -> None:
    """Queue a job and run it in this process, as a worker would."""
    with unit_of_work(context) as work:
        uuid = enqueue(work, name, args=args).uuid
    execute(context, uuid)


def note(run: JobRun, *, directory: str) -> None:
    """Leave one file for each run."""
    (Path(directory) / f"ran-{run.uuid}-{run.attempt}").touch()
    run.progress(3, 3, "steps")
    run.log("noted")


def fail(run: JobRun, *, directory: str, times: int) -> None:
    """Raise in the first ``times`` attempts."""
    note(run, directory=directory)
    if run.attempt <= times:
        raise OSError(f"attempt {run.attempt} of postgresql://ada:secret-word@db/hub failed")


def crash(run: JobRun, *, directory: str) -> None:
    """Die by SIGKILL in the first attempt, as a process does that ran out of memory."""
    note(run, directory=directory)
    if run.attempt == 1:
        os.kill(os.getpid(), signal.SIGKILL)


def wait(run: JobRun, *, directory: str) -> None:
    """In the first attempt, wait for the end of a program that does not end; note how one left."""
    note(run, directory=directory)
    if run.attempt > 1:
        return
    place = Path(directory)
    child = subprocess.Popen(["sleep", "600"])
    try:
        (place / "pid.new").write_text(str(os.getpid()))
        (place / "pid.new").rename(place / "pid")
        child.wait()
    finally:
        child.kill()
        child.wait()
        (place / "cleaned-up").touch()


def ignore(run: JobRun, *, directory: str) -> None:
    """Swallow every exception, as badly written jobs do."""
    note(run, directory=directory)
    while True:
        try:
            time.sleep(600)
        except Exception:
            continue


def register_jobs(context: Context, **changes: Any) -> None:
    """Register these jobs, without pauses between attempts."""
    for function in (note, fail, crash, wait, ignore):
        spec = {"backoff_s": (0,), **changes}
        register(context, JobSpec(f"test.{function.__name__}", f"tests.support.jobs:{function.__name__}", **spec))


# The exit status of a worker that has ended to begin anew.
ANEW_STATUS = 7


def main() -> None:
    """Work until told to stop; SIGUSR1 asks to begin anew, as a change of plugins does."""
    log.configure(level="info")
    context = build_context(load().settings)
    register_jobs(context)
    signal.signal(signal.SIGUSR1, lambda _number, _frame: threading.Thread(target=begin_anew).start())
    if work(context, with_scheduler=bool(os.environ.get("TEST_WITH_SCHEDULER"))):
        sys.exit(ANEW_STATUS)


if __name__ == "__main__":
    main()
