"""Responses through the gateway: adapted to chats, and with upstreams that speak the protocol themselves."""

import json
import re

import pytest
from sqlalchemy import update
from werkzeug.test import Client

from hub.db.uow import unit_of_work
from plugins.inference.gateway.app import create_gateway
from plugins.inference.gateway.faults import Fault
from plugins.inference.gateway.responses_requests import to_chat
from plugins.inference.limits import KeyRules
from plugins.inference.models import Upstream

from .conftest import body_of, completion, delta, last, stream
from .test_messages import STREAM, answer_of, tool_delta

pytestmark = [pytest.mark.any_database, pytest.mark.settings(outgoing_allowed_hosts="127.0.0.1")]

TOOL = {"type": "function", "name": "weather", "parameters": {"type": "object"}, "strict": True}
USAGE = {
    "prompt_tokens": 11,
    "completion_tokens": 4,
    "prompt_tokens_details": {"cached_tokens": 8},
    "completion_tokens_details": {"reasoning_tokens": 3},
}
TOLD_USAGE = {
    "input_tokens": 11,
    "input_tokens_details": {"cached_tokens": 8, "cache_write_tokens": 0},
    "output_tokens": 4,
    "output_tokens_details": {"reasoning_tokens": 3},
    "total_tokens": 15,
}


@pytest.fixture
def respond(ask):
    """``respond(input="hello")``: the answer to a request for a response, with a key of Ada's."""

    def post(**body):
        return ask(path="/v1/responses", messages=None, **({"input": "hello"} | body))

    return post


def events_of(response):
    found = []
    for event in filter(None, response.text.split("\n\n")):
        if event.startswith(":"):
            continue
        name, data = event.split("\n")
        found.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {found[-1]['type']}"
    return found


def error_of(response):
    return response.status_code, response.json["error"]["code"]


# What is asked


def test_a_request_is_said_as_a_chat():
    picture = {"type": "input_image", "image_url": "data:image/png;base64,iVBO", "detail": "low"}
    paper = {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE"}
    assert to_chat(
        {
            "model": "tiny",
            "instructions": "Be short.",
            "input": [
                {"role": "developer", "content": "Be kind."},
                {
                    "type": "message",
                    "role": "user",
                    "content": [{"type": "input_text", "text": "Look:"}, picture, paper],
                },
                {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "A cat."}]},
                {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I ask."}]},
                {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{}"},
                {"type": "function_call", "call_id": "c2", "name": "weather", "arguments": "no JSON"},
                {"type": "function_call_output", "call_id": "c1", "output": "rain"},
                {"type": "function_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "sun"}]},
                {"role": "user", "content": "Well?"},
            ],
            "tools": [TOOL],
            "tool_choice": {"type": "function", "name": "weather"},
            "text": {"format": {"type": "json_schema", "name": "a", "schema": {}, "strict": True}, "verbosity": "low"},
            "reasoning": {"effort": "high", "summary": "auto"},
            "max_output_tokens": 9,
            "temperature": 0,
            "metadata": {"a": "b"},
            "store": True,
            "include": ["reasoning.encrypted_content"],
            "parallel_tool_calls": False,
            "seed": 7,
            "stream": True,
        }
    ) == {
        "messages": [
            {"role": "system", "content": "Be short."},
            {"role": "system", "content": "Be kind."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Look:"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO", "detail": "low"}},
                    {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE"}},
                ],
            },
            {
                "role": "assistant",
                "content": "I ask.",
                "reasoning_content": "A cat.",
                "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}},
                    {"id": "c2", "type": "function", "function": {"name": "weather", "arguments": "no JSON"}},
                ],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "rain"},
            {"role": "tool", "tool_call_id": "c2", "content": "sun"},
            {"role": "user", "content": "Well?"},
        ],
        "tools": [
            {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}, "strict": True}}
        ],
        "tool_choice": {"type": "function", "function": {"name": "weather"}},
        "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {}, "strict": True}},
        "verbosity": "low",
        "reasoning_effort": "high",
        "max_tokens": 9,
        "temperature": 0,
        "parallel_tool_calls": False,
        "seed": 7,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


