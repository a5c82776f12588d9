"""SGLang. Source of its options: compute contract, section 2.3."""

from __future__ import annotations

from collections.abc import Sequence

from plugins.inference.engines.base import CatalogueEngine, flags, task_of
from plugins.inference.engines.engine import MOUNT, Order, Target

_PARSER = "--tool-call-parser"


class Sglang(CatalogueEngine):
    """SGLang as its makers build it."""

    catalogue = "sglang"

    def command(self, order: Order, arguments: list[str], *, target: Target) -> list[str]:
        """``sglang.launch_server``; what people have set comes last, and counts."""
        defaults = {
            "--tensor-parallel-size": str(order.accelerators or 1),
            "--mem-fraction-static": "0.8",
            "--context-length": str(order.facts.context_length or ""),
        }
        options = [
            word for name, value in defaults.items() if value and name not in arguments for word in (name, value)
        ]
        if task_of(order) in ("feature-extraction", "sentence-similarity"):
            options.append("--is-embedding")
        if self.trusts(order):
            options.append("--trust-remote-code")
        if _PARSER in arguments:
            place = arguments.index(_PARSER) + 1
            known = self.declare().tool_call_parsers
            if arguments[place] == "auto":
                arguments[place] = next((known[name] for name in order.facts.names if name in known), "auto")
        fixed = flags(
            model_path=f"{{mount:{MOUNT}}}",
            host="0.0.0.0",
            port="{port}",
            served_model_name=self.model_name_of(order),
        )
        return [
            *("python3", "-m", "sglang.launch_server", *fixed),
            *("--enable-metrics", "--enable-mixed-chunk", *options, *arguments),
        ]

    def has_tools(self, order: Order, arguments: Sequence[str]) -> bool:
        """Whether it reads calls of tools out of answers."""
        return _PARSER in arguments


class NvidiaSglang(Sglang):
    """As NVIDIA builds it."""

    catalogue = "nvidia-sglang"
