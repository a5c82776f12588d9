"""Whom calls are sent to: who fails is left alone by all processes, tried again by one call, and asked how it is."""

import json
import threading
import time
from dataclasses import replace

import pytest
from sqlalchemy import select
from werkzeug.test import Client

from hub.accounts.policy import SYSTEM
from hub.community.models import Notification
from hub.db.uow import reading, unit_of_work
from hub.jobs.models import Job
from hub.jobs.queue import connect
from hub.jobs.run import execute
from hub.metering.models import UsageEvent
from plugins.inference.catalogue import ModelForm, Prices, Server, UpstreamForm, create_model, find_served
from plugins.inference.gateway.app import create_gateway
from plugins.inference.gateway.circuits import HEALTH, Circuits
from plugins.inference.gateway.health import check_upstreams
from plugins.inference.limits import Policy
from plugins.inference.models import ServedModel
from tests.support.processes import wait_until
from tests.support.wire import serving

from .conftest import answer, completion, delta, last

pytestmark = [pytest.mark.any_database, pytest.mark.settings(outgoing_allowed_hosts="127.0.0.1")]


@pytest.fixture
def model(hub):
    """``model(say_a, say_b)``: a model "tiny" whose upstreams, of one tier each, say these; gives their servers."""
    opened = []

    def make(*answers, name="tiny", forms=(), **form):
        servers = []
        for say in answers:
            context = serving(say if callable(say) else lambda connection, _request, say=say: connection.sendall(say))
            servers.append(context.__enter__())
            opened.append(context)
        upstreams = [
            UpstreamForm(server.url("/v1"), f"v{place}", f"provider-{place}", tier=place, **more)
            for place, (server, more) in enumerate(zip(servers, forms or [{}] * len(servers), strict=True))
        ]
        with unit_of_work(hub) as work:
            create_model(work, actor=SYSTEM, form=ModelForm(name, upstreams, **form))
        return servers

    yield make
    for one in opened:
        one.__exit__(None, None, None)


def make_server(id=1, **more):
    return Server(id, "http://127.0.0.1/v1", "v1", "acme", 1, 0, {}, **more)


def test_who_is_limited_is_left_alone_as_long_as_it_says_and_the_other_is_charged(ask, model, calls, gateway, hub):
    limited = answer(b"", status="429 Slow", headers="Retry-After: 50\r\n")
    a, b = model(limited, completion(), prices=Prices(input=1, output=1))
    began_s = time.time()
    response = ask()
    assert (response.status_code, response.headers["x-gateway-attempted-retries"]) == (200, "1")
    [call] = calls()
    assert (call.provider, call.upstream_model, call.attempts, call.cost_nano) == ("provider-1", "v1", 2, 15)
    [until_s] = gateway.caller.router.circuits._open_until.values()
    assert began_s + 50 <= until_s <= time.time() + 50
    # Neither this process nor another one asks it meanwhile.
    other = create_gateway(hub)
    other.caller.router.circuits.look()
    assert ask().status_code == 200
    [upstream_id] = other.caller.router.circuits._open_until
    assert not other.caller.router.circuits.may_ask(make_server(upstream_id))
    assert (len(a.requests), len(b.requests)) == (1, 2)


