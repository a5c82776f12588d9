"""Finding: by facets, by the box of the bar, and by collections that people make."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.support.browser import NARROW


@pytest.fixture(scope="module")
def shelf(single_hub, person):
    """Three models of one person's, with labels."""
    for name, task in (("finder-one", "translation"), ("finder-two", "translation"), ("finder-three", "fill-mask")):
        address = person.create_repository(name)
        assert person.api.post(f"/api/v1/{address}/tags/task", [task]).status == 200
    return person


def test_a_model_is_found_by_facets_and_the_address_says_it_all(open_window, shelf):
    window = open_window()
    page = window.open(f"/models?author={shelf.name}", page="D4", state="ready")
    expect(page.get_by_test_id("card")).to_have_count(3)
    page.get_by_test_id("list.task.translation").click()
    expect(page.get_by_test_id("card")).to_have_count(2)
    expect(page).to_have_url(re.compile("task=translation"))
    page.get_by_test_id("list.search").fill("two")
    expect(page.get_by_test_id("card")).to_have_count(1)
    expect(page).to_have_url(re.compile("task=translation.*search=two|search=two.*task=translation"))
    assert window.find_barriers() == []
    page.reload()
    expect(page.get_by_test_id("card")).to_have_count(1)
    expect(page.get_by_test_id("list.search")).to_have_value("two")
    page.get_by_test_id("list.chip").filter(has_text="Translation").click()
    expect(page).not_to_have_url(re.compile("task="))
    page.go_back()
    expect(page.get_by_test_id("list.task.translation")).to_have_attribute("aria-current", "true")
    page.locator("article a").first.click()
    expect(page).to_have_url(re.compile(f"/models/{shelf.name}/finder-two$"))


def test_filters_are_there_on_a_narrow_screen_too(open_window, shelf):
    window = open_window(size=NARROW, theme="dark")
    page = window.open(f"/models?author={shelf.name}", page="D4")
    expect(page.get_by_test_id("list.task.fill-mask")).to_be_hidden()
    page.get_by_role("link", name="Filters").click()
    page.get_by_test_id("list.task.fill-mask").click()
    expect(page.get_by_test_id("card")).to_have_count(1)
    assert window.find_barriers() == []
    window.open("/", page="D1")
    assert window.find_barriers() == []


def test_a_span_of_sizes_is_moved_by_keys(open_window, shelf):
    window = open_window()
    page = window.open("/models", page="D4")
    low, high = page.get_by_test_id("list.params.low"), page.get_by_test_id("list.params.high")
    expect(page.get_by_test_id("list.params_min")).to_be_hidden()
    low.focus()
    page.keyboard.press("ArrowRight")
    expect(page).to_have_url(re.compile("params_min=1$"))
    # The keys go on where they were, though the list was written anew.
    expect(low).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page).to_have_url(re.compile("params_min=3$"))
    high.focus()
    page.keyboard.press("Home")
    expect(page).to_have_url(re.compile("params_min=3&params_max=7$"))
    expect(high).to_have_attribute("aria-valuetext", "7 B")
    expect(page.get_by_test_id("list.params.told")).to_have_text("3–7 B")
    assert window.find_barriers() == []


def test_the_box_of_the_bar_finds_by_keys(open_window, shelf):
    window = open_window()
    page = window.open("/")
    page.keyboard.press("/")
    page.keyboard.type(f"{shelf.name}/finder")
    options = page.get_by_role("option")
    expect(options).to_have_count(4)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    chosen = options.nth(1)
    expect(chosen).to_have_attribute("aria-selected", "true")
    assert window.find_barriers() == []
    where = chosen.get_attribute("href") or ""
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(re.escape(where)))
    page.get_by_test_id("bar.search").fill("finder")
    expect(page.locator("#quick-all")).to_be_visible()
    page.keyboard.press("Control+Enter")
    expect(page).to_have_url(re.compile(r"/search\?q=finder"))
    expect(page.get_by_test_id("search.tab.models").locator(".badge")).to_have_text(re.compile(r"\d"))
    assert window.find_barriers() == []
    page.get_by_test_id("search.tab.models").click()
    expect(page.get_by_test_id("search.results").get_by_test_id("card").first).to_be_visible()


def test_a_collection_is_made_filled_and_put_into_order_by_keys(open_window, shelf):
    window = open_window(shelf, theme="dark")
    page = window.open("/collections/new")
    page.get_by_test_id("collection.title").fill("What I found")
    page.get_by_test_id("collection.create").click()
    expect(page.locator("h1")).to_contain_text("What I found")
    items = page.get_by_test_id("collection.item")
    for count, name in enumerate(("finder-one", "finder-two"), start=1):
        page.get_by_test_id("collection.add").fill(f"{shelf.name}/{name}")
        page.get_by_test_id("candidate.add").first.click()
        expect(items).to_have_count(count)
    first = items.nth(0).get_by_test_id("item.down")
    first.focus()
    with page.expect_response(lambda answer: answer.request.method == "PUT") as saved:
        page.keyboard.press("Enter")
    assert saved.value.ok
    expect(items.nth(0)).to_contain_text("finder-two")
    expect(page.get_by_role("status").filter(has_text="place 2 of 2")).to_be_attached()
    page.reload()
    expect(items.nth(0)).to_contain_text("finder-two")
    assert window.find_barriers() == []
    items.nth(0).get_by_test_id("item.remove").click()
    expect(items).to_have_count(1)
    page.get_by_role("button", name="Undo").click()
    expect(items).to_have_count(2)
    expect(items.nth(0)).to_contain_text("finder-two")
    items.nth(0).get_by_test_id("item.remark").click()
    items.nth(0).locator("textarea").fill("the best")
    items.nth(0).get_by_test_id("item.remark.save").click()
    expect(page.locator(".remark")).to_have_text("the best")
    page.get_by_test_id("collection.like").click()
    expect(page.get_by_test_id("collection.like")).to_have_attribute("aria-pressed", "true")


def test_what_administrators_say_is_put_away_and_keys_are_told(open_window, single_hub):
    admin = single_hub.administrator
    said = admin.api.post("/api/v1/admin/broadcasts", {"content": "Closed on Sunday.", "status": "active"})
    assert said.status == 200, said.body
    window = open_window()
    page = window.open("/explore", page="D3")
    expect(page.get_by_test_id("broadcast")).to_contain_text("Closed on Sunday.")
    page.get_by_test_id("broadcast.close").click()
    expect(page.get_by_test_id("broadcast")).to_have_count(0)
    window.open("/collections", page="C1")
    expect(page.get_by_test_id("broadcast")).to_have_count(0)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("What it does")
    assert window.find_barriers() == []
    ended = admin.api.put(f"/api/v1/admin/broadcasts/{said.data['id']}", {"status": "inactive"})
    assert ended.status == 200, ended.body
