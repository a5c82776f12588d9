"""What is told of repositories, one by one and in lists: members, filters, pages. Hugging Face contract, section 5."""

from __future__ import annotations

import hashlib
import json
import re
import struct

import pytest
from sqlalchemy import select

from hub.accounts.policy import Actor
from hub.assets.models import RepositoryTag, Tag
from hub.assets.models_lineage import Relation, RelationType
from hub.assets.service import tensors
from hub.compat import info_schemas
from hub.db.uow import unit_of_work
from hub.jobs.run import run_due
from hub.repos import service
from hub.repos.lookup import repository_path
from hub.repos.models import Repository
from tests.hub.compat.conftest import LFS_NAME, inline, refusal

CARD = b"""---
license: MIT
pipeline_tag: text-generation
library_name: transformers
language: [en, no]
released: 2026-01-02
base_model: ada/base
datasets: [ada/corpus, bob/secret, bob/none]
model-index: [{name: thing}]
widget: [{text: Hello}]
huge: &a [1, &b [1, *a]]
---
# Thing
"""


def safetensors(**tensors):
    """A file of weights: name=(type, shape)."""
    head, at = {"__metadata__": {"format": "pt"}}, 0
    for name, (dtype, shape) in tensors.items():
        size = 4
        for length in shape:
            size *= length
        head[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + size]}
        at += size
    raw = json.dumps(head).encode()
    return struct.pack("<Q", len(raw)) + raw + b"\0" * at


def gguf(total=(3, 5)):
    """A GGUF file with one tensor, an architecture and three words."""

    def text(value):
        return struct.pack("<Q", len(value)) + value

    words = b"".join(map(text, (b"<s>", b"</s>", b"a")))
    members = [
        (b"general.architecture", 8, text(b"llama")),
        (b"llama.context_length", 4, struct.pack("<I", 2048)),
        (b"tokenizer.ggml.tokens", 9, struct.pack("<IQ", 8, 3) + words),
        (b"tokenizer.ggml.scores", 9, struct.pack("<IQ", 6, 2) + bytes(8)),
        (b"tokenizer.ggml.eos_token_id", 4, struct.pack("<I", 1)),
    ]
    body = b"".join(text(name) + struct.pack("<I", kind) + value for name, kind, value in members)
    tensor = (
        text(b"w") + struct.pack("<I", len(total)) + struct.pack(f"<{len(total)}Q", *total) + struct.pack("<IQ", 0, 0)
    )
    return b"GGUF" + struct.pack("<IQQ", 3, 1, len(members)) + body + tensor


@pytest.fixture
def model(context, make_repository, people, write):
    """ada/thing with a card, a configuration and weights, beside what its card names."""
    base = make_repository(people["ada"], "base")
    make_repository(people["ada"], "corpus", kind="dataset")
    make_repository(people["bob"], "secret", kind="dataset", private=True)
    repository = make_repository(people["ada"], "thing")
    space = make_repository(people["ada"], "demo_it", kind="space")
    write(
        repository,
        {
            "README.md": CARD,
            "config.json": json.dumps({"architectures": ["LlamaForCausalLM"], "model_type": "llama"}).encode(),
            "tokenizer_config.json": json.dumps({"mask_token": {"content": "[MASK]"}}).encode(),
            "model.safetensors": safetensors(a=("F32", [2, 3]), b=("BF16", [7])),
            "small.gguf": gguf(),
        },
    )
    run_due(context)
    with unit_of_work(context) as work:
        moment = work.now()
        for source, type in ((space, RelationType.USES), (base, RelationType.FINETUNE)):
            work.session.add(Relation(source_id=source.id, target_id=repository.id, type=type, created_at=moment))
    return repository


