"""How much memory a model takes: an estimate. Source: compute contract, section 2.5."""

from __future__ import annotations

from dataclasses import dataclass

from plugins.inference.engines.engine import ModelFacts

GIB = 1024**3
CONTEXT, BATCH = 2048, 1
# Of fine-tuning with LoRA.
_RANK, _TUNE_CONTEXT, _TUNE_BATCH, _TUNE_EXTRA_GIB = 16, 512, 16, 1.0
# The cache and the activations are computed with numbers of this size, whatever the weights have.
_BYTES = 2


@dataclass(frozen=True)
class Estimate:
    """In GiB; 0: not known."""

    weights: float
    cache: float
    activation: float
    finetune: float

    @property
    def total(self) -> float:
        """What it takes to serve the model."""
        return self.weights + self.cache + self.activation


def estimate_memory(facts: ModelFacts, *, context: int = CONTEXT, batch: int = BATCH) -> Estimate:
    """What it takes to serve a model, and to fine-tune it with LoRA."""
    weights = facts.weight_bytes / GIB
    cache = 2 * batch * context * facts.layers * facts.hidden_size * _BYTES / GIB
    tune = 0.0
    if weights:
        adapters = 4 * facts.parameters * _BYTES * min(_RANK / 1000, 0.05) / GIB
        tune = weights + adapters + _activation(facts, context=_TUNE_CONTEXT, batch=_TUNE_BATCH) + _TUNE_EXTRA_GIB
    return Estimate(weights, cache, _activation(facts, context=context, batch=batch), tune)


def _activation(facts: ModelFacts, *, context: int, batch: int) -> float:
    if not facts.hidden_size:
        return 0.0
    factor = 34 + 5 * context * facts.heads / facts.hidden_size
    return batch * context * facts.hidden_size * factor * _BYTES / GIB
