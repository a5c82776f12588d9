"""The web server's master process: gunicorn, configured for a forge and started from Python."""

from __future__ import annotations

import logging
import mmap
import os
import resource
import signal
import struct
from collections.abc import Callable
from typing import Any

from gunicorn import glogging
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.workers.base import Worker

from hub.base.settings import Settings

# Git and LFS clients pause between the requests of one operation; the pause of a person is longer.
KEEPALIVE_S = 15
# Running transfers may take this long to end after a stop; `hub serve` insists earlier.
GRACEFUL_TIMEOUT_S = 120
# The event loop is called hung after this; a long request does not count, a blocked loop does.
HANG_TIMEOUT_S = 120
CONNECTIONS_PER_WORKER = 1000
# Of streams that stay open, each of which has another connection to who answers.
GATEWAY_CONNECTIONS = 10_000


class _Log(glogging.Logger):  # type: ignore[misc]  # gunicorn publishes no types
    """Gunicorn's lines, sent through the hub's log; its information lines only at level debug."""

    def setup(self, cfg: Any) -> None:
        self.cfg = cfg
        self._access_log_enabled = False
        self.error_log.propagate = True
        self.error_log.setLevel(logging.INFO if cfg.loglevel == "debug" else logging.WARNING)
        self.loglevel = self.error_log.level


class _Worker(Worker):  # type: ignore[misc]  # gunicorn publishes no types
    """Stands for the worker in the master, and becomes it after the fork: the master carries no gevent.

    So gevent also patches the process before anything else in it is imported.
    """

    def init_process(self) -> None:
        from gevent import monkey

        monkey.patch_all()
        worker = self.create(self.age, self.ppid, self.sockets, self.app, self.timeout, self.cfg, self.log)
        # The file by whose time the master sees that this process lives.
        worker.tmp.close()
        worker.tmp = self.tmp
        worker.pid = self.pid
        try:
            worker.init_process()
        finally:
            # The master asks this object whether the start had succeeded.
            self.booted = worker.booted

    def create(self, *arguments: Any) -> Any:
        """The worker proper."""
        from hub.http.gevent_worker import HubWorker

        return HubWorker(*arguments)


class _GatewayWorker(_Worker):
    """The same for `hub gateway`."""

    def create(self, *arguments: Any) -> Any:
        from hub.http.gateway_worker import GatewayWorker

        return GatewayWorker(*arguments)


class Generations:
    """How often the workers were replaced, in memory that the master and all workers share.

    Any worker may find that it should be replaced; the first one of its generation tells the master.
    """

    _LAYOUT = struct.Struct("QQ")  # the generation of now, and the one that was asked for

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, self._LAYOUT.size)
        self._own = 0

    def advance(self) -> None:
        """Begin the next generation; in the master, before it forks the new workers."""
        self._own = self.current + 1
        self._LAYOUT.pack_into(self._memory, 0, self._own, self._own)

    def join(self) -> None:
        """Belong to the generation of now; in a worker, before it loads what may become stale."""
        self._own = self.current

    @property
    def current(self) -> int:
        """The generation whose workers take new connections."""
        return int(self._LAYOUT.unpack_from(self._memory)[0])

    @property
    def is_replaced(self) -> bool:
        """Whether this worker's place is taken, so that it only ends what it has begun."""
        return self.current > self._own

    def ask(self) -> None:
        """Have the master replace the workers; once a generation, but for two that ask in the same instant."""
        current, asked = self._LAYOUT.unpack_from(self._memory)
        if current == self._own and asked <= current:
            # The second word only: the first is the master's.
            struct.pack_into("Q", self._memory, struct.calcsize("Q"), current + 1)
            os.kill(os.getppid(), signal.SIGHUP)


class _Master(Arbiter):  # type: ignore[misc]  # gunicorn publishes no types
    """Gunicorn's master, which does not wait for the workers that it has replaced.

    Gunicorn's own stands still until their last transfers have ended, and hears no signal meanwhile: neither the next
    reload nor the end.
    """

    def __init__(self, app: Any) -> None:
        super().__init__(app)
        self.WORKERS: dict[int, Any] = {}
        self._leaving: dict[int, Any] = {}
        self._is_stopping = False

    def kill_worker(self, pid: int, sig: int) -> None:
        super().kill_worker(pid, sig)
        if sig == signal.SIGTERM and not self._is_stopping and pid in self.WORKERS:
            self._leaving[pid] = self.WORKERS.pop(pid)

    def reap_workers(self) -> None:
        super().reap_workers()
        for pid, worker in list(self._leaving.items()):
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                worker.tmp.close()
                del self._leaving[pid]

    def murder_workers(self) -> None:
        # One that hangs is killed, whether it leaves or not.
        serving, self.WORKERS = self.WORKERS, {**self.WORKERS, **self._leaving}
        try:
            super().murder_workers()
        finally:
            self.WORKERS = serving

    def stop(self, graceful: bool = True) -> None:
        self._is_stopping = True
        self.WORKERS.update(self._leaving)
        super().stop(graceful)


# Takes a function by which the worker has itself and all others replaced; returns the WSGI application.
AppLoader = Callable[[Callable[[], None]], Any]


class HubServer(BaseApplication):  # type: ignore[misc]  # gunicorn publishes no types
    """The gunicorn application. ``load_app`` is called in each worker, after gevent has patched it.

    is_gateway: not the web server but `hub gateway`, with a port and workers of its own.
    """

    def __init__(self, settings: Settings, load_app: AppLoader, *, is_gateway: bool = False) -> None:
        self._settings = settings
        self._load_app = load_app
        self._is_gateway = is_gateway
        self.generations = Generations()
        super().__init__(prog="hub gateway" if is_gateway else "hub web")

    def reload(self) -> None:
        """What gunicorn calls in the master at SIGHUP, before it replaces the workers."""
        self.generations.advance()
        super().reload()

    def load_config(self) -> None:
        settings = self._settings
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        values: dict[str, Any] = {
            "bind": f"{host}:{settings.gateway_port if self._is_gateway else settings.port}",
            "workers": settings.gateway_workers if self._is_gateway else settings.web_workers,
            "worker_class": _GatewayWorker if self._is_gateway else _Worker,
            "worker_connections": GATEWAY_CONNECTIONS if self._is_gateway else CONNECTIONS_PER_WORKER,
            "timeout": HANG_TIMEOUT_S,
            "graceful_timeout": GRACEFUL_TIMEOUT_S,
            "keepalive": KEEPALIVE_S,
            "logger_class": _Log,
            "loglevel": settings.log_level,
            "proc_name": "hub",
            # Gunicorn's own control channel: a thread and a socket that nobody here uses.
            "control_socket_disable": True,
        }
        for name, value in values.items():
            self.cfg.set(name, value)

    def run(self) -> None:
        _Master(self).run()

    def load(self) -> Any:
        self.generations.join()
        return self._load_app(self.generations.ask)


def serve(settings: Settings, load_app: AppLoader, *, is_gateway: bool = False) -> None:
    """Serve until a signal says stop; SIGHUP replaces the workers without dropping a transfer.

    Which proxies may name the client's address is the setting ``trusted_proxies``; which may name the scheme is
    gunicorn's ``FORWARDED_ALLOW_IPS`` (default: loopback).
    """
    if is_gateway:
        _allow_files()
    HubServer(settings, load_app, is_gateway=is_gateway).run()


def _allow_files() -> None:
    """As many open files as the machine lets a process have: each stream is two connections."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
