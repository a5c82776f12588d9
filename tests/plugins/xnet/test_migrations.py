"""The tables are those of the migrations."""

from hub.db import migrate
from hub.db.engine import DATABASE
from hub.plugin.discovery import find_installed
from tests.support.xet import start_xnet


def test_migrations_make_the_tables_of_the_models_and_take_them_back(context):
    start_xnet(context)
    database, branch = context[DATABASE], find_installed()["xnet"].find_branch()
    assert migrate.differences(database, branch) == []
    migrate.downgrade(database, branch)
    assert migrate.upgrade(database, branch)
    assert migrate.differences(database, branch) == []
