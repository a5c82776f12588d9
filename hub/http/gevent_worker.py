"""The web server's worker: gunicorn's gevent worker, made for large transfers.

It differs in seven things: files leave by the kernel's ``sendfile``; a short answer leaves in one piece; bodies are
read without copies; after an answer, whoever else waits comes first; a client that stops taking or sending bytes is
dropped; at a reload or stop, connections that wait for a next request are closed instead of waited for; and after a
reload it takes connections from the moment on at which those that it replaces take none.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import IO, Any

import gevent
from gevent import socket
from gevent.server import StreamServer
from gunicorn.http import wsgi
from gunicorn.http.wsgi import FileWrapper
from gunicorn.workers.base_async import AsyncWorker
from gunicorn.workers.ggevent import GeventWorker

from hub.base.log import get_logger
from hub.http.generations import Signs
from hub.http.request_body import open_body

log = get_logger(__name__)

# A client that neither takes nor sends a byte for this long is gone, whatever its connection says.
STALL_TIMEOUT_S = 300.0
# A worker that was replaced has this long for its last transfers; one that is stopped has what the master gives it.
REPLACED_TIMEOUT_S = 24 * 3600
# A connection that has just been accepted has a request under way; one that is idle for longer may be closed.
_IDLE_GRACE_S = 1.0
# So often a worker looks whether those that it replaces have left.
_TAKE_OVER_TURN_S = 0.02

_SENDFILE_CHUNK = 4 * 1024 * 1024
# One fast download must let others run: after this much it goes to the back of the loop's queue.
_SENDFILE_TURN = 16 * 1024 * 1024
_READ_CHUNK = 1024 * 1024
# To copy more than this takes longer than to send twice.
_JOINED_BYTES = 64 * 1024


class FileSegment(FileWrapper):  # type: ignore[misc]  # gunicorn publishes no types
    """A response body that is ``length`` bytes of a file from its current position.

    Given to the server as it is, the bytes never pass through this process; iterated over (HTTPS ended here, or a
    middleware in between), it reads them in pieces. ``Content-Length`` must be set to ``length``.
    """

    def __init__(self, filelike: IO[bytes], length: int) -> None:
        super().__init__(filelike, _READ_CHUNK)
        self._left = length

    def __next__(self) -> bytes:
        data: bytes = self.filelike.read(min(self._left, self.blksize))
        if not data:
            raise StopIteration
        self._left -= len(data)
        return data


class ZeroCopySocket(socket.socket):  # type: ignore[misc]  # gevent publishes no types for its sockets
    """A gevent socket whose ``sendfile`` is the kernel's; gevent's own reads and sends in 8 KiB pieces.

    is_between_requests: what is read next begins a request. Then others that have something to read come first: where
    the next request is there already, to read it at once would let a quick client have the process to itself.
    """

    is_between_requests = False

    def recv(self, *args: Any) -> bytes:
        if self.is_between_requests:
            self.is_between_requests = False
            timeout_s = self.gettimeout()
            socket.wait_read(self.fileno(), timeout=timeout_s, timeout_exc=TimeoutError("client stalled"))
        data: bytes = super().recv(*args)
        return data

    def sendfile(self, file: IO[bytes], offset: int = 0, count: int | None = None) -> int:
        """Send ``count`` bytes (None: up to the end) of a file from ``offset``, and return how many that were.

        Raises ConnectionAbortedError when the file ends before: the promised length cannot be kept then.
        """
        source, target = file.fileno(), self.fileno()
        left = os.fstat(source).st_size - offset if count is None else count
        total, turn = left, 0
        while left:
            try:
                sent = os.sendfile(target, source, offset, min(left, _SENDFILE_CHUNK))
            except BlockingIOError:
                socket.wait_write(target, timeout=self.gettimeout(), timeout_exc=TimeoutError("client stalled"))
                turn = 0
                continue
            if sent == 0:
                raise ConnectionAbortedError("the file became shorter while it was sent")
            offset += sent
            left -= sent
            turn += sent
            if turn >= _SENDFILE_TURN:
                gevent.sleep(0)
                turn = 0
        return total


class _Pieces:
    """In the place of a socket: keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def sendall(self, data: bytes) -> None:
        self.sent.append(data)


