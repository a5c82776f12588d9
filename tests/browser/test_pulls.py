"""Issues and pull requests in a browser: talk, proposals, reviews with suggestions, every way to merge, conflicts."""

from __future__ import annotations

import base64
import re

import pytest
from playwright.sync_api import expect

from tests.support.browser import NARROW

MEAN = """def mean(values):
    total = 0
    for value in values:
        total += value
    return total / len(values)
"""
PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@pytest.fixture(scope="module")
def other(single_hub):
    """Somebody who may only read what ``person`` has."""
    return single_hub.new_account()


def write(account, path, name, text, *, branch="main"):
    """Commit a file."""
    body = {"message": f"Write {name}", "files": [{"path": name, "content": text}], "branch": branch}
    answer = account.api.post(f"/api/v1/{path}/changes", body)
    assert answer.status == 200, answer.body


def propose(account, path, branch, name, text):
    """The number of a pull request of a new branch in which a file has that text."""
    assert account.api.post(f"/api/v1/{path}/branches", {"name": branch, "revision": "main"}).status == 200
    write(account, path, name, text, branch=branch)
    body = {"title": f"Change {branch}", "revision": branch}
    return account.api.post(f"/api/v1/{path}/pulls", body).data["number"]


def test_people_talk_and_nothing_that_they_write_is_lost(open_window, person, other):
    path = person.create_repository("talked-about")
    window = open_window(other)
    window.expect_fault("401")
    page = window.open(f"/{path}/community/new?type=issue", page="I2")
    page.get_by_test_id("issue.title").fill("Means are <b>mean</b>")
    text = page.get_by_test_id("issue.description.text")
    text.fill("They are ")
    text.press("Control+b")
    page.keyboard.type("wrong")
    expect(text).to_have_value("They are **wrong**")
    page.keyboard.press("End")
    page.keyboard.type(f" @{person.name}")
    page.get_by_role("option", name=person.name, exact=True).first.click()
    page.get_by_test_id("issue.description.files").set_input_files(
        {"name": "plot.png", "mimeType": "image/png", "buffer": PICTURE}
    )
    expect(text).to_have_value(re.compile(r"!\[plot\.png\]\(/uploads/[\w-]+\)"))
    page.get_by_test_id("issue.description.preview").click()
    expect(page.locator("#description-preview strong")).to_have_text("wrong")
    page.get_by_test_id("issue.labels").locator("summary").click()
    page.get_by_test_id("issue.labels.find").fill("bu")
    page.get_by_test_id("community.label").filter(has_text="bug").click()
    page.keyboard.press("Escape")
    assert window.find_barriers() == []
    page.get_by_test_id("issue.create").click()
    page.wait_for_url("**/community/1")
    expect(page.get_by_test_id("thread.title")).to_contain_text("Means are <b>mean</b>")
    comment = page.get_by_test_id("thread.comment")
    expect(comment.locator(f"a[href='/profile/{person.name}']").last).to_have_text(f"@{person.name}")
    expect(comment.locator("img[src^='/uploads/']")).to_be_visible()

    # Somebody answers while something is being written.
    answer = page.get_by_test_id("thread.answer.text")
    answer.fill("Half a thought")
    said = person.api.post(f"/api/v1/{path}/community/1/comments", {"content": "Which values?"})
    assert said.status == 200
    page.evaluate("htmx.ajax('get', document.getElementById('news').getAttribute('hx-get'), '#news')")
    page.get_by_test_id("thread.news").click()
    expect(comment.last).to_contain_text("Which values?")
    expect(answer).to_have_value("Half a thought")
    comment.last.get_by_test_id("comment.react").click()
    comment.last.get_by_test_id("comment.sign").nth(5).click()
    expect(comment.last.get_by_test_id("comment.reaction")).to_have_attribute("aria-pressed", "true")

    # The session ends: what was typed stays, also over the new sign-in.
    window.context.clear_cookies()
    page.get_by_test_id("thread.comment_button").click()
    expect(page.locator(".form-fault")).to_be_visible()
    expect(answer).to_have_value("Half a thought")
    window.sign_in(other)
    page.reload()
    page.wait_for_selector("html[data-scripts=ready]", state="attached")
    expect(answer).to_have_value("Half a thought")
    page.get_by_test_id("thread.comment_button").click()
    expect(comment).to_have_count(3)
    expect(answer).to_have_value("")
    comment.last.get_by_test_id("comment.menu").click()
    comment.last.get_by_test_id("comment.edit").click()
    comment.last.locator("textarea").fill("A whole thought")
    comment.last.get_by_test_id("comment.save").click()
    expect(comment.last.locator(".markdown")).to_have_text("A whole thought")


