"""Databases as older hubs had them."""

from __future__ import annotations

from alembic import command

from hub.db import migrate
from hub.db.engine import Database
from hub.db.revisions import Branch
from hub.plugin.discovery import find_installed


def plugin_branches() -> list[Branch]:
    """The migrations of each plugin that has some."""
    return [branch for installed in find_installed().values() if (branch := installed.find_branch())]


def go_back(database: Database, revision: str) -> None:
    """Take the core's migrations back to one; before them the plugins', whose tables hold on to newer ones."""
    for branch in plugin_branches():
        migrate.downgrade(database, branch)
    migrate._run(database, migrate.CORE, lambda config: command.downgrade(config, revision))
