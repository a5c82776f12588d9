"""Videos are asked for: the upstream makes them in its own time. Source: gateway contract, section 1.9."""

from __future__ import annotations

import base64
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from uuid import uuid4

import msgspec

from hub.plugin import Context
from hub.plugin.db import reading
from hub.plugin.outgoing import Exchange
from plugins.inference.catalogue import Served, Server
from plugins.inference.files.service import get_file, open_file
from plugins.inference.gateway import faults
from plugins.inference.gateway.answers import read_answer
from plugins.inference.gateway.calls import Answer, Asked, CallKind, JsonPayload, Spoken
from plugins.inference.gateway.completions import model_of
from plugins.inference.gateway.ledger import Ledger
from plugins.inference.gateway.media import FormPayload, MediaCall, model_in
from plugins.inference.gateway.units import MostUnits, UnitUse, plain_word, read_quantity
from plugins.inference.gateway.usage import Use
from plugins.inference.gateway.video_models import VideoTask
from plugins.inference.gateway.video_tasks import FAILED, OLD_PREFIX, PREFIX, deprecated, read_task, route_of, show_task
from plugins.inference.gateway.wire import Request
from plugins.inference.keys import Bearer
from plugins.inference.settings import InferenceSettings
from plugins.inference.unit_prices import PricedUnit, store_prices

# Where nobody says how long a video is to be: the longest that OpenAI's models make.
USUAL_SECONDS, MAX_SECONDS = 12, 3600
MAX_REFERENCE_BYTES = 10 * 1024 * 1024


@dataclass
class _Wanted:
    """What is asked for. seconds: None where it is left to the model; file_id: of a picture to begin with."""

    seconds: int | None
    size: str
    file_id: str
    is_old: bool


class Videos(MediaCall):
    """A video. Its call counts as spent what it is going to cost; what it did cost is known when it is there."""

    name = "video/generations"
    paths = (PREFIX, OLD_PREFIX)

    def read(self, request: Request, settings: InferenceSettings) -> Asked:
        is_old = request.path == OLD_PREFIX
        if request.content_type.startswith("multipart/form-data"):
            form = request.read_form(settings.max_form_bytes)
            payload = FormPayload(form)
            try:
                return Asked(model_in(form), "videos", payload, own=_wanted(dict(form.fields), "", is_old))
            except BaseException:
                payload.close()
                raise
        data = request.read_json(settings.max_body_bytes)
        reference = data.get("input_reference")
        file_id = reference.get("file_id") if isinstance(reference, dict) else None
        own = _wanted(data, file_id if isinstance(file_id, str) else "", is_old)
        return Asked(model_of(data), "videos", JsonPayload(data), own=own)

    def judge(self, asked: Asked, bearer: Bearer, context: Context) -> None:
        """A picture to begin with is one of the account's files: the upstream gets its bytes."""
        wanted: _Wanted = asked.own
        if wanted.file_id and isinstance(asked.payload, JsonPayload):
            address = _as_address(context, bearer, wanted.file_id)
            asked.payload = JsonPayload({**asked.payload.data, "input_reference": {"image_url": address}})

    def most(self, asked: Asked, model: Served, settings: InferenceSettings) -> Use:
        wanted: _Wanted = asked.own
        return MostUnits(PricedUnit.SECOND, wanted.seconds or USUAL_SECONDS, wanted.size)

    def speak(self, asked: Asked, server: Server, most: Use) -> Spoken:
        return Spoken(route_of(server.url), asked.payload)

    def answer(self, ledger: Ledger, exchange: Exchange, asked: Asked, settings: InferenceSettings) -> Answer:
        said = read_answer(ledger, exchange, settings)
        provider_id = said.get("id") or said.get("task_id")
        status, seen = read_task(said)
        if not isinstance(provider_id, str) or not 0 < len(provider_id) <= 255 or status == FAILED:
            raise faults.upstream_failed()
        row, use = _row_of(ledger, asked, provider_id, status, seen)
        ledger.booking = replace(ledger.booking, write=partial(_write_beside, ledger.booking.write, row))
        ledger.mark_first_byte()
        # Nothing is metered before the video is there; until then the call is as dear as it may become.
        ledger.finish(use)
        headers = deprecated(PREFIX) if asked.own.is_old else []
        return Answer(msgspec.json.encode(show_task(VideoTask(**row))), headers=headers)


def _wanted(said: Mapping[str, Any], file_id: str, is_old: bool) -> _Wanted:
    seconds = read_quantity(said["seconds"]) if said.get("seconds") is not None else None
    if said.get("seconds") is not None and not 0 < (seconds or 0) <= MAX_SECONDS:
        raise faults.bad_request(f"A video has 1 to {MAX_SECONDS} seconds.", param="seconds")
    return _Wanted(seconds, plain_word(said.get("size")), file_id, is_old)


def _as_address(context: Context, bearer: Bearer, file_id: str) -> str:
    """A file's bytes as an address that holds them. Raises NotFound, Fault."""
    with reading(context) as work:
        row = get_file(work, bearer=bearer, public_id=file_id)
    kind = mimetypes.guess_type(row.filename)[0] or ""
    if row.size_bytes > MAX_REFERENCE_BYTES or not kind.startswith("image/"):
        raise faults.bad_request(
            f"What a video begins with is a picture of at most {MAX_REFERENCE_BYTES} bytes.", param="input_reference"
        )
    return f"data:{kind};base64,{base64.b64encode(b''.join(open_file(context, row))).decode()}"


def _row_of(
    ledger: Ledger, asked: Asked, provider_id: str, status: str, seen: Mapping[str, Any]
) -> tuple[dict[str, Any], Use]:
    """The task, and what its call counts as spent."""
    assert ledger.server is not None
    served, wanted, now = ledger.served or ledger.model, asked.own, ledger.context.clock.now()
    seconds = min(read_quantity(seen.get("seconds")) or wanted.seconds or USUAL_SECONDS, MAX_SECONDS)
    size = plain_word(seen.get("size")) or wanted.size
    use: UnitUse = UnitUse(PricedUnit.SECOND, seconds, size) if size else MostUnits(PricedUnit.SECOND, seconds)
    prices = [price for price in served.prices.units if price.unit == PricedUnit.SECOND]
    details = {
        "provider": ledger.server.provider or served.provider,
        "model_name": ledger.server.model_name,
        "route": Videos.name,
    }
    row = {
        "public_id": f"video_{uuid4().hex}",
        "namespace_id": ledger.bearer.namespace_id,
        "owner_uuid": ledger.bearer.owner_uuid,
        "key_id": ledger.bearer.key_id,
        "user_id": ledger.bearer.user_id,
        "model": ledger.model.name,
        "upstream_id": ledger.server.id,
        "provider_id": provider_id,
        "status": status,
        "progress": seen.get("progress"),
        "fail_code": "",
        "said": dict(seen),
        "seconds": seconds,
        "size": size,
        "cost_nano": use.cost_nano(served.prices),
        "event_uuid": ledger.admission.id,
        "booking": {
            "resource_id": f"{served.llm_type}/{served.name}"[:255],
            "resource_name": served.name,
            "prices": store_prices(prices),
            "details": details,
        },
        "published_at": None,
        "checked_at": now,
        "created_at": now,
        "finished_at": None,
    }
    return row, use


def _write_beside(write: Any, row: Mapping[str, Any], context: Context, *usages: Any, beside: Any = None) -> None:
    """The task in the transaction of its call."""
    write(context, *usages, beside={**(beside or {}), VideoTask: [row]})


KINDS: tuple[CallKind, ...] = (Videos(),)
