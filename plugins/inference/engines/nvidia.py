"""NVIDIA's servers. Source of their options: compute contract, section 2.3."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from plugins.inference.engines.base import CatalogueEngine, task_of
from plugins.inference.engines.engine import MOUNT, Order, Target

# Writes the repository that Triton reads, and becomes its front end: no shell is there to do it.
_TRITON_START = """
import json, os, pathlib, sys
name, model, port, root, *options = sys.argv[1:]
folder = pathlib.Path(root, "models", name, "1")
folder.mkdir(parents=True, exist_ok=True)
(folder.parent / "config.pbtxt").write_text('backend: "vllm"\\ninstance_group [{count: 1 kind: KIND_MODEL}]\\n')
(folder / "model.json").write_text(json.dumps({"model": model, **json.loads(options[0])}))
os.chdir("/opt/tritonserver/python/openai")
os.execvp("python3", ["python3", "openai_frontend/main.py", "--model-repository", os.path.join(root, "models"),
    "--tokenizer", model, "--host", "0.0.0.0", "--openai-port", port])
"""


class Triton(CatalogueEngine):
    """Triton with vLLM behind it."""

    catalogue = "triton"

    def command(self, order: Order, arguments: list[str], *, target: Target) -> list[str]:
        """A few lines of Python that write what it reads; no more than a list of arguments reaches them."""
        settings: dict[str, str | float] = {
            "gpu_memory_utilization": 0.9,
            "tensor_parallel_size": max(1, order.accelerators),
        }
        settings |= {name: _value(text) for name, _, text in (word.partition("=") for word in arguments)}
        model, name = f"{{mount:{MOUNT}}}", self.model_name_of(order)
        return ["python3", "-c", _TRITON_START, name, model, "{port}", "{work}", json.dumps(settings, sort_keys=True)]

    def model_name_of(self, order: Order) -> str:
        """A directory is called so."""
        return super().model_name_of(order).replace("/", "--")


class Nim(CatalogueEngine):
    """NIM: each image serves a model of its own, and starts itself."""

    catalogue = "nim"

    def command(self, order: Order, arguments: list[str], *, target: Target) -> list[str]:
        """The image's own."""
        return []

    def files_of(self, order: Order) -> tuple[str, ...]:
        """It brings its own; a card to look at is enough."""
        return ("README.md",)

    def environment(self, order: Order, arguments: Sequence[str]) -> Mapping[str, str]:
        """What it is told; its key comes from a secret of the cluster's."""
        return {
            "NIM_CACHE_PATH": "{work}",
            "NIM_SERVER_PORT": "{port}",
            "NIM_SERVED_MODEL_NAME": self.model_name_of(order),
            "HF_TASK": task_of(order),
            **dict(word.split("=", 1) for word in arguments),
        }


def _value(text: str) -> str | float:
    if text in ("true", "false"):
        return text == "true"
    try:
        return int(text) if text.lstrip("-").isdigit() else float(text)
    except ValueError:
        return text
