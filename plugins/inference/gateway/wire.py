"""One request and its answer on the wire, as WSGI has them: beside Flask, which would take longer than the rest."""

from __future__ import annotations

import re
import secrets
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from werkzeug.exceptions import HTTPException

from hub.plugin.wire import address_behind
from plugins.inference.gateway.faults import ClientGone, bad_request, too_large
from plugins.inference.gateway.multipart import Form, read_form

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

_REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Content Too Large",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
    529: "Overloaded",
}
_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}\Z")

Pairs = Sequence[tuple[str, str]]


class _Source:
    """What a client sends, whichever server reads it. One that goes away in the middle raises ClientGone."""

    def __init__(self, source: Any) -> None:
        self._source = source

    def read(self, size: int) -> bytes:
        """So many bytes, or all that there are."""
        try:
            found: bytes = self._source.read(size)
        except (OSError, HTTPException):
            raise ClientGone from None
        return found


class Headers(Mapping[str, str]):
    """A request's headers, whichever letters a name is written in. Few are ever asked for, so none is made before."""

    def __init__(self, environ: WSGIEnvironment) -> None:
        self._environ = environ

    def __getitem__(self, name: str) -> str:
        value: str = self._environ[_key_of(name)]
        return value

    def get(self, name: str, default: Any = None) -> Any:
        return self._environ.get(_key_of(name), default)

    def __iter__(self) -> Iterator[str]:
        return (key[5:].lower().replace("_", "-") for key in self._environ if key[:5] == "HTTP_")

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _key_of(name: str) -> str:
    return f"HTTP_{name.upper().replace('-', '_')}"


class Request:
    """What a client asks. spool: the folder for files that it sends."""

    def __init__(self, environ: WSGIEnvironment, spool: Path) -> None:
        self._environ = environ
        self._spool = spool
        self.method: str = environ["REQUEST_METHOD"]
        self.path: str = environ.get("PATH_INFO", "")
        self.query: str = environ.get("QUERY_STRING", "")
        given = self.header("X-Request-Id")
        self.id = given if _REQUEST_ID.match(given) else secrets.token_hex(8)

    def header(self, name: str) -> str:
        """A header's value; "" without one."""
        return self.headers.get(name) or ""

    @property
    def headers(self) -> Headers:
        """All of them."""
        return Headers(self._environ)

    def address(self, trusted_proxies: str) -> str:
        """Where the client is, as far as proxies that are trusted tell."""
        return address_behind(self._environ.get("REMOTE_ADDR", ""), self.header("X-Forwarded-For"), trusted_proxies)

    @property
    def bearer(self) -> str:
        """The key that it carries; "" without one."""
        scheme, _, value = self.header("Authorization").partition(" ")
        return value.strip() if scheme.lower() == "bearer" else self.header("X-Api-Key")

    @property
    def content_type(self) -> str:
        """What the body is said to be; "" where nothing is."""
        value: str = self._environ.get("CONTENT_TYPE") or ""
        return value

    def read_form(self, limit_bytes: int) -> Form:
        """The form that the body holds, its files on disk; close it. Raises as ``multipart.read_form``."""
        text = self._environ.get("CONTENT_LENGTH") or ""
        size = (int(text) if text.isdecimal() else -1) if text else None
        if size is None and not self._environ.get("wsgi.input_terminated"):
            size = 0
        source = _Source(self._environ["wsgi.input"])
        return read_form(source, self.content_type, size, limit_bytes=limit_bytes, folder=self._spool)

    def read_json(self, limit_bytes: int) -> dict[str, Any]:
        """The body. Raises Fault when it is too large, no JSON, or no object; ClientGone when it ends early."""
        body = self._read(limit_bytes)
        try:
            data = msgspec.json.decode(body)
        except (msgspec.DecodeError, RecursionError):
            raise bad_request("The request's body is no JSON.") from None
        if not isinstance(data, dict):
            raise bad_request("The request's body is no JSON object.")
        return data

    def _read(self, limit_bytes: int) -> bytes:
        environ = self._environ
        text = environ.get("CONTENT_LENGTH") or ""
        source = _Source(environ["wsgi.input"])
        if text:
            size = int(text) if text.isdecimal() else -1
            if not 0 <= size <= limit_bytes:
                raise too_large(limit_bytes)
            body = source.read(size)
            if len(body) < size:
                raise ClientGone
            return body
        if not environ.get("wsgi.input_terminated"):
            return b""
        body = source.read(limit_bytes + 1)
        if len(body) > limit_bytes:
            raise too_large(limit_bytes)
        return body

    def check_client(self) -> None:
        """Raises ClientGone when the client has hung up."""
        if self.has_gone():
            raise ClientGone

    def has_gone(self) -> bool:
        """Whether the client has hung up, as far as this server can tell: nothing is taken from what it sends."""
        connection: socket.socket | None = self._environ.get("gunicorn.socket")
        if connection is None:
            return False
        timeout_s = connection.gettimeout()
        try:
            connection.settimeout(0.0)
            return connection.recv(1, socket.MSG_PEEK) == b""
        except (BlockingIOError, TimeoutError):
            return False
        except (OSError, ValueError):
            return True
        finally:
            connection.settimeout(timeout_s)


def send(
    start_response: StartResponse,
    status: int,
    headers: Pairs,
    body: bytes | Iterable[bytes],
    *,
    content_type: str = "application/json",
) -> Iterable[bytes]:
    """An answer: whole, or piece by piece."""
    length = [("Content-Length", str(len(body)))] if isinstance(body, bytes) else []
    start_response(f"{status} {_REASONS.get(status, 'Unknown')}", [("Content-Type", content_type), *length, *headers])
    return [body] if isinstance(body, bytes) else body


def begin_stream(start_response: StartResponse, headers: Pairs) -> None:
    """The head of an answer that streams."""
    start_response(
        "200 OK",
        [
            ("Content-Type", "text/event-stream; charset=utf-8"),
            ("Cache-Control", "no-cache"),
            ("X-Accel-Buffering", "no"),
            *headers,
        ],
    )
