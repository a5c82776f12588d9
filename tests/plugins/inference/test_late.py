"""Calls that end while the database is away: nothing of them is lost, and nothing counts twice."""

import json

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from hub.base.errors import Unavailable
from hub.db.uow import reading
from hub.metering.models import UsageEvent
from hub.metering.service import USAGE_WRITER
from plugins.inference.catalogue import Prices
from plugins.inference.gateway.app import create_gateway
from tests.support.processes import wait_until

from .conftest import completion, delta, last, stream

pytestmark = [pytest.mark.any_database, pytest.mark.settings(outgoing_allowed_hosts="127.0.0.1")]


@pytest.fixture
def away(hub, monkeypatch):
    """``away(error)``: the database takes no ends of calls; ``away()``: it does again."""
    writer = hub[USAGE_WRITER]
    write = writer.write

    def switch(error=None):
        def refuse(*_usages, **_beside):
            raise error

        monkeypatch.setattr(writer, "write", refuse if error is not None else write)

    monkeypatch.setattr("plugins.inference.gateway.late._PAUSE_S", 0.02)
    yield switch
    switch()


@pytest.fixture
def events(hub):
    def read():
        with reading(hub) as work:
            return list(work.session.scalars(select(UsageEvent)))

    return read


def kept(hub, kind="json"):
    return sorted((hub.settings.home / "inference" / "late").glob(f"*.{kind}"))


@pytest.mark.parametrize("error", [OperationalError("INSERT", {}, Exception("gone")), Unavailable("busy")])
def test_a_call_that_ends_while_the_database_is_away_is_written_when_it_is_back(
    ask, serve, calls, events, away, hub, error
):
    serve(completion(), prices=Prices(input=2))
    serve(stream(delta("four words"), delta(finish="stop"), last()), "streams")
    away(error)
    assert ask().status_code == 200
    assert ask(model="streams", stream=True).get_data().endswith(b"data: [DONE]\n\n")
    assert len(kept(hub)) == 2
    assert (calls(), events()) == ([], [])
    away()
    wait_until(lambda: not kept(hub), what="what is kept to be written")
    assert {(call.model, call.status, call.prompt_tokens, call.cost_nano) for call in calls()} == {
        ("tiny", 200, 11, 22),
        ("streams", 200, 11, 0),
    }
    assert {event.uuid for event in events()} == {call.uuid for call in calls()}
    # It is booked to the moment of the call.
    assert {event.occurred_at for event in events()} == {call.started_at for call in calls()}


def test_what_a_process_leaves_behind_is_written_by_the_next_one_and_once(ask, serve, calls, events, away, hub):
    serve(completion())
    away(Unavailable("busy"))
    ask()
    [path] = kept(hub)
    text = path.read_bytes()
    away()
    wait_until(lambda: not kept(hub), what="what is kept to be written")
    # The process died after it was written, and before the file was removed.
    path.write_bytes(text)
    create_gateway(hub)
    wait_until(lambda: not kept(hub), what="the next process to write it")
    assert (len(calls()), len(events())) == (1, 1)


def test_what_will_never_be_taken_is_put_aside(serve, ask, calls, away, hub):
    serve(completion())
    away(Unavailable("busy"))
    ask()
    [path] = kept(hub)
    (path.parent / "0.json").write_bytes(b"no JSON")
    (path.parent / "1.json").write_bytes(json.dumps({"usages": [], "call": {}, "started_at": "2026-01-01"}).encode())
    away()
    wait_until(lambda: not kept(hub), what="what is kept to be written")
    assert [each.name for each in kept(hub, "refused")] == ["0.refused", "1.refused"]
    assert len(calls()) == 1
