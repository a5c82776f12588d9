"""Who hears of budgets, how often, and how they stand; and counters that Redis has lost or that somebody altered."""

import threading

import pytest
from sqlalchemy import func, select
from werkzeug.test import Client

from hub.accounts.models import Role
from hub.accounts.policy import SYSTEM
from hub.accounts.service import add_member, find_organization
from hub.base.topics import TOPICS
from hub.community.models import Notification
from hub.db.uow import reading, unit_of_work
from hub.jobs.models import Job
from hub.jobs.queue import connect
from hub.jobs.run import execute
from plugins.inference.bounds import set_owner_budgets
from plugins.inference.budgets import Purse
from plugins.inference.catalogue import Prices
from plugins.inference.happenings import BudgetReached
from plugins.inference.keys import Limits, create_key
from plugins.inference.models import ApiKey, Call
from plugins.inference.money import Budget
from plugins.inference.reconciling import list_accounts, reconcile_budget
from tests.support.plugins import open_client

from .conftest import completion

pytestmark = [pytest.mark.any_database, pytest.mark.settings(outgoing_allowed_hosts="127.0.0.1")]

# A call costs 15 of these.
ONE = Prices(input=1, output=1)


@pytest.fixture
def reconcile(hub):
    """``reconcile()``: how many counters were wrong."""

    def run():
        redis = connect(hub.settings)
        accounts = list_accounts(hub)
        return sum(reconcile_budget(hub, redis, account, budget) for account in accounts for budget in account.budgets)

    return run


@pytest.fixture
def told(hub):
    """``told()``: titles of what was told since the last time, and to whom."""
    seen = set()

    def read():
        with reading(hub) as work:
            jobs = work.session.scalars(select(Job.uuid).where(Job.name == "inference.tell_people")).all()
        for uuid in jobs:
            execute(hub, uuid)
        with reading(hub) as work:
            rows = work.session.scalars(select(Notification).order_by(Notification.id)).all()
        new = [(row.title, row.user_id) for row in rows if row.id not in seen]
        seen.update(row.id for row in rows)
        return new

    return read


def test_each_threshold_is_told_once_in_a_period_to_who_administers_the_account(
    ask, serve, hub, make_user, make_organization, reconcile, told
):
    serve(completion(), prices=ONE)
    make_organization("acme")
    boss, member = make_user("boss"), make_user("member")
    with unit_of_work(hub) as work:
        organization = find_organization(work, "acme")
        for user, role in ((boss, Role.ADMIN), (member, Role.WRITE)):
            add_member(work, actor=SYSTEM, organization=organization, user=work.session.merge(user), role=role)
        limits = Limits(budgets=(Budget("1mo", hard_nano=100, soft_nano=30), Budget("total", soft_nano=10**6)))
        key = create_key(work, actor=SYSTEM, namespace=organization.namespace, name="app", limits=limits)[1]
    heard = []
    hub.events.subscribe(BudgetReached, heard.append)
    seen = []
    for _ in range(6):
        ask(key, max_tokens=5)
        assert reconcile() == 0
        seen.append(told())
    titles = [{title for title, _ in some} for some in seen]
    name = "budget of the API key app of acme are spent"
    # 15, 30 ... 90 of 100 and of 30.
    assert titles == [{f"50 % of the soft {name}"}, {f"100 % of the soft {name}"}, set(), set(), set(),
                      {f"80 % of the hard {name}"}]  # fmt: skip
    assert boss.id in {user_id for _, user_id in seen[0]}
    assert member.id not in {user_id for some in seen for _, user_id in some}
    assert [(one.bound, one.percent) for one in heard] == [("soft", 50), ("soft", 100), ("hard", 80)]
    topic = hub[TOPICS].find("inference.budget_reached")
    with reading(hub) as work:
        said = topic.describe(work, heard[-1])
    assert (said.data["budget"]["spent_nano"], said.data["budget"]["kind"]) == (90, "key")
    assert said.namespace_id == heard[-1].namespace_id
    assert reconcile() == 0
    assert told() == []


