"""What is read from a repository's files after each push: steps, kinds, cards, labels of files."""

import json
import os
import signal
import struct
import subprocess
import sys
from dataclasses import replace

import pytest

from hub.accounts.policy import ANONYMOUS, SYSTEM
from hub.assets import indexing
from hub.assets.indexing import INDEXERS, Indexer
from hub.assets.models_indexing import IndexStep, ModelMetadata
from hub.assets.service import labels_of, set_labels
from hub.assets.service.cardcheck import read_card_bytes
from hub.assets.service.cardindex import read_report
from hub.assets.service.describing import MAX_CHARS, describe_text
from hub.base.settings import environment_of
from hub.db.engine import DATABASE
from hub.db.uow import reading, unit_of_work
from hub.jobs.models import JobState
from hub.jobs.run import run_due, settle_dead
from hub.repos.cardkeys import MODEL_KEYS, SPACE_KEYS
from hub.repos.files import FileEdit, commit_files
from hub.repos.kinds import KINDS
from hub.repos.lookup import repository_path
from hub.repos.models import Repository
from hub.repos.service import update_repository, update_settings


@pytest.fixture
def thing(make_user, make_repository):
    return make_repository(make_user("ada"))


@pytest.fixture
def push(context, thing):
    """``push({"a.txt": b"1"})``: one commit to the default branch, and what follows it; None deletes a file."""

    def commit(files, **where):
        edits = [FileEdit(path, "delete") if content is None else FileEdit(path, content=content)
                 for path, content in files.items()]  # fmt: skip
        where = {"branch": "main"} | where
        result = commit_files(context, actor=SYSTEM, repository_id=thing.id, message="Files", edits=edits, **where)
        run_due(context)
        return result.commit_id

    return commit


def status_of(context, repository):
    found = indexing.find_status(context, repository, actor=SYSTEM)
    return found, {step.name: step for step in found.steps}


def row_of(context, repository):
    with reading(context) as work:
        return work.session.get(Repository, repository.id)


def labels(context, repository, category):
    with reading(context) as work:
        carried = labels_of(work, [repository.id]).get(repository.id, [])
        return sorted(label.name for label in carried if label.category == category)


# Steps.


def test_steps_are_done_once_at_a_commit_fail_alone_and_are_tried_again(context, clock, thing, push):
    ran = []

    def note(run):
        ran.append((run.indexer.name, run.commit_id, run.previous_commit_id))

    def fail(run):
        note(run)
        if len([name for name, *_ in ran if name == "b"]) < 3:
            raise OSError("postgresql://ada:word@db\0 is away")

    for name, function in (("a", note), ("b", fail), ("c", note)):
        indexing.add_indexer(context, Indexer(name, name.upper(), function))
    indexing.add_indexer(context, Indexer("d", "D", note, kinds=frozenset({"dataset"})))
    first = push({"a.txt": b"1"})
    assert [name for name, *_ in ran] == ["a", "b", "c"]
    found, steps = status_of(context, thing)
    assert (found.commit_id, found.state) == (first, "failed")
    assert {name: steps[name].state for name in "abc"} == {"a": "done", "b": "failed", "c": "done"}
    assert steps["b"].error == "OSError: postgresql://***@db\N{REPLACEMENT CHARACTER} is away"
    assert "d" not in steps
    # Why it failed is told to those who may write.
    assert [step.error for step in indexing.find_status(context, thing, actor=ANONYMOUS).steps if step.error] == []
    # The job is tried again after a pause, and runs what is left.
    clock.advance(60)
    run_due(context)
    clock.advance(600)
    run_due(context)
    assert [name for name, *_ in ran] == ["a", "b", "c", "b", "b"]
    assert status_of(context, thing)[0].state == "done"
    second = push({"a.txt": b"2"})
    assert ran[5:] == [(name, second, first) for name in "abc"]
    # A higher version reads again what was read.
    context[INDEXERS]._entries["a"] = replace(context[INDEXERS]._entries["a"], value=Indexer("a", "A", note, version=2))
    assert status_of(context, thing)[1]["a"].state == "pending"
    with unit_of_work(context) as work:
        indexing.ask_to_index(work, row_of(context, thing), actor_id=None)
    run_due(context)
    assert ran[8:] == [("a", second, second)]
    with unit_of_work(context) as work:
        indexing.request_indexing(work, actor=SYSTEM, repository=work.session.get(Repository, thing.id))
    run_due(context)
    assert [name for name, *_ in ran[9:]] == ["a", "b", "c"]


