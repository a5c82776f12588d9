"""A gateway in the test's process, between a test's client and an upstream that says what the test wants."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from sqlalchemy import select
from werkzeug.test import Client

from hub.accounts.models import User
from hub.accounts.policy import SYSTEM
from hub.base.context import Context
from hub.base.outgoing import CHANNELS
from hub.base.settings import SectionValues
from hub.db.uow import reading, unit_of_work
from plugins.inference.catalogue import ModelForm, UpstreamForm, create_model
from plugins.inference.gateway.app import Gateway, create_gateway
from plugins.inference.keys import Limits, create_key
from plugins.inference.limits import KeyRules
from plugins.inference.metrics import Recorder
from plugins.inference.models import Call
from tests.support.plugins import start_host
from tests.support.wire import WireServer, answer, serving

USAGE = {"prompt_tokens": 11, "completion_tokens": 4, "total_tokens": 15}


def completion(text: str = "four words are here", **more: Any) -> bytes:
    """A whole answer of a chat, as an upstream sends it."""
    message = {"role": "assistant", "content": text}
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "tiny-v1",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": USAGE,
    }
    return answer(json.dumps(body | more).encode(), headers="Content-Type: application/json\r\n")


def stream(*chunks: Mapping[str, Any] | bytes, ends: bool = True, size: int = 0) -> bytes:
    """A stream of a chat: chunks as objects, or as the bytes of an event. size: of the pieces that it comes in."""
    events = [chunk if isinstance(chunk, bytes) else b"data: " + json.dumps(chunk).encode() for chunk in chunks]
    body = b"".join(event + b"\n\n" for event in [*events, *([b"data: [DONE]"] if ends else [])])
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    # In pieces that end where no event does.
    size = size or (7 if len(body) < 10_000 else 65_536)
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return head + b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def delta(text: str = "", *, finish: str | None = None, **more: Any) -> dict[str, Any]:
    """One chunk of a stream."""
    choice = {"index": 0, "delta": {"content": text} if text else {}, "finish_reason": finish}
    return {"id": "c", "object": "chat.completion.chunk", "model": "tiny-v1", "choices": [choice]} | more


def last(usage: Mapping[str, Any] = USAGE) -> dict[str, Any]:
    """The chunk with the usage, which has no choices."""
    return {"id": "c", "object": "chat.completion.chunk", "model": "tiny-v1", "choices": [], "usage": dict(usage)}


def body_of(request: bytes) -> dict[str, Any]:
    """What an upstream was sent."""
    found: dict[str, Any] = json.loads(request.partition(b"\r\n\r\n")[2])
    return found


@pytest.fixture
def gateway_settings() -> Mapping[str, Any]:
    """The plugin's own settings; a test says others by ``@pytest.mark.parametrize("gateway_settings", [{...}])``."""
    return {}


@pytest.fixture
def hub(
    context: Context, redis_url: str, gateway_settings: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Context]:
    """A hub with the plugin, and Redis. Figures are told when a test says so: the next one has a Redis."""
    monkeypatch.setattr(Recorder, "_wake", lambda _recorder: None)
    # What this process has told the administrators of another test's hub.
    monkeypatch.setattr("plugins.inference.alerts._told", set())
    context.settings = dataclasses.replace(context.settings, redis_url=redis_url)
    start_host(context, SectionValues({"inference": gateway_settings}), plugins="inference")
    yield context
    context[CHANNELS].close()


@pytest.fixture
def gateway(hub: Context) -> Gateway:
    """The gateway."""
    return create_gateway(hub)


@pytest.fixture
def serve(hub: Context) -> Iterator[Callable[..., WireServer]]:
    """``serve(answer_bytes_or_function, name="tiny", **form)``: a model of one upstream that says this."""
    open_servers = []

    def start(say: Any, name: str = "tiny", *, provider: str = "acme", **form: Any) -> WireServer:
        def talk(connection: Any, request: bytes) -> bool | None:
            if callable(say):
                found: bool | None = say(connection, request)
                return found
            connection.sendall(say)
            return None

        context = serving(talk)
        server = context.__enter__()
        open_servers.append(context)
        headers = {"Authorization": "Bearer provider-secret"}
        spoken = {each: form.pop(each) for each in ("protocol", "responses") if each in form}
        url = server.url("/v1" if spoken else "/v1/chat/completions")
        upstream = UpstreamForm(url, "tiny-v1", provider, headers=headers, **spoken)
        with unit_of_work(hub) as work:
            create_model(work, actor=SYSTEM, form=ModelForm(name, [upstream], **form))
        return server

    yield start
    for one in open_servers:
        one.__exit__(None, None, None)


@pytest.fixture
def ada(make_user: Callable[..., User]) -> User:
    """Whose keys these are."""
    return make_user("ada")


@pytest.fixture
def make_key(hub: Context, ada: User) -> Callable[..., str]:
    """``make_key(requests=2, rules=KeyRules())``: the value of a key of Ada's with these limits."""

    def make(name: str = "test", *, user: User = ada, rules: KeyRules | None = None, **limits: Any) -> str:
        with unit_of_work(hub) as work:
            namespace = work.session.merge(user).namespace
            found = Limits(**limits)
            return create_key(work, actor=SYSTEM, namespace=namespace, name=name, limits=found, rules=rules)[1]

    return make


@pytest.fixture
def ask(gateway: Gateway, make_key: Callable[..., str]) -> Callable[..., Any]:
    """``ask(model="tiny", stream=True)``: the answer to a chat; with a key of Ada's unless one is given."""
    client = Client(gateway)
    own: list[str] = []

    def post(key: str = "", *, path: str = "/v1/chat/completions", headers: Any = None, **body: Any) -> Any:
        if not key:
            own or own.append(make_key("own"))
            key = own[0]
        asked = {"model": "tiny", "messages": [{"role": "user", "content": "Say four words."}]} | body
        return client.post(path, json=asked, headers={"Authorization": f"Bearer {key}", **(headers or {})})

    return post


@pytest.fixture
def calls(hub: Context) -> Callable[[], list[Call]]:
    """``calls()``: the rows of the calls that have ended, the first one first."""

    def read() -> list[Call]:
        with reading(hub) as work:
            return list(work.session.scalars(select(Call).order_by(Call.id)))

    return read
