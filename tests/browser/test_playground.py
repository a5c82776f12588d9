"""The playground in a browser: a chat that streams, beside another model's, stopped, asked again, as code."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.plugins.inference.conftest import delta, last, stream
from tests.support.browser import NARROW, Visitor, visit
from tests.support.hub import HubServer
from tests.support.inference import keys_api, provide
from tests.support.wire import WireServer, serving

_MARKDOWN = "A **list**\n\n- one\n\n<img src=x onerror=alert(1)>"


def _say(connection: Any, request: bytes) -> bool | None:
    asked = json.loads(request.partition(b"\r\n\r\n")[2])
    words = asked["messages"][-1]["content"]
    if words == "for ever":
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        connection.sendall(b"data: " + json.dumps(delta("It begins ")).encode() + b"\n\n")
        while connection.recv(100):
            pass
        return False
    said = [one["content"] for one in asked["messages"] if one["role"] != "assistant"]
    heard = f"{asked['model']} heard {json.dumps(said)} at {asked.get('temperature')}"
    text = _MARKDOWN if words == "markdown" else heard
    connection.sendall(stream(delta("<think>so</think>"), delta(text), delta(finish="stop"), last()))
    return None


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
    assert provider.is_cut.wait(3)
    page.get_by_test_id("playground.edit").click()
    page.get_by_test_id("playground.edited").fill("Hello")
    page.get_by_test_id("playground.edit-send").click()
    expect(answer).to_have_text('small-v1 heard ["Hello"] at None')
    page.get_by_test_id("playground.code").click()
    code = page.get_by_test_id("playground.code-openai")
    expect(code).to_contain_text('{"role": "user", "content": "Hello"}')
    expect(code).to_contain_text('model="acme/small"')


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
