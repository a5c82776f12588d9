"""What the kinds of calls with pictures and sound share: forms for upstreams, streams of events, bytes passed through.

Source: gateway contract, sections 1.4, 1.7 and 1.12.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from hub.plugin.outgoing import Exchange, NoAnswer
from plugins.inference.gateway import faults
from plugins.inference.gateway.calls import CallKind, Sent
from plugins.inference.gateway.events import DONE, data_of, split_events
from plugins.inference.gateway.faults import ClientGone
from plugins.inference.gateway.ledger import CLIENT_GONE, Ledger
from plugins.inference.gateway.multipart import FilePart, Form
from plugins.inference.gateway.relays import StreamRelay, read_pieces
from plugins.inference.gateway.usage import TokenUse, Use
from plugins.inference.settings import InferenceSettings


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


class MediaRelay(StreamRelay):
    """An upstream's stream of events, passed on as they are.

    see: looks at each, and says what the call used once one of them tells. left: what is counted where none does, also
    for a client that hangs up: its upstream has the whole request already.
    """

    def __init__(self, ledger: Ledger, exchange: Exchange, see: Callable[[dict[str, Any]], Use | None], left: Use):
        super().__init__(ledger, exchange)
        self._see, self._left = see, left
        self._use: Use | None = None

    def use(self, status: int) -> Use:
        if self._use is not None:
            return self._use
        return self._left if status in (200, CLIENT_GONE) else TokenUse()

    def pass_on(self) -> Iterator[bytes]:
        for event in split_events(read_pieces(self.ledger, self.exchange)):
            data = data_of(event)
            if data is not None and data != DONE:
                self._look_at(data)
                self.ledger.mark_first_byte()
            yield event + b"\n\n"

    def _look_at(self, data: bytes) -> None:
        try:
            event = msgspec.json.decode(data)
        except (msgspec.DecodeError, RecursionError):
            raise faults.upstream_failed() from None
        if not isinstance(event, dict) or event.get("error") or event.get("type") == "error":
            # What an upstream says of itself is not for clients.
            raise faults.upstream_failed()
        self._use = self._see(event) or self._use


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
        except ClientGone as error:
            self._ledger.finish(self._use, status=CLIENT_GONE, error_code="client_disconnected")
            raise _broken("the client has hung up") from error
        except NoAnswer as error:
            fault = faults.no_answer(error)
            self._ledger.finish(TokenUse(), status=fault.status, error_code=fault.code or "")
            raise _broken("the upstream broke off") from error
        self._ledger.finish(self._use)


def _broken(why: str) -> OSError:
    """Servers close the connection for this one without a word in their log."""
    return ConnectionResetError(errno.ECONNRESET, why)