@pytest.mark.parametrize(
    "request_, code",
    [
        ({"tools": [{"type": "web_search"}]}, "unsupported_feature"),
        ({"tools": [7]}, "invalid_request_error"),
        ({"tools": [{"type": "function"}]}, "invalid_request_error"),
        ({"tools": [TOOL], "tool_choice": {"type": "allowed_tools"}}, "unsupported_feature"),
        ({"text": {"format": {"type": "grammar"}}}, "unsupported_feature"),
        ({"top_logprobs": 2}, "unsupported_feature"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "unsupported_feature"),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]}, "unsupported_feature"),
        ({"input": None}, "invalid_request_error"),
        ({"input": []}, "invalid_request_error"),
        ({"input": [7]}, "invalid_request_error"),
        ({"input": [{"role": "nobody", "content": "x"}]}, "invalid_request_error"),
        ({"input": [{"role": "user", "content": [7]}]}, "invalid_request_error"),
        ({"input": [{"type": "function_call", "name": "w"}]}, "invalid_request_error"),
        ({"max_output_tokens": 0}, "invalid_request_error"),
    ],
)
def test_what_cannot_be_said_is_refused(request_, code):
    with pytest.raises(Fault) as caught:
        to_chat({"model": "tiny", "input": "hello"} | request_)
    assert (caught.value.status, caught.value.code) == (400, code)


# What is answered


def test_an_answer_is_told_as_a_response_and_counted(respond, serve, calls):
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city":'}}
    message = {"content": "I ask.", "reasoning_content": "Hm.", "tool_calls": [call]}
    server = serve(completion(choices=[{"message": message, "finish_reason": "tool_calls"}], usage=USAGE))
    response = respond(tools=[TOOL], instructions="Be short.", metadata={"a": "b"})
    assert response.status_code == 200, response.text
    found = response.json
    assert body_of(server.requests[0])["messages"][-1] == {"role": "user", "content": "hello"}
    assert found["id"].startswith("resp_chat_")
    assert (found["object"], found["status"], found["model"], found["error"]) == ("response", "completed", "tiny", None)
    assert (found["instructions"], found["metadata"], found["tools"]) == ("Be short.", {"a": "b"}, [TOOL])
    assert found["usage"] == TOLD_USAGE
    assert [(item["type"], item["status"]) for item in found["output"]] == [
        ("reasoning", "completed"),
        ("message", "completed"),
        ("function_call", "completed"),
    ]
    assert found["output"][0]["content"] == [{"type": "reasoning_text", "text": "Hm."}]
    assert found["output"][1]["content"][0]["text"] == "I ask."
    # What a model calls a tool with may be no JSON; it is told as it came.
    assert (found["output"][2]["call_id"], found["output"][2]["arguments"]) == ("c1", '{"city":')
    [counted] = calls()
    assert (counted.route, counted.prompt_tokens, counted.cached_tokens, counted.finish_reason) == (
        "responses",
        11,
        8,
        "tool_calls",
    )


@pytest.mark.parametrize(
    "finish, status, reason",
    [("length", "incomplete", "max_output_tokens"), ("content_filter", "incomplete", "content_filter")],
)
def test_answers_that_are_cut_are_incomplete(respond, serve, finish, status, reason):
    serve(completion(choices=[{"message": {"content": "half"}, "finish_reason": finish}]))
    found = respond().json
    assert (found["status"], found["incomplete_details"], found["output"][0]["status"]) == (
        status,
        {"reason": reason},
        status,
    )
    serve(stream(delta("half"), delta(finish=finish), last()), "streamed")
    final = events_of(respond(model="streamed", stream=True))[-1]
    assert (final["type"], final["response"]["incomplete_details"]) == (f"response.{status}", {"reason": reason})


