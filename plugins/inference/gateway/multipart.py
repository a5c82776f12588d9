"""Forms with files, as clients of audio and images send them: spooled to disk, and written anew for each upstream.

Source of the limits: gateway contract, section 1.4.
"""

from __future__ import annotations

import errno
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from hub.plugin.errors import Unavailable
from plugins.inference.gateway.faults import ClientGone, Fault, bad_request, too_large

# A file that is smaller stays in memory.
SPOOL_BYTES = 256 * 1024
MAX_FIELD_BYTES = 1024 * 1024
MAX_PARTS = 100
MAX_NAME_CHARS = 255
_CHUNK = 64 * 1024
_BOUNDARY = re.compile(r"[A-Za-z0-9'()+_,./:=? -]{0,69}[A-Za-z0-9'()+_,./:=?-]\Z")
_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127}\Z")
PLAIN = "application/octet-stream"


@dataclass
class FilePart:
    """One file of a form. filename: without folders; content_type: what the client says it is."""

    name: str
    filename: str
    content_type: str
    file: IO[bytes]
    size_bytes: int


@dataclass
class Form:
    """A form's fields and files, in the order in which they came. Close it: its files are on disk until then."""

    fields: list[tuple[str, str]] = field(default_factory=list)
    files: list[FilePart] = field(default_factory=list)

    def get(self, name: str, default: str = "") -> str:
        """The last field of that name."""
        return dict(self.fields).get(name, default)

    def find_file(self, *names: str) -> FilePart | None:
        """The first file of one of these names."""
        return next((part for part in self.files if part.name in names), None)

    def replaced(self, name: str, value: str) -> Form:
        """The same form, with the same files, in which a field has this one value."""
        return Form([(other, old) for other, old in self.fields if other != name] + [(name, value)], self.files)

    def encode(self) -> Encoded:
        """The form as a body with a boundary of its own. It can be encoded more than once, not side by side."""
        return Encoded(self, secrets.token_hex(16))

    def close(self) -> None:
        """Remove the files."""
        for part in self.files:
            part.file.close()


class Encoded:
    """A form on its way to an upstream: its pieces are made while they are sent."""

    def __init__(self, form: Form, boundary: str) -> None:
        self.content_type = f"multipart/form-data; boundary={boundary}"
        self._form = form
        self._start, self._end = f"--{boundary}\r\n", f"--{boundary}--\r\n".encode()
        self._texts = [self._head(name) + value.encode() + b"\r\n" for name, value in form.fields]
        self._heads = [self._head(part.name, part) for part in form.files]
        sizes = (part.size_bytes + len(b"\r\n") for part in form.files)
        self.size_bytes = sum(map(len, self._texts)) + sum(map(len, self._heads)) + sum(sizes) + len(self._end)

    def _head(self, name: str, part: FilePart | None = None) -> bytes:
        lines = [f'Content-Disposition: form-data; name="{_quoted(name)}"']
        if part is not None:
            lines[0] += f'; filename="{_quoted(part.filename)}"'
            lines.append(f"Content-Type: {part.content_type}")
        return (self._start + "\r\n".join([*lines, "", ""])).encode()

    def pieces(self) -> Iterator[bytes]:
        """The body, from its beginning."""
        yield from self._texts
        for head, part in zip(self._heads, self._form.files, strict=True):
            yield head
            part.file.seek(0)
            left = part.size_bytes
            while left > 0 and (piece := part.file.read(min(_CHUNK, left))):
                left -= len(piece)
                yield piece
            yield b"\r\n"
        yield self._end


def _quoted(text: str) -> str:
    """As browsers write names: nothing in it ends the line or the quotes."""
    return text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


