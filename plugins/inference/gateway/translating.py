"""Answers of chats, told in the words of another protocol: whole, or chunk by chunk.

A client that speaks Anthropic's or the responses protocol is told the parts of an answer one after the other: its
reasoning, its text, its calls of tools. Here they are found; the protocols' own modules say them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from hub.plugin.outgoing import Exchange
from plugins.inference.gateway import faults
from plugins.inference.gateway.calls import Answer
from plugins.inference.gateway.events import DONE, data_of, split_events
from plugins.inference.gateway.faults import Fault
from plugins.inference.gateway.ledger import Ledger
from plugins.inference.gateway.relays import StreamRelay, read_pieces
from plugins.inference.gateway.usage import Heard, TokenUse, Use, or_estimate, read_usage

REASONING, TEXT, REFUSAL, TOOL = "reasoning", "text", "refusal", "tool"
# By which engines tell the word at which they stopped: vLLM, SGLang, llama.cpp.
_MATCHES = ("stop_reason", "matched_stop", "stopping_word")


@dataclass
class Part:
    """One part of an answer. number: of a call of a tool, as the upstream counts them; text: also its arguments."""

    kind: str
    text: str = ""
    id: str = ""
    name: str = ""
    number: int = 0


def encode_event(name: str, data: Mapping[str, Any]) -> bytes:
    """An event with a name, which both protocols have."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), msgspec.json.encode(data))


def read_json(text: bytes | str) -> Any:
    """What a JSON text holds; None when it is none."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return None


def write_json(value: Any) -> str:
    """What an upstream said, as a JSON text. Raises Fault for what is nested too deeply."""
    try:
        return msgspec.json.encode(value).decode()
    except RecursionError:
        raise faults.upstream_failed() from None


def _text_of(value: Any) -> str:
    """A text, also where it comes as parts."""
    if isinstance(value, list):
        return "".join(part["text"] for part in value if isinstance(part, dict) and isinstance(part.get("text"), str))
    return value if isinstance(value, str) else ""


def _said_parts(message: Mapping[str, Any]) -> Iterator[Part]:
    """What a message, or the delta of one, says in words; engines have two names for its reasoning."""
    for kind, value in (
        (REASONING, message.get("reasoning_content") or message.get("reasoning")),
        (TEXT, message.get("content")),
        (REFUSAL, message.get("refusal")),
    ):
        if text := _text_of(value):
            yield Part(kind, text)


def _calls_of(message: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], str, str, str]]:
    """The calls of tools in a message or a delta, each with its id, name and arguments. Raises Fault."""
    calls = message.get("tool_calls") or []
    if not isinstance(calls, list):
        raise faults.upstream_failed()
    for call in calls:
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict):
            raise faults.upstream_failed()
        arguments = function.get("arguments")
        if isinstance(arguments, dict):
            arguments = write_json(arguments)
        found = (call.get("id"), function.get("name"), arguments)
        id, name, arguments = (each if isinstance(each, str) else "" for each in found)
        yield call, id, name, arguments


def read_choice(data: Mapping[str, Any]) -> tuple[Mapping[str, Any], list[Part]]:
    """The first choice of a whole answer, and its parts. Raises Fault when there is none."""
    choices = data.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(message, dict):
        raise faults.upstream_failed()
    parts = list(_said_parts(message))
    for number, (_, id, name, arguments) in enumerate(_calls_of(message)):
        parts.append(Part(TOOL, arguments, id, name, number))
    return choice, parts


def reason_of(data: Mapping[str, Any]) -> str:
    """Why an answer that ``read_choice`` has read ended, in the upstream's word."""
    return str(data["choices"][0].get("finish_reason") or "")


def find_match(choice: Mapping[str, Any], stops: tuple[str, ...]) -> str | None:
    """At which of the words that were to end an answer it ended, where the upstream tells."""
    for name in _MATCHES:
        value = choice.get(name)
        if isinstance(value, str) and value in stops:
            return value
    return None


class Sayable(ABC):
    """A request in another protocol, and what upstreams of chats are asked for it, found out when it is needed."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data
        self._chat: dict[str, Any] | Fault | None = None

    @abstractmethod
    def say(self) -> dict[str, Any]:
        """As a chat. Raises Fault for what cannot be said so, RecursionError for what is nested too deeply."""

    def chat(self) -> dict[str, Any]:
        """What ``say`` says. Raises Fault."""
        if self._chat is None:
            try:
                self._chat = self.say()
            except Fault as fault:
                self._chat = fault
            except RecursionError:
                self._chat = faults.bad_request("The request is nested too deeply.")
        if isinstance(self._chat, Fault):
            raise self._chat
        return self._chat

    @property
    def is_chat(self) -> bool:
        """Whether it can be said so."""
        try:
            self.chat()
        except Fault:
            return False
        return True


class Voice(Protocol):
    """Says an upstream's stream to a client. is_complete: the upstream has said its last word; heard: what it said."""

    finish_reason: str
    is_complete: bool
    heard: Heard

    def take(self, data: dict[str, Any], event: bytes) -> bytes:
        """What the client is sent for an event of the upstream; maybe nothing. Raises Fault."""
        ...

    def keep_alive(self) -> bytes:
        """What the client is sent where the upstream only kept the connection."""
        ...

    def use(self, prompt_tokens: int) -> TokenUse:
        """What was used so far."""
        ...

    def end(self, use: TokenUse) -> bytes:
        """The last words."""
        ...

    def fail(self, fault: Fault) -> bytes:
        """The last words when there is no good end."""
        ...


