"""``hub web``, ``gateway``, ``worker``, ``scheduler``, ``ssh``: one process each, for any supervisor to run."""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from hub.base.loading import loading
from hub.base.log import get_logger
from hub.base.settings import SettingsError
from hub.cli.main import load_context, load_settings

if TYPE_CHECKING:
    from types import FrameType

    from hub.base.context import Context
    from hub.plugin.watch import Watch

# Gunicorn's own: a worker that ends with it ends the server.
_APP_LOAD_ERROR = 4
# How long a start may take on a busy machine.
_REHEARSAL_LIMIT_S = 60.0

# Set by `hub serve`: a pipe that it closes once the database is migrated.
GATE_VARIABLE = "HUB_START_GATE_FD"

# Without the modules of the commands: it runs for as long as the hub, and is to stay small.
SUPERVISOR = (sys.executable, "-P", "-m", "hub.compute.local")
# They become the above, and `hub ssh`, when there is something to do. The hub is found by PYTHONPATH. The last words
# say to whoever lists processes what it will be.
WAITING_SSH = (sys.executable, "-S", "-P", "-c", "from hub.transport.waiting import main; main()", "hub.cli", "ssh")
WAITING_SUPERVISOR = (sys.executable, "-S", "-P", "-c", "from hub.compute.local.waiting import main; main()")


def _load_app(ask_reload: Callable[[], None]) -> Any:
    with loading():
        from hub import app as application
        from hub.http.context import context_of
        from hub.repos.downloads import DOWNLOADS
        from hub.repos.refs import start_reconciling

        application.preload()
        is_started_with_others = _wait_at_gate()
        with _refused_starts():
            app = application.create_app_from_environment()
    context = context_of(app)
    atexit.register(context[DOWNLOADS].close)
    start_reconciling(context)
    if not is_started_with_others:  # `hub serve` says it itself
        _tell_set_up(context)
    _watch(context, ask_reload, pages=True)
    _keep_all()
    return app


def _load_gateway_app(ask_reload: Callable[[], None]) -> Any:
    with loading():
        from hub import app as application

        _wait_at_gate()
        with _refused_starts():
            context = application.build_context_from_environment()
            app = application.create_gateway_app(context)
    _watch(context, ask_reload)
    _keep_all()
    return app


def _wait_at_gate() -> bool:
    """Whether `hub serve` has started this process; then return when the database is migrated."""
    gate = os.environ.get(GATE_VARIABLE)
    if gate:
        # Requests that come meanwhile wait in the socket's backlog instead of finding no tables.
        while os.read(int(gate), 1):
            pass
    return bool(gate)


@contextlib.contextmanager
def _refused_starts() -> Iterator[None]:
    """End the server with the reason where what is set does not let it start."""
    from hub.plugin.states import PluginError

    try:
        yield
    except (SettingsError, PluginError) as error:
        get_logger(__name__).error("start_refused", reason=str(error))
        # By this status the server knows that trying again is of no use.
        sys.exit(_APP_LOAD_ERROR)


def _keep_all() -> None:
    # What is loaded now stays to the end; the collector need not walk through it with every generation.
    gc.collect()
    gc.freeze()


def _tell_set_up(context: Context) -> None:
    from hub.accounts.service.setup import SET_UP
    from hub.base.secrets import SECRET, SET_UP_PURPOSE, spell_code

    with contextlib.suppress(Exception):  # the database may still be on its way
        if context[SET_UP].is_open(context):
            url, code = f"{context.settings.effective_base_url}/setup", spell_code(context[SECRET], SET_UP_PURPOSE)
            get_logger(__name__).warning("set_up_open", url=url, code=code)


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
def gateway() -> None:
    """Run a server of its own for what plugins answer beside the pages: /v1. SIGHUP reloads it, SIGTERM lets it end."""
    from hub.base import log
    from hub.http.server import serve

    settings = load_settings().settings
    if not settings.gateway_port:
        raise click.UsageError("set its port: HUB_GATEWAY_PORT")
    log.configure(level=settings.log_level, style=settings.log_style)
    serve(settings, _load_gateway_app, is_gateway=True)


