"""Files and history in a browser: a large diff is read by scrolling, files are found by keys, nothing runs."""

from __future__ import annotations

import re
import zipfile
from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect

from hub.git.types import FileChange, RefChange, Signature
from hub.git.write import build_commit, update_refs
from tests.support.browser import NARROW

EVIL = b"<script>document.title = 'pwned'; fetch('/api/v1/user')</script>"
SVG = b"<svg xmlns='http://www.w3.org/2000/svg' width='90' height='40'><script>document.title='pwned'</script></svg>"


@pytest.fixture(scope="module")
def place(single_hub, person):
    """The path of a repository with a commit of 5,000 changed files, and that commit. Nobody changes it."""
    path = person.create_repository("five-thousand")
    folder = single_hub.repository_path(path)
    who = Signature("Ada", "ada@example.org", datetime.now(UTC))

    def commit(branch, parent, files, message):
        changes = [FileChange("put", name, content) for name, content in files.items()]
        made = build_commit(folder, parent=parent, changes=changes, author=who, committer=who, message=message)
        update_refs(folder, [RefChange(f"refs/heads/{branch}", "0" * 40, made)])
        return made

    code = b"".join(b"def f%d():\n    return %d\n" % (n, n) for n in range(1500))
    first = commit("start", None, {"src/code.py": code, "evil.html": EVIL, "evil.svg": SVG}, "Start")
    many = {f"d{n % 50}/f{n:04}.txt": b"line %d\n" % n * 30 for n in range(5000)}
    return path, commit("many/files", first, many, "Many files")


def test_a_diff_of_five_thousand_files_is_read_by_scrolling(open_window, person, place):
    path, commit_id = place
    window = open_window(person)
    page = window.open(f"/{path}/commit/{commit_id}", page="H2", state="ready")
    files = page.get_by_test_id("diff.file")
    expect(files).to_have_count(100)
    expect(page.locator("a[data-file]")).to_have_count(5000)
    last = files.nth(90)
    last.scroll_into_view_if_needed()
    expect(last.locator("td.add").first).to_be_visible()
    page.get_by_test_id("diff.more").scroll_into_view_if_needed()
    expect(files).to_have_count(200)
    page.get_by_test_id("diff.filter").fill("f4949")
    expect(page.locator("a[data-file]:visible")).to_have_count(1)
    page.locator("a[data-file]:visible").click()
    expect(page).to_have_url(re.compile(r"page=\d+#diff-"))
    first = page.get_by_test_id("diff.file").first
    first.get_by_test_id("diff.viewed").check()
    expect(first).to_have_class(re.compile("is-folded"))
    page.reload()
    expect(page.get_by_test_id("diff.viewed").first).to_be_checked()
    page.evaluate("scrollTo(0, 0)")
    page.keyboard.press("n")
    expect(page.locator("[data-diff-fold]:focus")).to_have_count(1)
    page.get_by_test_id("diff.split").click()
    expect(page.locator("table.split").first).to_be_attached()
    assert window.find_barriers() == []


def test_files_are_found_read_and_linked_to(open_window, person, place):
    path, _ = place
    window = open_window(person, theme="dark", size=NARROW)
    page = window.open(f"/{path}/files/many/files", page="F1", state="ready")
    expect(page.locator("#change-0 a")).to_be_attached()
    assert window.find_barriers() == []
    page.keyboard.press("t")
    page.get_by_test_id("finder.words").fill("code")
    expect(page.get_by_test_id("finder.found")).to_contain_text("code.py")
    page.keyboard.press("Enter")
    expect(page.locator("body")).to_have_attribute("data-page", "F2")
    page.locator("#L10").click()
    page.locator("#L12").click(modifiers=["Shift"])
    expect(page).to_have_url(re.compile(r"#L10-L12$"))
    expect(page.locator("tr.is-chosen")).to_have_count(3)
    page.keyboard.press("y")
    expect(page).to_have_url(re.compile(r"/blob/[0-9a-f]{40}/src/code\.py#L10-L12$"))
    # A line that is not on this page leads to the page that has it.
    page.goto(page.url.partition("#")[0] + "#L2900")
    expect(page.locator("tr.is-chosen #L2900")).to_be_visible()
    assert window.find_barriers() == []


def test_nothing_that_lies_in_a_file_runs(open_window, person, place):
    path, _ = place
    window = open_window(person)
    window.expect_fault("Blocked script execution")
    window.expect_fault("Content Security Policy")
    for address in ("raw/start/evil.html", "resolve/start/evil.svg", "blob/start/evil.svg", "blob/start/evil.html"):
        page = window.page
        page.goto(f"{window.url}/{path}/{address}")
        assert page.title() != "pwned"
    expect(page.get_by_test_id("blob.lines")).to_contain_text("pwned")


