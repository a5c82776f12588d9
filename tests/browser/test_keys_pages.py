"""Keys and models of the gateway in a browser: made, copied, changed, renewed, switched off; named and tried."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.plugins.inference.conftest import completion
from tests.support.browser import NARROW, visit
from tests.support.http import HTTPClient
from tests.support.hub import HubServer
from tests.support.inference import provide
from tests.support.wire import WireServer, serving

_VALUE = re.compile(r"^gk_[A-Za-z0-9_-]{43}_[0-9a-f]{8}$")


@pytest.fixture(scope="module")
def provider() -> Iterator[WireServer]:
    with serving(lambda connection, _request: connection.sendall(completion("Hello to you, too."))) as server:
        yield server


@pytest.fixture(scope="module")
def hub(provider: WireServer) -> Iterator[HubServer]:
    with provide(provider, "acme/small") as server:
        yield server


def _call(hub: HubServer, key: str) -> int:
    body = {"model": "acme/small", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 8}
    headers = {"Authorization": f"Bearer {key}"}
    return HTTPClient(hub.url).post("/v1/chat/completions", body, headers=headers).status


def test_a_key_is_made_seen_once_bounded_renewed_and_switched_off(browser, hub: HubServer):
    with visit(browser, hub.url, account=hub.new_account()) as visitor:
        page = visitor.open("/settings/api-keys", page="S-api-keys", state="empty")
        page.get_by_test_id("keys.open-new").first.click()
        page.get_by_test_id("keys.name").fill("laptop")
        page.get_by_test_id("keys.models").fill("acme/*")
        page.get_by_test_id("budget.add").click()
        page.get_by_test_id("budget.hard").fill("0.0001")
        assert visitor.find_barriers(within="dialog[open]") == []
        page.get_by_test_id("keys.save").click()
        value = page.get_by_test_id("keys.value")
        expect(value).to_have_text(_VALUE)
        key = value.inner_text()
        assert _call(hub, key) == 200
        page.get_by_test_id("keys.done").click()
        row = page.get_by_test_id("keys.row")
        expect(row).to_contain_text("acme/*")
        assert key not in page.content()
        # 11 tokens at 0.1 and 4 at 1 a million are 0.0000051 of 0.0001.
        bar = row.get_by_test_id("budget.bar")
        expect(bar).to_contain_text("$0.000005 of $0.0001")
        expect(bar.get_by_role("meter")).to_have_attribute("aria-valuenow", "5")
        # A field that is changed changes nothing else.
        page.get_by_test_id("keys.open-change").click()
        expect(page.get_by_test_id("budget.hard")).to_have_value("0.0001")
        page.get_by_test_id("keys.requests").fill("60")
        page.get_by_test_id("keys.ips").fill("127.0.0.0/8")
        page.get_by_test_id("keys.save").click()
        expect(row).to_contain_text("60 requests a minute")
        expect(row).to_contain_text("acme/*")
        page.get_by_test_id("keys.more").click()
        page.get_by_test_id("keys.renew").click()
        page.get_by_test_id("confirm.yes").click()
        renewed = page.get_by_test_id("keys.new-value")
        expect(renewed).to_have_text(_VALUE)
        assert renewed.inner_text() != key
        page.reload()
        page.get_by_test_id("keys.more").click()
        page.get_by_test_id("keys.switch").click()
        expect(row).to_have_attribute("data-active", "no")
        expect(row).to_contain_text("60 requests a minute")
        page.get_by_test_id("keys.open-change").click()
        expect(page.get_by_test_id("keys.ips")).to_have_value("127.0.0.0/8")
    assert visitor.unexpected() == []


def test_an_administrator_names_a_model_and_tries_it(browser, hub: HubServer, provider: WireServer):
    with visit(browser, hub.url, account=hub.administrator, size=NARROW, theme="dark") as visitor:
        page = visitor.open("/admin_panel/gateway/models/new", page="A-gateway-models")
        page.get_by_test_id("model.name").fill("acme/other")
        page.get_by_test_id("model.url").fill(provider.url("/v1"))
        page.get_by_test_id("model.upstream-name").fill("other-v1")
        page.get_by_test_id("model.headers").fill("Authorization: Bearer sold\nX-Team: hub")
        page.get_by_test_id("model.price-input").fill("0.15")
        assert visitor.find_barriers() == []
        page.get_by_test_id("model.save").click()
        row = page.get_by_test_id("models.row").filter(has_text="acme/other")
        expect(row).to_contain_text("$0.15 in")
        row.get_by_test_id("models.try").click()
        expect(row.get_by_test_id("models.answer")).to_contain_text("It answers")
        assert b"x-team: hub" in provider.requests[-1].lower()
        # Saved again with nothing written: what was sealed stays.
        row.get_by_role("link", name="acme/other").click()
        expect(page.locator("form[data-base]")).to_be_attached()
        expect(page.get_by_test_id("model.upstream")).to_contain_text("Kept: Authorization, X-Team")
        assert "sold" not in page.content()
        page.get_by_test_id("model.save").click()
        expect(row).to_be_visible()
        row.get_by_test_id("models.try").click()
        expect(row.get_by_test_id("models.answer")).to_contain_text("It answers")
        assert b"x-team: hub" in provider.requests[-1].lower()
    assert visitor.unexpected() == []


def test_an_organisations_keys_are_for_its_administrators(browser, hub: HubServer):
    owner = hub.new_account()
    assert owner.api.post("/api/v1/organizations", {"name": f"{owner.name}-lab", "nickname": "Lab"}).status == 200
    address = f"/organizations/{owner.name}-lab/api-keys"
    with visit(browser, hub.url, account=owner) as visitor:
        page = visitor.open(address, page="O-api-keys", state="empty")
        page.get_by_test_id("keys.open-owner").click()
        page.get_by_test_id("budget.add").click()
        page.get_by_test_id("budget.soft").fill("3")
        page.get_by_test_id("keys.owner-save").click()
        expect(page.get_by_test_id("budget.bar")).to_contain_text("of $3.00 (soft)")
        assert visitor.find_barriers() == []
    assert visitor.unexpected() == []
    with visit(browser, hub.url, account=hub.new_account()) as stranger:
        stranger.expect_fault("status of 403")
        page = stranger.open(address, state="error")
        assert "keys.row" not in page.content()
    assert stranger.unexpected() == []
