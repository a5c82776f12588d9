"""REST of how instances fare: what they use, and their calls. Routes and shapes: compute contract, 1.7 and 13.3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from marshmallow import Schema, fields, validate

from hub.plugin.api import (
    CLOSED,
    PREFIX,
    Address,
    RepositoryBlueprint,
    current_actor,
    current_context,
    enveloped,
    ok,
)
from hub.plugin.db import reading
from hub.plugin.errors import NotFound, NotSignedIn
from plugins.inference.deployments import monitor, service
from plugins.inference.deployments.models import DEDICATED, SERVERLESS
from plugins.inference.deployments.monitor import Point, Watched

blp = RepositoryBlueprint("inference_api_monitor", __name__, url_prefix=PREFIX, description="How deployments fare")

_ID = f"<int(min=1, max={2**63 - 1}):deploy_id>"
_RUN, _SERVERLESS = f"/run/{_ID}", f"/serverless/{_ID}"
_USAGE = "/<any(cpu, memory):resource>/<instance>/usage"
_COUNT, _LATENCY = "/request/<instance>/count", "/request/<instance>/latency"
_USUAL = "30m"


class MonitorQuery(Schema):
    class Meta:
        unknown = "exclude"

    last_duration = fields.String(
        load_default=_USUAL,
        validate=validate.OneOf(list(monitor.STEPS)),
        metadata={"description": "how long back", "example": _USUAL},
    )


class MonitorPointSchema(Schema):
    timestamp = fields.Integer(metadata={"description": "seconds since the epoch"})
    value = fields.String()


class MonitorSeriesSchema(Schema):
    metric = fields.Dict(keys=fields.String(), values=fields.String())
    values = fields.List(fields.Nested(MonitorPointSchema))
    value = fields.Nested(MonitorPointSchema)


class MonitorSchema(Schema):
    """As Prometheus answers: a matrix has values by the step, a vector one value for each metric."""

    result_type = fields.String(metadata={"description": "matrix or vector"})
    result = fields.List(fields.Nested(MonitorSeriesSchema))
    total_request_count = fields.Integer()


def _watch(query: Mapping[str, Any], address: Address, deploy_id: int, instance: str, type: int) -> Watched:
    actor = current_actor()
    if actor.is_anonymous:
        raise NotSignedIn("Sign in, or send an access token, to see deployments.")
    if address.kind.name != service.MODEL:
        raise NotFound("Only models are deployed here.", code="deployment_not_found")
    return monitor.watch_instance(
        current_context(),
        actor=actor,
        deployment_id=deploy_id,
        instance=instance,
        span=query["last_duration"],
        repo_path=address.path,
        type=type,
    )


def _matrix(instance: str, points: Sequence[Point]) -> dict[str, Any]:
    values = [{"timestamp": int(point.at.timestamp()), "value": f"{point.value:.6g}"} for point in points]
    return {"result_type": "matrix", "result": [{"metric": {"pod": instance}, "values": values}]}


def _usage(watched: Watched, resource: str) -> dict[str, Any]:
    return ok(_matrix(watched.instance, watched.cpu if resource == "cpu" else watched.memory))


def _count(watched: Watched) -> dict[str, Any]:
    with reading(current_context()) as work:
        total, points = monitor.count_calls(work, watched)
    return ok(_matrix(watched.instance, points) | {"total_request_count": total})


def _latency(watched: Watched) -> dict[str, Any]:
    with reading(current_context()) as work:
        found = monitor.count_latencies(work, watched)
    at = int(watched.now.timestamp())
    result = [
        {
            "metric": {"pod": watched.instance, "le": bound},
            "values": [],
            "value": {"timestamp": at, "value": str(count)},
        }
        for bound, count in found
    ]
    return ok({"result_type": "vector", "result": result})


@blp.at(f"{_RUN}{_USAGE}")
@blp.doc(**CLOSED)
@blp.arguments(MonitorQuery, location="query")
@blp.response(200, enveloped(MonitorSchema))
def show_usage(query: dict[str, Any], address: Address, deploy_id: int, resource: str, instance: str) -> dict[str, Any]:
    """What an instance used: the part of its processors, or GiB of memory, by the step."""
    return _usage(_watch(query, address, deploy_id, instance, DEDICATED), resource)


@blp.at(f"{_RUN}{_COUNT}")
@blp.doc(**CLOSED)
@blp.arguments(MonitorQuery, location="query")
@blp.response(200, enveloped(MonitorSchema))
def show_calls(query: dict[str, Any], address: Address, deploy_id: int, instance: str) -> dict[str, Any]:
    """How many calls on the owner's account an instance answered, by the step."""
    return _count(_watch(query, address, deploy_id, instance, DEDICATED))


@blp.at(f"{_RUN}{_LATENCY}")
@blp.doc(**CLOSED)
@blp.arguments(MonitorQuery, location="query")
@blp.response(200, enveloped(MonitorSchema))
def show_latencies(query: dict[str, Any], address: Address, deploy_id: int, instance: str) -> dict[str, Any]:
    """How many calls on the owner's account took so many milliseconds at most."""
    return _latency(_watch(query, address, deploy_id, instance, DEDICATED))


@blp.at(f"{_SERVERLESS}{_USAGE}")
@blp.doc(**CLOSED)
@blp.arguments(MonitorQuery, location="query")
@blp.response(200, enveloped(MonitorSchema))
def show_serverless_usage(
    query: dict[str, Any], address: Address, deploy_id: int, resource: str, instance: str
) -> dict[str, Any]:
    """What an instance of a serverless deployment used. For administrators."""
    return _usage(_watch(query, address, deploy_id, instance, SERVERLESS), resource)


@blp.at(f"{_SERVERLESS}{_COUNT}")
@blp.doc(**CLOSED)
@blp.arguments(MonitorQuery, location="query")
@blp.response(200, enveloped(MonitorSchema))
def show_serverless_calls(query: dict[str, Any], address: Address, deploy_id: int, instance: str) -> dict[str, Any]:
    """How many calls on the owner's account an instance of a serverless deployment answered. For administrators."""
    return _count(_watch(query, address, deploy_id, instance, SERVERLESS))


@blp.at(f"{_SERVERLESS}{_LATENCY}")
@blp.doc(**CLOSED)
@blp.arguments(MonitorQuery, location="query")
@blp.response(200, enveloped(MonitorSchema))
def show_serverless_latencies(query: dict[str, Any], address: Address, deploy_id: int, instance: str) -> dict[str, Any]:
    """How many calls of a serverless deployment took so many milliseconds at most. For administrators."""
    return _latency(_watch(query, address, deploy_id, instance, SERVERLESS))
