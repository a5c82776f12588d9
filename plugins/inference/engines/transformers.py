"""The server of ours for models as transformers saves them. It runs on this machine."""

from __future__ import annotations

from plugins.inference.engines.base import CatalogueEngine, flags
from plugins.inference.engines.engine import MOUNT, ROUTES_OF_TASK, Fit, ModelFacts, Order, Route, Target
from plugins.inference.engines.installing import find_python, server_script

# By the endings of classes, what they do; transformers names them so.
_MODES = {
    ("ForCausalLM", "LMHeadModel"): "text-generation",
    ("ForSequenceClassification",): "text-ranking",
    ("Model", "ForMaskedLM"): "feature-extraction",
}
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
        if not _mode_of(facts):
            return Fit(False, f"It does not know the architecture ({facts.architectures[0]}).")
        if facts.task == "text-classification":
            return Fit(False, "It serves rerankers, and no other classifiers.")
        return fit

    def routes_of(self, order: Order) -> frozenset[Route]:
        """By the architecture, whatever is said of the task."""
        return ROUTES_OF_TASK[_mode_of(order.facts)]

    def command(self, order: Order, arguments: list[str], *, target: Target) -> list[str]:
        """The server, run by the Python of its environment."""
        own = [] if "--threads" in arguments else flags(threads=order.cpus)
        trust = ["--trust-remote-code"] if self.trusts(order) else []
        name, task = self.model_name_of(order), _mode_of(order.facts)
        fixed = flags(model=f"{{mount:{MOUNT}}}", name=name, port="{port}", task=task)
        python = find_python(self.site, "transformers")
        return [str(python), "-I", str(server_script()), "transformers", *fixed, *own, *trust, *arguments]


def _mode_of(facts: ModelFacts) -> str:
    """What the server does with the model; empty: nothing."""
    name = facts.architectures[0]
    return next((mode for endings, mode in _MODES.items() if name.endswith(endings)), "")
