"""Which paths a ``.gitattributes`` file gives to LFS. Source of the rules: gitattributes(5) and gitignore(5)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from hub.base.errors import Invalid
from hub.base.names import fold_name
from hub.repos.patterns import PathPattern

ATTRIBUTES_PATH = ".gitattributes"
# git itself stops reading lines of this length; a file is read up to the size below, the rest counts as absent.
MAX_LINE_CHARS = 2048
MAX_FILE_BYTES = 1024 * 1024

_LFS_ATTRIBUTES = "filter=lfs diff=lfs merge=lfs -text"


@dataclass(frozen=True)
class _Rule:
    """One line that says something about ``filter``: a pattern, and whether what it matches is LFS content."""

    pattern: PathPattern
    is_lfs: bool


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
                    rules.append(_Rule(PathPattern(fold_name(pattern) if is_folded else pattern), is_lfs))
                except Invalid:
                    continue
        return cls(rules)

    def matches(self, path: str) -> bool:
        """Whether git-lfs keeps the file of this path as a pointer: the last line that matches decides."""
        return self.find(path) is True

    def find(self, path: str) -> bool | None:
        """As ``matches``; None where no line says anything of the path."""
        parts = path.split("/")
        return next((rule.is_lfs for rule in self._rules if rule.pattern.matches(parts)), None)


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
