"""Which paths a ``.gitattributes`` file gives to LFS. Source of the rules: gitattributes(5) and gitignore(5)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from hub.base.names import fold_name

ATTRIBUTES_PATH = ".gitattributes"
# git itself stops reading lines of this length; a file is read up to the size below, the rest counts as absent.
MAX_LINE_CHARS = 2048
MAX_PATTERN_PARTS = 32
MAX_FILE_BYTES = 1024 * 1024

_LFS_ATTRIBUTES = "filter=lfs diff=lfs merge=lfs -text"
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


class _Rule:
    """One line that says something about ``filter``: a pattern, and whether what it matches is LFS content.

    A pattern is matched part by part, each part by a comparison or by a regular expression that cannot backtrack
    far, so that no ``.gitattributes`` of a stranger keeps the hub busy.
    """

    def __init__(self, pattern: str, *, is_lfs: bool) -> None:
        self.is_lfs = is_lfs
        self.is_anchored = "/" in pattern
        parts = pattern.removeprefix("/").split("/")
        if len(parts) > MAX_PATTERN_PARTS:
            raise ValueError("too many parts")
        self._parts = [None if part == "**" else _part_matcher(part) for part in parts]

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


class LFSRules:
    """The rules of a repository's root ``.gitattributes``; files of the same name in folders are not read."""

    def __init__(self, rules: Sequence[_Rule] = ()) -> None:
        self._rules = tuple(reversed(rules))

    @classmethod
    def parse(cls, data: bytes, *, is_folded: bool = False) -> LFSRules:
        """The rules of a file's content. Lines that make no sense are left out, as git does.

        is_folded: compare without case ("MODEL.BIN" is "model.bin"). Source: CSGHub contract, section 3.6.
        """
        rules = []
        for line in data[:MAX_FILE_BYTES].decode("utf-8", "replace").splitlines():
            pattern, attributes = _split(line.strip())
            is_lfs = _filter_of(attributes)
            if pattern and is_lfs is not None and len(line) <= MAX_LINE_CHARS:
                try:
                    rules.append(_Rule(fold_name(pattern) if is_folded else pattern, is_lfs=is_lfs))
                except (re.error, ValueError):
                    continue
        return cls(rules)

    def matches(self, path: str) -> bool:
        """Whether git-lfs keeps the file of this path as a pointer: the last line that matches decides."""
        parts = path.split("/")
        return next((rule.is_lfs for rule in self._rules if rule.matches(parts)), False)


def lfs_line(path: str) -> str:
    """A line that gives exactly this path to LFS, spelled as ``git lfs track --filename`` spells it."""
    escaped = re.sub(r"([*?\[\]\\])", r"\\\1", path)
    return f"/{re.sub(r'[ ]', '[[:space:]]', escaped)} {_LFS_ATTRIBUTES}\n"


def lfs_lines(patterns: Sequence[str]) -> bytes:
    """The content of a ``.gitattributes`` that gives these patterns to LFS."""
    return "".join(f"{pattern} {_LFS_ATTRIBUTES}\n" for pattern in patterns).encode()


def _split(line: str) -> tuple[str, list[str]]:
    if not line or line.startswith(("#", "!")):
        return "", []
    if line.startswith('"'):
        quoted = re.match(r'"((?:\\.|[^"\\])*)"(.*)', line)
        return (quoted[1].replace('\\"', '"'), quoted[2].split()) if quoted else ("", [])
    words = line.split()
    return words[0], words[1:]


def _filter_of(attributes: Sequence[str]) -> bool | None:
    said = None
    for word in attributes:
        name, _, value = word.partition("=")
        if name.lstrip("-!") == "filter":
            said = name == "filter" and value == "lfs"
    return said


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
    plain = re.sub(r"\\(.)", r"\1", _POSIX_CLASS.sub("", members))
    escaped = re.sub(r"([\[\]\\^&~|])", r"\\\1", plain)
    return f"[{'^' if negation else ''}{escaped}{''.join(classes)}]"
