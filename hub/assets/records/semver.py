"""Version numbers by the rules of Semantic Versioning 2.0.0 (semver.org)."""

from __future__ import annotations

import re

from hub.base.errors import Invalid

MAX_CHARS = 64
_DIGITS = 20
_NUMBER = r"(?:0|[1-9]\d{0,18})"
_VERSION = re.compile(
    rf"({_NUMBER})\.({_NUMBER})\.({_NUMBER})(?:-([0-9A-Za-z.-]+))?(?:\+([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?\Z",
    re.ASCII,
)


def check_version(text: str) -> str:
    """The version number without a ``v`` before it. Raises Invalid (``REQ-ERR-6``)."""
    plain = text.strip().removeprefix("v")
    match = _VERSION.match(plain) if len(plain) <= MAX_CHARS else None
    if match is None or (match[4] is not None and not all(map(_is_identifier, match[4].split(".")))):
        raise Invalid(
            f"{text[:80]!r} is no version such as 1.4.0 or 2.0.0-rc.1 (Semantic Versioning), of at most {MAX_CHARS} "
            "characters.",
            code="REQ-ERR-6",
            member="version",
        )
    return plain


def _is_identifier(text: str) -> bool:
    return bool(text) and not (text.isdigit() and len(text) > 1 and text[0] == "0")


def is_prerelease(version: str) -> bool:
    """Whether a checked version is one before a release."""
    return "-" in version.partition("+")[0]


def sort_key(version: str) -> str:
    """A text by whose order, in any collation, checked versions follow each other as the rules say.

    A release comes after what was before it, numbers before words. What stands after ``+`` does not count, so it is
    put last, to have an order at all.
    """
    match = _VERSION.match(version)
    assert match is not None, "the version was checked"
    numbers = "".join(number.zfill(_DIGITS) for number in match.groups()[:3])
    # Letters as hexadecimal digits: databases do not agree on the order of letters and hyphens.
    before = "9" if match[4] is None else f"0{''.join(map(_key_of, match[4].split('.')))}0"
    return f"{numbers}{before}"


def _key_of(identifier: str) -> str:
    if identifier.isdigit():
        return f"1{len(identifier):02d}{identifier}"  # no zeros lead, so the longer one is the greater
    return f"2{identifier.encode().hex()}00"
