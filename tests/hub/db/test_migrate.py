import threading

from sqlalchemy import inspect, select, text

import hub.assets.models
import hub.community.models
import hub.http.models
import hub.jobs.models
import hub.repos.models  # noqa: F401 - every table must be known to compare
from hub.assets.models_lineage import Relation
from hub.community.models import Discussion
from hub.community.service import discussions
from hub.db import migrate
from hub.db.base import Model
from hub.db.engine import DATABASE, Database
from hub.db.uow import reading, unit_of_work
from tests.support.migrating import go_back, plugin_branches


def test_models_and_migrations_agree(context):
    assert migrate.differences(context[DATABASE], others=plugin_branches()) == []
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


def test_discussions_from_before_pull_requests_get_their_numbers(context, make_user, make_repository, actor_of):
    ada = make_user("ada")
    things = [make_repository(ada, name) for name in ("one", "two")]

    def open_in(thing):
        with unit_of_work(context) as work:
            return discussions.create_discussion(work, actor=actor_of(ada), repository_id=thing.id, title="x").id

    ids = [open_in(things[place]) for place in (0, 1, 0, 0, 1)]
    database = context[DATABASE]
    go_back(database, "0008_gates")
    assert migrate.upgrade(database)
    open_in(things[0])
    with reading(context) as work:
        numbers = dict(work.session.execute(select(Discussion.id, Discussion.number)).all())
    assert [numbers.pop(number) for number in ids] == [1, 1, 2, 3, 2]
    assert [*numbers.values()] == [4]


def test_an_empty_database_is_not_current(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'hub.db'}")
    assert not migrate.is_current(database)
    assert migrate.upgrade(database)
    assert not migrate.upgrade(database)
    database.dispose()


def test_relations_from_before_they_had_types_get_the_usual_one(context, make_user, make_repository):
    ada = make_user("ada")
    model, base = make_repository(ada, "model"), make_repository(ada, "base")
    data = make_repository(ada, "data", kind="dataset")
    database = context[DATABASE]
    go_back(database, "0014_activities")
    insert = "INSERT INTO repository_relations VALUES (:source, :target, :origin, '2026-01-02')"
    pairs = [(model, base, "card"), (model, data, "person"), (data, model, "card")]
    with database.engine.begin() as connection:
        for source, target, origin in pairs:
            connection.execute(text(insert), {"source": source.id, "target": target.id, "origin": origin})
    assert migrate.upgrade(database)
    with reading(context) as work:
        found = {(row.source_id, row.target_id): row for row in work.session.scalars(select(Relation))}
    assert [(found[s.id, t.id].type, found[s.id, t.id].origin) for s, t, _ in pairs] == [
        ("finetune", "card"),
        ("trained_on", "person"),
        ("uses", "card"),
    ]
