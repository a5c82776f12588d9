"""The asset hub as people meet it: pushed by git, read by a worker, asked over HTTP, on PostgreSQL, Redis and S3.

One story each: a model, a data set, what hostile files do, a worker that is killed, small assets, a pull request.
"""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.hub.assets.test_mcp_form import MANIFEST, SERVER, TOOLS
from tests.support.assets import MODEL_NAME, MODEL_SIZE_BYTES
from tests.support.checkout import Checkout
from tests.support.git import GitUser
from tests.support.hub import Account, HubServer, pause, resume
from tests.support.made import Harmful, png, safetensors, table, zip_bomb
from tests.support.processes import wait_until
from tests.support.servers import S3, PostgreSQL, Redis, scratch_directory
from tests.support.venvs import make_venv

pytestmark = pytest.mark.slow

# On an idle machine none of what is waited for takes a tenth of it.
LIMIT_S = 120
PARAMETERS = 134_515_008
ROWS = 100_000
FILES = 2000


@pytest.fixture(scope="module")
def hub(postgresql: PostgreSQL, redis_server: Redis, s3_server: S3) -> Iterator[HubServer]:
    """Its worker is killed here, so nobody shares it."""
    settings = {
        "database_url": postgresql.url(postgresql.create_database()),
        "redis_url": redis_server.url(3),
        "storage_url": s3_server.storage_url(s3_server.create_bucket()),
        "ssh_port": 0,
    }
    with scratch_directory("assets") as directory, HubServer(directory / "home", settings) as server:
        yield server


@pytest.fixture(scope="module")
def account(hub: HubServer) -> Account:
    return hub.new_account()


@pytest.fixture
def checkout_of(account: Account, git_user: GitUser, tmp_path: Path) -> Callable[..., Checkout]:
    """``checkout_of("thing", "datasets")``: a fresh repository of the account and a clone of it."""

    def make(name: str, collection: str = "models", **fields: Any) -> Checkout:
        path = account.create_repository(name, collection=collection, **fields)
        git_user.clone(account.address(path), tmp_path / name)
        return Checkout(account.hub, account, git_user, path, tmp_path / name)

    return make


def push(checkout: Checkout, files: Mapping[str, bytes | str]) -> str:
    """Commit the files and push them; the commit."""
    for name, content in files.items():
        path = checkout.work_tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    checkout.user.git("add", "--all", cwd=checkout.work_tree)
    checkout.user.git("commit", "--quiet", "--message", "More", cwd=checkout.work_tree)
    checkout.user.push(checkout.work_tree, "main")
    return checkout.user.head(checkout.work_tree)


def steps_of(checkout: Checkout, commit: str) -> dict[str, tuple[str, str]]:
    """State and reason of each step, when all of them have ended at the commit."""
    found: dict[str, Any] = {}

    def has_ended() -> bool:
        found.update(checkout.account.api.get(f"/api/v1/{checkout.path}/index").data)
        ended = all(step["commit"] == commit and step["state"] in ("done", "failed") for step in found["steps"])
        return bool(found["commit"] == commit and found["steps"] and ended)

    try:
        wait_until(has_ended, timeout_s=LIMIT_S, what="the steps")
    except TimeoutError as error:
        raise AssertionError(f"{error}: {found}") from None
    return {step["name"]: (step["state"], step["error"]) for step in found["steps"]}


def assert_indexed(checkout: Checkout, commit: str) -> None:
    steps = steps_of(checkout, commit)
    assert {state for state, _ in steps.values()} == {"done"}, steps


def search(account: Account, text: str, type: str) -> list[dict[str, Any]]:
    """What a search over everything finds of one type."""
    found = account.api.get(f"/api/v1/search?q={text}&type={type}").data
    return [item for section in found["sections"] for item in section["items"]]


CARD = """---
license: apache-2.0
language: [en, fr]
pipeline_tag: text-generation
library_name: gguf
tags: [tiny, chat]
base_model: {base}
base_model_relation: quantized
---

# SmolLM2, 4 bit

The small language model that a zymurgist keeps beside the kettle.

| file | size | error |
| :--- | ---: | :---: |
| `SmolLM2-135M-Instruct.Q4_1.gguf` | 98,362,432 | $10^{{-3}}$ |

$$\\hat w = d \\cdot q + m, \\quad q \\in \\{{0, \\dots, 15\\}}$$

![The curve](images/curve.png) <img src="images/curve.png" width="10" onerror="alert(1)">
"""


