"""Files of programs: kept, listed, read and deleted by their account alone."""

from pathlib import Path

import plugins.inference as package
from hub.db import migrate
from hub.db.engine import DATABASE
from hub.db.revisions import Branch


def test_migrations_make_the_tables_of_the_models_and_take_them_back(hub):
    database, branch = hub[DATABASE], Branch.of_plugin("inference", Path(package.__path__[0]) / "migrations")
    assert migrate.differences(database, branch) == []
    migrate.downgrade(database, branch)
    assert migrate.upgrade(database, branch)
    assert migrate.differences(database, branch) == []