def test_an_info_tells_what_the_files_say(call, model, count_queries):
    info = call("GET", "/hf/api/models/ada/thing", None).json
    assert info["cardData"]["license"] == "MIT"
    assert info["cardData"]["released"] == "2026-01-02"
    assert info["cardData"]["language"] == ["en", "no"]
    assert info["safetensors"] == {"parameters": {"F32": 6, "BF16": 7}, "total": 13}
    assert info["gguf"] == {"total": 15, "architecture": "llama", "context_length": 2048, "eos_token": "</s>"}
    assert info["config"]["architectures"] == ["LlamaForCausalLM"]
    assert info["transformersInfo"] == {
        "auto_model": "AutoModelForCausalLM",
        "pipeline_tag": "text-generation",
        "processor": "AutoTokenizer",
    }
    assert (info["mask_token"], info["model-index"], info["widgetData"]) == (
        "[MASK]",
        [{"name": "thing"}],
        [{"text": "Hello"}],
    )
    assert {"license:mit", "en", "no", "dataset:ada/corpus", "base_model:ada/base"} <= set(info["tags"])
    # The card says so, and nothing tells whether Bob has such a data set.
    assert {"dataset:bob/secret", "dataset:bob/none"} <= set(info["tags"])
    assert info["spaces"] == ["ada/demo_it"]
    assert (info["gated"], info["disabled"], info["usedStorage"] > 0) == (False, False, True)
    with count_queries() as queries:
        again = call("GET", "/hf/api/models/ada/thing?securityStatus=true", None).json
    assert len(queries) <= 5, queries
    assert again.pop("securityRepoStatus") == {"scansDone": True, "filesWithIssues": []}
    assert again == info


def test_who_says_what_is_wanted_gets_that_and_no_more(call, model):
    def ask(kind, name, *members):
        return call("GET", f"/hf/api/{kind}/ada/{name}?" + "&".join(f"expand={member}" for member in members), None)

    info = ask("models", "thing", "childrenModelCount", "baseModels", "downloadsAllTime", "safetensors").json
    assert info == {
        "_id": info["_id"],
        "id": "ada/thing",
        "downloadsAllTime": 0,
        "safetensors": {"parameters": {"F32": 6, "BF16": 7}, "total": 13},
        "baseModels": ["ada/base"],
        "childrenModelCount": 1,
    }
    assert ask("datasets", "corpus", "mainSize", "description").json["mainSize"] > 0
    space = ask("spaces", "demo_it", "models", "datasets", "subdomain", "sdk", "runtime").json
    assert space["runtime"]["stage"] in ("PAUSED", "NO_APP_FILE")
    assert (space["models"], space["datasets"], space["subdomain"]) == (["ada/thing"], [], "ada-demo-it")
    for kind, name, member in (
        ("models", "thing", "citation"),
        ("datasets", "corpus", "gguf"),
        ("spaces", "demo_it", "x"),
    ):
        assert refusal(ask(kind, name, member)) == (400, None), member
    assert refusal(call("GET", "/hf/api/models?expand=mainSize", None))[0] == 400
    every = info_of(call, "models", "/revision/main?" + "expand=tags&expand%5B%5D=sha")
    assert set(every) == {"_id", "id", "sha", "tags"}


def info_of(call, kind, rest=""):
    return call("GET", f"/hf/api/{kind}/ada/thing{rest}", None).json


@pytest.mark.any_database
def test_a_model_of_odd_files_is_told_without_them(call, thing, write):
    write(
        thing,
        {
            "README.md": b"---\na: [" + b"[" * 60 + b"]" * 60 + b"]\nb: .nan\n---\n",
            "config.json": b"[" * 100_000,
            "tokenizer_config.json": b"\xff",
            "model.safetensors.index.json": b'{"weight_map": {"a": "../x", "b": "none.safetensors"}}',
            "broken.gguf": gguf()[:60],
        },
    )
    info = info_of(call, "models")
    assert not {"config", "safetensors", "gguf", "mask_token", "transformersInfo"} & set(info)
    assert info["cardData"]["b"] is None
    write(thing, {"model.safetensors": struct.pack("<Q", 2**60) + b"{}"})
    assert "safetensors" not in info_of(call, "models")
    write(thing, {"model.safetensors": b"\2" + bytes(7) + b"{}"})
    assert info_of(call, "models").get("safetensors") is None


