"""What a driver is told to run: plain values, checked as they are made, and JSON both ways.

Nothing else is needed to run it, so that one specification runs on any driver. This module is read by the supervisor,
too: the standard library and ``hub.base.errors`` are all it imports.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Any

from hub.base.errors import Invalid

MIB = 1024 * 1024
# Linux takes no longer argument or variable (MAX_ARG_STRLEN, 32 pages), and some 2 MiB of all together.
MAX_VALUE_BYTES = 128 * 1024 - 1
MAX_VALUES_BYTES = 1024 * 1024
MAX_ARGUMENTS = 1024
MAX_VARIABLES = 256
MAX_MOUNTS = 16
MAX_PATTERNS = 64
MAX_LABELS = 32
MAX_REPLICAS = 64
MAX_SECONDS = 366 * 86_400
# No machine has more; a number beyond is a mistake of units.
MAX_CPU_MILLIS = 4_096_000
MAX_BYTES = 1 << 60
MAX_GPUS = 1024

_SVC_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")  # a DNS label
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}\Z")
_TARGET = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}\Z")
_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?\Z")
_WORD = re.compile(r"[a-z][a-z0-9_]{0,31}\Z")
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,62}\Z")
_PLACEHOLDER = re.compile(r"\{(port|work|mount:([^{}]*))\}")


class Kind(StrEnum):
    """What sort of thing runs. A job comes to an end by itself; all others serve until they are stopped."""

    SERVICE = "service"
    JOB = "job"
    NOTEBOOK = "notebook"
    SPACE = "space"


def _refuse(where: str, problem: str) -> Invalid:
    return Invalid(f"{where}: {problem}", code="spec_invalid", field=where)


def _check_text(where: str, text: str, *, limit: int = 255) -> None:
    if not isinstance(text, str):
        raise _refuse(where, "it is no text")
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise _refuse(where, "it is not valid Unicode") from None
    if "\0" in text:
        raise _refuse(where, "it holds a NUL")
    if size > limit:
        raise _refuse(where, f"it is longer than {limit} bytes")


def _check_number(where: str, number: int, low: int, high: int) -> None:
    if type(number) is not int or not low <= number <= high:  # a bool is no number here
        raise _refuse(where, f"it must be a whole number from {low} to {high}")


@dataclass(frozen=True)
class Resources:
    """What one instance may use. cpu_millis: thousandths of a core; 0 anywhere: no limit asked for, none of it.

    accelerator: "gpu", "npu", "gcu", "mlu", "dcu", "gpgpu" or "tpu", empty without one. gpu_count: whole cards of that
    kind. gpu_model: exactly as a node calls its cards; empty: any. gpu_memory_bytes: of each card, where a card is
    shared; 0: the whole card. disk_bytes: of the work directory.
    """

    cpu_millis: int = 0
    memory_bytes: int = 0
    gpu_count: int = 0
    gpu_model: str = ""
    gpu_memory_bytes: int = 0
    disk_bytes: int = 0
    accelerator: str = ""

    def __post_init__(self) -> None:
        _check_number("resources.cpu_millis", self.cpu_millis, 0, MAX_CPU_MILLIS)
        _check_number("resources.gpu_count", self.gpu_count, 0, MAX_GPUS)
        for name in ("memory_bytes", "gpu_memory_bytes", "disk_bytes"):
            _check_number(f"resources.{name}", getattr(self, name), 0, MAX_BYTES)
        _check_text("resources.gpu_model", self.gpu_model, limit=128)
        if self.accelerator and not _WORD.match(self.accelerator):
            raise _refuse("resources.accelerator", "it is no word")
        if bool(self.gpu_count) != bool(self.accelerator):
            raise _refuse("resources.accelerator", "cards have a kind, and a kind has cards")


@dataclass(frozen=True)
class Health:
    """How it is known that an instance serves.

    path: asked by GET; empty: a TCP connection is enough. ok_below: an answer whose status is lower is good.
    ready_timeout_s: from the start to the first good answer; then it has failed. interval_s: between two questions
    once it serves; failures: so many bad answers in a row and it is started again.
    """

    path: str = ""
    ready_timeout_s: int = 120
    interval_s: int = 15
    failures: int = 3
    ok_below: int = 400

    def __post_init__(self) -> None:
        _check_text("health.path", self.path, limit=1024)
        if self.path and (not self.path.startswith("/") or not self.path.isascii() or not self.path.isprintable()):
            raise _refuse("health.path", "it must begin with / and be plain ASCII")
        if " " in self.path:
            raise _refuse("health.path", "it holds a blank")
        _check_number("health.ready_timeout_s", self.ready_timeout_s, 1, 86_400)
        _check_number("health.interval_s", self.interval_s, 1, 3600)
        _check_number("health.failures", self.failures, 1, 100)
        _check_number("health.ok_below", self.ok_below, 200, 600)


@dataclass(frozen=True)
class Mount:
    """A read-only snapshot of a repository at a commit.

    kind and path: of the repository ("model", "ns/name"); repository_id: the same one, whatever it is called
    meanwhile. allow: patterns of the files that are wanted, as a client's ``allow_patterns``; none: all.
    target: the word by which arguments name it: ``{mount:TARGET}``.
    """

    target: str
    kind: str
    path: str
    commit_id: str
    repository_id: int = 0
    allow: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.target, str) or not _TARGET.match(self.target):
            raise _refuse("mounts.target", "it must be a plain word of small letters, digits, - and _")
        if not isinstance(self.kind, str) or not _WORD.match(self.kind):
            raise _refuse("mounts.kind", "it is no kind of repository")
        _check_text("mounts.path", self.path)
        parts = self.path.split("/")
        if len(parts) != 2 or not all(re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z", part) for part in parts):
            raise _refuse("mounts.path", "it must be a repository's: namespace/name")
        if not isinstance(self.commit_id, str) or not _COMMIT.match(self.commit_id):
            raise _refuse("mounts.commit_id", "it must be a whole commit id")
        _check_number("mounts.repository_id", self.repository_id, 0, 1 << 62)
        if not isinstance(self.allow, tuple) or len(self.allow) > MAX_PATTERNS:
            raise _refuse("mounts.allow", f"at most {MAX_PATTERNS} patterns")
        for pattern in self.allow:
            _check_text("mounts.allow", pattern, limit=1024)


@dataclass(frozen=True)
class WorkloadSpec:
    """One workload as a driver runs it.

    svc_name: its name for good, a DNS label. task_id: the number of this start; a higher one replaces a lower one.
    image: for drivers that run containers; argv: for those that start processes, and a container's command when it is
    not the image's own. Values of argv and environment may hold ``{port}``, ``{work}`` and ``{mount:TARGET}``.
    secrets: names of further variables; their values are handed over beside the specification and are never in it.
    port: that the workload listens on in a container of its own; 0: it serves nothing. sleep_after_s: it is put to
    sleep after so long without a request; 0: never. deadline_s: longest life of a job; 0: no end is set.
    """

    svc_name: str
    kind: Kind
    task_id: int
    image: str = ""
    argv: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    port: int = 0
    health: Health | None = None
    resources: Resources = Resources()
    replicas_min: int = 1
    replicas_max: int = 1
    sleep_after_s: int = 0
    deadline_s: int = 0
    mounts: tuple[Mount, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.svc_name, str) or not _SVC_NAME.match(self.svc_name):
            raise _refuse("svc_name", "it must be a DNS label: small letters, digits and -, at most 63")
        if not isinstance(self.kind, Kind):
            raise _refuse("kind", "it must be one of " + ", ".join(Kind))
        _check_number("task_id", self.task_id, 1, 1 << 62)
        self._check_command()
        self._check_environment()
        _check_number("port", self.port, 0, 65_535)
        if self.health is not None and not self.port:
            raise _refuse("port", "what is asked for its health listens on a port")
        _check_number("replicas_max", self.replicas_max, 1, MAX_REPLICAS)
        _check_number("replicas_min", self.replicas_min, 0, self.replicas_max)
        if self.kind is Kind.JOB and (self.replicas_min, self.replicas_max) != (1, 1):
            raise _refuse("replicas_max", "a job runs once")
        _check_number("sleep_after_s", self.sleep_after_s, 0, MAX_SECONDS)
        _check_number("deadline_s", self.deadline_s, 0, MAX_SECONDS)
        if self.sleep_after_s and (self.kind is Kind.JOB or not self.port):
            raise _refuse("sleep_after_s", "only what is called can sleep")
        self._check_mounts()
        if not isinstance(self.labels, Mapping) or len(self.labels) > MAX_LABELS:
            raise _refuse("labels", f"at most {MAX_LABELS}")
        for name, value in self.labels.items():
            if not isinstance(name, str) or not _LABEL.match(name):
                raise _refuse("labels", "a name is no plain word")
            _check_text(f"labels.{name}", value)

    def _check_command(self) -> None:
        _check_text("image", self.image, limit=512)
        if self.image and (not self.image.isascii() or not re.match(r"[A-Za-z0-9][^\s]*\Z", self.image)):
            raise _refuse("image", "it is no name of an image")
        if not isinstance(self.argv, tuple) or len(self.argv) > MAX_ARGUMENTS:
            raise _refuse("argv", f"at most {MAX_ARGUMENTS} arguments")
        for number, argument in enumerate(self.argv):
            _check_text(f"argv[{number}]", argument, limit=MAX_VALUE_BYTES)
        if self.argv and not self.argv[0]:
            raise _refuse("argv[0]", "it names no program")
        if not self.image and not self.argv:
            raise _refuse("argv", "there is neither an image nor a command")

    def _check_environment(self) -> None:
        if not isinstance(self.environment, Mapping) or not isinstance(self.secrets, tuple):
            raise _refuse("environment", "it is no mapping")
        if len(self.environment) + len(self.secrets) > MAX_VARIABLES:
            raise _refuse("environment", f"at most {MAX_VARIABLES} variables")
        for name in (*self.environment, *self.secrets):
            if not isinstance(name, str) or not _VARIABLE.match(name):
                raise _refuse("environment", "a name is no name of a variable")
        if len(set(self.secrets)) != len(self.secrets) or set(self.secrets) & set(self.environment):
            raise _refuse("secrets", "a name is there twice")
        size = sum(len(argument.encode()) for argument in self.argv)
        for name, value in self.environment.items():
            _check_text(f"environment.{name}", value, limit=MAX_VALUE_BYTES - len(name) - 1)
            size += len(name) + len(value.encode())
        if size > MAX_VALUES_BYTES:
            raise _refuse("environment", f"arguments and variables together are over {MAX_VALUES_BYTES} bytes")

    def _check_mounts(self) -> None:
        if not isinstance(self.mounts, tuple) or len(self.mounts) > MAX_MOUNTS:
            raise _refuse("mounts", f"at most {MAX_MOUNTS}")
        targets = [mount.target for mount in self.mounts]
        if len(set(targets)) != len(targets):
            raise _refuse("mounts", "two have the same target")
        for text in (*self.argv, *self.environment.values()):
            for match in _PLACEHOLDER.finditer(text):
                if match[2] is not None and match[2] not in targets:
                    raise _refuse("mounts", "an argument names a mount that is not there")

    def with_task(self, task_id: int) -> WorkloadSpec:
        """The same to be started anew."""
        return WorkloadSpec(**{item.name: getattr(self, item.name) for item in fields(self)} | {"task_id": task_id})

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON-able values; ``parse_spec`` makes the same specification of them."""
        return {
            **{item.name: getattr(self, item.name) for item in fields(self)},
            "kind": self.kind.value,
            "argv": list(self.argv),
            "environment": dict(self.environment),
            "secrets": list(self.secrets),
            "health": None if self.health is None else _plain(self.health),
            "resources": _plain(self.resources),
            "mounts": [{**_plain(mount), "allow": list(mount.allow)} for mount in self.mounts],
            "labels": dict(self.labels),
        }


