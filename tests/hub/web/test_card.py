"""The first page of a repository: what it shows to whom, and what it costs."""

from __future__ import annotations

import re

import pytest

from hub.accounts.policy import SYSTEM
from hub.repos.files import FileEdit, commit_files

pytestmark = pytest.mark.any_database

HTML = {"Accept": "text/html"}
CARD = """---
license: mit
language: [en, zh]
library_name: transformers
pipeline_tag: text-generation
model-index:
- name: x
  results:
  - dataset: {name: GSM8K}
    metrics: [{name: accuracy, value: 31.8}]
---
# Small things

![cover](cover.png) and <script>alert(1)</script>
"""


@pytest.fixture
def write(context):
    """``write(repository, {"README.md": "..."})``: a commit of these files."""

    def commit(repository, files):
        edits = [FileEdit(path, content=text.encode()) for path, text in files.items()]
        commit_files(context, actor=SYSTEM, repository_id=repository.id, message="More", edits=edits)

    return commit


def test_a_card_shows_its_text_its_figures_and_who_may_mend_it(make_user, make_repository, write, sign, see):
    ada = make_user()
    repository = make_repository(ada, "bert", license="mit")
    write(repository, {"README.md": CARD, "config.json": "{}", "README_zh.md": "# 小东西\n"})
    page = see("/models/ada/bert")
    assert '<img alt="cover" src="/models/ada/bert/resolve/main/cover.png"' in page
    assert "alert(1)" not in page
    assert "GSM8K" in page
    assert "31.8" in page
    assert "/models?license=mit" in page
    assert 'data-testid="card.edit-metadata"' not in page
    assert 'data-testid="card.edit-metadata"' in see("/models/ada/bert", sign(ada))
    assert "小东西" in see("/models/ada/bert?lang=zh")
    assert see("/models/ada/bert?lang=xx") == see("/models/ada/bert?lang=../../x").replace("../../x", "xx")
    see("/models/ada/bert?part=nothing", status=404)


def test_what_is_private_is_as_if_it_were_not_there(make_user, make_repository, sign, see):
    ada, bob = make_user(), make_user("bob")
    make_repository(ada, "secret", private=True)
    for path in ("", "/likers", "/card/edit"):
        see(f"/models/ada/secret{path}", sign(bob), status=404)
    for part in ("related", "download", "use", "collect", "fork"):
        see("/models/ada/secret", sign(bob), part=part, status=404)
    assert "YOUR_TOKEN" in see("/models/ada/secret", sign(ada), part="download")


def test_an_empty_repository_says_how_to_fill_it_to_those_who_may(make_user, make_repository, sign, see, context):
    ada, bob = make_user(), make_user("bob")
    make_repository(ada, "thing", kind="dataset")
    page = see("/datasets/ada/thing", sign(ada))
    assert 'data-state="empty"' in page
    assert f"git clone {context.settings.effective_base_url}/datasets/ada/thing.git" in re.sub("<[^>]+>", "", page)
    assert "hf upload ada/thing ./folder . --repo-type dataset" in re.sub("<[^>]+>", "", page)
    assert "git push" not in see("/datasets/ada/thing", sign(bob))


def test_metadata_that_cannot_be_read_is_told_with_its_line(make_user, make_repository, write, see):
    write(make_repository(make_user(), "bert"), {"README.md": "---\nlicense: [mit\n---\n# It still shows\n", "a": "b"})
    page = see("/models/ada/bert")
    assert 'data-testid="card.problems"' in page
    assert "line 3" in page
    assert "It still shows" in page


def test_content_on_request_is_asked_for_on_the_page(client, make_user, make_repository, write, sign, see):
    ada, bob = make_user(), make_user("bob")
    write(make_repository(ada, "bert"), {"README.md": "# Hidden\n", "a": "b"})
    assert client.put("/api/v1/models/ada/bert/gate", json={"gated": "manual"}, headers=sign(ada)).status_code == 200
    page = see("/models/ada/bert", sign(bob))
    assert "Hidden" not in page
    assert 'data-testid="card.ask"' in page
    client.post("/api/v1/models/ada/bert/access_request", json={"answers": {}}, headers=sign(bob))
    assert "You have asked for access" in see("/models/ada/bert", sign(bob))
    assert "Hidden" in see("/models/ada/bert", sign(ada))


def test_parts_come_alone_when_the_page_asks_and_with_it_otherwise(make_user, make_repository, write, sign, see):
    ada = make_user()
    write(make_repository(ada, "bert"), {"README.md": CARD, "config.json": "{}"})
    part = see("/models/ada/bert", part="use")
    assert "<html" not in part
    assert "AutoModelForCausalLM.from_pretrained" in re.sub("<[^>]+>", "", part).replace("&#34;", '"')
    whole = see("/models/ada/bert?part=use")
    assert "<html" in whole
    assert 'data-testid="use.dialog"' in whole
    for name in ("collect", "fork"):
        assert "dialog" in see("/models/ada/bert", sign(ada), part=name)
        see("/models/ada/bert", part=name, status=401)
    pattern = see("/models/ada/bert?part=download&pattern=*.bin'%0a;x")
    assert "sparse-checkout" not in pattern
    assert "'\"'\"'" in see("/models/ada/bert?part=download&pattern=a'b").replace("&#39;", "'").replace("&#34;", '"')


def test_a_card_takes_few_queries_whatever_is_on_it(make_user, make_repository, write, count_queries, see, sign):
    ada = make_user()
    write(make_repository(ada, "bert"), {"README.md": CARD, "config.json": "{}"})
    see("/models/ada/bert", sign(ada))
    with count_queries() as queries:
        see("/models/ada/bert", sign(ada))
    assert len(queries) <= 14, queries


def test_the_head_names_labels_and_what_is_open(client, make_user, make_repository, sign, see):
    ada = make_user()
    make_repository(ada, "bert")
    given = {"title": "It breaks"}
    assert client.post("/api/v1/models/ada/bert/discussions", json=given, headers=sign(ada)).status_code == 200
    names = [f"word-{number}" for number in range(12)]
    client.post("/api/v1/models/ada/bert/tags/task", json=names, headers=sign(ada))
    page = see("/models/ada/bert")
    assert 'Community<span class="badge">1</span>' in page
    assert page.count('data-testid="repository.tag"') == 8
    assert "4 more" in page


def test_the_form_for_metadata_shows_what_is_there(make_user, make_repository, write, sign, see):
    ada, bob = make_user(), make_user("bob")
    write(make_repository(ada, "bert"), {"README.md": CARD})
    page = see("/models/ada/bert/card/edit", sign(ada))
    assert 'data-member="language" value="en, zh" data-words="list"' in page
    assert 'data-testid="card-edit.commit"' in page
    assert 'data-testid="card-edit.commit"' not in see("/models/ada/bert/card/edit", sign(bob))
    see("/models/ada/bert/card/edit", status=401)
