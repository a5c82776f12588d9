"""What a text must be to be kept at all."""

from __future__ import annotations


def is_storable(text: str) -> bool:
    """Whether PostgreSQL takes the text (it knows no NUL) and UTF-8 can spell it (it knows no lone surrogates)."""
    return "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text)


def as_storable(text: str) -> str:
    """The text, with what could not be kept written out: ``\\0``, ``\\ud800``. For words about strangers' files."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")
