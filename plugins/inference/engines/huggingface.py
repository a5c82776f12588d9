"""Hugging Face's servers. Source of their options: compute contract, section 2.3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from plugins.inference.engines.base import CatalogueEngine, flags, task_of
from plugins.inference.engines.engine import MOUNT, Order, Route, Target


class Tgi(CatalogueEngine):
    """Text Generation Inference."""

    catalogue = "tgi"

    def command(self, order: Order, arguments: list[str], *, target: Target) -> list[str]:
        """``text-generation-launcher``."""
        options = [] if "--num-shard" in arguments else flags(num_shard=order.accelerators)
        if self.trusts(order):
            options.append("--trust-remote-code")
        fixed = flags(model_id=f"{{mount:{MOUNT}}}", hostname="0.0.0.0", port="{port}")
        return ["text-generation-launcher", *fixed, *options, *arguments]

    def environment(self, order: Order, arguments: Sequence[str]) -> Mapping[str, str]:
        """Nothing is told to its makers."""
        return {"USAGE_STATS": "off"}


class AmdTgi(Tgi):
    """For ROCm."""

    catalogue = "amd-tgi"


class TgiGcu(Tgi):
    """For Enflame GCUs."""

    catalogue = "tgi-gcu"


class Tei(CatalogueEngine):
    """Text Embeddings Inference. Its rerank is not that of others, so that only its embeddings are called."""

    catalogue = "tei"

    def command(self, order: Order, arguments: list[str], *, target: Target) -> list[str]:
        """``text-embeddings-router``."""
        fixed = flags(
            model_id=f"{{mount:{MOUNT}}}",
            hostname="0.0.0.0",
            port="{port}",
            served_model_name=self.model_name_of(order),
        )
        return ["text-embeddings-router", *fixed, *arguments]

    def routes_of(self, order: Order) -> frozenset[Route]:
        """Whatever the model was made for."""
        return frozenset({Route.EMBEDDINGS})


class InferenceToolkit(CatalogueEngine):
    """Pipelines of transformers and diffusers. It speaks a protocol of its own, at its root."""

    catalogue = "hf-inference-toolkit"

    def command(self, order: Order, arguments: list[str], *, target: Target) -> list[str]:
        """Its application under uvicorn."""
        application = "huggingface_inference_toolkit.webservice_starlette:app"
        return ["uvicorn", application, *flags(host="0.0.0.0", port="{port}")]

    def environment(self, order: Order, arguments: Sequence[str]) -> Mapping[str, str]:
        """Where the model lies and what it does."""
        return {
            "HF_MODEL_DIR": f"{{mount:{MOUNT}}}",
            "HF_TASK": task_of(order),
            "HF_TRUST_REMOTE_CODE": "1" if self.trusts(order) else "0",
        }

    def routes_of(self, order: Order) -> frozenset[Route]:
        """None of OpenAI's."""
        return frozenset()


class Diffusers(InferenceToolkit):
    """Pipelines of diffusers."""

    catalogue = "diffusers"


class AmdDiffusers(InferenceToolkit):
    """For ROCm."""

    catalogue = "amd-diffusers"
