"""The account of calls: who sees which, how they are found and added up, and what stays when they are swept away."""

import csv
import io
import json
from datetime import date, datetime, timedelta

import pytest
from click.testing import CliRunner
from sqlalchemy import func, select

from hub.accounts.models import Role
from hub.accounts.policy import SYSTEM
from hub.accounts.service import add_member, find_organization
from hub.base.settings import environment_of
from hub.cli.main import cli
from hub.db.uow import reading, unit_of_work
from plugins.inference.budgets import Purse, read_spent
from plugins.inference.catalogue import Prices
from plugins.inference.models import Call, SpentDay
from plugins.inference.sweeping import sum_days, sweep_calls
from tests.support.plugins import open_client

from .conftest import answer, completion

pytestmark = pytest.mark.settings(outgoing_allowed_hosts="127.0.0.1")


@pytest.fixture
def client(hub):
    return open_client(hub)


@pytest.fixture
def sign(make_token):
    return lambda user, scope="read": {"Authorization": f"Bearer {make_token(user, scope)}"}


@pytest.fixture
def record(hub):
    """``record(owner_uuid, days=-3, cost=5)``: the row of a call so many days from now."""
    numbers = iter(range(10_000))

    def add(owner_uuid, *, days=0, cost=1, key_id=1, user_id=None, model="tiny", status=200, route="chat/completions"):
        number = next(numbers)
        row = Call(
            uuid=f"00000000-0000-0000-0000-{number:012}",
            request_id=f"request-{number}",
            key_id=key_id,
            owner_uuid=owner_uuid,
            user_id=user_id,
            end_user="",
            tags=[],
            route=route,
            model=model,
            provider="acme",
            upstream_model="",
            is_stream=False,
            status=status,
            error_code="",
            finish_reason="",
            prompt_tokens=10,
            cached_tokens=2,
            cache_creation_tokens=0,
            completion_tokens=3,
            reasoning_tokens=0,
            unit="token",
            quantity=13,
            usage_source="upstream",
            cost_nano=cost,
            attempts=1,
            fallbacks=0,
            latency_ms=5,
            overhead_ms=1,
            started_at=hub.clock.now() + timedelta(days=days),
        )
        with unit_of_work(hub) as work:
            work.session.add(row)

    return add


@pytest.mark.any_database
def test_a_call_is_told_as_it_was_and_found_by_what_is_known_of_it(client, ask, serve, make_key, ada, hub, sign):
    details = {"reasoning_tokens": 3}
    usage = {"prompt_tokens": 9, "completion_tokens": 4, "completion_tokens_details": details}
    serve(completion(usage=usage), prices=Prices(output=2))
    serve(answer(b"", status="500 Oops"), "bad")
    key = make_key("laptop")
    good = ask(key, user="customer 7", headers={"X-Request-Id": "mine"})
    ask(key, model="bad", user="\0")
    place = f"/api/v1/namespaces/{ada.uuid}/calls"
    newest, oldest = client.get(place, headers=sign(ada)).json["data"]
    assert (newest["requested_model"], newest["status"], newest["end_user"]) == ("bad", 502, "")
    assert oldest["request_id"] == "mine" == good.headers["x-request-id"]
    told = ("key_name", "end_user", "upstream_model", "reasoning_tokens", "quantity", "cost_nano", "retries", "status")
    assert [oldest[name] for name in told] == ["laptop", "customer 7", "tiny-v1", 3, 13, 8, 0, 200]
    assert client.get(f"{place}/mine", headers=sign(ada)).json["data"] == oldest
    assert client.get(f"{place}/{oldest['uuid']}", headers=sign(ada)).json["data"] == oldest
    for query, found in (
        ("status=5xx", ["bad"]), ("status=200", ["tiny"]), ("model=tiny", ["tiny"]), ("request_id=mine", ["tiny"]),
        (f"key={oldest['key_id']}&per=1", ["bad"]), ("key=999", []), ("to=2000-01-01T00:00:00Z", []),
        ("from=2000-01-01T00:00:00Z&page=2&per=1", ["tiny"]),
    ):  # fmt: skip
        listed = client.get(f"{place}?{query}", headers=sign(ada))
        assert [one["requested_model"] for one in listed.json["data"]] == found, query
    for odd in ("status=7xx", "status=%00", "from=yesterday", "page=0"):
        assert client.get(f"{place}?{odd}", headers=sign(ada)).status_code in (400, 422), odd
    rows = [*csv.DictReader(io.StringIO(client.get(f"{place}?format=csv", headers=sign(ada)).text))]
    assert [(row["request_id"], row["cost_nano"]) for row in rows[:1]] == [("mine", "8")]
    for missing in ("nothing", "%00"):
        assert client.get(f"{place}/{missing}", headers=sign(ada)).status_code == 404


