import json

import pytest
from sqlalchemy import text

from hub.base.errors import Invalid
from hub.base.health import CheckStatus
from hub.db.engine import DATABASE
from hub.db.uow import unit_of_work
from hub.http import checks
from hub.jobs.run import run_due
from tests.support.cli import make_runner


@pytest.mark.any_database
def test_the_search_is_asked_on_the_server(context, settings, make_user, make_repository):
    hub = make_runner(context, settings, "search")
    ada = make_user("ada")
    make_repository(ada, "wombat", description="digs")
    make_repository(ada, "wombat-too", private=True)
    run_due(context)
    assert "ada/wombat" in hub("wombat")
    assert "wombat-too" not in hub("wombat")
    found = json.loads(hub("wombat", "--user", "ada", "--type", "models", "--json"))
    assert [item["name"] for item in found["items"]] == ["ada/wombat", "ada/wombat-too"]
    [hit] = json.loads(hub("wombat", "too", "--user", "ada", "--type", "code", "--json"))["items"]
    assert hit["name"] == "ada/wombat-too/README.md"
    hub("wombat", "size:big", refused=Invalid)


def test_without_its_indexes_the_search_finds_names_and_the_doctor_says_so(
    context, settings, make_user, make_repository
):
    hub = make_runner(context, settings, "search")
    if context[DATABASE].is_sqlite:
        tables = ("search_cards", "search_contents")
        gone = [f"DROP TRIGGER {table}_{what}" for table in tables for what in ("added", "gone", "changed")]
        gone += [f"DROP TABLE {table}_fts" for table in tables]
    else:
        gone = ["DROP EXTENSION pg_trgm CASCADE"]
    with unit_of_work(context) as work:
        for statement in gone:
            work.session.execute(text(statement))
    found = checks.check_search(context)
    assert found.status == CheckStatus.WARN
    assert ("FTS5" if context[DATABASE].is_sqlite else "pg_trgm") in found.message
    make_repository(make_user("ada"), "wombat")
    run_due(context)
    assert "ada/wombat" in hub("wombta", "--type", "models")
    assert json.loads(hub("zebrafish", "--json"))["total"] == 0
