"""Anthropic's messages through the gateway: with upstreams of OpenAI's protocol and of its own, whole and streamed."""

import json

import pytest
from werkzeug.test import Client
from werkzeug.wrappers import Response

from hub.plugin.beside import create_beside
from plugins.inference.catalogue import Prices
from plugins.inference.gateway.faults import Fault
from plugins.inference.gateway.messages_requests import to_chat

from .conftest import body_of, completion, delta, last, stream

pytestmark = [pytest.mark.any_database, pytest.mark.settings(outgoing_allowed_hosts="127.0.0.1")]

HELLO = [{"role": "user", "content": "Say four words."}]
TOOL = {"name": "weather", "description": "of a city", "input_schema": {"type": "object", "properties": {}}}
USAGE = {"prompt_tokens": 11, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 8}}
NATIVE_USAGE = {"input_tokens": 3, "cache_read_input_tokens": 8, "cache_creation_input_tokens": 2, "output_tokens": 4}


def chat_of(**request):
    return to_chat({"max_tokens": 10, "messages": HELLO} | request)


def turn(role, *blocks):
    return {"role": role, "content": list(blocks)}


def text(said):
    return {"type": "text", "text": said}


@pytest.fixture
def say(gateway, make_key):
    """``say(stream=True)``: the answer to messages, with a key of Ada's in ``x-api-key`` unless headers say more."""
    client = Client(gateway)
    key = make_key("messages")

    def post(path="/v1/messages", headers=None, data=None, **body):
        asked = {"model": "tiny", "max_tokens": 64, "messages": HELLO} | body
        sent = {"x-api-key": key, "anthropic-version": "2023-06-01"} | (headers or {})
        sent = {name: value for name, value in sent.items() if value}
        return client.post(path, data=data or json.dumps(asked), headers=sent)

    post.key = key
    return post


def events_of(response):
    """Each event's data; its name is the data's type."""
    found = []
    for event in filter(None, response.text.split("\n\n")):
        name, data = event.split("\n")
        found.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {found[-1]['type']}"
    return found


def error_of(response):
    assert response.json["type"] == "error"
    return response.status_code, response.json["error"]["type"]


# What is asked