@pytest.mark.any_database
def test_one_odd_repository_takes_no_list_from_others(call, context, thing, make_repository, people, write):
    endless = "f" * 5000
    write(thing, {"README.md": f"---\n? 0x{endless}\n: 1\n---\n".encode()})
    nested = make_repository(people["ada"], "nested")
    write(nested, {"README.md": f"---\na:\n  ? 0x{'f' * 90}\n  : 1\n  2026-01-02: [0x{'f' * 90}]\n---\n".encode()})
    lost, card = make_repository(people["ada"], "lost"), b"---\na: 1\n---\n"
    write(lost, {"README.md": card})
    oid = hashlib.sha1(b"blob %d\0%s" % (len(card), card)).hexdigest()
    (repository_path(context.settings, lost) / "objects" / oid[:2] / oid[2:]).unlink()
    answer = call("GET", "/hf/api/models?expand=cardData&author=ada", None)
    assert answer.status_code == 200
    assert {item["id"]: item.get("cardData") for item in answer.json} == {
        "ada/thing": None,
        "ada/nested": {"a": {"2026-01-02": [None]}},
        "ada/lost": None,
    }


@pytest.mark.parametrize(
    "shape", [[1] * (tensors.MAX_DIMENSIONS + 1), [2**62, 2], [2**63 - 1] * 32, [True], [-1], [2**63], "1"]
)
def test_a_head_that_lies_counts_nothing(shape):
    assert tensors.count_parameters(json.dumps({"a": {"dtype": "F32", "shape": shape}}).encode()) is None
    assert tensors.count_parameters(b'{"a": {"dtype": "F32", "shape": [9, 9, 0]}}') == {"F32": 0}


def test_a_head_is_not_read_when_it_would_fill_the_memory():
    assert tensors.read_head(b'{"a": [' + b"[]," * tensors.MAX_HEAD_PARTS + b"[]]}") is None


@pytest.mark.any_database
def test_the_heads_of_weights_are_sent_whole(call, thing, write):
    shards = {"x-1.safetensors": safetensors(a=("F32", [2])), "x-2.safetensors": safetensors(b=("F16", [3]))}
    index = {"metadata": {"total_size": 14}, "weight_map": {"a": "x-1.safetensors", "b": "x-2.safetensors"}}
    write(thing, {"model.safetensors.index.json": json.dumps(index).encode(), **shards})
    address = "/hf/api/models/ada/thing/safetensors-metadata"
    found = call("GET", f"{address}/model.safetensors.index.json", None).json
    assert found["index"] == {"metadata": {"total_size": 14}}
    assert found["headers"]["x-2.safetensors"]["b"] == {"dtype": "F16", "shape": [3], "data_offsets": [0, 12]}
    assert call("GET", f"{address}/x-1.safetensors", None).json["headers"].keys() == {"x-1.safetensors"}
    assert info_of(call, "models")["safetensors"] == {"parameters": {"F32": 2, "F16": 3}, "total": 5}
    assert refusal(call("GET", f"{address}/none.safetensors", None)) == (404, "EntryNotFound")
    assert refusal(call("GET", f"{address}/{LFS_NAME}", None))[0] == 400