def _plain(value: Health | Resources | Mount) -> dict[str, Any]:
    return {item.name: getattr(value, item.name) for item in fields(value)}


def parse_spec(data: object) -> WorkloadSpec:
    """The specification that JSON describes. Raises Invalid (``spec_invalid``) with the member that is wrong."""
    values = _members("spec", data, WorkloadSpec)
    for name in ("argv", "secrets"):
        if name in values:
            values[name] = _tuple(name, values[name])
    if "kind" in values:
        if values["kind"] not in tuple(Kind):
            raise _refuse("kind", "it must be one of " + ", ".join(Kind))
        values["kind"] = Kind(values["kind"])
    if values.get("health") is not None:
        values["health"] = Health(**_members("health", values["health"], Health))
    if "resources" in values:
        values["resources"] = parse_resources(values["resources"])
    if "mounts" in values:
        values["mounts"] = tuple(_parse_mount(item) for item in _tuple("mounts", values["mounts"]))
    for name in ("svc_name", "kind", "task_id"):
        if name not in values:
            raise _refuse(name, "it is missing")
    return WorkloadSpec(**values)


def parse_resources(data: object) -> Resources:
    """The resources that JSON describes. Raises Invalid (``spec_invalid``)."""
    return Resources(**_members("resources", data, Resources))


