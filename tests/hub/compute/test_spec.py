"""What a driver is told to run: checked as it is made, the same after JSON, and nothing in it that does harm."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.base.errors import HubError, Invalid
from hub.compute.hardware import SCENARIOS, mask_of, names_of, parse_hardware
from hub.compute.service.naming import path_svc_name, random_svc_name
from hub.compute.spec import Health, Kind, Mount, Resources, WorkloadSpec, expand, parse_spec

pytestmark = pytest.mark.any_database

GIB = 1024**3
MOUNT = Mount("model", "model", "ada/bert", "a" * 40, repository_id=7, allow=("*.gguf", "config/"))
SPEC = WorkloadSpec(
    svc_name="s-ada-bert-1z",
    kind=Kind.SERVICE,
    task_id=3,
    image="ghcr.io/ggml-org/llama.cpp:server",
    argv=("llama-server", "-m", "{mount:model}/a.gguf", "--port", "{port}", "--note", "{x} {{port}} $HOME `id`"),
    environment={"HOME": "{work}/home", "EMPTY": ""},
    secrets=("API_KEY",),
    port=8000,
    health=Health("/health", ready_timeout_s=600),
    resources=Resources(4000, 8 * GIB, 1, "NVIDIA-A10", 4 * GIB, 100 * GIB, "gpu"),
    replicas_min=0,
    replicas_max=3,
    sleep_after_s=300,
    mounts=(MOUNT,),
    labels={"hub/purpose": "inference"},
)


def test_it_is_the_same_after_json() -> None:
    said = json.loads(json.dumps(SPEC.to_json()))
    assert parse_spec(said) == SPEC
    assert parse_spec({"svc_name": "a", "kind": "job", "task_id": 1, "argv": ["true"]}).health is None
    assert SPEC.with_task(9) == replace(SPEC, task_id=9)


_ODD: list[dict[str, Any]] = [
    *({"svc_name": name} for name in ("", "-a", "a-", "A", "a.b", "a/b", "../a", "a" * 64, 7, "a\n", None)),
    *({"kind": kind} for kind in ("", "Service", 1, None, [])),
    *({"task_id": task} for task in (0, -1, True, 1.0, "1", 1 << 63)),
    *({"argv": argv} for argv in ("ls", [""], ["a\0b"], ["a", 1], ["\ud800"], ["x"] * 1025, ["x" * 131072], {})),
    *({"argv": argv} for argv in (["x" * 100_000] * 11, ["run", "{mount:other}"])),
    *({"image": image} for image in ("a b", "-rm", "a\n", "x" * 513, 5)),
    *({"environment": {name: "x"}} for name in ("", "1A", "A B", "A=B", "A\0", "Ä", "x" * 129)),
    *({"environment": value} for value in ({"A": 1}, {"A": "\0"}, {"A": None}, [], {f"A{n}": "" for n in range(257)})),
    *({"secrets": value} for value in (["HOME"], ["A", "A"], ["1"], "A", [3])),
    *({"port": port} for port in (-1, 65_536, "80", True)),
    *({"health": {"path": path}} for path in ("x", "/a b", "/ü", "/a\n", 1)),
    *({"health": health} for health in ({"interval_s": 0}, {"ok_below": 0}, {"x": 1}, [])),
    *({"resources": value} for value in ({"cpu_millis": -1}, {"gpu_count": 1}, {"memory_bytes": 1 << 70}, {"y": 1})),
    *({"replicas_max": 0}, {"replicas_min": 4}, {"replicas_min": -1}, {"sleep_after_s": -1}, {"deadline_s": 1 << 40}),
    *({"labels": labels} for labels in ({"": "x"}, {"a b": "x"}, {"a": 1}, {"a": "\0"}, ["a"])),
    *({"mounts": [{**MOUNT.__dict__, "allow": [], **odd}]} for odd in (
        *({"target": target} for target in ("", "../x", "a/b", ".", "..", "A", 1)),
        *({"path": path} for path in ("ada", "../etc/passwd", "a/b/c", "/a/b", "a/..", "a\0/b", "-a/b")),
        *({"commit_id": commit} for commit in ("main", "a" * 39, "A" * 40, "", None)),
        *({"kind": "Model"}, {"repository_id": -1}, {"allow": ["x"] * 65}, {"allow": "x"}, {"more": 1}),
    )),
    {"mounts": [MOUNT.__dict__ | {"allow": []}] * 2},
    {"unknown": 1},
]  # fmt: skip


@pytest.mark.parametrize("odd", _ODD, ids=lambda odd: json.dumps(odd)[:60])
def test_what_is_odd_is_refused_with_the_member_that_is_wrong(odd: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as caught:
        parse_spec(json.loads(json.dumps(SPEC.to_json())) | odd)
    assert caught.value.code == "spec_invalid"


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text() | st.floats(), st.lists, max_leaves=5))
def test_no_json_is_more_than_refused(value: Any) -> None:
    for name in SPEC.to_json():
        with contextlib.suppress(HubError):
            parse_spec(SPEC.to_json() | {name: value})


def test_a_job_neither_sleeps_nor_multiplies_and_what_is_asked_for_health_has_a_port() -> None:
    for changes in (
        {"kind": Kind.JOB, "replicas_min": 1, "replicas_max": 1},
        {"kind": Kind.JOB, "sleep_after_s": 0},
        {"port": 0},
        {"image": "", "argv": ()},
    ):
        with pytest.raises(Invalid):
            replace(SPEC, **changes)


def test_placeholders_are_replaced_once_and_nothing_else_means_anything() -> None:
    values = {"port": 4711, "work": "/w/{port}", "mounts": {"model": "/m/{work}"}}
    assert [expand(text, **values) for text in SPEC.argv] == [
        *("llama-server", "-m", "/m/{work}/a.gguf", "--port", "4711", "--note", "{x} {4711} $HOME `id`")
    ]
    assert expand(SPEC.environment["HOME"], **values) == "/w/{port}/home"


def test_names_are_dns_labels() -> None:
    assert path_svc_name("u", "Ada", "my_chat.v2", 36**2 + 35) == "u-ada-my-chat-v2-10z"
    long = path_svc_name("s", "n" * 64, "m" * 64, 36)
    assert len(long) == 63
    assert long.endswith("-10")
    for name in (long, random_svc_name(), random_svc_name()):
        assert replace(SPEC, svc_name=name).svc_name == name


def test_hardware_is_read_as_the_contract_writes_it() -> None:
    said = {
        "gpu": {
            "type": "A10",
            "num": "1",
            "resource_name": "nvidia.com/gpu",
            "labels": {"nvidia.com/gpu.product": "NVIDIA-A10"},
            "resource_mem_name": "nvidia.com/gpumem",
            "mem_size": "8192",
        },
        "cpu": {"type": "Intel", "num": "8", "labels": {}},
        "memory": "32Gi",
        "ephemeral_storage": "100Gi",
        "replicas": 1,
    }
    hardware = parse_hardware(said)
    assert hardware.resources == Resources(8000, 32 * GIB, 1, "A10", 8 * GIB, 100 * GIB, "gpu")
    assert (hardware.type, hardware.model, hardware.label) == ("gpu", "VXPU", "8vCPU·32Gi·1GPU")
    small = parse_hardware({"cpu": {"num": "500m"}, "memory": "512Mi"})
    assert (small.resources.cpu_millis, small.type, small.model, small.label) == (500, "cpu", "CPU", "0.5vCPU·512Mi")
    assert mask_of(["space", "wf_dataflow"]) == 1 | 1 << 38
    assert names_of(-1) == list(SCENARIOS)
    cpu = {"cpu": {"num": "1"}, "memory": "1Gi"}
    for odd, code in (
        ([], "invalid_hardware"),
        ({}, "invalid_cpu_num"),
        ({"cpu": {"num": "-1"}, "memory": "1Gi"}, "invalid_cpu_num"),
        ({"cpu": {"num": "1"}}, "invalid_memory_size"),
        (cpu | {"memory": "9" * 18 + "Pi"}, "invalid_memory_size"),
        (cpu | {"gpu": {"num": "1.5"}}, "invalid_xpu_num"),
        (cpu | {"gpu": {"num": "1", "mem_size": "x"}}, "invalid_xpu_memory_size"),
        (cpu | {"gpu": {"num": "1", "type": "\0"}}, "invalid_hardware"),
        (cpu | {"gpu": {"num": "1", "labels": {"a": 1}}}, "invalid_hardware"),
        (cpu | {"replicas": True}, "invalid_hardware"),
        (cpu | {"fpga": {}}, "invalid_hardware"),
    ):
        with pytest.raises(Invalid) as caught:
            parse_hardware(odd)
        assert caught.value.code == code, odd
