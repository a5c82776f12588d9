"""Engines: what is rendered for each, what is refused, which model fits which."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from hub.accounts.models import User
from hub.assets.models_indexing import ModelMetadata
from hub.base.context import Context
from hub.base.errors import Invalid
from hub.compute.snapshots import is_allowed
from hub.db import migrate
from hub.db.engine import DATABASE
from hub.db.uow import reading
from hub.jobs.models import Job, JobState
from hub.jobs.run import run_due
from hub.plugin.discovery import find_installed
from plugins.inference.engines.catalogue import load_declaration
from plugins.inference.engines.engine import GgufFile, InferenceEngine, ModelFacts, Order, Site, Target
from plugins.inference.engines.facts import facts_from_json, facts_to_json, gather_facts
from plugins.inference.engines.frameworks import SCAN_JOB, list_frameworks, take_over_catalogue
from plugins.inference.engines.memory import estimate_memory
from plugins.inference.engines.registry import _load, engine_names
from plugins.inference.engines.rendering import CUSTOM, parse_engine_args, render_args, render_text
from tests.support import demo_files
from tests.support.plugins import open_client

pytestmark = pytest.mark.any_database

GOLDEN = Path(__file__).parent / "golden"
HOME = Path("/hub/engines")
LLAMA = ModelFacts(
    commit_id="0123456789" * 4,
    formats=("safetensors",),
    architectures=("LlamaForCausalLM",),
    class_name="LlamaForCausalLM",
    model_type="llama",
    origin_name="Llama-3.1-8B-Instruct",
    weight_bytes=16_060_522_240,
    task="text-generation",
    context_length=131_072,
    has_chat_template=True,
)
PARTS = tuple(f"Q4_K_M/small-0000{part}-of-00002.gguf" for part in (1, 2))
GGUF = replace(
    LLAMA,
    formats=("gguf",),
    architectures=("llama",),
    class_name="",
    gguf_files=(GgufFile("small.Q8_0.gguf", "Q8_0", 9, ("small.Q8_0.gguf",)), GgufFile(PARTS[0], "Q4_K_M", 5, PARTS)),
)
BERT = replace(
    LLAMA, architectures=("BertModel",), class_name="BertModel", model_type="bert", task="feature-extraction"
)
FLUX = replace(LLAMA, architectures=(), class_name="FluxPipeline", model_type="", task="text-to-image")

ONE_CARD: dict[str, Any] = {"compute_type": "gpu", "accelerators": 1}

# An order for each engine that has something of what is special about it; the others have that of "vllm".
ORDERS: dict[str, Order] = {
    "vllm": Order(
        "acme/llama",
        LLAMA,
        engine_args={
            CUSTOM: "--max-log-len 10 --override-generation-config '{\"top_k\": 5}'",
            "enable-tool-calling": "enable",
            "max-model-len": "8192",
            "gpu-memory-utilization": "0.9",
        },
        compute_type="gpu",
        accelerators=2,
    ),
    **dict.fromkeys(
        ("sglang", "nvidia-sglang"),
        Order(
            "acme/llama", LLAMA, engine_args={"enable-tool-calling": "true", "mem-fraction-static": "0.7"}, **ONE_CARD
        ),
    ),
    "tei": Order("acme/bert", BERT, compute_type="cpu", cpus=2),
    "llama.cpp": Order(
        "acme/llama", GGUF, entrypoint=PARTS[0], engine_args={"parallel": "2", "ctx-size": "2048"}, cpus=2
    ),
    "amd-llama.cpp": Order("acme/llama", GGUF, entrypoint=PARTS[1], **ONE_CARD),
    "transformers": Order("acme/llama", LLAMA, engine_args={"context": "2048", "dtype": "bfloat16"}, cpus=2),
    "ktransformers": Order("acme/llama", GGUF, entrypoint=PARTS[0], **ONE_CARD, cpus=32),
    "mindie": Order("acme/llama", LLAMA, compute_type="npu", accelerators=8),
    "tgi-gcu": Order("acme/llama", LLAMA, compute_type="gcu", accelerators=1),
    **dict.fromkeys(
        ("diffusers", "amd-diffusers", "hf-inference-toolkit"),
        Order("acme/flux", FLUX, **ONE_CARD),
    ),
    "nim": Order("acme/llama", LLAMA, engine_args={"max-model-len": "4096"}, **ONE_CARD),
    "triton": Order(
        "acme/llama",
        LLAMA,
        engine_args={"max-model-len": "4096", "enforce-eager": "on"},
        compute_type="gpu",
        accelerators=1,
    ),
    "ascend-vllm": Order("acme/llama", LLAMA, compute_type="npu", accelerators=1),
    "tgi": Order("acme/llama", LLAMA, compute_type="gpu", accelerators=2),
    "amd-tgi": Order("acme/llama", LLAMA, **ONE_CARD),
}
# How it is started on this machine: by an installed Python, and by a program that is there.
PYTHONS = {"llama.cpp": "/opt/llama/bin/python3", "transformers": "/opt/transformers/bin/python"}


def engine(name: str, *, programs: dict[str, str] = PYTHONS, **site: object) -> InferenceEngine:
    return _load(name)(Site(HOME, programs=programs, **site))  # type: ignore[arg-type]


def shown(name: str, target: Target, **site: object) -> str:
    plan = asdict(engine(name, **site).plan(ORDERS.get(name, ORDERS["vllm"]), target=target))
    plan["supports"] = sorted(plan["supports"])
    text = json.dumps(plan, indent=2, sort_keys=True) + "\n"
    return text.replace(str(Path(__file__).parents[3]), "/code")


@pytest.mark.parametrize(
    ("name", "target"),
    [
        *((name, Target.CONTAINER) for name in engine_names() if name != "transformers"),
        *((name, Target.LOCAL) for name in ("llama.cpp", "transformers")),
    ],
)
def test_a_plan_is_as_it_was(name, target):
    """After a change on purpose: delete the file, run the test twice, and look at the difference."""
    path = GOLDEN / f"{name}.{target.value}.json"
    text = shown(name, target)
    if not path.exists():
        path.write_text(text)
        pytest.fail(f"{path.name} was not there; it is now")
    assert text == path.read_text()


def rendered(name: str, target: Target = Target.CONTAINER, **values: str) -> str:
    declared = load_declaration(name)
    return render_text(
        render_args(declared, {key.replace("_", "-"): text for key, text in values.items()}, target=target)
    )


def test_arguments_come_in_the_catalogue_s_order_without_what_is_the_default():
    """Source: compute contract, sections 1.9 and 17."""
    assert rendered("vllm", custom_options="-O3 --x y", seed="7", max_num_seqs="256", dtype="half") == (
        "--dtype half --seed 7 -O3 --x y"
    )
    for off in ("false", "0", "", "disable"):
        assert rendered("vllm", enforce_eager=off, enable_tool_calling=off) == ""
    assert rendered("vllm", enforce_eager="true") == "--enforce-eager"
    # What is on by itself, and a form that was cleared.
    assert rendered("vllm", enable_prefix_caching="enable", max_model_len="") == ""
    assert render_args(load_declaration("vllm"), {"hf-overrides": '{"a":"b"}'}, target=Target.CONTAINER) == [
        "--hf-overrides",
        '{"a":"b"}',
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("no-such", "1"),
        ("max-model-len", "many"),
        ("max-model-len", "1e9"),
        ("max-model-len", "8192; rm -rf /"),
        ("dtype", "float13"),
        ("enforce-eager", "perhaps"),
        ("hf-overrides", "--api-key=mine"),
        ("hf-overrides", "two words"),
        ("hf-overrides", "{mount:model}"),
        ("hf-overrides", "$(id)"),
        (CUSTOM, "--a `id`"),
        (CUSTOM, "--a 'open"),
        (CUSTOM, "--a\n--b"),
        (CUSTOM, "another/model"),
        (CUSTOM, "--port 1"),
        (CUSTOM, "--port=1"),
        (CUSTOM, "--served_model_name x"),
        # Parsers take a beginning for the whole.
        (CUSTOM, "--trust-remote"),
        (CUSTOM, "--api-k x"),
        (CUSTOM, "--middleware evil.module"),
        (CUSTOM, "--allowed-local-media-path /"),
        (CUSTOM, "--x {port}"),
        (CUSTOM, "-" * 2000),
    ],
)
def test_an_argument_that_is_not_the_user_s_to_say_or_of_the_wrong_form_is_refused(name, value):
    with pytest.raises(Invalid) as refused:
        render_args(load_declaration("vllm"), {name: value}, target=Target.CONTAINER)
    assert refused.value.code == "engine_arg_invalid"


def test_short_options_of_the_platform_are_refused_as_each_engine_reads_them():
    for name, value in (("llama.cpp", "-m /etc/passwd"), ("llama.cpp", "--path /"), ("tgi", "-p80"), ("tei", "-p 80")):
        with pytest.raises(Invalid):
            render_args(load_declaration(name), {CUSTOM: value}, target=Target.CONTAINER)
    assert rendered("llama.cpp", custom_options="-mg 1") == "-mg 1"


def test_on_this_machine_only_what_its_server_takes_is_taken():
    assert rendered("llama.cpp", Target.LOCAL, threads="2") == "--threads 2"
    for values in ({CUSTOM: "--verbose"}, {"cache-type-k": "q8_0"}):
        with pytest.raises(Invalid, match="only in containers"):
            render_args(load_declaration("llama.cpp"), values, target=Target.LOCAL)


def test_arguments_are_read_from_json():
    assert parse_engine_args('{"a": "1", "b": 2, "c": true}') == {"a": "1", "b": "2", "c": "true"}
    assert parse_engine_args(" ") == {}
    for text in ("[]", "{", '{"a": []}', '{"a": null}', "[" * 10_000):
        with pytest.raises(Invalid):
            parse_engine_args(text)


@pytest.mark.parametrize(
    ("name", "changes", "target", "code"),
    [
        ("llama.cpp", {"entrypoint": ""}, Target.CONTAINER, "entrypoint_missing"),
        ("llama.cpp", {"entrypoint": "../../etc/passwd"}, Target.LOCAL, "entrypoint_not_found"),
        ("ktransformers", {"entrypoint": ""}, Target.CONTAINER, "entrypoint_missing"),
        ("llama.cpp", {"engine_args": {"parallel": "1.5"}}, Target.LOCAL, "engine_arg_invalid"),
        ("llama.cpp", {"engine_args": {"ctx-size": "9" * 12}}, Target.LOCAL, "engine_arg_invalid"),
        ("llama.cpp", {"facts": LLAMA}, Target.LOCAL, "model_not_fit"),
        ("vllm", {"facts": BERT, "compute_type": "tpu"}, Target.CONTAINER, "engine_image_missing"),
        ("vllm", {"facts": GGUF}, Target.CONTAINER, "model_not_fit"),
        ("vllm", {}, Target.LOCAL, "engine_not_local"),
        ("transformers", {}, Target.CONTAINER, "engine_image_missing"),
    ],
)
def test_what_cannot_be_planned_is_refused_with_its_reason(name, changes, target, code):
    with pytest.raises(Invalid) as refused:
        engine(name).plan(replace(ORDERS[name], **changes), target=target)
    assert refused.value.code == code


def test_files_are_named_as_they_are_whatever_they_are_called():
    """Names out of repositories become patterns of single files and arguments of their own; nothing is filled in."""
    odd = "we [ird]*; $(id) -- .gguf"
    order = Order("acme/x", replace(GGUF, gguf_files=(GgufFile(odd, files=(odd,)),)), entrypoint=odd)
    plan = engine("llama.cpp").plan(order, target=Target.LOCAL)
    assert plan.argv[plan.argv.index("--model") + 1] == "{mount:model}/" + odd
    assert is_allowed(odd, plan.allow)
    assert not is_allowed(odd.replace("*", "xx"), plan.allow)
    for name in ("a{port}.gguf", "{mount:model}.gguf"):
        order = Order("acme/x", replace(GGUF, gguf_files=(GgufFile(name, files=(name,)),)), entrypoint=name)
        with pytest.raises(Invalid):
            engine("llama.cpp").plan(order, target=Target.LOCAL)


@pytest.mark.parametrize("name", ["vllm", "sglang", "tgi", "transformers"])
def test_code_of_a_repository_is_run_only_where_administrators_want_it(name):
    order = replace(ORDERS[name], facts=replace(LLAMA, has_remote_code=True))
    target = Target.LOCAL if name == "transformers" else Target.CONTAINER
    trusting = engine(name, trusts_remote_code=True).plan(order, target=target)
    assert "--trust-remote-code" in trusting.argv
    assert "*.py" in trusting.allow
    if name == "transformers":
        assert "code of its own" in engine(name).fits(order.facts).reason
        return
    plan = engine(name).plan(order, target=target)
    assert "--trust-remote-code" not in plan.argv
    assert "*.py" not in plan.allow


def test_llama_cpp_takes_the_program_that_is_there(monkeypatch, tmp_path):
    order = replace(ORDERS["llama.cpp"], task="feature-extraction")
    plan = engine("llama.cpp", programs={"llama.cpp": "/opt/llama-server"}).plan(order, target=Target.LOCAL)
    assert plan.argv[:3] == ("/opt/llama-server", "-m", "{mount:model}/" + PARTS[0])
    assert ("-c", "4096") in list(pairwise(plan.argv))  # 2 at once, 2048 each
    assert plan.argv[-1] == "--embeddings"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "hub engine install llama.cpp" in engine("llama.cpp", programs={}).explain_local()


def test_parsers_of_tools_are_found_by_the_architecture():
    order = replace(ORDERS["vllm"], facts=replace(LLAMA, architectures=("Unheard",), class_name="", model_type=""))
    vouched = replace(order, extra_archs=("Unheard",))
    assert engine("vllm").plan(vouched, target=Target.CONTAINER).argv[-2:] == ("--tool-call-parser", "openai")
    with pytest.raises(Invalid):
        engine("vllm").plan(order, target=Target.CONTAINER)


# What is read of files.


def facts_of(config: Any, **files: bytes) -> ModelFacts:
    given = {"config.json": json.dumps(config).encode()} | {f"{name}.json": data for name, data in files.items()}
    row = ModelMetadata(
        parameters=1_000_000_000,
        weight_bytes=2_000_000_000,
        context_length=4096,
        architecture="",
        quantizations=[],
        files=[{"path": "model.safetensors", "format": "safetensors", "reason": ""}],
    )

    def read(path: str, limit_bytes: int) -> bytes | None:
        return given[path][:limit_bytes] if path in given else None

    return gather_facts(row, read, commit_id="0" * 40, origin_name="x", task="")


def test_facts_are_words_and_numbers_whatever_a_configuration_says():
    facts = facts_of(
        {
            "architectures": ["LlamaForCausalLM", "$(id)", 7, "x" * 500],
            "model_type": "../../etc",
            "auto_map": {"AutoModel": "evil.py"},
            "num_hidden_layers": -1,
            "n_embd": True,
            "text_config": {"hidden_size": 2048, "num_attention_heads": 10**30},
            "quantization_config": {"quant_method": "gptq"},
        }
    )
    assert facts.names == ("LlamaForCausalLM",)
    assert (facts.layers, facts.hidden_size, facts.heads) == (0, 2048, 0)
    assert (facts.has_remote_code, facts.quantization_method, facts.task) == (True, "gptq", "text-generation")
    assert facts_from_json(json.loads(json.dumps(facts_to_json(facts)))) == facts
    for config in ([], None, "x", {"architectures": {"a": 1}}, {"text_config": []}):
        assert facts_of(config).names == ()


@pytest.mark.parametrize(
    ("architecture", "task"),
    [
        ("LlamaForCausalLM", "text-generation"),
        ("GPT2LMHeadModel", "text-generation"),
        ("Qwen2_5_VLForConditionalGeneration", "image-text-to-text"),
        ("WhisperForConditionalGeneration", "automatic-speech-recognition"),
        ("BertModel", "feature-extraction"),
        ("XLMRobertaForMaskedLM", "feature-extraction"),
        ("Qwen3Model", "feature-extraction"),
        ("DeepseekVLForCausalLM", "image-text-to-text"),
        ("BertForSequenceClassification", "text-classification"),
    ],
)
def test_the_task_follows_from_the_architecture_where_the_card_says_none(architecture, task):
    assert facts_of({"architectures": [architecture]}).task == task


def test_what_the_files_say_beside_it_tells_more_of_the_task():
    assert facts_of({"architectures": ["BertForSequenceClassification"], "num_labels": 1}).task == "text-ranking"
    assert facts_of({"architectures": ["Qwen3ForCausalLM"]}, modules=b"[]").task == "feature-extraction"


def test_memory_is_estimated_as_the_contract_says():
    """A model of a billion parameters in 16 bits: 2048 wide, 16 layers, 32 heads."""
    facts = replace(LLAMA, parameters=2**30, weight_bytes=2**31, layers=16, hidden_size=2048, heads=32)
    found = estimate_memory(facts)
    assert found.weights == 2.0
    assert found.cache == 2 * 2048 * 16 * 2048 * 2 / 2**30
    assert found.activation == 2048 * 2048 * (34 + 5 * 2048 * 32 / 2048) * 2 / 2**30
    assert found.total == found.weights + found.cache + found.activation
    assert found.finetune > found.weights + 1
    assert estimate_memory(ModelFacts()).total == 0


# The table, and models of the hub.


def test_migrations_make_the_tables_of_the_models_and_take_them_back(hub):
    database, branch = hub[DATABASE], find_installed()["inference"].find_branch()
    assert migrate.differences(database, branch) == []
    migrate.downgrade(database, branch)
    assert migrate.upgrade(database, branch)
    assert migrate.differences(database, branch) == []


def test_the_table_of_engines_is_that_of_the_declarations(hub):
    take_over_catalogue(hub)
    take_over_catalogue(hub)
    with reading(hub) as work:
        found = {(row.engine, row.compute_type, row.image) for row in list_frameworks(work)}
    assert ("llama.cpp", "cpu", "ghcr.io/ggml-org/llama.cpp:server-b9787") in found
    assert ("transformers", "cpu", "") in found
    assert {engine for engine, _, _ in found} == set(engine_names())


@pytest.fixture
def client(hub: Context) -> FlaskClient:
    return open_client(hub)


@pytest.fixture
def sign(make_token: Callable[..., str]) -> Callable[[User], dict[str, str]]:
    return lambda user: {"Authorization": f"Bearer {make_token(user, 'admin')}"}


@pytest.fixture
def push(client: FlaskClient, ada: User, sign: Any, make_repository: Any) -> Callable[..., str]:
    """``push("name", {path: content})``: Ada's new model with these files; its address."""

    def make(name: str, files: dict[str, bytes], **options: Any) -> str:
        make_repository(ada, name, **options)
        changes = [
            {"path": path, "action": "create", "content": base64.b64encode(content).decode()}
            for path, content in files.items()
        ]
        place = f"/api/v1/models/ada/{name}"
        answer = client.post(f"{place}/commit/main", json={"message": "W", "files": changes}, headers=sign(ada))
        assert answer.status_code == 200, answer.text
        return place

    return make