def test_the_pipeline_tag_is_what_the_card_says_and_no_other_word(call, context, thing, make_repository, people, write):
    card = b"---\npipeline_tag: text-generation\nlibrary_name: transformers\ntags: [ab, audio-to-audio]\n---\n"
    write(thing, {"README.md": card})
    # As soon as it is there, whether or not a job has read it.
    assert info_of(call, "models", "?expand=pipeline_tag&expand=library_name") | {"_id": ""} == {
        "_id": "",
        "id": "ada/thing",
        "pipeline_tag": "text-generation",
        "library_name": "transformers",
    }
    run_due(context)
    [listed] = call("GET", "/hf/api/models", None).json
    for told in (listed, info_of(call, "models")):
        assert (told["pipeline_tag"], told["library_name"]) == ("text-generation", "transformers")
        assert {"ab", "audio-to-audio", "text-generation"} <= set(told["tags"])
    for query, found in (
        ("pipeline_tag=text-generation", ["ada/thing"]),
        ("pipeline_tag=ab", []),
        ("pipeline_tag=audio-to-audio", []),
        ("filter=ab&filter=audio-to-audio", ["ada/thing"]),
    ):
        assert ids(call("GET", f"/hf/api/models?{query}", None)) == found, query
    # CSGHub has all of these words among the tasks.
    for word in ("ab", "audio-to-audio", "text-generation"):
        listed = call("GET", f"/api/v1/models?tag_category=task&tag_name={word}", None).json
        assert [found["path"] for found in listed["data"]] == ["ada/thing"], word


@pytest.mark.any_database
def test_sizes_and_sdks_are_spelled_as_the_hub_has_them(call, context, make_repository, people, write):
    corpus = make_repository(people["ada"], "corpus", kind="dataset")
    write(corpus, {"README.md": b"---\nsize_categories: [n<1K, 1M<n<10M, n>1T, Nice]\n---\n"})
    run_due(context)
    sizes = {"size_categories:n<1K", "size_categories:1M<n<10M", "size_categories:n>1T", "size_categories:nice"}
    assert sizes <= set(call("GET", "/hf/api/datasets/ada/corpus", None).json["tags"])
    assert ids(call("GET", "/hf/api/datasets?filter=size_categories:1M%3Cn%3C10M", None)) == ["ada/corpus"]
    for name, sdk in (("page", "static"), ("demo", "gradio")):
        made = call("POST", "/hf/api/repos/create", json={"name": name, "type": "space", "sdk": sdk})
        assert made.status_code == 200, made.json
        told = call("GET", f"/hf/api/spaces/ada/{name}", None).json
        assert told["sdk"] == told["cardData"]["sdk"] == sdk
        assert sdk in told["tags"]
        assert ids(call("GET", f"/hf/api/spaces?filter={sdk}", None)) == [f"ada/{name}"]
    assert call("GET", "/csg/api/spaces/ada/page", None).json["sdk"] == "nginx"
    assert ids(call("GET", "/hf/api/spaces?filter=nginx", None)) == []


def ids(answer):
    assert answer.status_code == 200, answer.json
    return [item["id"] for item in answer.json]


def test_lists_are_narrowed_by_tags_that_all_must_be_there(call, context, model, make_repository, people):
    other = make_repository(people["ada"], "other")
    with unit_of_work(context) as work:
        query = select(Tag.id).where(Tag.scope == "model", Tag.category == "license", Tag.name == "mit")
        work.session.add(RepositoryTag(repository_id=other.id, tag_id=work.session.scalars(query).one()))

    def ask(query, kind="models", as_=None):
        return ids(call("GET", f"/hf/api/{kind}?sort=createdAt&{query}", as_))

    assert ask("filter=license:mit") == ["ada/other", "ada/thing"]
    for query in (
        "filter=license:mit&filter=text-generation",
        "filter=transformers&filter=license:MIT&filter=en",
        "filter=language:no",
        "pipeline_tag=text-generation",
        "filter=library:transformers",
        "filter=dataset:ADA/corpus",
        "filter=base_model:ada/base",
        "filter=base_model:quantized:ada/base",
        # Whether or not there is one that the caller may not see.
        "filter=dataset:bob/secret",
        "filter=dataset:bob/none",
        "num_parameters=max:1K",
        "num_parameters=min:0,max:500M",
    ):
        assert ask(query) == ["ada/thing"], query
    for query in (
        "num_parameters=min:6B,max:128B",
        "filter=license:mit&filter=fr",
        "filter=dataset:none/none",
        "filter=none:none",
        "filter=%00",
        "filter=dataset:%00",
        "inference=warm",
        "apps=vllm",
        "filter=base_model:finetune:ada/base",
    ):
        assert ask(query) == [], query
    assert ask("models=ada/thing&models=none/none", "spaces") == ask("linked=true", "spaces") == ["ada/demo_it"]
    assert ask("datasets=ada/corpus", "spaces") == []
    with unit_of_work(context) as work:
        work.session.get(Repository, other.id).gate = "manual"
    assert ask("gated=true") == ["ada/other"]
    assert "ada/other" not in ask("gated=False")
    assert call("GET", "/hf/api/models/ada/other").json["gated"] == "manual"
    for query in ("sort=name", "direction=1", "num_parameters=six", "cursor=x", "cursor=" + "9" * 90):
        assert refusal(call("GET", f"/hf/api/models?{query}", None))[0] == 400, query
    many = "&".join(f"filter=a{number}" for number in range(21))
    assert refusal(call("GET", f"/hf/api/models?{many}", None))[0] == 400


