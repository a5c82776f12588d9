"""The seam of engines: what one declares, which models it fits, and how it is started. Group hub.inference.engines."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from hub.plugin import DriverGroup

# By what arguments name the files of the repository: ``{mount:model}``.
MOUNT = "model"


class Target(StrEnum):
    """Where an engine is to run: as a process of this machine, or in a container of its own."""

    LOCAL = "local"
    CONTAINER = "container"


class Route(StrEnum):
    """What a running engine answers, below its ``/v1``."""

    CHAT = "chat/completions"
    COMPLETIONS = "completions"
    EMBEDDINGS = "embeddings"
    RERANK = "rerank"
    TRANSCRIPTIONS = "audio/transcriptions"
    IMAGES = "images/generations"


# What an engine answers with a model of that task. Source of the tasks: compute contract, section 1.2.
ROUTES_OF_TASK: Mapping[str, frozenset[Route]] = {
    **dict.fromkeys(
        ("text-generation", "image-text-to-text", "any-to-any"), frozenset({Route.CHAT, Route.COMPLETIONS})
    ),
    **dict.fromkeys(("feature-extraction", "sentence-similarity"), frozenset({Route.EMBEDDINGS})),
    "text-ranking": frozenset({Route.RERANK}),
    "automatic-speech-recognition": frozenset({Route.TRANSCRIPTIONS}),
    **dict.fromkeys(("text-to-image", "image-to-image"), frozenset({Route.IMAGES})),
}


class ArgType(StrEnum):
    """What an argument's value looks like. A switch is there or not."""

    TEXT = "text"
    NUMBER = "number"
    SWITCH = "switch"
    CHOICE = "choice"


@dataclass(frozen=True)
class EngineArg:
    """An argument that a person may set. Source: compute contract, section 1.9.

    value: the engine's default, as a form shows it; empty: the engine decides. format: what is rendered, with ``%s``
    for the value; a switch has none. is_local: whether the server of this machine takes it, too.
    """

    name: str
    value: str = ""
    format: str = "%s"
    type: ArgType = ArgType.TEXT
    choices: tuple[str, ...] = ()
    help: str = ""
    is_local: bool = False


@dataclass(frozen=True)
class EngineImage:
    """An image in which an engine comes. compute_type: "cpu", "gpu", "npu", "gcu", "mlu", "dcu", "gpgpu" or "tpu".

    extra_archs and extra_models: what this image serves beyond the others.
    """

    compute_type: str
    image: str
    driver_version: str = ""
    engine_version: str = ""
    extra_archs: tuple[str, ...] = ()
    extra_models: tuple[str, ...] = ()


@dataclass(frozen=True)
class Declaration:
    """What an engine says of itself. Source: compute contract, sections 2.1 to 2.4.

    model_format: of the files that it reads; empty: it brings its own. supported_archs: names of architectures,
    classes or types of models; supported_models: of models, whatever is in their files; empty, both: any.
    live_path and ready_path: asked by GET without a key. key_variable: the variable from which it reads the key that
    its callers must send; empty: it asks for none. owned_flags: what only the platform may say.
    """

    name: str
    title: str
    description: str = ""
    model_format: tuple[str, ...] = ("safetensors",)
    tasks: tuple[str, ...] = ("text-generation",)
    container_port: int = 8000
    images: tuple[EngineImage, ...] = ()
    args: tuple[EngineArg, ...] = ()
    supported_archs: tuple[str, ...] = ()
    supported_models: tuple[str, ...] = ()
    tool_call_parsers: Mapping[str, str] = field(default_factory=dict)
    live_path: str = "/health"
    ready_path: str = "/health"
    metrics_path: str = "/metrics"
    key_variable: str = ""
    owned_flags: tuple[str, ...] = ()
    min_version: str = ""
    updated_at: str = ""
    is_enabled: bool = True


@dataclass(frozen=True)
class GgufFile:
    """One variant of a model as GGUF. files: all parts, where it lies in several; ``path`` is the first."""

    path: str
    quantization: str = ""
    size_bytes: int = 0
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class ModelFacts:
    """What is known of a model's files, as far as engines ask. Empty and 0: not known.

    formats: of its weights ("safetensors", "gguf", "pytorch", "onnx", "paddle_static"). origin_name: the last part of
    the name that it had where it came from. projectors: GGUF files that let a model of texts see pictures. layers,
    hidden_size, heads, key_value_heads, bytes_per_weight: for the estimate of memory.
    """

    commit_id: str = ""
    formats: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()
    class_name: str = ""
    model_type: str = ""
    origin_name: str = ""
    gguf_files: tuple[GgufFile, ...] = ()
    projectors: tuple[str, ...] = ()
    parameters: int = 0
    weight_bytes: int = 0
    task: str = ""
    context_length: int = 0
    has_chat_template: bool = False
    has_remote_code: bool = False
    quantization_method: str = ""
    layers: int = 0
    hidden_size: int = 0
    heads: int = 0
    bytes_per_weight: float = 2.0

    @property
    def names(self) -> tuple[str, ...]:
        """What engines may know the model by: its architectures, class and type, without empty ones."""
        return tuple(dict.fromkeys(filter(None, (*self.architectures, self.class_name, self.model_type))))


