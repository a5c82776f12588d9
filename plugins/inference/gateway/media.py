"""What the kinds of calls with pictures and sound share: forms for upstreams, streams of events, bytes passed through.

Source: gateway contract, sections 1.4, 1.7 and 1.12.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from hub.plugin import get_logger
from hub.plugin.outgoing import Exchange, NoAnswer
from plugins.inference.gateway import faults
from plugins.inference.gateway.calls import CallKind, Sent
from plugins.inference.gateway.events import DONE, BrokenStream, data_of, split_events
from plugins.inference.gateway.faults import Fault
from plugins.inference.gateway.ledger import CLIENT_GONE, Ledger
from plugins.inference.gateway.multipart import FilePart, Form
from plugins.inference.gateway.usage import TokenUse, Use
from plugins.inference.settings import InferenceSettings

log = get_logger(__name__)


@dataclass(frozen=True)
class FormPayload:
    """A form whose field ``model`` is the upstream's own name."""

    form: Form

    def encode(self, model_name: str) -> Sent:
        encoded = self.form.replaced("model", model_name).encode()
        return Sent(encoded.content_type, encoded.pieces(), encoded.size_bytes)

    def close(self) -> None:
        self.form.close()


class MediaCall(CallKind):
    """A call with pictures, sound or videos, of which an account makes so many in a minute."""

    def requests_a_minute(self, settings: InferenceSettings) -> int | None:
        return settings.media_requests_per_minute or None


def model_in(form: Form) -> str:
    """The model that a form names. Raises Fault."""
    name = form.get("model")
    if not name:
        raise faults.bad_request("The request names no model.", param="model")
    return name


def file_in(form: Form, *names: str) -> FilePart:
    """The file that a form must have, of one of these names. Raises Fault."""
    part = form.find_file(*names)
    if part is None or not part.size_bytes:
        raise faults.bad_request(f"The form has no file {names[0]!r}, or an empty one.", param=names[0])
    return part


def is_true(value: object) -> bool:
    """Whether a field of a form says yes."""
    return value is True or (isinstance(value, str) and value.lower() in ("true", "1"))


def read_pieces(ledger: Ledger, exchange: Exchange) -> Iterator[bytes]:
    """The upstream's bytes; the time that they are waited for is the upstream's. Raises NoAnswer."""
    pieces = exchange.pieces()
    while True:
        began_s = time.perf_counter()
        piece = next(pieces, None)
        ledger.upstream_s += time.perf_counter() - began_s
        if piece is None:
            return
        yield piece


class MediaRelay:
    """An upstream's stream of events, passed on as they are.

    see: looks at each, and says what the call used once one of them tells. left: what is counted for a client that
    hangs up, whose upstream has the whole request already.
    """

    def __init__(self, ledger: Ledger, exchange: Exchange, see: Callable[[dict[str, Any]], Use | None], left: Use):
        self._ledger, self._exchange, self._see, self._left = ledger, exchange, see, left
        self._use: Use | None = None

    def events(self) -> Generator[bytes, None, None]:
        """What the client is sent. Closing it early closes the upstream."""
        try:
            with self._exchange:
                yield from self._relay()
            self._finish(200, "", self._use or self._left)
        except GeneratorExit:
            self._finish(CLIENT_GONE, "client_disconnected", self._use or self._left)
            raise
        except Fault as fault:
            # Something was sent already, so the status is said: the error is an event.
            self._finish(fault.status, fault.code or "", self._use or TokenUse())
            yield b"data: " + fault.body + b"\n\n"
        except Exception:
            log.exception("stream_failed", request_id=self._ledger.request_id)
            self._finish(500, "internal_error", self._use or TokenUse())
            yield b"data: " + faults.internal().body + b"\n\n"

    def close(self) -> None:
        """The end, whether or not anybody has begun to read. After ``events`` have ended it does nothing."""
        self._exchange.close()
        self._finish(CLIENT_GONE, "client_disconnected", self._use or self._left)

    def _relay(self) -> Iterator[bytes]:
        try:
            for event in split_events(read_pieces(self._ledger, self._exchange)):
                data = data_of(event)
                if data is not None and data != DONE:
                    self._look_at(data)
                    self._ledger.mark_first_byte()
                yield event + b"\n\n"
        except NoAnswer as error:
            raise (faults.upstream_late() if error.is_late else faults.upstream_failed()) from error
        except BrokenStream:
            raise faults.upstream_failed() from None

    def _look_at(self, data: bytes) -> None:
        try:
            event = msgspec.json.decode(data)
        except (msgspec.DecodeError, RecursionError):
            raise faults.upstream_failed() from None
        if not isinstance(event, dict) or event.get("error") or event.get("type") == "error":
            # What an upstream says of itself is not for clients.
            raise faults.upstream_failed()
        self._use = self._see(event) or self._use

    def _finish(self, status: int, error_code: str, use: Use) -> None:
        try:
            self._ledger.finish(use, status=status, error_code=error_code)
        except Exception:
            log.exception("call_not_recorded", request_id=self._ledger.request_id)


class Pipe:
    """An upstream's bytes on their way to the client: no more of them in memory than one piece.

    What the call used is known; it is recorded before the end is told. When the upstream breaks off, so does the
    answer: its client must not take a part for the whole.
    """

    def __init__(self, ledger: Ledger, exchange: Exchange, use: Use) -> None:
        self._ledger, self._exchange, self._use = ledger, exchange, use
        self._pieces = self._pass_on()

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    def close(self) -> None:
        """The end, whether or not anybody has begun to read."""
        self._pieces.close()
        self._exchange.close()
        self._ledger.finish(self._use, status=CLIENT_GONE, error_code="client_disconnected")

    def _pass_on(self) -> Generator[bytes, None, None]:
        try:
            with self._exchange:
                for piece in read_pieces(self._ledger, self._exchange):
                    self._ledger.mark_first_byte()
                    yield piece
        except NoAnswer as error:
            fault = faults.upstream_late() if error.is_late else faults.upstream_failed()
            self._ledger.finish(TokenUse(), status=fault.status, error_code=fault.code or "")
            # Servers close the connection for this one without a word in their log.
            raise ConnectionResetError(errno.ECONNRESET, "the upstream broke off") from error
        self._ledger.finish(self._use)
