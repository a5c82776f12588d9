"""REST of engines. Routes: compute contract, section 1.7; CSGHub contract, sections 4.3 and 4.8."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from hub.plugin import Actor
from hub.plugin.api import (
    PREFIX,
    Address,
    RepositoryBlueprint,
    current_actor,
    current_context,
    enveloped,
    ok,
    page_args,
    paged,
)
from hub.plugin.db import reading, unit_of_work
from hub.plugin.errors import NotFound, NotSignedIn
from hub.plugin.repos import Repository
from plugins.inference.engines import frameworks as service
from plugins.inference.engines import matching, schemas
from plugins.inference.engines.engine import Declaration, EngineArg
from plugins.inference.engines.frameworks import FrameworkForm
from plugins.inference.engines.matching import Match
from plugins.inference.engines.models import RuntimeFramework
from plugins.inference.engines.registry import list_declarations

blp = RepositoryBlueprint("inference_api_engines", __name__, url_prefix=PREFIX, description="Engines of inference")

_ENGINES = "/runtime_framework"
_ID = f"<int(min=1, max={2**63 - 1}):framework_id>"
_ARCHS = f"{_ENGINES}/{_ID}/architecture"


def _signed_in() -> Actor:
    actor = current_actor()
    if actor.is_anonymous:
        raise NotSignedIn("Sign in, or send an access token, to see the engines.")
    return actor


def _form(body: Mapping[str, Any]) -> FrameworkForm:
    return FrameworkForm(
        engine=body["frame_name"],
        image=body["frame_image"],
        version=body["frame_version"],
        compute_type=body["compute_type"],
        driver_version=body["driver_version"],
        container_port=body["container_port"],
        description=body["description"],
        is_enabled=bool(body["enabled"]),
        deploy_type=body["type"],
    )


def _args_text(declared: Declaration | None) -> str:
    return json.dumps([_argument_view(argument) for argument in declared.args] if declared else [])


def _argument_view(argument: EngineArg) -> dict[str, Any]:
    view = {name: getattr(argument, name) for name in ("name", "value", "format", "help")}
    return view | {"type": argument.type.value, "choices": [*argument.choices], "local": argument.is_local}


def _views(found: Sequence[RuntimeFramework]) -> list[dict[str, Any]]:
    arguments = {declared.name: _args_text(declared) for declared in list_declarations()}
    return [
        {
            "id": each.id,
            "frame_name": each.engine,
            "frame_version": each.version,
            "frame_image": each.image,
            "enabled": int(each.is_enabled),
            "container_port": each.container_port,
            "type": each.deploy_type,
            "engine_args": arguments.get(each.engine, "[]"),
            "compute_type": each.compute_type,
            "driver_version": each.driver_version,
            "description": each.description,
            "is_catalogued": each.is_catalogued,
            "created_at": each.created_at,
            "updated_at": each.updated_at,
        }
        for each in found
    ]


def _match_view(match: Match) -> dict[str, Any]:
    return {
        "frame_name": match.name,
        "title": match.engine.declare().title,
        "compute_types": [*dict.fromkeys(each.compute_type for each in match.frameworks)],
        "versions": _views(match.frameworks),
        "is_fit": match.is_fit,
        "reason": match.reason,
        "local_reason": match.local_reason,
    }


# Of a model.


def _model(address: Address) -> Repository:
    """The model that a request names. Raises NotFound, also for another kind of repository."""
    if address.kind.name != matching.MODEL:
        raise NotFound("Engines serve models only.", code="not_a_model")
    return address.get()


def _matches(address: Address, deploy_type: int) -> list[Match]:
    context = current_context()
    facts = matching.read_facts(context, _model(address))
    return matching.find_engines(context, facts, deploy_type=deploy_type)


@blp.at("/runtime_framework")
@blp.arguments(schemas.EnginesQuery, location="query")
@blp.response(200, enveloped(schemas.FrameworkSchema, many=True))
def list_for_model(query: dict[str, Any], address: Address) -> dict[str, Any]:
    """The images of engines that serve a model."""
    found = [each for match in _matches(address, query["deploy_type"]) for each in match.frameworks]
    return ok(_views(found), total=len(found))


@blp.at("/runtime_framework_v2")
@blp.arguments(schemas.MatchesQuery, location="query")
@blp.response(200, enveloped(schemas.EngineSchema, many=True))
def list_engines_for_model(query: dict[str, Any], address: Address) -> dict[str, Any]:
    """The engines that serve a model, each with its images; with ``all``, why the others do not."""
    matches = _matches(address, query["deploy_type"])
    shown = [_match_view(match) for match in matches if match.is_fit or query["all"]]
    return ok(shown, total=len(shown))


@blp.get("/<collection:kind>/runtime_framework")
@blp.arguments(schemas.EnginesQuery, location="query")
@blp.response(200, enveloped(schemas.FrameworkSchema, many=True))
def list_for_models(query: dict[str, Any], kind: Any) -> dict[str, Any]:
    """The images of engines that serve models."""
    _signed_in()
    if kind.name != matching.MODEL:
        raise NotFound("Engines serve models only.", code="not_a_model")
    return _list(query["deploy_type"], with_disabled=False)


@blp.post(f"{_ENGINES}/<namespace>/<name>/scan")
@blp.response(200, enveloped(schemas.EngineSchema, many=True))
def scan_model(namespace: str, name: str) -> dict[str, Any]:
    """Read a model's files anew, and say which engines serve it. For those who may write to it."""
    repository = matching.require_scan(current_context(), current_actor(), f"{namespace}/{name}")
    shown = [_match_view(match) for match in matching.scan_model(current_context(), repository) if match.is_fit]
    return ok(shown, total=len(shown))


