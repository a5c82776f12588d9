"""The playground's chats in a browser: they stream, beside another model's, with files and tools, in branches."""

from __future__ import annotations

import base64
import json
import re
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.plugins.inference.conftest import body_of, delta, last, stream
from tests.support.browser import NARROW, Visitor, visit
from tests.support.hub import HubServer
from tests.support.inference import keys_api, provide
from tests.support.wire import WireServer, serving

_MARKDOWN = "A **list**\n\n- one\n\n<img src=x onerror=alert(1)>"


# One transparent pixel.
_PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
_WEATHER = {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}


def _say(connection: Any, request: bytes) -> bool | None:
    asked = json.loads(request.partition(b"\r\n\r\n")[2])
    words = asked["messages"][-1]["content"]
    if words == "for ever":
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        connection.sendall(b"data: " + json.dumps(delta("It begins ")).encode() + b"\n\n")
        while connection.recv(100):
            pass
        return False
    if words == "weather":
        connection.sendall(stream(*_call(asked["tools"]), delta(finish="tool_calls"), last()))
        return None
    connection.sendall(stream(delta("<think>so</think>"), delta(_answer(asked)), delta(finish="stop"), last()))
    return None


def _call(tools: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """A call of the first tool, in the pieces in which models bring it."""
    name = tools[0]["function"]["name"]
    begin = {"id": "call_1", "type": "function", "function": {"name": name, "arguments": ""}}
    for piece in (begin, *({"function": {"arguments": words}} for words in ('{"city":', '"Oslo"}'))):
        yield {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0} | piece]}, "finish_reason": None}]}


def _answer(asked: dict[str, Any]) -> str:
    last_one = asked["messages"][-1]
    words = last_one["content"]
    if last_one["role"] == "tool":
        [call] = asked["messages"][-2]["tool_calls"]
        return f"{call['function']['arguments']} gave {words}"
    if isinstance(words, list):
        return "saw " + ", ".join(part["type"] for part in words)
    if words == "markdown":
        return _MARKDOWN
    said = [one["content"] for one in asked["messages"] if one["role"] != "assistant"]
    return f"{asked['model']} heard {json.dumps(said)} at {asked.get('temperature')}"


@pytest.fixture(scope="module")
def provider() -> Iterator[WireServer]:
    with serving(_say) as server:
        yield server


@pytest.fixture(scope="module")
def hub(provider: WireServer) -> Iterator[HubServer]:
    with provide(provider, "acme/small", "acme/large") as server:
        yield server


@pytest.fixture
def visitor(browser, hub: HubServer) -> Iterator[Visitor]:
    with visit(browser, hub.url, account=hub.new_account()) as found:
        yield found
    assert found.unexpected() == []


def _ask(page: Page, words: str) -> None:
    # While an answer comes there is a button that stops it instead.
    expect(page.get_by_role("button", name="Send", exact=True)).to_be_visible()
    page.get_by_test_id("playground.draft").fill(words)
    page.keyboard.press("Enter")


def test_two_models_answer_beside_each_other_and_what_it_took_is_shown(visitor: Visitor):
    page = visitor.open("/playground?model=acme/small", page="PG", state="ready")
    page.get_by_test_id("playground.compare").click()
    expect(page).to_have_url(re.compile(r"model=acme%2Fsmall&model=acme%2Flarge"))
    page.get_by_test_id("playground.system").fill("Be short.")
    page.get_by_test_id("playground.temperature").fill("0.5")
    _ask(page, "Hello")
    answers = page.get_by_test_id("playground.answer")
    expect(answers).to_have_text(
        ['small-v1 heard ["Be short.", "Hello"] at 0.5', 'large-v1 heard ["Be short.", "Hello"] at 0.5']
    )
    # Of 11 and 4 tokens at 0.1 and 1 a million; the thoughts stand apart.
    stats = page.get_by_test_id("playground.stats").first
    expect(stats).to_contain_text("11 + 4 tokens · $0.000005 · first after")
    expect(page.get_by_text("Thoughts").first).to_be_visible()
    # What people or models write is no page of the hub's.
    _ask(page, "markdown")
    expect(answers.nth(1).locator("li")).to_have_text("one")
    assert page.locator("img[onerror]").count() == 0
    assert visitor.find_barriers() == []
    # The browser keeps it; another key or model is nothing it could have seen.
    assert "gk_" not in page.content()
    page.reload()
    page.get_by_test_id("playground.chats").click()
    page.get_by_test_id("playground.chat").click()
    expect(page.get_by_test_id("playground.turn")).to_have_count(4)
    expect(page.get_by_test_id("playground.system")).to_have_value("Be short.")


