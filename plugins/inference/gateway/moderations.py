"""Whether texts may be said, asked of a model that judges them. Source: gateway contract, section 1.1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from plugins.inference.catalogue import Served
from plugins.inference.gateway import faults
from plugins.inference.gateway.calls import Asked, CallKind, JsonPayload
from plugins.inference.gateway.completions import JsonCall, model_of
from plugins.inference.gateway.usage import estimate_prompt
from plugins.inference.settings import InferenceSettings

TASK = "text-moderation"


class Moderations(JsonCall):
    """Texts and what they are charged with. Who names no model gets the first of the task ``text-moderation``."""

    name = "moderations"
    paths = ("/v1/moderations",)

    def read_data(self, data: dict[str, Any], settings: InferenceSettings) -> Asked:
        model = model_of(data) if data.get("model") is not None else ""
        return Asked(model, self.name, JsonPayload(data), prompt_tokens=estimate_prompt(data, settings))

    def choose(self, models: Sequence[Served]) -> str:
        for model in models:
            if model.task == TASK:
                return model.name
        raise faults.not_running(TASK)


KINDS: tuple[CallKind, ...] = (Moderations(),)
