"""From an upstream's answer to the client's: the model's name as clients know it, usage counted on the way."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from hub.plugin.outgoing import Exchange, NoAnswer
from plugins.inference.gateway import faults
from plugins.inference.gateway.events import DONE, EventSplitter, data_of
from plugins.inference.gateway.faults import Fault
from plugins.inference.gateway.ledger import Ledger
from plugins.inference.gateway.relays import StreamRelay, read_pieces
from plugins.inference.gateway.usage import TokenUse, or_estimate, read_usage
from plugins.inference.settings import InferenceSettings

_encode = msgspec.json.encode


def read_answer(ledger: Ledger, exchange: Exchange, settings: InferenceSettings) -> dict[str, Any]:
    """An answer that does not stream, and the end of its exchange. Raises Fault when it is none."""
    body = read_whole(ledger, exchange, settings)
    try:
        data = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise faults.upstream_failed()
    if "model" in data:
        data["model"] = ledger.model.name
    return data


def read_whole(ledger: Ledger, exchange: Exchange, settings: InferenceSettings) -> bytes:
    """All that an upstream answers, and the end of its exchange. Raises Fault when it does not come, or is too much."""
    began_s = time.perf_counter()
    try:
        with exchange:
            body, is_whole = exchange.read(settings.max_answer_bytes, timeout_s=settings.answer_timeout_s)
    except NoAnswer as error:
        raise faults.no_answer(error) from error
    finally:
        ledger.upstream_s += time.perf_counter() - began_s
    if not is_whole:
        raise faults.upstream_failed()
    return body


def finish_answer(ledger: Ledger, data: dict[str, Any], *, prompt_tokens: int) -> None:
    """Count what an answer used; the call has ended."""
    choices = data.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], dict):
        ledger.finish_reason = str(choices[0].get("finish_reason") or "")
    ledger.mark_first_byte()
    ledger.finish(use_of(ledger, read_usage(data.get("usage")), prompt=prompt_tokens, said=choices))


def use_of(ledger: Ledger, found: TokenUse | None, *, prompt: int, said: Any) -> TokenUse:
    """What a whole answer used: as the upstream says, else as its engine counts it, else about."""
    if found is not None:
        return found
    heard = ledger.hear()
    heard.add(said)
    return ledger.count(or_estimate(None, prompt=prompt, characters=heard.characters), heard)


class EventRelay(StreamRelay):
    """An answer that streams, event by event.

    wants_usage: whether the client asked for the last event with the usage; upstreams are asked for it in any case.
    """

    def __init__(self, ledger: Ledger, exchange: Exchange, prompt_tokens: int, wants_usage: bool) -> None:
        super().__init__(ledger, exchange)
        self._prompt_tokens, self._wants_usage = prompt_tokens, wants_usage
        self._use: TokenUse | None = None
        self._heard = ledger.hear()

    def use(self, status: int) -> TokenUse:
        use = or_estimate(self._use, prompt=self._prompt_tokens, characters=self._heard.characters)
        return self.ledger.count(use, self._heard)

    def last_words(self) -> bytes:
        return b"data: [DONE]\n\n"

    def pass_on(self) -> Iterator[bytes]:
        splitter, is_over = EventSplitter(), False
        for piece in read_pieces(self.ledger, self.exchange):
            # What came together leaves together: to send takes longer than all else that is done with an event.
            sent: list[bytes] = []
            fault = None
            try:
                is_over = self._pass_on_all(splitter.feed(piece), sent)
            except Fault as error:
                fault = error
            if sent:
                yield b"".join(sent)
            if fault is not None:
                raise fault
            if is_over:
                return
        if not self.ledger.finish_reason:
            # It ended without its end.
            raise faults.upstream_failed()

    def _pass_on_all(self, events: Iterable[bytes], sent: list[bytes]) -> bool:
        """Add what the client is to see of some events; whether they were the last. Raises Fault."""
        for event in events:
            data = data_of(event)
            if data is None:
                sent.append(event + b"\n\n")  # a comment, by which the upstream keeps the connection
            elif data == DONE:
                return True
            elif seen := self._pass_on(data):
                self.ledger.mark_first_byte()
                sent.append(seen)
        return False

    def _pass_on(self, data: bytes) -> bytes:
        """The client's event for the upstream's; nothing where the client is to see none."""
        try:
            chunk = msgspec.json.decode(data)
        except (msgspec.DecodeError, RecursionError):
            raise faults.upstream_failed() from None
        if not isinstance(chunk, dict):
            raise faults.upstream_failed()
        if chunk.get("error"):
            raise faults.upstream_failed()
        choices = chunk.get("choices")
        # Some engines send running totals: the last one counts.
        self._use = read_usage(chunk.get("usage")) or self._use
        if not choices and self._use is not None and not self._wants_usage:
            return b""
        if isinstance(choices, list):
            self._heard.add(choices)
            for choice in choices:
                if isinstance(choice, dict) and choice.get("finish_reason"):
                    self.ledger.finish_reason = str(choice["finish_reason"])
        if "model" in chunk:
            chunk["model"] = self.ledger.model.name
        return b"data: " + _encode(chunk) + b"\n\n"
