"""``hub serve``: everything on one machine, from one command, below one directory."""

from __future__ import annotations

import dataclasses
import errno
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import click

import hub
from hub.base import log
from hub.base.secrets import SET_UP_PURPOSE, load_secret, spell_code
from hub.base.settings import Settings, environment_of
from hub.cli import redis_server
from hub.cli.main import load_settings
from hub.cli.processes import GATE_VARIABLE, WAITING_SSH, WAITING_SUPERVISOR
from hub.cli.redis_server import RedisMissing, RedisServer
from hub.cli.supervisor import Program, StartError, Supervisor, spawn
from hub.transport.waiting import HOST_VARIABLE, PORT_VARIABLE

# Running transfers and jobs have this long when the hub is told to stop.
STOP_LIMIT_S = 30.0
_START_LIMIT_S = 120.0
_REDIS_LIMIT_S = 60.0
# The web server of a supervisor that was killed gives its port free a moment after it.
_PORT_PATIENCE_S = 3.0


@click.command()
@click.option("--host", help="Address to listen on; default: HUB_HOST or 127.0.0.1.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on; default: HUB_PORT or 8080.")
def serve(host: str | None, port: int | None) -> None:
    """Run everything on this machine: web, worker, scheduler, SSH, Redis, workloads. Ctrl-C stops it.

    SIGHUP reloads the web server without dropping a transfer.
    """
    settings = load_settings().settings
    settings = dataclasses.replace(settings, host=host or settings.host, port=port or settings.port)
    log.configure(level=settings.log_level, style=settings.log_style)
    try:
        with _lock_home(settings):
            _check_port(settings.host, settings.port, "HUB_PORT (or --port)")
            if settings.ssh_port:
                _check_port(settings.ssh_host, settings.ssh_port, "HUB_SSH_PORT (0: no SSH)")
            if settings.gateway_port:
                _check_port(settings.host, settings.gateway_port, "HUB_GATEWAY_PORT (0: no gateway of its own)")
            _run(settings)
    except (StartError, RedisMissing) as error:
        raise click.ClickException(str(error)) from None


