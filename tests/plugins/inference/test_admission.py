"""Limits and budgets: what is let in, what is refused, and that many at once spend no more than there is."""

import dataclasses
import threading

import pytest
from sqlalchemy import func, select, update
from werkzeug.test import Client

from hub.accounts.policy import Actor
from hub.db.uow import reading, unit_of_work
from hub.jobs.queue import connect
from plugins.inference.catalogue import Prices
from plugins.inference.gateway.app import create_gateway
from plugins.inference.keys import set_owner_budgets
from plugins.inference.models import ApiKey, Call
from plugins.inference.money import Budget

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
        may_answer.wait(5)
        connection.sendall(completion())

    serve(talk)
    key = make_key(parallel=1)
    done = []
    thread = threading.Thread(target=lambda: done.append(ask(key).status_code))
    thread.start()
    assert has_come.wait(5)
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
