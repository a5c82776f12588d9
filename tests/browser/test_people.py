"""Accounts in a browser: signing in and out, a session that ends while one types, settings, organisations."""

from __future__ import annotations

import re
from io import BytesIO
from urllib.parse import urlencode

from PIL import Image
from playwright.sync_api import expect

from tests.support.browser import NARROW
from tests.support.hub import PASSWORD


def fill_in_login(page, account):
    page.get_by_test_id("login.username").fill(account.name)
    page.get_by_test_id("login.password").fill(account.password)
    page.get_by_test_id("login.submit").click()


def test_one_signs_up_in_and_out_and_comes_to_the_page_that_was_asked_for(open_window, person):
    window = open_window(size=NARROW)
    page = window.open("/settings/sessions", page="L1")
    assert window.find_barriers() == []
    window.expect_fault("401")
    page.get_by_test_id("login.username").fill(person.name)
    page.get_by_test_id("login.password").fill("not-the-password")
    page.get_by_test_id("login.submit").click()
    expect(page.get_by_test_id("login.fault")).to_be_visible()
    fill_in_login(page, person)
    expect(page).to_have_url(re.compile("/settings/sessions$"))
    expect(page.get_by_test_id("session.row").filter(has_text="this browser")).to_be_visible()
    assert window.find_barriers() == []
    page.get_by_test_id("bar.user").click()
    page.get_by_test_id("bar.logout").click()
    expect(page.get_by_test_id("bar.login")).to_be_visible()
    page.get_by_test_id("bar.login").click()
    page.get_by_test_id("login.signup").click()
    page.get_by_test_id("signup.username").fill(f"new-{person.name}")
    page.get_by_test_id("signup.email").fill(f"new-{person.name}@example.org")
    page.get_by_test_id("signup.password").fill(PASSWORD)
    page.get_by_test_id("signup.submit").click()
    expect(page.get_by_test_id("bar.user")).to_be_visible()


def test_what_was_typed_outlives_the_session(open_window, person, hub_server):
    window = open_window(person)
    page = window.open("/settings/profile", page="S-profile")
    page.get_by_test_id("settings.bio").fill("Typed for *hours*")
    hub_server.execute("DELETE FROM web_sessions WHERE user_id = (SELECT id FROM users WHERE name = :n)", n=person.name)
    for status in ("401", "403"):
        window.expect_fault(status)
    page.get_by_test_id("settings.save").click()
    with window.context.expect_page() as opened:
        page.get_by_test_id("form.login").click()
    other = opened.value
    fill_in_login(other, person)
    expect(other.get_by_role("heading", level=1)).to_have_text("You are signed in")
    other.close()
    page.get_by_test_id("settings.save").click()
    expect(page.get_by_test_id("toast")).to_have_text("Saved.")
    expect(page.get_by_test_id("settings.bio")).to_have_value("Typed for *hours*")
    window.open(f"/profile/{person.name}", page="U1")
    expect(page.locator(".markdown em")).to_have_text("hours")
    assert window.find_barriers() == []


def test_a_picture_is_looked_at_saved_and_shown(open_window, person):
    stream = BytesIO()
    Image.new("RGB", (80, 60), (200, 90, 20)).save(stream, "PNG")
    window = open_window(person)
    page = window.open("/settings/profile")
    page.get_by_test_id("picture.file").set_input_files(
        {"name": "face.png", "mimeType": "image/png", "buffer": stream.getvalue()}
    )
    expect(page.locator("[data-picture-preview]")).to_be_visible()
    assert window.find_barriers() == []
    page.get_by_test_id("picture.save").click()
    expect(page.get_by_test_id("picture.remove")).to_be_visible()
    expect(page.get_by_test_id("bar.user").locator("img")).to_have_attribute("src", re.compile("^/-/pictures/.*/small"))
    page.get_by_test_id("bar.notifications").click()
    expect(page.get_by_test_id("drawer.all")).to_be_visible()