SAFE = {
    "config.json": json.dumps({"architectures": ["LlamaForCausalLM"], "model_type": "llama"}).encode(),
    "model.safetensors": demo_files.safetensors(1, 8),
}


@pytest.mark.each_database
def test_a_push_says_which_engines_serve_the_model(hub, client, ada, make_user, sign, push):
    place = push("tiny", SAFE, private=True)
    run_due(hub)
    carried = client.get(place, headers=sign(ada)).json["data"]
    names = {label["name"] for label in carried["tags"] if label["category"] == "runtime_framework"}
    assert {"vllm", "sglang", "tgi", "transformers"} <= names
    assert "llama.cpp" not in names
    assert carried["enable_inference"] is True
    # Nothing is told of what one may not see.
    assert client.get(f"{place}/runtime_framework").status_code == 404
    found = client.get(f"{place}/runtime_framework?deploy_type=1", headers=sign(ada)).json["data"]
    assert {"frame_name": "vllm", "compute_type": "cpu", "enabled": 1, "type": 1}.items() <= next(
        each for each in found if each["frame_name"] == "vllm" and each["compute_type"] == "cpu"
    ).items()
    assert json.loads(found[0]["engine_args"]) is not None
    engines = client.get(f"{place}/runtime_framework_v2?all=true", headers=sign(ada)).json["data"]
    by_name = {each["frame_name"]: each for each in engines}
    assert by_name["vllm"]["compute_types"] == ["gpu", "dcu", "cpu"]
    assert by_name["llama.cpp"]["reason"] == "It reads gguf; the repository has safetensors."
    assert client.get("/api/v1/runtime_framework/models", headers=sign(ada)).json["data"]["total"] == 1
    stranger = sign(make_user("bob"))
    assert client.get("/api/v1/runtime_framework/models", headers=stranger).json["data"]["total"] == 0
    # Other weights, other engines: the old labels go.
    changes = [
        {"path": "model.safetensors", "action": "delete"},
        {"path": "config.json", "action": "delete"},
        {"path": "tiny.gguf", "action": "create", "content": base64.b64encode(demo_files.gguf(0.001)).decode()},
    ]
    body = {"message": "Other weights", "files": changes}
    assert client.post(f"{place}/commit/main", json=body, headers=sign(ada)).status_code == 200
    answer = client.post("/api/v1/runtime_framework/ada/tiny/scan", headers=sign(ada)).json["data"]
    assert {each["frame_name"] for each in answer} >= {"llama.cpp", "amd-llama.cpp"}
    carried = client.get(place, headers=sign(ada)).json["data"]
    names = {label["name"] for label in carried["tags"] if label["category"] == "runtime_framework"}
    assert "vllm" not in names
    assert "llama.cpp" in names


