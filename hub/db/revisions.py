"""Which migrations there are and which a database has, read without Alembic.

Alembic and what it imports are some 8 MB of memory: too much for a web process that is only asked whether the
database is up to date.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import inspect, text

from hub.db.engine import Database

VERSIONS_PATH = Path(__file__).parent / "migrations" / "versions"


@dataclass(frozen=True)
class Revisions:
    """The revisions of a release: all of them, and those that no other builds on."""

    known: frozenset[str]
    heads: frozenset[str]


@cache
def read_revisions(directory: Path = VERSIONS_PATH) -> Revisions:
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


def current_revisions(database: Database) -> set[str]:
    """The revisions that the database has; empty for a new one."""
    with database.engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return set()
        return set(connection.scalars(text("SELECT version_num FROM alembic_version")))


def is_current(database: Database) -> bool:
    """Whether the database has every migration of this release. One that is newer passes, too: a rolling upgrade."""
    release, current = read_revisions(), current_revisions(database)
    return bool(current) and (current == release.heads or not current <= release.known)
