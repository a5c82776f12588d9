"""One client's connection as WSGI has it, read by llhttp: for many short requests, and answers that stay open.

Gunicorn's parser and response take longer for the call of a model than all that is done with it. Requests are strictly
those of RFC 9112: what two servers could read differently is refused. There is no HTTP/2 and no ``sendfile`` here.
"""

from __future__ import annotations

import contextlib
import io
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from email.utils import formatdate
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

import gevent
import httptools

from hub.base.log import get_logger

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

log = get_logger(__name__)

MAX_HEAD_BYTES, MAX_HEADERS = 64 * 1024, 100
# A whole head must be there so soon after the answer before it.
HEAD_TIMEOUT_S = 15.0
# A client that neither takes nor sends a byte for this long is gone.
STALL_TIMEOUT_S = 300.0
# So much of a body that nobody wants is taken, so that its sender comes to read why.
_LINGER_BYTES, _LINGER_S = 64 * 1024 * 1024, 10.0
_READ_BYTES = 64 * 1024
# A client faster than its reader would keep the event loop to itself; after this much the others get their turn.
_TURN_BYTES = 8 * 1024 * 1024
_VERSIONS = ("1.0", "1.1")
_WITHOUT_BODY = ("1", "204", "304")
_NAMED_ALONE = {"HTTP_CONTENT_TYPE": "CONTENT_TYPE", "HTTP_CONTENT_LENGTH": "CONTENT_LENGTH"}


class _Refused(Exception):
    """A request that is not served. status: as the answer's first line has it."""

    def __init__(self, status: str) -> None:
        super().__init__(status)
        self.status = status


class _Request:
    """A request whose head is there, and as much of its body as has come and is not yet read."""

    def __init__(self) -> None:
        self.method = ""
        self.version = ""
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.head_bytes = 0
        self.pieces: deque[bytes] = deque()
        self.is_complete = False
        self.may_go_on = False  # whether the client wants to ask more on this connection
        self.waits_for_word = False  # it sends the body when it is told to


