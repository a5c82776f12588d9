"""The body of a commit: one JSON object a line, read as it comes in, contents put on disk one by one.

Sources: CSGHub contract, section 3.7; Hugging Face contract, section 7.4.
"""

from __future__ import annotations

import base64
import binascii
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hub.base.errors import Invalid, TooLarge
from hub.base.offload import offload

MIB = 1024 * 1024
# Base64 makes four bytes of three, and the path and the JSON around it take some.
MIN_LINE_BYTES = 28 * MIB
_MAX_OTHER_BYTES = MIB
_READ_BYTES = 256 * 1024


@dataclass(frozen=True)
class Written:
    """A file with its content, which lies at ``content`` while the request lasts."""

    path: str
    content: Path


@dataclass(frozen=True)
class Linked:
    """A file whose content was sent to LFS before. size_bytes: None when the client does not say."""

    path: str
    oid: str
    size_bytes: int | None


@dataclass(frozen=True)
class Removed:
    """A file, or a directory with all below it, that goes."""

    path: str
    is_directory: bool


@dataclass(frozen=True)
class Copied:
    """A file that is taken from another path. revision: "" for the branch that is written to."""

    path: str
    source: str
    revision: str


Step = Written | Linked | Removed | Copied


@dataclass
class CommitRequest:
    """What a commit shall hold. parent: the commit that the branch must be at; None: whatever it is at."""

    message: str = ""
    parent: str | None = None
    steps: list[Step] = field(default_factory=list)


def line_limit(max_file_bytes: int) -> int:
    """How long a line may be where files of this size are sent in one."""
    return max(MIN_LINE_BYTES, max_file_bytes * 4 // 3 + _MAX_OTHER_BYTES)


def read_commit(
    stream: Any, folder: Path, *, max_line_bytes: int, max_steps: int, is_strict: bool = False
) -> CommitRequest:
    """The request, its contents in files of the folder. At no time is more than one line of it in memory.

    stream: the body. is_strict: refuse paths such as "/a", "./a" and "a/", which the CSGHub SDK sends for "a".
    Raises Invalid, TooLarge.
    """
    asked = CommitRequest()
    has_header = False
    for number, line in enumerate(_lines(stream, max_line_bytes), start=1):
        key, value = offload(_parse_line, line, number, folder / str(number))
        if key == "header":
            asked.message, asked.parent = _message_of(value), _optional_text(value, "parentCommit") or None
            has_header = True
            continue
        if len(asked.steps) >= max_steps:
            raise TooLarge(f"A commit takes at most {max_steps} files at once.", code="too_many_files")
        asked.steps.append(_step_of(key, value, number))
        if is_strict:
            _require_tidy(asked.steps[-1], number)
    if not has_header:
        raise Invalid("The first line must be the header, with a 'summary'.", code="REQ-ERR-4")
    return asked


def _lines(stream: Any, limit: int) -> Iterator[bytes]:
    # The body's own stream would be read byte by byte to find the end of a line.
    buffered = io.BufferedReader(stream, _READ_BYTES)
    while line := buffered.readline(limit + 1):
        if len(line) > limit:
            raise TooLarge(f"A line has more than {limit} bytes; send large files to LFS first.", code="file_too_large")
        if line.strip():
            yield line


def _parse_line(line: bytes, number: int, place: Path) -> tuple[str, dict[str, Any]]:
    """The key and value of a line; a file's content is written to the place, which stands in its stead."""
    try:
        parsed = json.loads(line)
    except (ValueError, RecursionError):
        raise Invalid(f"Line {number} is no valid JSON.", code="json_invalid") from None
    key = parsed.get("key") if isinstance(parsed, dict) else None
    value = parsed.get("value") if isinstance(parsed, dict) else None
    if not isinstance(key, str) or not isinstance(value, dict):
        raise Invalid(f"Line {number} must be an object with 'key' and 'value'.", code="json_invalid")
    if key == "file":
        place.write_bytes(_decode(value.pop("content", None), value.get("encoding"), number))
        value["content"] = place
    return key, value


def _decode(content: Any, encoding: Any, number: int) -> bytes:
    if not isinstance(content, str):
        raise Invalid(f"Line {number}: 'content' must be a text.", code="REQ-ERR-1")
    if encoding in (None, "base64"):
        try:
            return base64.b64decode("".join(content.split()), validate=True)
        except (binascii.Error, ValueError):
            raise Invalid(f"Line {number}: 'content' is no base64.", code="REQ-ERR-1") from None
    if encoding == "utf-8":
        try:
            return content.encode()
        except UnicodeEncodeError:
            raise Invalid(f"Line {number}: 'content' is no valid Unicode.", code="REQ-ERR-1") from None
    raise Invalid(f"Line {number}: 'encoding' must be base64 or utf-8.", code="REQ-ERR-6")


def _step_of(key: str, value: dict[str, Any], number: int) -> Step:
    path = _text(value, "path", number)
    if key == "file":
        return Written(path, value["content"])
    if key == "lfsFile":
        size = value.get("size")
        if size is not None and (not isinstance(size, int) or isinstance(size, bool) or size < 0):
            raise Invalid(f"Line {number}: 'size' must be a number of bytes.", code="REQ-ERR-8")
        return Linked(path, _text(value, "oid", number), size)
    if key in ("deletedFile", "deletedFolder"):
        return Removed(path, key == "deletedFolder")
    if key == "copyFile":
        return Copied(path, _text(value, "srcPath", number), _optional_text(value, "srcRevision"))
    raise Invalid(f"Line {number}: {key[:40]!r} is no kind of change.", code="REQ-ERR-6")


def _require_tidy(step: Step, number: int) -> None:
    """Raises Invalid. A folder's path alone may end with a slash. Source: Hugging Face contract, section 7.4."""
    path = step.path.removesuffix("/") if isinstance(step, Removed) and step.is_directory else step.path
    for given in (path, step.source) if isinstance(step, Copied) else (path,):
        if any(part in ("", ".") for part in given.split("/")):
            raise Invalid(
                f"Line {number}: {given[:200]!r} is no path from the repository's root, such as 'a/b.txt'.",
                code="path_invalid",
            )


def _message_of(header: dict[str, Any]) -> str:
    parts = (_optional_text(header, "summary").strip(), _optional_text(header, "description").strip())
    return "\n\n".join(part for part in parts if part) or "Change files"


def _text(value: dict[str, Any], name: str, number: int) -> str:
    text = value.get(name)
    if not isinstance(text, str) or not text:
        raise Invalid(f"Line {number}: {name!r} must be a text.", code="REQ-ERR-4")
    return text


def _optional_text(value: dict[str, Any], name: str) -> str:
    text = value.get(name)
    if text is not None and not isinstance(text, str):
        raise Invalid(f"{name!r} must be a text.", code="REQ-ERR-8")
    return text or ""
