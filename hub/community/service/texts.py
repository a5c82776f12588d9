"""The checks of what people write: titles in one line, longer texts."""

from __future__ import annotations

import unicodedata

from hub.base.errors import Invalid

MAX_TITLE_CHARS = 255  # the columns' width
MAX_CONTENT_CHARS = 65_536  # as much as GitHub takes for a comment
MAX_LINE_COMMENT_CHARS = 16_384  # about lines of a file: pages show many conversations at once

_LAYOUT = "\n\r\t"


def check_title(title: str, *, what: str = "title") -> str:
    """The title without surrounding space: 1 to 255 characters in one line. Raises Invalid (``REQ-ERR-6``)."""
    title = title.strip()
    _check(title, what, MAX_TITLE_CHARS, allowed="")
    return title


def check_content(content: str, *, what: str = "content", most: int = MAX_CONTENT_CHARS) -> str:
    """The text as it came: not blank, at most ``most`` characters, with lines and tabs. Raises as ``check_title``."""
    _check(content, what, most, allowed=_LAYOUT)
    return content


def check_line(text: str, *, what: str, most: int) -> str:
    """A text of one line that may be empty. Raises Invalid (``REQ-ERR-6``)."""
    text = text.strip()
    if text:
        _check(text, what, most, allowed="")
    return text


def shorten(text: str, most: int) -> str:
    """The text, cut so that it has at most ``most`` characters; its end shows that something is missing."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def _check(text: str, what: str, most: int, *, allowed: str) -> None:
    if not text.strip():
        raise Invalid(f"'{what}' is empty.", code="REQ-ERR-6", member=what)
    if len(text) > most:
        raise Invalid(f"'{what}' is longer than {most} characters.", code="REQ-ERR-6", member=what)
    # Among them NUL, which PostgreSQL does not take, and lone surrogates, which UTF-8 cannot spell.
    if any(unicodedata.category(char) in ("Cc", "Cs") and char not in allowed for char in text):
        raise Invalid(f"'{what}' holds a control character.", code="REQ-ERR-6", member=what)
