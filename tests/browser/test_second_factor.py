"""The second factor in a browser: switched on by an app's code, asked for, a recovery code, switched off."""

from __future__ import annotations

import re

import pyotp
from playwright.sync_api import expect

from tests.support.browser import NARROW


def give_password(page, account):
    page.get_by_test_id("login.username").fill(account.name)
    page.get_by_test_id("login.password").fill(account.password)
    page.get_by_test_id("login.submit").click()


def test_it_is_switched_on_asked_for_and_switched_off(open_window, hub_server):
    account = hub_server.new_account()
    window = open_window(account, theme="dark", size=NARROW)
    page = window.open("/settings/account", page="S-account")
    page.get_by_test_id("factor.begin").click()
    expect(page.get_by_role("img", name="QR code of the secret")).to_be_visible()
    page.get_by_text("Or type the secret in").click()
    secret = page.get_by_test_id("factor.secret").inner_text()
    assert window.find_barriers() == []
    window.expect_fault("400")
    page.get_by_test_id("factor.code").fill("000000")
    page.get_by_test_id("factor.confirm").click()
    expect(page.locator(".fault")).to_contain_text("wrong")
    page.get_by_test_id("factor.code").fill(pyotp.TOTP(secret.replace(" ", "")).now())
    page.get_by_test_id("factor.confirm").click()
    expect(page.get_by_test_id("factor.codes")).to_have_text(re.compile(r"^(\w{4}-\w{4}-\w{4}\s*){10}$"))
    codes = page.get_by_test_id("factor.codes").inner_text().split()
    with page.expect_download() as download:
        page.get_by_test_id("factor.download").click()
    assert download.value.path().read_text().split() == codes
    assert window.find_barriers() == []
    page.get_by_test_id("factor.done").click()
    expect(page.get_by_test_id("factor.state")).to_have_text("on")
    assert window.find_barriers() == []

    # Elsewhere the password leads to the code, and a recovery code from there to the page asked for.
    other = open_window()
    page = other.open("/settings/account", page="L1")
    give_password(page, account)
    expect(page.get_by_test_id("code.code")).to_be_focused()
    assert other.find_barriers() == []
    page.get_by_test_id("code.recovery").click()
    page.get_by_test_id("code.code").fill(codes[0].lower())
    page.get_by_test_id("code.remember").check()
    page.get_by_test_id("code.submit").click()
    expect(page.get_by_test_id("factor.device")).to_have_count(1)
    expect(page.get_by_text("9 recovery codes are left.")).to_be_visible()
    page.get_by_test_id("factor.forget").click()
    expect(page.get_by_test_id("factor.device")).to_have_count(0)
    page.get_by_test_id("factor.renew").click()
    page.get_by_test_id("factor.renew.code").fill(codes[1])
    page.get_by_test_id("factor.renew.confirm").click()
    expect(page.get_by_test_id("factor.codes")).not_to_be_empty()
    fresh = page.get_by_test_id("factor.codes").inner_text().split()
    assert not set(fresh) & set(codes)
    page.get_by_test_id("factor.done").click()
    page.get_by_test_id("factor.off").click()
    assert other.find_barriers() == []
    page.get_by_test_id("factor.password").fill(account.password)
    page.get_by_test_id("factor.off.code").fill(fresh[0])
    page.get_by_test_id("factor.off.confirm").click()
    expect(page.get_by_test_id("factor.state")).to_have_text("off")
