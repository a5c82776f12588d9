"""What Prometheus reads of the gateway, of all its processes; and whether it lives."""

import dataclasses
import threading

import pytest
import redis as redis_client
from prometheus_client.parser import text_string_to_metric_families
from werkzeug.test import Client

from hub.jobs.queue import connect
from plugins.inference.catalogue import Prices
from plugins.inference.gateway.app import create_gateway
from plugins.inference.gateway.lively import create_lively
from plugins.inference.metrics import Recorder
from plugins.inference.money import Budget
from tests.support.plugins import open_client

from .conftest import answer, completion, delta, last, stream

pytestmark = [pytest.mark.any_database, pytest.mark.settings(outgoing_allowed_hosts="127.0.0.1")]


@pytest.fixture
def scrape(hub, make_user, make_token):
    """``scrape()``: the gateway's samples by name, as (labels, value)."""
    client = open_client(hub)
    headers = {"Authorization": f"Bearer {make_token(make_user('root', admin=True), 'admin')}"}

    def read():
        text = client.get("/-/metrics", headers=headers).text
        found = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name.startswith("hub_gateway_"):
                    found.setdefault(sample.name, []).append((sample.labels, sample.value))
        return found

    return read


def test_calls_of_all_processes_are_told_by_model_provider_route_status_and_key(
    hub, gateway, serve, make_key, ask, scrape
):
    serve(completion(), prices=Prices(input=100, output=1000))
    serve(stream(delta("four"), delta("words", finish="stop"), last()), "streamed")
    serve(answer(b"", status="500 Oops"), "bad", fallbacks=["tiny"])
    key = make_key("first", requests=5, budgets=(Budget("1mo", hard_nano=10**9),))
    for body in ({}, {}, {"model": "bad"}, {"model": "not/there"}):
        ask(key, max_tokens=5, **body)
    ask(key, model="streamed", stream=True).get_data()
    other = create_gateway(hub)
    headers = {"Authorization": f"Bearer {key}"}
    asked = {"model": "tiny", "messages": [], "max_tokens": 5, "user": "somebody"}
    for _ in range(2):
        Client(other).post("/v1/chat/completions", json=asked, headers=headers)
    for one in (gateway, other):
        one.caller.recorder.tell()
    found = scrape()

    def of(name, **labels):
        return sum(value for has, value in found[name] if labels.items() <= has.items())

    calls = "hub_gateway_requests_total"
    assert of(calls, model="tiny", provider="acme", route="chat/completions", status="200") == 3
    assert (of(calls, model="bad", status="200"), of(calls, model="streamed")) == (1, 1)
    assert (of(calls, model="", status="404"), of(calls, model="tiny", status="429")) == (1, 1)
    assert {has["key"] for has, _ in found[calls]} == {"1"}
    assert of("hub_gateway_tokens_total", model="tiny", kind="prompt") == 33
    assert of("hub_gateway_tokens_total", kind="completion") == 4 * 5
    assert of("hub_gateway_cost_total", model="tiny") == pytest.approx(3 * 5100e-9)
    assert (of("hub_gateway_fallbacks_total"), "hub_gateway_retries_total" in found) == (1, False)
    assert of("hub_gateway_latency_seconds_count", model="tiny") == 3
    assert of("hub_gateway_latency_seconds_bucket", model="tiny", le="+Inf") == 3
    assert of("hub_gateway_time_to_first_token_seconds_count", model="streamed") == 1
    assert of("hub_gateway_overhead_seconds_sum") > 0
    assert of("hub_gateway_remaining_budget", kind="key", period="1mo") == pytest.approx(1 - 4 * 5100e-9)
    assert "hub_gateway_in_flight" not in found
    assert all("not/there" not in str(one) and "somebody" not in str(one) for some in found.values() for one in some)


def test_calls_under_way_and_upstreams_that_are_left_alone_are_told(gateway, serve, ask, scrape):
    has_come, may_answer = threading.Event(), threading.Event()

    def talk(connection, _request):
        has_come.set()
        may_answer.wait(60)
        connection.sendall(completion())

    serve(talk)
    serve(answer(b"", status="429 Slow", headers="Retry-After: 50\r\n"), "limited")
    assert ask(model="limited").status_code == 429
    thread = threading.Thread(target=ask)
    thread.start()
    assert has_come.wait(60)
    gateway.caller.recorder.tell()
    found = scrape()
    assert found["hub_gateway_in_flight"] == [({"model": "tiny"}, 1)]
    assert [value for _, value in found["hub_gateway_circuit_state"]] == [2]
    may_answer.set()
    thread.join()
    gateway.caller.recorder.tell()
    assert "hub_gateway_in_flight" not in scrape()


def test_what_cannot_be_told_is_told_later_and_keys_without_number_are_not_told_apart(hub, monkeypatch):
    recorder = Recorder(hub)
    monkeypatch.setattr("plugins.inference.metrics._MAX_ROWS", 3)
    for key in range(5):
        recorder.refuse(("tiny", "", "embeddings", "429", str(key)))
    recorder._redis = redis_client.Redis.from_url("redis://127.0.0.1:1/0")
    recorder.tell()
    recorder._redis = None
    recorder.tell()
    found = connect(hub.settings).hgetall("hub:inference:metrics:calls")
    words = {field.decode().split("\x1f")[4]: int(number) for field, number in found.items()}
    assert words == {"0": 1, "1": 1, "2": 1, "other": 2}


def test_load_balancers_hear_whether_the_gateway_lives_and_can_work(hub):
    client = open_client(hub)
    assert client.get("/health/liveliness").json == {"status": "alive"}
    ready = client.get("/health/readiness")
    assert (ready.status_code, ready.json["status"]) == (200, "ready")
    assert client.get("/health/nothing").status_code == 404
    assert client.post("/health/readiness").status_code == 405
    hub.settings = dataclasses.replace(hub.settings, redis_url="redis://127.0.0.1:1/0")
    degraded = Client(create_lively(hub)).get("/health/readiness")
    assert (degraded.status_code, degraded.json["counters"]) == (200, "away")