def test_a_model_is_read_after_its_push(hub, account, checkout_of, model_file):
    base = checkout_of("smol-base")
    weights = safetensors(embed=[100, 10], head=[10, 50])
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "max_position_embeddings": 8192}
    first = push(base, {"model.safetensors": weights, "config.json": json.dumps(config)})
    model = checkout_of("smol")
    model.user.git("lfs", "track", "*.gguf", cwd=model.work_tree)
    (model.work_tree / MODEL_NAME).hardlink_to(model_file)
    card = CARD.format(base=base.path.removeprefix("models/"))
    code = "def requantise_gently(blocks):\n    return [block.scale for block in blocks]\n"
    commit = push(model, {"README.md": card, "images/curve.png": png(), "src/convert.py": code})
    assert_indexed(base, first)
    assert_indexed(model, commit)

    told = account.api.get(f"/api/v1/{model.path}/metadata").data
    assert (told["parameters"], told["context_length"]) == (PARAMETERS, 8192)
    assert [one["name"] for one in told["quantizations"]] == ["Q4_1"]
    assert (told["architecture"], [file["reason"] for file in told["files"]]) == ("llama", [""])
    assert account.api.get(f"/api/v1/{base.path}/metadata").data["parameters"] == 1500
    shown = account.api.get(f"/api/v1/{model.path}").data
    labels = {(tag["category"], tag["name"]) for tag in shown["tags"]}
    wanted = {("license", "apache-2.0"), ("task", "text-generation"), ("framework", "gguf"), ("language", "fr")}
    assert wanted <= labels, labels
    assert account.api.get(f"/api/v1/{model.path}/card").data["problems"] == []
    head = account.api.get(f"/api/v1/{model.path}/header/{MODEL_NAME}?search=token_embd&per=5").data
    assert (head["format"], head["total_parameters"], head["size"]) == ("gguf", PARAMETERS, MODEL_SIZE_BYTES)
    assert [tensor["name"] for tensor in head["tensors"]] == ["token_embd.weight"]
    [variant] = account.api.get(f"/api/v1/{model.path}/quantizations").data
    assert (variant["path"], variant["quantization"]) == (MODEL_NAME, "Q4_1")
    security = account.api.get(f"/api/v1/{model.path}/security").data
    assert (security["state"], set(security["counts"])) == ("safe", {"safe"}), security

    def edges() -> list[tuple[str, str, str]]:
        graph = account.api.get(f"/api/v1/{model.path}/lineage?direction=up").data
        paths = {node["id"]: node["path"] for node in graph["nodes"]}
        return [(paths[edge["source"]], edge["type"], paths[edge["target"]]) for edge in graph["edges"]]

    assert edges() == [(f"{account.name}/smol", "quantized", f"{account.name}/smol-base")]
    assert account.api.put(f"/api/v1/{base.path}", {"name": "renamed"}).status == 200
    assert edges() == [(f"{account.name}/smol", "quantized", f"{account.name}/renamed")]

    assert [item["path"] for item in search(account, "zymurgist", "models")] == [f"{account.name}/smol"]
    [found] = search(account, "requantise_gently", "code")
    assert (found["path"], found["lines"][0]["number"]) == ("src/convert.py", 1)
    facets = {facet["category"]: facet for facet in account.api.get("/api/v1/models/facets?search=smol").data}
    assert ("gguf", 1) in [(value["name"], value["count"]) for value in facets["framework"]["values"]]

    eighth = MODEL_SIZE_BYTES // 8
    for number in range(8):
        wanted = {"Range": f"bytes={number * eighth}-{(number + 1) * eighth - 1}"}
        address = f"/api/v1/{model.path}/resolve/{MODEL_NAME}?ref=main"
        assert account.api.get(address, headers=wanted).status in (206, 302)

    def downloads() -> list[int]:
        days = account.api.get(f"/api/v1/{model.path}/downloads").data["days"]
        return [day["downloads"] for day in days if day["downloads"]]

    wait_until(downloads, timeout_s=LIMIT_S, what="the downloads to be counted")
    assert downloads() == [1]


