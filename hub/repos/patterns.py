"""Path patterns of ``.gitignore`` and ``.gitattributes``. Source: gitignore(5), "PATTERN FORMAT"."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from hub.base.errors import Invalid

MAX_PATTERN_PARTS = 32

_CLASSES = {
    "alnum": "a-zA-Z0-9",
    "alpha": "a-zA-Z",
    "blank": r" \t",
    "digit": "0-9",
    "lower": "a-z",
    "space": r"\s",
    "upper": "A-Z",
    "xdigit": "0-9a-fA-F",
}
_BRACKETS = re.compile(r"\[([!^]?)(\]?(?:\[:[a-z]+:\]|\\.|[^\]\\])*)\]")
_POSIX_CLASS = re.compile(r"\[:([a-z]+):\]")


class PathPattern:
    """One pattern, held against paths from the root of the repository.

    It is matched part by part, each part by a comparison or by a regular expression that cannot backtrack far, so
    that no file of a stranger keeps the hub busy.
    """

    def __init__(self, pattern: str) -> None:
        """Raises Invalid (``pattern_invalid``) for a pattern that no path can match."""
        self.is_anchored = "/" in pattern
        parts = pattern.removeprefix("/").split("/")
        if len(parts) > MAX_PATTERN_PARTS:
            raise Invalid("The pattern has too many parts.", code="pattern_invalid")
        try:
            self._parts = [None if part == "**" else _part_matcher(part) for part in parts]
        except re.error:
            raise Invalid("The pattern makes no sense.", code="pattern_invalid") from None

    def matches(self, parts: Sequence[str]) -> bool:
        """Whether the path of these parts matches; a pattern without '/' is held against the last part alone."""
        if not self.is_anchored:
            matcher = self._parts[0]
            return matcher is None or matcher(parts[-1])
        # reached: how many parts of the path the pattern so far can have taken.
        reached = {0}
        for place, matcher in enumerate(self._parts):
            if matcher is None:
                is_last = place == len(self._parts) - 1
                reached = set(range(min(reached) + is_last, len(parts) + is_last))
            else:
                reached = {at + 1 for at in reached if at < len(parts) and matcher(parts[at])}
            if not reached:
                return False
        return len(parts) in reached


def _part_matcher(part: str) -> Callable[[str], bool]:
    """A test of one part of a path. Most patterns are plain words or ``*.ending``: those need no expression."""
    tail = part.lstrip("*")
    if not any(char in tail for char in "*?[\\"):
        return tail.__eq__ if tail == part else (lambda name: name.endswith(tail))
    expression = re.compile(_translate(part), re.DOTALL)
    return lambda name: expression.match(name) is not None


def _translate(part: str) -> str:
    """A part of a pattern as a regular expression; after each '*' the first match is the one that is kept.

    Greedy or not makes no difference to whether a pattern matches, so what was matched need never be given back
    (the atomic groups), as in Python's own ``fnmatch``.
    """
    pieces = [""]
    position = 0
    while position < len(part):
        brackets = _BRACKETS.match(part, position)
        char = part[position]
        if char == "*":
            pieces += [""] if pieces[-1] or len(pieces) == 1 else []
            position += 1
        elif brackets:
            pieces[-1] += _translate_brackets(brackets)
            position = brackets.end()
        else:
            if char == "\\" and position + 1 < len(part):
                position += 1
                char = part[position]
                pieces[-1] += re.escape(char)
            else:
                pieces[-1] += "." if char == "?" else re.escape(char)
            position += 1
    if len(pieces) == 1:
        return pieces[0] + r"\Z"
    middle = "".join(f"(?>.*?{piece})" for piece in pieces[1:-1])
    return f"{pieces[0]}{middle}.*{pieces[-1]}\\Z"


def _translate_brackets(match: re.Match[str]) -> str:
    negation, members = match.groups()
    classes = [_CLASSES.get(name, "") for name in _POSIX_CLASS.findall(members)]
    tokens = re.findall(r"\\?.", _POSIX_CLASS.sub("", members), re.DOTALL)
    # Each member is written out escaped: Python gives some signs that git takes literally a meaning inside brackets.
    found = "".join(_translate_members(tokens)) + "".join(classes)
    if not found:  # nothing but a class that there is not
        return "." if negation else r"(?!)"
    return f"[{'^' if negation else ''}{found}]"


def _translate_members(tokens: list[str]) -> Iterator[str]:
    position = 0
    while position < len(tokens):
        first = tokens[position][-1]
        yield re.escape(first)
        position += 1
        if tokens[position : position + 1] == ["-"] and position + 1 < len(tokens):
            last = tokens[position + 1][-1]
            if first <= last:  # a range that runs backwards holds its first member only, as in git's wildmatch.c
                yield f"{re.escape(first)}-{re.escape(last)}"
            position += 2
