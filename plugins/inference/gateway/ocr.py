"""Text of scanned pages. Source: gateway contract, sections 1.1 and 1.12."""

from __future__ import annotations

import msgspec

from hub.plugin.outgoing import Exchange
from plugins.inference.catalogue import Served
from plugins.inference.gateway import faults
from plugins.inference.gateway.answers import read_answer
from plugins.inference.gateway.calls import Answer, Asked, CallKind
from plugins.inference.gateway.ledger import Ledger
from plugins.inference.gateway.media import FormPayload, MediaCall, file_in, model_in
from plugins.inference.gateway.units import UnitUse, read_quantity
from plugins.inference.gateway.wire import Request
from plugins.inference.settings import InferenceSettings
from plugins.inference.unit_prices import PricedUnit

MAX_FILE_BYTES = 20 * 1024 * 1024
# So much is held for a document whose pages nobody has counted: a page's scan is seldom smaller.
_BYTES_PER_PAGE = 50_000


class Ocr(MediaCall):
    """A document, paid for by its pages, as the upstream counts them."""

    name = "ocr"
    paths = ("/v1/ocr",)

    def read(self, request: Request, settings: InferenceSettings) -> Asked:
        form = request.read_form(min(settings.max_form_bytes, MAX_FILE_BYTES + 1024 * 1024))
        payload = FormPayload(form)
        try:
            part = file_in(form, "file")
            if part.size_bytes > MAX_FILE_BYTES:
                raise faults.too_large(MAX_FILE_BYTES)
            return Asked(model_in(form), self.name, payload, own=max(1, part.size_bytes // _BYTES_PER_PAGE))
        except BaseException:
            payload.close()
            raise

    def most(self, asked: Asked, model: Served, settings: InferenceSettings) -> UnitUse:
        return UnitUse(PricedUnit.PAGE, asked.own)

    def answer(self, ledger: Ledger, exchange: Exchange, asked: Asked, settings: InferenceSettings) -> Answer:
        data = read_answer(ledger, exchange, settings)
        usage = data.get("usage")
        pages = read_quantity(usage.get("pages")) if isinstance(usage, dict) else None
        ledger.mark_first_byte()
        source = "estimate" if pages is None else "upstream"
        ledger.finish(UnitUse(PricedUnit.PAGE, max(1, pages or 1), source=source))
        return Answer(msgspec.json.encode(data))


KINDS: tuple[CallKind, ...] = (Ocr(),)
