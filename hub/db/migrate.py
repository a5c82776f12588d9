"""Bringing the database's tables to what this release expects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from hub.db.base import Model
from hub.db.engine import Database, advisory_lock

_MIGRATIONS = Path(__file__).parent / "migrations"

# Two deployers that start at once must not migrate together; any fixed number serves.
_LOCK_KEY = 0x68756200


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.set_main_option("version_path_separator", "os")
    return config


def expected_heads() -> set[str]:
    """The revisions that this release's code needs."""
    return set(ScriptDirectory.from_config(_config()).get_heads())


def current_heads(database: Database) -> set[str]:
    """The revisions that the database has; empty for a new one."""
    with database.engine.connect() as connection:
        return set(MigrationContext.configure(connection).get_current_heads())


def is_current(database: Database) -> bool:
    """Whether the database has every migration of this release (it may have newer ones)."""
    script = ScriptDirectory.from_config(_config())
    current = current_heads(database)
    known = {revision.revision for revision in script.walk_revisions()}
    return bool(current) and (current == set(script.get_heads()) or not current <= known)


def upgrade(database: Database) -> bool:
    """Apply what is missing and say whether anything was. Safe to call from several processes at once.

    On PostgreSQL a table lock is waited for 4 s at most, so that a busy server is not stopped by a queue behind it.
    """
    if is_current(database):
        return False
    config = _config()
    with database.engine.connect() as connection:
        if database.is_sqlite:
            connection.execute(text("PRAGMA foreign_keys=OFF"))
            connection.execute(text("PRAGMA busy_timeout=30000"))
            connection.execute(text("BEGIN IMMEDIATE"))
        else:
            connection.execute(text("SET LOCAL lock_timeout = '4s'"))
            advisory_lock(connection, _LOCK_KEY)
        config.attributes["connection"] = connection
        command.upgrade(config, "heads")
        connection.commit()
        if database.is_sqlite:
            connection.execute(text("PRAGMA busy_timeout=50"))
            connection.execute(text("PRAGMA foreign_keys=ON"))
    return True


def differences(database: Database) -> list[Any]:
    """What autogenerate would still change: empty when models and migrations agree."""
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, Model.metadata))


def create_revision(database: Database, message: str, *, revision_id: str) -> None:
    """Write a new migration file from the difference between models and database; for developers."""
    config = _config()
    with database.engine.connect() as connection:
        config.attributes["connection"] = connection
        command.revision(config, message, autogenerate=True, rev_id=revision_id)