def test_an_answer_is_stopped_and_a_question_is_put_in_other_words(visitor: Visitor, provider: WireServer):
    page = visitor.open("/playground?model=acme/small")
    provider.is_cut.clear()
    _ask(page, "for ever")
    answer = page.get_by_test_id("playground.answer")
    expect(answer).to_have_text("It begins ")
    page.get_by_test_id("playground.stop").click()
    expect(page.get_by_test_id("playground.stats")).to_contain_text("stopped")
    # Nobody goes on writing for nobody.
    assert provider.is_cut.wait(60)
    page.get_by_test_id("playground.edit").click()
    page.get_by_test_id("playground.edited").fill("Hello")
    page.get_by_test_id("playground.edit-send").click()
    expect(answer).to_have_text('small-v1 heard ["Hello"] at None')
    # What was said before is not lost: it is one of two ways on.
    ways = page.get_by_test_id("playground.ways")
    expect(ways).to_contain_text("2 / 2")
    page.get_by_test_id("playground.way-back").click()
    expect(answer).to_have_text("It begins ")
    expect(page.get_by_test_id("playground.way-back")).to_be_disabled()
    page.get_by_test_id("playground.way-on").click()
    expect(answer).to_have_text('small-v1 heard ["Hello"] at None')
    # An answer that is asked for again is another way on, and each way has what followed it.
    _ask(page, "And then?")
    expect(answer.last).to_have_text('small-v1 heard ["Hello", "And then?"] at None')
    page.get_by_test_id("playground.retry").first.click()
    expect(page.get_by_test_id("playground.turn")).to_have_count(1)
    expect(ways).to_contain_text("3 / 3")
    page.get_by_test_id("playground.way-back").click()
    expect(page.get_by_test_id("playground.turn")).to_have_count(2)
    expect(answer.last).to_have_text('small-v1 heard ["Hello", "And then?"] at None')


