"""REST of what workloads can be run on. Contract: CSGHub, sections 4.8 and 5.9; compute, 11."""

from __future__ import annotations

import json
from typing import Any

from hub.accounts.policy import require_site_admin
from hub.api import compute_schemas as schemas
from hub.api.envelope import enveloped, ok
from hub.api.ids import ROW_ID
from hub.base.errors import Invalid
from hub.compute.hardware import ACCELERATORS, SCENARIOS, names_of, parse_hardware, scenario_bit
from hub.compute.models import Sku
from hub.compute.service import skus as service
from hub.db.uow import reading, unit_of_work
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.http.routing import PREFIX, ApiBlueprint

blp = ApiBlueprint("resources", __name__, url_prefix=PREFIX, description="What workloads can be run on")


@blp.get("/space_resources")
@blp.arguments(schemas.SpaceResourcesQuery, location="query")
@blp.response(200, enveloped(schemas.SpaceResourceSchema, many=True))
def list_space_resources(query: dict[str, Any]) -> dict[str, Any]:
    """What a workload can be run on, and whether there is room for it now.

    The CSGHub SDK asks without a credential and sends the first one's id when it makes a space.
    """
    scenario = None
    if query["deploy_type"] is not None:
        scenario = scenario_bit(query["deploy_type"])
        if scenario is None:
            return ok([], total=0)
    return _list(query, scenario)


@blp.get("/admin/space_resources")
@blp.arguments(schemas.SpaceResourcesQuery, location="query")
@blp.response(200, enveloped(schemas.SpaceResourceSchema, many=True))
def list_all_space_resources(query: dict[str, Any]) -> dict[str, Any]:
    """All that is offered, whatever for; for site administrators."""
    with reading(current_context()) as work:
        require_site_admin(work, current_actor())
    return _list(query, None)


def _list(query: dict[str, Any], scenario: int | None) -> dict[str, Any]:
    found = service.list_offers(
        current_context(),
        cluster_id=query["cluster_id"],
        scenario=scenario,
        type=query["resource_type"],
        model=query["hardware_type"],
        is_available=query["is_available"],
        page=page_args(),
    )
    return ok([offer_view(offer) for offer in found.items], total=found.total)


@blp.get("/space_resources/scenarios")
@blp.response(200, enveloped(schemas.ScenarioSchema, many=True))
def list_scenarios() -> dict[str, Any]:
    """What a resource can be offered for."""
    return ok([{"name": name, "code": bit} for name, bit in SCENARIOS.items()], total=len(SCENARIOS))


@blp.get("/space_resources/hardware_types")
@blp.response(200, schemas.HardwareTypesSchema)
def list_hardware_types() -> dict[str, Any]:
    """The kinds of processors that a resource can have."""
    return ok(["cpu", *ACCELERATORS])


@blp.post("/space_resources")
@blp.arguments(schemas.NewSpaceResourceBody)
@blp.response(200, enveloped(schemas.SpaceResourceSchema))
def create_space_resource(body: dict[str, Any]) -> dict[str, Any]:
    """Offer something new to run on; for site administrators."""
    with unit_of_work(current_context()) as work:
        sku = service.create_sku(
            work,
            actor=current_actor(),
            name=body["name"],
            resources=_parse(body["resources"]),
            cluster_id=body["cluster_id"],
            scenarios=body["scenarios"],
        )
        return ok(sku_view(sku))


@blp.put(f"/space_resources/<{ROW_ID}:resource_id>")
@blp.arguments(schemas.UpdateSpaceResourceBody)
@blp.response(200, enveloped(schemas.SpaceResourceSchema))
def update_space_resource(body: dict[str, Any], resource_id: int) -> dict[str, Any]:
    """Change it; what runs on it keeps what it has. For site administrators."""
    resources = None if body["resources"] is None else _parse(body["resources"])
    with unit_of_work(current_context()) as work:
        sku = service.update_sku(
            work,
            actor=current_actor(),
            sku_id=resource_id,
            name=body["name"],
            resources=resources,
            scenarios=body["scenarios"],
        )
        return ok(sku_view(sku))


@blp.delete(f"/space_resources/<{ROW_ID}:resource_id>")
@blp.response(200, enveloped())
def delete_space_resource(resource_id: int) -> dict[str, Any]:
    """Offer it no more; what runs on it goes on. For site administrators."""
    with unit_of_work(current_context()) as work:
        service.delete_sku(work, actor=current_actor(), sku_id=resource_id)
    return ok()


def _parse(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Invalid("resources must be a JSON object.", code="invalid_hardware")
    return found


def sku_view(sku: Sku) -> dict[str, Any]:
    """What is offered, without whether there is room for it."""
    hardware = parse_hardware(sku.resources)
    return {
        "id": sku.id,
        "name": sku.name,
        "cluster_id": sku.cluster_id,
        "cluster_region": sku.cluster_id,
        "resources": json.dumps(sku.resources),
        "type": hardware.type,
        "hardware_model": hardware.model,
        "pay_mode": "free",
        "price": 0,
        "price_unit": "",
        "price_unit_type": "",
        "price_undefined": False,
        "is_reserved": False,
        "order_detail_id": 0,
        "scenarios": names_of(sku.scenarios),
    }


def offer_view(offer: service.Offer) -> dict[str, Any]:
    """What is offered, and where there is room for it."""
    statuses = [
        {"available": reason == "ok", "node_name": name, "reason": reason} for name, reason in offer.reasons.items()
    ]
    return sku_view(offer.sku) | {"is_available": offer.is_available, "available_status_list": statuses}
