"""A file as its page shows it: which kind of view it has, and a page of its text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from hub.assets.heads.reading import format_of
from hub.assets.service.tables import FOLDERS
from hub.assets.service.tables import format_of as table_format_of
from hub.base.context import Context
from hub.base.offload import offload
from hub.repos.contents import OpenedFile
from hub.web.highlight import MAX_CHARS, highlight_blob

# Source of the four: web-ui.md, section 7.4.
LINES_PER_PAGE = 2000
MAX_COLOURED_BYTES = MAX_CHARS
MAX_PAGED_BYTES = 50 * 1024 * 1024
MAX_NOTEBOOK_BYTES = 16 * 1024 * 1024
MAX_DOCUMENT_BYTES = 1024 * 1024
# Lines before the one that was asked for.
_BEFORE = 50
# As git guesses: a NUL among the first bytes.
_LOOK_BYTES = 8000
# A page of lines has at most so many bytes; a longer line is cut there and goes on below.
_PIECE_BYTES = 512 * 1024
_HEX_BYTES = 256
MAX_FOUND = 100
_MAX_FOUND_CHARS = 300

IMAGES = frozenset({"png", "jpg", "jpeg", "gif", "webp", "avif", "bmp", "ico", "svg"})
AUDIO = frozenset({"mp3", "wav", "ogg", "oga", "flac", "m4a", "opus"})
VIDEO = frozenset({"mp4", "webm", "ogv", "mov", "m4v"})
_KINDS = {
    **dict.fromkeys(IMAGES, "image"),
    **dict.fromkeys(AUDIO, "audio"),
    **dict.fromkeys(VIDEO, "video"),
    "pdf": "pdf",
    "ipynb": "notebook",
    **dict.fromkeys(("md", "markdown", "mdx"), "markdown"),
}


def ending_of(path: str) -> str:
    """The ending of a file's name, in small letters, without its dot."""
    return path.rpartition("/")[2].rpartition(".")[2].lower()


def kind_of(path: str, size_bytes: int) -> str:
    """What a file of this name is shown as, beside its text, if it has any: a word, or ""."""
    if format_of(path) is not None:
        return "head"
    kind = _KINDS.get(ending_of(path), "")
    if not kind and table_format_of(path) not in ("", "json", *FOLDERS):
        return "table"
    most = {"notebook": MAX_NOTEBOOK_BYTES, "markdown": MAX_DOCUMENT_BYTES}.get(kind)
    return "" if most is not None and size_bytes > most else kind


@dataclass(frozen=True)
class TextLine:
    """A line; number: from 1, None where it is not known."""

    number: int | None
    words: Markup


@dataclass(frozen=True)
class TextPage:
    """Some lines of a text. next: what the address of the following ones has in its query; None: there are none.

    total: of all lines, None where nobody counted. has_before: whether there are lines before these.
    """

    lines: Sequence[TextLine]
    next: dict[str, int] | None = None
    total: int | None = None
    has_before: bool = False


def read_all(file: OpenedFile, most: int) -> bytes:
    """The beginning of a content, at most so many bytes."""
    return b"".join(file.open_range(0, min(file.size_bytes, most)))


def is_text(start: bytes) -> bool:
    """Whether a content that begins like this is text."""
    return b"\0" not in start[:_LOOK_BYTES]


def read_start(file: OpenedFile) -> bytes:
    """As much of a content as telling its kind takes."""
    return read_all(file, _LOOK_BYTES)


def first_shown(line: int, size_bytes: int) -> int:
    """The first line of the page that one asks for by a line within it."""
    if line <= LINES_PER_PAGE - _BEFORE:
        return 1
    # Of a larger text a page may end before so many lines.
    return line - _BEFORE if size_bytes <= MAX_COLOURED_BYTES else line


def read_coloured(context: Context, file: OpenedFile, *, line: int) -> TextPage:
    """The page that begins with a line, counted from 1, of a text of at most ``MAX_COLOURED_BYTES``."""
    text = read_all(file, MAX_COLOURED_BYTES).decode("utf-8", "replace")
    lines = highlight_blob(context, file.etag, text, path=file.entry.path)
    start = max(0, min(line, len(lines)) - 1)
    shown = lines[start : start + LINES_PER_PAGE]
    end = start + len(shown)
    return TextPage(
        [TextLine(start + at + 1, words) for at, words in enumerate(shown)],
        {"line": end + 1, "at": 0} if end < len(lines) else None,
        len(lines),
        has_before=start > 0,
    )


