"""Streams on their way to clients: however one ends, the upstream is let go, and the call is in its account once."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator

from hub.plugin import get_logger
from hub.plugin.outgoing import Exchange, NoAnswer
from plugins.inference.gateway import faults
from plugins.inference.gateway.events import BrokenStream
from plugins.inference.gateway.faults import ClientGone, Fault
from plugins.inference.gateway.ledger import CLIENT_GONE, Ledger
from plugins.inference.gateway.usage import Use

log = get_logger(__name__)


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


class StreamRelay(ABC):
    """An answer that streams, as ``calls.Relay`` says."""

    def __init__(self, ledger: Ledger, exchange: Exchange) -> None:
        self.ledger, self.exchange = ledger, exchange

    @abstractmethod
    def pass_on(self) -> Iterator[bytes]:
        """What the client is sent, but the last words. Raises Fault, ClientGone, NoAnswer, BrokenStream."""

    @abstractmethod
    def use(self, status: int) -> Use:
        """What was used when the stream ended so."""

    def last_words(self) -> bytes:
        """What the client is sent when the call is in its account: who has it finds the call there."""
        return b""

    def fail(self, fault: Fault) -> bytes:
        """The last words when there is no good end: the status is said already, so the error is an event."""
        return b"data: " + fault.body + b"\n\n"

    def events(self) -> Generator[bytes, None, None]:
        """What the client is sent. Closing it early closes the upstream, which then stops working for the call."""
        try:
            with self.exchange:
                try:
                    yield from self.pass_on()
                except NoAnswer as error:
                    raise faults.no_answer(error) from error
                except BrokenStream:
                    raise faults.upstream_failed() from None
            self._finish(200, "")
            if said := self.last_words():
                yield said
        except ClientGone:
            self._finish_for_nobody()
        except GeneratorExit:
            self._finish_for_nobody()
            raise
        except Fault as fault:
            self._finish(fault.status, fault.code or "")
            yield self.fail(fault)
        except Exception:
            log.exception("stream_failed", request_id=self.ledger.request_id)
            self._finish(500, "internal_error")
            yield self.fail(faults.internal())

    def close(self) -> None:
        """The end, whether or not anybody has begun to read. After ``events`` have ended it does nothing."""
        self.exchange.close()
        self._finish_for_nobody()

    def _finish_for_nobody(self) -> None:
        self._finish(CLIENT_GONE, "client_disconnected")

    def _finish(self, status: int, error_code: str) -> None:
        if self.ledger.is_finished:
            return
        use = self.use(status)
        try:
            self.ledger.finish(use, status=status, error_code=error_code)
        except Exception:
            # The client has its answer; that it was not counted is for the operator to see.
            log.exception("call_not_recorded", request_id=self.ledger.request_id, tokens=use.total)