def test_a_stream_is_told_in_the_events_of_a_response(respond, serve, calls):
    serve(stream(*STREAM[:-1], last(USAGE)))
    events = events_of(respond(stream=True, tools=[TOOL]))
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    names = [event["type"].removeprefix("response.") for event in events]
    reasoning = ["reasoning_text.delta", "reasoning_text.delta", "reasoning_text.done"]
    words = ["output_text.delta", "output_text.delta", "output_text.done"]
    assert names == [
        "created",
        "in_progress",
        *["output_item.added", "content_part.added", *reasoning, "content_part.done", "output_item.done"],
        *["output_item.added", "content_part.added", *words, "content_part.done", "output_item.done"],
        *["output_item.added", *["function_call_arguments.delta"] * 2, "function_call_arguments.done"],
        "output_item.done",
        *["output_item.added", "function_call_arguments.delta", "function_call_arguments.done", "output_item.done"],
        "completed",
    ]
    final = events[-1]["response"]
    assert final["usage"] == TOLD_USAGE
    done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert final["output"] == done
    assert done[1]["content"][0]["text"] == "four wörds"
    assert [(one["call_id"], one["arguments"]) for one in done[2:]] == [("c1", '{"city":"Köln"}'), ("c2", "{}")]
    # Each event of an item names it and its place.
    ids = {item["id"]: place for place, item in enumerate(final["output"])}
    assert all(ids[event["item_id"]] == event["output_index"] for event in events if "item_id" in event)
    assert {event["response"]["id"] for event in events if "response" in event} == {final["id"]}
    [call] = calls()
    assert (call.status, call.prompt_tokens, call.completion_tokens) == (200, 11, 4)


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/messages"])
def test_events_are_the_same_however_the_network_cuts_the_upstreams(ask, serve, path):
    made = []

    def talk(connection, request):
        size = json.loads(body_of(request)["user"])
        body = stream(*STREAM, size=abs(size))
        # Some servers end lines in the other way.
        connection.sendall(body if size > 0 else body.replace(b"}\n\n", b"}\r\n\r\n"))

    serve(talk)
    for size in (1, 2, 3, 5, 64, 100_000):
        marks = {"user": str(size), "metadata": {"user_id": str(size)}}
        headers = {"anthropic-version": "2023-06-01"}
        response = ask(path=path, headers=headers, input="hello", max_tokens=9, stream=True, **marks)
        text = re.sub(r"(_)[0-9a-f]{24,}|(_at\":)\d+|\"user(_id)?\":\"\d+\"", r"\1\2", response.text)
        # Comments keep the connection, wherever they come.
        made.append(text)
    assert len(set(made)) == 1
    assert "wörds" in made[0]


@pytest.mark.parametrize(
    "chunks, ends",
    [
        ([delta("half")], False),
        ([delta("half"), b"data: {broken"], True),
        ([delta("half"), {"error": {"message": "secret"}}], True),
        ([delta("half"), tool_delta(0, "{}")], True),
        ([], True),
    ],
)
def test_a_stream_that_breaks_ends_as_failed(respond, serve, calls, chunks, ends):
    serve(stream(*chunks, ends=ends))
    events = events_of(respond(stream=True))
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert events[0]["type"] == "response.created"
    failed = events[-1]
    assert (failed["type"], failed["response"]["status"]) == ("response.failed", "failed")
    assert failed["response"]["error"]["code"] == "server_error"
    assert "secret" not in json.dumps(failed)
    assert [(call.status, call.usage_source) for call in calls()] == [(502, "estimate")]


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/messages"])
def test_a_client_that_hangs_up_ends_the_upstreams_work_and_pays_for_what_came(gateway, make_key, serve, calls, path):
    def talk(connection, _request):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        connection.sendall(b"data: " + json.dumps(delta("word")).encode() + b"\n\n")
        while connection.recv(100):
            pass
        return False

    server = serve(talk)
    asked = {"model": "tiny", "stream": True, "input": "hello", "max_tokens": 9}
    headers = {"Authorization": f"Bearer {make_key()}", "anthropic-version": "2023-06-01"}
    body = asked | {"messages": [{"role": "user", "content": "hello"}]}
    response = Client(gateway).post(path, json=body, headers=headers, buffered=False)
    assert b"word" in next(response.iter_encoded())
    response.close()
    assert server.is_cut.wait(60)
    [call] = calls()
    assert (call.status, call.error_code, call.usage_source) == (499, "client_disconnected", "estimate")
    assert call.completion_tokens == 1