def test_a_request_is_said_in_openais_words():
    assert chat_of(
        system=[text("Be short."), text("Be kind.") | {"cache_control": {"type": "ephemeral"}}],
        stop_sequences=["END"],
        temperature=0,
        top_k=5,
        seed=7,
        tools=[TOOL | {"cache_control": {}}],
        tool_choice={"type": "any", "disable_parallel_tool_use": True},
        metadata={"user_id": "u1"},
        thinking={"type": "enabled", "budget_tokens": 8000},
        output_config={"format": {"type": "json_schema", "schema": {"type": "object"}}},
        service_tier="auto",
        stream=True,
    ) == {
        "messages": [{"role": "system", "content": "Be short.\n\nBe kind."}, *HELLO],
        "max_tokens": 10,
        "stop": ["END"],
        "temperature": 0,
        "top_k": 5,
        "seed": 7,
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "weather",
                    "description": "of a city",
                    "parameters": {"type": "object", "properties": {}},
                },
            }
        ],
        "tool_choice": "required",
        "parallel_tool_calls": False,
        "user": "u1",
        "reasoning_effort": "medium",
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": {"type": "object"}, "strict": True},
        },
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_a_conversation_with_tools_thoughts_and_pictures_is_said_in_openais_words():
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBO"}}
    address = {"type": "image", "source": {"type": "url", "url": "https://pictures.example/a.png"}}
    paper = {"type": "document", "title": "a.pdf", "source": {
        "type": "base64", "media_type": "application/pdf", "data": "JVBE"}}  # fmt: skip
    messages = chat_of(
        messages=[
            turn("user", text("Look:"), picture, address, paper),
            turn(
                "assistant",
                {"type": "thinking", "thinking": "A cat.", "signature": "s"},
                {"type": "redacted_thinking", "data": "x"},
                text("I ask."),
                {"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "Köln"}},
                {"type": "tool_use", "id": "t2", "name": "weather", "input": {}},
            ),
            turn(
                "user",
                text("Well?"),
                {"type": "tool_result", "tool_use_id": "t1", "content": [text("rain"), picture]},
                {"type": "tool_result", "tool_use_id": "t2", "content": "no such city", "is_error": True},
            ),
            turn("user", {"type": "tool_result", "tool_use_id": "t3"}),
        ]
    )["messages"]
    seen = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO"}}
    assert messages == [
        {
            "role": "user",
            "content": [
                text("Look:"),
                seen,
                {"type": "image_url", "image_url": {"url": "https://pictures.example/a.png"}},
                {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE"}},
            ],
        },
        {
            "role": "assistant",
            "content": "I ask.",
            "reasoning_content": "A cat.",
            "tool_calls": [
                {"id": "t1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Köln"}'}},
                {"id": "t2", "type": "function", "function": {"name": "weather", "arguments": "{}"}},
            ],
        },
        {"role": "tool", "tool_call_id": "t1", "content": "rain"},
        {"role": "tool", "tool_call_id": "t2", "content": "Error: no such city"},
        {"role": "user", "content": [text("Well?"), seen]},
        {"role": "tool", "tool_call_id": "t3", "content": ""},
    ]


@pytest.mark.parametrize(
    "choice, found",
    [
        ({"type": "auto"}, "auto"),
        ({"type": "none"}, "none"),
        ({"type": "tool", "name": "weather"}, {"type": "function", "function": {"name": "weather"}}),
    ],
)
def test_which_tool_is_to_be_used(choice, found):
    assert chat_of(tools=[TOOL], tool_choice=choice)["tool_choice"] == found


@pytest.mark.parametrize(
    "request_, code",
    [
        ({"mcp_servers": [{}]}, "unsupported_feature"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "unsupported_feature"),
        ({"messages": [turn("user", {"type": "image", "source": {"type": "file", "file_id": "f"}})]},
         "unsupported_feature"),
        ({"messages": [turn("assistant", {"type": "server_tool_use"})]}, "unsupported_feature"),
        ({"system": [{"type": "image"}]}, "unsupported_feature"),
        ({"messages": [turn("user", {"type": "tool_result"})]}, "invalid_request_error"),
        ({"messages": [{"role": "user", "content": 7}]}, "invalid_request_error"),
        ({"messages": [turn("user", 7)]}, "invalid_request_error"),
        ({"messages": [turn("user", {"type": "text", "text": 7})]}, "invalid_request_error"),
        ({"tools": "weather"}, "invalid_request_error"),
        ({"tools": [{}]}, "invalid_request_error"),
        ({"tools": [TOOL], "tool_choice": "auto"}, "invalid_request_error"),
        ({"stop_sequences": [7]}, "invalid_request_error"),
        ({"thinking": {"type": "enabled"}}, "invalid_request_error"),
    ],
)  # fmt: skip
def test_what_cannot_be_said_is_refused(request_, code):
    with pytest.raises(Fault) as caught:
        chat_of(**request_)
    assert (caught.value.status, caught.value.code) == (400, code)


# What is answered


def test_an_answer_is_told_in_anthropics_words_and_counted(say, serve, calls):
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Köln"}'}}
    message = {"content": "I ask.", "reasoning_content": "Hm.", "tool_calls": [call]}
    choices = [{"message": message, "finish_reason": "tool_calls"}]
    server = serve(completion(choices=choices, usage=USAGE), prices=Prices(input=100, cached=10, output=1000))
    response = say(tools=[TOOL])
    assert response.status_code == 200, response.text
    found = response.json
    assert found.pop("id").startswith("msg_")
    assert found == {
        "type": "message",
        "role": "assistant",
        "model": "tiny",
        "content": [
            {"type": "thinking", "thinking": "Hm.", "signature": ""},
            text("I ask."),
            {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Köln"}},
        ],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 3,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 8,
            "output_tokens": 4,
        },
    }
    head = server.requests[0].partition(b"\r\n\r\n")[0]
    assert b"POST /v1/chat/completions" in head
    assert b"nthropic" not in head
    assert body_of(server.requests[0])["model"] == "tiny-v1"
    [counted] = calls()
    assert (counted.route, counted.prompt_tokens, counted.cached_tokens, counted.finish_reason) == (
        "messages",
        11,
        8,
        "tool_calls",
    )
    assert counted.cost_nano == 3 * 100 + 8 * 10 + 4 * 1000
    assert response.headers["request-id"] == response.headers["x-request-id"] == counted.request_id


@pytest.mark.parametrize(
    "choice, found",
    [
        ({"finish_reason": "stop"}, ("end_turn", None)),
        ({"finish_reason": "length"}, ("max_tokens", None)),
        ({"finish_reason": "content_filter"}, ("refusal", None)),
        ({"finish_reason": "stop", "message": {"refusal": "No."}}, ("refusal", None)),
        ({"finish_reason": "stop", "stop_reason": "END"}, ("stop_sequence", "END")),
        ({"finish_reason": "stop", "matched_stop": "END"}, ("stop_sequence", "END")),
        ({"finish_reason": "stop", "stop_reason": 128_009}, ("end_turn", None)),
        ({"finish_reason": "stop", "stop_reason": "other"}, ("end_turn", None)),
    ],
)
def test_why_an_answer_ended_is_told(say, serve, choice, found):
    serve(completion(choices=[{"message": {"content": "x"}} | choice]))
    response = say(stop_sequences=["END"]).json
    assert (response["stop_reason"], response["stop_sequence"]) == found


@pytest.mark.parametrize(
    "message, found",
    [
        ({"tool_calls": [{"function": {"name": "w", "arguments": "no {JSON"}}]}, {"raw_arguments": "no {JSON"}),
        ({"tool_calls": [{"function": {"name": "w", "arguments": "[1]"}}]}, {"raw_arguments": "[1]"}),
        ({"tool_calls": [{"function": {"name": "w", "arguments": ""}}]}, {}),
        ({"tool_calls": [{"function": {"name": "w", "arguments": {"a": 1}}}]}, {"a": 1}),
        ({"tool_calls": [7]}, None),
        ({"tool_calls": "x"}, None),
        (None, None),
    ],
)
def test_odd_answers_are_told_or_are_errors(say, serve, calls, message, found):
    serve(completion(choices=[{"message": message, "finish_reason": "stop"}]))
    response = say()
    if found is None:
        assert error_of(response) == (502, "api_error")
        assert [call.status for call in calls()] == [502]
    else:
        [block] = response.json["content"]
        assert (block["input"], block["id"][:6], response.json["stop_reason"]) == (found, "toolu_", "tool_use")


def tool_delta(index, arguments, **more):
    call = {"index": index, "function": {"arguments": arguments} | more.pop("function", {})} | more
    return {"model": "tiny-v1", "choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}


STREAM = [
    b": wait",
    {"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]},
    {"choices": [{"index": 0, "delta": {"reasoning_content": "Hm"}}]},
    {"choices": [{"index": 0, "delta": {"reasoning_content": "m."}}]},
    delta("four "),
    delta("wörds"),
    tool_delta(0, "", id="c1", function={"name": "weather"}),
    tool_delta(0, '{"city":'),
    tool_delta(0, '"Köln"}'),
    tool_delta(1, "{}", id="c2", function={"name": "weather"}),
    delta(finish="tool_calls"),
    last(USAGE),
]


def told(events):
    """The blocks as a client puts them together, with the names of all events."""
    blocks = {}
    for event in events:
        if event["type"] == "content_block_start":
            assert event["index"] == len(blocks)
            blocks[event["index"]] = [event["content_block"], ""]
        elif event["type"] == "content_block_delta":
            assert event["index"] == len(blocks) - 1
            blocks[event["index"]][1] += "".join(value for key, value in event["delta"].items() if key != "type")
    return [(block["type"], said) for block, said in blocks.values()]


def test_a_stream_is_told_in_anthropics_events(say, serve, calls):
    server = serve(stream(*STREAM))
    response = say(stream=True, tools=[TOOL])
    assert response.headers["Content-Type"].startswith("text/event-stream")
    events = events_of(response)
    assert body_of(server.requests[0])["stream_options"] == {"include_usage": True}
    assert [event["type"] for event in events if event["type"] != "content_block_delta"] == [
        "message_start",
        "ping",
        *["content_block_start", "content_block_stop"] * 4,
        "message_delta",
        "message_stop",
    ]
    assert told(events) == [
        ("thinking", "Hmm."),
        ("text", "four wörds"),
        ("tool_use", '{"city":"Köln"}'),
        ("tool_use", "{}"),
    ]
    started = events[0]["message"]
    assert (started["model"], started["content"], started["usage"]["output_tokens"]) == ("tiny", [], 0)
    ended = events[-2]
    assert ended["delta"] == {"stop_reason": "tool_use", "stop_sequence": None}
    assert (ended["usage"]["input_tokens"], ended["usage"]["cache_read_input_tokens"]) == (3, 8)
    [call] = calls()
    assert (call.status, call.prompt_tokens, call.completion_tokens, call.usage_source) == (200, 11, 4, "upstream")


def test_a_stream_of_an_engine_that_does_not_count_its_calls_and_tells_its_stop_word(say, serve):
    calls = [{"id": "a", "function": {"name": "w", "arguments": "{"}}, {"function": {"arguments": "}"}}]
    calls += [{"id": "b", "function": {"name": "w", "arguments": "{}"}}]
    chunks = [{"choices": [{"delta": {"tool_calls": [call]}}]} for call in calls]
    end = {"choices": [{"delta": {}, "finish_reason": "stop", "stop_reason": "END"}]}
    serve(stream(*chunks, end))
    events = events_of(say(stream=True, stop_sequences=["END"]))
    assert told(events) == [("tool_use", "{}"), ("tool_use", "{}")]
    assert events[-2]["delta"] == {"stop_reason": "stop_sequence", "stop_sequence": "END"}
    assert events[-2]["usage"]["output_tokens"] > 0


@pytest.mark.parametrize(
    "chunks, ends",
    [
        ([delta("half")], False),
        ([delta("half"), b"data: {broken"], True),
        ([delta("half"), b"data: [1]"], True),
        ([delta("half"), {"error": {"message": "secret"}}], True),
        ([delta("half"), tool_delta(0, "{}")], True),
        ([tool_delta(0, "", function={"name": "w"}), tool_delta(1, "", function={"name": "w"}), tool_delta(0, "{")],
         True),
        ([delta("half"), b"data: " + b"x" * (5 * 1024 * 1024)], True),
    ],
)  # fmt: skip
def test_a_stream_that_breaks_ends_with_anthropics_error(say, serve, calls, chunks, ends):
    serve(stream(*chunks, ends=ends))
    *_, error = events_of(say(stream=True))
    assert (error["type"], error["error"]["type"]) == ("error", "api_error")
    assert "secret" not in json.dumps(error)
    assert [(call.status, call.usage_source) for call in calls()] == [(502, "estimate")]


# Upstreams of the same protocol


@pytest.fixture
def serve_native(serve):
    return lambda said, name="tiny", **form: serve(said, name, protocol="anthropic", **form)


def native(content=None, **more):
    message = {"id": "msg_up", "type": "message", "role": "assistant", "model": "claude-up", "odd": {"deep": [1]}}
    message |= {"content": content or [text("four words are here")], "stop_reason": "end_turn", "stop_sequence": None}
    return message | {"usage": NATIVE_USAGE} | more


NATIVE_STREAM = [
    {"type": "message_start", "message": native(content=[]) | {"usage": NATIVE_USAGE | {"output_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "server_tool_use", "id": "s"}},
    {"type": "ping"},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "four words"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 4}},
    {"type": "message_stop"},
]


def native_stream(*events):
    return stream(*(f"event: {one['type']}\ndata: {json.dumps(one)}".encode() for one in events), ends=False)


def answer_of(data):
    body = json.dumps(data).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def test_programs_with_an_address_for_this_protocol_alone_are_answered(hub, say, serve, calls, make_user):
    # Who bears the name keeps it, and all addresses that begin with it but these.
    make_user("anthropic")
    serve(completion())
    client, key = Client(create_beside(hub, Response("the pages"))), say.key
    headers = {"x-api-key": key, "anthropic-version": "2023-06-01"}
    asked = {"model": "tiny", "max_tokens": 64, "messages": HELLO}
    for path in ("/v1/messages", "/anthropic/v1/messages", "/anthropic/messages"):
        assert client.post(path, json=asked, headers=headers).json["content"] == [text("four words are here")]
        assert client.post(f"{path}/count_tokens", json=asked, headers=headers).json == {"input_tokens": 4}
        assert error_of(client.post(path, json={}, headers=headers)) == (400, "invalid_request_error")
    for path in ("/anthropic", "/anthropic/messages/more", "/anthropic/v1", "/anthropic/v1/chat/completions"):
        assert client.post(path, json=asked, headers=headers).text == "the pages"
    assert [call.route for call in calls() if call.status == 200] == ["messages"] * 3


def test_an_upstream_of_the_same_protocol_is_asked_as_the_client_asks(say, serve_native, calls):
    server = serve_native(answer_of(native()), prices=Prices(input=100, cached=10, cache_creation=125, output=1000))
    search = {"type": "web_search_20250305", "name": "web_search"}
    response = say(headers={"anthropic-beta": "new-2026"}, tools=[search], context_management={"edits": []}, odd=1.5)
    assert response.json == native(model="tiny")
    head = server.requests[0].partition(b"\r\n\r\n")[0].decode().lower()
    assert head.startswith("post /v1/messages ")
    assert "anthropic-beta: new-2026" in head
    assert "anthropic-version: 2023-06-01" in head
    assert "authorization: bearer provider-secret" in head
    assert "gk_" not in head
    sent = body_of(server.requests[0])
    assert (sent["model"], sent["tools"], sent["odd"]) == ("tiny-v1", [search], 1.5)
    [call] = calls()
    assert (call.prompt_tokens, call.cached_tokens, call.completion_tokens) == (13, 8, 4)
    assert call.cost_nano == 3 * 100 + 8 * 10 + 2 * 125 + 4 * 1000


def test_its_stream_is_passed_on_event_by_event(say, serve_native, calls):
    serve_native(native_stream(*NATIVE_STREAM))
    events = events_of(say(stream=True))
    assert events[0]["message"]["model"] == "tiny"
    assert events[1:] == NATIVE_STREAM[1:]
    [call] = calls()
    assert (call.prompt_tokens, call.cached_tokens, call.completion_tokens, call.usage_source) == (13, 8, 4, "upstream")


@pytest.mark.parametrize(
    "events, kind",
    [
        (NATIVE_STREAM[:4], "api_error"),
        ([*NATIVE_STREAM[:4], {"type": "error", "error": {"type": "overloaded_error", "message": "secret"}}],
         "overloaded_error"),
    ],
)  # fmt: skip
def test_its_stream_that_breaks_is_counted_by_what_came(say, serve_native, calls, events, kind):
    serve_native(native_stream(*events))
    *_, error = events_of(say(stream=True))
    assert error["error"]["type"] == kind
    assert "secret" not in json.dumps(error)
    [call] = calls()
    assert (call.prompt_tokens, call.cached_tokens, call.completion_tokens, call.usage_source) == (13, 8, 3, "estimate")


def test_a_chat_reaches_it_and_is_answered_as_a_chat(ask, serve_native, calls):
    use = {"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "Köln"}}
    said = native([{"type": "thinking", "thinking": "Hm."}, text("I ask."), use], stop_reason="tool_use")
    server = serve_native(answer_of(said))
    call = {"id": "t0", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO"}}
    response = ask(
        messages=[
            {"role": "system", "content": "Be short."},
            {"role": "user", "content": [text("Look:"), picture]},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "t0", "content": "rain"},
            {"role": "user", "content": "Well?"},
        ],
        temperature=1.7,
        stop="END",
        seed=1,
        tools=[{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}],
        tool_choice="required",
        parallel_tool_calls=False,
    )
    assert response.status_code == 200, response.text
    assert body_of(server.requests[0]) == {
        "model": "tiny-v1",
        "system": "Be short.",
        "messages": [
            turn(
                "user",
                text("Look:"),
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBO"}},
            ),
            turn("assistant", {"type": "tool_use", "id": "t0", "name": "weather", "input": {}}),
            turn("user", {"type": "tool_result", "tool_use_id": "t0", "content": [text("rain")]}, text("Well?")),
        ],
        "max_tokens": 4096,
        "temperature": 1,
        "stop_sequences": ["END"],
        "tools": [{"name": "weather", "input_schema": {"type": "object"}}],
        "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
    }
    choice = response.json["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"] == {
        "role": "assistant",
        "content": "I ask.",
        "reasoning_content": "Hm.",
        "tool_calls": [
            {"id": "t1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Köln"}'}}
        ],
    }
    assert (response.json["model"], response.json["usage"]["prompt_tokens"]) == ("tiny", 13)
    [counted] = calls()
    assert (counted.route, counted.prompt_tokens, counted.cached_tokens) == ("chat/completions", 13, 8)


def test_a_chats_stream_from_it(ask, serve_native, calls):
    use = {"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "id": "t", "name": "w"}}
    arguments = {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": "{}"}}
    serve_native(native_stream(*NATIVE_STREAM[:5], use, arguments, *NATIVE_STREAM[5:]))
    response = ask(stream=True, stream_options={"include_usage": True})
    *chunks, done = [event[6:] for event in response.text.split("\n\n") if event]
    assert done == "[DONE]"
    chunks = [json.loads(chunk) for chunk in chunks]
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]
    assert "".join(one.get("content") or "" for one in deltas) == "four words"
    calls_told = [one["tool_calls"][0] for one in deltas if "tool_calls" in one]
    assert [(call["index"], call["function"]["arguments"]) for call in calls_told] == [(0, ""), (0, "{}")]
    assert chunks[-1]["usage"]["prompt_tokens_details"] == {"cached_tokens": 8, "cache_write_tokens": 2}
    [call] = calls()
    assert (call.status, call.prompt_tokens, call.cached_tokens, call.completion_tokens) == (200, 13, 8, 4)


def test_what_it_cannot_be_asked_is_refused(ask, serve_native):
    serve_native(answer_of(native()))
    for wanted in ({"n": 2}, {"logprobs": True}, {"response_format": {"type": "json_object"}}):
        assert ask(**wanted).json["error"]["code"] == "unsupported_feature"
    assert ask(path="/v1/embeddings", input="x").json["error"]["code"] == "unsupported_feature"


# Errors


@pytest.mark.parametrize(
    "change, found",
    [
        ({"headers": {"x-api-key": "gk_wrong"}}, (401, "authentication_error")),
        ({"headers": {"anthropic-version": ""}}, (400, "invalid_request_error")),
        ({"model": "nothing"}, (404, "not_found_error")),
        ({"max_tokens": 0}, (400, "invalid_request_error")),
        ({"max_tokens": None}, (400, "invalid_request_error")),
        ({"messages": []}, (400, "invalid_request_error")),
        ({"messages": [{"role": "tool"}]}, (400, "invalid_request_error")),
        ({"messages": [7]}, (400, "invalid_request_error")),
        ({"mcp_servers": [{}]}, (400, "invalid_request_error")),
        ({"tools": [TOOL | {"type": "bash_20250124"}]}, (400, "invalid_request_error")),
        ({"path": "/v1/messages/batches"}, (404, None)),
    ],
)
def test_errors_are_told_in_anthropics_words(say, serve, change, found):
    serve(completion())
    response = say(**change)
    if found[1] is not None:
        assert error_of(response) == found
    assert response.status_code == found[0]


@pytest.mark.parametrize(
    "status, found",
    [
        ("400 Bad", (400, "invalid_request_error", "invalid_request_error")),
        ("401 No", (502, "api_error", "upstream_auth_error")),
        ("429 Slow", (429, "rate_limit_error", "upstream_rate_limited")),
        ("500 Oops", (502, "api_error", "upstream_error")),
        ("529 Full", (502, "api_error", "upstream_error")),
    ],
)
def test_what_upstreams_say_instead_is_told_in_anthropics_words(say, serve_native, calls, status, found):
    serve_native(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nRetry-After: 7\r\n\r\n".encode())
    response = say()
    assert (*error_of(response), response.json["error"]["details"]["error_code"]) == found
    assert response.headers.get("Retry-After") == ("7" if found[0] == 429 else None)
    assert [call.status for call in calls()] == [found[0]]


def test_limits_and_upstreams_that_are_away(gateway, make_key, say, serve):
    serve(completion())
    headers = {"x-api-key": "", "Authorization": f"Bearer {make_key('slow', requests=1)}"}
    assert say(headers=headers).status_code == 200
    limited = say(headers=headers)
    assert error_of(limited) == (429, "rate_limit_error")
    assert limited.headers["Retry-After"]
    serve(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", "away")
    assert [error_of(say(model="away")) for _ in range(4)][-1] == (529, "overloaded_error")
    size = {"CONTENT_LENGTH": str(50 * 1024 * 1024)}
    sent = {"x-api-key": make_key("large"), "anthropic-version": "x"}
    too_large = Client(gateway).post("/v1/messages", headers=sent, environ_overrides=size)
    assert error_of(too_large) == (413, "request_too_large")


def test_many_blocks_and_deep_nesting_are_borne(say, serve, serve_native):
    server = serve(completion())
    assert say(messages=[turn("user", *[text("x")] * 10_000)]).status_code == 200
    assert len(body_of(server.requests[0])["messages"][0]["content"]) == 10_000
    # Deeper than some place on its way can bear, or not: in no case does anything break.
    answered = set()
    for depth in (300, *range(900, 1000, 9), 5000):
        deep = b'{"a":' * depth + b"1" + b"}" * depth
        used = b'{"type":"tool_use","id":"t","name":"w","input":%s}' % deep
        tool = b'{"name":"w","input_schema":%s}' % deep
        body = b'{"model":"tiny","max_tokens":9,"messages":[{"role":"assistant","content":[%s]}],"tools":[%s]}'
        answered.add((depth, say(data=body % (used, tool)).status_code))
    assert {(300, 200), (5000, 400)} < answered
    assert {status for _, status in answered} == {200, 400}
    arguments = '{"a":' * 5000 + "1" + "}" * 5000
    call = {"function": {"name": "w", "arguments": arguments}}
    serve(completion(choices=[{"message": {"tool_calls": [call]}, "finish_reason": "stop"}]), "deep")
    assert say(model="deep").json["content"][0]["input"] == {"raw_arguments": arguments}
    nested = {"type": "tool_result", "tool_use_id": "t", "content": "x"}
    for _ in range(400):
        nested = {"type": "tool_result", "tool_use_id": "t", "content": [nested]}
    assert error_of(say(messages=[turn("user", nested)]))[0] == 400


# Counting


def test_tokens_are_counted_by_whoever_can_or_about(say, serve, serve_native, calls, make_key):
    path = "/v1/messages/count_tokens"
    serve(completion())
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "i" * 4000}}
    body = {"system": "x" * 8, "messages": [turn("user", text("y" * 12), picture)], "max_tokens": None}
    # A picture counts as is set.
    assert say(path, **body).json == {"input_tokens": 5 + 765}
    asked = []

    def talk(connection, request):
        asked.append((request.split(b" ")[1], body_of(request)))
        said = {"prompt": "<user>hello"} if b"template" in request.split(b" ")[1] else {"tokens": [1, 2, 3]}
        connection.sendall(answer_of(said))

    serve(talk, "llama", provider="llama.cpp")
    assert say(path, model="llama", **body).json == {"input_tokens": 3}
    assert [where for where, _ in asked] == [b"/apply-template", b"/tokenize"]
    assert asked[1][1]["content"] == "<user>hello"
    server = serve_native(answer_of({"input_tokens": 17}), "claude")
    assert say(path, model="claude").json == {"input_tokens": 17}
    assert server.requests[0].startswith(b"POST /v1/messages/count_tokens ")
    serve_native(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", "broken")
    assert say(path, model="broken").json == {"input_tokens": 4}
    assert calls() == []
    assert error_of(say(path, messages="x")) == (400, "invalid_request_error")
    assert error_of(say(f"{path}/more")) == (404, "not_found_error")
    for other in ("/anthropic/v1/messages", "/anthropic/messages"):
        assert say(f"{other}/count_tokens", model="claude").json == {"input_tokens": 17}
    assert error_of(say(path, headers={"x-api-key": make_key("other", models=("else",))}))[0] == 403