def test_a_private_data_set_is_a_table_to_its_owner_alone(hub, account, checkout_of):
    real = next(make_venv("huggingface").glob("lib/python3*/site-packages/vega_datasets/_data"))
    data = checkout_of("confidential", "datasets", private=True)
    old = push(data, {"weather/train.csv": (real / "seattle-weather.csv").read_bytes()[:2000].rpartition(b"\n")[0]})
    data.user.git("lfs", "track", "*.parquet", cwd=data.work_tree)
    configs = {
        "weather": "weather/train.csv",
        "cars": "cars/train.json",
        "numbers": "numbers/train-*.parquet",
        "broken": "broken/train.csv",
    }
    card = "".join(f"- config_name: {name}\n  data_files: {path}\n" for name, path in configs.items())
    half = ROWS // 2
    commit = push(
        data,
        {
            "README.md": f"---\nconfigs:\n{card}---\n# Tables\n",
            "weather/train.csv": (real / "seattle-weather.csv").read_bytes(),
            "cars/train.json": (real / "cars.json").read_bytes(),
            "numbers/train-00000-of-00002.parquet": table(half),
            "numbers/train-00001-of-00002.parquet": table(half, first=half),
            "broken/train.csv": b"a,b\n1,2\n3,4,5,6\n",
        },
    )
    assert_indexed(data, commit)
    api, place = account.api, f"/api/v1/{data.path}/dataviewer"

    def splits() -> dict[str, dict[str, Any]]:
        told = api.get(f"{place}/catalog").data
        return {info["config_name"]: info["splits"][0] for info in told["dataset_info"]}

    # What the conversion after the push could not read is tried once more by the first who looks.
    assert api.get(f"{place}/rows?config=broken&split=train").status < 500

    def are_made() -> bool:
        return "pending" not in {split["state"] for split in splits().values()}

    wait_until(are_made, timeout_s=LIMIT_S, what="the tables")
    states = {name: (split["state"], split["num_examples"]) for name, split in splits().items()}
    assert states["numbers"] == ("ready", ROWS)
    assert states["weather"] == ("ready", 1461)
    assert states["cars"] == ("ready", 406)
    assert states["broken"][0] == "failed"
    assert "broken/train.csv" in splits()["broken"]["reason"], splits()["broken"]
    assert "broken/train.csv" in api.get(f"{place}/catalog").data["logs"]

    def rows(query: str, config: str = "numbers") -> dict[str, Any]:
        return api.get(f"{place}/rows?config={config}&split=train&{query}").data

    first, last = rows("page=1&per=10"), rows(f"page={ROWS // 10}&per=10")
    assert (first["columns"], first["total"]) == (["id", "word", "share"], ROWS)
    assert [first["rows"][0][:2], last["rows"][-1][:2]] == [[0, "word0"], [ROWS - 1, f"word{(ROWS - 1) % 97}"]]
    found = rows("where=id+%3E+99990+AND+word+%3C%3E+'word0'&orderby=id+DESC")
    assert (found["rows"][0][0], found["total"]) == (ROWS - 1, 9)
    assert rows("search=word96&per=1")["total"] == ROWS // 97
    assert rows("search=fog&per=1", "weather")["total"] > 0
    assert api.get(f"{place}/rows?config=broken&split=train").status == 422

    def statistics() -> dict[str, Any]:
        return api.get(f"{place}/statistics?config=numbers&split=train").data

    wait_until(lambda: statistics()["state"] == "done", timeout_s=LIMIT_S, what="the statistics")
    number, word, _ = statistics()["columns"]
    assert (number["min"], number["max"], number["null_count"]) == (0, ROWS - 1, 0)
    assert sum(number["histogram"]["hist"]) == ROWS
    assert word["top"][0]["count"] == ROWS // 97 + 1
    exported = api.get(f"{place}/export?config=numbers&split=train&format=csv&where=id+%3C+3")
    assert (exported.headers["X-Rows"], exported.body.splitlines()[1][:8]) == ("3", b"0,word0,")

    # An old revision: the file was shorter, and nothing but a job makes it a table.
    def earlier() -> dict[str, Any]:
        return rows(f"ref={old}", "default")

    wait_until(lambda: not earlier()["pending"], timeout_s=LIMIT_S, what="the old table")
    assert 20 < earlier()["total"] < 100

    stranger = hub.new_account()
    beside = {"Host": f"datasets-server.localhost:{hub.port}"}
    of = f"dataset={data.path.removeprefix('datasets/')}&config=numbers&split=train"
    queries = {
        f"/rows?{of}&offset={ROWS - 2}&length=2": 2,
        f"/search?{of}&query=word5": 100,
        f"/filter?{of}&where=id%3C5": 5,
        f"/first-rows?{of}": 100,
    }
    for query, count in queries.items():
        answer = api.get(query, headers=beside)
        assert (answer.status, len(answer.json["rows"])) == (200, count), (query, answer.body[:500])
        assert stranger.api.get(query, headers=beside).status == 404
        assert hub.api.get(query, headers=beside).status in (401, 404)
    measured = api.get(f"/statistics?{of}", headers=beside).json
    assert {column["column_name"] for column in measured["statistics"]} == {"id", "word", "share"}
    for route in ("catalog", "rows?config=numbers&split=train", "statistics?config=numbers&split=train"):
        assert {asked.get(f"{place}/{route}").status for asked in (stranger.api, hub.api)} == {404}
    assert search(stranger, data.path.rpartition("/")[2], "datasets") == []