def _parse_mount(data: object) -> Mount:
    values = _members("mounts", data, Mount)
    if "allow" in values:
        values["allow"] = _tuple("mounts.allow", values["allow"])
    for name in ("target", "kind", "path", "commit_id"):
        if name not in values:
            raise _refuse(f"mounts.{name}", "it is missing")
    return Mount(**values)


def _members(where: str, data: object, cls: type[Any]) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise _refuse(where, "it is no object")
    if unknown := set(data) - {item.name for item in fields(cls)}:
        raise _refuse(where, f"it has members that nobody knows: {', '.join(sorted(map(repr, unknown)))[:200]}")
    return dict(data)


def _tuple(where: str, data: object) -> tuple[Any, ...]:
    if not isinstance(data, list):
        raise _refuse(where, "it is no list")
    return tuple(data)


def expand(text: str, *, port: int, work: str, mounts: Mapping[str, str]) -> str:
    """An argument or a variable's value with its placeholders replaced. Nothing else in it means anything.

    work: the work directory; mounts: target to directory. What was put in is not looked at again.
    """

    def replace(match: re.Match[str]) -> str:
        if match[2] is not None:
            return mounts.get(match[2], match[0])
        return str(port) if match[1] == "port" else work

    return _PLACEHOLDER.sub(replace, text)


def check_secrets(spec: WorkloadSpec, secrets: Mapping[str, str]) -> None:
    """Refuse values that are not those of the names that the specification has. Raises Invalid (``spec_invalid``)."""
    if set(secrets) != set(spec.secrets):
        raise _refuse("secrets", "the values are not those of the names")
    for name, value in secrets.items():
        _check_text(f"secrets.{name}", value, limit=MAX_VALUE_BYTES - len(name) - 1)


def is_inside(path: str) -> bool:
    """Whether a path of a repository stays in the directory that it is put in: relative, without ``..``."""
    parts = PurePosixPath(path)
    return bool(path) and not parts.is_absolute() and ".." not in parts.parts and "\0" not in path
