"""What is asked of usage over the wire: by its owners, by administrators, as JSON and CSV."""

import csv
import json
from datetime import timedelta

import pytest
from sqlalchemy import update

from hub.base.errors import NotFound
from hub.db.uow import unit_of_work
from hub.metering.models import UsageDay
from hub.metering.service import record, tell_readers
from hub.metering.usage import Power, Scene, Unit
from tests.support.cli import make_runner

from .conftest import NOON

SPAN = "from=2026-11-01&to=2026-11-30"
STATEMENTS = "start_time=2026-11-01 00:00:00&end_time=2026-12-01 00:00:00"


@pytest.fixture
def world(context, make_user, make_token, make_usage):
    """Ada's calls on two days and an hour of half a card; one call of Bob's."""
    ada, bob = make_user("ada"), make_user("bob")
    hour = {"scene": Scene.INFERENCE, "unit": Unit.SECOND, "quantity": 3630, "prompt": 0, "completion": 0}
    hour |= {"resource_id": "3", "resource_name": "=GPU", "power": Power(4000, 8192, 500, "A10")}
    with unit_of_work(context) as work:
        ada_uuid, bob_uuid = (work.session.merge(user).namespace.uuid for user in (ada, bob))
        record(
            work,
            [
                make_usage(ada_uuid, token_id=5, user_id=ada.id),
                make_usage(ada_uuid, occurred_at=NOON + timedelta(days=1), prompt=90, completion=10),
                make_usage(ada_uuid, **hour),
                make_usage(bob_uuid, prompt=1000),
            ],
        )
    tell_readers(context)
    headers = {user.name: {"Authorization": f"Bearer {make_token(user, 'read')}"} for user in (ada, bob)}
    return headers | {"uuid": ada_uuid, "user_uuid": ada.uuid}


def _ask(client, world, path, who="ada"):
    answer = client.get(f"/api/v1{path}", headers=world[who])
    assert answer.status_code == 200, answer.text
    return answer.get_json()


def test_sums_by_day_scene_key_and_user(client, world):
    own = f"/usage?owner={world['uuid']}&{SPAN}&group_by="
    days = [(row["group"], row["unit"], row["quantity"]) for row in _ask(client, world, f"{own}day")["data"]]
    assert days == [("2026-11-23", "second", 3630), ("2026-11-23", "token", 10), ("2026-11-24", "token", 100)]
    [month, _] = _ask(client, world, f"{own}month")["data"]
    assert (month["group"], month["gpu_hours"]) == ("2026-11", pytest.approx(3630 * 0.5 / 3600))
    scenes = {row["title"]: row for row in _ask(client, world, f"{own}scene")["data"]}
    assert (scenes["text"]["prompt_tokens"], scenes["text"]["completion_tokens"]) == (97, 13)
    assert scenes["inference"]["cpu_core_hours"] == pytest.approx(3630 * 4 / 3600)
    keys = {row["group"]: row["quantity"] for row in _ask(client, world, f"{own}key&scene=15")["data"]}
    assert keys == {"5": 10, "0": 100}
    titles = {row["title"] for row in _ask(client, world, f"{own}user")["data"]}
    assert titles == {"ada", ""}


def test_an_account_is_found_by_its_own_uuid_too_and_others_may_not_look(client, world):
    for uuid in (world["uuid"], world["user_uuid"]):
        found = _ask(client, world, f"/accounting/metering/{uuid}/statements?{STATEMENTS}")
        assert found["total"] == 3
        hour = next(row for row in found["data"] if row["unit"] == "second")
        assert (hour["value"], hour["value_type"], hour["quantity"], hour["scene"]) == (61, 0, 3630, 10)
        path = f"/api/v1/accounting/metering/{uuid}/statements?{STATEMENTS}"
        assert client.get(path, headers=world["bob"]).status_code == 403
        assert client.get(path).status_code == 401
    assert client.get(f"/api/v1/usage?{SPAN}", headers=world["ada"]).status_code == 403


@pytest.mark.any_database
def test_pages_filters_and_ends_of_statements(client, world):
    path = f"/accounting/metering/{world['uuid']}/statements?{STATEMENTS}"
    assert [row["quantity"] for row in _ask(client, world, f"{path}&scene=15")["data"]] == [100, 10]
    assert len(_ask(client, world, f"{path}&per=2&page=2")["data"]) == 1
    assert "total" not in _ask(client, world, f"{path}&instance_name=other")
    narrow = "start_time=2026-11-23 12:00:00&end_time=2026-11-24 12:00:00"
    assert _ask(client, world, f"/accounting/metering/{world['uuid']}/statements?{narrow}")["total"] == 2


@pytest.mark.any_database
def test_csv_holds_all_and_no_formulas(client, world):
    path = f"/api/v1/accounting/metering/{world['uuid']}/statements.csv?{SPAN}"
    answer = client.get(path, headers=world["ada"])
    rows = list(csv.DictReader(answer.text.splitlines()))
    assert sorted(int(row["quantity"]) for row in rows) == [10, 100, 3630]
    assert {row["resource_name"] for row in rows} == {"tiny", "'=GPU"}
    assert answer.headers["Content-Disposition"] == 'attachment; filename="usage.csv"'
    report = client.get(f"/api/v1/usage?owner={world['uuid']}&{SPAN}&format=csv", headers=world["ada"])
    assert report.text.splitlines()[1].startswith("2026-11-23,,second,1,3630,")


@pytest.mark.any_database
@pytest.mark.parametrize(
    "query",
    [
        "from=2026-11-30&to=2026-11-01",
        "from=2024-01-01&to=2026-01-01",
        f"{SPAN}&group_by=secret",
        f"{SPAN}&scene=99",
        "from=x&to=y",
    ],
)
def test_odd_questions_are_refused(client, world, query):
    assert client.get(f"/api/v1/usage?owner={world['uuid']}&{query}", headers=world["ada"]).status_code in (400, 422)


def test_administrators_see_all_accounts(client, world, make_user, make_token, count_queries):
    root = {"Authorization": f"Bearer {make_token(make_user('root', admin=True), 'admin')}"}
    with count_queries() as counted:
        answer = client.get(f"/api/v1/usage?{SPAN}&group_by=owner&scene=15", headers=root).get_json()
    assert [(row["title"], row["quantity"]) for row in answer["data"]] == [("bob", 1003), ("ada", 110)]
    assert len(counted) <= 6
    stat = client.get("/api/v1/accounting/metering/stat?start_date=2026-11-01&end_date=2026-11-30", headers=root)
    assert stat.get_json()["total"] == 3


@pytest.mark.any_database
def test_the_operator_sees_sums_and_makes_them_anew(context, settings, world):
    run = make_runner(context, settings, "usage")
    span = ("--from", "2026-11-01", "--to", "2026-11-30")
    by_account = json.loads(run("show", "--by", "owner", *span, "--json"))
    assert [(group["title"], group["quantity"]) for group in by_account if group["unit"] == "token"] == [
        ("bob", 1003),
        ("ada", 110),
    ]
    with unit_of_work(context) as work:
        work.session.execute(update(UsageDay).values(quantity=0))
    run("replay", "--yes")
    assert "110" in run("show", "ada", "--by", "month", *span)
    assert "no reader" in run("replay", "nobody", "--yes", refused=NotFound)