class ChatVoice(ABC):
    """Hears the chunks of a chat. Its heirs say the parts: ``open``, ``add`` and ``close`` of one after the other."""

    def __init__(self, stops: tuple[str, ...] = ()) -> None:
        self.finish_reason = ""
        self.is_complete = False
        self.match: str | None = None
        self.part: Part | None = None
        self.has_tools = False
        self.has_refusal = False
        self._stops = stops
        self._has_begun = False
        self._numbers: set[int] = set()
        self._use: TokenUse | None = None
        self.heard = Heard()

    @abstractmethod
    def begin(self) -> bytes:
        """What comes before all parts."""

    @abstractmethod
    def open(self, part: Part) -> bytes:
        """A part begins; its text is yet to come."""

    @abstractmethod
    def add(self, part: Part, text: str) -> bytes:
        """More of a part."""

    @abstractmethod
    def close(self, part: Part) -> bytes:
        """A part is whole."""

    def take(self, data: dict[str, Any], event: bytes) -> bytes:
        """As ``Voice`` says."""
        if data.get("error"):
            raise faults.upstream_failed()
        # Some engines send running totals: the last one counts.
        self._use = read_usage(data.get("usage")) or self._use
        said = self.start()
        choices = data.get("choices")
        if not isinstance(choices, list) or not choices:
            return said
        self.heard.add(choices)
        choice = choices[0]
        delta = choice.get("delta") if isinstance(choice, dict) else None
        if isinstance(delta, dict):
            said += self._hear(delta)
        if isinstance(choice, dict) and isinstance(choice.get("finish_reason"), str):
            self.finish_reason = choice["finish_reason"]
            self.is_complete = bool(self.finish_reason)
            self.match = find_match(choice, self._stops)
        return said

    def start(self) -> bytes:
        """What comes before all parts, once."""
        if self._has_begun:
            return b""
        self._has_begun = True
        return self.begin()

    def stop(self) -> bytes:
        """The end of the part that is open."""
        part, self.part = self.part, None
        return self.close(part) if part is not None else b""

    def use(self, prompt_tokens: int) -> TokenUse:
        """As ``Voice`` says."""
        return or_estimate(self._use, prompt=prompt_tokens, characters=self.heard.characters)

    def _hear(self, delta: Mapping[str, Any]) -> bytes:
        said = b""
        for part in _said_parts(delta):
            self.has_refusal |= part.kind == REFUSAL
            if self.part is None or self.part.kind != part.kind:
                said += self._turn_to(Part(part.kind))
            said += self._add(part.text)
        for call, id, name, arguments in _calls_of(delta):
            said += self._hear_call(call.get("index"), id, name) + (self._add(arguments) if arguments else b"")
        return said

    def _hear_call(self, index: Any, id: str, name: str) -> bytes:
        now = self.part if self.part is not None and self.part.kind == TOOL else None
        if isinstance(index, int):
            if now is not None and now.number == index:
                return b""
        elif now is not None and id in ("", now.id):
            # Some engines do not count: whatever has no id of its own goes on with the call that is open.
            return b""
        number = index if isinstance(index, int) else len(self._numbers)
        if number in self._numbers or not name:
            # More of a call that was told to the end, or one of nothing.
            raise faults.upstream_failed()
        self._numbers.add(number)
        self.has_tools = True
        return self._turn_to(Part(TOOL, id=id, name=name, number=number))

    def _turn_to(self, part: Part) -> bytes:
        said = self.stop()
        self.part = part
        return said + self.open(part)

    def _add(self, text: str) -> bytes:
        assert self.part is not None
        return self.add(self.part, text)


def end_with(ledger: Ledger, said: Mapping[str, Any], use: Use, reason: str) -> Answer:
    """The translated answer, and the end of the call. Raises Fault, the ledger not finished, when it nests too deep."""
    try:
        answer = Answer.of(said)
    except RecursionError:
        raise faults.upstream_failed() from None
    ledger.finish_reason = reason
    ledger.mark_first_byte()
    ledger.finish(use)
    return answer


class VoicedRelay(StreamRelay):
    """An upstream's stream, said by a voice."""

    def __init__(self, ledger: Ledger, exchange: Exchange, prompt_tokens: int, voice: Voice) -> None:
        super().__init__(ledger, exchange)
        self._prompt_tokens, self._voice = prompt_tokens, voice
        self._use = TokenUse()
        voice.heard = ledger.hear()

    def use(self, status: int) -> TokenUse:
        voice = self._voice
        self.ledger.finish_reason = voice.finish_reason
        self._use = self.ledger.count(voice.use(self._prompt_tokens), voice.heard)
        return self._use

    def last_words(self) -> bytes:
        return self._voice.end(self._use)

    def fail(self, fault: Fault) -> bytes:
        return self._voice.fail(fault)

    def pass_on(self) -> Iterator[bytes]:
        voice = self._voice
        for event in split_events(read_pieces(self.ledger, self.exchange)):
            data = data_of(event)
            if data == DONE:
                break
            if data is None:
                yield voice.keep_alive()
                continue
            found = read_json(data)
            if not isinstance(found, dict):
                raise faults.upstream_failed()
            if said := voice.take(found, event):
                self.ledger.mark_first_byte()
                yield said
        if not voice.is_complete:
            raise faults.upstream_failed()