class _Limited:
    """A body that may have so many bytes, and has as many as it announces."""

    def __init__(self, source: Any, size_bytes: int | None, limit_bytes: int) -> None:
        self._source, self._size, self._limit = source, size_bytes, limit_bytes
        self._taken = 0

    def read(self, size: int) -> bytes:
        """Raises Fault when there is too much, ClientGone when it ends early."""
        if self._size is not None:
            size = min(size, self._size - self._taken)
        piece: bytes = self._source.read(size) if size else b""
        self._taken += len(piece)
        if self._taken > self._limit:
            raise too_large(self._limit)
        if not piece and self._size is not None and self._taken < self._size:
            raise ClientGone
        return piece


def read_form(source: Any, content_type: str, size_bytes: int | None, *, limit_bytes: int, folder: Path) -> Form:
    """The form that a body holds. source: has ``read(size)``; size_bytes: None where it ends by itself.

    Raises Fault: it is larger than the limit (before anything is read, when it says so), or is no form; ClientGone when
    it ends early; Unavailable when the disk is full.
    """
    from werkzeug.exceptions import RequestEntityTooLarge
    from werkzeug.formparser import MultiPartParser

    boundary = _boundary_of(content_type)
    if size_bytes is not None and not 0 <= size_bytes <= limit_bytes:
        raise too_large(limit_bytes)
    folder.mkdir(parents=True, exist_ok=True)
    opened: list[IO[bytes]] = []

    def spool(*_: Any, **_more: Any) -> IO[bytes]:
        opened.append(SpooledTemporaryFile(SPOOL_BYTES, dir=str(folder)))  # noqa: SIM115 - the form closes it
        return opened[-1]

    parser = MultiPartParser(
        stream_factory=spool, max_form_memory_size=MAX_FIELD_BYTES, buffer_size=_CHUNK, max_form_parts=MAX_PARTS
    )
    try:
        try:
            # The types know only of files; a source of bytes is all that it takes.
            fields, files = parser.parse(_Limited(source, size_bytes, limit_bytes), boundary, size_bytes)  # type: ignore[arg-type]
        except RequestEntityTooLarge:
            raise _too_much() from None
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise Unavailable("There is no room for the request now; try again later.", code="disk_full") from None
            raise
        except (ValueError, AttributeError):
            # Of a part that has no line after its head the parser says AttributeError.
            raise bad_request("The request's body is no form, or not whole.") from None
        return _form_of(fields, files)
    except BaseException:
        for file in opened:
            file.close()
        raise


def _form_of(fields: Any, files: Any) -> Form:
    form = Form([(name, value) for name, value in fields.items(multi=True)])
    for name, stored in files.items(multi=True):
        size = stored.stream.seek(0, 2)
        stored.stream.seek(0)
        kind = (stored.content_type or "").partition(";")[0].strip()
        kind = kind if _TYPE.match(kind) else PLAIN
        form.files.append(FilePart(name, plain_name(stored.filename or ""), kind, stored.stream, size))
    names = [name for name, _ in form.fields] + [part.name for part in form.files]
    if not all(isinstance(name, str) and 0 < len(name) <= MAX_NAME_CHARS for name in names):
        raise bad_request("A part of the form has no name, or one that is too long.")
    return form


def plain_name(filename: str) -> str:
    """A file's name without folders and without what is no letter, cut to what can be kept; "file" for nothing."""
    last = filename.replace("\\", "/").rpartition("/")[2]
    shown = "".join(letter for letter in last if letter.isprintable()).strip()[-MAX_NAME_CHARS:]
    return shown if shown.strip(".") else "file"


def _boundary_of(content_type: str) -> bytes:
    from werkzeug.http import parse_options_header

    kind, options = parse_options_header(content_type)
    boundary = options.get("boundary", "")
    if kind != "multipart/form-data" or not _BOUNDARY.match(boundary):
        raise bad_request("This route takes a form: multipart/form-data, with a boundary.")
    return boundary.encode("ascii")


def _too_much() -> Fault:
    return bad_request(f"A form has {MAX_PARTS} parts at most, and {MAX_FIELD_BYTES} bytes in a field.")
