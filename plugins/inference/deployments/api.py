"""REST of deployments. Routes and shapes: CSGHub contract, 4.4 and 5.7; compute contract, 1.7, 1.8 and 3.4."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response

from hub.plugin import Actor
from hub.plugin.api import (
    CLOSED,
    PREFIX,
    Address,
    RepositoryBlueprint,
    current_actor,
    current_context,
    enveloped,
    keep_open,
    ok,
    page_args,
    paged,
)
from hub.plugin.compute import LOG_SPANS, LogLine, may_read_logs, read_logs, see_workload, stream_logs, stream_status
from hub.plugin.db import UnitOfWork, reading
from hub.plugin.errors import Denied, Invalid, NotFound, NotSignedIn
from hub.plugin.policy import User, get_namespace, require_site_admin
from plugins.inference.deployments import schemas, service, versions
from plugins.inference.deployments.forms import DeploymentForm, parse_variables
from plugins.inference.deployments.models import DEDICATED, SERVERLESS
from plugins.inference.deployments.service import Found
from plugins.inference.deployments.shares import versions_of
from plugins.inference.deployments.views import describe, describe_version
from plugins.inference.engines.rendering import parse_engine_args

blp = RepositoryBlueprint("inference_api_deployments", __name__, url_prefix=PREFIX, description="Deployments of models")

_ID = f"<int(min=1, max={2**63 - 1}):deploy_id>"
_RUN, _SERVERLESS = f"/run/{_ID}", f"/serverless/{_ID}"
_VERSIONS = f"/run/versions/{_ID}"
_EVENTS = {"content_type": "text/event-stream"}
# Of what serverless deployments may print on one page.
_LAST_LINES = 100


def _who() -> Actor:
    """The actor of the request, somebody with an account. Raises NotSignedIn."""
    actor = current_actor()
    if actor.is_anonymous:
        raise NotSignedIn("Sign in, or send an access token, to see deployments.")
    return actor


def _model(address: Address) -> str:
    """The path of the model that a request names. Raises NotFound for another kind of repository."""
    if address.kind.name != service.MODEL:
        raise NotFound("Only models are deployed here.", code="deployment_not_found")
    return address.path


def _changes(body: Mapping[str, Any]) -> dict[str, Any]:
    """The members of ``DeploymentForm`` that a body has. Raises Invalid."""
    if body.get("enable_pd"):
        raise Invalid("Prefill and decoding are not served apart here.", code="unsupported", member="enable_pd")
    named = {
        "deploy_name": "name",
        "resource_id": "resource_id",
        "runtime_framework_id": "framework_id",
        **{name: name for name in ("engine", "min_replica", "max_replica", "revision", "entrypoint")},
    }
    changes: dict[str, Any] = {ours: body[theirs] for theirs, ours in named.items() if theirs in body}
    # Clients of the platform send 0 for what they leave to it.
    left = ("framework_id", "resource_id", "engine")
    changes = {name: value for name, value in changes.items() if value or name not in left}
    if "secure_level" in body:
        changes["is_private"] = body["secure_level"] != 1
    if "engine_args" in body:
        changes["engine_args"] = parse_engine_args(body["engine_args"])
    for theirs, ours in (("env", "environment"), ("variables", "variables")):
        if theirs in body:
            changes[ours] = parse_variables(body[theirs], theirs)
    return changes


def _create(body: Mapping[str, Any], address: Address, type: int) -> dict[str, Any]:
    form = DeploymentForm(body["deploy_name"], body["resource_id"]).changed(_changes(body))
    found = service.create_deployment(
        current_context(), actor=_who(), repo_path=_model(address), form=form, owner=body["owner_namespace"], type=type
    )
    deployment, workload = found.deployment, found.workload
    return ok({"deploy_id": deployment.id, "status": "", "private": False, "svc_name": workload.svc_name})


def _look(address: Address, deploy_id: int, type: int) -> dict[str, Any]:
    """As it stands now: its driver is asked."""
    context, actor, path = current_context(), _who(), _model(address)

    def find() -> Found:
        with reading(context) as work:
            return service.get_deployment(work, actor=actor, deployment_id=deploy_id, repo_path=path, type=type)

    seen = see_workload(context, workload_id=find().workload.id)
    found = find()
    is_whole = may_read_logs(context, actor=actor, workload=found.workload)
    return ok(describe(context, found, seen=seen, is_whole=is_whole))


def _get(address: Address, deploy_id: int, type: int) -> Found:
    actor, path = _who(), _model(address)
    with reading(current_context()) as work:
        return service.get_deployment(work, actor=actor, deployment_id=deploy_id, repo_path=path, type=type)


def _status(address: Address, deploy_id: int, type: int) -> Response:
    found = _get(address, deploy_id, type)
    return stream_status(current_context(), workload_id=found.workload.id)


def _logs(query: Mapping[str, Any], address: Address, deploy_id: int, type: int) -> Response:
    context, found = current_context(), _get(address, deploy_id, type)
    past = LOG_SPANS.get(query["since"])
    instance = query["instance_name"] or query["instance"]
    with reading(context) as work:
        rows = versions_of(work, found.deployment)
    if query["commit_id"]:
        workload_id = versions.pick_version(rows, query["commit_id"]).workload.id
    else:
        named = (row.workload.id for row in rows if row.workload.svc_name == instance.rpartition("-")[0])
        workload_id = next(named, found.workload.id)
    lines = read_logs(
        context,
        actor=_who(),
        workload_id=workload_id,
        instance=instance,
        since=None if past is None else context.clock.now() - past,
        follow=True,
        limit=query["limit"],
    )
    return stream_logs(lines)


def _update(body: Mapping[str, Any], address: Address, deploy_id: int, type: int) -> dict[str, Any]:
    _get(address, deploy_id, type)
    context = current_context()
    found = service.update_deployment(
        context, actor=_who(), deployment_id=deploy_id, changes=_changes(body), repo_path=_model(address)
    )
    return ok(describe(context, found, is_whole=True))


# Dedicated


@blp.at("/run")
@blp.doc(**CLOSED)
@blp.arguments(schemas.PageQuery, location="query")
@blp.response(200, enveloped(schemas.DeploymentSchema, many=True))
def list_of_model(_query: dict[str, Any], address: Address) -> dict[str, Any]:
    """A model's deployments that the caller may see, the newest first."""
    _model(address)
    with reading(current_context()) as work:
        repository = address.load(work)
        found = service.list_deployments(work, actor=_who(), repository_id=repository.id, page=page_args())
        return _listed(found.items, found.total)


