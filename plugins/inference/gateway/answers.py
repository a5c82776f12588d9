"""From an upstream's answer to the client's: the model's name as clients know it, usage counted on the way."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from hub.plugin import get_logger
from hub.plugin.outgoing import Exchange, NoAnswer
from plugins.inference.gateway import faults
from plugins.inference.gateway.events import DONE, BrokenStream, EventSplitter, data_of
from plugins.inference.gateway.faults import ClientGone, Fault
from plugins.inference.gateway.ledger import CLIENT_GONE, Ledger
from plugins.inference.gateway.usage import TokenUse, or_estimate, read_usage

log = get_logger(__name__)

_encode = msgspec.json.encode


def read_answer(ledger: Ledger, exchange: Exchange, *, limit_bytes: int, timeout_s: float) -> dict[str, Any]:
    """An answer that does not stream. Raises Fault when it is none."""
    began_s = time.perf_counter()
    try:
        body, is_whole = exchange.read(limit_bytes, timeout_s=timeout_s)
    except NoAnswer as error:
        raise (faults.upstream_late() if error.is_late else faults.upstream_failed()) from error
    finally:
        ledger.upstream_s += time.perf_counter() - began_s
    try:
        data = msgspec.json.decode(body) if is_whole else None
    except (msgspec.DecodeError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise faults.upstream_failed()
    if "model" in data:
        data["model"] = ledger.model.name
    return data


def read_pieces(ledger: Ledger, exchange: Exchange) -> Iterator[bytes]:
    """The upstream's bytes; how long they were waited for is the ledger's. Raises NoAnswer when they break off."""
    pieces = exchange.pieces()
    while True:
        began_s = time.perf_counter()
        piece = next(pieces, None)
        ledger.upstream_s += time.perf_counter() - began_s
        if piece is None:
            return
        yield piece


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


@dataclass
class EventRelay:
    """An answer that streams, event by event.

    wants_usage: whether the client asked for the last event with the usage; upstreams are asked for it in any case.
    """

    ledger: Ledger
    exchange: Exchange
    prompt_tokens: int
    wants_usage: bool
    _use: TokenUse | None = None

    def __post_init__(self) -> None:
        self._heard = self.ledger.hear()

    def events(self) -> Generator[bytes, None, None]:
        """What the client is sent. Closing it early closes the upstream, which then stops working for the call."""
        try:
            with self.exchange:
                yield from self._relay()
            # Before the last word, so that a client that has it finds the call in its account.
            self._finish(200, "")
            yield b"data: [DONE]\n\n"
        except ClientGone:
            self._finish(CLIENT_GONE, "client_disconnected")
        except GeneratorExit:
            self._finish(CLIENT_GONE, "client_disconnected")
            raise
        except Fault as fault:
            # Something was sent already, so the status is said; the error is an event, and no "[DONE]" follows.
            self._finish(fault.status, fault.code or "")
            yield b"data: " + fault.body + b"\n\n"
        except Exception:
            log.exception("stream_failed", request_id=self.ledger.request_id)
            self._finish(500, "internal_error")
            yield b"data: " + faults.internal().body + b"\n\n"

    def close(self) -> None:
        """The end, whether or not anybody has begun to read. After ``events`` have ended it does nothing."""
        self.exchange.close()
        self._finish(CLIENT_GONE, "client_disconnected")

    def _relay(self) -> Iterator[bytes]:
        splitter, is_over = EventSplitter(), False
        try:
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
        except NoAnswer as error:
            raise (faults.upstream_late() if error.is_late else faults.upstream_failed()) from error
        except BrokenStream:
            raise faults.upstream_failed() from None
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
        if not choices and self._use is not None and not self.wants_usage:
            return b""
        if isinstance(choices, list):
            self._heard.add(choices)
            for choice in choices:
                if isinstance(choice, dict) and choice.get("finish_reason"):
                    self.ledger.finish_reason = str(choice["finish_reason"])
        if "model" in chunk:
            chunk["model"] = self.ledger.model.name
        return b"data: " + _encode(chunk) + b"\n\n"

    def _finish(self, status: int, error_code: str) -> None:
        use = or_estimate(self._use, prompt=self.prompt_tokens, characters=self._heard.characters)
        try:
            self.ledger.finish(self.ledger.count(use, self._heard), status=status, error_code=error_code)
        except Exception:
            # The client has its answer; that it was not counted is for the operator to see.
            log.exception("call_not_recorded", request_id=self.ledger.request_id, tokens=use.total)