def test_how_budgets_stand_is_told_of_keys_accounts_and_members(
    ask, serve, hub, make_user, make_organization, make_token
):
    serve(completion(), prices=ONE)
    acme, boss = make_organization("acme"), make_user("boss")
    sign = {"Authorization": f"Bearer {make_token(boss, 'admin')}"}
    with unit_of_work(hub) as work:
        organization = find_organization(work, "acme")
        add_member(work, actor=SYSTEM, organization=organization, user=work.session.merge(boss), role=Role.ADMIN)
    client, place = open_client(hub), f"/api/v1/namespaces/{acme.uuid}"
    body = {"name": "app", "budgets": [{"period": "1mo", "hard_nano": 60}, {"period": "total", "soft_nano": 100}]}
    made = client.post(f"{place}/apikeys", json=body, headers=sign).json["data"]
    assert client.put(f"{place}/budgets", json={"budgets": [{"period": "1mo", "hard_nano": 200}]}, headers=sign)
    member = client.put(
        f"{place}/budgets/members/boss", json={"budgets": [{"period": "total", "hard_nano": 40}]}, headers=sign
    )
    assert member.json["data"] == [{"period": "total", "hard_nano": 40, "soft_nano": None}]
    listed = client.get(f"{place}/budgets/members", headers=sign).json
    assert (listed["data"], listed["total"]) == ([{"username": "boss", "budgets": member.json["data"]}], 1)
    response = ask(made["token"], max_tokens=10)
    assert response.headers["x-gateway-key-spend"] == "0.000000015"
    assert ask(made["token"], max_tokens=10).status_code == 200
    refused = ask(made["token"], max_tokens=10)
    assert (refused.status_code, "this member" in refused.json["error"]["message"]) == (429, True)
    month, total = client.get(f"{place}/apikeys/{made['id']}/budgets", headers=sign).json["data"]
    assert [month[name] for name in ("spent_nano", "held_nano", "left_nano", "percent")] == [30, 0, 30, 50.0]
    assert (total["left_nano"], total["percent"], total["period_end"]) == (None, 30.0, None)
    [owner] = client.get(f"{place}/budgets/status", headers=sign).json["data"]
    assert (owner["spent_nano"], owner["left_nano"], owner["period_start"] < owner["period_end"]) == (30, 170, True)
    [own] = client.get(f"{place}/budgets/members/boss/status", headers=sign).json["data"]
    assert (own["spent_nano"], own["left_nano"]) == (30, 10)
    # What Redis does not know is told by the calls.
    connect(hub.settings).flushall()
    assert client.get(f"{place}/budgets/status", headers=sign).json["data"][0]["spent_nano"] == 30
    stranger = {"Authorization": f"Bearer {make_token(make_user('stranger'), 'admin')}"}
    for path in (f"apikeys/{made['id']}/budgets", "budgets/status", "budgets/members", "budgets/members/boss/status"):
        assert client.get(f"{place}/{path}", headers=stranger).status_code == 403
    assert client.get(f"{place}/budgets/members/nobody/status", headers=sign).status_code == 404
    assert client.put(f"{place}/budgets/members/boss", json={"budgets": []}, headers=sign).json["data"] == []
    assert client.get(f"{place}/budgets/members", headers=sign).json["data"] == []


