"""Batches: what their lines must be, what is made of them, what is counted, and that a dead run's work goes on."""

import json
import threading
from datetime import timedelta
from uuid import UUID, uuid5

import pytest
from sqlalchemy import func, select, update

from hub.base.clock import FixedClock
from hub.base.outgoing import CHANNELS
from hub.db.uow import reading, unit_of_work
from hub.jobs.models import Job
from hub.jobs.run import execute
from hub.metering.models import UsageEvent
from plugins.inference.catalogue import Prices
from plugins.inference.files import batches, calling, lines, running
from plugins.inference.files.batches import sweep_batches
from plugins.inference.files.jobs import RUN_BATCH
from plugins.inference.files.models import Batch, BatchResult
from plugins.inference.models import ApiKey, Call
from tests.support.jobs import run_now

from .conftest import answer, completion
from .test_files import call, keep  # noqa: F401 - fixtures

pytestmark = [pytest.mark.settings(outgoing_allowed_hosts="127.0.0.1")]

CHAT = "/v1/chat/completions"


def _line(custom_id, content="hello", **more):
    body = {"model": "tiny", "messages": [{"role": "user", "content": content}], "max_tokens": 16}
    return {"custom_id": custom_id, "method": "POST", "url": CHAT, "body": body} | more


def _text(*wanted):
    return b"\n".join(one if isinstance(one, bytes) else json.dumps(one).encode() for one in wanted) + b"\n"


@pytest.fixture
def begin(call, keep):  # noqa: F811
    """``begin(line, line)``: a batch of these lines, as its maker is told of it."""

    def make(*wanted, **more):
        made = keep(_text(*wanted)).json
        asked = {"input_file_id": made["id"], "endpoint": CHAT, "completion_window": "24h"} | more
        return call("POST", "/v1/batches", json=asked)

    return make


@pytest.fixture
def work_on(hub, call):  # noqa: F811
    """``work_on(batch)``: let a worker have its turn; the batch as it is then."""

    def work(batch):
        with unit_of_work(hub) as due:
            id = due.session.scalar(select(Batch.id).where(Batch.uuid == str(UUID(batch["id"][6:]))))
            job = due.session.scalar(select(Job).where(Job.unique_key == f"{RUN_BATCH}:{id}", Job.state == "queued"))
            if job is not None:
                job.run_after = due.now()
        execute(hub, job.uuid) if job is not None else run_now(hub, RUN_BATCH, batch_id=id)
        return call("GET", f"/v1/batches/{batch['id']}").json

    return work


@pytest.fixture
def read_lines(call):  # noqa: F811
    """``read_lines(file_id)``: what a batch has written, by custom id."""

    def read(file_id):
        content = call("GET", f"/v1/files/{file_id}/content").data
        found = [json.loads(line) for line in content.splitlines()]
        return {one["custom_id"]: one for one in found}

    return read


def _answer_each(connection, request):
    """The upstream: it says what it was told, fails for "fail", refuses "bad"."""
    content = json.loads(request.partition(b"\r\n\r\n")[2])["messages"][0]["content"]
    if content == "fail":
        connection.sendall(answer(b"", status="500 Oops"))
    elif content == "bad":
        connection.sendall(answer(b'{"error": {"message": "too bad", "code": "bad"}}', status="400 Bad"))
    else:
        connection.sendall(completion(f"You said {content}."))


