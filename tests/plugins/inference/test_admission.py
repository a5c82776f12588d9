"""Limits and budgets: what is let in, what is refused, and that many at once spend no more than there is."""

import dataclasses
import threading
from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select, update
from werkzeug.test import Client

from hub.accounts.policy import SYSTEM, Actor
from hub.accounts.service import update_user
from hub.base.clock import FixedClock
from hub.base.errors import Invalid
from hub.db.uow import reading, unit_of_work
from hub.jobs.queue import connect
from hub.plugin.settings import settings_of
from plugins.inference.bounds import set_owner_budgets, set_owner_limits
from plugins.inference.catalogue import Prices
from plugins.inference.gateway.app import create_gateway
from plugins.inference.keys import Limits, create_key
from plugins.inference.limits import KeyRules, MinuteLimits
from plugins.inference.models import ApiKey, Call
from plugins.inference.money import Budget
from plugins.inference.settings import InferenceSettings

from .conftest import answer, completion

pytestmark = [pytest.mark.any_database, pytest.mark.settings(outgoing_allowed_hosts="127.0.0.1")]

# A call costs 15 of these: 11 tokens asked with, 4 answered.
ONE = Prices(input=1, output=1)


def _refused(response):
    return response.status_code, response.json["error"]["code"]


def test_requests_and_tokens_of_a_minute_are_bounded_and_told(ask, serve, make_key):
    serve(completion())
    by_requests = make_key("requests", requests=2)
    first = ask(by_requests, max_tokens=4)
    assert (first.headers["x-ratelimit-limit-requests"], first.headers["x-ratelimit-remaining-requests"]) == ("2", "1")
    assert ask(by_requests).status_code == 200
    refused = ask(by_requests)
    assert _refused(refused) == (429, "rate_limit_exceeded")
    assert 0 < int(refused.headers["Retry-After"]) <= 120
    by_tokens = make_key("tokens", tokens=100)
    # What a call may use is held, what it did use is counted: 15 of at most 84.
    assert ask(by_tokens, max_tokens=80).status_code == 200
    assert ask(by_tokens, max_tokens=80).status_code == 200
    assert _refused(ask(by_tokens, max_tokens=80)) == (429, "rate_limit_exceeded")
    assert ask(by_tokens, max_tokens=10).headers["x-ratelimit-limit-tokens"] == "100"


def test_calls_at_once_are_bounded_and_their_places_come_back(ask, serve, make_key):
    may_answer, has_come = threading.Event(), threading.Event()

    def talk(connection, _request):
        has_come.set()
        may_answer.wait(60)
        connection.sendall(completion())

    serve(talk)
    key = make_key(parallel=1)
    done = []
    thread = threading.Thread(target=lambda: done.append(ask(key).status_code))
    thread.start()
    assert has_come.wait(60)
    assert _refused(ask(key)) == (429, "rate_limit_exceeded")
    may_answer.set()
    thread.join()
    assert done == [200]
    assert ask(key).status_code == 200


