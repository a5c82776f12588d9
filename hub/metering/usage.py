"""What was used: one event of usage, and the words in which it is counted."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any

from hub.base.errors import Invalid
from hub.base.texts import is_storable

# What both kinds of database, and a JSON reader's floating point numbers, hold exactly.
MAX_QUANTITY = 2**53
MAX_WORD_LENGTH = 255
MAX_DETAILS = 40


class Unit(StrEnum):
    """What a quantity counts. Time is kept in seconds; CSGHub's answers give it in minutes."""

    SECOND = "second"
    TOKEN = "token"  # noqa: S105 - a word of a model's, not a password
    COUNT = "count"
    CHARACTER = "character"
    BYTE = "byte"
    REPOSITORY = "repository"


class Scene(IntEnum):
    """What it was used for. Source: gateways contract, section 3.1; 17 to 30 are ours."""

    INFERENCE = 10
    SPACE = 11
    FINETUNE = 12
    SYNC = 13
    EVALUATION = 14
    TEXT = 15  # tokens of serverless and external models
    MULTIMODAL = 16
    MCP = 17
    NOTEBOOK = 18
    STORAGE = 19
    DATAFLOW = 30


@dataclass(frozen=True)
class Tokens:
    """The tokens of a call. prompt: with the cached ones, as OpenAI counts; completion: with those of reasoning."""

    prompt: int = 0
    cached: int = 0
    cache_creation: int = 0
    completion: int = 0


@dataclass(frozen=True)
class Power:
    """What a workload held while it ran. gpu_millis: thousandths of cards, for a share of one is less than a card."""

    cpu_millis: int = 0
    memory_mib: int = 0
    gpu_millis: int = 0
    gpu_model: str = ""


@dataclass(frozen=True)
class Usage:
    """One event: so much of a unit was used, at a moment, on somebody's account. It never changes.

    id: a UUID that its maker chose; the same id is the same event, however often it is told.
    owner_uuid: of the namespace (a user's or an organisation's) that is billed. user_id: who did it, None for the hub.
    resource_id, resource_name: what was used, a SKU or a model. customer_id: by which instance, such as a workload's
    service name. token_id: the API key, never its value. quantity: of the unit, replicas multiplied.
    details: small JSON words for reports, such as the provider; nothing secret, nothing that people typed.
    """

    id: str
    owner_uuid: str
    scene: Scene
    unit: Unit
    quantity: int
    occurred_at: datetime
    resource_id: str = ""
    resource_name: str = ""
    customer_id: str = ""
    user_id: int | None = None
    token_id: int | None = None
    tokens: Tokens = Tokens()
    power: Power = Power()
    details: Mapping[str, Any] = field(default_factory=dict)

    def check(self) -> None:
        """Raises Invalid when it cannot be stored as it is."""
        try:
            is_uuid = str(uuid.UUID(self.id)) == self.id
        except ValueError:
            is_uuid = False
        if not is_uuid:
            raise Invalid("An event of usage needs a UUID in its usual spelling.", code="usage_invalid")
        tokens, power = self.tokens, self.power
        counts = (tokens.prompt, tokens.cached, tokens.cache_creation, tokens.completion)
        held = (power.cpu_millis, power.memory_mib, power.gpu_millis)
        if not all(0 <= number <= MAX_QUANTITY for number in (self.quantity, *counts, *held)):
            raise Invalid("A quantity of usage lies outside what can be counted.", code="usage_invalid")
        words = (self.owner_uuid, self.resource_id, self.resource_name, self.customer_id, power.gpu_model)
        if not all(len(word) <= MAX_WORD_LENGTH and is_storable(word) for word in words):
            raise Invalid("A word of an event of usage is too long, or no text.", code="usage_invalid")
        if self.occurred_at.tzinfo is None or len(self.details) > MAX_DETAILS:
            raise Invalid("An event of usage needs a time with its zone, and few details.", code="usage_invalid")