def test_of_two_runs_the_earlier_one_writes_nothing_and_a_deadly_step_comes_last(context, clock, thing, push):
    written = []

    def overtaken(run):
        if not written:
            # Another run, of a later push, does this step while this one is at it.
            written.append("later")
            with unit_of_work(context) as work:
                step = work.session.get(IndexStep, (thing.id, "late"))
                step.token = "another"
        with unit_of_work(context) as work:
            work.session.get(Repository, thing.id).nickname = "written"
            run.finish(work)

    indexing.add_indexer(context, Indexer("late", "Late", overtaken))
    push({"a.txt": b"1"})
    assert row_of(context, thing).nickname != "written"
    clock.advance(60)
    run_due(context)
    assert row_of(context, thing).nickname == "written"
    # A step whose process ended each time is given up, and the others do not wait for it.
    order = []
    indexing.add_indexer(context, Indexer("deadly", "Deadly", lambda run: order.append("deadly")))
    indexing.add_indexer(context, Indexer("after", "After", lambda run: order.append("after")))
    head = status_of(context, thing)[0].commit_id

    def cut_off(starts):
        with unit_of_work(context) as work:
            now = work.now()
            row = {"repository_id": thing.id, "name": "deadly", "state": "running", "commit_id": head}
            work.session.merge(IndexStep(**row, done_commit_id=None, starts=starts, token="x", started_at=now))
            indexing.ask_to_index(work, work.session.get(Repository, thing.id), actor_id=None)
        run_due(context)

    cut_off(1)
    assert order == ["after", "deadly"]
    cut_off(indexing.MAX_STARTS)
    assert order == ["after", "deadly"]
    [step] = [step for step in status_of(context, thing)[0].steps if step.name == "deadly"]
    assert (step.state, "ended 3 times" in step.error) == ("failed", True)


@pytest.mark.any_database
def test_kinds_are_whole_declarations(context, client):
    kinds = {kind["name"]: kind for kind in client.get("/api/v1/kinds").json["data"]}
    core = ["model", "dataset", "code", "space", "prompt", "skill", "mcpserver"]
    assert list(kinds)[:7] == core
    for name in core:
        kind = kinds[name]
        assert "README.md" in kind["files"]
        assert {"card", "files", "community", "settings"} <= {tab["name"] for tab in kind["tabs"]}
        assert {"card", "card_check"} <= {step["name"] for step in kind["indexers"]}
        assert "fork" in kind["actions"]
    assert "deploy" in kinds["model"]["actions"]
    assert "viewer" in {tab["name"] for tab in kinds["dataset"]["tabs"]}
    assert {"name": "license", "category": "license"}.items() <= kinds["model"]["card"][0].items()
    assert "labels" not in {step["name"] for step in kinds["code"]["indexers"]}
    # A kind may leave steps out.
    entry = context[KINDS]._entries["code"]
    context[KINDS]._entries["code"] = replace(entry, value=replace(entry.value, indexers=frozenset({"card"})))
    assert [step.name for step in indexing.indexers_of(context, "code")] == ["card"]


# Cards.


def problems_of(text, keys=MODEL_KEYS, **options):
    data = text if isinstance(text, bytes) else text.encode()
    return [(p.key, p.line, p.severity.value) for p in read_card_bytes(data, keys, **options).problems]


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("---\nlicense: mit\nlanguage: [en, no]\nbase_model: a/b\ndatasets: [c/d]\nlater: 1\n---\n# X\n", []),
        ("# No head\n", [("", None, "warning")]),
        ("---\nlicense: [\n---\n", [("", 3, "error")]),
        ("---\n- a\n---\n", [("", 2, "error")]),
        ("---\nlicense: mit\n", [("", 1, "error")]),
        ("---\n---\n", [("", 1, "warning")]),
        ("---\na: &a [x]\nb: &b [*a, *a]\n<<: *b\n---\n", [("", 4, "error")]),
        ("---\nlicense: 5\nlanguage: english!\n---\n", [("license", 2, "warning"), ("language", 3, "warning")]),
        ("---\nlicence: mit\n---\n", [("licence", 2, "note")]),
        ("---\nlicense: mit\nlicense: gpl\n---\n", [("license", 3, "warning")]),
        ("---\nlicense: other\n---\n", [("license", 2, "note")]),
        ("---\nbase_model_relation: cousin\n---\n", [("base_model_relation", 2, "warning")]),
        ("---\ntags: [a, {b: c}]\nmodel-index: x\n---\n", [("tags", 2, "warning"), ("model-index", 3, "warning")]),
        ('---\ntags: ["a\\0"]\n---\n', [("tags", 2, "warning")]),
        ("---\ntags: [" + "a," * 40_000 + "]\n---\n", [("", 1, "warning")]),
        ("---\nlicense: mit\n---\n".encode("utf-16"), [("", None, "warning")]),
        (b"---\nlicense: mit\n---\nna\xefve\n", [("", None, "warning")]),
        ("---\n" + "".join(f"tag{n}: 1\n" for n in range(9)) + "---\n", []),
    ],
)
def test_what_is_wrong_with_a_card_is_said_where_it_stands(text, found):
    assert problems_of(text) == found