def _listed(items: Any, total: int, **members: Any) -> dict[str, Any]:
    context = current_context()
    return ok([describe(context, one) for one in items], total=total, **members)


@blp.at("/run", method="POST")
@blp.arguments(schemas.DeploymentBody)
@blp.response(200, enveloped(schemas.DeploymentMadeSchema))
def create(body: dict[str, Any], address: Address) -> dict[str, Any]:
    """Serve a model on a resource of one's own choice; it starts at once."""
    return _create(body, address, DEDICATED)


@blp.at(_RUN)
@blp.doc(**CLOSED)
@blp.response(200, enveloped(schemas.DeploymentSchema))
def show(address: Address, deploy_id: int) -> dict[str, Any]:
    """A deployment as it stands now."""
    return _look(address, deploy_id, DEDICATED)


@blp.at(_RUN, method="PUT")
@blp.arguments(schemas.DeploymentChanges)
@blp.response(200, enveloped(schemas.DeploymentSchema))
def update(body: dict[str, Any], address: Address, deploy_id: int) -> dict[str, Any]:
    """Change a deployment that is stopped."""
    return _update(body, address, deploy_id, DEDICATED)


@blp.at(_RUN, method="DELETE")
@blp.response(200, enveloped())
@keep_open
def delete(address: Address, deploy_id: int) -> dict[str, Any]:
    """Stop a deployment and forget it; what it used stays counted."""
    _get(address, deploy_id, DEDICATED)
    service.delete_deployment(current_context(), actor=_who(), deployment_id=deploy_id)
    return ok()


