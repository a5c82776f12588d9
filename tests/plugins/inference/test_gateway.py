"""Calls through the gateway: what upstreams and clients see of them, and what is counted."""

import json
import socket
import threading

import pytest
from sqlalchemy import select
from werkzeug.test import Client, EnvironBuilder, run_wsgi_app

from hub.accounts.policy import SYSTEM
from hub.db.uow import reading, unit_of_work
from hub.metering.models import UsageEvent
from plugins.inference.catalogue import ModelForm, Prices, UpstreamForm, create_model

from .conftest import USAGE, answer, body_of, completion, delta, last, stream

pytestmark = [pytest.mark.any_database, pytest.mark.settings(outgoing_allowed_hosts="127.0.0.1")]


def _events(response):
    return [event[6:] for event in response.text.split("\n\n") if event.startswith("data: ")]


def _error(response):
    error = response.json["error"]
    return response.status_code, error["type"], error["code"]


def test_a_call_is_passed_on_as_it_is_and_answered_in_the_models_name(ask, serve, calls, hub):
    server = serve(completion(system_fingerprint="fp", odd={"deep": [1, None]}), prices=Prices(input=100, output=1000))
    response = ask(temperature=0, seed=None, tools=[{"type": "function"}], unknown={"a": 1.50}, headers={"Cookie": "x"})
    assert response.status_code == 200, response.text
    assert (response.json["model"], response.json["system_fingerprint"]) == ("tiny", "fp")
    assert response.json["odd"] == {"deep": [1, None]}
    sent = body_of(server.requests[0])
    assert (sent["model"], sent["temperature"], sent["seed"], sent["unknown"]) == ("tiny-v1", 0, None, {"a": 1.5})
    head = server.requests[0].partition(b"\r\n\r\n")[0]
    assert b"POST /v1/chat/completions HTTP/1.1" in head
    assert b"Authorization: Bearer provider-secret" in head
    assert b"gk_" not in head
    assert b"ookie" not in head
    [call] = calls()
    assert (call.prompt_tokens, call.completion_tokens, call.usage_source) == (11, 4, "upstream")
    assert (call.cost_nano, call.status, call.finish_reason, call.provider) == (
        11 * 100 + 4 * 1000,
        200,
        "stop",
        "acme",
    )
    assert response.headers["x-gateway-response-cost"] == "0.000005100"
    assert response.headers["x-request-id"] == call.request_id
    with reading(hub) as work:
        event = work.session.scalars(select(UsageEvent)).one()
    assert (event.uuid, event.quantity, event.token_id, event.resource_name) == (call.uuid, 15, call.key_id, "tiny")


def test_a_stream_is_passed_on_and_its_usage_counted_whether_or_not_the_client_wants_it(ask, serve, calls):
    server = serve(stream(b": ping", delta("four "), delta("wörds"), delta(finish="length"), last()))
    response = ask(stream=True)
    assert response.headers["Content-Type"].startswith("text/event-stream")
    assert body_of(server.requests[0])["stream_options"] == {"include_usage": True}
    *chunks, done = _events(response)
    assert done == "[DONE]"
    chunks = [json.loads(chunk) for chunk in chunks]
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == "four wörds"
    assert {chunk["model"] for chunk in chunks} == {"tiny"}
    assert ": ping\n\n" in response.text
    wanted = ask(stream=True, stream_options={"include_usage": True})
    assert json.loads(_events(wanted)[-2])["usage"] == USAGE
    assert [(call.prompt_tokens, call.completion_tokens, call.finish_reason) for call in calls()] == [
        (11, 4, "length")
    ] * 2


def test_usage_that_is_missing_or_cannot_be_is_estimated(ask, serve, calls):
    serve(completion("x" * 40, usage=None))
    serve(completion("x" * 40, usage={"prompt_tokens": -5, "completion_tokens": "many"}), "liar")
    serve(stream(delta("x" * 10), delta("x" * 10), delta(finish="stop")), "silent")
    ask()
    ask(model="liar")
    ask(model="silent", stream=True).get_data()
    assert [(call.usage_source, call.completion_tokens) for call in calls()] == [
        ("estimate", 10),
        ("estimate", 10),
        ("estimate", 5),
    ]
    assert {call.prompt_tokens for call in calls()} == {4}


