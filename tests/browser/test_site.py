"""What all pages have in common: the bar, its menus, the choices, keys, errors."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.support.browser import NARROW


def test_the_theme_and_the_language_are_chosen_and_kept(open_window):
    window = open_window()
    page = window.open("/", page="D1")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_test_id("bar.appearance").click()
    page.locator("button[name=theme][value=dark]").click()
    assert page.evaluate(ground) != light
    window.open("/")
    assert page.locator("html").get_attribute("data-theme") == "dark"
    page.get_by_test_id("bar.appearance").click()
    page.locator("button[name=language][value=zh]").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh")


def test_menus_and_the_search_box_are_reached_by_keys(open_window, person):
    window = open_window(person)
    page = window.open("/")
    page.keyboard.press("/")
    expect(page.get_by_test_id("bar.search")).to_be_focused()
    page.get_by_test_id("bar.user").focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator(".list a").filter(has_text="Profile")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("bar.user")).to_be_focused()


def test_a_part_that_did_not_come_is_asked_for_again(open_window, person):
    window, related = open_window(person), re.compile(r"part=related$")
    for fault in ("ERR_FAILED", "htmx:"):
        window.expect_fault(fault)
    window.page.route(related, lambda route: route.abort())
    page = window.open("/" + person.create_repository("parts"))
    again = page.get_by_test_id("part.again")
    expect(again).to_be_visible()
    page.unroute(related)
    again.click()
    expect(again).to_have_count(0)
    window.context.set_offline(True)
    expect(page.get_by_test_id("offline")).to_be_visible()
    window.context.set_offline(False)
    expect(page.get_by_test_id("offline")).to_be_hidden()


def test_what_is_not_there_says_so_and_helps_on(open_window):
    window = open_window(size=NARROW)
    window.expect_fault("404")
    page = window.open("/nowhere/at/all", page="X1", state="error")
    expect(page.locator("code")).to_have_text(re.compile(r"\w{8,}"))
    assert window.find_barriers() == []


def test_home_has_no_barriers_in_either_theme(open_window, person):
    for theme in ("light", "dark"):
        window = open_window(person, theme=theme)
        window.open("/")
        assert window.find_barriers() == []
