"""Answers that go on: what is told, signs of life, and that nothing is left when the listener goes."""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Response
from flask.testing import FlaskClient

from hub.accounts.policy import SYSTEM
from hub.base.context import Context
from hub.base.errors import NotFound
from hub.compute.machines import MACHINES
from hub.compute.models import Workload
from hub.compute.service.polling import read_logs, see_workload
from hub.compute.service.starting import start_workload
from hub.compute.service.workloads import create_workload, stop_workload
from hub.db.uow import unit_of_work
from hub.http.sse import Event, stream_events, stream_logs, stream_status
from tests.hub.compute.programs import endless_job, serving
from tests.support.jobs import run_now

pytestmark = [pytest.mark.any_database, pytest.mark.settings(compute="fake")]


def test_no_text_makes_an_event_of_its_own() -> None:
    event = Event("a\nb\r\nc\rd\n\nevent: evil\ndata: x", "log\ndata: no", id="1\r\n2")
    lines = event.encode().decode().split("\n")
    assert lines[-2:] == ["", ""]
    assert lines[:2] == ["id: 1  2", "event: log data: no"]
    assert all(line.startswith("data: ") for line in lines[2:-2])
    assert Event({"a": "ü\n"}).encode() == b'data: {"a": "\\u00fc\\n"}\n\n'
    assert Event("\ud800").encode() == b"data: ?\n\n"


def test_signs_of_life_the_end_and_a_failure() -> None:
    closed: list[str] = []

    def tell() -> Iterator[Event | None]:
        try:
            yield None
            yield Event("one")
            yield None
            raise NotFound("It is gone.", code="workload_not_found")
        finally:
            closed.append("closed")

    body = stream_events(tell(), keep_alive_s=0).get_data(as_text=True)
    assert body.split("\n\n") == [
        *("retry: 3000", ": keep-alive", "data: one", ": keep-alive"),
        *('event: error\ndata: {"code": "workload_not_found", "message": "It is gone."}', ""),
    ]
    assert closed == ["closed"]


@pytest.fixture
def workload(context: Context, make_user: Any) -> Iterator[Workload]:
    """A service that runs."""
    ada = make_user()
    with unit_of_work(context) as work:
        made = create_workload(work, actor=SYSTEM, namespace=ada.namespace, purpose="tests", spec=serving())
    start_workload(context, actor=SYSTEM, workload_id=made.id)
    run_now(context, "compute.start", workload_id=made.id, task=1)
    yield made
    context[MACHINES].driver.close()


def _events(answer: Response) -> Iterator[tuple[str, str]]:
    for chunk in answer.response:
        text = chunk.decode() if isinstance(chunk, bytes) else chunk
        fields = dict(line.split(": ", 1) for line in text.strip().split("\n"))
        yield fields.get("event", ""), fields.get("data", "")


def test_a_status_is_told_at_once_and_when_it_changes(
    client: FlaskClient, context: Context, workload: Workload
) -> None:
    client.application.add_url_rule(
        "/api/v1/test-status", view_func=lambda: stream_status(context, workload_id=workload.id), endpoint="sse_status"
    )
    answer = client.get("/api/v1/test-status", buffered=False)
    assert (answer.mimetype, answer.headers["Cache-Control"]) == ("text/event-stream", "no-store")
    events = _events(answer)
    assert next(events) == ("", "")
    name, data = next(events)
    told = json.loads(data)
    assert (name, told["status"], told["details"][0]["status"]) == ("status", "Running", "Running")
    with unit_of_work(context) as work:
        stop_workload(work, actor=SYSTEM, workload_id=workload.id)
    assert json.loads(next(events)[1])["status"] == "Stopped"
    answer.close()
    with pytest.raises(StopIteration):
        next(events)


def test_however_many_listen_the_driver_is_asked_once(
    context: Context, workload: Workload, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.compute.service.polling.FRESH_S", 3600.0)
    driver, asked = context[MACHINES].driver, []
    ask = driver.statuses
    monkeypatch.setattr(driver, "statuses", lambda names: asked.append(names) or ask(names))
    look = functools.partial(see_workload, context, workload_id=workload.id)
    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(asked) == 1


def test_lines_come_as_they_are_printed_and_the_reader_ends_with_the_listener(
    context: Context, workload: Workload
) -> None:
    with unit_of_work(context) as work:
        spec = endless_job(svc_name="hum")
        made = create_workload(work, actor=SYSTEM, namespace=workload.namespace, purpose="tests", spec=spec)
    start_workload(context, actor=SYSTEM, workload_id=made.id)
    run_now(context, "compute.start", workload_id=made.id, task=1)
    lines = read_logs(context, actor=SYSTEM, workload_id=made.id, follow=True)
    answer = stream_logs(lines)
    events = _events(answer)
    assert [next(events) for _ in range(3)][1:] == [("Container", "start 1 of hum"), ("Container", "working")]
    answer.close()
    assert next(lines, "closed") == "closed"
