"""The models that a client may call. Source: gateway contract, section 1.2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs

from plugins.inference.catalogue import LLM_TYPES, Served, Server
from plugins.inference.gateway import faults
from plugins.inference.gateway.caller import Caller
from plugins.inference.gateway.calls import Answer, Resource
from plugins.inference.gateway.wire import Request
from plugins.inference.keys import Bearer
from plugins.inference.money import NANO

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
            return Answer.of(_list(request, visible, caller, bearer))
        for served in visible:
            if served.name == rest:
                return Answer.of(_describe(served, caller, bearer))
        raise faults.unknown_model(rest[:255])


def _list(request: Request, visible: list[Served], caller: Caller, bearer: Bearer | None) -> dict[str, Any]:
    try:
        values = parse_qs(request.query, max_num_fields=20)
    except ValueError:
        raise faults.bad_request("The query has too many members.") from None
    query = {name: given[-1] for name, given in values.items()}
    found = _filter(visible, query, values.get("llm_types", []))
    page, per = _number(query.get("page")), _number(query.get("per"))
    if (page is None) != (per is None) or (per or 0) > MAX_PAGE:
        raise faults.bad_request(f"'page' and 'per' come together, and 'per' is {MAX_PAGE} at most.", param="per")
    # Without a page, OpenAI's clients expect all.
    start, end = (0, MAX_LISTED) if page is None or per is None else ((page - 1) * per, page * per)
    shown = found[start:end]
    ends = {"first_id": shown[0].name, "last_id": shown[-1].name} if shown else {}
    models = [_describe(served, caller, bearer) for served in shown]
    return {"object": "list", "data": models, "has_more": end < len(found), "total_count": len(found)} | ends


def _filter(visible: list[Served], query: Mapping[str, str], types: Sequence[str]) -> list[Served]:
    wanted, task, repository = (query.get(name, "") for name in ("model_id", "task", "has_associated_model"))
    if repository not in ("", "true", "false"):
        raise faults.bad_request("'has_associated_model' is true or false.", param="has_associated_model")
    if unknown := [type for type in types if type not in LLM_TYPES]:
        raise faults.bad_request(f"There is no type {unknown[0][:64]!r}.", param="llm_types")
    return [
        one
        for one in visible
        if wanted.lower() in one.name.lower()
        and task in ("", one.task)
        and (not types or one.llm_type in types)
        and (not repository or bool(one.repo_path) == (repository == "true"))
    ]


def _number(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isdecimal() or len(text) > 9 or int(text) < 1:
        raise faults.bad_request("A page is a number from 1.", param="page")
    return int(text)


def _describe(served: Served, caller: Caller, bearer: Bearer | None) -> dict[str, Any]:
    """Source: gateway contract, section 1.2. Addresses of upstreams are for administrators, elsewhere."""
    prices, settings = served.prices, caller.settings
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
    upstreams = [_availability_of(server, caller) for server in served.servers]
    shown: dict[str, Any] = {"upstream_availabilities": upstreams} if bearer is not None and upstreams else {}
    if served.deployment is not None and served.deployment.has_tools:
        shown["support_function_call"] = True
    return shown | {
        "id": served.name,
        "object": "model",
        "created": served.created_at_s,
        "owned_by": served.provider or settings.owned_by,
        "task": served.task,
        "metadata": metadata,
        "availability": _availability(served, upstreams),
    }


def _availability_of(server: Server, caller: Caller) -> dict[str, Any]:
    health, circuit, reason = caller.router.circuits.states_of(server)
    return {
        "upstream_id": server.id,
        "model_name": server.model_name,
        "provider": server.provider,
        "is_available": health != "unhealthy" and circuit != "open",
        "health_state": health,
        "circuit_state": circuit,
        "reason": reason,
    }


def _availability(served: Served, upstreams: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """That of the first upstream that can be asked, else of the first one."""
    if not upstreams:
        reason = "" if served.is_available else "nothing serves it"
        return {"is_available": served.is_available, "health_state": "", "circuit_state": "closed", "reason": reason}
    best = next((one for one in upstreams if one["is_available"]), upstreams[0])
    return {name: best[name] for name in ("is_available", "health_state", "circuit_state", "reason")}