@contextmanager
def _lock_home(settings: Settings) -> Iterator[None]:
    """Hold the home for this process alone; the kernel lets go of it when the process dies."""
    settings.run_path.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (settings.run_path / "serve.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise StartError(
                f"A hub already runs on {settings.home} (process {lock.read().strip() or 'unknown'}). "
                "Stop it first, or set HUB_HOME to another directory."
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _check_port(host: str, port: int, setting: str) -> None:
    """Return when the address can be listened on. Raises StartError with what to change."""
    deadline = time.monotonic() + _PORT_PATIENCE_S
    while True:
        try:
            family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[
                0
            ]
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
            return
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise StartError(f"The hub cannot listen on {host}:{port}: {error.strerror or error}.") from None
            if time.monotonic() > deadline:
                raise StartError(f"Port {port} on {host} is taken; choose another by {setting}.") from None
        time.sleep(0.1)


def _run(settings: Settings) -> None:
    supervisor = Supervisor()
    try:
        if _start(supervisor, settings):
            _greet(settings)
            supervisor.run()
            log.get_logger(__name__).info("hub_stops", limit_s=STOP_LIMIT_S)
    finally:
        supervisor.stop()


def _start(supervisor: Supervisor, settings: Settings) -> bool:
    """Start all programs; False when a signal came meanwhile. Raises StartError."""
    redis: RedisServer | None = None
    if not settings.redis_url:
        redis = redis_server.prepare(settings)
        settings = dataclasses.replace(settings, redis_url=redis.url)
        supervisor.start(
            Program("redis", redis.command, os.environ, stop_signals=((signal.SIGTERM, 15.0),), stops_last=True)
        )
    environment = _environment(settings)
    # At the limit running transfers are cut off: SIGQUIT.
    web_stop = ((signal.SIGTERM, STOP_LIMIT_S), (signal.SIGQUIT, 5.0))
    # The web server loads while the database is migrated, and answers once that is done.
    migration = spawn(Program("migration", _hub("db", "upgrade"), environment))
    read_gate, write_gate = os.pipe()
    gated = environment | {GATE_VARIABLE: str(read_gate)}
    supervisor.start(Program("web", _hub("web"), gated, web_stop, signal.SIGHUP, (read_gate,)))
    if settings.gateway_port:
        supervisor.start(Program("gateway", _hub("gateway"), gated, web_stop, signal.SIGHUP, (read_gate,)))
    try:
        if redis and not supervisor.wait_until(redis.answers, what="Redis", timeout_s=_REDIS_LIMIT_S):
            return False
        if not supervisor.wait_until(lambda: migration.poll() is not None, what="The migration", timeout_s=3600.0):
            return False
    finally:
        _end(migration)
        # Also when the start has failed: who waits at the gate does not hear that it is told to stop.
        os.close(write_gate)
    if migration.returncode:
        raise StartError("The hub could not be set up; the lines above say why.")
    if not supervisor.wait_until(lambda: _answers(settings), what="The web server", timeout_s=_START_LIMIT_S):
        return False
    for program in _background(settings, environment):
        supervisor.start(program)
    return True


def _end(migration: subprocess.Popen[bytes]) -> None:
    if migration.poll() is None:
        migration.terminate()
        migration.wait()


def _background(settings: Settings, environment: dict[str, str]) -> Iterator[Program]:
    """What the first answer need not wait for."""
    # The second signal puts a running job back into the queue.
    worker_stop = ((signal.SIGTERM, STOP_LIMIT_S - 5.0), (signal.SIGTERM, 5.0))
    for number in range(settings.job_workers):
        # The first worker schedules, too: one process less on a small machine.
        options = ["--with-scheduler"] if number == 0 else []
        yield Program(f"worker-{number + 1}", _hub("worker", *options), environment, worker_stop)
    if not settings.job_workers:
        yield Program("scheduler", _hub("scheduler"), environment)
    if settings.compute == "local":
        # Last of all with Redis: what calls workloads ends before they do. It has time to end them in their order.
        stop = ((signal.SIGTERM, 2.0 * settings.compute_stop_grace_s + 15.0),)
        yield Program("supervisor", WAITING_SUPERVISOR, environment, stop, stops_last=True)
    if settings.ssh_port:
        where = {HOST_VARIABLE: settings.ssh_host, PORT_VARIABLE: str(settings.ssh_port)}
        yield Program("ssh", WAITING_SSH, environment | where, ((signal.SIGTERM, STOP_LIMIT_S),))


def _hub(*arguments: str) -> list[str]:
    # -P: whatever lies in the directory that the hub was started from is not imported.
    return [sys.executable, "-P", "-m", "hub.cli", *arguments]


def _environment(settings: Settings) -> dict[str, str]:
    """This process's variables, with the settings as they are here."""
    # What plugins read comes along as it is: HUB_NAME_KEY, and the tables of the file.
    variables = dict(os.environ) | environment_of(settings, load_settings().origins)
    # A checkout that is not installed is found by its children, too.
    place = str(Path(hub.__file__).parent.parent)
    variables["PYTHONPATH"] = os.pathsep.join(filter(None, [place, os.environ.get("PYTHONPATH")]))
    # Each of glibc's arenas keeps what it was once given; two are enough for processes of few threads.
    variables.setdefault("MALLOC_ARENA_MAX", "2")
    # What was large once and is free now goes back to the machine.
    variables.setdefault("MALLOC_TRIM_THRESHOLD_", "131072")
    # Where in a line something failed is in no trace of ours (``hub.base.log``), so nobody need keep it.
    variables.setdefault("PYTHONNODEBUGRANGES", "1")
    return variables


def _answers(settings: Settings) -> bool:
    return _status_of(settings, "/-/health") > 0


def _waits_for_set_up(settings: Settings) -> bool:
    """Whether there is no administrator: then the page of the set-up leads somewhere."""
    return _status_of(settings, "/setup") in (200, 303)


def _status_of(settings: Settings, path: str) -> int:
    """The status that the web server answers with; 0 without an answer."""
    parts = urlsplit(dataclasses.replace(settings, internal_url="").effective_internal_url)
    try:
        with socket.create_connection((parts.hostname, parts.port), timeout=0.2) as connection:
            connection.settimeout(2.0)
            connection.sendall(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
            line = connection.recv(12).split(b" ")
            return int(line[1]) if line[0].startswith(b"HTTP/1.") and len(line) > 1 else 0
    except (OSError, ValueError):
        return 0


def _command() -> str:
    """How this very hub is called in another terminal, which knows nothing of our environment."""
    script = Path(sys.argv[0])
    return str(script.absolute()) if script.name == "hub" and not os.environ.get("VIRTUAL_ENV") else "hub"


def _greet(settings: Settings) -> None:
    url = settings.effective_base_url
    default_home = Settings().home
    hub = _command() if settings.home == default_home else f"HUB_HOME={settings.home} {_command()}"
    lines = ["", f"  The hub answers at  {url}", f"  Its data lies in    {settings.home}", ""]
    if _waits_for_set_up(settings):
        code = spell_code(load_secret(settings), SET_UP_PURPOSE)
        lines += [
            f"  Set it up in a browser:  {url}/setup",
            f"  Its code, where the browser is on another machine:  {code}",
            "  Or create the first account here:",
            f"    echo PASSWORD | {hub} user create NAME --email NAME@example.org --password-stdin --admin",
            "",
        ]
    lines += [
        "  Get a token to push with (it is the password that git asks for):",
        f"    {hub} token create NAME --name laptop --scope write",
        "  Clone a model:",
        f"    git clone {url}/models/NAMESPACE/NAME.git",
    ]
    if settings.ssh_port:
        lines.append(
            f"    git clone ssh://git@{settings.effective_ssh_host}:{settings.ssh_port}/models/NAMESPACE/NAME.git"
        )
    lines += ["", "  Ctrl-C stops it.", ""]
    click.echo("\n".join(lines))
