"""Engines of GGUF files: llama.cpp, KTransformers. Source of their options: compute contract, sections 2.3 and 15.3."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from hub.plugin.errors import Invalid
from plugins.inference.engines.base import CatalogueEngine, flags, only, task_of
from plugins.inference.engines.engine import MOUNT, GgufFile, Order, Route, Target
from plugins.inference.engines.installing import find_python, server_script

PROGRAM = "llama-server"
_MAX_CONTEXT = 8192
_ALL_LAYERS = -1
_BRACES = re.compile(r"[{}]")


class Gguf(CatalogueEngine):
    """An engine that is told which file of the repository it is to read."""

    def entry_of(self, order: Order) -> GgufFile:
        """The variant of the model that was asked for.

        Raises Invalid (``entrypoint_missing``, ``entrypoint_not_found``).
        """
        if not order.entrypoint:
            raise Invalid("Say which GGUF file is to be served.", code="entrypoint_missing")
        for variant in order.facts.gguf_files:
            if order.entrypoint == variant.path or order.entrypoint in variant.files:
                # Of what drivers fill in, nothing may stand in a file's name.
                if _BRACES.search(variant.path):
                    break
                return variant
        raise Invalid(f"The repository has no GGUF file {order.entrypoint[:200]!r}.", code="entrypoint_not_found")

    def files_of(self, order: Order) -> tuple[str, ...]:
        """The parts of that variant, and what lets the model see pictures."""
        entry = self.entry_of(order)
        return tuple(only(path) for path in dict.fromkeys((entry.path, *entry.files, *self.projectors_of(order))))

    def projectors_of(self, order: Order) -> tuple[str, ...]:
        """The first projector, where the model is to see."""
        wants = task_of(order) in ("image-text-to-text", "any-to-any")
        return tuple(path for path in order.facts.projectors if not _BRACES.search(path))[:1] if wants else ()


class LlamaCpp(Gguf):
    """llama.cpp's server."""

    catalogue = "llama.cpp"

    def explain_local(self) -> str:
        """Why it cannot run here; empty: it can."""
        if self._program() or find_python(self.site, "llama.cpp"):
            return ""
        return "llama.cpp is not installed; an administrator can run: hub engine install llama.cpp"

    def _program(self) -> str:
        named = self.site.programs.get("llama.cpp", "")
        if named:
            return named if os.path.basename(named).startswith(PROGRAM) else ""
        return shutil.which(PROGRAM) or ""

    def command(self, order: Order, arguments: list[str], *, target: Target) -> list[str]:
        """The program, or the server of ours around the same code."""
        model = f"{{mount:{MOUNT}}}/{self.entry_of(order).path}"
        parallel = _whole(order, "parallel", 1, 1, 64)
        context = _whole(order, "ctx-size", min(order.facts.context_length or _MAX_CONTEXT, _MAX_CONTEXT), 64, 2**24)
        layers = str(_whole(order, "n-gpu-layers", _ALL_LAYERS if order.accelerators else 0, -1, 10_000))
        threads = _whole(order, "threads", order.cpus, 0, 4096)
        # Another than the model's own would give vectors that look right and are not.
        pooling = order.engine_args.get("pooling", "").strip()
        projector = next((f"{{mount:{MOUNT}}}/{path}" for path in self.projectors_of(order)), "")
        program = self._program() if target is Target.LOCAL else "/app/llama-server"
        name = self.model_name_of(order)
        if not program:
            python = find_python(self.site, "llama.cpp")
            return [
                *(str(python), "-I", str(server_script()), "llama"),
                *flags(
                    model=model, name=name, port="{port}", mode=self._mode_of(order), context=context, parallel=parallel
                ),
                *flags(threads=threads, gpu_layers=layers, pooling=pooling, mmproj=projector),
            ]
        # What is told once for all requests is shared by them.
        own = {"--ctx-size", "--parallel", "--threads", "--n-gpu-layers", "--pooling"}
        rest = _without(arguments, own)
        host = "127.0.0.1" if target is Target.LOCAL else "0.0.0.0"
        kind = {"embeddings": ["--embeddings", *flags(pooling=pooling)], "rerank": ["--reranking"]}
        return [
            *(program, "-m", model, *flags(host=host, port="{port}", alias=name)),
            *("-np", str(parallel), "-c", str(parallel * context), "--metrics", "--no-webui", "--no-slots"),
            *(("-ngl", layers) if layers != "0" or target is Target.LOCAL else ()),
            *flags(threads=threads, mmproj=projector),
            *kind.get(self._mode_of(order), []),
            *rest,
        ]

    def _mode_of(self, order: Order) -> str:
        routes = self.routes_of(order)
        return "embeddings" if Route.EMBEDDINGS in routes else "rerank" if Route.RERANK in routes else "text"

    def routes_of(self, order: Order) -> frozenset[Route]:
        """By the task; texts where it says nothing that the server knows."""
        return super().routes_of(order) or frozenset({Route.CHAT, Route.COMPLETIONS})

    def has_tools(self, order: Order, arguments: Sequence[str]) -> bool:
        """It reads calls of tools by the model's own template."""
        return order.facts.has_chat_template and Route.CHAT in self.routes_of(order)


class AmdLlamaCpp(LlamaCpp):
    """For ROCm."""

    catalogue = "amd-llama.cpp"

    def explain_local(self) -> str:
        """The other one is that of this machine."""
        return "It runs in containers only."


class KTransformers(Gguf):
    """KTransformers: experts on processors, the rest on a card."""

    catalogue = "ktransformers"

    def command(self, order: Order, arguments: list[str], *, target: Target) -> list[str]:
        """It takes the directory of the file; the configuration lies beside it."""
        folder = f"{{mount:{MOUNT}}}"
        parent = str(Path(self.entry_of(order).path).parent)
        inner = folder if parent == "." else f"{folder}/{parent}"
        cores = [] if "--cpu_infer" in arguments or not order.cpus else ["--cpu_infer", str(order.cpus)]
        where = ["--host", "0.0.0.0", "--port", "{port}", "--model_name", self.model_name_of(order)]
        return ["ktransformers", "--gguf_path", inner, "--model_path", folder, *where, *cores, *arguments]

    def files_of(self, order: Order) -> tuple[str, ...]:
        """With the configuration and the words."""
        return (*super().files_of(order), "*.json", "*.model", "*.jinja")


def _whole(order: Order, name: str, default: int, low: int, high: int) -> int:
    """A whole number of the order's arguments. Raises Invalid (``engine_arg_invalid``)."""
    text = order.engine_args.get(name, "").strip()
    if not text:
        return default
    if not text.removeprefix("-").isdigit() or not low <= int(text) <= high:
        raise Invalid(
            f"The engine's argument {name!r} is a whole number from {low} to {high}.",
            code="engine_arg_invalid",
            argument=name,
        )
    return int(text)


def _without(arguments: Sequence[str], names: set[str]) -> list[str]:
    """Without these options and their values."""
    kept: list[str] = []
    words = iter(arguments)
    for word in words:
        if word in names:
            next(words, None)
        else:
            kept.append(word)
    return kept