@pytest.mark.any_database
def test_a_card_is_cut_anywhere_and_no_worse_for_it():
    body = "é" * 100_000
    data = f"---\nlicense: mit\n---\n{body}".encode()
    card = read_card_bytes(data[:100_001], MODEL_KEYS, is_whole=False)
    assert (card.metadata, list(card.problems), card.body_line, card.body_offset) == ({"license": "mit"}, [], 4, 21)
    assert problems_of("---\nsdk: fish\napp_port: true\npinned: 1\n---\n", SPACE_KEYS) == [
        ("sdk", 2, "warning"), ("app_port", 3, "warning"), ("pinned", 4, "warning"),
    ]  # fmt: skip


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("body", "text"),
    [
        (
            "# Title\n\n![badge](x)\n[![b](y)](z)\n\nA **model** that `reads` [cards](http://x) and\nwrites.\n\nMore.",
            "A model that reads cards and writes.",
        ),
        (
            "<div>\n\nTitle of the thing\n=====\n\n```\nsome code that goes on\n```\n\n| a | b |\n\n- many things",
            "",
        ),
        (
            "<!-- " + "x " * 500 + "-->\nSmol &amp; quick: for small machines.",
            "Smol & quick: for small machines.",
        ),
        ("[" * 60_000, ""),
        ("`" * 30_000 + "![" * 30_000, ""),
        ("<" * 60_000 + "\n\n" + "_*" * 30_000, ""),
    ],
)
def test_a_card_describes_with_its_first_plain_paragraph(body, text):
    assert describe_text(body) == text
    assert len(describe_text("word " * 1000)) <= MAX_CHARS


@pytest.mark.any_database
def test_a_push_brings_the_cards_report_its_description_and_labels_of_files(context, thing, push, client):
    head = b"---\nlicense: mit\nlanguage: 7\nlibrary_name: safetensors\n---\n"
    card = head + b"# T\n\nA model for the smallest of machines.\n"
    first = push({"README.md": card, "a/model.safetensors": b"x", "pytorch_model-1.bin": b"x", "m.GGUF": b"y"})
    shown = client.get("/api/v1/models/ada/thing/card").json["data"]
    assert (shown["commit"], shown["metadata"]["license"]) == (first, "mit")
    assert [(problem["key"], problem["line"]) for problem in shown["problems"]] == [("language", 3)]
    assert shown["body"] | {"url": ""} == {"line": 6, "offset": card.index(b"# T"), "size": len(card), "url": ""}
    assert client.get(shown["body"]["url"]).data == card
    assert row_of(context, thing).description == "A model for the smallest of machines."
    assert client.get("/api/v1/models?search=smallest").json["total"] == 1
    assert labels(context, thing, "framework") == ["gguf", "pytorch", "safetensors"]
    # What both the card and a file say stays as long as one of them says it.
    push({"a/model.safetensors": None, "m.GGUF": None})
    assert labels(context, thing, "framework") == ["pytorch", "safetensors"]
    push({"README.md": b"A model for quite other machines.\n", "b.safetensors": b"x", "pytorch_model-1.bin": None})
    assert labels(context, thing, "framework") == ["safetensors"]
    assert row_of(context, thing).description == "A model for quite other machines."
    # Everybody sees a description; what a gated repository says, only those who were let in.
    with unit_of_work(context) as work:
        update_settings(work, actor=SYSTEM, repository_id=thing.id, gate="auto")
    push({"README.md": b"What only those know who were let in.\n"})
    assert row_of(context, thing).description == ""
    with unit_of_work(context) as work:
        update_settings(work, actor=SYSTEM, repository_id=thing.id, gate="")
        repository = work.session.get(Repository, thing.id)
        set_labels(work, actor=SYSTEM, repository=repository, category="framework", names=["jax"])
        update_repository(work, actor=SYSTEM, repository_id=thing.id, description="Mine")
    push({"README.md": b"Something else that is long enough.\n", "b.safetensors": None})
    assert (row_of(context, thing).description, labels(context, thing, "framework")) == ("Mine", ["jax"])
    old = client.get(f"/api/v1/models/ada/thing/card?ref={first}").json["data"]
    assert old["metadata"]["license"] == "mit"
    push({"README.md": None})
    gone = client.get("/api/v1/models/ada/thing/card").json["data"]
    assert (gone["path"], [problem["severity"] for problem in gone["problems"]]) == ("", ["note"])
    # A README that is longer than what is looked at is as good as any.
    push({"README.md": b"---\nlicense: mit\n---\nA card whose text never comes to an end.\n" + b"x" * 300_000})
    assert read_report(context, row_of(context, thing), actor=SYSTEM).metadata == {"license": "mit"}
    checked = client.post("/api/v1/validate-card", json={"content": "---\nlicence: mit\n---\n", "type": "model"}).json
    assert checked["data"]["valid"] is True
    assert [problem["key"] for problem in checked["data"]["problems"]] == ["licence"]


