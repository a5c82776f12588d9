"""The web server's master process: gunicorn, configured for a forge and started from Python."""

from __future__ import annotations

import logging
import os
import resource
import signal
import time
from collections.abc import Callable
from typing import Any

from gunicorn import glogging
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.errors import HaltServer
from gunicorn.workers.base import Worker

from hub.base.log import get_logger
from hub.base.settings import Settings
from hub.http.generations import Generations, Signs

log = get_logger(__name__)

# Git and LFS clients pause between the requests of one operation; the pause of a person is longer.
KEEPALIVE_S = 15
# Running transfers may take this long to end after a stop; `hub serve` insists earlier.
GRACEFUL_TIMEOUT_S = 120
# The event loop is called hung after this; a long request does not count, a blocked loop does.
HANG_TIMEOUT_S = 120
# The successors of a worker that does not say within this that it takes no more connections wait no longer.
_LEAVE_LIMIT_S = 5.0
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

    signs: what the process tells the master. predecessors: the signs of those that it replaces.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.signs = Signs()
        self.predecessors: list[Signs] = []

    def init_process(self) -> None:
        # Until the worker proper listens to signals. The handlers of the master, which it has from the fork, would
        # only note them, and nobody reads the notes here.
        for number in (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)

        from gevent import monkey

        monkey.patch_all()
        worker = self.create(self.age, self.ppid, self.sockets, self.app, self.timeout, self.cfg, self.log)
        # The file by whose time the master sees that this process lives.
        worker.tmp.close()
        worker.tmp = self.tmp
        worker.pid = self.pid
        worker.signs, worker.predecessors = self.signs, self.predecessors
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


class _Master(Arbiter):  # type: ignore[misc]  # gunicorn publishes no types
    """Gunicorn's master, with another reload.

    The workers of now serve until their successors can, and only then leave: a start takes seconds, in which
    gunicorn's own would have nobody who answers. Where the successors do not start, those of now stay. And it does
    not wait for the last transfers of those that leave: gunicorn's own stands still until then, and hears no signal
    meanwhile, neither the next reload nor the end.
    """

    def __init__(self, app: Any) -> None:
        super().__init__(app)
        self.WORKERS: dict[int, Any] = {}
        self._outgoing: dict[int, Any] = {}  # they serve until WORKERS do
        self._leaving: dict[int, Any] = {}  # they only end what they have begun
        self._leave_by_s = 0.0
        self._is_asked_again = False
        self._is_stopping = False

    @property
    def outgoing(self) -> list[Any]:
        """The workers that those which are started now replace."""
        return list(self._outgoing.values())

    def reload(self) -> None:
        if self._outgoing:
            # Those that start now may have read what has changed since.
            self._is_asked_again = True
            return
        self._outgoing, self.WORKERS = self.WORKERS, {}
        super().reload()

    def manage_workers(self) -> None:
        super().manage_workers()
        if self._outgoing and all(worker.signs.is_ready for worker in self.WORKERS.values()):
            self._hand_over()
        if self._leaving and time.monotonic() > self._leave_by_s:
            for worker in self._leaving.values():
                worker.signs.has_left = True

    def _hand_over(self) -> None:
        outgoing, self._outgoing = self._outgoing, {}
        self._leave_by_s = time.monotonic() + _LEAVE_LIMIT_S
        self.WORKERS.update(outgoing)
        for pid in outgoing:
            self.kill_worker(pid, signal.SIGTERM)
        self._reload_again()

    def _stay(self, reason: str) -> None:
        """Give up a reload: the workers of now go on."""
        log.error("reload_failed", reason=reason)
        for pid in list(self.WORKERS):
            self.kill_worker(pid, signal.SIGTERM)
        self.WORKERS, self._outgoing = self._outgoing, {}
        self.app.generations.go_back()
        self._reload_again()

    def _reload_again(self) -> None:
        if self._is_asked_again:
            self._is_asked_again = False
            self.reload()

    def kill_worker(self, pid: int, sig: int) -> None:
        super().kill_worker(pid, sig)
        if sig == signal.SIGTERM and not self._is_stopping and pid in self.WORKERS:
            self._leaving[pid] = self.WORKERS.pop(pid)

    def reap_workers(self) -> None:
        try:
            super().reap_workers()
        except HaltServer as halt:
            # A start that tries again would fail again.
            if not self._outgoing or self._is_stopping:
                raise
            self._stay(halt.reason)
            super().reap_workers()
        for workers in (self._leaving, self._outgoing):
            for pid, worker in list(workers.items()):
                try:
                    os.kill(pid, 0)
                except ProcessLookupError:
                    worker.signs.has_left = True
                    worker.tmp.close()
                    del workers[pid]

    def murder_workers(self) -> None:
        # One that hangs is killed, whether it leaves or not.
        serving, self.WORKERS = self.WORKERS, {**self.WORKERS, **self._outgoing, **self._leaving}
        try:
            super().murder_workers()
        finally:
            self.WORKERS = serving

    def stop(self, graceful: bool = True) -> None:
        self._is_stopping = True
        self.WORKERS.update(self._outgoing | self._leaving)
        super().stop(graceful)


def _tell_predecessors(master: _Master, worker: _Worker) -> None:
    """What gunicorn calls in the master before it forks."""
    worker.predecessors = [other.signs for other in master.outgoing]


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
        """What gunicorn calls in the master at SIGHUP, before it starts the next workers."""
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
            "pre_fork": _tell_predecessors,
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
