"""vLLM. Source of its options: compute contract, section 2.3."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from plugins.inference.engines.base import GIB, CatalogueEngine, flags, task_of
from plugins.inference.engines.engine import MOUNT, Order, Target

_TOKENS_PER_CARD = 5120
# Of the memory of a machine without cards, what may be cache.
_CACHE_PART = 0.4
_TOOLS = "--enable-auto-tool-choice"
# For models without a template of their own: that of ChatML.
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
# A reranker that is published as the language model that it was made of.
_QWEN3_RERANKER = {
    "architectures": ["Qwen3ForSequenceClassification"],
    "classifier_from_token": ["no", "yes"],
    "is_original_qwen3_reranker": True,
}


class Vllm(CatalogueEngine):
    """vLLM as its makers build it."""

    catalogue = "vllm"

    def command(self, order: Order, arguments: list[str], *, target: Target) -> list[str]:
        """``vllm serve``; what people have set comes first, and then counts."""
        task, is_cpu = task_of(order), order.compute_type == "cpu"
        defaults = {"--tensor-parallel-size": str(order.accelerators or 1)} if not is_cpu else {}
        if not is_cpu:
            defaults["--gpu-memory-utilization"] = "0.9"
        if order.facts.context_length:
            most = _TOKENS_PER_CARD * max(1, order.accelerators)
            defaults["--max-model-len"] = str(min(order.facts.context_length, most))
        options = [word for name, value in defaults.items() if name not in arguments for word in (name, value)]
        if task == "text-ranking":
            options += ["--runner", "pooling"]
            if "Qwen3ForCausalLM" in order.facts.architectures and "--hf-overrides" not in arguments:
                options += ["--hf-overrides", json.dumps(_QWEN3_RERANKER, separators=(",", ":"))]
        elif task in ("feature-extraction", "sentence-similarity"):
            options += ["--runner", "pooling", "--pooler-config.task", "embed"]
        elif not order.facts.has_chat_template and task == "text-generation" and "--chat-template" not in arguments:
            options += ["--chat-template", CHAT_TEMPLATE]
        if self.trusts(order):
            options.append("--trust-remote-code")
        if _TOOLS in arguments:
            arguments = self._with_parser(order, arguments)
        name = flags(host="0.0.0.0", port="{port}", served_model_name=self.model_name_of(order))
        return ["vllm", "serve", f"{{mount:{MOUNT}}}", *name, *options, *arguments]

    def _with_parser(self, order: Order, arguments: list[str]) -> list[str]:
        """Source: compute contract, section 1.9."""
        if not order.facts.names:
            return [word for word in arguments if word != _TOOLS]
        if "--tool-call-parser" in arguments:
            return arguments
        known = self.declare().tool_call_parsers
        parser = next((known[name] for name in order.facts.names if name in known), "openai")
        return [*arguments, "--tool-call-parser", parser]

    def environment(self, order: Order, arguments: Sequence[str]) -> Mapping[str, str]:
        """Nothing is told to its makers; on processors, how much memory its cache may take."""
        found = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
        if "--enforce-eager" in arguments:
            found["VLLM_ENFORCE_EAGER"] = "1"
        if order.compute_type == "cpu" and order.memory_bytes:
            found["VLLM_CPU_KVCACHE_SPACE"] = str(max(1, int(order.memory_bytes / GIB * _CACHE_PART)))
        return found

    def has_tools(self, order: Order, arguments: Sequence[str]) -> bool:
        """Whether it reads calls of tools out of answers."""
        return _TOOLS in arguments


class NvidiaVllm(Vllm):
    """As NVIDIA builds it."""

    catalogue = "nvidia-vllm"


class AmdVllm(Vllm):
    """For ROCm."""

    catalogue = "amd-vllm"


class AscendVllm(Vllm):
    """For Ascend NPUs."""

    catalogue = "ascend-vllm"
