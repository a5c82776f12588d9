"""The hardware JSON of what workloads run on, read and judged. Source: compute contract, 11.1 to 11.4."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hub.base.errors import Invalid
from hub.base.texts import is_storable
from hub.compute.spec import MAX_BYTES, MAX_CPU_MILLIS, MAX_GPUS, Resources

# In the order in which the first that is there gives the type.
ACCELERATORS = ("gpu", "npu", "gcu", "mlu", "dcu", "gpgpu", "tpu")
MIB = 1024 * 1024
GIB = 1024 * MIB

_QUANTITY = re.compile(r"(\d{1,18}(?:\.\d{1,9})?)(Ki|Mi|Gi|Ti|Pi|k|M|G|T|P|m|)\Z")
_UNITS = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    **{unit: Decimal(1000) ** power for power, unit in enumerate("kMGTP", 1)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTP", 1)},
}
_MAX_TEXT = 128
_MAX_LABELS = 16


def parse_quantity(text: object) -> Decimal | None:
    """A quantity as Kubernetes writes it ("32Gi", "0.5", "500m"), in units; None: it is none."""
    match = _QUANTITY.match(text) if isinstance(text, str) else None
    return Decimal(match[1]) * _UNITS[match[2]] if match else None


@dataclass(frozen=True)
class Hardware:
    """What one SKU gives. accelerator: "" without one. replicas: nodes of such hardware; data: the JSON itself."""

    resources: Resources
    resource_name: str
    replicas: int
    data: Mapping[str, Any]

    @property
    def type(self) -> str:
        """ "cpu", or the kind of accelerator."""
        return self.resources.accelerator or "cpu"

    @property
    def model(self) -> str:
        """``hardware_model``: CPU, XPU, VXPU (a part of a card) or MIG."""
        if not self.resources.accelerator:
            return "CPU"
        if self.resources.gpu_memory_bytes:
            return "VXPU"
        return "MIG" if self.resource_name.startswith("nvidia.com/mig-") else "XPU"

    @property
    def label(self) -> str:
        """In short: "8vCPU·32Gi·1GPU"."""
        cores = Decimal(self.resources.cpu_millis) / 1000
        parts = [f"{cores.normalize():f}vCPU", format_bytes(self.resources.memory_bytes)]
        if self.resources.gpu_count:
            parts.append(f"{self.resources.gpu_count}{self.resources.accelerator.upper()}")
        return "·".join(parts)


def format_bytes(size_bytes: int) -> str:
    """As the contract writes memory: "32Gi", "512Mi"."""
    return f"{size_bytes // GIB}Gi" if size_bytes % GIB == 0 else f"{size_bytes // MIB}Mi"


def parse_hardware(data: object) -> Hardware:
    """The hardware that JSON describes. Raises Invalid: ``invalid_hardware``, ``invalid_cpu_num`` and the like."""
    if not isinstance(data, dict):
        raise _invalid("invalid_hardware", "The hardware is no object.")
    if unknown := set(data) - {*ACCELERATORS, "cpu", "memory", "ephemeral_storage", "replicas"}:
        raise _invalid("invalid_hardware", f"The hardware has members that nobody knows: {sorted(unknown)!r:.200}")
    cpu = _part(data, "cpu")
    cores = parse_quantity(cpu.get("num"))
    if cores is None or not 0 < cores * 1000 <= MAX_CPU_MILLIS:
        raise _invalid("invalid_cpu_num", "cpu.num must be a number of cores.")
    memory = _size(data.get("memory"), code="invalid_memory_size", what="memory")
    if not memory:
        raise _invalid("invalid_memory_size", "memory must be a size such as 16Gi.")
    disk = _size(data.get("ephemeral_storage") or "0", code="invalid_hardware", what="ephemeral_storage")
    replicas = data.get("replicas", 1)
    if type(replicas) is not int or not 1 <= replicas <= MAX_GPUS:
        raise _invalid("invalid_hardware", "replicas must be a number of nodes.")
    kind, count = "", 0
    for name in ACCELERATORS:
        card = _part(data, name)
        number = card.get("num") or "0"
        if not isinstance(number, str) or not number.isascii() or not number.isdecimal() or int(number) > MAX_GPUS:
            raise _invalid("invalid_xpu_num", f"{name}.num must be a number of cards.")
        if not kind and int(number):
            kind, count = name, int(number)
    card = _part(data, kind) if kind else {}
    shared = card.get("mem_size") or "0"
    if not isinstance(shared, str) or not shared.isascii() or not shared.isdecimal() or len(shared) > 9:
        raise _invalid("invalid_xpu_memory_size", f"{kind}.mem_size must be a number of MB.")
    resources = Resources(
        cpu_millis=int(cores * 1000),
        memory_bytes=memory,
        gpu_count=count,
        gpu_model=card.get("type", ""),
        gpu_memory_bytes=int(shared) * MIB,
        disk_bytes=disk,
        accelerator=kind,
    )
    return Hardware(resources, card.get("resource_name", ""), replicas, data)


def _size(text: object, *, code: str, what: str) -> int:
    size = parse_quantity(text)
    if size is None or size > MAX_BYTES:
        raise _invalid(code, f"{what} must be a size such as 16Gi.")
    return int(size)


def _part(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = data.get(name) or {}
    if not isinstance(part, dict):
        raise _invalid("invalid_hardware", f"{name} is no object.")
    known = {"type", "num", "labels", "resource_name", "resource_mem_name", "mem_size"}
    if unknown := set(part) - known:
        raise _invalid("invalid_hardware", f"{name} has members that nobody knows: {sorted(unknown)!r:.200}")
    labels = part.get("labels") or {}
    if not isinstance(labels, dict) or len(labels) > _MAX_LABELS:
        raise _invalid("invalid_hardware", f"{name}.labels is no object, or has over {_MAX_LABELS} members.")
    texts = [value for key, value in part.items() if key != "labels"]
    for text in (*texts, *labels, *labels.values()):
        if not isinstance(text, str) or len(text) > _MAX_TEXT or not is_storable(text):
            raise _invalid("invalid_hardware", f"{name} holds what is no text of {_MAX_TEXT} characters or fewer.")
    return part


def _invalid(code: str, message: str) -> Invalid:
    return Invalid(message, code=code)


# What a SKU is offered for, by the bit that stands for it. Bits never mean anything else later.
SCENARIOS: Mapping[str, int] = {
    "space": 0,
    "inference": 1,
    "finetune": 2,
    "serverless": 3,
    "notebook": 5,
    "sandbox": 7,
    "wf_evaluation": 32,
    "wf_claw_eval": 33,
    "wf_finetune": 37,
    "wf_dataflow": 38,
    "wf_dataflow_llmlog": 39,
}
ALL_SCENARIOS = -1
# A sandbox gets no card; all but inference run on one node. Inference and training may do without a card here.
_WITHOUT_CARD = frozenset({7})
_ONE_NODE = frozenset(SCENARIOS.values()) - {1}
# The page of evaluations asks with the type of its deployments.
_ALIASES = {4: 32}


def scenario_bit(code: int) -> int | None:
    """The bit that a ``deploy_type`` in a query means; None: there is none."""
    bit = _ALIASES.get(code, code)
    return bit if bit in SCENARIOS.values() else None


def names_of(scenarios: int) -> list[str]:
    """The scenarios of a bit mask."""
    return [name for name, bit in SCENARIOS.items() if scenarios & (1 << bit)]


def mask_of(names: list[str]) -> int:
    """The bit mask of scenarios; of none: all. Raises Invalid (``scenario_unknown``)."""
    if not names:
        return ALL_SCENARIOS
    if unknown := [name for name in names if name not in SCENARIOS]:
        raise Invalid(f"There is no scenario {unknown[0][:80]!r}.", code="scenario_unknown")
    return sum({1 << SCENARIOS[name] for name in names})


def fits_scenario(hardware: Hardware, bit: int) -> bool:
    """Whether such hardware is for the scenario at all, whatever its SKU says."""
    if bit in _WITHOUT_CARD and hardware.resources.gpu_count:
        return False
    return bit not in _ONE_NODE or hardware.replicas == 1
