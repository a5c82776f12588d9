"""What a call used and cost: as the upstream says, or estimated. Source: gateway contract, section 1.7."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from hub.plugin.metering import Scene, Tokens, Unit
from plugins.inference.catalogue import Prices
from plugins.inference.money import MAX_NANO

# Four characters are a token, about, in most languages and vocabularies.
_CHARACTERS = 4
MAX_TOKENS = 2**40


class Use(Protocol):
    """What a call used, or may use at most. source: who says so; "" for nothing."""

    @property
    def source(self) -> str: ...

    @property
    def total(self) -> int:
        """Tokens, which the limits of a minute count."""
        ...

    @property
    def measure(self) -> Measure:
        """What is metered."""
        ...

    def cost_nano(self, prices: Prices) -> int:
        """In billionths of the currency, bounded by what can be stored."""
        ...


@dataclass(frozen=True)
class Measure:
    """A quantity as it is metered; of tokens, also which they are. details: words for reports."""

    scene: Scene
    unit: Unit
    quantity: int
    tokens: Tokens = field(default_factory=Tokens)
    reasoning: int = 0
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TokenUse:
    """Tokens of a call; prompt with the cached ones, completion with those of reasoning. source: who says so."""

    prompt: int = 0
    cached: int = 0
    cache_creation: int = 0
    completion: int = 0
    source: str = ""
    reasoning: int = 0

    @property
    def total(self) -> int:
        return self.prompt + self.completion

    @property
    def measure(self) -> Measure:
        tokens = Tokens(self.prompt, self.cached, self.cache_creation, self.completion)
        return Measure(Scene.TEXT, Unit.TOKEN, self.total, tokens, self.reasoning)

    def cost_nano(self, prices: Prices) -> int:
        """In billionths of the currency; what an upstream makes up is bounded by what can be stored."""
        plain = self.prompt - self.cached - self.cache_creation
        cost = plain * prices.input + self.cached * prices.cached
        cost += self.cache_creation * prices.cache_creation + self.completion * prices.output
        return min(cost, MAX_NANO)


def read_usage(usage: Any) -> TokenUse | None:
    """The member ``usage`` of an answer, of chat, completions, embeddings or responses; None when it says nothing.

    Upstreams may lie: numbers that cannot be are left out, and parts are never more than the whole.
    """
    if not isinstance(usage, Mapping):
        return None
    prompt = _number(usage.get("prompt_tokens", usage.get("input_tokens")))
    completion = _number(usage.get("completion_tokens", usage.get("output_tokens")))
    if prompt is None and completion is None:
        total = _number(usage.get("total_tokens"))
        return TokenUse(total, source="upstream") if total else None
    details = usage.get("prompt_tokens_details", usage.get("input_tokens_details"))
    details = details if isinstance(details, Mapping) else {}
    prompt = prompt or 0
    cached = min(_number(details.get("cached_tokens")) or 0, prompt)
    creation = min(_number(details.get("cache_write_tokens")) or 0, prompt - cached)
    details = usage.get("completion_tokens_details", usage.get("output_tokens_details"))
    reasoning = _number(details.get("reasoning_tokens")) if isinstance(details, Mapping) else None
    completion = completion or 0
    return TokenUse(prompt, cached, creation, completion, "upstream", min(reasoning or 0, completion))


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_TOKENS else None


def estimate_tokens(characters: int) -> int:
    """Tokens of so many characters, about."""
    return -(-characters // _CHARACTERS)


def count_characters(value: Any, *, depth: int = 0) -> int:
    """The characters of all texts in a message, wherever they are: parts, arguments of tools, reasoning.

    Addresses of images hold no text: their data are left out.
    """
    if isinstance(value, str):
        return 0 if value.startswith("data:") else _weigh(value)
    if depth > 20:
        return 0
    if isinstance(value, Mapping):
        return sum(count_characters(each, depth=depth + 1) for name, each in value.items() if name not in _NO_TEXT)
    if isinstance(value, list):
        return sum(count_characters(each, depth=depth + 1) for each in value)
    return 0


def _weigh(text: str) -> int:
    """Its length, where a letter beyond ASCII counts as four: of other scripts most letters are a token each."""
    return len(text) if text.isascii() else 4 * len(text) - 3 * len(text.encode("ascii", "ignore"))


_NO_TEXT = frozenset({"role", "type", "id", "object", "model", "finish_reason", "image_url", "input_audio", "index"})


def estimate_prompt(body: Mapping[str, Any]) -> int:
    """Tokens of a request's prompt, about."""
    texts = (body.get(name) for name in ("messages", "prompt", "input", "query", "documents", "tools", "instructions"))
    numbers = 0
    given = body.get("input", body.get("prompt"))
    if isinstance(given, list):
        # Token ids, or lists of them.
        numbers = sum(len(each) if isinstance(each, list) else isinstance(each, int) for each in given)
    return estimate_tokens(sum(count_characters(text) for text in texts)) + numbers


def or_estimate(found: TokenUse | None, *, prompt: int, characters: int) -> TokenUse:
    """What the upstream said, or else an estimate by what came."""
    if found is not None:
        return found
    return TokenUse(prompt=prompt, completion=estimate_tokens(characters), source="estimate")