def test_completions_embeddings_and_rerank_go_to_their_own_routes(ask, serve, calls):
    server = serve(answer(json.dumps({"data": [], "model": "tiny-v1", "usage": {"prompt_tokens": 3}}).encode()))
    for path in ("/v1/embeddings", "/v1/rerank", "/v1/completions"):
        assert ask(path=path, input=["a", "b"], stream=path.endswith("embeddings")).json["model"] == "tiny"
    assert [request.split(b" ")[1] for request in server.requests] == [
        b"/v1/embeddings",
        b"/v1/rerank",
        b"/v1/completions",
    ]
    assert [call.prompt_tokens for call in calls()] == [3, 3, 3]


@pytest.mark.parametrize(
    "said, found",
    [
        (answer(b'{"error": {"message": "too long", "code": "context_length_exceeded", "param": "messages"}}',
                status="400 Bad Request"), (400, "invalid_request_error", "context_length_exceeded")),
        (answer(b"<html>secret-host</html>", status="422 No"), (400, "invalid_request_error", "invalid_request_error")),
        (answer(b"provider-secret is wrong", status="401 No"), (502, "upstream_error", "upstream_auth_error")),
        (answer(b"", status="403 No"), (502, "upstream_error", "upstream_auth_error")),
        (answer(b"", status="429 Slow", headers="Retry-After: 7\r\n"),
         (429, "rate_limit_error", "upstream_rate_limited")),
        (answer(b"stack", status="500 Oops"), (502, "upstream_error", "upstream_error")),
        (answer(b"", status="302 Found", headers="Location: http://10.0.0.1/\r\n"),
         (502, "upstream_error", "upstream_error")),
        (answer(b"no JSON"), (502, "upstream_error", "upstream_error")),
        (answer(b"[1]"), (502, "upstream_error", "upstream_error")),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", (502, "upstream_error", "upstream_error")),
        (b"SSH-2.0\r\n\r\n", (502, "upstream_error", "upstream_error")),
    ],
)  # fmt: skip
def test_what_upstreams_say_instead_is_told_in_openais_words(ask, serve, calls, said, found):
    def talk(connection, _request):
        connection.sendall(said)
        return False

    serve(talk)
    response = ask()
    assert _error(response) == found
    for secret in ("secret", "127.0.0.1", "stack", "10.0.0.1"):
        assert secret not in response.text
    assert response.headers.get("Retry-After") == ("7" if found[0] == 429 else None)
    [call] = calls()
    assert (call.status, call.error_code, call.cost_nano, call.usage_source) == (found[0], found[2], 0, "")


@pytest.mark.parametrize(
    "chunks, ends",
    [
        ([delta("half")], False),
        ([delta("half"), b"data: {broken"], True),
        ([delta("half"), {"error": {"message": "secret"}}], True),
        ([delta("half"), b"data: " + b"x" * (5 * 1024 * 1024)], True),
    ],
)
def test_a_stream_that_breaks_ends_with_an_error_and_what_came_is_counted(ask, serve, calls, chunks, ends):
    serve(stream(*chunks, ends=ends))
    *_, error = _events(ask(stream=True))
    assert json.loads(error)["error"]["code"] == "upstream_error"
    assert "secret" not in error
    [call] = calls()
    assert (call.status, call.usage_source, call.completion_tokens) == (502, "estimate", 1)


def test_what_came_together_with_an_error_is_passed_on_before_it(ask, serve):
    events = (json.dumps(one).encode() for one in (delta("one"), delta("two"), {"error": {"message": "secret"}}))
    said = b"".join(b"data: " + event + b"\n\n" for event in events)
    serve(answer(said, headers="Content-Type: text/event-stream\r\n"))
    *words, error = map(json.loads, _events(ask(stream=True)))
    assert [word["choices"][0]["delta"]["content"] for word in words] == ["one", "two"]
    assert error["error"]["code"] == "upstream_error"