def test_a_thousand_calls_at_once_spend_no_more_than_the_budget(gateway, serve, make_key, hub):
    serve(completion(), prices=ONE)
    key = make_key(budgets=(Budget("1mo", hard_nano=300),))
    headers, statuses = {"Authorization": f"Bearer {key}"}, []
    # At most 4 tokens asked with and 16 answered are held for each.
    body = {"model": "tiny", "max_tokens": 16, "messages": [{"role": "user", "content": "Say four words."}]}

    def call():
        client = Client(gateway)
        statuses.extend(
            client.post("/v1/chat/completions", json=body, headers=headers).status_code for _ in range(1000 // 20)
        )

    threads = [threading.Thread(target=call) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(statuses) == {200, 429}
    with reading(hub) as work:
        spent = work.session.scalar(select(func.sum(Call.cost_nano)))
    # The last call that is let in may use less than was held for it.
    assert 300 - 20 < spent <= 300
    assert spent == 15 * statuses.count(200)


def test_what_redis_forgets_is_known_from_the_calls(ask, serve, make_key, hub):
    serve(completion(), prices=ONE)
    key = make_key(budgets=(Budget("total", hard_nano=60),))
    assert [ask(key, max_tokens=16).status_code for _ in range(4)] == [200, 200, 200, 429]
    connect(hub.settings).flushall()
    assert _refused(ask(key, max_tokens=16)) == (429, "budget_exceeded")
    assert ask(key, max_tokens=10).status_code == 200


def test_a_months_budget_begins_in_the_accounts_time_zone(ask, serve, make_key, ada, hub):
    serve(completion(), prices=ONE)
    key = make_key(budgets=(Budget("1mo", hard_nano=20),), rules=KeyRules(model_budgets={"*": Budget("1d", 20)}))
    # Redis has its own clock, by which what ended long ago is forgotten at once.
    hub.clock = FixedClock(datetime(2090, 11, 30, 15, 59, tzinfo=UTC))
    with unit_of_work(hub) as work:
        update_user(work, actor=SYSTEM, user=work.session.merge(ada), time_zone="Asia/Shanghai")
    assert [ask(key, max_tokens=16).status_code for _ in range(2)] == [200, 429]
    # In Shanghai it is December.
    hub.clock = FixedClock(datetime(2090, 11, 30, 16, 0, tzinfo=UTC))
    assert [ask(key, max_tokens=16).status_code for _ in range(2)] == [200, 429]
    # Redis forgets, and it is known from the calls, of which only the later one is of this month.
    connect(hub.settings).flushall()
    assert [ask(key, max_tokens=16).status_code, ask(key, max_tokens=1).status_code] == [429, 200]


def test_an_account_has_one_purse_for_all_its_keys(ask, serve, make_key, ada, hub):
    serve(completion(), prices=ONE)
    with unit_of_work(hub) as work:
        namespace = work.session.merge(ada).namespace
        set_owner_budgets(
            work, actor=Actor.of_user(ada, via="session"), namespace=namespace, budgets=[Budget("1mo", 40)]
        )
    assert ask(make_key("first"), max_tokens=16).status_code == 200
    assert ask(make_key("second"), max_tokens=16).status_code == 200
    refused = ask(make_key("third"), max_tokens=16)
    assert _refused(refused) == (429, "budget_exceeded")
    assert "this account" in refused.json["error"]["message"]


def test_what_fails_costs_nothing_and_gives_back_what_was_held(ask, serve, make_key):
    serve(answer(b"", status="500 Oops"), prices=ONE)
    serve(completion(), "good", prices=ONE)
    key = make_key(budgets=(Budget("1mo", hard_nano=20),))
    assert ask(key, max_tokens=16).status_code == 502
    assert ask(key, model="good", max_tokens=16).status_code == 200
    assert ask(key, model="good", max_tokens=16).status_code == 429


def test_without_redis_limits_are_counted_here_and_budgets_are_not_served(hub, serve, make_key):
    serve(completion(), prices=ONE)
    hub.settings = dataclasses.replace(hub.settings, redis_url="redis://127.0.0.1:1/0")
    client = Client(create_gateway(hub))

    def call(key):
        body = {"model": "tiny", "messages": []}
        return client.post("/v1/chat/completions", json=body, headers={"Authorization": f"Bearer {key}"})

    limited = make_key("limited", requests=2)
    assert [call(limited).status_code for _ in range(3)] == [200, 200, 429]
    budgeted = make_key("budgeted", budgets=(Budget("1mo", 10**9),))
    assert _refused(call(budgeted)) == (503, "budget_unavailable")


def test_what_a_dearer_model_that_stands_in_may_cost_is_held(ask, serve, make_key):
    serve(answer(b"", status="500 Oops"), prices=ONE, fallbacks=["dear"])
    serve(completion(), "dear", prices=Prices(input=100, output=100))
    # 15 tokens at 100 are 1,500; the cheap model's most would have been 20.
    assert _refused(ask(make_key(budgets=(Budget("1mo", 1000),)), max_tokens=16)) == (429, "budget_exceeded")


def test_it_is_known_when_a_key_was_used(ask, serve, make_key, hub):
    serve(completion())
    assert ask(make_key("used")).status_code == 200
    with reading(hub) as work:
        used = work.session.scalar(select(ApiKey.last_used_at).where(ApiKey.name == "used"))
    assert abs((hub.clock.now() - used).total_seconds()) < 60


def test_keys_that_expire_are_switched_off_or_may_not_call_a_model(ask, serve, make_key, hub):
    serve(completion(), "acme/small")
    serve(completion(), "acme/large")
    narrow = make_key("narrow", models=("acme/s*",))
    assert ask(narrow, model="acme/small").status_code == 200
    assert _refused(ask(narrow, model="acme/large")) == (403, "insufficient_permissions")
    for change, found in (
        ({"is_active": False}, (401, "api_key_disabled")),
        ({"is_active": True, "expires_at": hub.clock.now()}, (401, "api_key_expired")),
    ):
        key = make_key(f"key {found[1]}")
        with unit_of_work(hub) as work:
            work.session.execute(update(ApiKey).where(ApiKey.name == f"key {found[1]}").values(**change))
        assert _refused(ask(key, model="acme/small")) == found


@pytest.fixture
def ruled(hub, ada):
    """``ruled(routes=("embeddings",))``: the value of a key with these rules."""
    numbers = iter(range(100))

    def make(limits=None, **rules):
        with unit_of_work(hub) as work:
            namespace = work.session.merge(ada).namespace
            name = f"ruled {next(numbers)}"
            made = create_key(
                work, actor=SYSTEM, namespace=namespace, name=name, limits=limits or Limits(), rules=KeyRules(**rules)
            )
            return made[1]

    return make


def test_a_key_is_for_some_routes_models_and_addresses(ask, serve, gateway, ruled, calls):
    serve(completion(), "acme/small")
    narrow = ruled(routes=("embed*",), aliases={"gpt": "acme/small"})
    assert _refused(ask(narrow, model="gpt")) == (403, "insufficient_permissions")
    assert ask(narrow, model="gpt", path="/v1/embeddings", input="x").json["model"] == "acme/small"
    assert ask(ruled(aliases={"gpt": "no"}), model="gpt").status_code == 404
    near = ruled(ips=("127.0.0.0/8", "2001:db8::/32"), tags=("batch", "team 1"))
    client = Client(gateway)

    def call(address, path="/v1/chat/completions", **headers):
        headers = {"Authorization": f"Bearer {near}"} | headers
        environ = {"REMOTE_ADDR": address}
        if path == "/v1/models":
            return client.get(path, headers=headers, environ_overrides=environ).status_code
        body = {"model": "acme/small", "messages": []}
        return client.post(path, json=body, headers=headers, environ_overrides=environ).status_code

    far = {"X-Forwarded-For": "192.0.2.1"}
    assert [call(one) for one in ("127.0.0.1", "2001:db8::1", "::ffff:127.0.0.1", "192.0.2.1", "")] == [
        200, 200, 200, 403, 403]  # fmt: skip
    # Nobody who is not trusted says where a client is; whoever lists is held to the same.
    assert call("127.0.0.1", **far) == 200
    gateway.caller.context.settings = dataclasses.replace(gateway.caller.context.settings, trusted_proxies="127.0.0.1")
    assert (call("127.0.0.1", **far), call("127.0.0.1", path="/v1/models", **far)) == (403, 403)
    assert call("127.0.0.1", path="/v1/models") == 200
    assert calls()[-1].tags == ["batch", "team 1"]
    assert _refused(ask(ruled(is_blocked=True), model="acme/small")) == (401, "api_key_disabled")


def test_of_many_limits_the_tightest_refuses_and_is_told(ask, serve, ruled, hub, ada):
    serve(completion())
    serve(completion(), "other")
    with unit_of_work(hub) as work:
        namespace = work.session.merge(ada).namespace
        set_owner_limits(work, actor=SYSTEM, namespace=namespace, limits=MinuteLimits(4, 10_000))
    tight = ruled(Limits(requests=50), model_limits={"ti*": MinuteLimits(2, None), "other": MinuteLimits(None, 100)})
    first = ask(tight, max_tokens=10)
    told = [first.headers[f"x-ratelimit-{word}"] for word in ("limit-requests", "remaining-requests", "limit-tokens")]
    assert told == ["2", "1", "10000"]
    assert ask(tight, max_tokens=10).status_code == 200
    refused = ask(tight, max_tokens=10)
    assert (_refused(refused), "of ti*" in refused.json["error"]["message"]) == ((429, "rate_limit_exceeded"), True)
    assert ask(tight, model="other", max_tokens=200).status_code == 429
    # What was refused takes no place from what all keys of the account have.
    assert ask(tight, model="other", max_tokens=10).status_code == 200
    assert ask(ruled(), max_tokens=10).status_code == 200
    over = ask(ruled(), max_tokens=10)
    assert (over.status_code, "of this account" in over.json["error"]["message"]) == (429, True)


def test_a_model_has_a_budget_of_its_own_beside_the_keys(ask, serve, ruled, hub):
    serve(completion(), "acme/small", prices=ONE)
    serve(completion(), "acme/large", prices=ONE)
    serve(completion(), "other", prices=ONE)
    budgets = {"acme/*": Budget("total", hard_nano=60), "acme/large": Budget("1mo", hard_nano=20)}
    key = ruled(Limits(budgets=(Budget("1mo", hard_nano=100),)), model_budgets=budgets, aliases={"mine": "acme/large"})
    # 15 each: two of the small one and one of the large one, which has money for no other; the rest is for both.
    statuses = [ask(key, model=name, max_tokens=16).status_code for name in ("mine", "mine", "acme/small")]
    assert statuses == [200, 429, 200]
    refused = ask(key, model="acme/large", max_tokens=16)
    assert (_refused(refused), "for acme/large" in refused.json["error"]["message"]) == ((429, "budget_exceeded"), True)
    # What Redis forgets is known from the calls, each model's from its own.
    connect(hub.settings).flushall()
    statuses = [ask(key, model="acme/small", max_tokens=16).status_code for _ in range(3)]
    assert statuses == [200, 429, 429]
    assert ask(key, model="acme/large", max_tokens=16).status_code == 429
    assert [ask(key, model="other", max_tokens=16).status_code for _ in range(4)] == [200, 200, 200, 429]


def test_many_calls_at_once_spend_no_more_than_a_models_budget(gateway, serve, ruled, hub):
    serve(completion(), prices=ONE)
    key = ruled(model_budgets={"ti*": Budget("1mo", hard_nano=100)})
    headers, statuses = {"Authorization": f"Bearer {key}"}, []
    body = {"model": "tiny", "max_tokens": 16, "messages": [{"role": "user", "content": "Say four words."}]}

    def call():
        client = Client(gateway)
        statuses.extend(client.post("/v1/chat/completions", json=body, headers=headers).status_code for _ in range(10))

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with reading(hub) as work:
        spent = work.session.scalar(select(func.sum(Call.cost_nano)))
    assert 100 - 20 < spent <= 100
    assert spent == 15 * statuses.count(200)


def test_the_whole_gateway_has_limits_of_its_own(hub, serve, make_key, make_user, monkeypatch):
    serve(completion())
    settings = dataclasses.replace(settings_of(hub, InferenceSettings), site_requests_per_minute=2)
    monkeypatch.setattr("plugins.inference.gateway.admission.settings_of", lambda _context, _cls: settings)
    client = Client(create_gateway(hub))
    statuses = []
    for name in ("ada 1", "ada 2"):
        headers = {"Authorization": f"Bearer {make_key(name)}"}
        body = {"model": "tiny", "messages": []}
        statuses += [client.post("/v1/chat/completions", json=body, headers=headers).status_code for _ in range(2)]
    assert statuses == [200, 200, 429, 429]


@pytest.mark.parametrize("rules", [
    {"ips": ("nowhere",)}, {"routes": ("",)}, {"tags": ("a\nb",)}, {"aliases": {"a": ""}}, {"details": {"a": "\0"}},
    {"model_budgets": {"m": Budget("1y", 1)}}, {"model_budgets": {"": Budget("1d", 1)}},
    {"model_limits": {"m": MinuteLimits(-1)}}, {"tags": tuple(str(number) for number in range(21))},
])  # fmt: skip
def test_rules_that_cannot_be_are_refused(ruled, rules):
    with pytest.raises(Invalid):
        ruled(**rules)


def test_a_call_takes_two_steps_in_redis_however_many_limits_it_has(ask, serve, ruled, gateway, monkeypatch):
    serve(completion(), prices=ONE)
    budgets = (Budget("1mo", 10**9), Budget("total", 10**9))
    limits = Limits(requests=50, tokens=10**6, parallel=5, budgets=budgets)
    key = ruled(limits, model_limits={"*": MinuteLimits(40, 10**6)})
    assert ask(key, max_tokens=10).status_code == 200
    sent = []
    redis = gateway.caller.admitter._redis
    plain = redis.execute_command
    monkeypatch.setattr(redis, "execute_command", lambda *args, **more: sent.append(args[0]) or plain(*args, **more))
    assert ask(key, max_tokens=10).status_code == 200
    assert sent == ["EVALSHA", "EVALSHA"]
