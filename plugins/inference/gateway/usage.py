"""What a call used and cost: as the upstream says, or estimated. Source: gateway contract, section 1.7."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from hub.plugin.metering import Scene, Tokens, Unit
from plugins.inference.catalogue import Prices
from plugins.inference.money import MAX_NANO
from plugins.inference.settings import InferenceSettings

# Four characters are a token, about, in most languages and vocabularies.
_CHARACTERS = 4
MAX_TOKENS = 2**40
# Who says what was used, where it is not the upstream.
ESTIMATE = "estimate"
# So much of an answer is kept for whoever can count it; a longer one is estimated.
_MAX_KEPT_CHARS = 4 * 1024 * 1024


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

    @cached_property
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


# What surrounds the texts, and what repeats them.
_NO_TEXT = frozenset(
    {"role", "type", "id", "object", "model", "finish_reason", "image_url", "input_audio", "index", "logprobs"}
)


def texts_of(value: Any, *, depth: int = 0) -> Iterator[str]:
    """The texts that ``count_characters`` counts."""
    if isinstance(value, str):
        if value and not value.startswith("data:"):
            yield value
    elif depth > 20:
        return
    elif isinstance(value, Mapping):
        for name, each in value.items():
            if name not in _NO_TEXT:
                yield from texts_of(each, depth=depth + 1)
    elif isinstance(value, list):
        for each in value:
            yield from texts_of(each, depth=depth + 1)


@dataclass
class Heard:
    """What an answer has said so far. texts: None where nobody will count their tokens."""

    characters: int = 0
    texts: list[str] | None = None

    def add(self, said: Any) -> None:
        """More of it, wherever its texts are."""
        self.characters += count_characters(said)
        if self.texts is not None:
            self.texts += texts_of(said)
            if self.characters > _MAX_KEPT_CHARS:
                self.texts = None


def count_items(content: Any, *, depth: int = 0) -> tuple[int, int]:
    """The pictures and the recordings among the parts of messages."""
    pictures = sounds = 0
    for part in content if isinstance(content, list) and depth < 20 else ():
        if not isinstance(part, Mapping):
            continue
        kind = str(part.get("type"))
        pictures += kind in _PICTURES
        sounds += kind in _SOUNDS
        inner = part.get("content")
        if isinstance(inner, list):
            more = count_items(inner, depth=depth + 1)
            pictures, sounds = pictures + more[0], sounds + more[1]
    return pictures, sounds


_PICTURES = frozenset({"image_url", "input_image", "image"})
_SOUNDS = frozenset({"input_audio", "audio_url"})


def estimate_items(messages: Any, settings: InferenceSettings) -> int:
    """Tokens of the pictures and recordings in messages: so many each, as is set."""
    pictures, sounds = count_items(messages)
    return pictures * settings.image_tokens + sounds * settings.audio_tokens


def prompts_of(body: Mapping[str, Any]) -> tuple[list[str], int]:
    """The texts of a request that is no chat, and how many tokens it brings as numbers."""
    query, documents = body.get("query"), body.get("documents")
    if isinstance(query, str) and isinstance(documents, list):
        # Each document is read together with the question. Source: section 1.12.
        return [*texts_of(documents), *[query] * len(documents)], 0
    given = body.get("input", body.get("prompt"))
    numbers = 0
    if isinstance(given, list):
        # Token ids, or lists of them.
        numbers = sum(len(each) if isinstance(each, list) else isinstance(each, int) for each in given)
    return [*texts_of(given), *texts_of(body.get("suffix"))], numbers


def estimate_prompt(body: Mapping[str, Any], settings: InferenceSettings) -> int:
    """Tokens of a request's prompt, about."""
    characters = sum(count_characters(body.get(name)) for name in ("messages", "tools", "instructions"))
    texts, numbers = prompts_of(body)
    characters += sum(map(_weigh, texts))
    items = estimate_items(body.get("messages", body.get("input")), settings)
    return estimate_tokens(characters) + numbers + items


def or_estimate(found: TokenUse | None, *, prompt: int, characters: int = 0) -> TokenUse:
    """What the upstream said, or else an estimate by what came."""
    if found is not None:
        return found
    return TokenUse(prompt=prompt, completion=estimate_tokens(characters), source=ESTIMATE)
