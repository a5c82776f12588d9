"""Anthropic's messages and OpenAI's responses as programs use them: the unmodified SDKs, a hub in its own processes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.plugins.inference.conftest import completion, delta, last, stream
from tests.support.hub import Account, HubServer
from tests.support.inference import Program
from tests.support.wire import WireServer, answer, serving

USAGE = {"prompt_tokens": 11, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 8}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Köln"}'}}
NATIVE = {
    "id": "msg_up",
    "type": "message",
    "role": "assistant",
    "model": "up",
    "content": [{"type": "text", "text": "as it is"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 3, "cache_read_input_tokens": 8, "output_tokens": 4},
}


def _answer_to(body: dict[str, Any]) -> bytes:
    """Somebody who speaks OpenAI's protocol, and calls a tool where there is one, until it has answered."""
    wants_tool = body.get("tools") and body["messages"][-1]["role"] != "tool"
    if body.get("stream"):
        call = {"index": 0, **CALL}
        said = [{"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}] if wants_tool else []
        words = [delta("four "), delta("wörds")]
        return stream(*words, *said, delta(finish="tool_calls" if said else "stop"), last(USAGE))
    message = {"content": None, "tool_calls": [CALL]} if wants_tool else {"content": "four wörds"}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if wants_tool else "stop"}
    return completion(choices=[choice], usage=USAGE)


@pytest.fixture(scope="module")
def provider() -> Iterator[WireServer]:
    """Somebody who sells models, under both protocols."""

    def talk(connection: Any, request: bytes) -> None:
        body = json.loads(request.partition(b"\r\n\r\n")[2])
        if b" /v1/messages/count_tokens " in request:
            connection.sendall(answer(json.dumps({"input_tokens": 17}).encode()))
        elif b" /v1/messages " in request:
            connection.sendall(answer(json.dumps(NATIVE).encode()))
        else:
            connection.sendall(_answer_to(body))

    with serving(talk) as server:
        yield server


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory, provider: WireServer) -> Iterator[HubServer]:
    """A hub whose gateway serves models of that provider."""
    settings = {"outgoing_allowed_hosts": "127.0.0.1", "ssh_port": 0}
    with HubServer(tmp_path_factory.mktemp("hub"), settings) as server:
        upstream = {"url": provider.url("/v1"), "model_name": "v1", "headers": {"x-api-key": "sold"}}
        for name, protocol in (("acme/small", "openai"), ("acme/large", "anthropic")):
            model = {"model_name": name, "provider": "acme", "upstreams": [upstream | {"protocol": protocol}]}
            made = server.administrator.api.post("/api/v1/config/llms", model)
            assert made.status == 200, made.body
            assert made.data["upstreams"][0]["protocol"] == protocol
        yield server


@pytest.fixture
def account(hub: HubServer) -> Account:
    return hub.new_account()


@pytest.fixture
def make_program(hub: HubServer, tmp_path: Path, account: Account) -> Any:
    """``make_program("anthropic", rpm_limit=1)``: a program with a key that has these limits."""
    token = hub.new_token(account.name, scope="admin")

    def make(sdk: str, **limits: Any) -> Program:
        uuid = account.api.get(f"/api/v1/user/{account.name}").data["uuid"]
        made = hub.api.post(
            f"/api/v1/namespaces/{uuid}/apikeys",
            {"name": f"program {sorted(limits)}"} | limits,
            headers={"Authorization": f"Bearer {token}"},
        )
        assert made.status == 200, made.body
        return Program(sdk, tmp_path, hub.url, made.data["token"])

    return make


