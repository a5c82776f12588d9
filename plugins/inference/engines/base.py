"""What the engines of the catalogue have in common: from a declaration and an order to a plan."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

from hub.plugin.errors import Invalid
from plugins.inference.engines.catalogue import load_declaration
from plugins.inference.engines.engine import (
    ROUTES_OF_TASK,
    Declaration,
    EngineImage,
    InferenceEngine,
    ModelFacts,
    Order,
    Plan,
    Route,
    Target,
)
from plugins.inference.engines.rendering import render_args, render_text

GIB = 1024**3
# Source: compute contract, sections 1.4 and 15.6.
CONTAINER_TIMEOUT_S = 3600
_TIMEOUT_S, _TIMEOUT_S_PER_GIB, _MAX_TIMEOUT_S = 120, 60, 2700
# The files of a model as transformers saves one; weights as safetensors only, and no code.
SAFE_FILES = ("*.safetensors", "*.json", "*.jinja", "*.txt", "*.model", "*.tiktoken")
CODE_FILES = ("*.py",)


def only(path: str) -> str:
    """The pattern that this very file meets, whatever it is called."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in path)


def flags(**values: object) -> list[str]:
    """``name=value`` as ``--name value``; what is None, empty or 0 is left out."""
    return [word for name, value in values.items() if value for word in (f"--{name.replace('_', '-')}", str(value))]


class CatalogueEngine(InferenceEngine):
    """An engine of which a file of the catalogue tells. Heirs say how it is started."""

    catalogue: ClassVar[str]

    @classmethod
    def declare(cls) -> Declaration:
        """What the file says."""
        return load_declaration(cls.catalogue)

    @abstractmethod
    def command(self, order: Order, arguments: list[str], *, target: Target) -> list[str]:
        """The program and what it is told. arguments: what people have set, rendered; it may be changed."""

    def environment(self, order: Order, arguments: Sequence[str]) -> Mapping[str, str]:
        """Further variables. arguments: as for the command."""
        return {}

    def files_of(self, order: Order) -> tuple[str, ...]:
        """Patterns of the files that it needs. Raises Invalid where one is not named, or not there."""
        return (*SAFE_FILES, *(CODE_FILES if self.trusts(order) else ()))

    def routes_of(self, order: Order) -> frozenset[Route]:
        """What it will answer."""
        return ROUTES_OF_TASK.get(task_of(order), frozenset())

    def model_name_of(self, order: Order) -> str:
        """What the running server calls the model."""
        return order.served_name or order.repo_path

    def has_tools(self, order: Order, arguments: Sequence[str]) -> bool:
        """Whether the model may call tools."""
        return False

    def trusts(self, order: Order) -> bool:
        """Whether code of the repository's is to be run: never, unless the administrators want it."""
        return self.site.trusts_remote_code and order.facts.has_remote_code

    def plan(self, order: Order, *, target: Target) -> Plan:
        """How to start it. Raises as the seam says."""
        declared = self.declare()
        if target is Target.LOCAL and (reason := self.explain_local()):
            raise Invalid(f"{declared.title} cannot be started here: {reason}", code="engine_not_local")
        is_vouched = bool(set(order.extra_archs) & set(order.facts.names))
        fit = self.reads(order.facts) if is_vouched else self.fits(order.facts)
        if not fit.is_fit:
            raise Invalid(f"{declared.title} cannot serve this model: {fit.reason}", code="model_not_fit")
        allow = self.files_of(order)
        arguments = render_args(declared, order.engine_args, target=target)
        argv = self.command(order, list(arguments), target=target)
        environment = {
            "REPO_ID": order.repo_path,
            "REVISION": order.facts.commit_id[:7],
            "HF_HUB_OFFLINE": "1",
            "HF_TASK": task_of(order),
            "ENGINE_ARGS": render_text(arguments),
            **_cards(order),
            **self.environment(order, arguments),
        }
        return Plan(
            argv=tuple(argv),
            environment={name: value for name, value in environment.items() if value},
            port=declared.container_port,
            live_path=declared.live_path,
            ready_path=declared.ready_path,
            ready_timeout_s=CONTAINER_TIMEOUT_S if target is Target.CONTAINER else _patience(order.facts),
            model_name=self.model_name_of(order),
            supports=self.routes_of(order),
            image=self._image_of(order) if target is Target.CONTAINER else "",
            allow=allow,
            key_variable=declared.key_variable,
            metrics_path=declared.metrics_path,
            has_tools=self.has_tools(order, argv),
        )

    def _image_of(self, order: Order) -> str:
        declared = self.declare()
        if order.image:
            return with_registry(order.image, self.site.registry)
        for image in declared.images:
            if image.image and image.compute_type == order.compute_type and _is_for(image, order.facts):
                return with_registry(image.image, self.site.registry)
        raise Invalid(
            f"{declared.title} comes in no image for {order.compute_type!r}.",
            code="engine_image_missing",
            compute_type=order.compute_type,
        )


def _is_for(image: EngineImage, facts: ModelFacts) -> bool:
    """Whether an image serves the model: one that names models serves those alone."""
    return not image.extra_models or facts.origin_name in image.extra_models


def with_registry(image: str, registry: str) -> str:
    """The image's whole name. Source of the rule: compute contract, section 2.1."""
    return f"{registry.rstrip('/')}/{image}" if registry and image.count("/") == 1 else image


def task_of(order: Order) -> str:
    """What the model is to do: as is said, else as its card or files say."""
    return order.task or order.facts.task or "text-generation"


def _cards(order: Order) -> dict[str, str]:
    # Source: compute contract, section 1.10; GPU_NUM is there for every kind of card.
    if not order.accelerators:
        return {}
    return {"GPU_NUM": str(order.accelerators), f"{order.compute_type.upper()}_NUM": str(order.accelerators)}


def _patience(facts: ModelFacts) -> int:
    size_gib = math.ceil(facts.weight_bytes / GIB)
    return min(_TIMEOUT_S + _TIMEOUT_S_PER_GIB * size_gib, _MAX_TIMEOUT_S)