def test_a_batch_runs_to_its_end(begin, work_on, read_lines, call, serve, hub, calls):  # noqa: F811
    server = serve(_answer_each, prices=Prices(input=100, output=1000))
    made = begin(*(_line(f"line {number}", f"word {number}") for number in range(12)), _line("13", "bad"),
                 metadata={"for": "ada"}).json  # fmt: skip
    assert (made["status"], made["object"], made["metadata"]) == ("validating", "batch", {"for": "ada"})
    assert made["expires_at"] - made["created_at"] == 24 * 3600
    done = work_on(made)
    assert (done["status"], done["model"], done["errors"]) == ("completed", "tiny", None)
    assert done["request_counts"] == {"total": 13, "completed": 12, "failed": 1}
    assert all(done[name] for name in ("in_progress_at", "finalizing_at", "completed_at"))
    found = read_lines(done["output_file_id"])
    assert [*found] == [f"line {number}" for number in range(12)]
    one = found["line 7"]
    assert (one["error"], one["response"]["status_code"]) == (None, 200)
    assert one["response"]["body"]["choices"][0]["message"]["content"] == "You said word 7."
    assert one["response"]["body"]["model"] == "tiny"
    [wrong] = read_lines(done["error_file_id"]).values()
    assert (wrong["custom_id"], wrong["response"]["status_code"]) == ("13", 400)
    assert wrong["response"]["body"]["error"]["message"] == "too bad"
    assert len(server.requests) == 13
    with reading(hub) as work:
        events = {event.uuid: event for event in work.session.scalars(select(UsageEvent))}
        assert work.session.scalar(select(func.count()).select_from(BatchResult)) == 0
    batch_uuid = UUID(made["id"].removeprefix("batch_"))
    assert set(events) == {str(uuid5(batch_uuid, f"line {number}")) for number in range(12)}
    # Half of what they cost otherwise.
    assert {call.cost_nano for call in calls() if call.status == 200} == {(11 * 100 + 4 * 1000) // 2}
    shown = call("GET", f"/v1/files/{done['output_file_id']}").json
    assert (shown["purpose"], shown["filename"]) == ("batch_output", f"{made['id']}_output.jsonl")
    assert work_on(made) == done


def _judge(text, limit_bytes=200_000):
    return lines.judge(lines.split_lines(text, limit_bytes=limit_bytes), endpoint=CHAT, limit_bytes=limit_bytes)


@pytest.mark.parametrize(
    "wanted, code, number",
    [
        ([b"{", _line("2")], "invalid_json_line", 1),
        ([_line("1"), b'{"custom_id": "2"}'], "invalid_json_line", 2),
        ([_line("1"), b"[" * 100_000], "invalid_json_line", 2),
        ([_line("1"), b'"\xff"'], "invalid_json_line", 2),
        ([_line("1"), _line("1")], "duplicate_custom_id", 2),
        ([_line("")], "invalid_json_line", 1),
        ([_line("x" * 513)], "invalid_json_line", 1),
        ([_line("1"), _line("2", url="/v1/embeddings")], "mismatched_url", 2),
        ([_line("1", method="GET")], "invalid_method", 1),
        ([_line("1", body={"messages": []})], "missing_model", 1),
        ([_line("1"), _line("2", body={"model": "other"})], "mismatched_model", 2),
        ([_line("1", body={"model": "tiny", "stream": True})], "invalid_request", 1),
        ([b"  "], "empty_file", None),
    ],
)
def test_lines_that_are_none_are_told(wanted, code, number):
    [error] = _judge([_text(*wanted)]).errors
    assert (error["code"], error["line"]) == (code, number)


@pytest.mark.any_database
def test_lines_that_are_none_fail_the_batch(begin, work_on, serve):
    server = serve(_answer_each)
    for wanted, code in (
        ([_line("1"), b"{"], "invalid_json_line"),
        ([_line("1", body={"model": "x"})], "model_not_found"),
    ):
        done = work_on(begin(*wanted).json)
        assert (done["status"], bool(done["failed_at"]), done["output_file_id"]) == ("failed", True, None)
        assert [error["code"] for error in done["errors"]["data"]] == [code]
    assert not server.requests


def test_a_batch_has_so_many_lines_and_each_so_many_bytes():
    made = (_text(_line(str(number), "")) for number in range(50_001))
    verdict = _judge(made)
    assert [error["code"] for error in verdict.errors] == ["too_many_lines"]
    assert _judge(_text(_line(str(number), "")) for number in range(50_000)).errors == []
    # However long a line is, no more of it is kept than one may have.
    endless = (b"x" * 65_536 for _ in range(1000))
    assert [error["code"] for error in _judge(endless, 200).errors] == ["invalid_json_line"]


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_lines_are_the_same_however_they_are_cut_and_wherever_one_begins(size):
    text = b"one\n\n  \r\ntwo\nthree"
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    found = [*lines.split_lines(pieces, limit_bytes=100)]
    assert [(line.number, line.text) for line in found] == [(0, b"one"), (1, b"two"), (2, b"three")]
    for line in found:
        rest = lines.split_lines([text[line.end_byte :]], limit_bytes=100, number=line.number + 1, byte=line.end_byte)
        assert [*rest] == found[line.number + 1 :]


@pytest.mark.any_database
def test_odd_batches_are_refused_and_those_of_others_are_not_there(begin, keep, call, make_key, make_user):  # noqa: F811
    made = begin(_line("1")).json
    bob = make_key("bob", user=make_user("bob"))
    for method, path in (("GET", ""), ("POST", "/cancel")):
        found = call(method, f"/v1/batches/{made['id']}{path}", key=bob)
        assert (found.status_code, found.json["error"]["code"]) == (404, "batch_not_found")
    assert call("GET", "/v1/batches", key=bob).json["data"] == []
    asked = {"input_file_id": made["input_file_id"], "endpoint": CHAT, "completion_window": "24h"}
    assert call("POST", "/v1/batches", json=asked, key=bob).status_code == 404
    picture = keep(b"x", purpose="vision").json["id"]
    for odd in (
        {"endpoint": "/v1/files"},
        {"completion_window": "7d"},
        {"input_file_id": None},
        {"input_file_id": picture},
        {"metadata": {"a": 1}},
        {"metadata": {"a": "\0"}},
        {"metadata": ["a"]},
    ):
        assert call("POST", "/v1/batches", json=asked | odd).status_code == 400, odd
    for odd in ("batch_x", "x", "batch_" + "0" * 32, "a\0b"):
        assert call("GET", f"/v1/batches/{odd}").status_code == 404
    assert call("DELETE", f"/v1/files/{made['input_file_id']}").json["error"]["code"] == "file_in_use"
    second = call("POST", "/v1/batches", json=asked).json
    page = call("GET", "/v1/batches?limit=1").json
    assert ([one["id"] for one in page["data"]], page["has_more"]) == ([second["id"]], True)
    rest = call("GET", f"/v1/batches?after={page['last_id']}").json
    assert ([one["id"] for one in rest["data"]], rest["has_more"]) == ([made["id"]], False)


class _Killed(BaseException):
    """The process is gone."""


def test_a_run_that_is_killed_leaves_nothing_to_be_called_twice(
    begin, work_on, read_lines, serve, hub, monkeypatch, calls
):  # fmt: skip
    seen, taken = [], []
    may_die = threading.Event()

    def talk(connection, request):
        content = json.loads(request.partition(b"\r\n\r\n")[2])["messages"][0]["content"]
        seen.append(content)
        connection.sendall(completion(content))

    serve(talk)
    made = begin(*(_line(str(number), f"word {number}") for number in range(20))).json

    def die(self, line, outcome):
        # After some lines the run is gone without a word: it writes down neither its place nor the end of its lease.
        taken.append(line.number)
        if len(taken) == 10:
            may_die.set()
            raise _Killed
        take(self, line, outcome)

    take = running._Worker._take
    monkeypatch.setattr(running._Worker, "_take", die)
    change = batches.change
    monkeypatch.setattr(batches, "change", lambda *args, **values: not may_die.is_set() and change(*args, **values))
    with pytest.raises(_Killed):
        work_on(made)
    monkeypatch.undo()
    with reading(hub) as work:
        counted = set(work.session.scalars(select(UsageEvent.uuid)))
        results = work.session.scalar(select(func.count()).select_from(BatchResult))
    # Those that were taken, and eight at most that were under way.
    assert 10 <= results == len(counted) < 20
    # Its lease holds for a while, then the sweep finds it.
    assert work_on(made)["status"] == "in_progress"
    assert sweep_batches(hub) == 0
    hub.clock = FixedClock(hub.clock.now() + timedelta(seconds=61))
    assert sweep_batches(hub) == 1
    done = work_on(made)
    assert (done["status"], done["request_counts"]) == ("completed", {"total": 20, "completed": 20, "failed": 0})
    assert len(read_lines(done["output_file_id"])) == 20
    # No line that was counted was called again.
    assert sorted(seen) == sorted(f"word {number}" for number in range(20))
    with reading(hub) as work:
        assert work.session.scalar(select(func.count()).select_from(UsageEvent)) == 20


@pytest.mark.any_database
def test_a_batch_that_is_cancelled_keeps_what_is_done(
    begin, work_on, read_lines, call, serve, hub, monkeypatch  # noqa: F811
):  # fmt: skip
    # It looks whether it was cancelled long before a thousand lines are done.
    monkeypatch.setattr(running, "_LOOK_S", 0.01)
    made = {}

    def talk(connection, request):
        content = json.loads(request.partition(b"\r\n\r\n")[2])["messages"][0]["content"]
        if content == "cancel":
            told = call("POST", f"/v1/batches/{made['id']}/cancel").json
            assert told["status"] == "cancelling"
        connection.sendall(completion(content))

    serve(talk)
    words = ["first", "cancel", *["never"] * 1000]
    made.update(begin(*(_line(str(number), word) for number, word in enumerate(words))).json)
    done = work_on(made)
    assert (done["status"], bool(done["cancelled_at"]), done["finalizing_at"]) == ("cancelled", True, None)
    counts = done["request_counts"]
    assert counts["total"] == 1002
    assert 2 <= counts["completed"] < 1002
    assert len(read_lines(done["output_file_id"])) == counts["completed"]
    with reading(hub) as work:
        assert work.session.scalar(select(func.count()).select_from(UsageEvent)) == counts["completed"]
    assert call("POST", f"/v1/batches/{made['id']}/cancel").json["status"] == "cancelled"


@pytest.mark.any_database
def test_what_a_day_does_not_suffice_for_expires(begin, work_on, read_lines, call, serve, hub):  # noqa: F811
    server = serve(_answer_each)
    made = begin(_line("1")).json
    hub.clock = FixedClock(hub.clock.now() + timedelta(hours=25))
    done = work_on(made)
    assert (done["status"], bool(done["expired_at"]), done["output_file_id"]) == ("expired", True, None)
    refused = call("POST", f"/v1/batches/{made['id']}/cancel")
    assert (refused.status_code, refused.json["error"]["code"]) == (409, "batch_over")
    # Of one that was under way it is told which calls were not made.
    begun = begin(_line("1"), _line("2")).json
    with unit_of_work(hub) as work:
        row = work.session.scalars(select(Batch).order_by(Batch.id.desc())).first()
        row.status, row.total = "in_progress", 2
        work.session.add(BatchResult(batch_id=row.id, line=0, is_failed=False, body='{"custom_id": "1"}'))
    hub.clock = FixedClock(hub.clock.now() + timedelta(hours=25))
    done = work_on(begun)
    assert (done["status"], done["request_counts"]["completed"]) == ("expired", 1)
    [late] = read_lines(done["error_file_id"]).values()
    assert (late["custom_id"], late["response"], late["error"]["code"]) == ("2", None, "batch_expired")
    assert not server.requests


@pytest.mark.any_database
@pytest.mark.parametrize("gateway_settings", [{"batch_slice_s": 2, "batch_parallel": 1}])
def test_a_key_without_room_makes_its_batch_wait(begin, work_on, call, keep, make_key, serve, hub):  # noqa: F811
    serve(_answer_each)
    slow = make_key("slow", requests=3)
    data = keep(_text(*(_line(str(number)) for number in range(5)))).json
    asked = {"input_file_id": data["id"], "endpoint": CHAT, "completion_window": "24h"}
    made = call("POST", "/v1/batches", json=asked, key=slow).json
    waiting = work_on(made)
    assert waiting["status"] == "in_progress"
    assert 1 <= waiting["request_counts"]["completed"] <= 3
    assert waiting["request_counts"]["failed"] == 0
    with reading(hub) as work:
        [job] = work.session.scalars(select(Job).where(Job.name == RUN_BATCH, Job.state == "queued"))
        assert job.run_after > hub.clock.now()
    with unit_of_work(hub) as work:
        work.session.execute(update(ApiKey).where(ApiKey.name == "slow").values(request_limit=None))
    hub.clock = FixedClock(hub.clock.now() + timedelta(seconds=130))
    assert work_on(made)["request_counts"] == {"total": 5, "completed": 5, "failed": 0}


@pytest.mark.any_database
def test_a_key_that_is_gone_ends_its_batch(begin, work_on, serve, hub):
    server = serve(_answer_each)
    made = begin(_line("1")).json
    with unit_of_work(hub) as work:
        work.session.execute(update(ApiKey).values(is_active=False))
    with reading(hub) as work:
        id = work.session.scalar(select(Batch.id))
    run_now(hub, RUN_BATCH, batch_id=id)
    with reading(hub) as work:
        found = work.session.get(Batch, id)
    assert (found.status, found.errors[0]["code"]) == ("failed", "api_key_disabled")
    assert not server.requests
    assert made["status"] == "validating"


@pytest.mark.any_database
def test_a_key_for_some_addresses_is_used_from_where_its_batch_was_made(begin, work_on, serve, hub):
    serve(_answer_each)
    made = begin(_line("1")).json
    with unit_of_work(hub) as work:
        work.session.execute(update(ApiKey).values(allowed_ips=["192.0.2.0/24"]))
    with reading(hub) as work:
        id = work.session.scalar(select(Batch.id))
    run_now(hub, RUN_BATCH, batch_id=id)
    with reading(hub) as work:
        assert (made["status"], work.session.get(Batch, id).completed) == ("validating", 1)


@pytest.mark.any_database
def test_an_upstream_that_fails_is_asked_again_and_then_the_line_has_failed(begin, work_on, serve, monkeypatch, hub):
    monkeypatch.setattr(calling, "TRIES", 2)
    server = serve(_answer_each)
    done = work_on(begin(_line("1", "fail"), _line("2")).json)
    assert done["request_counts"] == {"total": 2, "completed": 1, "failed": 1}
    assert len(server.requests) == 3
    with reading(hub) as work:
        assert [call.status for call in work.session.scalars(select(Call).where(Call.status >= 400))] == [502, 502]
    hub[CHANNELS].close()