class JoiningResponse(wsgi.Response):  # type: ignore[misc]  # gunicorn publishes no types
    """Gunicorn's response, which sends its headers together with the first piece of its body.

    Gunicorn sends one right after the other, and each may wake the client: snapshots are thousands of small files.
    """

    sock: Any

    def write(self, arg: bytes) -> None:
        if self.headers_sent or len(arg) > _JOINED_BYTES:
            super().write(arg)
            return
        pieces, sock = _Pieces(), self.sock
        self.sock = pieces
        try:
            super().write(arg)
        finally:
            self.sock = sock
        sock.sendall(b"".join(pieces.sent))


class HubWorker(GeventWorker):  # type: ignore[misc]  # gunicorn publishes no types
    """See the module.

    signs: what it tells the master. predecessors: the signs of those that it replaces.
    """

    signs: Signs
    predecessors: list[Signs]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._idle_since: dict[Any, float] = {}
        self._servers: list[StreamServer] = []
        # What gunicorn makes a server of each listener with.
        self.server_class = self._create_server

    def _create_server(self, listener: Any, *, spawn: Any, ssl_context: Any = None, **_options: Any) -> StreamServer:
        tls = {"ssl_context": ssl_context} if ssl_context else {}
        server = StreamServer(listener, handle=partial(self.handle, listener), spawn=spawn, **tls)
        if self.cfg.workers > 1:
            server.max_accept = 1
        self._servers.append(server)
        return server

    def run(self) -> None:
        self.signs.is_ready = True
        # The master has those that are replaced leave now. Never do both kinds answer in turn: a page of the new
        # one's, of a plugin that has just come, would lead to addresses that the old one does not know.
        while self.alive and not all(sign.has_left for sign in self.predecessors):
            self.notify()
            gevent.sleep(_TAKE_OVER_TURN_S)
        super().run()

    def handle_exit(self, sig: int, frame: Any) -> None:
        super().handle_exit(sig, frame)
        # At once: gunicorn would go on to take connections for up to a second, and those that replace this wait.
        gevent.spawn(self._leave)

    def _leave(self) -> None:
        # Gunicorn closes the listeners itself, when those that were taken last have begun.
        for server in self._servers:
            server.stop_accepting()
        # Nor does it answer on a connection that was kept once its successors answer on others.
        while self._idle_since:
            self._close_idle()
            gevent.sleep(_TAKE_OVER_TURN_S)
        self.signs.has_left = True

    def _close_idle(self) -> None:
        now = time.monotonic()
        for greenlet, since in list(self._idle_since.items()):
            if now - since > _IDLE_GRACE_S:
                greenlet.kill(exception=StopIteration, block=False)

    wsgi: Callable[[dict[str, Any], Any], Any]

    def load_wsgi(self) -> None:
        super().load_wsgi()
        # Gunicorn's only way to say what it answers HTTP/1 with.
        wsgi.Response = JoiningResponse
        application = self.wsgi

        def with_streams(environ: dict[str, Any], start_response: Any) -> Any:
            environ["hub.sendfile"] = FileSegment
            environ["wsgi.input"] = open_body(environ["wsgi.input"], environ["gunicorn.socket"])
            return application(environ, start_response)

        self.wsgi = with_streams

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        if not self.cfg.is_ssl:
            client = ZeroCopySocket(client.family, client.type, client.proto, fileno=client.detach())
        client.settimeout(STALL_TIMEOUT_S)
        # Past GeventWorker.handle, which only takes the time limit off again.
        AsyncWorker.handle(self, listener, client, addr)

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> Any:
        try:
            is_kept = super().handle_request(listener_name, req, sock, addr)
        except TimeoutError:
            log.info("client_stalled", method=req.method, path=req.path)
            raise StopIteration from None
        if isinstance(sock, ZeroCopySocket):
            sock.is_between_requests = True
        return is_kept

    @contextmanager
    def timeout_ctx(self) -> Iterator[None]:
        # Gunicorn holds this open while it waits for a request on a connection.
        greenlet = gevent.getcurrent()
        self._idle_since[greenlet] = time.monotonic()
        try:
            with gevent.Timeout(self.cfg.keepalive, False):
                yield
        finally:
            self._idle_since.pop(greenlet, None)

    def notify(self) -> None:
        # Called every second, also while the last requests are waited for.
        super().notify()
        if not self.alive:
            if self.app.generations.is_replaced:
                # Nobody waits for this worker to end: others serve meanwhile.
                self.cfg.set("graceful_timeout", REPLACED_TIMEOUT_S)
            self._close_idle()
