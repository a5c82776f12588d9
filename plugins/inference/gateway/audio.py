"""Speech to text and text to speech. Source: gateway contract, sections 1.1 and 1.12."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from hub.plugin.objects import offload
from hub.plugin.outgoing import Exchange
from plugins.inference.catalogue import Served
from plugins.inference.gateway import faults
from plugins.inference.gateway.answers import read_answer, read_whole
from plugins.inference.gateway.audio_lengths import find_seconds
from plugins.inference.gateway.calls import Answer, Asked, CallKind, JsonPayload
from plugins.inference.gateway.completions import model_of
from plugins.inference.gateway.ledger import Ledger
from plugins.inference.gateway.media import FormPayload, MediaCall, MediaRelay, Pipe, file_in, is_true, model_in
from plugins.inference.gateway.units import UnitUse, read_quantity
from plugins.inference.gateway.wire import Request
from plugins.inference.settings import InferenceSettings
from plugins.inference.unit_prices import PricedUnit

# Where no header tells a recording's length: speech takes about so much for a second.
BYTES_PER_SECOND = 4000
# Answers that are text, not JSON.
_TEXTS = frozenset({"text", "srt", "vtt"})
_PLAIN = "text/plain; charset=utf-8"


class _Recording(msgspec.Struct, frozen=True):
    """What is known of a recording before it is heard. source: who says how long it is."""

    seconds: int
    source: str

    def use(self) -> UnitUse:
        return UnitUse(PricedUnit.SECOND, self.seconds, source=self.source)


class _Hearing(MediaCall):
    """A recording to text, paid for by its length: as the upstream says, else as its header does."""

    def read(self, request: Request, settings: InferenceSettings) -> Asked:
        form = request.read_form(settings.max_form_bytes)
        payload = FormPayload(form)
        try:
            part = file_in(form, "file")
            seconds = offload(find_seconds, part.file, part.filename)
            own = (
                _Recording(max(1, math.ceil(seconds)), "header")
                if seconds is not None
                else _Recording(max(1, math.ceil(part.size_bytes / BYTES_PER_SECOND)), "estimate")
            )
            return Asked(model_in(form), self.name, payload, is_true(form.get("stream")), own=own)
        except BaseException:
            payload.close()
            raise

    def most(self, asked: Asked, model: Served, settings: InferenceSettings) -> UnitUse:
        recording: _Recording = asked.own
        return recording.use()

    def answer(self, ledger: Ledger, exchange: Exchange, asked: Asked, settings: InferenceSettings) -> Answer:
        if "json" in exchange.headers.get("content-type", "json"):
            data = read_answer(ledger, exchange, settings)
            answer, use = Answer(msgspec.json.encode(data)), _heard(data)
        else:
            answer, use = Answer(read_whole(ledger, exchange, settings), _PLAIN), None
        ledger.mark_first_byte()
        ledger.finish(use or asked.own.use())
        return answer

    def relay(self, ledger: Ledger, exchange: Exchange, asked: Asked) -> MediaRelay:
        return MediaRelay(ledger, exchange, _heard, asked.own.use())


def _heard(said: dict[str, Any]) -> UnitUse | None:
    """How long it was, as the upstream says; None where it does not."""
    usage = said.get("usage")
    told = usage.get("seconds") if isinstance(usage, dict) else None
    seconds = read_quantity(told if told is not None else said.get("duration"))
    return None if seconds is None else UnitUse(PricedUnit.SECOND, max(1, seconds), source="upstream")


class Transcriptions(_Hearing):
    """What is said, in its own language."""

    name = "audio/transcriptions"
    paths = ("/v1/audio/transcriptions",)


class Translations(_Hearing):
    """What is said, in English."""

    name = "audio/translations"
    paths = ("/v1/audio/translations",)


class Speech(MediaCall):
    """Text to speech, paid for by the text's characters. The sound is passed on as it comes."""

    name = "audio/speech"
    paths = ("/v1/audio/speech",)

    def read(self, request: Request, settings: InferenceSettings) -> Asked:
        data = request.read_json(settings.max_body_bytes)
        text = data.get("input")
        if not isinstance(text, str) or not text:
            raise faults.bad_request("The request has no text to be spoken.", param="input")
        is_stream = data.get("stream_format") == "sse"
        return Asked(model_of(data), self.name, JsonPayload(data), is_stream, own=len(text))

    def most(self, asked: Asked, model: Served, settings: InferenceSettings) -> UnitUse:
        return _spoken(asked)

    def answer(self, ledger: Ledger, exchange: Exchange, asked: Asked, settings: InferenceSettings) -> Answer:
        kind = exchange.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind in ("application/json", "text/html"):
            raise faults.upstream_failed()
        use = _spoken(asked)
        # It is told before it is written down: the text does not change while the sound comes.
        ledger.cost_nano = use.cost_nano((ledger.served or ledger.model).prices)
        shown = kind if kind.startswith("audio/") and kind.isascii() and kind.isprintable() else "audio/mpeg"
        return Answer(Pipe(ledger, exchange, use), shown, headers=[("X-Content-Type-Options", "nosniff")])

    def relay(self, ledger: Ledger, exchange: Exchange, asked: Asked) -> MediaRelay:
        use = _spoken(asked)
        return MediaRelay(ledger, exchange, lambda _event: use, use)


def _spoken(asked: Asked) -> UnitUse:
    return UnitUse(PricedUnit.CHARACTER, asked.own, source="request")


KINDS: tuple[CallKind, ...] = (Transcriptions(), Translations(), Speech())
