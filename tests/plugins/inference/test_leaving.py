"""Clients that hang up before their answer is there: who charges in any case is heard to the end, engines are cut."""

import json
import socket
import threading
from contextlib import contextmanager, suppress
from types import SimpleNamespace

import pytest
from sqlalchemy import select
from werkzeug.test import Client

from hub.accounts.policy import SYSTEM
from hub.db.uow import reading, unit_of_work
from hub.metering.models import UsageEvent
from plugins.inference.catalogue import ModelForm, UpstreamForm, create_model
from plugins.inference.gateway.draining import Drains, Watch
from plugins.inference.gateway.faults import ClientGone
from tests.support.processes import wait_until
from tests.support.wire import answer, serving

from .conftest import completion, delta, last, stream

pytestmark = [pytest.mark.any_database, pytest.mark.settings(outgoing_allowed_hosts="127.0.0.1")]


class Slow:
    """An upstream that has begun to work, and answers when it is let. is_cut: nobody waits for that any more."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.has_begun, self.may_answer, self.is_cut = threading.Event(), threading.Event(), threading.Event()

    def __call__(self, connection, _request):
        self.has_begun.set()
        connection.settimeout(0.02)
        while not self.may_answer.is_set():
            try:
                if not connection.recv(1):
                    self.is_cut.set()
                    return False
            except TimeoutError:
                continue
        connection.settimeout(None)
        connection.sendall(self.answers.pop(0))
        return None


@pytest.fixture
def leave(gateway, make_key):
    """``with leave(slow, path, **body)``: call, and hang up once the upstream works; it answers after the block."""
    key = make_key()

    @contextmanager
    def call(slow, path="/v1/chat/completions", **body):
        client, peer = socket.socketpair()
        asked = {"model": "tiny", "messages": [{"role": "user", "content": "Say four words."}]} | body

        def post():
            headers = {"Authorization": f"Bearer {key}"}
            environ = {"gunicorn.socket": client}
            Client(gateway).post(path, json=asked, headers=headers, environ_overrides=environ).close()

        thread = threading.Thread(target=post)
        with client, peer:
            thread.start()
            assert slow.has_begun.wait(60)
            peer.close()
            yield
            slow.may_answer.set()
            thread.join(60)
            assert not thread.is_alive()

    return call


def wait_until_seen(gateway):
    """The gateway has noticed that the client is gone, and lets the call go on."""
    drains = gateway.caller.drains
    wait_until(lambda: drains._count, what="the gateway to see that the client is gone")


def test_an_answer_of_who_charges_in_any_case_is_waited_for_and_booked(gateway, leave, serve, calls, hub):
    slow = Slow(completion())
    serve(slow)
    with leave(slow):
        wait_until_seen(gateway)
        assert calls() == []
    [call] = calls()
    assert (call.status, call.error_code, call.usage_source) == (499, "client_disconnected", "upstream")
    assert (call.prompt_tokens, call.completion_tokens) == (11, 4)
    with reading(hub) as work:
        assert work.session.scalars(select(UsageEvent)).one().details["disconnected"] == "true"
    # Its place among those that are read to their end is free again.
    assert gateway.caller.drains._count == 0


def test_pictures_are_paid_for_although_nobody_waits_for_them(gateway, leave, serve, calls):
    slow = Slow(answer(json.dumps({"data": [{"b64_json": "eA=="}] * 2}).encode()))
    serve(slow)
    with leave(slow, "/v1/images/generations", prompt="a cat", n=2):
        wait_until_seen(gateway)
    [call] = calls()
    assert (call.status, call.quantity, call.usage_source) == (499, 2, "upstream")


def test_an_engine_is_cut_off_and_nothing_is_booked(leave, serve, calls, hub):
    slow = Slow()
    serve(slow, provider="vllm")
    with leave(slow):
        assert slow.is_cut.wait(60)
    [call] = calls()
    assert (call.status, call.usage_source, call.cost_nano) == (499, "", 0)
    with reading(hub) as work:
        assert work.session.scalars(select(UsageEvent)).all() == []


def test_of_too_many_at_once_the_rest_is_cut_off(leave, serve, calls, monkeypatch):
    monkeypatch.setattr("plugins.inference.gateway.draining.MAX_DRAINS", 0)
    slow = Slow()
    serve(slow)
    with leave(slow):
        assert slow.is_cut.wait(60)
    assert [(call.status, call.usage_source) for call in calls()] == [(499, "")]


def test_for_a_client_that_is_gone_no_other_upstream_is_asked(gateway, leave, serve, calls):
    slow = Slow(answer(b"", status="500 Oops"))
    serve(slow, fallbacks=["second"])
    other = serve(completion(), "second")
    with leave(slow):
        wait_until_seen(gateway)
    assert [(call.status, call.attempts) for call in calls()] == [(499, 1)]
    assert (other.requests, gateway.caller.drains._count) == ([], 0)


def test_a_stream_that_has_not_begun_is_read_to_its_end_as_well(gateway, leave, hub, calls):
    slow = Slow(stream(delta("four words"), delta(finish="stop"), last()))
    with serving(slow) as server:
        upstream = UpstreamForm(server.url("/v1"), "v1", "acme", drain_s=20)
        with unit_of_work(hub) as work:
            create_model(work, actor=SYSTEM, form=ModelForm("tiny", [upstream]))
        with leave(slow, stream=True):
            wait_until_seen(gateway)
        wait_until(calls, what="the stream to be read to its end")
    [call] = calls()
    assert (call.status, call.usage_source, call.completion_tokens) == (499, "upstream", 4)


@pytest.mark.parametrize("more, content_type", [({"stream_format": "sse"}, "text/event-stream"), ({}, "audio/mpeg")])
def test_a_listener_who_leaves_while_nothing_comes_is_no_failure(
    gateway, make_key, serve, calls, caplog, more, content_type
):
    is_cut = threading.Event()

    def talk(connection, _request):
        connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\n\r\n".encode() + b'data: {"a": 1}\n\n')
        while connection.recv(100):
            pass
        is_cut.set()
        return False

    serve(talk, provider="vllm")
    client, peer = socket.socketpair()
    with client, peer:
        asked = {"model": "tiny", "input": "Say it."} | more
        headers = {"Authorization": f"Bearer {make_key()}"}
        environ = {"gunicorn.socket": client}
        response = Client(gateway).post("/v1/audio/speech", json=asked, headers=headers, environ_overrides=environ)
        pieces = response.iter_encoded()
        assert b"data" in next(pieces)
        peer.close()
        with suppress(ConnectionResetError):
            assert list(pieces) == []
        response.close()
    assert is_cut.wait(5)
    [call] = calls()
    assert (call.status, call.error_code, call.quantity) == (499, "client_disconnected", 7)
    assert not [line for line in caplog.records if line.levelname == "ERROR"]


class _Call:
    """As much of a ledger as a watch needs."""

    is_finished = is_left = False

    def __init__(self):
        self.at_end = []


def test_nobody_is_heard_for_longer_than_was_said(monkeypatch):
    now = 100.0
    monkeypatch.setattr("plugins.inference.gateway.draining.time", SimpleNamespace(monotonic=lambda: now))

    def gone():
        raise ClientGone

    call, drains = _Call(), Drains()
    watch = Watch(gone, drains, call)
    with pytest.raises(ClientGone):
        watch()
    watch.drain_s = 30
    watch()
    assert call.is_left
    now = 129.0
    watch()
    now = 131.0
    with pytest.raises(ClientGone):
        watch()
    # Of one call it is one place, which is given back once.
    assert len(call.at_end) == 1
    with pytest.raises(ClientGone):
        watch.begin()


def test_what_came_before_a_stream_broke_is_told_as_a_part(ask, serve, hub):
    serve(stream(delta("word"), {"error": {"message": "out of memory"}}))
    ask(stream=True).get_data()
    with reading(hub) as work:
        [event] = work.session.scalars(select(UsageEvent))
        assert (event.details["status"], "disconnected" in event.details) == ("partial", False)
