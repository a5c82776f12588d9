"""Keys and models over REST: who may, what is shown of them, and when they change."""

from datetime import datetime

import pytest
from sqlalchemy import select

from hub.accounts.models import Role
from hub.accounts.policy import SYSTEM
from hub.accounts.service import add_member, find_organization
from hub.db.uow import reading, unit_of_work
from plugins.inference.keys import hash_value, is_key_shaped, new_value
from plugins.inference.models import ApiKey, Upstream
from plugins.inference.money import Budget
from tests.support.plugins import open_client

pytestmark = [pytest.mark.any_database, pytest.mark.settings(outgoing_allowed_hosts="127.0.0.1")]


@pytest.fixture
def client(hub):
    return open_client(hub)


@pytest.fixture
def sign(make_token):
    return lambda user, scope="admin": {"Authorization": f"Bearer {make_token(user, scope)}"}


def test_a_key_is_shown_once_and_kept_as_a_hash(client, hub, ada, sign):
    place = f"/api/v1/namespaces/{ada.uuid}/apikeys"
    body = {"name": "laptop", "rpm_limit": 5, "models": ["acme/*"], "budgets": [{"period": "1mo", "hard_nano": 7}]}
    made = client.post(place, json=body, headers=sign(ada)).json["data"]
    assert is_key_shaped(made["token"])
    assert (made["token_name"], made["token_type"], made["rpm_limit"]) == ("laptop", "owner", 5)
    [listed] = client.get(place, headers=sign(ada, "read")).json["data"]
    assert listed["token"] == f"{made['token'][:7]}…{made['token'][-4:]}"
    assert listed["budgets"] == [{"period": "1mo", "hard_nano": 7, "soft_nano": None}]
    with reading(hub) as work:
        assert work.session.scalars(select(ApiKey.token_hash)).one() == hash_value(made["token"])
    renewed = client.put(f"{place}/{made['id']}/refresh", headers=sign(ada)).json["data"]
    assert renewed["token"] != made["token"]
    assert client.post(place, json=body, headers=sign(ada)).status_code == 409
    changed = client.put(f"{place}/{made['id']}", json={"name": "desk", "is_active": False}, headers=sign(ada))
    assert (changed.json["data"]["token_name"], changed.json["data"]["rpm_limit"]) == ("desk", None)
    assert client.delete(f"{place}/{made['id']}", headers=sign(ada)).status_code == 200
    assert client.get(place, headers=sign(ada)).json["data"] == []


def test_the_builtin_key_is_made_when_it_is_asked_for_and_stays(client, ada, sign):
    place = f"/api/v1/namespaces/{ada.uuid}/apikeys"
    first = client.get(f"{place}/builtin", headers=sign(ada)).json["data"]
    assert is_key_shaped(first["token"])
    again = client.get(f"{place}/builtin", headers=sign(ada)).json["data"]
    assert (again["id"], "…" in again["token"]) == (first["id"], True)
    assert client.put(f"{place}/builtin/refresh", headers=sign(ada)).json["data"]["token"] != first["token"]
    assert client.delete(f"{place}/{first['id']}", headers=sign(ada)).json["code"] == "key_builtin"
    taken = client.post(place, json={"name": "built-in"}, headers=sign(ada))
    assert taken.status_code == 400


def test_administrators_of_a_namespace_alone_see_and_make_its_keys(
    client, hub, ada, make_user, make_organization, sign
):
    acme = make_organization("acme")
    boss, member, stranger = make_user("boss"), make_user("member"), make_user("stranger")
    with unit_of_work(hub) as work:
        organization = find_organization(work, "acme")
        for user, role in ((boss, Role.ADMIN), (member, Role.WRITE)):
            add_member(work, actor=SYSTEM, organization=organization, user=work.session.merge(user), role=role)
    place = f"/api/v1/namespaces/{acme.uuid}/apikeys"
    made = client.post(place, json={"name": "ours"}, headers=sign(boss))
    assert made.status_code == 200
    for headers, status in (
        (sign(member), 403),
        (sign(stranger), 403),
        (sign(boss, "write"), 403),
        ({}, 401),
    ):
        assert client.post(place, json={"name": "mine"}, headers=headers).status_code == status
        assert client.delete(f"{place}/{made.json['data']['id']}", headers=headers).status_code == status
    # A key of another namespace is not found below one's own.
    own = f"/api/v1/namespaces/{ada.uuid}/apikeys/{made.json['data']['id']}"
    assert client.delete(own, headers=sign(ada)).status_code == 404
    assert client.get("/api/v1/namespaces/nobody/apikeys", headers=sign(ada)).status_code == 404


