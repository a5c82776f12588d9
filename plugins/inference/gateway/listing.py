"""The models that a client may call. Source: gateway contract, section 1.2."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from plugins.inference.catalogue import Served
from plugins.inference.gateway import faults
from plugins.inference.gateway.caller import Caller
from plugins.inference.gateway.calls import Answer, Resource
from plugins.inference.gateway.wire import Request
from plugins.inference.money import NANO
from plugins.inference.settings import InferenceSettings

MAX_PAGE, MAX_LISTED = 100, 1000


class Models(Resource):
    """Nobody in particular sees what everybody may call; a key sees what it may."""

    prefix = "/v1/models"

    def answer(self, caller: Caller, request: Request, rest: str) -> Answer:
        if request.method not in ("GET", "HEAD"):
            raise faults.wrong_method(request.method)
        bearer = caller.authenticate(request.bearer) if request.bearer else None
        visible = caller.list_models(bearer)
        if not rest:
            return Answer.of(_list(request, visible, caller.settings))
        for served in visible:
            if served.name == rest:
                return Answer.of(_describe(served, caller.settings))
        raise faults.unknown_model(rest[:255])


def _list(request: Request, visible: list[Served], settings: InferenceSettings) -> dict[str, Any]:
    try:
        query = {name: values[-1] for name, values in parse_qs(request.query, max_num_fields=20).items()}
    except ValueError:
        raise faults.bad_request("The query has too many members.") from None
    wanted, task = query.get("model_id", ""), query.get("task", "")
    found = [one for one in visible if wanted.lower() in one.name.lower() and task in ("", one.task)]
    page, per = _number(query.get("page")), _number(query.get("per"))
    if (page is None) != (per is None) or (per or 0) > MAX_PAGE:
        raise faults.bad_request(f"'page' and 'per' come together, and 'per' is {MAX_PAGE} at most.", param="per")
    # Without a page, OpenAI's clients expect all.
    start, end = (0, MAX_LISTED) if page is None or per is None else ((page - 1) * per, page * per)
    shown = found[start:end]
    ends = {"first_id": shown[0].name, "last_id": shown[-1].name} if shown else {}
    models = [_describe(served, settings) for served in shown]
    return {"object": "list", "data": models, "has_more": end < len(found), "total_count": len(found)} | ends


def _number(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isdecimal() or len(text) > 9 or int(text) < 1:
        raise faults.bad_request("A page is a number from 1.", param="page")
    return int(text)


def _describe(served: Served, settings: InferenceSettings) -> dict[str, Any]:
    """Source: gateway contract, section 1.2. Addresses of upstreams are for administrators, elsewhere."""
    prices = served.prices
    metadata: dict[str, Any] = {"llm_type": served.llm_type, "repo_path": served.repo_path, "tasks": [served.task]}
    if any(prices.of_tokens):
        # Billionths for a token are thousandths for a million.
        metadata["pricing"] = {
            "input_token_price": {
                "currency": settings.currency,
                "price_per_million": prices.input / 1000,
                "cached_price_per_million": prices.cached / 1000,
            },
            "output_token_price": {"currency": settings.currency, "price_per_million": prices.output / 1000},
        }
    if prices.units:
        metadata.setdefault("pricing", {})["modal_prices"] = [
            {
                "currency": settings.currency,
                "price_per_unit": price.nano / NANO,
                "sku_unit": 1,
                "sku_unit_type": price.unit,
                "resolution": price.resolution,
                "quality": price.quality,
            }
            for price in prices.units
        ]
    return {
        "id": served.name,
        "object": "model",
        "created": served.created_at_s,
        "owned_by": served.provider or settings.owned_by,
        "task": served.task,
        "metadata": metadata,
        "availability": {"is_available": bool(served.servers)},
    }
