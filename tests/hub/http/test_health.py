import dataclasses

import pytest
from sqlalchemy import text

from hub.base.health import CheckStatus
from hub.db import migrate, revisions
from hub.db.engine import DATABASE
from hub.http import health
from hub.http.health import instance_id, run_check
from hub.jobs.queue import REDIS


@pytest.fixture
def settings(settings, redis_url):
    return dataclasses.replace(settings, redis_url=redis_url)


def break_redis(context):
    context[REDIS].connection_pool.connection_kwargs["port"] = 1
    context[REDIS].connection_pool.disconnect()


def test_health_names_the_installation(client, context):
    answer = client.get("/-/health")
    assert answer.status_code == 200
    assert answer.json["status"] == "ok"
    assert answer.json["instance"] == instance_id(context)
    assert answer.headers["Cache-Control"] == "no-store"


def test_health_answers_while_redis_is_away(client, context):
    break_redis(context)
    assert client.get("/-/health").status_code == 200


def test_a_hub_with_everything_is_ready(client):
    answer = client.get("/-/ready")
    assert answer.status_code == 200
    assert {name: found["status"] for name, found in answer.json["checks"].items()} == {
        "database": "ok",
        "migrations": "ok",
        "redis": "ok",
        "storage": "ok",
    }


def test_a_hub_without_redis_is_not_ready_and_says_so(client, context):
    break_redis(context)
    answer = client.get("/-/ready")
    assert answer.status_code == 503
    assert answer.json["checks"]["redis"]["status"] == "fail"
    assert answer.json["checks"]["database"]["status"] == "ok"


def test_a_hub_whose_database_lacks_migrations_is_not_ready(client, context):
    with context[DATABASE].engine.begin() as connection:
        connection.execute(text("DELETE FROM alembic_version"))
    answer = client.get("/-/ready")
    assert answer.status_code == 503
    assert answer.json["checks"]["migrations"]["status"] == "fail"


def test_a_newer_database_is_good_enough_during_a_rolling_upgrade(client, context):
    with context[DATABASE].engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999_from_the_future'"))
    assert client.get("/-/ready").status_code == 200


def test_readiness_is_not_looked_up_for_every_probe(client, context, monkeypatch):
    monkeypatch.setattr(health, "_READY_TTL_S", 3600.0)
    assert client.get("/-/ready").status_code == 200
    break_redis(context)
    assert client.get("/-/ready").status_code == 200


def test_the_revisions_read_without_alembic_are_alembics_own(context):
    assert revisions.read_revisions().heads == migrate.expected_heads()
    assert revisions.current_revisions(context[DATABASE]) == migrate.current_heads(context[DATABASE])
    assert revisions.is_current(context[DATABASE]) == migrate.is_current(context[DATABASE])


def test_revisions_of_branches_and_merges_are_read(tmp_path):
    (tmp_path / "0001_a.py").write_text('revision = "0001_a"\ndown_revision = None\n')
    (tmp_path / "0002_b.py").write_text('revision: str = "0002_b"\ndown_revision: str = "0001_a"\n')
    (tmp_path / "0001_x.py").write_text('revision = "0001_x"\ndown_revision = None\ndepends_on = ("0001_a",)\n')
    assert revisions.read_revisions(tmp_path).heads == {"0002_b", "0001_x"}
    (tmp_path / "0003_m.py").write_text('revision = "0003_m"\ndown_revision = ("0002_b", "0001_x")\n')
    found = revisions.read_revisions.__wrapped__(tmp_path)
    assert found.heads == {"0003_m"}
    assert found.known == {"0001_a", "0002_b", "0001_x", "0003_m"}


def test_a_check_that_breaks_has_found_a_failure(context):
    def check_nothing(context):
        raise ZeroDivisionError

    found = run_check(check_nothing, context)
    assert (found.name, found.status) == ("nothing", CheckStatus.FAIL)
