"""Engines: what is rendered for each, what is refused, which model fits which."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from hub.db import migrate
from hub.db.engine import DATABASE
from hub.plugin.db import reading
from hub.plugin.discovery import find_installed
from plugins.inference.engines.engine import GgufFile, InferenceEngine, ModelFacts, Order, Site, Target
from plugins.inference.engines.frameworks import list_frameworks, take_over_catalogue
from plugins.inference.engines.registry import _load, engine_names
from plugins.inference.engines.rendering import CUSTOM

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
