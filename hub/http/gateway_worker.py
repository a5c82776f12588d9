"""The worker of `hub gateway`: its life is gunicorn's, as that of the web server's worker, its connections are ours."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import Any

import gevent
from gunicorn.workers.ggevent import GeventWorker

from hub.http.connection import Connection
from hub.http.gevent_worker import HubWorker


class GatewayWorker(HubWorker):
    """See the module."""

    def load_wsgi(self) -> None:
        # Past HubWorker's, which prepares gunicorn's requests.
        GeventWorker.load_wsgi(self)

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        host, port = listener.getsockname()[:2]
        base = {
            "SCRIPT_NAME": "",
            "SERVER_NAME": host,
            "SERVER_PORT": str(port),
            "REMOTE_ADDR": addr[0],
            "REMOTE_PORT": str(addr[1]),
            # By this name applications look whether the client is still there, whatever serves them.
            "gunicorn.socket": client,
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": self.cfg.workers > 1,
            "wsgi.run_once": False,
            "wsgi.input_terminated": True,
        }
        connection = Connection(client, self.wsgi, base, is_serving=lambda: self.alive, tell_waiting=self._note_waiting)
        # StopIteration: the worker is to end, and nobody asked anything here.
        with contextlib.closing(client), contextlib.suppress(OSError, StopIteration):
            connection.serve()

    def _note_waiting(self, waits: bool) -> None:
        greenlet = gevent.getcurrent()
        if waits:
            self._idle_since[greenlet] = time.monotonic()
        else:
            self._idle_since.pop(greenlet, None)