# What is large, and what is cut off.

MANY = 2_000


def _import_many(path, count):
    """Commit so many small files at once, as a push brings them: a hundredth of them weights."""
    head = "committer a <a@example.org> 1700000000 +0000\ndata 1\nx\nfrom refs/heads/main^0\n"
    lines = [b"commit refs/heads/main\n", head.encode()]
    for number in range(count):
        ending = "safetensors" if number % 100 == 0 else "txt" if number % 2 else "json"
        data = safetensors_of(number) if ending == "safetensors" else b"words %d " % number * 20
        lines.append(f"M 100644 inline d{number // 100}/f{number}.{ending}\ndata {len(data)}\n".encode() + data + b"\n")
    command = ["git", "-C", str(path), "fast-import", "--quiet"]
    subprocess.run(command, input=b"".join(lines), check=True)


def safetensors_of(number):
    head = json.dumps({"w": {"dtype": "F32", "shape": [number], "data_offsets": [0, 0]}}).encode()
    return struct.pack("<Q", len(head)) + head + bytes(4 * number)


@pytest.mark.any_database
def test_many_files_take_no_memory_and_a_killed_worker_leaves_no_half_index(
    context, settings, thing, make_user, make_repository
):
    small = make_repository(make_user("bob"), "small")
    run_due(context)
    _import_many(repository_path(context.settings, thing), MANY)
    environment = os.environ | environment_of(settings)
    environment["HUB_DATABASE_URL"] = context[DATABASE].url.render_as_string(hide_password=False)
    command = [sys.executable, "-m", "tests.support.indexing"]

    def ask(repository):
        with unit_of_work(context) as work:
            row = work.session.get(Repository, repository.id)
            return indexing.ask_to_index(work, row, actor_id=None, is_forced=True).uuid

    job = ask(thing)
    killed = subprocess.run([*command, "model"], env=environment, check=False)
    assert killed.returncode == -signal.SIGKILL
    found, steps = status_of(context, thing)
    assert (steps["labels"].state, steps["model"].state, steps["facts"].state) == ("done", "running", "pending")
    with reading(context) as work:
        metadata = work.session.get(ModelMetadata, thing.id)
    # What was there before is there still, whole.
    assert metadata.commit_id == steps["model"].commit_id != found.commit_id
    assert metadata.files == []
    assert labels(context, thing, "framework") == ["safetensors"]
    # Another worker goes on; first with something small, to see what the many files take on top of it.
    ask(small)
    assert settle_dead(context, job, attempt=1, reason="killed") == JobState.QUEUED
    done = subprocess.run(command, env=environment, check=True, capture_output=True)
    peaks = json.loads(done.stdout.splitlines()[-1])
    assert peaks["all"] - peaks["first"] < 16 * 1024 * 1024
    assert status_of(context, thing)[0].state == "done"
    with reading(context) as work:
        metadata = work.session.get(ModelMetadata, thing.id)
    assert len(metadata.files) == MANY // 100
    assert not any(file["reason"] for file in metadata.files)