def test_several_files_are_chosen_and_downloaded_moved_and_deleted(open_window, person, single_hub, tmp_path):
    path = person.create_repository("picked")
    files = [{"path": name, "content": f"{name}\n"} for name in ("a.txt", "b.txt", "c.txt", "docs/d.txt")]
    assert person.api.post(f"/api/v1/{path}/changes", {"message": "Files", "files": files}).status == 200
    window = open_window(person)
    page = window.open(f"/{path}/files/main", page="F1")
    page.get_by_role("checkbox", name="Choose docs").focus()
    page.keyboard.press("Space")
    page.get_by_role("checkbox", name="Choose a.txt").check()
    expect(page.get_by_test_id("files.picked")).to_contain_text("2 chosen")
    with page.expect_download() as loading:
        page.get_by_test_id("files.zip").click()
    loading.value.save_as(tmp_path / "picked.zip")
    assert sorted(zipfile.ZipFile(tmp_path / "picked.zip").namelist()) == ["a.txt", "docs/d.txt"]
    # A folder cannot go into itself: said in the form, and nothing is done.
    window.expect_fault("400")
    page.get_by_test_id("files.move").click()
    page.get_by_test_id("files.move-to").fill("docs")
    page.get_by_test_id("edit.commit").click()
    expect(page.get_by_test_id("form.fault")).to_be_visible()
    assert window.find_barriers() == []
    page.get_by_role("button", name="Cancel").click()
    page.get_by_test_id("files.pick-none").click()
    page.get_by_role("checkbox", name="Choose a.txt").check()
    page.get_by_role("checkbox", name="Choose c.txt").click(modifiers=["Shift"])
    expect(page.get_by_test_id("files.picked")).to_contain_text("3 chosen")
    page.get_by_test_id("files.move").click()
    page.get_by_test_id("files.move-to").fill("docs/more")
    page.get_by_test_id("edit.commit").click()
    page.wait_for_url(f"**/{path}/files/main/docs/more")
    expect(page.get_by_test_id("files.row")).to_have_count(3)
    assert person.api.get(f"/api/v1/{path}/commits?ref=main").json["data"]["commits"][0]["message"] == (
        "Move 3 files and folders\n"
    )
    # Who may not write proposes.
    other = open_window(single_hub.new_account(), theme="dark", size=NARROW)
    page = other.open(f"/{path}/files/main/docs/more", page="F1")
    page.get_by_test_id("files.pick-all").check()
    page.get_by_test_id("files.delete").click()
    expect(page.get_by_test_id("edit.commit")).to_have_text("Propose the change")
    assert other.find_barriers() == []
    page.get_by_test_id("edit.commit").click()
    page.wait_for_url(f"**/{path}/community/1")


def test_a_commit_is_reverted_and_a_deleted_branch_comes_back(open_window, person):
    path = person.create_repository("undone")
    for name in ("a.txt", "b.txt"):
        body = {"message": f"Write {name}", "files": [{"path": name, "content": "words\n"}]}
        commit_id = person.api.post(f"/api/v1/{path}/changes", body).json["data"]["commit_id"]
    window = open_window(person)
    page = window.open(f"/{path}/commit/{commit_id}", page="H2")
    page.get_by_test_id("commit.revert").click()
    assert window.find_barriers() == []
    page.get_by_test_id("revert-commit.send").click()
    page.wait_for_url(f"**/{path}/community/new?*")
    expect(page.locator("body")).to_have_attribute("data-page", "I3")
    expect(page.get_by_label("Title")).to_have_value('Revert "Write b.txt"')
    branch = f"revert-{commit_id[:8]}"
    page = window.open(f"/{path}/branches", page="H5")
    row = page.get_by_test_id("branches.row").filter(has_text=branch)
    row.get_by_test_id("branches.menu").click()
    row.get_by_test_id("branches.delete").click()
    page.get_by_role("dialog").get_by_role("textbox").fill(branch)
    page.get_by_role("dialog").get_by_role("button", name="Confirm").click()
    expect(page.get_by_test_id("branches.row")).to_have_count(1)
    page.get_by_test_id("refs.deleted").click()
    expect(page.get_by_test_id("deleted.row")).to_contain_text(person.name)
    assert window.find_barriers() == []
    page.get_by_test_id("deleted.restore").click()
    expect(page.get_by_test_id("empty")).to_be_visible()
    page = window.open(f"/{path}/branches", page="H5")
    expect(page.get_by_test_id("branches.row").filter(has_text=branch)).to_be_visible()