def test_files_go_with_a_question_and_what_is_none_or_too_large_is_refused(visitor: Visitor, tmp_path: Path):
    page = visitor.open("/playground?model=acme/small")
    (tmp_path / "notes.txt").write_text("Two lines\nof notes")
    (tmp_path / "pixel.png").write_bytes(_PIXEL)
    with wave.open(str(tmp_path / "sound.wav"), "wb") as sound:
        sound.setparams((1, 1, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(800))
    (tmp_path / "program").write_bytes(b"\x7fELF\0\0")
    (tmp_path / "film.png").write_bytes(bytes(8 * 1024 * 1024))
    files = page.get_by_test_id("playground.files")
    for name, words in (("program", "no picture, no sound and no text"), ("film.png", "is too large")):
        files.set_input_files(tmp_path / name)
        expect(page.get_by_test_id("toast").filter(has_text=words)).to_be_visible()
    attached = page.get_by_test_id("playground.composer").get_by_test_id("playground.attached")
    # A text alone goes with the words, as models without eyes and ears have it.
    files.set_input_files(tmp_path / "notes.txt")
    expect(attached).to_have_text("notes.txt")
    _ask(page, "Shorten this.")
    answer = page.get_by_test_id("playground.answer")
    heard = json.dumps(["notes.txt:\n\nTwo lines\nof notes\n\nShorten this."])
    expect(answer).to_have_text(f"small-v1 heard {heard} at None")
    files.set_input_files([tmp_path / "pixel.png", tmp_path / "sound.wav"])
    expect(attached).to_have_count(2)
    assert visitor.find_barriers() == []
    _ask(page, "What is this?")
    expect(answer.last).to_have_text("saw image_url, input_audio, text")
    expect(attached).to_have_count(0)
    picture = page.get_by_role("img", name="pixel.png")
    expect(picture).to_have_js_property("naturalWidth", 1)
    # They are kept with the conversation.
    page.reload()
    page.get_by_test_id("playground.chats").click()
    page.get_by_test_id("playground.chat").click()
    expect(picture).to_have_js_property("naturalWidth", 1)
    expect(page.get_by_label("sound.wav")).to_have_js_property("duration", 0.1)


def test_what_a_model_calls_is_shown_and_answered_by_the_person(visitor: Visitor, provider: WireServer):
    page = visitor.open("/playground?model=acme/small")
    tools = page.get_by_test_id("playground.tools")
    tools.fill("[{")
    _ask(page, "weather")
    expect(page.get_by_test_id("playground.error")).to_contain_text("no JSON")
    tools.fill(json.dumps([_WEATHER]))
    page.get_by_test_id("playground.retry").click()
    call = page.get_by_test_id("playground.call")
    expect(call).to_contain_text("weather")
    expect(call).to_contain_text('"city": "Oslo"')
    assert visitor.find_barriers() == []
    page.get_by_test_id("playground.call-result").fill("12 degrees")
    page.get_by_test_id("playground.calls-send").click()
    expect(page.get_by_test_id("playground.answer")).to_have_text('{"city":"Oslo"} gave 12 degrees')
    # The call stays where it was made.
    expect(call).to_contain_text("12 degrees")
    # What the answer is to look like goes along, once it is JSON.
    page.get_by_test_id("playground.format").select_option("json_schema")
    page.get_by_test_id("playground.schema").fill("{")
    _ask(page, "Thanks")
    expect(page.get_by_test_id("playground.error").last).to_contain_text("The schema of the answer is no JSON.")
    page.get_by_test_id("playground.schema").fill('{"type": "object"}')
    page.get_by_test_id("playground.retry").last.click()
    expect(page.get_by_test_id("playground.answer").last).to_contain_text('"12 degrees", "Thanks"')
    assert body_of(provider.requests[-1])["response_format"]["json_schema"]["schema"] == {"type": "object"}


def test_who_answers_is_told_after_the_vote(visitor: Visitor):
    page = visitor.open("/playground?model=acme/small")
    page.get_by_test_id("playground.blind").click()
    column = page.get_by_test_id("playground.column")
    expect(page.get_by_test_id("playground.letter")).to_have_text(["Model A", "Model B"])
    expect(column.get_by_test_id("playground.model")).to_have_count(0)
    _ask(page, "weekday")
    vote = page.get_by_test_id("playground.vote")
    expect(vote).to_have_text(["Model A is better", "Model B is better", "Equally good", "None is good"])
    assert "acme" not in column.first.inner_text()
    expect(page.get_by_test_id("playground.code")).to_be_disabled()
    expect(page.get_by_test_id("playground.stats").first).to_have_text("")
    assert visitor.find_barriers() == []
    better = "acme/small" if "small" in page.get_by_test_id("playground.answer").first.inner_text() else "acme/large"
    vote.first.click()
    expect(column.first.get_by_test_id("playground.model")).to_have_value(better)
    page.get_by_text("Votes", exact=True).click()
    expect(page.get_by_test_id("playground.standing").first).to_have_text(f"{better} 1 of 1 votes")
    # One vote tells all: a second would be no blind one.
    expect(vote.last).to_be_disabled()
    _ask(page, "Go on")
    expect(page.get_by_test_id("playground.turn")).to_have_count(4)
    expect(page.get_by_test_id("playground.ballot")).to_be_hidden()
    # A column that comes later has answered nothing yet that could be judged.
    page.get_by_test_id("playground.blind").click()
    _ask(page, "Alone")
    expect(page.get_by_test_id("playground.ballot")).to_be_visible()
    page.get_by_test_id("playground.compare").click()
    expect(page.get_by_test_id("playground.ballot")).to_be_hidden()


def test_conversations_are_found_named_handed_out_and_forgotten(visitor: Visitor):
    page = visitor.open("/playground?model=acme/small")
    for words in ("About apples", "About pears"):
        _ask(page, words)
        expect(page.get_by_test_id("playground.answer")).to_contain_text(words)
        page.get_by_test_id("playground.good").click()
        page.get_by_test_id("playground.new").click()
    page.get_by_test_id("playground.chats").click()
    chats = page.get_by_test_id("playground.chat")
    expect(chats).to_contain_text(["About pears", "About apples"])
    page.get_by_test_id("playground.chats-search").fill("APPLES")
    expect(chats).to_have_count(1)
    dialog = page.get_by_role("dialog", name="Conversations")
    dialog.get_by_role("button", name="Rename").click()
    page.get_by_label("Title").fill("Fruit")
    page.keyboard.press("Enter")
    expect(chats).to_contain_text("Fruit")
    with page.expect_download() as download:
        dialog.get_by_role("button", name="Save as Markdown").click()
    assert download.value.path().read_text().startswith("# Fruit\n\n## You\n\nAbout apples\n\n## acme/small\n")
    with page.expect_download() as download:
        dialog.get_by_role("button", name="Save as a file").click()
    [turn] = json.loads(download.value.path().read_text())["turns"]
    assert (turn["user"], turn["answers"][0]["opinion"]) == ("About apples", "good")
    dialog.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Confirm").click()
    expect(chats).to_have_count(0)
    page.get_by_test_id("playground.chats-search").fill("")
    expect(chats).to_contain_text(["About pears"])


def test_a_limit_of_the_account_is_said_and_a_phone_is_wide_enough(browser, hub: HubServer):
    account = hub.new_account()
    api, address = keys_api(hub, account)
    budget = {"period": "total", "hard_nano": 1, "soft_nano": None}
    assert api.put(f"{address}/budgets", {"budgets": [budget]}).status == 200
    with visit(browser, hub.url, account=account, size=NARROW, theme="dark") as visitor:
        visitor.expect_fault("status of 429")
        page = visitor.open("/playground")
        _ask(page, "Hello")
        expect(page.get_by_test_id("playground.error")).to_contain_text("budget_exceeded")
        assert visitor.find_barriers() == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert visitor.unexpected() == []
    # The call was made with the built-in key, of which nobody has seen the value.
    [key] = api.get(f"{address}/apikeys").data
    assert (key["token_type"], key["last_used_at"] is not None) == ("builtin", True)
