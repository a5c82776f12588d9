"""Members at the head of a card are changed, and the rest of it stays as its author wrote it."""

from __future__ import annotations

import pytest

from hub.assets.service.cardedit import change_head
from hub.base.errors import Unprocessable
from hub.base.frontmatter import find_head, load_yaml

TEXT = """---
# who may use it
license: mit   # for now
tags:
- a
- b

# what it reads
language: en
widget:
  - text: "x: y"
---
# Title
"""


def test_only_the_lines_of_a_changed_member_change():
    changed = change_head(TEXT, {"tags": ["c"], "library_name": "transformers", "language": None})
    assert changed == TEXT.replace("- a\n- b\n", "- c\n").replace("language: en\n", "").replace(
        '"x: y"\n', '"x: y"\nlibrary_name: transformers\n'
    )
    assert change_head(TEXT, {"license": "mit"}) == TEXT


@pytest.mark.parametrize(
    "text",
    [
        "# No head\n",
        "",
        "---\n---\n# Empty head\n",
        "---\n{license: mit, tags: [a]}\n---\nin one line\n",
        "---\nlicense: &x mit\nother: *x\n---\nreferences\n",
        "---\nlicense: mit\nlicense: mit\n---\ntwice\n",
        "---\r\nlicense: mit\r\n---\r\nof Windows\r\n",
        '---\n"license": mit\nnote: |\n  license: no\n---\nquoted\n',
    ],
)
def test_whatever_the_head_looks_like_it_says_the_same_but_for_the_change(text):
    head = find_head(text)
    before = load_yaml(head) if head else None
    changed = change_head(text, {"license": "apache-2.0", "language": ["no", "en"]})
    after = load_yaml(find_head(changed))
    assert after == {**(before or {}), "license": "apache-2.0", "language": ["no", "en"]}
    assert changed.endswith(text.rpartition("---")[2])


@pytest.mark.parametrize("text", ["---\na: [\n---\n", "---\n- a\n---\n"])
def test_a_head_that_cannot_be_read_is_not_written_over(text):
    with pytest.raises(Unprocessable):
        change_head(text, {"license": "mit"})


def test_the_api_makes_the_changes_and_judges_the_result(client):
    given = {"type": "model", "content": TEXT, "changes": {"license": "no good!"}}
    told = client.post("/api/v1/validate-card", json=given).json["data"]
    assert "license: no good!\n" in told["content"]
    assert [problem["key"] for problem in told["problems"]] == ["license"]
    assert "content" not in client.post("/api/v1/validate-card", json={"content": TEXT}).json["data"]