@pytest.mark.any_database
def test_lists_go_on_for_as_long_as_there_is_more(call, make_repository, people, monkeypatch, count_queries):
    for number in range(7):
        make_repository(people["ada"], f"m{number}")
    monkeypatch.setattr(info_schemas, "MAX_LIST", 3)
    monkeypatch.setattr(info_schemas, "MAX_LIST_OF_FILES", 2)
    # The client stops by itself; without a link it would take a page for the last one.
    for query, sizes in (
        ("", [3, 3, 1]),
        ("limit=5", [3, 3, 1]),
        ("limit=1", [1] * 7),
        ("limit=4&full=true", [2, 2, 2, 1]),
        ("search=m&limit=100", [3, 3, 1]),
        ("search=m5&limit=1", [1]),
    ):
        path, pages = f"/api/models?sort=createdAt&{query}", []
        while path:
            answer = call("GET", path, None)
            pages.append(ids(answer))
            link = re.fullmatch(r'<http://localhost(.+)>; rel="next"', answer.headers.get("Link", ""))
            path = link and link[1]
        assert [len(page) for page in pages] == sizes, query
        wanted = [f"ada/m{6 - number}" for number in range(7)] if "m5" not in query else ["ada/m5"]
        assert [name for page in pages for name in page] == wanted, query
    assert ids(call("GET", "/api/models?limit=0", None)) == []
    first = call("GET", "/api/models?full=true", None).json[0]
    assert {"sha", "siblings"} <= set(first)
    with count_queries() as queries:
        plain = call("GET", "/api/models?filter=en&filter=dataset:a/b&author=ada", None).json
    assert plain == []
    assert len(queries) <= 9, queries
    assert not {"sha", "siblings", "cardData"} & set(call("GET", "/api/models", None).json[0])
    assert set(call("GET", "/api/models?expand=likes", None).json[0]) == {"_id", "id", "likes"}


@pytest.mark.any_database
def test_a_repository_that_moved_is_found_by_its_old_id(call, context, thing, people, send_commit):
    with unit_of_work(context) as work:
        service.rename_repository(
            work, actor=Actor.of_user(people["ada"], via="session"), repository_id=thing.id, name="new"
        )
    info = info_of(call, "models")
    assert info["id"] == "ada/new"
    assert call("HEAD", "/hf/ada/thing/resolve/main/config.json", None).headers["X-Repo-Commit"] == info["sha"]
    assert call("GET", "/hf/api/models/ada/thing/tree/main", None).status_code == 200
    assert send_commit("/hf/api/models/ada/thing/commit/main", inline("a.txt", b"a")).status_code == 200


