import dataclasses
import subprocess
import sys
from datetime import timedelta

import pytest
from sqlalchemy import text

from hub.app import build_context
from hub.base.errors import Denied, FeatureLocked
from hub.base.settings import Settings, SettingsError
from hub.db import migrate
from hub.db.engine import DATABASE
from hub.db.uow import reading, unit_of_work
from hub.licensing.service import LICENSING, check_seat, remove_license
from hub.licensing.usage import USAGE
from tests.support.licenses import KEYRING, NOW, install, make_license

DAY = timedelta(days=1)


def locked_code(licensing, feature):
    with pytest.raises(FeatureLocked) as caught:
        licensing.require(feature)
    return caught.value.code


def test_without_a_licence_the_community_edition_is_active(licensing):
    assert licensing.edition.name == "ce"
    assert licensing.edition is licensing.editions["ce"]
    assert not licensing.has("sso.saml")
    assert locked_code(licensing, "sso.saml") == "LICENSE-ERR-0"
    assert "hub license import" in str(licensing.locked_error())
    assert (licensing.limit("users"), licensing.limit("clusters"), licensing.limit("mcp.gateway.servers")) == (
        None,
        1,
        5,
    )
    assert licensing.limit("whatever") is None
    assert not licensing.was_granted("sso.saml")


@pytest.mark.settings(edition="lite")
def test_lite_is_for_one_person_and_stays_lite_with_a_licence(context, licensing):
    assert (licensing.edition.name, licensing.limit("users"), licensing.limit("clusters")) == ("lite", 1, 0)
    install(context, make_license())
    assert licensing.edition.name == "lite"


@pytest.mark.parametrize("edition", ["ee", "", "CE"])
def test_no_setting_makes_a_hub_enterprise(tmp_path, edition):
    with pytest.raises(SettingsError, match="comes with a licence"):
        build_context(Settings(home=tmp_path, edition=edition))


def test_a_licence_opens_what_it_names_and_nothing_else(context, licensing):
    install(context, make_license(features=["sso.saml", "billing"]))
    assert licensing.edition.name == "ee"
    licensing.require("sso.saml")
    assert locked_code(licensing, "scim") == "LICENSE-ERR-0"
    error = licensing.locked_error("scim")
    assert (error.details["feature"], "SCIM" in str(error)) == ("scim", True)
    assert isinstance(error, Denied)


def test_a_star_opens_everything(context, licensing):
    install(context, make_license(features=["*"]))
    assert licensing.has("sso.saml")
    assert licensing.has("a.word.of.some.plugin")


def test_the_licences_numbers_are_the_limits(context, licensing):
    install(context, make_license(max_user=10, max_node=3, max_cluster=4, quotas={"sync.repos": 50}))
    assert [licensing.limit(name) for name in ("users", "nodes", "gpus", "clusters", "sync.repos")] == [
        10,
        3,
        None,
        4,
        50,
    ]
    assert licensing.limit("mcp.gateway.servers") is None
    assert licensing.seat_limit() == 11


def test_a_community_licence_keeps_the_editions_limits_where_it_names_none(context, licensing):
    install(context, make_license(edition="ce", features=["audit"], quotas={"mcp.gateway.servers": 20}))
    assert (licensing.edition.name, licensing.has("audit")) == ("ce", True)
    assert (licensing.limit("clusters"), licensing.limit("mcp.gateway.servers")) == (1, 20)


def test_one_day_after_the_end_everything_works_and_fifteen_days_after_it_is_read_only(context, licensing, clock):
    install(context, make_license(features=["billing"], expire_time=NOW + DAY))
    clock.moment = NOW + 2 * DAY
    assert (licensing.standing().state, licensing.has("billing"), licensing.edition.name) == ("grace", True, "ee")
    clock.moment = NOW + 16 * DAY
    assert (licensing.standing().state, licensing.has("billing"), licensing.edition.name) == ("expired", False, "ce")
    assert locked_code(licensing, "billing") == "LICENSE-ERR-1"
    assert licensing.locked_error().code == "LICENSE-ERR-1"
    assert "Import a new licence" in str(licensing.locked_error("billing"))
    # What it never carried was not lost by its end.
    assert locked_code(licensing, "scim") == "LICENSE-ERR-0"
    assert (licensing.was_granted("billing"), licensing.was_granted("scim")) == (True, False)
    assert licensing.limit("users") is None


