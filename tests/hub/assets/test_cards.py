from itertools import pairwise

import pytest

from hub.accounts.policy import SYSTEM
from hub.assets import service
from hub.assets.service.cardcheck import read_card_text
from hub.assets.service.cards import labels_in, read_metadata
from hub.db.uow import reading
from hub.jobs.run import run_due
from hub.repos.branches import set_default_branch
from hub.repos.files import FileEdit, commit_files
from hub.repos.models import Repository

CARD = """---
license: MIT
pipeline_tag: Text-Generation
library_name: transformers
language: [en, no, 3]
datasets: [ada/data, squad, ada/none, "ada/\\0", "ada/\\uD800"]
nonsense: {a: b}
---
# Thing
"""


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "# Thing",
            "---\nlicense: mit\n",
            "---\n- a list\n---\n",
            "---\na: [\n---\n",
            "---\n" + "[\n" * 5000 + "\n---\n",
        ),
        *("---\na: 2026-99-99\n---\n", "---\na: !!bool x\n---\n", "---\na: !!int ''\n---\n"),
        # A number of 5,000 digits: Python does not write it in decimal, and seconds would go into some.
        *("---\n? 0x" + "f" * 5000 + "\n: 1\n---\n", "---\na: " + "1:" * 5000 + "1\n---\n", "---\na: !!int {}\n---\n"),
        "---\n? !!binary YQ==\n: 1\n---\n",
        # Merged, this would be more than 10**12 members.
        "---\na0: &a0 {x: 1}\n"
        + "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 14))
        + "---\n",
    ],
)
def test_a_head_that_cannot_be_read_says_nothing(text):
    assert read_metadata(text) == {}


def test_members_mean_what_the_contract_says():
    metadata = read_metadata(CARD.replace("\n", "\r\n"))
    assert {
        ("license", "MIT"), ("task", "Text-Generation"), ("framework", "transformers"), ("language", "en"),
        ("language", "no"),
    } <= set(labels_in(metadata))  # fmt: skip
    card = read_metadata("---\ntasks: a\ntags: [b]\ntask_categories: [c]\nsize_categories: d\nsize: e\n---")
    assert labels_in(card) == [("task", "a"), ("other", "b"), ("task", "c"), ("size", "d"), ("size", "e")]


@pytest.mark.parametrize(
    ("card", "kind", "tasks"),
    [
        # "ab", "translation" and "summarization" stand before it in the alphabet.
        ("pipeline_tag: text-generation\ntags: [ab, translation, text-generation]", "model", ["text-generation"]),
        ("tags: [summarization]\ntask_categories: [translation]\npipeline_tag: b", "model", ["b"]),
        ("tags: [ab, Translation, summarization]", "model", ["Translation"]),
        ("tags: [ab]", "model", []),
        ("tags: [ab, translation]\ntask_categories: [a, b]\n", "dataset", ["a", "b"]),
    ],
)
def test_a_model_is_for_one_task_and_free_words_are_none(card, kind, tasks):
    known = {"translation", "summarization", "text-generation"}
    labels = labels_in(read_metadata(f"---\n{card}\n---\n"), kind=kind, tasks=known)
    assert [name for category, name in labels if category == "task"] == tasks
    assert {category for category, _name in labels} <= {"task", "other"}


@pytest.mark.any_database
def test_a_push_to_the_default_branch_brings_what_its_card_says(context, make_user, make_repository, actor_of):
    ada = make_user("ada")
    make_repository(ada, "data", kind="dataset")
    thing = make_repository(ada, "thing", license="apache-2.0")

    def shown():
        run_due(context)
        with reading(context) as work:
            row = work.session.get(Repository, thing.id)
            labels = service.labels_of(work, [thing.id]).get(thing.id, [])
            related = service.list_related(work, actor=SYSTEM, repository=row)
            return row.license, [label.name for label in labels], [other.path for other in related]

    def push(edit, **where):
        where = {"branch": "main"} | where
        commit_files(
            context, actor=actor_of(ada), repository_id=thing.id, message="Say what it is", edits=[edit], **where
        )

    assert shown() == ("apache-2.0", ["apache-2.0"], [])
    push(FileEdit("README.md", content=CARD.encode()), new_branch="trial")
    assert shown() == ("apache-2.0", ["apache-2.0"], [])
    push(FileEdit("README.md", content=CARD.encode()))
    said = ("MIT", ["transformers", "en", "no", "mit", "text-generation"], ["ada/data"])
    assert shown() == said
    push(FileEdit("other.md", content=b"x"))
    assert shown() == said
    push(FileEdit("README.md", "delete"))
    assert shown() == ("MIT", [], [])
    set_default_branch(context, actor=actor_of(ada), repository_id=thing.id, name="trial")
    assert shown() == said
    for edit in (FileEdit("README.md", "delete"), FileEdit("README.md/a", content=b"x")):
        push(edit, branch="trial")
    assert shown() == ("MIT", [], [])


def test_members_that_swell_by_referring_to_each_other_are_left_out_with_a_reason():
    swelling = "".join(f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in pairwise("abcdefghi"))
    card = read_card_text(f"---\na: &a [x]\n{swelling}self: &s [*s]\nlicense: mit\n---\n", ())
    assert [*card.metadata] == ["a", "b", "c", "d", "license"]
    assert [problem.key for problem in card.problems] == ["e", "f", "g", "h", "i", "self"]
    assert [problem.line for problem in card.problems] == [*range(6, 12)]
