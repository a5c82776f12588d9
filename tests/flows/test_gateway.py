"""The gateway as programs use it: the unmodified OpenAI SDK, a hub in processes of its own, a provider."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.plugins.inference.conftest import completion, delta, last, stream
from tests.support.http import HTTPClient
from tests.support.hub import Account, HubServer
from tests.support.inference import Program
from tests.support.processes import free_port, wait_until
from tests.support.wire import WireServer, answer, serving

PRICES = {"input": 100, "output": 1000}


@pytest.fixture(scope="module")
def provider() -> Iterator[WireServer]:
    """Somebody who sells models."""

    def talk(connection: Any, request: bytes) -> bool | None:
        body = json.loads(request.partition(b"\r\n\r\n")[2])
        if b" /v1/embeddings " in request:
            found = {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.5, 1.0]}]}
            usage = {"prompt_tokens": 2, "total_tokens": 2}
            connection.sendall(answer(json.dumps(found | {"model": "v1", "usage": usage}).encode()))
        elif body["messages"][-1]["content"] == "for ever":
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
            connection.sendall(b"data: " + json.dumps(delta("word")).encode() + b"\n\n")
            while connection.recv(100):
                pass
            return False
        elif body.get("stream"):
            connection.sendall(stream(delta("four "), delta("words"), delta(finish="stop"), last()))
        else:
            connection.sendall(completion(f"You said {body['messages'][-1]['content']}."))
        return None

    with serving(talk) as server:
        yield server


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory, provider: WireServer) -> Iterator[HubServer]:
    """A hub whose gateway serves a model of that provider."""
    settings = {"outgoing_allowed_hosts": "127.0.0.1", "ssh_port": 0, "gateway_port": free_port()}
    with HubServer(tmp_path_factory.mktemp("hub"), settings) as server:
        upstream = {"url": provider.url("/v1"), "model_name": "v1", "headers": {"Authorization": "Bearer sold"}}
        model = {"model_name": "acme/small", "provider": "acme", "prices": PRICES, "upstreams": [upstream]}
        made = server.administrator.api.post("/api/v1/config/llms", model)
        assert made.status == 200, made.body
        assert b"sold" not in made.body
        yield server


def gateway_url(hub: HubServer) -> str:
    """Of the server that is for /v1 alone."""
    return f"http://127.0.0.1:{hub.environment['HUB_GATEWAY_PORT']}"


@pytest.fixture
def account(hub: HubServer) -> Account:
    return hub.new_account()


@pytest.fixture
def make_program(hub: HubServer, tmp_path: Path, account: Account) -> Any:
    """``make_program(rpm_limit=1)``: a program with a key that has these limits."""
    token = hub.new_token(account.name, scope="admin")

    def make(**limits: Any) -> Program:
        uuid = account.api.get(f"/api/v1/user/{account.name}").data["uuid"]
        made = hub.api.post(
            f"/api/v1/namespaces/{uuid}/apikeys",
            {"name": f"program {sorted(limits)}"} | limits,
            headers={"Authorization": f"Bearer {token}"},
        )
        assert made.status == 200, made.body
        return Program("openai", tmp_path, hub.url, made.data["token"])

    return make


def test_the_sdk_chats_streams_embeds_and_lists(make_program, hub: HubServer, account: Account):
    program = make_program()
    found = program.python(
        """
from openai import OpenAI
client = OpenAI()
ask = dict(model="acme/small", messages=[{"role": "user", "content": "hello"}])
plain = client.chat.completions.create(**ask, temperature=0)
chunks = list(client.chat.completions.create(**ask, stream=True, stream_options={"include_usage": True}))
answer({
    "plain": plain.choices[0].message.content, "model": plain.model, "usage": plain.usage.total_tokens,
    "streamed": "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices),
    "streamed_usage": chunks[-1].usage.total_tokens,
    "vector": client.embeddings.create(model="acme/small", input="hello").data[0].embedding,
    "models": [model.id for model in client.models.list()],
})
"""
    )
    assert found == {
        "plain": "You said hello.",
        "model": "acme/small",
        "usage": 15,
        "streamed": "four words",
        "streamed_usage": 15,
        "vector": [0.5, 1.0],
        "models": ["acme/small"],
    }
    hub.cli("usage", "replay", "--yes")
    sums = hub.cli_json("usage", "show", account.name, "--by", "key")
    assert [(one["quantity"], one["events"], one["prompt_tokens"]) for one in sums] == [(32, 3, 24)]
    spent = hub.cli_json("calls", "spent", account.name, "--by", "route")
    assert {one["group"]: one["calls"] for one in spent} == {"chat/completions": 2, "embeddings": 1}
    labels = b'key="1",model="acme/small",provider="acme",route="embeddings",status="200"'
    figure = b"hub_gateway_requests_total{%s} 1.0" % labels
    wait_until(lambda: figure in hub.administrator.api.get("/-/metrics").body, what="the figures of the calls")


def test_the_sdk_reads_errors_as_openais(make_program):
    found = make_program(rpm_limit=1).python(
        """
import openai
client = openai.OpenAI(max_retries=0)
seen = []
def attempt(client, model):
    try:
        client.chat.completions.create(model=model, messages=[{"role": "user", "content": "hello"}])
        seen.append("answered")
    except openai.APIStatusError as error:
        seen.append([type(error).__name__, error.status_code, error.code, bool(error.request_id)])
attempt(client, "nothing/here")
attempt(client, "acme/small")
attempt(client, "acme/small")
attempt(client.with_options(api_key="gk_wrong"), "acme/small")
answer(seen)
"""
    )
    assert found == [
        ["NotFoundError", 404, "model_not_found", True],
        "answered",
        ["RateLimitError", 429, "rate_limit_exceeded", True],
        ["AuthenticationError", 401, "invalid_api_key", True],
    ]


@pytest.mark.parametrize("is_own", [False, True])
def test_a_stream_that_the_program_leaves_is_left_by_the_provider_and_counted(
    make_program, provider: WireServer, hub: HubServer, is_own
):
    hub.execute("DELETE FROM inference_calls")
    provider.is_cut.clear()
    program = make_program()
    program.url = gateway_url(hub) if is_own else hub.url
    program.python(
        """
from openai import OpenAI
stream = OpenAI().chat.completions.create(
    model="acme/small", messages=[{"role": "user", "content": "for ever"}], stream=True
)
answer(next(iter(stream)).choices[0].delta.content)
stream.close()
"""
    )
    assert provider.is_cut.wait(60)
    query = "SELECT prompt_tokens, completion_tokens FROM inference_calls WHERE status = 499"
    wait_until(lambda: hub.rows(query), what="the call to be recorded")
    assert hub.rows(query) == [(2, 1)]


def test_a_gateway_of_its_own_answers_what_the_web_server_does(make_program, hub: HubServer):
    program = make_program()
    program.url = gateway_url(hub)
    found = program.python(
        """
from openai import OpenAI
client = OpenAI()
ask = dict(model="acme/small", messages=[{"role": "user", "content": "hello"}])
chunks = list(client.chat.completions.create(**ask, stream=True))
answer({
    "plain": client.chat.completions.create(**ask).choices[0].message.content,
    "streamed": "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices),
})
"""
    )
    assert found == {"plain": "You said hello.", "streamed": "four words"}
    api = HTTPClient(program.url, program.key)
    paths = ("/-/health", "/-/ready", "/v1/models", "/models/new")
    assert [api.get(path).status for path in paths] == [200, 200, 200, 404]
    large = api.request("POST", "/v1/chat/completions", body=b" " * 50_000_000)
    assert (large.status, large.json["error"]["code"]) == (413, "request_too_large")