def test_engines_are_the_administrators_to_change(hub, client, ada, make_user, sign, push):
    root, person = sign(make_user("root", admin=True)), sign(ada)
    place = push("odd", {**SAFE, "config.json": b'{"architectures": ["OddForCausalML"]}'})
    run_due(hub)
    assert client.get(place).json["data"]["enable_inference"] is False
    assert client.get("/api/v1/runtime_framework").status_code == 401
    listed = client.get("/api/v1/runtime_framework", headers=person).json["data"]
    assert client.get("/api/v1/models/runtime_framework", headers=person).json["data"] == listed
    assert client.get("/api/v1/datasets/runtime_framework", headers=person).status_code == 404
    vllm = next(each for each in listed if each["frame_name"] == "vllm")
    address = f"/api/v1/runtime_framework/{vllm['id']}"
    body = {"architectures": ["OddForCausalML"]}
    assert client.put(f"{address}/architecture", json=body, headers=person).status_code == 403
    assert (
        "OddForCausalML" in client.put(f"{address}/architecture", json=body, headers=root).json["data"]["architectures"]
    )
    engines = client.get(f"{place}/runtime_framework_v2").json["data"]
    assert [(each["frame_name"], each["versions"][0]["id"]) for each in engines] == [("vllm", vllm["id"])]
    assert client.delete(f"{address}/architecture", json=body, headers=root).status_code == 200
    assert client.get(f"{place}/runtime_framework_v2").json["data"] == []
    form = {
        name: vllm[name] for name in ("frame_name", "frame_version", "frame_image", "compute_type", "driver_version")
    }
    assert client.put(address, json={**form, "enabled": 0}, headers=root).json["data"]["enabled"] == 0
    assert vllm["id"] not in {
        each["id"] for each in client.get("/api/v1/runtime_framework", headers=person).json["data"]
    }
    new = client.post("/api/v1/runtime_framework", json={**form, "frame_image": "acme/vllm:2"}, headers=root).json[
        "data"
    ]
    again = client.post("/api/v1/runtime_framework", json={**form, "frame_image": "acme/vllm:2"}, headers=root)
    assert (new["is_catalogued"], again.status_code) == (False, 409)
    for wrong in ({"frame_name": "none"}, {"frame_image": "a b"}, {"compute_type": "abacus"}):
        answer = client.post("/api/v1/runtime_framework", json={**form, **wrong}, headers=root)
        assert answer.status_code in (400, 422), answer.text
    assert client.delete(f"/api/v1/runtime_framework/{new['id']}", headers=root).status_code == 200
    assert client.delete(f"/api/v1/runtime_framework/{new['id']}", headers=root).status_code == 404
    assert client.post("/api/v1/runtime_framework/scan", json={"scan_type": 1}, headers=person).status_code == 403
    assert client.post("/api/v1/runtime_framework/scan", json={}, headers=root).json["data"]["job_id"]
    run_due(hub)
    with reading(hub) as work:
        assert work.session.scalars(select(Job.state).where(Job.name == SCAN_JOB)).one() is JobState.SUCCEEDED