@pytest.mark.any_database
def test_access_can_be_asked_for(call, context, thing, make_repository, people):
    def ask(path, as_):
        answer = call("GET", f"/hf/api/models/{path}", as_)
        return answer.status_code if answer.status_code == 200 else refusal(answer)

    assert [ask("ada/thing/auth-check", who) for who in ("ada", "bob", None)] == [200, 200, 200]
    assert [ask("ada/thing/auth-check/write", who) for who in ("ada", "reader", "bob", None)] == [
        200,
        (403, None),
        (403, None),
        (401, None),
    ]
    with unit_of_work(context) as work:
        work.session.get(Repository, thing.id).gate = "manual"
    assert ask("ada/thing/auth-check", "bob") == (403, "GatedRepo")
    assert ask("ada/thing/auth-check", None) == (401, "GatedRepo")
    assert refusal(call("GET", "/hf/api/models/ada/thing/safetensors-metadata/x", None)) == (401, "GatedRepo")
    make_repository(people["ada"], "hidden", private=True)
    assert ask("ada/hidden/auth-check", "bob") == ask("ada/hidden/auth-check/write", "bob") == (404, "RepoNotFound")


@pytest.mark.any_database
def test_the_catalogue_of_tags_is_told_by_type(call, client):
    tags = call("GET", "/api/models-tags-by-type", None).json
    assert {"id": "license:mit", "label": "mit", "type": "license"} in tags["license"]
    assert "text-generation" in {tag["id"] for tag in tags["pipeline_tag"]}
    tags = call("GET", "/hf/api/datasets-tags-by-type", None).json
    assert "task_categories:translation" in {tag["id"] for tag in tags["task_categories"]}
    assert "language:en" in {tag["id"] for tag in tags["language"]}


@pytest.mark.any_database
def test_refs_and_history_tell_what_clients_ask_for(call, context, thing, write):
    import pygit2

    from hub.repos.lookup import repository_path

    head = info_of(call, "models")["sha"]
    repository = pygit2.Repository(str(repository_path(context.settings, thing)))
    for name in ("refs/convert/parquet", "refs/pr/1", "refs/pr/10", "refs/pr/2"):
        repository.references.create(name, head)
    refs = info_of(call, "models", "/refs?include_prs=1")
    assert refs["converts"] == [{"name": "parquet", "ref": "refs/convert/parquet", "targetCommit": head}]
    assert [ref["name"] for ref in refs["pullRequests"]] == ["1", "2", "10"]
    assert "pullRequests" not in info_of(call, "models", "/refs")
    for revision in ("refs%2Fpr%2F1", "refs/pr/10", "refs%2Fconvert%2Fparquet", head[:5]):
        assert info_of(call, "models", f"/revision/{revision}")["sha"] == head, revision
        address = f"/hf/ada/thing/resolve/{revision}/config.json"
        assert call("GET", address, None).headers["X-Repo-Commit"] == head, revision
        assert call("GET", f"/hf/api/models/ada/thing/tree/{revision}/data", None).status_code == 200
        missing = call("GET", f"/hf/api/models/ada/thing/tree/{revision}/none", None)
        assert (refusal(missing), missing.headers["X-Repo-Commit"]) == ((404, "EntryNotFound"), head)
    write(thing, {"x": b"<b>"}, branch="main")
    commits = call("GET", "/hf/api/models/ada/thing/commits/main?expand%5B%5D=formatted", None).json
    assert commits[0]["formatted"] == {"title": "Files", "message": ""}


@pytest.mark.any_database
def test_a_data_set_has_a_leaderboard_without_models(call, make_repository, people):
    make_repository(people["ada"], "corpus", kind="dataset")
    make_repository(people["ada"], "hidden", kind="dataset", private=True)
    assert call("GET", "/hf/api/datasets/ada/corpus/leaderboard?base_model=false", None).json == []
    assert refusal(call("GET", "/hf/api/datasets/ada/hidden/leaderboard", "bob")) == (404, "RepoNotFound")
