"""REST of workloads, whatever made them; those who make some have routes of their own. Contract: compute, 1."""

from __future__ import annotations

from typing import Any

from flask import Response

from hub.accounts.service import get_namespace
from hub.api import workload_schemas as schemas
from hub.api.envelope import enveloped, ok
from hub.api.ids import ROW_ID
from hub.compute.models import Workload
from hub.compute.service import workloads as service
from hub.compute.service.polling import LOG_SPANS, find_usage, read_logs, see_workload
from hub.compute.service.starting import start_workload
from hub.compute.states import WORDS
from hub.db.uow import reading, unit_of_work
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.http.routing import PREFIX, ApiBlueprint
from hub.http.sse import Event, stream_events, stream_logs, stream_status

blp = ApiBlueprint("workloads", __name__, url_prefix=PREFIX, description="What runs")

_ONE = f"/workloads/<{ROW_ID}:workload_id>"


@blp.get("/workloads")
@blp.arguments(schemas.WorkloadsQuery, location="query")
@blp.response(200, schemas.WorkloadsEnvelope)
def list_workloads(query: dict[str, Any]) -> dict[str, Any]:
    """The workloads that the caller may see, the newest first."""
    codes = [code for code, word in WORDS.items() if word == query["status"]]
    with reading(current_context()) as work:
        namespace = get_namespace(work, query["namespace"]) if query["namespace"] else None
        found = service.list_workloads(
            work,
            actor=current_actor(),
            purpose=query["purpose"],
            kind=query["kind"],
            namespace_id=namespace.id if namespace else None,
            codes=codes,
            page=page_args(),
        )
        return ok([workload_view(one) for one in found.items], total=found.total)


@blp.get(_ONE)
@blp.response(200, schemas.WorkloadDetailEnvelope)
def show_workload(workload_id: int) -> dict[str, Any]:
    """One workload as it stands now."""
    context, actor = current_context(), current_actor()
    with reading(context) as work:
        service.get_workload(work, actor=actor, workload_id=workload_id)
    seen = see_workload(context, workload_id=workload_id)
    usage = find_usage(context, actor=actor, workload_id=workload_id)
    with reading(context) as work:
        view = workload_view(service.get_workload(work, actor=actor, workload_id=workload_id))
    return ok(view | {"status": seen.word, "usage": usage and dict(vars(usage))})


@blp.put(f"{_ONE}/start")
@blp.response(200, schemas.WorkloadEnvelope)
def start(workload_id: int) -> dict[str, Any]:
    """Start it; what is on its way or runs stays as it is."""
    workload = start_workload(current_context(), actor=current_actor(), workload_id=workload_id)
    return ok(workload_view(workload))


@blp.put(f"{_ONE}/stop")
@blp.response(200, schemas.WorkloadEnvelope)
def stop(workload_id: int) -> dict[str, Any]:
    """Stop it; it can be started again."""
    with unit_of_work(current_context()) as work:
        return ok(workload_view(service.stop_workload(work, actor=current_actor(), workload_id=workload_id)))


@blp.delete(_ONE)
@blp.response(200, enveloped())
def delete_workload(workload_id: int) -> dict[str, Any]:
    """Stop it, and forget its secrets, its logs and its files."""
    with unit_of_work(current_context()) as work:
        service.delete_workload(work, actor=current_actor(), workload_id=workload_id)
    return ok()


@blp.get(f"{_ONE}/status")
@blp.arguments(schemas.FollowQuery, location="query")
@blp.response(200, content_type="text/event-stream", description="Events 'status'")
def stream_workload_status(query: dict[str, Any], workload_id: int) -> Response:
    """How it stands, as an event; with ``follow`` again whenever that changes."""
    context = current_context()
    with reading(context) as work:
        service.get_workload(work, actor=current_actor(), workload_id=workload_id)
    if query["follow"]:
        return stream_status(context, workload_id=workload_id)
    return stream_events(iter([Event(see_workload(context, workload_id=workload_id).as_json(), "status")]))


@blp.get(f"{_ONE}/logs")
@blp.arguments(schemas.LogsQuery, location="query")
@blp.response(200, content_type="text/event-stream", description="Events 'Container', a line each")
def stream_workload_logs(query: dict[str, Any], workload_id: int) -> Response:
    """What it has printed; with ``follow`` also what it prints from now on. For those who may change it."""
    context = current_context()
    past = LOG_SPANS.get(query["since"])
    lines = read_logs(
        context,
        actor=current_actor(),
        workload_id=workload_id,
        instance=query["instance_name"],
        since=None if past is None else context.clock.now() - past,
        follow=query["follow"],
        limit=query["limit"],
    )
    return stream_logs(lines)


def workload_view(workload: Workload) -> dict[str, Any]:
    """A workload as clients read it; its environment and the values of its secrets are not in it."""
    return {
        "id": workload.id,
        "svc_name": workload.svc_name,
        "kind": workload.kind,
        "purpose": workload.purpose,
        "title": workload.title,
        "namespace": workload.namespace.path,
        "user": workload.user.name if workload.user else None,
        "status": workload.word,
        "wanted": workload.desired.value,
        "reason": workload.reason,
        "message": workload.message,
        "actual_replica": workload.actual_replicas,
        "desired_replica": workload.desired_replicas,
        "instances": workload.instances,
        "secure_level": workload.secure_level,
        "image": workload.spec["image"],
        "secrets": workload.spec["secrets"],
        "sku_id": workload.sku_id,
        "sku_name": workload.sku_name,
        "repository_id": workload.repository_id,
        "commit_id": workload.commit_id,
        "start": workload.task_number,
        "created_at": workload.created_at,
        "updated_at": workload.updated_at,
        "started_at": workload.started_at,
        "status_at": workload.status_at,
    }
