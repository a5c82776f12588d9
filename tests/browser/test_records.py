"""A prompt in a real browser: it is written, previewed, saved, changed by two at once, named, and compared."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.support.browser import NARROW


def test_a_prompt_is_written_previewed_changed_and_compared(open_window, person):
    person.create_repository("texts", collection="prompts")
    library = f"/prompts/library/{person.name}/texts"
    window = open_window(person)
    page = window.open(library)
    page.get_by_test_id("library.first").click()
    page.get_by_test_id("prompt-edit.title").fill("Sum up")
    page.get_by_test_id("prompt-edit.content").fill("Sum up {{text}} for {{ reader }}.")
    page.get_by_test_id("prompt-edit.define.text").click()
    expect(page.get_by_test_id("prompt-edit.define.text")).to_have_count(0)
    expect(page.get_by_test_id("prompt-edit.usage")).to_contain_text("reader")
    page.get_by_test_id("prompt-edit.add.system").click()
    page.locator(".message [data-key=content]").fill("You are brief.")
    expect(page.get_by_test_id("prompt-edit.tokens")).to_contain_text("About")
    page.get_by_test_id("prompt-edit.preview").click()
    expect(page.get_by_test_id("prompt-edit.previewed")).to_contain_text("A value is required.")
    page.get_by_test_id("prompt-edit.value.text").fill("a <b>long</b> text")
    page.get_by_test_id("prompt-edit.content").fill("")
    page.get_by_test_id("prompt-edit.add.user").click()
    page.locator(".message [data-key=content]").last.fill("Sum up {{text}}.")
    page.get_by_test_id("prompt-edit.preview").click()
    expect(page.get_by_test_id("prompt-edit.previewed")).to_contain_text("Sum up a <b>long</b> text.")
    assert window.find_barriers() == []
    # What is typed stays, whatever happens to the page.
    page.reload()
    expect(page.locator(".message [data-key=content]").last).to_have_value("Sum up {{text}}.")
    page.get_by_test_id("prompt-edit.version").fill("v1")
    page.get_by_test_id("prompt-edit.save").click()
    page.wait_for_url("**/prompt/Sum%20up.jsonl")
    expect(page.get_by_test_id("prompt.version")).to_contain_text("v1")
    expect(page.get_by_test_id("prompt.message").last.locator("mark.place")).to_have_text("{{text}}")

    # Somebody else saves while it is edited.
    page.get_by_test_id("prompt.edit").click()
    other = {"content": "", "tags": ["theirs"], "message": "Theirs"}
    answer = person.api.put(f"/api/v1/prompts/{person.name}/texts/prompt/record/Sum%20up.jsonl", other)
    assert answer.status == 200, answer.body
    page.locator(".message [data-key=content]").last.fill("Sum up {{text}} in a line.")
    window.expect_fault("409")
    page.get_by_test_id("prompt-edit.save").click()
    expect(page.get_by_test_id("prompt-edit.stale")).to_be_visible()
    page.get_by_test_id("prompt-edit.overwrite").click()
    page.wait_for_url("**/prompt/Sum%20up.jsonl")
    expect(page.get_by_test_id("prompt.version")).to_have_count(3)
    page.get_by_test_id("prompt.more").click()
    page.get_by_test_id("prompt.compare").click()
    expect(page.get_by_test_id("compare.lines")).to_contain_text("Sum up {{text}} in a line.")
    expect(page.get_by_test_id("compare.members")).to_contain_text("theirs")

    narrow = open_window(person, size=NARROW, theme="dark")
    for path in (
        "",
        "/prompt/Sum%20up.jsonl",
        "/prompt/Sum%20up.jsonl?mode=edit",
        "/prompt/Sum%20up.jsonl?mode=compare",
    ):
        small = narrow.open(library + path)
        small.wait_for_load_state("networkidle")
        assert narrow.find_barriers() == [], path
        assert small.evaluate("document.documentElement.scrollWidth <= innerWidth"), path


def test_a_file_of_prompts_is_imported_and_faults_are_told_by_their_line(open_window, person):
    person.create_repository("many", collection="prompts")
    page = open_window(person).open(f"/prompts/library/{person.name}/many")
    page.get_by_test_id("library.import").click()
    lines = b'{"title": "One", "content": "Say {{a}}."}\nno prompt\n{"title": "Two", "content": "x"}\n'
    page.get_by_test_id("import.file").set_input_files({"name": "p.jsonl", "mimeType": "text/plain", "buffer": lines})
    page.get_by_test_id("import.send").click()
    told = page.get_by_test_id("import.told")
    expect(told).to_contain_text("2 added")
    expect(told).to_contain_text("1 could not be read")
    page.get_by_test_id("import.form").get_by_role("button", name="Close").click()
    # They are read by a job, which may wait for others.
    person.hub.rest()
    page.reload()
    expect(page.get_by_test_id("prompts.card")).to_have_count(2)