@blp.at(f"{_RUN}/start", method="PUT")
@blp.response(200, enveloped())
def start(address: Address, deploy_id: int) -> dict[str, Any]:
    """Start a deployment that is stopped or has failed."""
    _get(address, deploy_id, DEDICATED)
    service.start_deployment(current_context(), actor=_who(), deployment_id=deploy_id)
    return ok()


@blp.at(f"{_RUN}/stop", method="PUT")
@blp.response(200, enveloped())
@keep_open
def stop(address: Address, deploy_id: int) -> dict[str, Any]:
    """Stop a deployment; it can be started again."""
    _get(address, deploy_id, DEDICATED)
    service.stop_deployment(current_context(), actor=_who(), deployment_id=deploy_id)
    return ok()


@blp.at(f"{_RUN}/wakeup", method="PUT")
@blp.response(200, enveloped())
def wake(address: Address, deploy_id: int) -> dict[str, Any]:
    """Wake a deployment that sleeps; the answer does not wait for it."""
    _get(address, deploy_id, DEDICATED)
    service.wake_deployment(current_context(), actor=_who(), deployment_id=deploy_id)
    return ok()


@blp.at(f"{_RUN}/status")
@blp.doc(**CLOSED)
@blp.response(200, **_EVENTS, description="Events 'status'")
def stream_state(address: Address, deploy_id: int) -> Response:
    """How a deployment stands, as an event, and again whenever that changes."""
    return _status(address, deploy_id, DEDICATED)


@blp.at(f"{_RUN}/logs")
@blp.doc(**CLOSED)
@blp.arguments(schemas.LogsQuery, location="query")
@blp.response(200, **_EVENTS, description="Events 'Container', a line each")
def stream_lines(query: dict[str, Any], address: Address, deploy_id: int) -> Response:
    """What a deployment has printed, and what it prints from now on; for those who may change it."""
    return _logs(query, address, deploy_id, DEDICATED)


# Versions: commits beside each other, and the share of the calls that each answers.


@blp.at(_VERSIONS)
@blp.doc(**CLOSED)
@blp.response(200, enveloped(schemas.DeploymentVersionSchema, many=True))
def list_versions(address: Address, deploy_id: int) -> dict[str, Any]:
    """The versions that a deployment serves, as they stand now, the oldest first."""
    found = _get(address, deploy_id, DEDICATED)
    context, actor = current_context(), _who()
    is_whole = may_read_logs(context, actor=actor, workload=found.workload)
    rows = versions.list_versions(context, actor=actor, deployment_id=deploy_id)
    return ok([describe_version(row, is_whole=is_whole) for row in rows], total=len(rows))


@blp.at(_VERSIONS, method="POST")
@blp.arguments(schemas.DeploymentVersionBody)
@blp.response(200, enveloped(schemas.DeploymentVersionSchema))
def add_version(body: dict[str, Any], address: Address, deploy_id: int) -> dict[str, Any]:
    """Serve another commit beside the one that is served; it gets its share of the calls once it answers."""
    version = versions.create_version(
        current_context(),
        actor=_who(),
        deployment_id=deploy_id,
        revision=body["commit_id"],
        percent=body["traffic_percent"],
        repo_path=_model(address),
    )
    return ok(describe_version(version, is_whole=True))


@blp.at(f"{_VERSIONS}/traffic", method="PUT")
@blp.arguments(schemas.DeploymentVersionBody(many=True))
@blp.response(200, enveloped())
def divide_traffic(body: list[dict[str, Any]], address: Address, deploy_id: int) -> dict[str, Any]:
    """Divide the calls between the versions: 100 together; who is not named gets none."""
    shares = [(each["commit_id"], each["traffic_percent"]) for each in body]
    versions.divide_traffic(
        current_context(), actor=_who(), deployment_id=deploy_id, shares=shares, repo_path=_model(address)
    )
    return ok()


@blp.at(f"{_VERSIONS}/<commit_id>", method="DELETE")
@blp.response(200, enveloped())
@keep_open
def remove_version(address: Address, deploy_id: int, commit_id: str) -> dict[str, Any]:
    """Serve a version no more; its calls are the others'. The last one that answers is never taken away."""
    versions.remove_version(
        current_context(), actor=_who(), deployment_id=deploy_id, commit_id=commit_id, repo_path=_model(address)
    )
    return ok()