@pytest.mark.each_database
def test_a_models_budget_is_told_of_shown_and_put_right_as_others_are(
    ask, serve, hub, ada, make_token, reconcile, told
):
    serve(completion(), "acme/small", prices=ONE)
    serve(completion(), "other", prices=ONE)
    heard = []
    hub.events.subscribe(BudgetReached, heard.append)
    client, place = open_client(hub), f"/api/v1/namespaces/{ada.uuid}"
    sign = {"Authorization": f"Bearer {make_token(ada, 'admin')}"}
    budget = {"period": "1mo", "hard_nano": 50, "soft_nano": 10}
    body = {"name": "app", "model_max_budget": {"acme/*": budget}}
    made = client.post(f"{place}/apikeys", json=body, headers=sign).json["data"]
    assert made["model_max_budget"] == {"acme/*": budget}
    for model in ("acme/small", "other", "acme/small"):
        assert ask(made["token"], model=model, max_tokens=10).status_code == 200
    assert reconcile() == 0
    assert told() == [("100 % of the soft budget of the API key app of ada for acme/* are spent", ada.id)]
    assert [(one.kind, one.whose, one.model) for one in heard] == [("model", str(made["id"]), "acme/*")]
    redis = connect(hub.settings)
    counter = Purse("model", made["id"], model="acme/*").counter(Budget(**budget), hub.clock.now())
    redis.hset(counter, "spent", 7)
    assert (reconcile(), redis.hget(counter, "spent")) == (1, b"30")
    for _ in range(2):
        [state] = client.get(f"{place}/apikeys/{made['id']}/budgets", headers=sign).json["data"]
        told_of = [state[name] for name in ("model", "spent_nano", "held_nano", "left_nano", "percent")]
        assert told_of == ["acme/*", 30, 0, 20, 60.0]
        redis.flushall()


def test_counters_that_were_altered_are_put_right(ask, serve, make_key, hub, ada, reconcile):
    serve(completion(), prices=ONE)
    budget = Budget("1mo", hard_nano=1000)
    key = make_key(budgets=(budget,))
    with unit_of_work(hub) as work:
        set_owner_budgets(work, actor=SYSTEM, namespace=work.session.merge(ada).namespace, budgets=[budget])
        key_id = work.session.scalar(select(ApiKey.id))
    for _ in range(3):
        assert ask(key, max_tokens=16).status_code == 200
    redis, counter = connect(hub.settings), Purse("key", key_id).counter(budget, hub.clock.now())
    assert reconcile() == 0
    right = int(redis.hget(counter, "spent"))
    assert right == 15 * 3
    for wrong in (0, right - 1, 10**6):
        redis.hset(counter, mapping={"spent": wrong, "held": 77})
        assert reconcile() == 1
        assert redis.hmget(counter, "spent", "held") == [str(right).encode(), b"0"]
    # What nobody counts is told when it is asked for.
    redis.delete(counter)
    assert reconcile() == 0


def test_redis_wiped_and_altered_under_load_is_right_again_and_no_more_is_spent(
    gateway, serve, make_key, hub, reconcile
):
    may_answer = threading.Event()

    def talk(connection, _request):
        may_answer.wait(0.05)
        connection.sendall(completion())

    serve(talk, prices=ONE)
    budget = Budget("1mo", hard_nano=600)
    headers = {"Authorization": f"Bearer {make_key(budgets=(budget,))}"}
    body = {"model": "tiny", "max_tokens": 16, "messages": [{"role": "user", "content": "Say four words."}]}
    with reading(hub) as work:
        counter = Purse("key", work.session.scalar(select(ApiKey.id))).counter(budget, hub.clock.now())
    statuses, is_over = [], threading.Event()

    def call():
        client = Client(gateway)
        for _ in range(25):
            statuses.append(client.post("/v1/chat/completions", json=body, headers=headers).status_code)

    def harm():
        redis = connect(hub.settings)
        for number in range(200):
            if is_over.wait(0.02):
                break
            # Fields that are lost are told anew; the hold of each call under way is known to this process.
            redis.flushdb() if number % 2 else redis.hdel(counter, "spent")
            reconcile()

    threads = [threading.Thread(target=call) for _ in range(4)]
    harmer = threading.Thread(target=harm)
    harmer.start()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    is_over.set()
    harmer.join()
    with reading(hub) as work:
        spent = work.session.scalar(select(func.sum(Call.cost_nano)))
    assert {200, 429} >= set(statuses)
    assert spent == 15 * statuses.count(200)
    assert 600 - 20 <= spent <= 600
    reconcile()
    redis = connect(hub.settings)
    assert redis.hget(counter, "spent") in (None, str(spent).encode())
    assert int(redis.hget(counter, "held") or 0) == 0
