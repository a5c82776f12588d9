"""Request bodies read straight from the socket into the reader's buffer.

Gunicorn's own body object copies every byte several times and takes a client that vanished in the middle of a body
of known length for its end. These streams do neither: a body that is cut off raises, so a truncated upload can
never pass for a whole one.
"""

from __future__ import annotations

import io
from typing import Any

import gevent
from gunicorn.http.body import Body, ChunkedReader, LengthReader
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import BadRequest, ClientDisconnected

_BUFFER_BYTES = 64 * 1024
# A client faster than its reader would keep the event loop to itself; after this much the others get their turn.
_TURN_BYTES = 8 * 1024 * 1024


def open_body(body: Body, sock: Any) -> Any:
    """The ``wsgi.input`` for a request: a buffered stream over gunicorn's parsed message.

    Its ``read(n)`` gives n bytes unless the body ends before. Raises ClientDisconnected when the client goes away or
    stalls, and BadRequest for malformed chunks.
    """
    if isinstance(body.reader, LengthReader) and body.reader.length:
        return io.BufferedReader(_SizedBody(body, sock), min(_BUFFER_BYTES, max(body.reader.length, 1)))
    if isinstance(body.reader, ChunkedReader):
        return io.BufferedReader(_ChunkedBody(body), _BUFFER_BYTES)
    return body


class _FairStream(io.RawIOBase):
    """A readable stream that lets other requests run now and then."""

    def __init__(self) -> None:
        self._since_turn = 0

    def readable(self) -> bool:
        return True

    def _count(self, count: int) -> int:
        self._since_turn += count
        if self._since_turn >= _TURN_BYTES:
            self._since_turn = 0
            gevent.sleep(0)
        return count


class _SizedBody(_FairStream):
    """A body with ``Content-Length``. Keeps gunicorn's count of what is left, which finds the next request."""

    def __init__(self, body: Body, sock: Any) -> None:
        super().__init__()
        self._body = body
        self._reader = body.reader
        self._sock = sock
        self._may_be_buffered = True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)[: self._reader.length]
        if not view:
            return 0
        count = self._take_buffered(view) if self._may_be_buffered else 0
        if not count:
            count = self._receive(view)
        self._reader.length -= count
        return self._count(count)

    def _take_buffered(self, view: memoryview) -> int:
        """What came in together with the headers."""
        data = self._reader.unreader.take_buffered()
        count = min(len(data), len(view))
        view[:count] = data[:count]
        if count < len(data):
            self._reader.unreader.unread(data[count:])
        else:
            self._may_be_buffered = False
        return count

    def _receive(self, view: memoryview) -> int:
        try:
            count = int(self._sock.recv_into(view))
        except OSError as error:
            self._body.failed = True
            raise ClientDisconnected from error
        if not count:
            self._body.failed = True
            raise ClientDisconnected
        return count


class _ChunkedBody(_FairStream):
    """A body in chunks, handed on piece by piece as they arrive."""

    def __init__(self, body: Body) -> None:
        super().__init__()
        self._body = body
        self._piece = memoryview(b"")

    def readinto(self, buffer: Any) -> int:
        while not self._piece:
            piece = self._next()
            if piece is None:
                return 0
            self._piece = memoryview(piece)
        view = memoryview(buffer)
        count = min(len(view), len(self._piece))
        view[:count] = self._piece[:count]
        self._piece = self._piece[count:]
        return self._count(count)

    def _next(self) -> bytes | None:
        reader = self._body.reader
        if reader.parser is None:
            return None
        try:
            piece: bytes = next(reader.parser)
        except StopIteration:
            reader.parser = None
            return None
        except OSError as error:
            # Gunicorn's NoMoreData is one, too.
            self._body.failed = True
            raise ClientDisconnected from error
        except ParseException as error:
            self._body.failed = True
            raise BadRequest("The request's chunks are malformed or cut off.") from error
        return piece
