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
from tests.support.processes import wait_until
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


def _call(hub: HubServer, key: str, model: str = "acme/small") -> int:
    body = {"model": model, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 8}
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


def test_a_key_has_rules_for_single_models_and_an_account_has_limits(browser, hub: HubServer):
    account = hub.new_account()
    with visit(browser, hub.url, account=account, size=NARROW) as visitor:
        page = visitor.open("/settings/api-keys?key=new", page="S-api-keys")
        page.get_by_test_id("keys.name").fill("team")
        page.get_by_test_id("keys.of-models").click()
        page.get_by_test_id("model-budget.add").click()
        page.get_by_test_id("model-budget.model").fill("acme/*")
        page.get_by_test_id("model-budget.hard").fill("0.00001")
        page.get_by_test_id("model-limit.add").click()
        page.get_by_test_id("model-limit.model").fill("acme/small")
        page.get_by_test_id("model-limit.requests").fill("50")
        page.get_by_test_id("alias.add").click()
        page.get_by_test_id("alias.name").fill("gpt")
        page.get_by_test_id("alias.word").fill("acme/small")
        page.get_by_test_id("keys.of-notes").click()
        page.get_by_test_id("keys.tags").fill("team-1")
        page.get_by_test_id("note.add").click()
        page.get_by_test_id("note.name").fill("contact")
        page.get_by_test_id("note.word").fill("ada")
        assert page.get_by_test_id("keys.dialog").evaluate("dialog => dialog.scrollWidth <= dialog.clientWidth")
        assert visitor.find_barriers(within="dialog[open]") == []
        page.get_by_test_id("keys.save").click()
        expect(page.get_by_test_id("keys.value")).to_have_text(_VALUE)
        key = page.get_by_test_id("keys.value").inner_text()
        # 0.0000051 for a call of at most 0.0000083: the first is let in, the second is not.
        assert [_call(hub, key, "gpt"), _call(hub, key)] == [200, 429]
        page.get_by_test_id("keys.done").click()
        row = page.get_by_test_id("keys.row")
        for words in ("gpt → acme/small", "acme/small: 50 requests a minute", "team-1", "a month · acme/*"):
            expect(row).to_contain_text(words)
        # What the form shows again is what was said; a line that is removed is gone, all else stays.
        page.get_by_test_id("keys.open-change").click()
        expect(page.get_by_test_id("model-budget.hard")).to_have_value("0.00001")
        expect(page.get_by_test_id("note.word")).to_have_value("ada")
        page.get_by_test_id("alias.row").get_by_role("button").click()
        page.get_by_test_id("keys.save").click()
        expect(row).not_to_contain_text("gpt")
        expect(row).to_contain_text("50 requests a minute")
        # A process believes for two seconds what it knows of a key.
        wait_until(lambda: _call(hub, key, "gpt") == 404, what="the alias to be gone")
        page.get_by_test_id("keys.open-limits").click()
        page.get_by_test_id("keys.tokens").fill("9000")
        assert visitor.find_barriers(within="dialog[open]") == []
        page.get_by_test_id("keys.limits-save").click()
        expect(page.get_by_test_id("keys.limits")).to_have_text("9,000 tokens a minute")
        assert visitor.find_barriers() == []
    assert visitor.unexpected() == []


def test_an_administrator_names_a_model_and_tries_it(browser, hub: HubServer, provider: WireServer):
    with visit(browser, hub.url, account=hub.administrator, size=NARROW, theme="dark") as visitor:
        page = visitor.open("/admin_panel/gateway/models/new", page="A-gateway-models")
        page.get_by_test_id("model.name").fill("acme/other")
        page.get_by_test_id("model.url").fill(provider.url("/v1"))
        page.get_by_test_id("model.upstream-name").fill("other-v1")
        page.get_by_test_id("model.headers").fill("Authorization: Bearer sold\nX-Team: hub")
        page.get_by_test_id("model.price-input").fill("1234.567")
        page.get_by_test_id("model.more").click()
        page.get_by_test_id("model.health").check()
        page.get_by_test_id("model.drain").fill("10")
        page.get_by_test_id("model.policy").check()
        page.get_by_test_id("model.policy-max_total_tokens").fill("5000")
        page.get_by_test_id("model.policy-cached_token_cost_ratio").fill("0.25")
        page.get_by_test_id("model.roomier").fill("acme/small")
        page.get_by_test_id("unit-price.add").click()
        page.get_by_test_id("unit-price.unit").select_option("image")
        page.get_by_test_id("unit-price.amount").fill("0.04")
        page.get_by_test_id("unit-price.resolution").fill("1024x1024")
        assert visitor.find_barriers() == []
        page.get_by_test_id("model.save").click()
        row = page.get_by_test_id("models.row").filter(has_text="acme/other")
        expect(row).to_contain_text("$1,234.567 in")
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
        [kept] = hub.administrator.api.get("/api/v1/config/llms?search=acme/other").data
        assert kept["prices"]["input"] == 1_234_567
        unit = {"unit": "image", "nano": 40_000_000, "resolution": "1024x1024", "quality": ""}
        assert (kept["prices"]["units"], kept["context_fallbacks"]) == ([unit], ["acme/small"])
        [upstream] = kept["upstreams"]
        assert (upstream["health_check_enabled"], upstream["drain_s"]) == (True, 10)
        policy = upstream["limit_policy"]
        assert (policy["enabled"], policy["max_total_tokens"], policy["cached_token_cost_ratio"]) == (True, 5000, 0.25)
        page.goto(f"{hub.url}/admin_panel/gateway/models?state=off")
        expect(page.get_by_test_id("models.row")).to_have_count(0)
        page.goto(f"{hub.url}/admin_panel/gateway/models?state=on&search=other")
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
        page.get_by_test_id("keys.open-member").click()
        page.get_by_test_id("keys.member-name").fill(owner.name)
        page.get_by_test_id("budget.add").click()
        page.get_by_test_id("budget.hard").fill("2")
        assert visitor.find_barriers(within="dialog[open]") == []
        page.get_by_test_id("keys.member-save").click()
        row = page.get_by_test_id("keys.member")
        expect(row).to_contain_text("of $2.00")
        assert visitor.find_barriers() == []
        row.get_by_test_id("keys.open-member").click()
        expect(page.get_by_test_id("budget.hard")).to_have_value("2")
        page.get_by_test_id("budget.hard").fill("4")
        page.get_by_test_id("keys.member-save").click()
        expect(row).to_contain_text("of $4.00")
        row.get_by_test_id("keys.member-remove").click()
        page.get_by_test_id("confirm.yes").click()
        expect(row).to_have_count(0)
        # The months of its budgets begin by its own clocks.
        page.goto(f"{hub.url}/organizations/{owner.name}-lab/edit")
        page.get_by_test_id("organization.zone").select_option("Asia/Shanghai")
        # The page loads itself anew.
        with page.expect_event("load"):
            page.get_by_test_id("organization.save").click()
        expect(page.get_by_test_id("organization.zone")).to_have_value("Asia/Shanghai")
        page.goto(f"{hub.url}{address}?key=owner")
        expect(page.get_by_test_id("keys.dialog")).to_contain_text("by the clocks of Asia/Shanghai")
    assert visitor.unexpected() == []
    with visit(browser, hub.url, account=hub.new_account()) as stranger:
        stranger.expect_fault("status of 403")
        page = stranger.open(address, state="error")
        assert "keys.row" not in page.content()
    assert stranger.unexpected() == []
