"""The server of ours for models as transformers saves them. It runs on this machine."""

from __future__ import annotations

from plugins.inference.engines.base import CatalogueEngine, flags, task_of
from plugins.inference.engines.engine import MOUNT, Fit, ModelFacts, Order, Target
from plugins.inference.engines.installing import find_python, server_script

# By the endings of classes, what they do; transformers names them so.
_TEXTS, _PAIRS, _WORDS = ("ForCausalLM", "LMHeadModel"), ("ForSequenceClassification",), ("Model", "ForMaskedLM")
_EMBEDDINGS = ("feature-extraction", "sentence-similarity")
# What the CPU cannot compute with: these come with kernels for cards.
_METHODS_OF_CARDS = frozenset({"gptq", "awq", "bitsandbytes", "fp8", "mxfp4", "exl2", "aqlm", "hqq", "quanto"})


class Transformers(CatalogueEngine):
    """A small server over ``AutoModelForCausalLM``, for encoders of sentences, and for rerankers."""

    catalogue = "transformers"

    def explain_local(self) -> str:
        """Why it cannot run here; empty: it can."""
        if find_python(self.site, "transformers"):
            return ""
        return "transformers is not installed; an administrator can run: hub engine install transformers"

    def fits(self, facts: ModelFacts) -> Fit:
        """Every architecture of transformers' own whose class says what it does."""
        fit = super().fits(facts)
        if not fit.is_fit:
            return fit
        if not facts.architectures:
            return Fit(False, "Its config.json names no architecture.")
        if facts.has_remote_code and not self.site.trusts_remote_code:
            return Fit(False, "It brings code of its own, which this hub does not run.")
        if facts.quantization_method in _METHODS_OF_CARDS:
            return Fit(False, f"Weights quantised by {facts.quantization_method} need a card.")
        if not facts.architectures[0].endswith((*_TEXTS, *_PAIRS, *_WORDS)):
            return Fit(False, f"It does not know the architecture ({facts.architectures[0]}).")
        return fit

    def command(self, order: Order, arguments: list[str], *, target: Target) -> list[str]:
        """The server, run by the Python of its environment."""
        own = [] if "--threads" in arguments else flags(threads=order.cpus)
        trust = ["--trust-remote-code"] if self.trusts(order) else []
        fixed = flags(model=f"{{mount:{MOUNT}}}", name=self.model_name_of(order), port="{port}", task=_mode_of(order))
        python = find_python(self.site, "transformers")
        return [str(python), "-I", str(server_script()), "transformers", *fixed, *own, *trust, *arguments]


def _mode_of(order: Order) -> str:
    task = task_of(order)
    return "feature-extraction" if task in _EMBEDDINGS else task