def test_an_upstream_of_anthropics_protocol_answers_as_well(respond, serve):
    message = {"id": "m", "type": "message", "content": [{"type": "text", "text": "yes"}], "stop_reason": "end_turn"}
    server = serve(answer_of(message | {"usage": {"input_tokens": 3, "output_tokens": 1}}), protocol="anthropic")
    found = respond(max_output_tokens=5).json
    assert found["output"][0]["content"][0]["text"] == "yes"
    assert found["usage"]["total_tokens"] == 4
    assert body_of(server.requests[0])["max_tokens"] == 5


# Upstreams that speak it themselves


def native(id="resp_up", **more):
    output = [{"type": "web_search_call", "id": "ws"}, {"type": "message", "content": [{"text": "four words"}]}]
    usage = {"input_tokens": 11, "input_tokens_details": {"cached_tokens": 8}, "output_tokens": 4}
    found = {"id": id, "object": "response", "status": "completed", "model": "up", "output": output, "usage": usage}
    return found | more


@pytest.fixture
def upstream(serve):
    """One that keeps what it answers, and tells it again."""

    def talk(connection, request):
        method, path, _ = request.split(b" ", 2)
        if method == b"POST":
            previous = body_of(request).get("previous_response_id")
            connection.sendall(answer_of(native(previous_response_id=previous)))
        elif path == b"/v1/responses/resp_up":
            said = native(previous_response_id="resp_0") if method == b"GET" else {"id": "resp_up", "deleted": True}
            connection.sendall(answer_of(said))
        else:
            connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    return serve(talk, responses="native")


def test_an_upstream_that_keeps_responses_is_asked_as_the_client_asks(
    respond, upstream, gateway, make_key, make_user, calls
):
    search = {"type": "web_search"}
    first = respond(tools=[search], odd=1.5).json
    assert first | {"id": ""} == native("", model="tiny", previous_response_id=None)
    sent = body_of(upstream.requests[0])
    assert (sent["model"], sent["tools"], sent["odd"]) == ("tiny-v1", [search], 1.5)
    assert upstream.requests[0].startswith(b"POST /v1/responses ")
    id = first["id"]
    assert "up" not in id.removeprefix("resp_")[:4]
    second = respond(previous_response_id=id).json
    assert second["previous_response_id"] == id
    assert body_of(upstream.requests[1])["previous_response_id"] == "resp_up"
    assert [(call.prompt_tokens, call.cached_tokens, call.completion_tokens) for call in calls()] == [(11, 8, 4)] * 2
    client = Client(gateway)
    own = {"Authorization": f"Bearer {make_key('own again')}"}
    shown = client.get(f"/v1/responses/{id}", headers=own).json
    assert (shown["id"], shown["model"], shown["output"]) == (id, "tiny", first["output"])
    assert shown["previous_response_id"].startswith("resp_gAAA")
    deleted = client.delete(f"/v1/responses/{id}", headers=own)
    assert deleted.json == {"id": id, "object": "response.deleted", "deleted": True}
    # Of somebody else's, altered, or made up, nothing is told.
    other = {"Authorization": f"Bearer {make_key('bob', user=make_user('bob'))}"}
    for headers, asked in ((other, id), (own, f"{id[:-2]}AA"), (own, "resp_up"), (own, "resp_chat_1"), (own, "é")):
        assert error_of(client.get(f"/v1/responses/{asked}", headers=headers)) == (404, "response_not_found")
        assert error_of(client.delete(f"/v1/responses/{asked}", headers=headers)) == (404, "response_not_found")
    assert client.get(f"/v1/responses/{id}").status_code == 401
    assert client.post(f"/v1/responses/{id}", headers=own).status_code == 405
    assert client.get(f"/v1/responses/{id}/input_items", headers=own).status_code == 404


def test_what_follows_on_a_response_goes_where_that_one_is_kept(respond, upstream, serve, make_key, make_user, ask):
    serve(completion(), "adapted")
    id = respond().json["id"]
    adapted = respond(model="adapted").json["id"]
    bob = make_key("bob", user=make_user("bob"))
    refused = [
        (respond(model="adapted", previous_response_id=adapted), "unsupported_feature"),
        (respond(model="adapted", previous_response_id=id), "previous_response_not_found"),
        (respond(previous_response_id="resp_up"), "previous_response_not_found"),
        (respond(previous_response_id=7), "previous_response_not_found"),
        (ask(bob, path="/v1/responses", input="x", previous_response_id=id), "previous_response_not_found"),
        (respond(background=True), "unsupported_feature"),
        (respond(conversation="conv_1"), "unsupported_feature"),
    ]
    assert [error_of(response) for response, _ in refused] == [(400, code) for _, code in refused]