@click.command()
@click.option("--queue", "queues", multiple=True, help="A queue to work on, in order of preference; default: all.")
@click.option("--burst", is_flag=True, help="Stop when the queues are empty.")
@click.option("--with-scheduler", is_flag=True, help="Schedule periodic jobs, too.")
def worker(queues: tuple[str, ...], burst: bool, with_scheduler: bool) -> None:
    """Run a job worker. SIGTERM lets the running job end, a second one puts it back into the queue."""
    from hub.jobs.service import QUEUE_NAMES
    from hub.jobs.worker import Worker, begin_anew, work

    for name in queues:
        if name not in QUEUE_NAMES:
            raise click.UsageError(f"there is no queue {name!r}; there are: {', '.join(QUEUE_NAMES)}")
    context = load_context(freeze=True)
    if burst:
        work(context, queues=queues or QUEUE_NAMES, is_burst=True, with_scheduler=with_scheduler)
        return
    watch = _watch(context, begin_anew, turn=Worker.fork_lock)
    is_to_begin_anew = work(context, queues=queues or QUEUE_NAMES, with_scheduler=with_scheduler)
    watch.stop()
    if is_to_begin_anew:
        _begin_anew(context)


@click.command()
def scheduler() -> None:
    """Run the scheduler of periodic jobs. Of several, one is active and the others stand by."""
    from hub.jobs.scheduler import Scheduler

    context = load_context(freeze=True)
    loop = Scheduler(context)
    has_changed, is_told_to_stop = threading.Event(), threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        is_told_to_stop.set()
        loop.stop()

    def leave() -> None:
        has_changed.set()
        loop.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    watch = _watch(context, leave)
    loop.run()
    watch.stop()
    if has_changed.is_set() and not is_told_to_stop.is_set():
        _begin_anew(context)


def _watch(
    context: Context,
    on_change: Callable[[], None],
    *,
    pages: bool = False,
    turn: contextlib.AbstractContextManager[object] | None = None,
) -> Watch:
    """A watch that has begun to look. pages: whether this process serves some."""
    from hub.plugin.watch import Watch

    watch = Watch(context, on_change, rehearse=lambda: _rehearse(pages=pages), turn=turn)
    watch.start()
    return watch


def _rehearse(*, pages: bool) -> str:
    """Whether a process with the plugins of now would start: why it would not, or an empty text.

    In a process of its own, so that whatever goes wrong there leaves this one as it is.
    """
    done = subprocess.run(
        [sys.executable, "-P", "-m", "hub.cli", "plugin", "rehearse", *(["--pages"] if pages else [])],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_REHEARSAL_LIMIT_S,
    )
    if not done.returncode:
        return ""
    return " ".join(done.stderr.split()[-60:]) or f"status {done.returncode}"


def _begin_anew(context: Context) -> None:
    """Become the same program again, with the plugins of now. The process keeps its id: its supervisor sees nothing."""
    from hub.db.engine import DATABASE

    context[DATABASE].dispose()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - the very same program


@click.command()
def supervisor() -> None:
    """Run the supervisor of workloads on this machine, which `hub serve` does itself. SIGTERM ends them and it."""
    load_settings()  # what is wrong with them is said in the words of a command
    os.execv(SUPERVISOR[0], SUPERVISOR)  # noqa: S606 - a fixed command


@click.command()
def ssh() -> None:
    """Run the SSH server: Git over SSH with the public keys of the accounts."""
    from hub.transport.ssh import serve

    current = _CurrentContext(lambda: load_context(freeze=True))
    serve(current.get)


class _CurrentContext:
    """A context that is replaced when the licence changes the set of plugins.

    A server whose sessions are long takes the next one from it instead of ending.
    """

    def __init__(self, load: Callable[[], Context]) -> None:
        self._load = load
        self._context = self._renew()

    def get(self) -> Context:
        """The context of now."""
        return self._context

    def _renew(self) -> Context:
        context = self._load()
        _watch(context, self._replace)
        return context

    def _replace(self) -> None:
        from hub.db.engine import DATABASE

        old, self._context = self._context, self._renew()
        # Connections that are in use are closed when they are given back.
        old[DATABASE].dispose()