def test_an_upstream_is_left_alone_after_three_failures_or_half_of_the_last_ten(hub, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr("plugins.inference.gateway.circuits.time.time", lambda: now[0])
    circuits, other = Circuits(hub), Circuits(hub)
    steady, flaky, brave = make_server(1), make_server(2), make_server(3, breaks_circuit=False)
    for server in (steady, brave):
        for _ in range(3):
            assert circuits.may_ask(server)
            circuits.tell(server, is_good=False)
    assert not circuits.may_ask(steady)
    assert circuits.may_ask(brave)
    for number in range(10):
        assert circuits.may_ask(flaky)
        circuits.tell(flaky, is_good=number % 2 == 1)
    circuits.tell(flaky, is_good=False)
    assert not circuits.may_ask(flaky)
    assert circuits.states_of(steady)[1] == "open"
    # After its time one call of all processes tries it; while that is under way no other does.
    now[0] += 31
    other.look()
    assert other.states_of(steady)[1] == "half_open"
    assert [circuits.may_ask(steady), other.may_ask(steady), circuits.may_ask(steady)] == [True, False, False]
    circuits.forget_try(steady)
    assert other.may_ask(steady)
    other.tell(steady, is_good=True)
    circuits.look()
    assert circuits.may_ask(steady)


def test_without_redis_a_process_goes_by_what_it_has_seen(hub):
    hub.settings = replace(hub.settings, redis_url="redis://127.0.0.1:1/0")
    circuits = Circuits(hub)
    server = make_server()
    for _ in range(3):
        circuits.tell(server, is_good=False)
    circuits.look()
    assert not circuits.may_ask(server)
    circuits._open_until[server.id] = 0.0
    assert [circuits.may_ask(server), circuits.may_ask(server)] == [True, False]


def test_who_has_no_room_for_a_moment_is_asked_again_where_nobody_else_can_be(ask, model, calls):
    said = [answer(b"", status="429 Slow", headers="Retry-After: 1\r\n"), completion()]
    model(lambda connection, _request: connection.sendall(said.pop(0)))
    assert ask().status_code == 200
    assert [call.attempts for call in calls()] == [2]
    late = answer(b"", status="429 Slow", headers="Retry-After: 3\r\n")
    [server] = model(late, name="late")
    response = ask(model="late")
    assert (response.status_code, response.headers["Retry-After"], len(server.requests)) == (429, "3", 1)


def test_what_is_too_long_goes_to_a_model_with_more_room(ask, model, calls, make_key):
    long = answer(b'{"error": {"code": "context_length_exceeded", "message": "long"}}', status="400 No")
    model(long, context_fallbacks=["huge"])
    [huge] = model(completion(), name="huge", prices=Prices(input=2))
    response = ask()
    assert (response.status_code, response.headers["x-gateway-attempted-fallbacks"]) == (200, "1")
    assert ask(make_key("small", models=("tiny",))).json["error"]["code"] == "context_length_exceeded"
    assert [(call.model, call.cost_nano, call.fallbacks) for call in calls()] == [("tiny", 22, 1), ("tiny", 0, 0)]
    assert len(huge.requests) == 1


# How OpenAI, vLLM, SGLang, llama.cpp, TGI, TEI, Anthropic and Mistral say it.
LONG = [
    (400, {"message": "This model's maximum context length is 8192 tokens. However, you requested 9000.", "code": 400}),
    (400, {"message": "The decoder prompt (length 9) is longer than the maximum model length of 8. Make sure"}),
    (400, {"message": "The input (50 tokens) is longer than the model's context length (40 tokens)."}),
    (400, {"message": "request (9) exceeds the available context size (8)", "type": "exceed_context_size_error"}),
    (422, "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 2048. Given: 2040 `inputs` tokens"),
    (413, "Input validation error: `inputs` must have less than 512 tokens. Given: 600"),
    (400, {"type": "invalid_request_error", "message": "prompt is too long: 210000 tokens > 200000 maximum"}),
    (400, {"message": "Prompt contains 40 tokens, too large for model with 32 maximum context length"}),
]


@pytest.mark.parametrize("status, error", LONG)
def test_what_is_too_long_is_known_by_the_words_of_each_engine(ask, model, status, error):
    said = answer(json.dumps({"error": error}).encode(), status=f"{status} No")
    model(said)
    told = ask()
    assert (told.status_code, told.json["error"]["code"]) == (400, "context_length_exceeded")
    model(said, name="roomy", context_fallbacks=["huge"])
    model(completion(), name="huge")
    assert ask(model="roomy").status_code == 200


def test_what_one_upstream_finds_too_large_another_may_take(ask, model, calls):
    model(answer(b"", status="413 Too Large"), completion())
    assert ask().status_code == 200
    model(answer(b"", status="413 Too Large"), name="alone")
    assert ask(model="alone").status_code == 413
    # It is well all the same.
    assert [ask(model="alone").status_code for _ in range(4)] == [413] * 4


def test_a_client_in_a_hurry_is_answered_in_time_and_the_upstream_is_not_blamed(ask, model, calls):
    may_answer = threading.Event()

    def talk(connection, _request):
        may_answer.wait(20)
        connection.sendall(completion())

    slow, other = model(talk, completion())
    hurried = {"x-gateway-timeout": "0.2"}
    # Of all attempts together: there is no time left for the other one.
    answers = [ask(headers=hurried) for _ in range(4)]
    assert {(one.status_code, one.json["error"]["code"]) for one in answers} == {(504, "upstream_timeout")}
    assert (len(slow.requests), len(other.requests)) == (4, 0)
    may_answer.set()
    assert ask(headers={"x-gateway-timeout": "1e9"}).status_code == 200
    assert len(slow.requests) == 5
    odd = [ask(headers={"x-gateway-timeout": wanted}).json["error"]["param"] for wanted in ("soon", "0", "-1", "nan")]
    assert odd == ["x-gateway-timeout"] * 4


def test_administrators_hear_once_of_an_upstream_that_refuses_the_hub(ask, model, hub, make_user):
    root, _ = make_user("root", admin=True), make_user("bob")
    model(answer(b"", status="401 No"), completion())
    assert [ask().status_code for _ in range(2)] == [200, 200]
    with reading(hub) as work:
        uuids = work.session.scalars(select(Job.uuid).where(Job.name == "inference.tell_people")).all()
    assert len(uuids) == 1
    execute(hub, uuids[0])
    with reading(hub) as work:
        [told] = work.session.scalars(select(Notification)).all()
    assert (told.user_id, "does not accept the hub's key" in told.title) == (root.id, True)


def test_calls_go_to_who_is_less_busy_or_answers_faster(gateway, hub):
    router = gateway.caller.router
    servers = (make_server(1), make_server(2), make_server(3))
    with unit_of_work(hub) as work:
        create_model(work, actor=SYSTEM, form=ModelForm("busy", [], strategy="least_busy"))
        create_model(work, actor=SYSTEM, form=ModelForm("fast", [], strategy="latency"))
    with reading(hub) as work:
        busy, fast = (replace(find_served(work, name), servers=servers) for name in ("busy", "fast"))
    router.enter(servers[0])
    router.enter(servers[2])
    assert router.order(busy, "")[0] is servers[1]
    router.leave(servers[0])
    router.enter(servers[1])
    assert router.order(busy, "")[0] is servers[0]
    for server, seconds in zip(servers, (3.0, 1.0, 2.0), strict=True):
        router.tell(server, is_good=True, seconds=seconds)
    firsts = [router.order(fast, "")[0].id for _ in range(2000)]
    # Now and then another one is asked: it may have become faster.
    assert firsts.count(2) > 1500
    assert set(firsts) == {1, 2, 3}


def check(hub):
    class Run:
        context = hub

        def log(self, _text):
            pass

    check_upstreams(Run())


def test_upstreams_are_asked_how_they_are(ask, model, hub, gateway, make_key):
    lists = [answer(b"", status="503 Oops")] * 3

    def talk(connection, request):
        if request.startswith(b"GET /v1/models"):
            connection.sendall(lists.pop() if lists else answer(b'{"data": []}'))
        else:
            connection.sendall(completion())

    a, _ = model(talk, completion(), forms=({"checks_health": True, "headers": {"Authorization": "Bearer k"}}, {}))
    circuits = gateway.caller.router.circuits

    def asked_first():
        circuits.look()
        before = len(a.requests)
        assert ask().status_code == 200
        return len(a.requests) > before

    for expected in (True, True, False):
        check(hub)
        assert asked_first() is expected
    assert b"Authorization: Bearer k" in a.requests[0]
    headers = {"Authorization": f"Bearer {make_key('looks')}"}
    shown = Client(gateway).get("/v1/models/tiny", headers=headers).json
    assert [one["health_state"] for one in shown["upstream_availabilities"]] == ["unhealthy", ""]
    assert shown["availability"]["is_available"]
    assert "127.0.0.1" not in json.dumps(shown)
    assert "upstream_availabilities" not in Client(gateway).get("/v1/models/tiny").json
    # Words that are old are not believed; nor is it unhealthy any more when it answers.
    redis = connect(hub.settings)
    for id, text in redis.hgetall(HEALTH).items():
        redis.hset(HEALTH, id, json.dumps(json.loads(text) | {"checked_at": time.time() - 1000}))
    assert asked_first()
    check(hub)
    assert asked_first()
    with unit_of_work(hub) as work:
        work.session.delete(work.session.scalars(select(ServedModel)).one())
    check(hub)
    assert redis.hgetall(HEALTH) == {}


def leave(gateway, key, pieces):
    """Read so many pieces of a stream, and hang up."""
    body = {"model": "tiny", "stream": True, "messages": []}
    headers = {"Authorization": f"Bearer {key}"}
    response = Client(gateway).post("/v1/chat/completions", json=body, headers=headers, buffered=False)
    events = response.iter_encoded()
    for _ in range(pieces):
        next(events)
    response.close()


def speak_slowly(is_cut, words=50):
    """An upstream that says that many words, one after the other, and tells whether it was cut off."""

    def talk(connection, _request):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        chunks = [delta("word ") for _ in range(words)] + [delta(finish="stop"), last({"completion_tokens": words})]
        try:
            for chunk in chunks:
                connection.sendall(b"data: " + json.dumps(chunk).encode() + b"\n\n")
                is_cut.wait(0.01)
            connection.sendall(b"data: [DONE]\n\n")
        except OSError:
            is_cut.set()
        return False

    return talk


def test_a_client_that_leaves_in_the_midst_of_a_stream_is_charged_once_and_the_upstream_cut_off(
    gateway, make_key, model, calls
):
    is_cut = threading.Event()
    model(speak_slowly(is_cut, words=500), prices=Prices(output=1))
    leave(gateway, make_key(), 5)
    # At once, as the contract wants it: the upstream sees it at its next word, long before its last.
    assert is_cut.wait(60)
    [call] = calls()
    assert (call.status, call.usage_source) == (499, "estimate")
    assert 500 > call.completion_tokens >= 5


def test_a_stream_of_who_charges_in_any_case_is_read_to_its_end_and_booked_as_he_counts(
    gateway, make_key, model, calls, hub, monkeypatch
):
    is_cut = threading.Event()
    model(speak_slowly(is_cut), prices=Prices(output=1), forms=({"drain_s": 20},))
    key = make_key()
    leave(gateway, key, 5)
    wait_until(calls, what="the stream to be read to its end")
    [call] = calls()
    assert (call.status, call.completion_tokens, call.usage_source, is_cut.is_set()) == (499, 50, "upstream", False)
    with reading(hub) as work:
        assert work.session.scalars(select(UsageEvent)).one().details["disconnected"] == "true"
    # Of more than so many at once, or when it takes too long, what came is booked.
    monkeypatch.setattr("plugins.inference.gateway.draining.MAX_DRAINS", 0)
    leave(gateway, key, 5)
    assert is_cut.wait(60)
    assert [one.usage_source for one in calls()] == ["upstream", "estimate"]


def test_a_window_of_an_account_at_an_upstream_leaves_it_out_once_it_is_used(clock, ask, model, calls, make_key):
    policy = Policy(window_seconds=3600, max_prompt_tokens=20, cached_token_cost_ratio=0)
    a, b = model(completion(), completion(), forms=({"policy": policy}, {}))
    # 11 tokens are asked with each time: the second call begins below the limit.
    assert [ask().status_code for _ in range(3)] == [200] * 3
    assert (len(a.requests), len(b.requests)) == (2, 1)
    [alone] = model(completion(), name="alone", forms=({"policy": policy},))
    answers = [ask(model="alone") for _ in range(3)]
    assert [one.status_code for one in answers] == [200, 200, 429]
    assert 0 < int(answers[2].headers["Retry-After"]) <= 3600
    assert len(alone.requests) == 2