def test_writers_keep_order_on_a_small_screen_at_night(open_window, person, other):
    path = person.create_repository("kept-in-order")
    for number in range(3):
        assert other.api.post(f"/api/v1/{path}/community", {"title": f"Thing {number}"}).status == 200
    window = open_window(person, size=NARROW, theme="dark")
    page = window.open(f"/{path}/community", page="I1")
    assert window.find_barriers() == []
    page.get_by_test_id("community.choose").nth(0).check()
    page.get_by_test_id("community.choose").nth(1).check()
    page.get_by_test_id("community.bulk_close").click()
    expect(page.get_by_test_id("community.thread")).to_have_count(1)
    page.get_by_test_id("community.thread").click()
    page.get_by_test_id("thread.change_labels").locator("summary").click()
    page.get_by_test_id("community.label").filter(has_text="question").click()
    expect(page.get_by_test_id("thread.labels")).to_contain_text("question")
    page.keyboard.press("Escape")
    page.get_by_test_id("thread.assign").fill(other.name)
    page.get_by_test_id("thread.assign_button").click()
    expect(page.get_by_test_id("thread.assignees")).to_contain_text(other.name)
    expect(page.get_by_test_id("thread.timeline")).to_contain_text("assigned")
    assert window.find_barriers() == []
    page.get_by_test_id("thread.close_reasons").click()
    page.get_by_test_id("thread.close_not_planned").click()
    expect(page.get_by_test_id("thread.state")).to_have_text("Closed as not planned")


def test_a_change_is_proposed_reviewed_line_by_line_and_merged(open_window, person, other):
    path = person.create_repository("improved")
    write(person, path, "mean.py", MEAN)
    window = open_window(other)
    page = window.open(f"/{path}/edit/main/mean.py", page="F3")
    page.locator("form[data-edit][data-ready]").wait_for()
    page.locator("#panel-text .cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text("def mean(values):\n    return sum(values) / len(values)\n")
    page.get_by_test_id("edit.title").fill("Shorter")
    page.get_by_test_id("edit.commit").click()
    page.wait_for_url("**/community/1")
    expect(page.get_by_test_id("pr.merge_box")).to_contain_text("Merging takes the right to write")

    reviewer = open_window(person)
    looked = reviewer.open(f"/{path}/community/1/files", page="I3")
    # The button appears when the line is pointed at, and is there for keys at any time.
    looked.locator(".remark-here[data-side=new][data-line='2']").click()
    looked.get_by_test_id("line.suggest").click()
    field = looked.get_by_test_id("line.text")
    expect(field).to_have_value("```suggestion\n    return sum(values) / len(values)\n```\n")
    field.fill("```suggestion\n    return sum(values) / max(1, len(values))\n```\n")
    looked.get_by_test_id("line.add").click()
    expect(looked.get_by_test_id("line.pending")).to_be_visible()
    assert reviewer.find_barriers() == []
    looked.reload()
    expect(looked.get_by_test_id("line.pending")).to_be_visible()  # it waits for its review
    looked.get_by_test_id("pr.review").click()
    looked.get_by_test_id("review.text").fill("Empty lists?")
    looked.get_by_test_id("review.changes").check()
    looked.get_by_test_id("review.submit").click()
    looked.wait_for_url("**/community/1?page=last")
    expect(looked.get_by_test_id("line.thread")).to_contain_text("max(1, len(values))")
    assert reviewer.find_barriers() == []

    page.reload()
    page.get_by_test_id("line.apply").click()
    expect(page.get_by_test_id("line.resolved")).to_be_visible()
    looked.goto(f"{reviewer.url}/{path}/community/1")
    looked.get_by_test_id("pr.method_merge").check()
    looked.get_by_test_id("pr.message").fill("A better mean")
    looked.get_by_test_id("pr.merge").click()
    expect(looked.get_by_test_id("thread.state")).to_have_text("Merged")
    text = person.api.get(f"/api/v1/{path}/raw/mean.py").data
    assert text == "def mean(values):\n    return sum(values) / max(1, len(values))\n"


@pytest.mark.parametrize("method", ["squash", "rebase", "fast_forward"])
def test_it_is_merged_in_the_other_ways_too(open_window, person, method):
    path = person.create_repository(f"merged-{method.replace('_', '-')}")
    write(person, path, "mean.py", MEAN)
    number = propose(person, path, "better", "mean.py", MEAN.replace("total", "result"))
    window = open_window(person)
    page = window.open(f"/{path}/community/{number}")
    page.get_by_test_id(f"pr.method_{method}").check()
    page.get_by_test_id("pr.delete_source").check()
    page.get_by_test_id("pr.merge").click()
    expect(page.get_by_test_id("thread.state")).to_have_text("Merged")
    assert "result" in person.api.get(f"/api/v1/{path}/raw/mean.py").data
    names = [branch["name"] for branch in person.api.get(f"/api/v1/{path}/branches").data]
    assert names == ["main"]


def test_conflicts_are_named_with_the_way_out(open_window, person):
    path = person.create_repository("in-conflict")
    write(person, path, "mean.py", MEAN)
    number = propose(person, path, "mine", "mean.py", MEAN.replace("total", "mine"))
    write(person, path, "mean.py", MEAN.replace("total", "theirs"))
    window = open_window(person, size=NARROW)
    page = window.open(f"/{path}/community/{number}", page="I3")
    expect(page.get_by_test_id("pr.state")).to_have_text("There are conflicts with the base branch")
    expect(page.get_by_test_id("pr.conflict")).to_contain_text("mean.py")
    expect(page.get_by_test_id("pr.commands")).to_contain_text("git merge origin/main")
    expect(page.get_by_test_id("pr.check").filter(has_text="No conflicts")).to_have_attribute("data-passed", "no")
    assert window.find_barriers() == []
