"""The card of a repository in a real browser: its dialogs, its metadata, and all that people try to smuggle in."""

from __future__ import annotations

import base64

import pytest
from playwright.sync_api import expect

from tests.support.browser import NARROW
from tests.support.xss import VECTORS

CARD = """---
license: mit
tags: [small]
---
# A thing

$e^{i\\pi}$ and a picture ![dot](dot.png)

```python
print("hi")
```
"""
# Beyond what is seen at first, and its neighbourhood.
CARD += "\nMore is said of it.\n" * 60 + "\n```mermaid\ngraph LR; A-->B\n```\n"
DOT = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
# Notes what runs, in the page and in every frame of it.
WATCH = "window.ran = []; window.alert = window.print = window.prompt = (...said) => { window.ran.push(said); };"
# Diagrams that are far away are drawn for paper, too.
DRAW = "dispatchEvent(new Event('beforeprint'))"
# What a page can be made to do by the hand of who looks at it, but for following links.
TOUCH = """() => {
  for (const element of document.querySelectorAll(".markdown, .markdown *")) {
    for (const kind of ["mouseover", "pointerenter", "focus", "focusin", "blur", "toggle", "animationstart", "copy"]) {
      element.dispatchEvent(new Event(kind, { bubbles: true }));
    }
  }
}"""


def put(person, path, files):
    """Commit files to ``models/NAME/PATH``."""
    sent = [{"path": name, "content": base64.b64encode(content).decode()} for name, content in files.items()]
    body = {"message": "More", "files": sent}
    answer = person.api.post(f"/api/v1/models/{person.name}/{path}/commit/main", body)
    assert answer.status == 200, answer.body


@pytest.fixture(scope="module")
def private_card(person):
    """A private model with a card of all kinds of blocks; its address."""
    person.create_repository("card", private=True)
    put(person, "card", {"README.md": CARD.encode(), "dot.png": DOT, "config.json": b"{}"})
    return f"/models/{person.name}/card"


@pytest.mark.parametrize("theme, size", [("light", None), ("dark", NARROW)])
def test_a_card_is_drawn_whole_for_who_may_see_it(open_window, person, private_card, theme, size):
    window = open_window(person, theme=theme, size=size)
    page = window.open(private_card, page="R1", state="ready")
    expect(page.locator(".maths[data-drawn] .katex")).to_have_count(1)
    # A diagram costs more than the rest of the page together: who does not come near it is spared it.
    source = page.locator("pre.mermaid-source")
    expect(source).to_have_count(1)
    source.scroll_into_view_if_needed()
    expect(page.get_by_test_id("markdown.diagram")).to_have_attribute("data-drawn", "")
    picture = page.locator(".markdown img")
    picture.scroll_into_view_if_needed()
    expect(picture).to_have_js_property("naturalWidth", 1)
    expect(page.get_by_test_id("side.related")).to_be_attached()
    assert window.find_barriers() == []
    page.get_by_test_id("repository.download").click()
    expect(page.get_by_test_id("download.dialog")).to_be_visible()
    assert page.url.endswith("?part=download")
    page.get_by_test_id("tab.huggingface_hub").click()
    expect(page.get_by_test_id("ways.huggingface")).to_contain_text(f"hf download {person.name}/card")
    page.get_by_test_id("download.pattern").fill("*.bin")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("ways.huggingface")).to_contain_text("--include '*.bin'")
    assert window.find_barriers() == []
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("download.dialog")).to_have_count(0)
    assert page.url.endswith(private_card)


def test_metadata_is_changed_in_a_form_and_the_rest_stays(open_window, person, private_card):
    window = open_window(person)
    page = window.open(private_card)
    page.get_by_test_id("card.edit-metadata").click()
    expect(page.get_by_test_id("card-edit.tags")).to_have_value("small")
    page.get_by_test_id("card-edit.language").fill("en, zh")
    expect(page.get_by_test_id("card-edit.yaml")).to_have_value("license: mit\ntags: [small]\nlanguage:\n- en\n- zh\n")
    page.get_by_test_id("card-edit.license").fill("no such thing")
    expect(page.get_by_test_id("card-edit.problems")).to_contain_text("license")
    page.get_by_test_id("card-edit.yaml").fill("license: apache-2.0\ntags: [small]\nlanguage: [en\n")
    expect(page.get_by_test_id("card-edit.problems")).to_contain_text("YAML")
    page.get_by_test_id("card-edit.yaml").fill("license: apache-2.0\ntags: [small]\n")
    expect(page.get_by_test_id("card-edit.license")).to_have_value("apache-2.0")
    assert window.find_barriers() == []
    page.get_by_test_id("card-edit.commit").click()
    page.wait_for_url("**/commit/*")
    raw = person.api.get(f"/api/v1{private_card}/raw/README.md").json["data"]
    assert raw == CARD.replace("license: mit", "license: apache-2.0")


def test_a_like_is_given_and_taken_back(open_window, person, private_card):
    page = open_window(person).open(private_card)
    like, count = page.get_by_test_id("repository.like"), page.get_by_test_id("repository.likes")
    like.click()
    expect(like).to_have_attribute("aria-pressed", "true")
    expect(count).to_have_text("1")
    like.click()
    expect(count).to_have_text("0")
    page.get_by_test_id("toast").get_by_role("button", name="Undo").click()
    expect(count).to_have_text("1")
    page.reload()
    expect(like).to_have_attribute("aria-pressed", "true")


def test_none_of_the_vectors_runs_and_nothing_leaves_the_hub(open_window, person):
    person.create_repository("vectors")
    # In one text, those that swallow what follows last; and each for itself, as a comment's preview shows it.
    swallowing = ("<!--", "<plaintext", "<xmp", "<![", "<?", "<!", "<textarea", "<script", "<style", "<title")
    ordered = sorted(VECTORS, key=lambda vector: any(word in vector for word in swallowing))
    put(person, "vectors", {"README.md": "\n\n---\n\n".join(ordered).encode(), "a.txt": b"a"})
    window = open_window(person)
    window.expect_fault("404")  # pictures that are not there
    # What draws diagrams tries its own cleaning on a handler first, in its frame, which lets none run.
    window.expect_fault(
        "inline event handler violates the following Content Security Policy directive 'script-src 'self'"
    )
    window.context.add_init_script(WATCH)
    page = window.open(f"/models/{person.name}/vectors", page="R1")
    page.evaluate(DRAW)
    page.evaluate(TOUCH)
    page.evaluate(
        """async (vectors) => {
          const place = document.createElement("div");
          document.querySelector("main").append(place);
          const token = document.querySelector('meta[name="csrf-token"]').content;
          for (const text of vectors) {
            const body = new URLSearchParams({ text, breaks: "1" });
            const answer = await fetch("/-/preview", { method: "POST", body, headers: { "X-CSRF-Token": token } });
            if (!answer.ok) throw new Error(`${answer.status} ${text}`);
            const frame = document.createElement("div");
            frame.innerHTML = await answer.text();
            place.append(frame);
          }
        }""",
        VECTORS,
    )
    page.evaluate(DRAW)
    page.evaluate(TOUCH)
    page.wait_for_load_state("networkidle")
    assert [frame.evaluate("window.ran") for frame in page.frames if frame.evaluate("window.ran.length")] == []
    assert page.locator(".markdown script, .markdown form, .markdown [style*=url], .markdown [hx-get]").count() == 0
    assert page.url.endswith(f"/models/{person.name}/vectors")
