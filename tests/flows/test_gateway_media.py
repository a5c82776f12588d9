"""Pictures, sound, files, batches and videos as programs use them: the unmodified OpenAI SDK against a real hub."""

from __future__ import annotations

import io
import json
import threading
import wave
from collections.abc import Iterator
from typing import Any

import pytest

from tests.plugins.inference.conftest import completion
from tests.support.hub import Account, HubServer, pause
from tests.support.inference import Program
from tests.support.processes import wait_until
from tests.support.wire import WireServer, answer, serving

LINES, REACHED = 40, 25
PRICES = {
    "input": 100,
    "output": 1000,
    "units": [
        {"unit": "image", "nano": 300, "resolution": "1024x1024"},
        {"unit": "second", "nano": 10},
        {"unit": "character", "nano": 2},
    ],
}


class Provider:
    """Who sells all this. seen: what chats were asked; the one named last waits for may_go_on."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.is_reached, self.may_go_on = threading.Event(), threading.Event()
        self.server: WireServer

    def __call__(self, connection: Any, request: bytes) -> bool | None:
        head, _, body = request.partition(b"\r\n\r\n")
        method, path, _ = head.partition(b"\r\n")[0].decode().split(" ")
        if path == "/v1/chat/completions":
            content = json.loads(body)["messages"][-1]["content"]
            self.seen.append(content)
            if content == f"word {REACHED}" and not self.may_go_on.is_set():
                self.is_reached.set()
                self.may_go_on.wait(240)
            connection.sendall(completion(content))
        elif path == "/v1/audio/speech":
            connection.sendall(answer(bytes(200_000), headers="Content-Type: audio/wav\r\n"))
        elif path.startswith("/v1/audio/"):
            assert b'name="model"\r\n\r\nv1\r\n' in body
            if b'name="stream"\r\n\r\ntrue' in body:
                done = {"type": "transcript.text.done", "text": "hello", "usage": {"type": "duration", "seconds": 2}}
                event = b"data: " + json.dumps(done).encode() + b"\n\n"
                connection.sendall(answer(event, headers="Content-Type: text/event-stream\r\n"))
            else:
                connection.sendall(_json(text="hello", duration=1.5))
        elif path.startswith("/v1/images/"):
            connection.sendall(_json(created=1, size="1024x1024", data=[{"b64_json": "cG5n"}]))
        elif path == "/v1/videos" and method == "POST":
            connection.sendall(_json(id="up", object="video", status="queued", seconds="4"))
        elif path == "/v1/videos/up":
            connection.sendall(_json(id="up", object="video", status="completed", seconds="4"))
        elif path == "/v1/videos/up/content":
            connection.sendall(answer(b"moving pictures", headers="Content-Type: video/mp4\r\n"))
        else:
            connection.sendall(_json(id="modr-1", model="v1", results=[]))
        return None


def _json(**body: Any) -> bytes:
    return answer(json.dumps(body).encode(), headers="Content-Type: application/json\r\n")


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    """Such a provider."""
    made = Provider()
    with serving(made) as server:
        made.server = server
        yield made


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory, provider: Provider) -> Iterator[HubServer]:
    """A hub whose gateway serves a model of that provider. Its worker is killed here, so nobody shares it."""
    settings = {"outgoing_allowed_hosts": "127.0.0.1", "ssh_port": 0, "inference_batch_parallel": 2}
    with HubServer(tmp_path_factory.mktemp("hub"), settings) as server:
        upstream = {"url": provider.server.url("/v1"), "model_name": "v1"}
        for name, task in (("acme/all", "text-generation"), ("acme/judge", "text-moderation")):
            model = {"model_name": name, "task": task, "prices": PRICES, "upstreams": [upstream]}
            made = server.administrator.api.post("/api/v1/config/llms", model)
            assert made.status == 200, made.body
        yield server


@pytest.fixture(scope="module")
def account(hub: HubServer) -> Account:
    return hub.new_account()


@pytest.fixture(scope="module")
def program(hub: HubServer, account: Account, tmp_path_factory: pytest.TempPathFactory) -> Program:
    """A program with a key of the account's."""
    uuid = account.api.get(f"/api/v1/user/{account.name}").data["uuid"]
    headers = {"Authorization": f"Bearer {hub.new_token(account.name, scope='admin')}"}
    made = hub.api.post(f"/api/v1/namespaces/{uuid}/apikeys", {"name": "program"}, headers=headers)
    assert made.status == 200, made.body
    return Program("openai", tmp_path_factory.mktemp("program"), hub.url, made.data["token"])


def _sound() -> bytes:
    data = io.BytesIO()
    with wave.open(data, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(24_000))
    return data.getvalue()