# Serverless


@blp.at("/serverless")
@blp.response(200, enveloped(schemas.DeploymentSchema))
def show_of_model(address: Address) -> dict[str, Any]:
    """The model's serverless deployment, which every key may call."""
    _model(address)
    context = current_context()
    with reading(context) as work:
        found = service.find_serverless(work, address.load(work))
        if found is None:
            raise NotFound("This model has no serverless deployment.", code="SERVERLESS-ERR-1")
        return ok(describe(context, found))


@blp.at("/serverless", method="POST")
@blp.arguments(schemas.DeploymentBody)
@blp.response(200, enveloped(schemas.DeploymentMadeSchema))
def create_serverless(body: dict[str, Any], address: Address) -> dict[str, Any]:
    """Serve a model to everybody, paid by the token; made again, it is the one that is there. For administrators."""
    return _create(body, address, SERVERLESS)


@blp.at("/serverless", method="DELETE")
@blp.response(200, enveloped())
@keep_open
def delete_serverless(address: Address) -> dict[str, Any]:
    """Serve the model to everybody no more. For administrators."""
    path, actor, context = _model(address), _who(), current_context()
    with reading(context) as work:
        require_site_admin(work, actor)
        found = service.find_serverless(work, address.load(work))
    if found is None:
        raise NotFound("This model has no serverless deployment.", code="SERVERLESS-ERR-1")
    service.delete_deployment(context, actor=actor, deployment_id=found.deployment.id, repo_path=path)
    return ok()


def _require_admin() -> Actor:
    actor = _who()
    with reading(current_context()) as work:
        require_site_admin(work, actor)
    return actor


@blp.at(_SERVERLESS)
@blp.doc(**CLOSED)
@blp.response(200, enveloped(schemas.DeploymentSchema))
def show_serverless(address: Address, deploy_id: int) -> dict[str, Any]:
    """A serverless deployment as it stands now. For administrators."""
    _require_admin()
    return _look(address, deploy_id, SERVERLESS)


@blp.at(_SERVERLESS, method="PUT")
@blp.arguments(schemas.DeploymentChanges)
@blp.response(200, enveloped(schemas.DeploymentSchema))
def update_serverless(body: dict[str, Any], address: Address, deploy_id: int) -> dict[str, Any]:
    """Change a serverless deployment that is stopped. For administrators."""
    _require_admin()
    return _update(body, address, deploy_id, SERVERLESS)


@blp.at(f"{_SERVERLESS}/start", method="PUT")
@blp.response(200, enveloped())
def start_serverless(address: Address, deploy_id: int) -> dict[str, Any]:
    """Start a serverless deployment. For administrators."""
    actor = _require_admin()
    _get(address, deploy_id, SERVERLESS)
    service.start_deployment(current_context(), actor=actor, deployment_id=deploy_id)
    return ok()


@blp.at(f"{_SERVERLESS}/stop", method="PUT")
@blp.response(200, enveloped())
@keep_open
def stop_serverless(address: Address, deploy_id: int) -> dict[str, Any]:
    """Stop a serverless deployment. For administrators."""
    actor = _require_admin()
    _get(address, deploy_id, SERVERLESS)
    service.stop_deployment(current_context(), actor=actor, deployment_id=deploy_id)
    return ok()


@blp.at(f"{_SERVERLESS}/status")
@blp.doc(**CLOSED)
@blp.response(200, **_EVENTS, description="Events 'status'")
def stream_serverless_state(address: Address, deploy_id: int) -> Response:
    """How a serverless deployment stands, as an event, and again whenever that changes. For administrators."""
    _require_admin()
    return _status(address, deploy_id, SERVERLESS)


@blp.at(f"{_SERVERLESS}/logs")
@blp.doc(**CLOSED)
@blp.arguments(schemas.LogsQuery, location="query")
@blp.response(200, **_EVENTS, description="Events 'Container', a line each")
def stream_serverless_lines(query: dict[str, Any], address: Address, deploy_id: int) -> Response:
    """What a serverless deployment has printed, and what it prints from now on. For administrators."""
    _require_admin()
    return _logs(query, address, deploy_id, SERVERLESS)