@pytest.mark.any_database
def test_who_may_see_what_an_account_has_spent(client, hub, record, ada, make_user, make_organization, sign):
    acme = make_organization("acme")
    boss, member, stranger = make_user("boss"), make_user("member"), make_user("stranger")
    with unit_of_work(hub) as work:
        organization = find_organization(work, "acme")
        uuid = organization.namespace.uuid
        for user, role in ((boss, Role.ADMIN), (member, Role.WRITE)):
            add_member(work, actor=SYSTEM, organization=organization, user=work.session.merge(user), role=role)
    record(uuid)
    place = f"/api/v1/namespaces/{acme.uuid}"
    call = client.get(f"{place}/calls", headers=sign(boss)).json["data"][0]["uuid"]
    root = sign(make_user("root", admin=True), "admin")
    for path in (f"{place}/calls", f"{place}/calls?format=csv", f"{place}/calls/{call}", f"{place}/spending"):
        for headers, status in ((sign(boss), 200), (root, 200), (sign(member), 403), (sign(stranger), 403), ({}, 401)):
            assert client.get(path, headers=headers).status_code == status, path
    # A call of another account is not found below one's own.
    assert client.get(f"/api/v1/namespaces/{ada.uuid}/calls/{call}", headers=sign(ada)).status_code == 404
    for path in ("/api/v1/calls", "/api/v1/calls?format=csv", f"/api/v1/calls/{call}", "/api/v1/spending"):
        for headers, status in ((root, 200), (sign(boss), 403), ({}, 401)):
            assert client.get(path, headers=headers).status_code == status, path


def test_sums_are_the_same_before_and_after_days_are_added_up_and_calls_swept_away(
    client, hub, record, ada, make_user, sign, count_queries
):
    bob = make_user("bob")
    with reading(hub) as work:
        mine, his = (work.session.merge(user).namespace.uuid for user in (ada, bob))
    for days in (-12, -12, -10, -2, -1, 0):
        record(mine, days=days, cost=-days + 1, key_id=1 + days % 2, model=f"m{days % 3}", status=200 if days else 500)
    record(his, days=-12, cost=1000)
    today = hub.clock.now().date()

    def summed(group_by, headers=None, place=f"/api/v1/namespaces/{ada.uuid}"):
        query = f"group_by={group_by}&from={today - timedelta(days=100)}&to={today}"
        return client.get(f"{place}/spending?{query}", headers=headers or sign(ada)).json["data"]

    groups = ("day", "model", "key", "user", "route")
    before = {group_by: summed(group_by) for group_by in groups}
    [day, *_] = before["day"]
    assert (day["group"], day["calls"], day["cost_nano"], day["prompt_tokens"]) == (
        str(today - timedelta(days=12)), 2, 26, 20)  # fmt: skip
    assert before["day"][-1]["failed"] == 1
    assert sum(one["cost_nano"] for one in before["model"]) == 13 * 2 + 11 + 3 + 2 + 1
    since = datetime.combine(today - timedelta(days=11), datetime.min.time(), hub.clock.now().tzinfo)

    def spent(since):
        with reading(hub) as work:
            return read_spent(work, Purse("owner", mine), since)

    assert (spent(since), spent(since - timedelta(days=10))) == (17, 43)
    assert sum_days(hub, today) > 0
    assert {group_by: summed(group_by) for group_by in groups} == before
    # A call that lasted is written down late.
    record(mine, days=-3, cost=10)
    assert sum_days(hub, today) > 0
    assert spent(since) == 27
    assert sum(sweep_calls(hub, today - timedelta(days=8))) == 4
    assert sum(sweep_calls(hub, today - timedelta(days=8))) == 0
    sum_days(hub, today)
    after = {group_by: summed(group_by) for group_by in groups}
    assert after["key"] != before["key"]
    assert [one for one in after["day"] if one["group"] != str(today - timedelta(days=3))] == before["day"]
    assert (spent(since), spent(since - timedelta(days=10))) == (27, 53)
    # A period of another time zone begins within a day whose calls are gone: the whole day counts.
    assert spent(since - timedelta(seconds=1)) == 53
    with reading(hub) as work:
        assert work.session.scalar(select(func.count()).select_from(Call)) == 4
        assert work.session.scalar(select(func.sum(SpentDay.cost_nano)).where(SpentDay.owner_uuid == his)) == 1000
    owners = summed("owner", sign(make_user("root", admin=True), "admin"), "/api/v1")
    assert [(one["title"], one["cost_nano"]) for one in owners] == [("bob", 1000), ("ada", 53)]
    with count_queries() as queries:
        summed("key")
    assert len(queries) < 12


@pytest.mark.any_database
def test_days_and_groups_that_cannot_be_are_refused(client, ada, sign):
    place = f"/api/v1/namespaces/{ada.uuid}/spending"
    for odd in ("group_by=price", f"from={date(2024, 1, 1)}&to={date(2026, 1, 1)}", "from=2026-02-01&to=2026-01-01"):
        assert client.get(f"{place}?{odd}", headers=sign(ada)).status_code in (400, 422), odd
    assert client.get(place, headers=sign(ada)).json["data"] == []


@pytest.mark.any_database
def test_the_command_line_tells_the_same(hub, record, ada):
    with reading(hub) as work:
        uuid = work.session.merge(ada).namespace.uuid
    record(uuid, days=-1, cost=3, model="m1")
    record(uuid, cost=4, model="m2", status=500)
    record("somebody else", cost=5)

    def run(*arguments):
        return CliRunner().invoke(cli, ["calls", *arguments], env=environment_of(hub.settings))

    listed = json.loads(run("list", "ada", "--json").stdout)
    assert [(one["requested_model"], one["cost_nano"]) for one in listed] == [("m2", 4), ("m1", 3)]
    assert [one["cost_nano"] for one in json.loads(run("list", "--status", "5xx", "--json").stdout)] == [4]
    by_owner = json.loads(run("spent", "--by", "owner", "--json").stdout)
    assert [(one["title"], one["cost_nano"]) for one in by_owner] == [("ada", 7), ("", 5)]
    table = run("spent", "ada", "--by", "model").stdout
    assert ("m1" in table, "0.000000" in table) == (True, True)
    assert run("list", "nobody").exit_code == 1
    assert "three digits" in str(run("list", "--status", "odd").exception)