def test_hostile_files_give_their_reasons_and_the_hub_goes_on(hub, account, checkout_of):
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{after}: &{after} [{', '.join([f'*{before}'] * 9)}]\n"
        for before, after in zip("abcdefgh", "bcdefghi", strict=True)
    )
    api, deep, packed = account.api, "[" * 10_000 + "]" * 10_000, zip_bomb()
    bad = checkout_of("hostile")
    commit = push(
        bad,
        {
            "README.md": f"---\n{bomb}license: mit\n---\n# Bomb\n",
            "model.safetensors": struct.pack("<Q", 100 * 1000**3) + b'{"a":',
            "good.safetensors": safetensors(good=[10, 10]),
            "weights.gguf": b"GGUF" + struct.pack("<IQQ", 3, 2**60, 2**60) + bytes(64),
            "config.json": deep,
            "harm.pkl": pickle.dumps(Harmful()),
            "bomb.zip": packed,
            "src/plain.py": "def unaffected_neighbour():\n    pass\n",
        },
    )
    tables = checkout_of("hostile-tables", "datasets")
    tables.user.git("lfs", "track", "line.csv", cwd=tables.work_tree)
    places = {"line": "line.csv", "deep": "deep.json", "zip": "bomb.zip", "good": "good.csv"}
    card = "".join(f"- config_name: {name}\n  data_files: {path}\n" for name, path in places.items())
    unread = push(tables, {"README.md": "---\nlicense: [mit\n---\n# Broken\n"})
    second = push(
        tables,
        {
            "README.md": f"---\nconfigs:\n{card}---\n# Mended\n",
            "line.csv": b"a" * 20_000_000,
            "deep.json": deep,
            "bomb.zip": packed,
            "good.csv": "a,b\n1,2\n",
        },
    )
    assert_indexed(bad, commit)
    assert_indexed(tables, second)

    bombed = api.get(f"/api/v1/{bad.path}/card").data
    assert (bombed["metadata"]["license"], [problem["key"] for problem in bombed["problems"]]) == ("mit", [*"efghi"])
    [problem] = api.get(f"/api/v1/{tables.path}/card?ref={unread}").data["problems"]
    assert (problem["severity"], problem["line"]) == ("error", 3)
    told = api.get(f"/api/v1/{bad.path}/metadata").data
    reasons = {file["path"]: file["reason"] for file in told["files"]}
    assert (told["parameters"], reasons["good.safetensors"]) == (100, "")
    assert "100,000,000,000 bytes" in reasons["model.safetensors"]
    assert "1,152,921,504,606,846,976 tensors" in reasons["weights.gguf"]
    assert api.get(f"/api/v1/{bad.path}/header/weights.gguf").status == 422
    assert api.get(f"/api/v1/{bad.path}/header/good.safetensors").data["total"] == 1
    files = {file["path"]: file for file in api.get(f"/api/v1/{bad.path}/security").data["files"]}
    assert [path for path, file in files.items() if file["state"] != "safe"] == ["harm.pkl"]
    assert (files["harm.pkl"]["state"], files["harm.pkl"]["imports"][0]["name"]) == ("unsafe", "system")
    assert [hit["path"] for hit in search(account, "unaffected_neighbour", "code")] == ["src/plain.py"]

    place = f"/api/v1/{tables.path}/dataviewer"
    statuses = {name: api.get(f"{place}/rows?config={name}&split=train").status for name in places}
    assert set(statuses.values()) <= {200, 422}, statuses
    answers: list[int] = []

    def splits() -> dict[str, dict[str, Any]]:
        answers.append(hub.api.get("/api/v1/models").status)
        found = api.get(f"{place}/catalog").data["dataset_info"]
        return {config["config_name"]: config["splits"][0] for config in found}

    def have_ended() -> bool:
        return "pending" not in {split["state"] for split in splits().values()}

    wait_until(have_ended, timeout_s=LIMIT_S, what="the tables")
    assert set(answers) == {200}
    states = {name: (split["state"], split["reason"].partition(":")[0]) for name, split in splits().items()}
    assert states == {
        "good": ("ready", ""),
        **{name: ("failed", path) for name, path in places.items() if name != "good"},
    }
    assert api.get(f"{place}/rows?config=good&split=train").data["rows"] == [[1, 2]]