def test_a_token_is_shown_once_and_works(open_window, person, hub_server):
    window = open_window(person, theme="dark")
    page = window.open("/settings/access-token")
    page.get_by_test_id("token.name").fill("laptop")
    page.get_by_test_id("token.create").click()
    expect(page.get_by_test_id("token.value")).to_have_text(re.compile(r"^\w{32}$"))
    token = page.get_by_test_id("token.value").inner_text()
    answer = hub_server.api.get("/api/v1/whoami", headers={"Authorization": f"Bearer {token}"})
    assert answer.data["username"] == person.name
    page.get_by_test_id("token.done").click()
    row = page.get_by_test_id("token.row").filter(has_text="laptop")
    expect(row).to_be_visible()
    expect(page.locator("main")).not_to_contain_text(token)
    assert window.find_barriers() == []
    row.get_by_test_id("token.delete").click()
    page.get_by_test_id("confirm.yes").click()
    expect(row).to_have_count(0)
    answer = hub_server.api.get("/api/v1/whoami", headers={"Authorization": f"Bearer {token}"})
    assert answer.status == 401


def test_a_program_is_signed_in_by_the_code_that_it_shows(open_window, person, hub_server):
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    def ask():
        asked = {"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": begun["device_code"]}
        answer = hub_server.api.post("/hf/oauth/token", body=urlencode(asked).encode(), headers=form)
        return answer.json.get("access_token") or answer.json["error"]

    begun = hub_server.api.post("/hf/oauth/device", body=b"client_id=any", headers=form).json
    window = open_window(person)
    page = window.open("/settings/access-token?device=")
    page.get_by_test_id("device.code").fill("BCDF-GHJK")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("device.fault")).to_be_visible()
    assert window.find_barriers() == []
    page.get_by_test_id("device.code").fill(begun["user_code"])
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("device.asks")).to_contain_text(begun["user_code"])
    assert ask() == "authorization_pending"
    page.get_by_test_id("token.create").click()
    expect(page.get_by_test_id("token.row").filter(has_text="hf-")).to_be_visible()
    expect(page.get_by_test_id("token.value")).to_have_text("")
    answer = hub_server.api.get("/api/v1/whoami", headers={"Authorization": f"Bearer {ask()}"})
    assert answer.data["username"] == person.name


def test_an_organisation_is_made_filled_and_deleted(open_window, person, hub_server):
    guest = hub_server.new_account()
    name = f"org-{person.name}"
    window = open_window(person)
    page = window.open("/organizations/new", page="O1")
    page.get_by_test_id("organization.name").fill(name)
    page.get_by_test_id("organization.create").click()
    expect(page).to_have_url(re.compile(f"/organizations/{name}$"))
    page.get_by_test_id("organization.members").click()
    page.get_by_test_id("members.names").fill(guest.name)
    page.get_by_test_id("members.add").click()
    expect(page.get_by_test_id("members.row")).to_have_count(2)
    assert window.find_barriers() == []
    page.get_by_test_id("members.row").filter(has_text=guest.name).get_by_test_id("members.remove").click()
    page.get_by_test_id("confirm.yes").click()
    expect(page.get_by_test_id("members.row")).to_have_count(1)
    page.get_by_test_id("organization.edit").click()
    assert window.find_barriers() == []
    page.get_by_test_id("organization.delete").click()
    page.get_by_test_id("confirm.word").fill(name)
    page.get_by_test_id("confirm.yes").click()
    expect(page).to_have_url(re.compile("/$"))
    # What was told meanwhile is read by opening it; a job tells it.
    hub_server.rest()
    told = open_window(guest, size=NARROW)
    inbox = told.open("/notifications", page="N1")
    told.expect_fault("404")
    assert told.find_barriers() == []
    inbox.get_by_test_id("inbox.read_all").click()
    expect(inbox.locator(".inbox-row.unread")).to_have_count(0)
