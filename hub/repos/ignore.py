"""Which paths a ``.gitignore`` leaves out. Source of the rules: gitignore(5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hub.base.errors import Invalid
from hub.repos.patterns import PathPattern

IGNORE_PATH = ".gitignore"
MAX_FILE_BYTES = 1024 * 1024
MAX_RULES = 2000


@dataclass(frozen=True)
class _Rule:
    pattern: PathPattern
    is_negated: bool
    is_for_directories: bool


class IgnoreRules:
    """The rules of a repository's root ``.gitignore``; files of the same name in folders are not read."""

    def __init__(self, rules: Sequence[_Rule] = ()) -> None:
        self._rules = tuple(reversed(rules))

    @classmethod
    def parse(cls, data: bytes) -> IgnoreRules:
        """The rules of a file's content. Lines that make no sense are left out."""
        rules = []
        for line in data[:MAX_FILE_BYTES].decode("utf-8", "replace").splitlines()[:MAX_RULES]:
            # Blanks at the end count only behind a backslash.
            text = line.rstrip(" \t") + (" " if line.rstrip(" \t").endswith("\\") else "")
            if not text or text.startswith("#"):
                continue
            pattern = text.removeprefix("!")
            try:
                rules.append(_Rule(PathPattern(pattern.removesuffix("/")), pattern != text, pattern.endswith("/")))
            except Invalid:
                continue
        return cls(rules)

    def ignores(self, path: str) -> bool:
        """Whether git would leave the file of this path out, by its own name or by that of a directory above it."""
        parts = path.split("/")
        for depth in range(1, len(parts) + 1):
            rule = self._find(parts[:depth], is_directory=depth < len(parts))
            if rule is not None and not rule.is_negated:
                return True
        return False

    def _find(self, parts: Sequence[str], *, is_directory: bool) -> _Rule | None:
        return next(
            (
                rule
                for rule in self._rules
                if (is_directory or not rule.is_for_directories) and rule.pattern.matches(parts)
            ),
            None,
        )
