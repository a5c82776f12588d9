"""Bringing the database's tables to what this release, and each plugin, expects.

The core has one history of migrations, and every plugin that has tables has one of its own, with a version table of
its own: a plugin that fails to migrate, or is uninstalled with its tables left behind, never stops another's upgrade.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from hub.db.base import Model
from hub.db.engine import Database, advisory_lock
from hub.db.revisions import CORE, Branch, is_of_database

_MIGRATIONS = Path(__file__).parent / "migrations"

# Two deployers that start at once must not migrate together; any fixed number serves.
_LOCK_KEY = 0x68756200


def _config(branch: Branch) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", str(branch.path).replace("%", "%%"))
    config.attributes["version_table"] = branch.version_table
    config.attributes["owns"] = branch.owns
    return config


def expected_heads(branch: Branch = CORE) -> set[str]:
    """The revisions that the code of this release, or of a plugin, needs."""
    return set(ScriptDirectory.from_config(_config(branch)).get_heads())


def current_heads(database: Database, branch: Branch = CORE) -> set[str]:
    """The revisions that the database has; empty for a new one."""
    with database.engine.connect() as connection:
        opts = {"version_table": branch.version_table}
        return set(MigrationContext.configure(connection, opts=opts).get_current_heads())


def is_current(database: Database, branch: Branch = CORE) -> bool:
    """Whether the database has every migration of this release (it may have newer ones)."""
    script = ScriptDirectory.from_config(_config(branch))
    current = current_heads(database, branch)
    known = {revision.revision for revision in script.walk_revisions()}
    return bool(current) and (current == set(script.get_heads()) or not current <= known)


def upgrade(database: Database, branch: Branch = CORE) -> bool:
    """Apply what is missing and say whether anything was. Safe to call from several processes at once.

    All of it or nothing: a migration that fails leaves the tables as they were. On PostgreSQL a table lock is waited
    for 4 s at most, so that a busy server is not stopped by a queue behind it.
    """
    if is_current(database, branch):
        return False
    _run(database, branch, lambda config: command.upgrade(config, "heads"))
    return True


def downgrade(database: Database, branch: Branch) -> None:
    """Take back every migration of a plugin: its tables and all that is in them are gone."""

    def drop(config: Config) -> None:
        command.downgrade(config, "base")
        connection: Connection = config.attributes["connection"]
        connection.execute(text(f"DROP TABLE IF EXISTS {branch.version_table}"))

    _run(database, branch, drop)


def _run(database: Database, branch: Branch, act: Callable[[Config], None]) -> None:
    config = _config(branch)
    with _migrating(database) as connection:
        config.attributes["connection"] = connection
        act(config)


@contextmanager
def _migrating(database: Database) -> Iterator[Connection]:
    """A connection that holds the one lock of migrations, committed when the block ends."""
    with database.engine.connect() as connection:
        try:
            if database.is_sqlite:
                connection.execute(text("PRAGMA foreign_keys=OFF"))
                connection.execute(text("PRAGMA busy_timeout=30000"))
                connection.execute(text("BEGIN IMMEDIATE"))
            else:
                connection.execute(text("SET LOCAL lock_timeout = '4s'"))
                advisory_lock(connection, _LOCK_KEY)
            yield connection
            connection.commit()
        except BaseException:
            connection.rollback()
            raise
        finally:
            if database.is_sqlite:
                connection.execute(text("PRAGMA busy_timeout=50"))
                connection.execute(text("PRAGMA foreign_keys=ON"))


def differences(database: Database, branch: Branch = CORE, *, others: Collection[Branch] = ()) -> list[Any]:
    """What autogenerate would still change: empty when models and migrations agree.

    others: the plugins whose tables are not the core's concern.
    """

    def is_ours(name: str) -> bool:
        if branch is CORE:
            return not name.startswith(_VERSION_TABLES) and not any(other.owns(name) for other in others)
        return branch.owns(name)

    def include(_item: Any, name: str | None, kind: str, _reflected: bool, _other: Any) -> bool:
        return not is_of_database(str(name)) and (kind != "table" or is_ours(str(name)))

    with database.engine.connect() as connection:
        opts = {"compare_type": True, "version_table": branch.version_table, "include_object": include}
        return list(compare_metadata(MigrationContext.configure(connection, opts=opts), Model.metadata))


_VERSION_TABLES = "alembic_version"


def create_revision(database: Database, message: str, *, revision_id: str, branch: Branch = CORE) -> None:
    """Write a new migration file from the difference between models and database; for developers."""
    config = _config(branch)
    with database.engine.connect() as connection:
        config.attributes["connection"] = connection
        command.revision(config, message, autogenerate=True, rev_id=revision_id, version_path=str(branch.path))