@blp.at(f"{_SERVERLESS}/logs/last")
@blp.doc(**CLOSED)
@blp.response(200, enveloped(schemas.DeploymentLinesSchema))
def show_last_lines(address: Address, deploy_id: int) -> dict[str, Any]:
    """The last lines that a serverless deployment has printed. For administrators."""
    actor, context = _require_admin(), current_context()
    found = _get(address, deploy_id, SERVERLESS)
    lines = read_logs(context, actor=actor, workload_id=found.workload.id, limit=_LAST_LINES)
    return ok({"lines": [line.text for line in lines if isinstance(line, LogLine)]})


@blp.at(f"{_SERVERLESS}/versions/<commit_id>")
@blp.doc(**CLOSED)
@blp.response(200, enveloped(schemas.DeploymentVersionSchema))
def show_serverless_version(address: Address, deploy_id: int, commit_id: str) -> dict[str, Any]:
    """The revision that a serverless deployment serves. For administrators."""
    actor = _require_admin()
    _get(address, deploy_id, SERVERLESS)
    rows = versions.list_versions(current_context(), actor=actor, deployment_id=deploy_id)
    return ok(describe_version(versions.pick_version(rows, commit_id), is_whole=True))


# Lists of people and organisations


def _own(work: UnitOfWork, username: str) -> User:
    """Whose list is asked for: one's own, or anybody's for administrators. Raises NotSignedIn, Denied, NotFound."""
    actor = _who()
    user = get_namespace(work, username).user
    if user is None or (actor.user_id != user.id and not actor.is_admin):
        raise Denied("These are somebody else's deployments.")
    return user


@blp.get("/user/<username>/run/serverless")
@blp.doc(**CLOSED)
@blp.arguments(schemas.ServerlessQuery, location="query")
@blp.response(200, enveloped(schemas.DeploymentSchema, many=True))
def list_serverless(query: dict[str, Any], username: str) -> dict[str, Any]:
    """All serverless deployments, the newest first. For administrators."""
    actor = _require_admin()
    codes = [int(code) for code in query["status"].split(",") if code]
    with reading(current_context()) as work:
        _own(work, username)
        found = service.list_deployments(
            work, actor=actor, type=SERVERLESS, codes=codes, search=query["search"], page=page_args()
        )
        return _listed(found.items, found.total, message="OK")


@blp.get("/user/<username>/run/<any(model, space):repo_type>")
@blp.doc(**CLOSED)
@blp.arguments(schemas.OwnQuery, location="query")
@blp.response(200, enveloped(schemas.DeploymentSchema, many=True))
def list_of_user(query: dict[str, Any], username: str, repo_type: str) -> dict[str, Any]:
    """The caller's own deployments, the newest first: those that they made, and those of their namespace."""
    with reading(current_context()) as work:
        user = _own(work, username)
        if repo_type != service.MODEL:
            return ok([], message="OK")
        found = service.list_deployments(
            work,
            actor=_who(),
            type=query["deploy_type"],
            namespace_id=user.namespace_id,
            user_id=user.id,
            page=page_args(),
        )
        return _listed(found.items, found.total, message="OK")


@blp.get("/organization/<namespace>/run/<any(model, space):repo_type>")
@blp.doc(**CLOSED)
@blp.arguments(schemas.OwnQuery, location="query")
@blp.response(200, enveloped(schemas.DeploymentSchema, paged=True))
def list_of_organization(query: dict[str, Any], namespace: str, repo_type: str) -> dict[str, Any]:
    """An organisation's deployments that the caller may see, the newest first."""
    context = current_context()
    with reading(context) as work:
        owner = get_namespace(work, namespace)
        if repo_type != service.MODEL:
            return paged([], 0)
        found = service.list_deployments(
            work, actor=_who(), type=query["deploy_type"], namespace_id=owner.id, page=page_args()
        )
        return paged([describe(context, one) for one in found.items], found.total)
