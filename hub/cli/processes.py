"""``hub web``, ``hub worker``, ``hub scheduler``, ``hub ssh``: one process each, for any supervisor to run."""

from __future__ import annotations

import gc
import os
import signal
from typing import TYPE_CHECKING, Any

import click

from hub.cli.main import load_context, load_settings

if TYPE_CHECKING:
    from types import FrameType


# Set by `hub serve`: a pipe that it closes once the database is migrated.
GATE_VARIABLE = "HUB_START_GATE_FD"


def _load_app() -> Any:
    from hub.app import create_app_from_environment
    from hub.http.context import context_of
    from hub.repos.refs import start_reconciling

    app = create_app_from_environment()
    gate = os.environ.get(GATE_VARIABLE)
    if gate:
        # Requests that come meanwhile wait in the socket's backlog instead of finding no tables.
        while os.read(int(gate), 1):
            pass
    start_reconciling(context_of(app))
    # What is loaded now stays to the end; the collector need not walk through it with every generation.
    gc.collect()
    gc.freeze()
    return app


@click.command()
def web() -> None:
    """Run the web server: pages, REST, Git over HTTP, LFS. SIGHUP reloads it, SIGTERM lets transfers end."""
    # The master stays small: the application is imported in its workers, after gevent has patched them.
    from hub.base import log
    from hub.http.server import serve

    settings = load_settings().settings
    log.configure(level=settings.log_level, style=settings.log_style)
    serve(settings, _load_app)


@click.command()
@click.option("--queue", "queues", multiple=True, help="A queue to work on, in order of preference; default: all.")
@click.option("--burst", is_flag=True, help="Stop when the queues are empty.")
@click.option("--with-scheduler", is_flag=True, help="Schedule periodic jobs, too.")
def worker(queues: tuple[str, ...], burst: bool, with_scheduler: bool) -> None:
    """Run a job worker. SIGTERM lets the running job end, a second one puts it back into the queue."""
    from hub.jobs.service import QUEUE_NAMES
    from hub.jobs.worker import work

    for name in queues:
        if name not in QUEUE_NAMES:
            raise click.UsageError(f"there is no queue {name!r}; there are: {', '.join(QUEUE_NAMES)}")
    work(load_context(), queues=queues or QUEUE_NAMES, is_burst=burst, with_scheduler=with_scheduler)


@click.command()
def scheduler() -> None:
    """Run the scheduler of periodic jobs. Of several, one is active and the others stand by."""
    from hub.jobs.scheduler import Scheduler

    loop = Scheduler(load_context())

    def stop(_signal: int, _frame: FrameType | None) -> None:
        loop.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    loop.run()


@click.command()
def ssh() -> None:
    """Run the SSH server: Git over SSH with the public keys of the accounts."""
    from hub.transport.ssh import serve

    serve(load_context())
