"""New repositories, the editor, and what happens to what was typed when others write or sessions end."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.support.browser import NARROW


def edit(page: Page, text: str) -> None:
    """Write a text into the editor in place of what stands there."""
    box = page.locator("#panel-text .cm-content")
    box.click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(text)


def open_editor(window, address: str) -> Page:
    page = window.open(address, page="F3")
    page.locator("form[data-edit][data-ready]").wait_for()
    return page


def put(person, path: str, name: str, text: str) -> None:
    body = {"message": "By the API", "files": [{"path": name, "content": text}]}
    assert person.api.post(f"/api/v1/{path}/changes", body).status == 200


def read(person, path: str, name: str, ref: str = "") -> str:
    return person.api.get(f"/api/v1/{path}/raw/{name}?ref={ref}").json["data"]


def test_a_repository_is_made_and_a_taken_name_is_told_while_it_is_typed(open_window, person):
    person.create_repository("taken")
    for options in ({"theme": "light"}, {"theme": "dark", "size": NARROW}):
        window = open_window(person, **options)
        page = window.open("/models/new", page="N1")
        name = page.get_by_test_id("new.name")
        name.fill("taken")
        told = page.get_by_test_id("new.name-told")
        expect(told).to_contain_text("There is already a model")
        assert window.find_barriers() == []
    name.fill("fresh")
    expect(told).to_contain_text(f"{person.name}/fresh is free")
    page.get_by_test_id("new.license").fill("mit")
    page.get_by_test_id("new.private").check()
    page.get_by_test_id("new.create").click()
    page.wait_for_url(f"**/models/{person.name}/fresh")
    made = person.api.get(f"/api/v1/models/{person.name}/fresh").json["data"]
    assert (made["private"], made["license"]) == (True, "mit")


def test_of_two_who_edit_one_file_the_second_sees_both_versions_and_loses_nothing(open_window, person):
    path = person.create_repository("shared")
    put(person, path, "notes.md", "# Notes\n\none\ntwo\nthree\n")
    window = open_window(person)
    window.expect_fault("409")
    page = open_editor(window, f"/{path}/edit/main/notes.md")
    page.get_by_test_id("edit.preview-tab").click()
    expect(page.get_by_test_id("edit.preview").locator(".markdown :is(h1, h2)")).to_contain_text("Notes")
    page.get_by_test_id("edit.text-tab").click()
    edit(page, "# Notes\n\none\ntwo\nthree, mine\n")
    page.get_by_test_id("edit.changes-tab").click()
    expect(page.get_by_test_id("edit.changes")).to_contain_text("three, mine")
    assert window.find_barriers() == []
    # The first one was faster.
    put(person, path, "notes.md", "# Notes\n\none, theirs\ntwo\nthree\n")
    page.get_by_test_id("edit.commit").click()
    merge = page.get_by_test_id("edit.merge")
    expect(merge).to_contain_text("Somebody else changed this file")
    expect(merge.locator(".cm-merge-a")).to_contain_text("one, theirs")
    expect(merge.locator(".cm-merge-b")).to_contain_text("three, mine")
    assert read(person, path, "notes.md") == "# Notes\n\none, theirs\ntwo\nthree\n"
    assert window.find_barriers() == []
    # What the first one changed is taken over by the arrow beside it.
    merge.locator(".cm-merge-revert button").first.click()
    page.get_by_test_id("edit.title").fill("Both")
    page.get_by_test_id("edit.commit").click()
    page.wait_for_url("**/blob/main/notes.md")
    assert read(person, path, "notes.md") == "# Notes\n\none, theirs\ntwo\nthree, mine\n"


def test_what_was_typed_outlives_the_session_and_the_page(open_window, person):
    path = person.create_repository("kept")
    window = open_window(person)
    for code in ("401", "403"):
        window.expect_fault(code)
    page = open_editor(window, f"/{path}/main/new?path=docs")
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_test_id("edit.path").fill("docs/kept.txt")
    edit(page, "a long text\n")
    window.context.clear_cookies(name="hub_session")
    page.get_by_test_id("edit.commit").click()
    expect(page.get_by_test_id("form.fault")).to_contain_text("Sign in in a new window")
    # Signed in again elsewhere, the same page goes on; loaded anew, it has what was typed.
    window.sign_in(person)
    page.reload()
    page.locator("form[data-edit][data-ready]").wait_for()
    expect(page.get_by_test_id("edit.path")).to_have_value("docs/kept.txt")
    expect(page.locator("#panel-text .cm-content")).to_contain_text("a long text")
    window.context.clear_cookies(name="hub_session")
    window.sign_in(person)
    page.get_by_test_id("edit.commit").click()
    page.wait_for_url("**/blob/main/docs/kept.txt")
    assert read(person, path, "docs/kept.txt") == "a long text\n"


def test_who_may_not_write_proposes_and_the_owner_moves_and_deletes(open_window, person, single_hub):
    path = person.create_repository("gardened")
    put(person, path, "a.py", "one = 1\n")
    window = open_window(single_hub.new_account())
    page = open_editor(window, f"/{path}/edit/main/a.py")
    edit(page, "one = 2\n")
    page.keyboard.press("Control+s")
    page.wait_for_url("**/community/1")
    assert (read(person, path, "a.py"), read(person, path, "a.py", "refs/pr/1")) == ("one = 1\n", "one = 2\n")

    window = open_window(person, size=NARROW)
    page = open_editor(window, f"/{path}/edit/main/a.py")
    page.get_by_test_id("edit.path").fill("src/b.py")
    page.get_by_test_id("edit.commit").click()
    page.wait_for_url("**/blob/main/src/b.py")
    assert read(person, path, "src/b.py") == "one = 1\n"
    page = window.open(f"/{path}/delete/main/src", page="F3")
    assert window.find_barriers() == []
    page.get_by_test_id("edit.to-pull").check()
    page.get_by_test_id("edit.new-branch").fill("tidy")
    page.get_by_test_id("edit.commit").click()
    page.wait_for_url("**/community/2")
    assert person.api.get(f"/api/v1/{path}/raw/src/b.py?ref=tidy").status == 404
    assert read(person, path, "src/b.py") == "one = 1\n"


def test_an_edit_that_looks_like_a_secret_is_told_of_and_may_be_committed_by_the_owner(open_window, person):
    path = person.create_repository("guarded")
    put(person, path, "config.py", "x = 1\n")
    window = open_window(person, theme="dark")
    window.expect_fault("422")
    page = open_editor(window, f"/{path}/edit/main/config.py")
    token = "ghp_" + "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5"
    edit(page, f"x = 1\nTOKEN = '{token}'\n")
    page.get_by_test_id("edit.commit").click()
    expect(page.get_by_test_id("secrets.found")).to_contain_text("config.py:2")
    assert window.find_barriers() == []
    page.get_by_test_id("upload.secrets").click()
    page.wait_for_url(f"**/{path}/blob/main/config.py")
    assert token in read(person, path, "config.py")
