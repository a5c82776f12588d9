import threading

from sqlalchemy import inspect

import hub.assets.models
import hub.community.models
import hub.http.models
import hub.jobs.models
import hub.repos.models  # noqa: F401 - every table must be known to compare
from hub.db import migrate
from hub.db.base import Model
from hub.db.engine import DATABASE, Database


def test_models_and_migrations_agree(context):
    assert migrate.differences(context[DATABASE]) == []
    assert migrate.is_current(context[DATABASE])


def test_every_table_is_there(context):
    assert set(Model.metadata.tables) <= set(inspect(context[DATABASE].engine).get_table_names())


def test_two_that_migrate_an_empty_database_at_once_both_succeed(tmp_path):
    databases = [Database(f"sqlite:///{tmp_path / 'hub.db'}") for _ in range(2)]
    outcomes = []
    threads = [threading.Thread(target=lambda d=d: outcomes.append(migrate.upgrade(d))) for d in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 2
    assert all(migrate.is_current(database) for database in databases)
    for database in databases:
        database.dispose()


def test_an_empty_database_is_not_current(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'hub.db'}")
    assert not migrate.is_current(database)
    assert migrate.upgrade(database)
    assert not migrate.upgrade(database)
    database.dispose()