@dataclass(frozen=True)
class Fit:
    """Whether an engine can serve a model; reason: why not, for people."""

    is_fit: bool
    reason: str = ""


@dataclass(frozen=True)
class Order:
    """What is to be served, and how.

    repo_path: "namespace/name". facts: of its files at the commit to be served. entrypoint: the file of a GGUF model.
    engine_args: name to value, of those that were changed. task: empty: the one of the facts. served_name: what the
    running server calls the model; empty: ``repo_path``. compute_type: as an image's; accelerators: cards of an
    instance. cpus: cores of an instance; 0: no limit. image: another than the declared one. extra_archs: architectures
    that administrators say the engine knows, too.
    """

    repo_path: str
    facts: ModelFacts
    entrypoint: str = ""
    engine_args: Mapping[str, str] = field(default_factory=dict)
    task: str = ""
    served_name: str = ""
    compute_type: str = "cpu"
    accelerators: int = 0
    cpus: int = 0
    memory_bytes: int = 0
    image: str = ""
    extra_archs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """How to start it: members of a ``WorkloadSpec``, and how the running server is called.

    argv, environment: with ``{port}``, ``{work}`` and ``{mount:model}``. allow: patterns of the files to mount.
    key_variable: the secret variable in which it expects the key that callers send as ``Authorization: Bearer``;
    empty: none. model_name, upstream_path: what a request says and to where it goes. supports: what it answers.
    ready_timeout_s: how long it may take until it serves.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    port: int
    live_path: str
    ready_path: str
    ready_timeout_s: int
    model_name: str
    supports: frozenset[Route]
    image: str = ""
    allow: tuple[str, ...] = ()
    key_variable: str = ""
    upstream_path: str = "/v1"
    metrics_path: str = ""
    has_tools: bool = False


@dataclass(frozen=True)
class Site:
    """What an engine may know of the hub that it runs for.

    home: where installed engines lie. registry: before the names of images that have none. programs: engine to the
    program or Python that an administrator has named for it. trusts_remote_code: whether code in repositories of
    models may be run. cpus: of this machine.
    """

    home: Path
    registry: str = ""
    programs: Mapping[str, str] = field(default_factory=dict)
    trusts_remote_code: bool = False
    cpus: int = 1


class InferenceEngine(ABC):
    """A program that serves models. Any distribution may bring one: an entry point of the group, named like it."""

    def __init__(self, site: Site) -> None:
        self.site = site

    @classmethod
    @abstractmethod
    def declare(cls) -> Declaration:
        """What it is. Quick, and always the same."""

    @abstractmethod
    def plan(self, order: Order, *, target: Target) -> Plan:
        """How to start it.

        Raises Invalid: ``engine_not_local`` (it does not run on this machine), ``model_not_fit``,
        ``entrypoint_missing``, ``entrypoint_not_found``, ``engine_arg_invalid``, ``engine_image_missing``.
        """

    def explain_local(self) -> str:
        """Why it cannot run on this machine; empty: it can."""
        return "It runs in containers only."

    def reads(self, facts: ModelFacts) -> Fit:
        """Whether it reads the files, whatever is in them."""
        wanted = self.declare().model_format
        if not wanted or set(wanted) & set(facts.formats):
            return Fit(True)
        there = " and ".join(facts.formats) or "no weights that the hub can read"
        return Fit(False, f"It reads {' or '.join(wanted)}; the repository has {there}.")

    def fits(self, facts: ModelFacts) -> Fit:
        """Whether it serves such a model. Source: compute contract, section 2.5."""
        if not (fit := self.reads(facts)).is_fit:
            return fit
        declared = self.declare()
        archs = {*declared.supported_archs, *(arch for image in declared.images for arch in image.extra_archs)}
        models = {*declared.supported_models, *(name for image in declared.images for name in image.extra_models)}
        if not archs and not models:
            return Fit(True)
        if archs & set(facts.names) or facts.origin_name in models:
            return Fit(True)
        known = ", ".join(facts.names) or "not known"
        return Fit(False, f"It does not know the architecture ({known}).")


ENGINES: DriverGroup[InferenceEngine] = DriverGroup(
    "hub.inference.engines",
    InferenceEngine,  # type: ignore[type-abstract]  # named, never instantiated
    "inference engine",
)