class Connection:
    """Serves one client until either side has enough.

    base: what the environments of all requests have in common. is_serving: whether there may be a next request.
    tell_waiting: called with whether the connection waits for a request.
    """

    def __init__(
        self,
        sock: socket.socket,
        app: WSGIApplication,
        base: Mapping[str, Any],
        *,
        is_serving: Callable[[], bool],
        tell_waiting: Callable[[bool], None],
    ) -> None:
        self._socket = sock
        self._app = app
        self._base = base
        self._is_serving = is_serving
        self._tell_waiting = tell_waiting
        self._parser = httptools.HttpRequestParser(self)
        self._coming = _Request()
        self._heads: deque[_Request] = deque()
        self._fault = ""  # the status by which what came is refused
        self._since_turn = 0

    # What the parser calls.

    def on_message_begin(self) -> None:
        self._coming = _Request()

    def on_url(self, piece: bytes) -> None:
        self._coming.url += piece
        self._count_head(len(piece))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._coming.headers.append((name, value))
        self._count_head(len(name) + len(value))
        if name.lower() == b"expect" and value.lower() == b"100-continue":
            self._coming.waits_for_word = True

    def on_headers_complete(self) -> None:
        request, parser = self._coming, self._parser
        request.method, request.version = parser.get_method().decode("ascii"), parser.get_http_version()
        if request.version not in _VERSIONS:
            raise _Refused("400 Bad Request")
        request.may_go_on = parser.should_keep_alive()
        self._heads.append(request)

    def on_body(self, piece: bytes) -> None:
        self._coming.pieces.append(piece)

    def on_message_complete(self) -> None:
        self._coming.is_complete = True

    def _count_head(self, size: int) -> None:
        self._coming.head_bytes += size
        if self._coming.head_bytes > MAX_HEAD_BYTES or len(self._coming.headers) > MAX_HEADERS:
            raise _Refused("431 Request Header Fields Too Large")

    # The way of the requests.

    def serve(self) -> None:
        """Return when the connection is to be closed. Raises OSError when it broke."""
        while (request := self._next()) is not None:
            if not self._answer(request):
                return

    def _next(self) -> _Request | None:
        if not self._heads:
            self._wait()
        if self._heads:
            return self._heads.popleft()
        if self._fault:
            self._refuse(self._fault)
        return None

    def _wait(self) -> None:
        """Until there is a head, or the client has sent what is none, or nothing for too long."""
        self._tell_waiting(True)
        try:
            deadline = time.monotonic() + HEAD_TIMEOUT_S
            while not self._heads and not self._fault:
                self._socket.settimeout(max(deadline - time.monotonic(), 0.001))
                data = self._socket.recv(_READ_BYTES)
                if not data:
                    return
                self._feed(data)
        except TimeoutError:
            return
        finally:
            self._tell_waiting(False)
            self._socket.settimeout(STALL_TIMEOUT_S)

    def _feed(self, data: bytes) -> None:
        while data:
            try:
                self._parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as upgrade:
                # Nothing else is spoken here: the request is one like any other, and so is what follows it.
                data = data[upgrade.args[0] :]
                self._parser = httptools.HttpRequestParser(self)
            except httptools.HttpParserError as error:
                own = error.__context__
                self._fault = own.status if isinstance(own, _Refused) else "400 Bad Request"
                return

    def _refuse(self, status: str) -> None:
        lines = [
            f"HTTP/1.1 {status}",
            "Connection: close",
            "Content-Type: text/plain",
            f"Content-Length: {len(status)}",
        ]
        self._socket.sendall("\r\n".join([*lines, "", status]).encode())
        self._linger()

    def receive_body(self, request: _Request) -> None:
        """Have more of the request's body. Raises ConnectionAbortedError when there will be no more."""
        if request.waits_for_word:
            request.waits_for_word = False
            self._socket.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        data = self._socket.recv(_READ_BYTES) if not self._fault else b""
        if not data:
            raise ConnectionAbortedError("the request's body was cut off")
        self._feed(data)
        self._since_turn += len(data)
        if self._since_turn >= _TURN_BYTES:
            self._since_turn = 0
            gevent.sleep(0)

    def _answer(self, request: _Request) -> bool:
        """Whether the connection goes on."""
        response = Response(self._socket, request, may_go_on=self._is_serving())
        pieces: Iterable[bytes] = ()
        try:
            pieces = self._app(self._environ(request), response.start)
            for piece in pieces:
                response.send(piece)
            response.end()
        except OSError:
            raise
        except Exception:
            log.exception("request_failed", method=request.method)
            if not response.has_begun:
                response.fail()
            return False
        finally:
            close = getattr(pieces, "close", None)
            if close is not None:
                close()
        if not request.is_complete:
            self._linger()
            return False
        return response.may_go_on

    def _linger(self) -> None:
        """Take what is still sent: closing at once would take the answer from the client's hands."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
            deadline, size = time.monotonic() + _LINGER_S, 0
            while size < _LINGER_BYTES and (left_s := deadline - time.monotonic()) > 0:
                self._socket.settimeout(left_s)
                data = self._socket.recv(_READ_BYTES)
                if not data:
                    return
                size += len(data)

    def _environ(self, request: _Request) -> dict[str, Any]:
        path, _, query = request.url.partition(b"?")
        environ = {
            **self._base,
            "REQUEST_METHOD": request.method,
            "RAW_URI": request.url.decode("latin-1"),
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query.decode("latin-1"),
            "SERVER_PROTOCOL": f"HTTP/{request.version}",
            "wsgi.input": io.BytesIO(b"".join(request.pieces))
            if request.is_complete
            else io.BufferedReader(_Body(self, request), _READ_BYTES),
        }
        for name, value in request.headers:
            if b"_" in name:
                # As a variable it would be another header, which a proxy before us may have looked at.
                continue
            key = "HTTP_" + name.decode("latin-1").upper().replace("-", "_")
            key = _NAMED_ALONE.get(key, key)
            text = value.decode("latin-1")
            environ[key] = f"{environ[key]},{text}" if key in environ else text
        return environ


class _Body(io.RawIOBase):
    """A body that is still coming; it is taken from the network as it is read."""

    def __init__(self, connection: Connection, request: _Request) -> None:
        self._connection = connection
        self._request = request

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        pieces = self._request.pieces
        while not pieces:
            if self._request.is_complete:
                return 0
            self._connection.receive_body(self._request)
        view = memoryview(buffer)
        piece = pieces.popleft()
        count = min(len(piece), len(view))
        view[:count] = piece[:count]
        if count < len(piece):
            pieces.appendleft(piece[count:])
        return count


class Response:
    """The answer to one request, as WSGI applications give it. A short one leaves in one piece."""

    def __init__(self, sock: socket.socket, request: _Request, *, may_go_on: bool) -> None:
        self._socket = sock
        self._request = request
        self._head = b""
        self._is_chunked = self._has_no_body = False
        self._left: int | None = None
        self.may_go_on = may_go_on and request.may_go_on
        self.has_begun = False

    def start(self, status: str, headers: Sequence[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
        """What WSGI names ``start_response``."""
        if self.has_begun and exc_info:
            raise exc_info[1].with_traceback(exc_info[2])
        lines = [f"HTTP/1.1 {status}", f"Date: {_now()}", *(f"{name}: {value}" for name, value in headers)]
        length = next((value for name, value in headers if name.lower() == "content-length"), None)
        self._left = int(length) if length is not None else None
        self._has_no_body = self._request.method == "HEAD" or status.startswith(_WITHOUT_BODY)
        self._is_chunked = length is None and not self._has_no_body and self._request.version == "1.1"
        if self._is_chunked:
            lines.append("Transfer-Encoding: chunked")
        # A body without an end of its own ends with the connection, and one that was not read is in the way.
        has_end = self._is_chunked or length is not None or self._has_no_body
        self.may_go_on = self.may_go_on and has_end and self._request.is_complete
        if not self.may_go_on:
            lines.append("Connection: close")
        elif self._request.version == "1.0":
            lines.append("Connection: keep-alive")
        if any("\r" in line or "\n" in line for line in lines):
            raise ValueError("a header holds the end of a line")
        self._head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        return self.send

    def send(self, piece: bytes) -> None:
        """Send a piece of the body, with the head where it is the first."""
        if not piece:
            return
        if self._has_no_body:
            piece = b""
        elif self._is_chunked:
            piece = b"%x\r\n%s\r\n" % (len(piece), piece)
        elif self._left is not None:
            self._left -= len(piece)
            if self._left < 0:
                raise ValueError("the body is longer than was said")
        self._send(piece)

    def end(self) -> None:
        """The body has ended."""
        if self._is_chunked:
            self._send(b"0\r\n\r\n")
        elif not self.has_begun:
            self._send(b"")
        if self._left and not self._has_no_body:
            self.may_go_on = False

    def fail(self) -> None:
        """In place of an answer."""
        self.may_go_on = False
        self.start("500 Internal Server Error", [("Content-Length", "0")])
        self._send(b"")

    def _send(self, data: bytes) -> None:
        if not self.has_begun:
            if not self._head:
                raise RuntimeError("the application has not started its response")
            self.has_begun = True
            data = self._head + data
        if data:
            self._socket.sendall(data)


_told: tuple[int, str] = (0, "")


def _now() -> str:
    """The date as headers have it."""
    global _told
    second = int(time.time())
    if _told[0] != second:
        _told = (second, formatdate(second, usegmt=True))
    return _told[1]