def test_models_and_their_secrets_are_administrators_business(client, hub, ada, make_user, sign):
    root = sign(make_user("root", admin=True))
    upstream = {"url": "http://127.0.0.1:9/v1", "model_name": "v1", "headers": {"Authorization": "Bearer secret"}}
    body = {"model_name": "acme/small", "prices": {"input": 150}, "upstreams": [upstream]}
    assert client.post("/api/v1/config/llms", json=body, headers=sign(ada)).status_code == 403
    made = client.post("/api/v1/config/llms", json=body, headers=root)
    assert made.json["data"]["upstreams"][0]["headers"] == ["Authorization"]
    assert "secret" not in made.text
    with reading(hub) as work:
        assert "secret" not in work.session.scalars(select(Upstream.sealed_headers)).one()
    place = f"/api/v1/config/llms/{made.json['data']['id']}"
    kept = upstream | {"id": made.json["data"]["upstreams"][0]["id"], "weight": 3, "headers": None}
    changed = client.put(place, json=body | {"upstreams": [kept]}, headers=root).json["data"]
    assert (changed["upstreams"][0]["weight"], changed["upstreams"][0]["headers"]) == (3, ["Authorization"])
    for odd in (
        {"upstreams": [upstream | {"url": "http://10.0.0.1/v1"}]},
        {"upstreams": [upstream | {"headers": {"Host": "x"}}]},
        {"upstreams": [upstream | {"headers": {"X": "a\r\nB: c"}}]},
        {"model_name": "../x"},
        {"strategy": "dearest"},
        {"namespace": "nobody"},
    ):
        assert client.post("/api/v1/config/llms", json=body | odd, headers=root).status_code in (400, 404, 422), odd
    assert client.post("/api/v1/config/llms", json=body, headers=root).status_code == 409
    assert client.get("/api/v1/config/llms?search=small", headers=root).json["total"] == 1
    assert client.delete(place, headers=root).status_code == 200
    assert client.get(place, headers=root).status_code == 404


@pytest.mark.parametrize("period, start", [
    ("total", "1970-01-01T00:00:00"), ("1mo", "2026-11-01T00:00:00"), ("7d", "2026-11-23T00:00:00"),
    ("24h", "2026-11-25T00:00:00"), ("15m", "2026-11-25T13:45:00"), ("30s", "2026-11-25T13:46:30"),
])  # fmt: skip
def test_periods_begin_as_the_calendar_has_them(period, start):
    now = datetime.fromisoformat("2026-11-25T13:46:59+00:00")
    budget = Budget(period, 1)
    assert budget.start_at(now).isoformat() == f"{start}+00:00"
    end = budget.end_at(now)
    assert end is None or budget.start_at(end) == end > now


@pytest.mark.parametrize("zone, period, now, start, end", [
    ("Asia/Shanghai", "1mo", "2026-11-30T16:00:00", "2026-11-30T16:00:00", "2026-12-31T16:00:00"),
    ("Asia/Shanghai", "1mo", "2026-11-30T15:59:59", "2026-10-31T16:00:00", "2026-11-30T16:00:00"),
    ("America/New_York", "24h", "2026-11-25T04:59:59", "2026-11-24T05:00:00", "2026-11-25T05:00:00"),
    # Clocks are put back and forward: a day has 25 hours and 23; where it begins with one o'clock, it begins with it.
    ("Europe/Berlin", "1d", "2026-10-25T12:00:00", "2026-10-24T22:00:00", "2026-10-25T23:00:00"),
    ("Europe/Berlin", "1d", "2026-03-29T12:00:00", "2026-03-28T23:00:00", "2026-03-29T22:00:00"),
    ("Africa/Cairo", "1d", "2026-04-24T12:00:00", "2026-04-23T22:00:00", "2026-04-24T21:00:00"),
    ("Europe/Berlin", "7d", "2026-10-25T12:00:00", "2026-10-18T22:00:00", "2026-10-25T23:00:00"),
    ("Asia/Kathmandu", "1h", "2026-11-25T13:46:59", "2026-11-25T13:00:00", "2026-11-25T14:00:00"),
    ("Mars/Olympus", "1d", "2026-11-25T13:46:59", "2026-11-25T00:00:00", "2026-11-26T00:00:00"),
])  # fmt: skip
def test_days_weeks_and_months_begin_by_the_accounts_clocks(zone, period, now, start, end):
    budget, moment = Budget(period, 1), datetime.fromisoformat(f"{now}+00:00")
    found = budget.start_at(moment, zone), budget.end_at(moment, zone)
    assert [one.isoformat() for one in found] == [f"{start}+00:00", f"{end}+00:00"]
    # Periods follow one another: the end of one is the beginning of the next.
    assert (budget.start_at(found[1], zone), budget.start_at(found[0], zone)) == (found[1], found[0])


def test_what_is_no_key_is_known_without_asking():
    value = new_value()
    assert is_key_shaped(value)
    assert not is_key_shaped(value[:-1] + ("0" if value[-1] != "0" else "1"))
    assert not is_key_shaped(value + "\n")