# Of the site.


def _list(deploy_type: int, *, with_disabled: bool) -> dict[str, Any]:
    context = current_context()
    service.take_over_catalogue(context)
    with reading(context) as work:
        found = service.list_frameworks(work, deploy_type=deploy_type, with_disabled=with_disabled)
    return ok(_views(found), total=len(found))


@blp.get(_ENGINES)
@blp.arguments(schemas.EnginesQuery, location="query")
@blp.response(200, enveloped(schemas.FrameworkSchema, many=True))
def list_frameworks(query: dict[str, Any]) -> dict[str, Any]:
    """All images of engines; administrators see those that are switched off, too."""
    return _list(query["deploy_type"], with_disabled=_signed_in().is_admin)


@blp.post(_ENGINES)
@blp.arguments(schemas.FrameworkBody)
@blp.response(200, enveloped(schemas.FrameworkSchema))
def create_framework(body: dict[str, Any]) -> dict[str, Any]:
    """Offer one more image of an engine."""
    with unit_of_work(current_context()) as work:
        return ok(_views([service.create_framework(work, actor=current_actor(), form=_form(body))])[0])


@blp.put(f"{_ENGINES}/{_ID}")
@blp.arguments(schemas.FrameworkBody)
@blp.response(200, enveloped(schemas.FrameworkSchema))
def change_framework(body: dict[str, Any], framework_id: int) -> dict[str, Any]:
    """Change an image of an engine, or switch it off. All of it: what is not named gets its default."""
    with unit_of_work(current_context()) as work:
        changed = service.change_framework(work, actor=current_actor(), framework_id=framework_id, form=_form(body))
        return ok(_views([changed])[0])


@blp.delete(f"{_ENGINES}/{_ID}")
@blp.response(200, enveloped())
def delete_framework(framework_id: int) -> dict[str, Any]:
    """Offer an image of an engine no more; what runs goes on."""
    with unit_of_work(current_context()) as work:
        service.delete_framework(work, actor=current_actor(), framework_id=framework_id)
    return ok()


@blp.get(f"{_ENGINES}/models")
@blp.arguments(schemas.ModelsQuery, location="query")
@blp.response(200, enveloped(schemas.ServedModelSchema, paged=True))
def list_models(query: dict[str, Any]) -> dict[str, Any]:
    """The models that some engine serves, of those that the caller may read."""
    with reading(current_context()) as work:
        page = matching.list_served(work, actor=_signed_in(), search=query["search"], page=page_args())
        return paged([_served_view(*row) for row in page.items], page.total)


def _served_view(repository_id: int, path: str, engines: Sequence[str], scanned_at: Any) -> dict[str, Any]:
    return {"repository_id": repository_id, "path": path, "engines": engines, "scanned_at": scanned_at}


@blp.get(_ARCHS)
@blp.response(200, enveloped(schemas.ArchitecturesSchema))
def list_architectures(framework_id: int) -> dict[str, Any]:
    """The architectures that an image of an engine serves; none: it does not go by them."""
    _signed_in()
    with reading(current_context()) as work:
        return ok({"architectures": service.archs_of(service.get_framework(work, framework_id))})


@blp.put(_ARCHS)
@blp.arguments(schemas.ArchitecturesBody)
@blp.response(200, enveloped(schemas.ArchitecturesSchema))
def add_architectures(body: dict[str, Any], framework_id: int) -> dict[str, Any]:
    """Say that it serves further architectures."""
    with unit_of_work(current_context()) as work:
        framework = service.add_archs(
            work, actor=current_actor(), framework_id=framework_id, names=body["architectures"]
        )
        return ok({"architectures": service.archs_of(framework)})


@blp.delete(_ARCHS)
@blp.arguments(schemas.ArchitecturesBody)
@blp.response(200, enveloped(schemas.ArchitecturesSchema))
def remove_architectures(body: dict[str, Any], framework_id: int) -> dict[str, Any]:
    """Say that it does not serve architectures."""
    with unit_of_work(current_context()) as work:
        framework = service.remove_archs(
            work, actor=current_actor(), framework_id=framework_id, names=body["architectures"]
        )
        return ok({"architectures": service.archs_of(framework)})


@blp.post(f"{_ENGINES}/scan")
@blp.arguments(schemas.EngineScanBody)
@blp.response(200, enveloped(schemas.EngineScanSchema))
def scan_models(body: dict[str, Any]) -> dict[str, Any]:
    """Look at every model again, in the background."""
    with unit_of_work(current_context()) as work:
        job = matching.ask_to_scan(work, actor=current_actor(), is_partial=bool(body["scan_type"]))
        return ok({"job_id": job})
