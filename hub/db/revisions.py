"""Which migrations there are and which a database has, read without Alembic.

Alembic and what it imports are some 8 MB of memory: too much for a web process that is only asked whether the
database is up to date.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import inspect, text

from hub.db.engine import Database

# Of each repository, the labels that it carries.
_BESIDE_ROWS = ("label_ids", "label_bits")
# An index of words, and the tables in which SQLite's FTS5 keeps one.
_FULL_TEXT = re.compile(r"_fts(_data|_idx|_docsize|_config|_content)?\Z")


@dataclass(frozen=True)
class Branch:
    """One history of migrations: the core's, or a plugin's. path: the directory of its files.

    prefix: with what the names of its owner's tables begin; empty for the core, which owns what nobody else does.
    """

    name: str
    path: Path
    version_table: str
    prefix: str = ""

    def owns(self, table: str) -> bool:
        """Whether a table of that name is this owner's."""
        return table.startswith(self.prefix) and not table.startswith("alembic_version")

    @classmethod
    def of_plugin(cls, name: str, path: Path) -> Branch:
        """The history of a plugin, whose tables are all called ``NAME_...``."""
        return cls(name, path, f"alembic_version_{name}", f"{name}_")


CORE = Branch("hub", Path(__file__).parent / "migrations" / "versions", "alembic_version")


def is_of_database(name: str) -> bool:
    """Whether a migration makes the index, table or column of that name on one kind of database only."""
    return name in _BESIDE_ROWS or name.endswith("_trigram") or _FULL_TEXT.search(name) is not None


@dataclass(frozen=True)
class Revisions:
    """The revisions of a release: all of them, and those that no other builds on."""

    known: frozenset[str]
    heads: frozenset[str]


@cache
def read_revisions(directory: Path = CORE.path) -> Revisions:
    """The revisions of the migration files in a directory. The files are read, not run."""
    known: set[str] = set()
    covered: set[str] = set()
    for path in directory.glob("[0-9a-z]*.py"):
        values = _assignments(ast.parse(path.read_text(), str(path)))
        known.add(values["revision"])
        covered.update(_names(values.get("down_revision")), _names(values.get("depends_on")))
    return Revisions(frozenset(known), frozenset(known - covered))


def _assignments(module: ast.Module) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for node in module.body:
        if isinstance(node, ast.Assign):
            targets: list[ast.expr] = node.targets
        elif isinstance(node, ast.AnnAssign):
            targets = [node.target]
        else:
            continue
        names = {target.id for target in targets if isinstance(target, ast.Name)}
        if node.value is not None and names & {"revision", "down_revision", "depends_on"}:
            found |= dict.fromkeys(names, ast.literal_eval(node.value))
    return found


def _names(value: str | Iterable[str] | None) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)


def current_revisions(database: Database, branch: Branch = CORE) -> set[str]:
    """The revisions that the database has; empty for a new one."""
    with database.engine.connect() as connection:
        if not inspect(connection).has_table(branch.version_table):
            return set()
        # The name is made of a plugin's name, which is plain letters, digits and underscores.
        return set(connection.scalars(text(f"SELECT version_num FROM {branch.version_table}")))  # noqa: S608


def is_current(database: Database, branch: Branch = CORE) -> bool:
    """Whether the database has every migration of this release. One that is newer passes, too: a rolling upgrade."""
    release, current = read_revisions(branch.path), current_revisions(database, branch)
    return bool(current) and (current == release.heads or not current <= release.known)