def test_what_a_key_calls_otherwise_and_may_not_call(respond, upstream, gateway, make_key):
    called = {"key": make_key("alias", rules=KeyRules(aliases={"gpt": "tiny"})), "model": "gpt"}
    first = respond(**called).json
    assert first["model"] == "tiny"
    assert respond(**called, previous_response_id=first["id"]).json["previous_response_id"] == first["id"]
    own = {"Authorization": f"Bearer {make_key('chats', rules=KeyRules(routes=('chat/*',)))}"}
    client = Client(gateway)
    assert error_of(client.get(f"/v1/responses/{first['id']}", headers=own)) == (403, "insufficient_permissions")
    counting = client.post("/v1/messages/count_tokens", json={}, headers=own)
    assert (counting.status_code, counting.json["error"]["type"]) == (403, "permission_error")


def test_deep_nesting_is_borne(gateway, make_key, serve):
    serve(completion())
    client, own = Client(gateway), {"Authorization": f"Bearer {make_key()}"}
    answered = set()
    for depth in (300, *range(900, 1000, 9), 5000):
        deep = b'{"a":' * depth + b"1" + b"}" * depth
        tool = b'{"type":"function","name":"w","parameters":%s}' % deep
        body = b'{"model":"tiny","input":"hello","metadata":%s,"tools":[%s]}' % (deep, tool)
        answered.add((depth, client.post("/v1/responses", data=body, headers=own).status_code))
    assert {(300, 200), (5000, 400)} < answered
    assert {status for _, status in answered} == {200, 400}


def test_what_follows_on_a_response_that_its_keeper_no_longer_serves(respond, upstream, hub, make_key):
    id = respond().json["id"]
    with unit_of_work(hub) as work:
        work.session.execute(update(Upstream).values(responses="chat_adapter"))
    # Another process, which has not seen the model as it was.
    body = {"model": "tiny", "input": "hello", "previous_response_id": id}
    headers = {"Authorization": f"Bearer {make_key('own again')}"}
    response = Client(create_gateway(hub)).post("/v1/responses", json=body, headers=headers)
    assert error_of(response) == (400, "response_route_unavailable")


NATIVE_STREAM = [
    {"type": "response.created", "sequence_number": 0, "response": native(status="in_progress", usage=None)},
    {"type": "response.web_search_call.searching", "sequence_number": 1, "item_id": "ws"},
    {"type": "response.output_text.delta", "sequence_number": 2, "delta": "four words"},
    {"type": "response.completed", "sequence_number": 3, "response": native()},
]


def native_stream(*events):
    return stream(*(f"event: {one['type']}\ndata: {json.dumps(one)}".encode() for one in events), ends=False)


def test_its_stream_is_passed_on_event_by_event(respond, serve, calls):
    serve(native_stream(*NATIVE_STREAM), responses="native")
    events = events_of(respond(stream=True))
    assert events[1:3] == NATIVE_STREAM[1:3]
    assert events[0]["response"]["id"] == events[3]["response"]["id"] != "resp_up"
    assert {event["response"]["model"] for event in (events[0], events[3])} == {"tiny"}
    [call] = calls()
    assert (call.status, call.prompt_tokens, call.cached_tokens, call.finish_reason) == (200, 11, 8, "completed")


def test_its_stream_that_breaks_ends_as_failed(respond, serve, calls):
    serve(native_stream(*NATIVE_STREAM[:3]), responses="native")
    failed = events_of(respond(stream=True))[-1]
    assert (failed["type"], failed["sequence_number"], failed["response"]["status"]) == ("response.failed", 3, "failed")
    assert [(call.status, call.usage_source, call.completion_tokens) for call in calls()] == [(502, "estimate", 3)]


def test_an_upstream_that_is_not_to_be_asked_is_not(respond, serve):
    server = serve(completion(), responses="disabled")
    assert error_of(respond()) == (400, "unsupported_feature")
    assert server.requests == []