def test_a_worker_that_is_killed_while_it_indexes_leaves_a_whole_index(hub, account, checkout_of):
    own = checkout_of("killed")
    files = {f"src/part{number % 50}/word{number}.py": f"marker{number} = {number}\n" for number in range(FILES)}
    worker = hub.program("worker")[0]
    hub.rest()
    pause(worker)
    commit = push(own, {"README.md": "---\nlicense: mit\n---\n# Many\n", **files})
    wait_until(
        lambda: hub.rows("SELECT 1 FROM jobs WHERE name = 'repos.after_push' AND state = 'queued'"),
        timeout_s=LIMIT_S,
        what="the push's job",
    )
    resume(worker)

    def steps() -> list[str]:
        query = "SELECT s.state FROM index_steps s WHERE s.commit_id = :commit"
        return [state for (state,) in hub.rows(query, commit=commit)]

    wait_until(lambda: "done" in steps(), timeout_s=LIMIT_S, what="the first step")
    pause(worker)
    for process in (*worker.children(recursive=True), worker):
        process.kill()
    dead = hub.rows("SELECT uuid FROM jobs WHERE name = 'assets.index' AND state = 'running'")
    assert dead, "nothing was killed in the middle"
    # Half a minute without a sign of life goes by.
    hub.execute("UPDATE jobs SET heartbeat_at = '2026-01-01 00:00:00' WHERE state = 'running'")
    assert_indexed(own, commit)
    for number in (0, FILES // 2, FILES - 1):
        [hit] = search(account, f"marker{number}", "code")
        assert hit["path"] == f"src/part{number % 50}/word{number}.py"
    counts = account.api.get(f"/api/v1/{own.path}/security").data["counts"]
    assert counts == {"safe": FILES + 2}


def test_prompts_skills_and_servers_are_read_from_their_files(hub, account, checkout_of):
    api = account.api
    prompts = checkout_of("sayings", "prompts")
    place = f"/api/v1/{prompts.path}/prompt"
    prompt = {"title": "Haiku", "content": "Write a haiku about {{topic}}.", "variables": [{"name": "topic"}]}
    made = api.post(f"{place}/record", prompt).data
    prompts.user.git("pull", "--quiet", "--rebase", "origin", "main", cwd=prompts.work_tree)
    [file] = prompts.work_tree.glob("*.jsonl")
    later = json.loads(file.read_text()) | {"content": "Write an ode to {{topic}}."}
    head = push(prompts, {file.name: json.dumps(later)})
    compared = api.get(f"{place}/compare/{made['file_path']}?a={made['commit_id']}&b=main").data
    assert "-Write a haiku about {{topic}}.\n+Write an ode to {{topic}}.\n" in compared["diff"]
    assert_indexed(prompts, head)
    [listed] = api.get("/api/v1/prompts/records?search=haiku").data
    assert listed["title"] == "Haiku"

    skill = checkout_of("brewing", "skills")
    text = "---\nname: brewing\ndescription: How to brew.\nmetadata:\n  category: kitchen\n---\n# Brew\n"
    head = push(skill, {"SKILL.md": text, "scripts/brew.py": "print('brew')\n"})
    assert_indexed(skill, head)
    assert api.post(f"/api/v1/{skill.path}/publish", {"version": "1.0.0"}).data["commit"] == head
    packed = hub.api.get(f"/api/v1/{skill.path}/versions/1.0.0/download")
    with zipfile.ZipFile(io.BytesIO(packed.body)) as archive:
        assert archive.read("SKILL.md").decode() == text
        assert "scripts/brew.py" in archive.namelist()
    assert {"category": "kitchen", "count": 1} in hub.api.get("/api/v1/skills/categories").data

    server = checkout_of("forecaster", "mcps")
    files = {"manifest.json": MANIFEST, "tools.json": TOOLS, "server.json": SERVER}
    head = push(server, {name: json.dumps(content) for name, content in files.items()})
    assert_indexed(server, head)
    tools = hub.api.get("/api/v1/mcps/tools?search=forecast").data["data"]
    assert [(tool["name"], tool["repo_path"]) for tool in tools] == [("forecast", f"{account.name}/forecaster")]


def test_a_pull_request_is_reviewed_protected_and_squashed(hub, account, checkout_of, git_user, tmp_path):
    own = checkout_of("shared")
    push(own, {"guide.md": "one\ntwo\nthree\n"})
    bob = hub.new_account()
    place = f"/api/v1/{own.path}"
    assert account.api.put(f"{place}/collaborators/{bob.name}", {"role": "write"}).status == 200
    rule = {"require_pull": True, "required_approvals": 1}
    assert account.api.put(f"{place}/protected_branches/main", rule).status == 200

    work_tree = tmp_path / "bobs"
    git_user.clone(bob.address(own.path), work_tree)
    git_user.git("switch", "--quiet", "--create", "better", cwd=work_tree)
    git_user.commit(work_tree, {"guide.md": "one\nTWO\nthree\n", "more.md": "more\n"}, "Shout")
    refused = git_user.push(work_tree, "better:main", check=False)
    assert not refused.ok
    assert "pull request" in refused.error
    git_user.push(work_tree, "better")
    pull = bob.api.post(f"{place}/pulls", {"title": "Shout", "revision": "better"}).data
    at = f"{place}/pulls/{pull['number']}"
    files = account.api.get(f"{at}/files?hunks=true").data["files"]
    assert [(file["path"], file["status"]) for file in files] == [("guide.md", "modified"), ("more.md", "added")]
    assert "TWO" in {line["text"] for line in files[0]["hunks"][0]["lines"]}
    blocked = bob.api.post(f"{at}/merge", {"method": "squash"})
    assert (blocked.status, blocked.json["code"]) == (409, "merge_blocked")

    line = {"path": "guide.md", "end_line": 2, "content": "Softly:\n```suggestion\ntwo!\n```"}
    review = {"state": "changes", "content": "Nearly.", "comments": [line]}
    assert account.api.post(f"{at}/reviews", review).data["comment_count"] == 1
    [thread] = bob.api.get(f"{at}/threads?state=open").data
    made = bob.api.post(f"{at}/threads/{thread['id']}/apply", {}).data["commit_id"]
    git_user.git("fetch", "--quiet", "origin", f"refs/pr/{pull['number']}", cwd=work_tree)
    assert git_user.head(work_tree, "FETCH_HEAD") == made
    assert account.api.post(f"{at}/reviews", {"state": "approved", "commit_id": made}).status == 200
    assert bob.api.get(f"{at}/mergeability").data["state"] == "mergeable"
    merged = bob.api.post(f"{at}/merge", {"method": "squash", "expected_head": made}).data
    assert (merged["status"], merged["merge_method"]) == ("merged", "squash")
    own.user.git("pull", "--quiet", cwd=own.work_tree)
    assert own.user.head(own.work_tree) == merged["merge_commit"]
    assert (own.work_tree / "guide.md").read_text() == "one\ntwo!\nthree\n"
    assert (own.work_tree / "more.md").exists()