def test_a_client_that_hangs_up_ends_the_upstreams_work_and_pays_for_what_came(gateway, make_key, serve, calls):
    is_cut = threading.Event()

    def talk(connection, _request):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        event = b"data: " + json.dumps(delta("word")).encode() + b"\n\n"
        connection.sendall(event)
        try:
            while connection.recv(100):
                pass
        finally:
            is_cut.set()
        return False

    serve(talk)
    key = make_key()
    response = Client(gateway).post(
        "/v1/chat/completions",
        json={"model": "tiny", "stream": True, "messages": [{"role": "user", "content": "hello"}]},
        headers={"Authorization": f"Bearer {key}"},
        buffered=False,
    )
    assert b"word" in next(response.iter_encoded())
    response.close()
    assert is_cut.wait(60)
    [call] = calls()
    assert (call.status, call.error_code, call.usage_source) == (499, "client_disconnected", "estimate")
    assert (call.prompt_tokens, call.completion_tokens) == (2, 1)


def test_another_upstream_is_asked_and_then_a_model_that_stands_in(ask, serve, calls):
    def fail(connection, _request):
        connection.sendall(answer(b"", status="500 Oops"))

    bad = serve(fail, fallbacks=["second"])
    good = serve(completion(), "second")
    response = ask()
    assert (response.status_code, response.json["model"]) == (200, "tiny")
    assert response.headers["x-gateway-attempted-fallbacks"] == "1"
    assert (len(bad.requests), len(good.requests)) == (1, 1)
    for _ in range(4):
        ask()
    # After three failures it is left alone.
    assert len(bad.requests) == 3
    assert [call.attempts for call in calls()] == [2, 2, 2, 1, 1]


def test_an_upstream_that_is_tried_again_for_a_client_that_hangs_up_is_tried_by_the_next(gateway, make_key, serve):
    # Twice: whoever has room at once, and is alone, is asked again.
    said = [answer(b"", status="429 Slow", headers="Retry-After: 0\r\n")] * 2 + [completion()]
    serve(lambda connection, _request: connection.sendall(said.pop(0)))
    body = {"model": "tiny", "messages": [{"role": "user", "content": "hello"}]}
    headers = {"Authorization": f"Bearer {make_key()}"}

    def call(**environ):
        client = Client(gateway)
        return client.post("/v1/chat/completions", json=body, headers=headers, environ_overrides=environ).status_code

    assert call() == 429
    gone, peer = socket.socketpair()
    peer.close()
    with gone:
        assert call(**{"gunicorn.socket": gone}) == 400
    assert call() == 200


def test_a_stream_that_nobody_began_to_read_is_ended_and_counted(gateway, make_key, serve, calls):
    server = serve(stream(delta("word"), delta(finish="stop"), last()))
    environ = EnvironBuilder(
        "/v1/chat/completions",
        method="POST",
        json={"model": "tiny", "stream": True, "messages": []},
        headers={"Authorization": f"Bearer {make_key()}"},
    ).get_environ()
    gateway(environ, lambda _status, _headers: None).close()
    assert server.is_cut.wait(60)
    assert [call.status for call in calls()] == [499]


def test_other_scripts_have_a_token_for_a_letter(ask, serve, calls):
    serve(completion("答案", usage=None))
    ask(messages=[{"role": "user", "content": "你好呀世界"}])
    assert [(call.prompt_tokens, call.completion_tokens) for call in calls()] == [(5, 2)]


def test_a_price_and_a_lie_together_are_still_a_number(ask, serve, calls):
    serve(completion(usage={"prompt_tokens": 2**40, "completion_tokens": 2**40}), prices=Prices(input=2**40))
    assert ask().status_code == 200
    assert [call.cost_nano for call in calls()] == [2**53]