def test_the_sdk_makes_pictures_sound_and_videos(program: Program, hub: HubServer, account: Account):
    (program.place() / "a.wav").write_bytes(_sound())
    (program.place() / "a.png").write_bytes(b"png")
    found = program.python(
        """
from openai import OpenAI
client = OpenAI()
made = client.images.generate(model="acme/all", prompt="a cat", n=1)
changed = client.images.edit(model="acme/all", image=open("a.png", "rb"), prompt="a dog")
heard = client.audio.transcriptions.create(model="acme/all", file=open("a.wav", "rb"))
told = list(client.audio.transcriptions.create(model="acme/all", file=open("a.wav", "rb"), stream=True))
english = client.audio.translations.create(model="acme/all", file=open("a.wav", "rb"))
with client.audio.speech.with_streaming_response.create(model="acme/all", input="hello", voice="alloy") as spoken:
    sound = sum(map(len, spoken.iter_bytes()))
judged = client.moderations.create(input="hello")
video = client.videos.create(model="acme/all", prompt="a cat", seconds="4", size="1280x720")
done = client.videos.poll(video.id, poll_interval_ms=1000)
answer({
    "pictures": [made.data[0].b64_json, changed.data[0].b64_json],
    "texts": [heard.text, told[-1].text, english.text], "sound": sound, "judge": judged.model,
    "video": [video.status, done.status, client.videos.download_content(video.id).read().decode()],
})
"""
    )
    assert found == {
        "pictures": ["cG5n", "cG5n"],
        "texts": ["hello", "hello", "hello"],
        "sound": 200_000,
        "judge": "acme/judge",
        "video": ["queued", "completed", "moving pictures"],
    }
    query = "SELECT route, quantity, cost_nano FROM inference_calls WHERE status = 200 ORDER BY id"
    assert hub.rows(query) == [
        ("images/generations", 1, 300),
        ("images/edits", 1, 300),
        ("audio/transcriptions", 2, 20),
        ("audio/transcriptions", 2, 20),
        ("audio/translations", 2, 20),
        ("audio/speech", 5, 10),
        ("moderations", 2, 200),
        ("video/generations", 4, 40),
    ]


def test_the_sdk_keeps_files(program: Program):
    found = program.python(
        """
import openai
client = openai.OpenAI()
life = {"anchor": "created_at", "seconds": 3600}
made = client.files.create(file=("../a.jsonl", b"{}"), purpose="batch", expires_after=life)
seen = [one.id for one in client.files.list(limit=1)]
kept = [made.filename, made.bytes, made.expires_at - made.created_at, client.files.content(made.id).read().decode()]
gone = client.files.delete(made.id).deleted
try:
    client.files.retrieve(made.id)
except openai.NotFoundError as error:
    answer({"kept": kept, "listed": made.id in seen, "gone": gone, "code": error.code})
"""
    )
    assert found == {"kept": ["a.jsonl", 2, 3600, "{}"], "listed": True, "gone": True, "code": "file_not_found"}


def test_a_batch_goes_on_after_its_worker_was_killed_and_calls_nothing_twice(
    program: Program, hub: HubServer, provider: Provider
):
    begun = program.python(
        """
import io, json
from openai import OpenAI
client = OpenAI()
lines = [
    {"custom_id": f"line {number}", "method": "POST", "url": "/v1/chat/completions",
     "body": {"model": "acme/all", "messages": [{"role": "user", "content": f"word {number}"}]}}
    for number in range(given["lines"])
]
data = io.BytesIO("\\n".join(map(json.dumps, lines)).encode())
file = client.files.create(file=("input.jsonl", data), purpose="batch")
batch = client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
answer([batch.id, batch.status])
""",
        lines=LINES,
    )
    assert begun[1] == "validating"
    assert provider.is_reached.wait(120), "the batch did not come so far"
    wait_until(
        lambda: hub.rows("SELECT COUNT(*) FROM inference_batch_results") == [(LINES - 1,)],
        what="the lines beside the one that waits",
    )
    worker = hub.program("worker")[0]
    pause(worker)
    for process in (*worker.children(recursive=True), worker):
        process.kill()
    counted = hub.rows("SELECT COUNT(*) FROM usage_events WHERE details LIKE '%chat/completions%'")
    assert counted == [(LINES - 1,)]
    assert hub.rows("SELECT 1 FROM jobs WHERE name = 'inference.run_batch' AND state = 'running'")
    # Half a minute without a sign of life goes by.
    hub.execute("UPDATE jobs SET heartbeat_at = '2026-01-01 00:00:00' WHERE state = 'running'")
    provider.may_go_on.set()
    query = "SELECT status FROM inference_batches"
    wait_until(lambda: hub.rows(query) == [("completed",)], timeout_s=120, what="the batch to end")
    found = program.python(
        """
import json
from openai import OpenAI
client = OpenAI()
[batch] = client.batches.list()
lines = [json.loads(line) for line in client.files.content(batch.output_file_id).text.splitlines()]
answer({
    "counts": dict(batch.request_counts), "id": batch.id, "model": batch.model,
    "texts": {one["custom_id"]: one["response"]["body"]["choices"][0]["message"]["content"] for one in lines},
})
"""
    )
    assert found["id"] == begun[0]
    assert found["counts"] == {"total": LINES, "completed": LINES, "failed": 0}
    assert found["texts"] == {f"line {number}": f"word {number}" for number in range(LINES)}
    # Only the line that had no answer when the worker died was asked for again.
    assert sorted(provider.seen) == sorted([f"word {number}" for number in range(LINES)] + [f"word {REACHED}"])
    assert hub.rows("SELECT COUNT(*) FROM usage_events WHERE details LIKE '%chat/completions%'") == [(LINES,)]
