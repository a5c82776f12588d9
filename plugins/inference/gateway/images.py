"""Pictures, made of words or of other pictures. Source: gateway contract, sections 1.1 and 1.12."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from hub.plugin.outgoing import Exchange
from plugins.inference.catalogue import Served
from plugins.inference.gateway import faults
from plugins.inference.gateway.answers import read_answer
from plugins.inference.gateway.calls import Answer, Asked, CallKind, JsonPayload
from plugins.inference.gateway.completions import model_of
from plugins.inference.gateway.ledger import Ledger
from plugins.inference.gateway.media import FormPayload, MediaCall, MediaRelay, file_in, is_true, model_in
from plugins.inference.gateway.units import MostUnits, UnitUse, plain_word, read_quantity
from plugins.inference.gateway.wire import Request
from plugins.inference.settings import InferenceSettings
from plugins.inference.unit_prices import PricedUnit

MAX_IMAGES = 128


class _Wanted(msgspec.Struct, frozen=True):
    """How many pictures, and of what kind, as far as the request says."""

    number: int
    resolution: str
    quality: str


def _wanted(said: Mapping[str, Any]) -> _Wanted:
    number = read_quantity(said.get("n"))
    return _Wanted(
        min(max(number or 1, 1), MAX_IMAGES), _word(said.get("size")) or "", _word(said.get("quality")) or ""
    )


def _word(value: object) -> str | None:
    """A size or quality; None where it is left to the model."""
    word = plain_word(value)
    return word if word not in ("", "auto") else None


class _Images(MediaCall):
    """Pictures. Each is paid for by its size and quality: those that the answer names, else those asked for."""

    def most(self, asked: Asked, model: Served, settings: InferenceSettings) -> MostUnits:
        wanted: _Wanted = asked.own
        return MostUnits(PricedUnit.IMAGE, wanted.number, wanted.resolution, wanted.quality)

    def answer(self, ledger: Ledger, exchange: Exchange, asked: Asked, settings: InferenceSettings) -> Answer:
        data = read_answer(ledger, exchange, settings)
        pictures = data.get("data")
        if not isinstance(pictures, list):
            raise faults.upstream_failed()
        ledger.mark_first_byte()
        ledger.finish(_use(asked, data, len(pictures)))
        return Answer(msgspec.json.encode(data))

    def relay(self, ledger: Ledger, exchange: Exchange, asked: Asked) -> MediaRelay:
        wanted: _Wanted = asked.own
        done = 0

        def see(event: dict[str, Any]) -> UnitUse | None:
            nonlocal done
            if not str(event.get("type")).endswith(".completed"):
                return None
            done += 1
            return _use(asked, event, done)

        return MediaRelay(ledger, exchange, see, _use(asked, {}, wanted.number, source="estimate"))


def _use(asked: Asked, said: Mapping[str, Any], number: int, source: str = "upstream") -> UnitUse:
    wanted: _Wanted = asked.own
    resolution = _word(said.get("size")) or wanted.resolution
    quality = _word(said.get("quality")) or wanted.quality
    return UnitUse(PricedUnit.IMAGE, min(number, MAX_IMAGES), resolution, quality, source)


class ImageGenerations(_Images):
    """Pictures of words."""

    name = "images/generations"
    paths = ("/v1/images/generations",)

    def read(self, request: Request, settings: InferenceSettings) -> Asked:
        data = request.read_json(settings.max_body_bytes)
        is_stream = data.get("stream") is True
        return Asked(model_of(data), self.name, JsonPayload(data), is_stream, own=_wanted(data))


class ImageEdits(_Images):
    """Pictures of other pictures, which come in a form."""

    name = "images/edits"
    paths = ("/v1/images/edits",)

    def read(self, request: Request, settings: InferenceSettings) -> Asked:
        form = request.read_form(settings.max_form_bytes)
        payload = FormPayload(form)
        try:
            file_in(form, "image", "image[]")
            own = _wanted(dict(form.fields))
            return Asked(model_in(form), self.name, payload, is_true(form.get("stream")), own=own)
        except BaseException:
            payload.close()
            raise


KINDS: tuple[CallKind, ...] = (ImageGenerations(), ImageEdits())