def test_anthropics_sdk_talks_streams_calls_tools_and_counts(make_program: Any, hub: HubServer, account: Account):
    found = make_program("anthropic").python(
        """
from anthropic import Anthropic
client = Anthropic()
ask = dict(model="acme/small", max_tokens=64, messages=[{"role": "user", "content": "hello"}])
tool = {"name": "weather", "description": "of a city", "input_schema": {
    "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}
plain = client.messages.create(**ask, system="Be short.", stop_sequences=["END"], extra_body={"temperature": 0})
with client.messages.stream(**ask, tools=[tool]) as stream:
    words = "".join(stream.text_stream)
    streamed = stream.get_final_message()
called = client.messages.create(**ask, tools=[tool], tool_choice={"type": "any"})
use = called.content[0]
result = {"type": "tool_result", "tool_use_id": use.id, "content": "rain"}
turns = [*ask["messages"], {"role": "assistant", "content": called.content}, {"role": "user", "content": [result]}]
after = client.messages.create(**ask | {"messages": turns}, tools=[tool])
native = client.messages.create(**ask | {"model": "acme/large"})
answer({
    "plain": plain.content[0].text, "model": plain.model, "stop": plain.stop_reason, "id": bool(plain._request_id),
    "usage": [plain.usage.input_tokens, plain.usage.cache_read_input_tokens, plain.usage.output_tokens],
    "words": words, "streamed": [streamed.stop_reason, streamed.content[1].input, streamed.usage.output_tokens,
        streamed.usage.input_tokens, streamed.usage.cache_read_input_tokens],
    "called": [called.stop_reason, use.name, use.input], "after": after.content[0].text,
    "native": [native.content[0].text, native.model],
    "counted": [client.messages.count_tokens(model=name, messages=ask["messages"]).input_tokens
        for name in ("acme/small", "acme/large")],
})
"""
    )
    assert found == {
        "plain": "four wörds",
        "model": "acme/small",
        "stop": "end_turn",
        "id": True,
        "usage": [3, 8, 4],
        "words": "four wörds",
        "streamed": ["tool_use", {"city": "Köln"}, 4, 3, 8],
        "called": ["tool_use", "weather", {"city": "Köln"}],
        "after": "four wörds",
        "native": ["as it is", "acme/large"],
        "counted": [2, 17],
    }
    # Counting is free.
    hub.cli("usage", "replay", "--yes")
    sums = hub.cli_json("usage", "show", account.name, "--by", "key")
    assert [(one["quantity"], one["events"], one["prompt_tokens"]) for one in sums] == [(75, 5, 55)]


def test_anthropics_sdk_reads_errors_as_its_own(make_program: Any):
    found = make_program("anthropic", rpm_limit=1).python(
        """
import anthropic
client = anthropic.Anthropic(max_retries=0)
seen = []
def attempt(client, **change):
    try:
        client.messages.create(**dict(model="acme/small", max_tokens=9,
            messages=[{"role": "user", "content": "hello"}]) | change)
        seen.append("answered")
    except anthropic.APIStatusError as error:
        seen.append([type(error).__name__, error.status_code, error.type, error.error_code, bool(error.request_id)])
attempt(client, model="nothing/here")
attempt(client, messages=[])
attempt(client, tools=[{"type": "web_search_20250305", "name": "web_search"}])
attempt(client)
attempt(client)
attempt(client.with_options(api_key="gk_wrong"))
answer(seen)
"""
    )
    assert found == [
        ["NotFoundError", 404, "not_found_error", "model_not_found", True],
        ["BadRequestError", 400, "invalid_request_error", "invalid_request_error", True],
        ["BadRequestError", 400, "invalid_request_error", "unsupported_feature", True],
        "answered",
        ["RateLimitError", 429, "rate_limit_error", "rate_limit_exceeded", True],
        ["AuthenticationError", 401, "authentication_error", "invalid_api_key", True],
    ]


def test_openais_sdk_asks_for_responses(make_program: Any):
    found = make_program("openai").python(
        """
import openai
client = openai.OpenAI(max_retries=0)
ask = dict(model="acme/small", input="hello")
tool = {"type": "function", "name": "weather", "strict": True, "parameters": {
    "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}}
plain = client.responses.create(**ask, instructions="Be short.")
with client.responses.stream(**ask, tools=[tool]) as stream:
    words = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
    streamed = stream.get_final_response()
called = client.responses.create(**ask, tools=[tool])
call = called.output[0]
turns = [{"role": "user", "content": "hello"}, *called.output,
    {"type": "function_call_output", "call_id": call.call_id, "output": "rain"}]
after = client.responses.create(model="acme/small", input=turns, tools=[tool])
large = client.responses.create(model="acme/large", input="hello")
def refused(attempt):
    try:
        attempt()
    except openai.APIStatusError as error:
        return [error.status_code, error.code]
answer({
    "plain": [plain.output_text, plain.model, plain.status, plain.usage.total_tokens],
    "words": words, "streamed": [streamed.output_text, streamed.output[1].arguments, streamed.usage.output_tokens],
    "called": [call.type, call.name, call.arguments], "after": after.output_text, "large": large.output_text,
    "refused": [
        refused(lambda: client.responses.create(**ask, tools=[{"type": "web_search"}])),
        refused(lambda: client.responses.create(**ask, previous_response_id=plain.id)),
        refused(lambda: client.responses.retrieve(plain.id)),
    ],
})
"""
    )
    arguments = '{"city": "Köln"}'
    assert found == {
        "plain": ["four wörds", "acme/small", "completed", 15],
        "words": "four wörds",
        "streamed": ["four wörds", arguments, 4],
        "called": ["function_call", "weather", arguments],
        "after": "four wörds",
        "large": "as it is",
        "refused": [[400, "unsupported_feature"], [400, "unsupported_feature"], [404, "response_not_found"]],
    }
