"""Requests of OpenAI's protocol as engines read them, and answers as texts: nothing here knows of a model.

What a caller asks for and the engine cannot do is refused: to pass it over would be a wrong answer.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

MAX_INPUTS = 1024
MAX_STOPS = 16
# What would change the answer and is not known here, with the values that change nothing.
_REFUSED: Mapping[str, tuple[Any, ...]] = {
    "n": (1,),
    "best_of": (1,),
    "logprobs": (False, 0),
    "logit_bias": ({},),
    "tools": ([],),
    "functions": ([],),
    "echo": (False,),
    "suffix": ("",),
    "response_format": ({"type": "text"},),
}


def tell(text: str) -> None:
    """A line for the workload's log."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


class Refused(Exception):
    """A request that is not answered, and why."""

    def __init__(self, status: int, message: str, *, code: str = "", kind: str = "invalid_request_error") -> None:
        super().__init__(message)
        self.status, self.body = status, {"error": {"message": message, "type": kind, "code": code or None}}


class HungUp(Exception):
    """Nobody waits for the answer any more."""


class Ended(Exception):
    """The text has come to one of the stops."""


class Pieces:
    """Tokens as text, piece by piece: letters whole, and nothing of a stop or of what may become one.

    decode: tokens to text.
    """

    def __init__(self, decode: Callable[[list[int]], str], stops: Sequence[str]) -> None:
        self._decode, self._stops = decode, [stop for stop in stops if stop]
        self._tokens: list[int] = []
        self._start = self._read = 0
        self._held = ""
        self.is_stopped = False

    def add(self, token: int) -> str:
        """What can be said after one more token. Once a stop was found it is nothing."""
        self._tokens.append(token)
        before = self._decode(self._tokens[self._start : self._read])
        after = self._decode(self._tokens[self._start :])
        if len(after) <= len(before) or after.endswith("\N{REPLACEMENT CHARACTER}"):
            return ""
        self._start, self._read = self._read, len(self._tokens)
        return self._cut(after[len(before) :])

    def _cut(self, text: str) -> str:
        self._held += text
        places = [place for stop in self._stops if (place := self._held.find(stop)) >= 0]
        if places:
            said, self._held, self.is_stopped = self._held[: min(places)], "", True
            return said
        kept = max((_overlap(self._held, stop) for stop in self._stops), default=0)
        said, self._held = self._held[: len(self._held) - kept], self._held[len(self._held) - kept :]
        return said

    def end(self) -> str:
        """What is left when no more comes."""
        if self.is_stopped:
            return ""
        before = self._decode(self._tokens[self._start : self._read])
        said = self._held + self._decode(self._tokens[self._start :])[len(before) :]
        self._held = ""
        return said


def _overlap(text: str, stop: str) -> int:
    """How many of the last letters of a text are the first ones of a stop."""
    return next((size for size in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:size])), 0)


def refuse_unknown(asked: Mapping[str, Any]) -> None:
    """Raise Refused where a request wants what the engine cannot do."""
    for name, harmless in _REFUSED.items():
        value = asked.get(name)
        if value is not None and value not in harmless:
            raise Refused(400, f"This engine cannot do {name!r}.", code="unsupported_parameter")


def number_of(asked: Mapping[str, Any], name: str, default: float, low: float, high: float) -> float:
    """A number of a request. Raises Refused for one out of its bounds, or none at all."""
    value = asked.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise Refused(400, f"{name!r} must be a number from {low} to {high}.")
    return value


def flag_of(asked: Mapping[str, Any], name: str) -> bool:
    """A truth value of a request. Raises Refused."""
    value = asked.get(name)
    if value not in (None, True, False):
        raise Refused(400, f"{name!r} must be true or false.")
    return bool(value)


def stops_of(asked: Mapping[str, Any]) -> list[str]:
    """Where the answer is to end. Raises Refused."""
    stops = asked.get("stop") or []
    stops = [stops] if isinstance(stops, str) else stops
    if not isinstance(stops, list) or len(stops) > MAX_STOPS or not all(isinstance(stop, str) for stop in stops):
        raise Refused(400, f"'stop' must be a text, or up to {MAX_STOPS}.")
    return stops


def plain_messages(messages: Any) -> list[dict[str, Any]]:
    """Messages whose parts of text are one text. Raises Refused for others than texts."""
    if not isinstance(messages, list) or not messages or not all(isinstance(one, dict) for one in messages):
        raise Refused(400, "'messages' must be a list of messages.")
    plain = []
    for message in messages:
        content = message.get("content")
        if isinstance(content, list):
            parts = [part for part in content if isinstance(part, dict) and part.get("type") == "text"]
            texts = [text for part in parts if isinstance(text := part.get("text"), str)]
            if len(texts) < len(content):
                raise Refused(400, "The model takes texts only.")
            content = "".join(texts)
        if not isinstance(content, str) or not isinstance(message.get("role"), str):
            raise Refused(400, "A message needs a role and a content.")
        plain.append({**message, "content": content})
    return plain


def texts_of(value: Any, name: str, *, or_tokens: bool = False) -> list[Any]:
    """A text or a list of such, as a list. Raises Refused."""
    values = [value] if isinstance(value, str) else value
    if or_tokens and isinstance(values, list) and values and all(type(one) is int for one in values):
        values = [values]
    if not isinstance(values, list) or not 0 < len(values) <= MAX_INPUTS:
        raise Refused(400, f"{name!r} must be a text, or a list of 1 to {MAX_INPUTS}.")
    for one in values:
        is_tokens = or_tokens and isinstance(one, list) and one and all(type(token) is int for token in one)
        if not isinstance(one, str) and not is_tokens:
            raise Refused(400, f"{name!r} holds something else than texts.")
    return values