def read_lines(file: OpenedFile, *, line: int, at: int) -> TextPage:
    """A page of a larger text, without colours. at: the byte that ``line`` begins at, 0 where that is not known."""
    if line > 1 and not at:
        line, at = _find_line(file, line)
    if at >= file.size_bytes:
        return TextPage([], has_before=line > 1)
    data = b"".join(file.open_range(at, min(_PIECE_BYTES, file.size_bytes - at)))
    parts = data.split(b"\n")
    is_end = at + len(data) >= file.size_bytes
    if len(parts) > LINES_PER_PAGE:
        parts, is_whole = parts[:LINES_PER_PAGE], True
    elif is_end:
        parts, is_whole = (parts[:-1] if not parts[-1] else parts), True
    elif len(parts) > 1:
        parts, is_whole = parts[:-1], True
    else:
        is_whole = False
    used = sum(map(len, parts)) + (len(parts) if is_whole else 0)
    reached = at + used
    lines = [TextLine(line + n, _plain(part)) for n, part in enumerate(parts)]
    following = line + len(parts) - (0 if is_whole else 1)
    more = {"line": following, "at": reached} if reached < file.size_bytes else None
    return TextPage(lines, more, has_before=line > 1)


def _plain(part: bytes) -> Markup:
    return escape(part.decode("utf-8", "replace").rstrip("\r"))


def _find_line(file: OpenedFile, line: int) -> tuple[int, int]:
    """The line, or the last one where it has fewer, and the byte that it begins at; the content is read as a stream."""
    number, offset, last = 1, 0, 0
    for chunk in file.open_range(0, min(file.size_bytes, MAX_PAGED_BYTES)):
        count = chunk.count(b"\n")
        if number + count < line:
            number += count
            if count:
                last = offset + chunk.rindex(b"\n") + 1
            offset += len(chunk)
            continue
        place = -1
        while number < line:
            place = chunk.index(b"\n", place + 1)
            number += 1
        return number, offset + place + 1 if place >= 0 else last
    return number, last


def read_tail(file: OpenedFile) -> TextPage:
    """The last lines of a content; their numbers are not known."""
    length = min(_PIECE_BYTES, file.size_bytes)
    data = b"".join(file.open_range(file.size_bytes - length, length))
    parts = data.split(b"\n")
    # It begins within a line, mostly.
    if length < file.size_bytes and len(parts) > 1:
        del parts[0]
    if parts and not parts[-1]:
        parts.pop()
    return TextPage([TextLine(None, _plain(part)) for part in parts[-LINES_PER_PAGE:]])


@dataclass(frozen=True)
class Hit:
    """A line in which something was found."""

    number: int
    words: Markup


def find_in(file: OpenedFile, words: str) -> tuple[list[Hit], bool]:
    """The first lines of a text's first 50 MiB that have these words, in any case; and whether there are more."""
    wanted = words.lower()
    hits: list[Hit] = []
    for number, line in enumerate(_lines(file), 1):
        text = line.decode("utf-8", "replace")
        at = text.lower().find(wanted)
        if at < 0:
            continue
        if len(hits) == MAX_FOUND:
            return hits, True
        begin = max(0, at - 80)
        shown = text[begin : begin + _MAX_FOUND_CHARS]
        at -= begin
        marked = Markup("{}<mark>{}</mark>{}").format(shown[:at], shown[at : at + len(words)], shown[at + len(words) :])
        hits.append(Hit(number, marked))
    return hits, False


def _lines(file: OpenedFile) -> Iterator[bytes]:
    rest = b""
    for chunk in file.open_range(0, min(file.size_bytes, MAX_PAGED_BYTES)):
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
        # A line without an end is looked through in pieces.
        if len(rest) > _PIECE_BYTES:
            yield rest
            rest = b""
    if rest:
        yield rest


@dataclass(frozen=True)
class HexRow:
    """Sixteen bytes."""

    offset: str
    digits: str
    letters: str


def hex_rows(start: bytes) -> list[HexRow]:
    """The first bytes of a content as people read them."""
    rows = []
    for at in range(0, min(len(start), _HEX_BYTES), 16):
        part = start[at : at + 16]
        letters = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        rows.append(HexRow(f"{at:08x}", part.hex(" "), letters))
    return rows


def read_page_of_text(context: Context, file: OpenedFile, *, line: int, at: int) -> TextPage:
    """The page of a file's text that begins with a line. Raises nothing of its own."""
    if file.size_bytes <= MAX_COLOURED_BYTES:
        return read_coloured(context, file, line=line)
    if file.local_path is not None:
        return offload(read_lines, file, line=line, at=at)
    return read_lines(file, line=line, at=at)
