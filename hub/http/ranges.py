"""Content by the byte: ranges, conditional requests and HEAD, for blobs and LFS objects alike."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any, cast
from urllib.parse import quote

from flask import Response, request

from hub.base.errors import RangeNotSatisfiable

CHUNK_BYTES = 1024 * 1024
# Of more digits than any size has, nothing is made: they are no number that Python would read.
_RANGE = re.compile(r"bytes=([0-9]{0,20})-([0-9]{0,20})\Z")


@dataclass(frozen=True)
class Content:
    """Something that can be sent in parts.

    open_range(start, length) yields exactly those bytes. local_path, when the bytes lie in a plain file at
    offset 0, lets the server send them without copying. etag is unquoted and strong.
    """

    size_bytes: int
    etag: str
    open_range: Callable[[int, int], Iterable[bytes]]
    local_path: Path | None = None
    modified_at: datetime | None = None


def parse_range(header: str | None, size_bytes: int) -> tuple[int, int] | None:
    """(start, length) of a single satisfiable range; None when the whole is to be sent.

    Several ranges, other units and malformed headers are ignored, as RFC 9110 section 14.2 allows.
    Raises RangeNotSatisfiable when the range begins past the end.
    """
    match = _RANGE.match(header.strip()) if header else None
    if not match or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if first == "":
        start, end = max(size_bytes - int(last), 0), size_bytes - 1
        if int(last) == 0:
            start = size_bytes
    else:
        start, end = int(first), min(int(last), size_bytes - 1) if last else size_bytes - 1
        if last and int(last) < start:
            return None
    if start >= size_bytes:
        raise RangeNotSatisfiable("The range begins past the end of the content.", size_bytes=size_bytes)
    return start, end - start + 1


def disposition(filename: str, *, kind: str = "attachment") -> str:
    """A ``Content-Disposition`` value that survives any file name. Source: RFC 6266, appendix D."""
    plain = "".join(char if 32 <= ord(char) < 127 and char not in '"\\%' else "_" for char in filename)
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"


def send_content(
    content: Content, *, mimetype: str = "application/octet-stream", headers: dict[str, str] | None = None
) -> Response:
    """200, 206 or 304 for a GET or HEAD, with ``ETag``, ``Accept-Ranges`` and ``Content-Length``.

    Raises RangeNotSatisfiable (416).
    """
    etag = f'"{content.etag}"'
    is_known = request.method in ("GET", "HEAD") and request.if_none_match.contains_weak(content.etag)
    # A range of other content than the client has begun with is no range at all, wherever it lies.
    is_partial = request.method == "GET" and not is_known and request.headers.get("If-Range", etag).strip() == etag
    window = parse_range(request.headers.get("Range"), content.size_bytes) if is_partial else None
    start, length = window or (0, content.size_bytes)
    response = Response(status=206 if window else 200, mimetype=mimetype)
    response.headers.update({"ETag": etag, "Accept-Ranges": "bytes", "Content-Length": str(length)})
    # A hub's content must never run as a page of the hub.
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response.headers.update(headers or {})
    if content.modified_at:
        response.last_modified = content.modified_at
    if window:
        response.headers["Content-Range"] = f"bytes {start}-{start + length - 1}/{content.size_bytes}"
    if is_known:
        response.status_code = 304
        response.headers.remove("Content-Length")
        return response
    if request.method == "HEAD":
        return response
    response.response = _open_body(content, start, length)
    response.direct_passthrough = True
    return response


def send_part(content: Content, start: int, length: int) -> Response:
    """206 with these bytes, whatever the request's headers ask for: the caller knows that they may be sent."""
    response = Response(_open_body(content, start, length), status=206, mimetype="application/octet-stream")
    response.headers["Content-Length"] = str(length)
    response.headers["Content-Range"] = f"bytes {start}-{start + length - 1}/{content.size_bytes}"
    response.headers["ETag"] = f'"{content.etag}"'
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.direct_passthrough = True
    return response


def _open_body(content: Content, start: int, length: int) -> Iterable[bytes]:
    if content.local_path is None:
        return content.open_range(start, length)
    stream = open(content.local_path, "rb")  # noqa: SIM115 - the server closes it
    stream.seek(start)
    return _file_body(stream, length)


def _file_body(stream: IO[bytes], length: int) -> Iterable[bytes]:
    wrapper = request.environ.get("hub.sendfile")
    if wrapper is not None:
        return cast(Iterable[bytes], wrapper(stream, length))
    return FileChunks(stream, length)


class FileChunks:
    """The next ``length`` bytes of a file in pieces, closing it at the end."""

    def __init__(self, stream: IO[bytes], length: int) -> None:
        self._stream = stream
        self._left = length

    def __iter__(self) -> FileChunks:
        return self

    def __next__(self) -> bytes:
        piece = self._stream.read(min(CHUNK_BYTES, self._left))
        if not piece:
            self.close()
            raise StopIteration
        self._left -= len(piece)
        return piece

    def close(self) -> Any:
        """Close the file; the server calls it when the client has gone, too."""
        self._stream.close()