def test_over_seats_and_capacity_everything_that_was_bought_works(context, licensing, make_user):
    context[USAGE].add("nodes", lambda work: 7)
    install(context, make_license(max_user=1, overage_pct=0, max_node=5))
    for name in ("ada", "eve"):
        make_user(name)
    with reading(context) as work:
        standing = licensing.standing(work)
    assert (standing.state, standing.usage) == ("over_seats", {"users": 2, "nodes": 7})
    assert standing.is_in_force
    assert licensing.standing().state == "valid"
    assert licensing.has("billing")


def test_a_change_is_seen_at_once_here_and_elsewhere_after_a_look(context, licensing, settings, database_url):
    replica = build_context(dataclasses.replace(settings, database_url=database_url), keyring=KEYRING)
    replica.clock = context.clock
    assert not replica[LICENSING].has("billing")
    install(context, make_license())
    assert licensing.has("billing")
    replica[LICENSING].refresh()
    assert replica[LICENSING].has("billing")
    with unit_of_work(context) as work:
        remove_license(work, None, actor_id=None)
    assert not licensing.has("billing")
    replica[LICENSING].refresh()
    assert not replica[LICENSING].has("billing")
    replica[DATABASE].dispose()


def test_asking_takes_no_query_within_two_seconds(context, licensing, count_queries):
    install(context, make_license(max_user=-1))
    with count_queries() as queries:
        for _ in range(100):
            licensing.require("billing")
        with unit_of_work(context) as work:
            check_seat(work)
    assert queries == []


def test_without_a_licence_a_look_is_one_query(licensing, count_queries):
    with count_queries() as queries:
        licensing.refresh()
    assert len(queries) == 1


def test_without_tables_there_is_no_licence_and_no_error(context, licensing):
    install(context, make_license())
    with context[DATABASE].engine.begin() as connection:
        connection.execute(text("DROP TABLE licenses"))
    licensing.refresh()
    assert (licensing.standing().state, licensing.edition.name) == ("none", "ce")


def test_while_the_database_is_away_what_was_read_last_stands(licensing, context, settings, postgresql):
    """Its server is there and the database is gone: a connection is refused."""
    name = postgresql.create_database()
    away = build_context(dataclasses.replace(settings, database_url=postgresql.url(name)), keyring=KEYRING)
    away.clock = context.clock
    migrate.upgrade(away[DATABASE])
    fresh = build_context(dataclasses.replace(settings, database_url=postgresql.url(name)), keyring=KEYRING)
    install(away, make_license())
    assert away[LICENSING].has("billing")
    away[DATABASE].dispose()
    postgresql.drop_database(name)
    away[LICENSING].refresh()
    assert away[LICENSING].has("billing")
    assert fresh[LICENSING].standing().state == "none"
    for built in (away, fresh):
        built[DATABASE].dispose()


def test_a_hub_without_a_licence_does_not_load_the_cryptography_of_licences(tmp_path):
    code = """
import sys, pathlib
from hub.base.context import Context
from hub.base.secrets import SECRET
from hub.base.settings import Settings
from hub.db.engine import DATABASE, Database
from hub.licensing.service import LICENSING, install
context = Context(Settings(home=pathlib.Path(sys.argv[1])))
context.provide(SECRET, b"word")
context.provide(DATABASE, Database(context.settings.effective_database_url))
install(context)
assert not context[LICENSING].has("billing")
print([name for name in sys.modules if name.startswith("cryptography")])
"""
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=False)
    assert done.stdout == "[]\n", done.stderr
