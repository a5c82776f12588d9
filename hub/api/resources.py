"""REST of what a space can run on: for now, the machine that the hub runs on. Contract: CSGHub, section 5.9."""

from __future__ import annotations

import json
import os
import platform
from typing import Any

from marshmallow import Schema, fields

from hub.api.envelope import enveloped, ok
from hub.http.routing import PREFIX, ApiBlueprint

blp = ApiBlueprint("resources", __name__, url_prefix=PREFIX, description="What spaces can run on")

_GIB = 1024**3


class SpaceResourcesQuery(Schema):
    deploy_type = fields.Integer(load_default=0, metadata={"description": "0 for spaces; there is no other answer yet"})
    cluster_id = fields.String(load_default="")


class SpaceResourceSchema(Schema):
    id = fields.Integer()
    name = fields.String()
    cluster_id = fields.String()
    cluster_region = fields.String()
    resources = fields.String(metadata={"description": "JSON: what there is of cpu and memory"})
    type = fields.String(metadata={"description": "cpu"})
    hardware_model = fields.String()
    pay_mode = fields.String(metadata={"description": "free"})
    price = fields.Float()
    is_available = fields.Boolean()
    is_reserved = fields.Boolean()


@blp.get("/space_resources")
@blp.arguments(SpaceResourcesQuery, location="query")
@blp.response(200, enveloped(SpaceResourceSchema, many=True))
def list_space_resources(query: dict[str, Any]) -> dict[str, Any]:
    """What a space can run on: this machine, with the processors and the memory that the hub may use.

    The CSGHub SDK asks without a credential and sends the first one's id when it makes a space.
    """
    return ok([_this_machine()], total=1)


def _this_machine() -> dict[str, Any]:
    cpus = len(os.sched_getaffinity(0))
    memory_gib = max(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // _GIB, 1)
    hardware = {"cpu": {"type": platform.machine(), "num": str(cpus)}, "memory": f"{memory_gib}Gi"}
    return {
        "id": 1,
        "name": f"This machine: {cpus} CPU, {memory_gib} GiB",
        "cluster_id": "local",
        "cluster_region": "local",
        "resources": json.dumps(hardware),
        "type": "cpu",
        "hardware_model": "CPU",
        "pay_mode": "free",
        "price": 0,
        "is_available": True,
        "is_reserved": False,
    }