@pytest.mark.parametrize(
    "change, found",
    [
        ({"model": "nothing"}, (404, "invalid_request_error", "model_not_found")),
        ({"model": ""}, (400, "invalid_request_error", "invalid_request_error")),
        ({"model": 7}, (400, "invalid_request_error", "invalid_request_error")),
        ({"model": "x" * 10_000}, (404, "invalid_request_error", "model_not_found")),
        ({"model": "a\0b"}, (404, "invalid_request_error", "model_not_found")),
        ({"path": "/v1/nothing"}, (404, "invalid_request_error", "unknown_url")),
        ({"path": "/v1/models"}, (405, "invalid_request_error", "method_not_allowed")),
        ({"key": "gk_wrong"}, (401, "authentication_error", "invalid_api_key")),
        ({"key": f"gk_{'A' * 43}_00000000"}, (401, "authentication_error", "invalid_api_key")),
        ({"model": "empty"}, (503, "service_unavailable_error", "model_not_running")),
        ({"model": "closed"}, (404, "invalid_request_error", "model_not_found")),
        ({"model": "inside"}, (502, "upstream_error", "upstream_error")),
    ],
)
def test_odd_calls_are_refused(ask, serve, hub, make_user, change, found):
    bob = make_user("bob")
    with unit_of_work(hub) as work:
        create_model(work, actor=SYSTEM, form=ModelForm("empty", []))
        create_model(work, actor=SYSTEM, form=ModelForm("closed", [], namespace_id=bob.namespace_id))
        inside = [UpstreamForm("http://10.0.0.1/v1", "x")]
        create_model(work, actor=SYSTEM, form=ModelForm("inside", inside))
    assert _error(ask(**change)) == found


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"\xff", b"[" * 100_000])
def test_bodies_that_are_no_object_are_refused(gateway, make_key, body):
    headers = {"Authorization": f"Bearer {make_key()}"}
    response = Client(gateway).post("/v1/chat/completions", data=body, headers=headers)
    assert _error(response) == (400, "invalid_request_error", "invalid_request_error")


def test_a_body_that_is_too_large_is_refused_before_it_is_read(gateway, make_key):
    headers = {"Authorization": f"Bearer {make_key()}"}
    size = {"CONTENT_LENGTH": str(50 * 1024 * 1024)}
    response = Client(gateway).post("/v1/chat/completions", headers=headers, environ_overrides=size)
    assert _error(response) == (413, "invalid_request_error", "request_too_large")


def test_a_client_that_goes_away_in_the_middle_of_its_request_is_no_failure(gateway, make_key):
    class Gone:
        def read(self, size=-1):
            raise ConnectionResetError

    environ = EnvironBuilder(
        path="/v1/chat/completions", method="POST", headers={"Authorization": f"Bearer {make_key()}"}
    )
    broken = environ.get_environ() | {"CONTENT_LENGTH": "9", "wsgi.input": Gone()}
    body, status, _ = run_wsgi_app(gateway, broken)
    assert (status, json.loads(b"".join(body))["error"]["code"]) == ("400 Bad Request", "invalid_request_error")


def test_models_are_listed_as_far_as_the_caller_may_call_them(gateway, make_key, serve, make_user):
    serve(completion(), "acme/small", prices=Prices(input=150))
    serve(completion(), "acme/large")
    serve(completion(), "mine", namespace_id=make_user("bob").namespace_id)
    client = Client(gateway)

    def listed(query="", **headers):
        return [model["id"] for model in client.get(f"/v1/models{query}", headers=headers).json["data"]]

    assert listed() == ["acme/large", "acme/small"]
    assert listed("?model_id=SMALL") == ["acme/small"]
    page = client.get("/v1/models?page=1&per=1").json
    assert (page["has_more"], page["total_count"], page["last_id"]) == (True, 2, "acme/large")
    assert listed(Authorization=f"Bearer {make_key(models=('acme/s*',))}") == ["acme/small"]
    shown = client.get("/v1/models/acme/small").json
    assert shown["metadata"]["pricing"]["input_token_price"] == {
        "currency": "USD",
        "price_per_million": 0.15,
        "cached_price_per_million": 0.0,
    }
    assert "127.0.0.1" not in json.dumps(shown)
    assert _error(client.get("/v1/models/mine")) == (404, "invalid_request_error", "model_not_found")
    for odd in ("per=5", f"page={'9' * 5000}&per=5", "&".join(f"a{number}=1" for number in range(99))):
        assert _error(client.get(f"/v1/models?{odd}"))[0] == 400
    assert _error(client.get("/v1/models", headers={"Authorization": "Bearer gk_x"}))[0] == 401
