"""Deployments: their list, a new one, and one with how it stands, what it prints, its figures and its settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Response, redirect, render_template, request, url_for
from sqlalchemy import select

from hub.plugin import Actor
from hub.plugin.compute import (
    SCENARIOS,
    WORDS,
    WORKLOAD_CREATE,
    WORKLOAD_WRITE,
    Code,
    Desired,
    Offer,
    Workload,
    find_usage,
    list_offers,
    list_tasks,
    may,
    may_read_logs,
    see_workload,
)
from hub.plugin.db import UnitOfWork, reading
from hub.plugin.errors import NotFound
from hub.plugin.policy import Member, Namespace, Organization, can, require_site_admin
from hub.plugin.repos import Repository, get_readable, require_content
from hub.plugin.web import (
    create_pages,
    current_context,
    page_args,
    render_page,
    require_viewer,
    wants_part,
)
from plugins.inference.deployments import service
from plugins.inference.deployments.causes import why
from plugins.inference.deployments.models import DEDICATED, SERVERLESS
from plugins.inference.deployments.monitor import SPANS, Watched, watch
from plugins.inference.deployments.planning import target_of
from plugins.inference.deployments.service import Found
from plugins.inference.deployments.shares import Version, versions_of
from plugins.inference.deployments.versions import list_versions
from plugins.inference.engines.engine import EngineArg, ModelFacts, Target
from plugins.inference.engines.matching import Match, explain_none, find_engines, read_facts
from plugins.inference.engines.memory import GIB, estimate_memory
from plugins.inference.gateway.deployed import model_name
from plugins.inference.web.figures import find_figures
from plugins.inference.web.snippets import ways_to_call

blueprint = create_pages("inference_web_endpoints", "plugins.inference", url_prefix="/endpoints")

_PER_PAGE = 20
_MAX_SEARCH = 255
_MAX_WATCHED = 8  # instances whose use a page shows
_ID = "<int(min=1, max=9223372036854775807):deploy_id>"
_FAILED = frozenset({Code.BUILD_FAILED, Code.DEPLOY_FAILED, Code.RUNTIME_ERROR})


@blueprint.get("")
def show_endpoints() -> Response:
    """The deployments that the viewer may see, the newest first. ``status``, ``search``, ``owner`` (me), ``type``."""
    actor, args, query = require_viewer(), page_args(default=_PER_PAGE), request.args
    is_serverless, is_mine = query.get("type") == "serverless", query.get("owner") == "me"
    chosen = {"status": query.get("status", ""), "search": query.get("search", "")[:_MAX_SEARCH]}
    with reading(current_context()) as work:
        if is_serverless:
            require_site_admin(work, actor)
        found = service.list_deployments(
            work,
            actor=actor,
            type=SERVERLESS if is_serverless else DEDICATED,
            user_id=actor.user_id if is_mine else None,
            codes=[code for code, word in WORDS.items() if word == chosen["status"]],
            search=chosen["search"],
            page=args,
        )
    values = {"found": found, "args": args, "why": why, "name_of": model_name, **_words()}
    if wants_part():
        return render_page("inference/endpoint_rows.html", **values)
    return render_page(
        "inference/endpoints.html",
        page="R0",
        state="ready" if found.items else "empty",
        chosen=chosen | {"owner": "me" if is_mine else "", "type": "serverless" if is_serverless else ""},
        statuses=list(dict.fromkeys(WORDS.values())),
        **values,
    )


def _words() -> dict[str, Any]:
    """What templates ask of a deployment."""
    return {"can_start": _can_start, "can_stop": _can_stop, "api_of": _api_of, "SERVERLESS": SERVERLESS}


def _can_start(workload: Workload) -> bool:
    return workload.desired is Desired.STOPPED or workload.state in _FAILED


def _can_stop(workload: Workload) -> bool:
    return workload.desired is Desired.RUNNING and workload.state not in _FAILED


def _api_of(found: Found) -> str:
    """The beginning of its addresses in the REST API."""
    word = "serverless" if found.deployment.type == SERVERLESS else "run"
    return f"/api/v1/models/{found.deployment.repo_path}/{word}/{found.deployment.id}"


# A new one


@blueprint.get("/new")
def new_endpoint() -> Response:
    """The form. ``model_id``: namespace/name; ``engine``: which one; ``type``: "serverless", for administrators."""
    actor, path = require_viewer(), request.args.get("model_id", "").strip("/ ")
    if not path:
        return render_page("inference/endpoint_new.html", page="R1", state="empty", model_id="", repository=None)
    context = current_context()
    with reading(context) as work:
        repository = get_readable(work, actor=actor, kind=service.MODEL, path=path)
        require_content(work, actor, repository)
        namespaces = _namespaces_of(work, actor)
        is_serverless = request.args.get("type") == "serverless"
        if is_serverless:
            require_site_admin(work, actor)
    facts = read_facts(context, repository)
    return render_page(
        "inference/endpoint_new.html",
        page="R1",
        model_id=repository.path,
        repository=repository,
        namespaces=namespaces,
        is_serverless=is_serverless,
        api=f"/api/v1/models/{repository.path}/{'serverless' if is_serverless else 'run'}",
        **_choices(repository, facts, request.args.get("engine", ""), is_serverless=is_serverless),
    )


def _choices(repository: Repository, facts: ModelFacts, engine: str, *, is_serverless: bool) -> dict[str, Any]:
    """The engines, what the chosen one may be told, and what there is to run it on."""
    context = current_context()
    is_local = target_of(context) is Target.LOCAL
    matches = find_engines(context, facts)
    usable = [match for match in matches if match.is_fit and not (is_local and match.local_reason)]
    chosen = next((match for match in usable if match.name == engine), usable[0] if usable else None)
    scenario = SCENARIOS["serverless" if is_serverless else "inference"]
    needed = estimate_memory(facts).total * GIB
    offers = list_offers(context, scenario=scenario).items
    return {
        "state": "ready" if chosen else "error",
        "facts": facts,
        "usable": usable,
        "others": [(match, _why_not(match, is_local)) for match in matches if match not in usable],
        "chosen": chosen,
        "reason": "" if chosen else explain_none(matches, facts) or _why_not(matches[0], is_local) if matches else "",
        "arguments": _arguments_of(chosen, is_local),
        "files": facts.gguf_files if chosen and "gguf" in chosen.engine.declare().model_format else (),
        "offers": offers,
        "usual_sku": next((offer.sku.id for offer in offers if _suits(offer, needed)), 0),
        "needed_bytes": int(needed),
        "is_local": is_local,
        "name": _name_of(repository.name),
    }


def _suits(offer: Offer, needed_bytes: float) -> bool:
    """Whether there is room on it, and enough memory for the model."""
    return offer.is_available and offer.hardware.resources.memory_bytes >= needed_bytes


def _why_not(match: Match, is_local: bool) -> str:
    return match.reason or (match.local_reason if is_local else "")


def _arguments_of(match: Match | None, is_local: bool) -> list[EngineArg]:
    if match is None:
        return []
    return [argument for argument in match.engine.declare().args if argument.is_local or not is_local]


def _name_of(name: str) -> str:
    """A name for a deployment of a repository: its own, as far as deployments may be called so."""
    found = name.lower()[:60].strip("-_.")
    return found if found[:1].isalpha() else f"m-{found}"


def _namespaces_of(work: UnitOfWork, actor: Actor) -> list[str]:
    """The accounts that the actor may deploy for, the own one first."""
    query = (
        select(Namespace)
        .outerjoin(Organization, Organization.namespace_id == Namespace.id)
        .outerjoin(Member, Member.organization_id == Organization.id)
        .where((Namespace.id == actor.namespace_id) | (Member.user_id == actor.user_id))
        .order_by(Namespace.id != actor.namespace_id, Namespace.path)
    )
    found = work.session.scalars(query).unique()
    return [namespace.path for namespace in found if can(work, actor, WORKLOAD_CREATE, namespace)]


# One


@blueprint.get(f"/<namespace>/<name>/{_ID}")
def show_endpoint(namespace: str, name: str, deploy_id: int) -> Response:
    """How it stands. As a part: what changes by itself."""
    return _show(namespace, name, deploy_id, "")


@blueprint.get(f"/<namespace>/<name>/{_ID}/<any('logs', 'analysis', 'versions', 'settings'):tab>")
def show_tab(namespace: str, name: str, deploy_id: int, tab: str) -> Response:
    """What it prints, its figures (``period``), its versions, or its settings. As a part: what changes by itself."""
    return _show(namespace, name, deploy_id, tab)


def _show(namespace: str, name: str, deploy_id: int, tab: str) -> Response:
    context, actor = current_context(), require_viewer()
    path = f"{namespace}/{name}"
    with reading(context) as work:
        found = service.get_deployment(work, actor=actor, deployment_id=deploy_id, repo_path=path)
    if tab == "versions" and found.deployment.type == SERVERLESS:
        raise NotFound("What is served to everybody has one version.")
    if found.deployment.repo_path != path:
        return redirect(_address(found, tab), 302)  # type: ignore[return-value]
    seen = see_workload(context, workload_id=found.workload.id)
    if tab == "versions":
        list_versions(context, actor=actor, deployment_id=deploy_id)  # as they stand now
    with reading(context) as work:
        found = service.get_deployment(work, actor=actor, deployment_id=deploy_id, repo_path=path)
        is_admins = found.deployment.type == SERVERLESS and not actor.is_admin
        values = {
            "found": found,
            "deployment": found.deployment,
            "workload": found.workload,
            "seen": seen,
            "cause": why(found.workload),
            "served_name": model_name(found.deployment),
            "may_write": may(work, actor, WORKLOAD_WRITE, found.workload) and not is_admins,
            "tab": tab,
            "here_address": _address(found, ""),
            "api": _api_of(found),
            "sleeps": seen.code == Code.SLEEPING,
            **_words(),
            **_of_tab(work, actor, found, tab),
        }
    if wants_part():
        part = "version_rows" if tab == "versions" else "state"
        return render_page(f"inference/endpoint_{part}.html", **values)
    return render_page(f"inference/endpoint_{tab or 'overview'}.html", page="R2", **values)


def _address(found: Found, tab: str) -> str:
    namespace, _, name = found.deployment.repo_path.partition("/")
    members: dict[str, Any] = {"namespace": namespace, "name": name, "deploy_id": found.deployment.id}
    if tab:
        return url_for("inference_web_endpoints.show_tab", tab=tab, **members)
    return url_for("inference_web_endpoints.show_endpoint", **members)


def _of_tab(work: UnitOfWork, actor: Actor, found: Found, tab: str) -> dict[str, Any]:
    context, workload = current_context(), found.workload
    if tab == "logs":
        return {"may_read": may_read_logs(context, actor=actor, workload=workload), **_instances_of(work, found)}
    if tab == "analysis":
        period = request.args.get("period", "1h")
        if period not in SPANS:
            raise NotFound("There is no such period.")
        if not may(work, actor, WORKLOAD_WRITE, workload):
            # What is used on an account is not everybody's to know, though everybody may call it.
            return {"figures": None}
        owner, model = workload.namespace.uuid, model_name(found.deployment)
        figures = find_figures(work, owner_uuid=owner, model=model, period=SPANS[period])
        usage = find_usage(context, actor=actor, workload_id=workload.id)
        watched = _watch_all(found, versions_of(work, found.deployment), period)
        return {"figures": figures, "period": period, "periods": list(SPANS), "usage": usage, "watched": watched}
    if tab == "versions":
        rows = versions_of(work, found.deployment)
        api = f"/api/v1/models/{found.deployment.repo_path}/run/versions/{found.deployment.id}"
        return {"versions": rows, "api_of_versions": api}
    if tab == "settings":
        spec = workload.parsed_spec
        repository = work.session.get(Repository, found.deployment.repository_id)
        return {
            "replicas": (spec.replicas_min, spec.replicas_max),
            "offers": list_offers(context, scenario=SCENARIOS["inference"]).items,
            "arguments": _arguments_for(found, repository),
        }
    ways = ways_to_call(model_name(found.deployment), found.deployment.task)
    return {"tasks": list_tasks(work, workload), "ways": ways, **_instances_of(work, found)}


def _instances_of(work: UnitOfWork, found: Found) -> dict[str, Any]:
    """The instances of all versions, each with its version; and the versions."""
    versions = versions_of(work, found.deployment)
    return {
        "versions": versions,
        "instances": [(version, one) for version in versions for one in version.workload.instances],
    }


def _watch_all(found: Found, versions: Sequence[Version], period: str) -> list[Watched]:
    """How the instances that there are fared, those of the first versions first."""
    named = [(version, one["name"]) for version in versions for one in version.workload.instances][:_MAX_WATCHED]
    watched = (watch(current_context(), found, version, name, period) for version, name in named)
    return [one for one in watched if one is not None]


def _arguments_for(found: Found, repository: Repository | None) -> list[EngineArg]:
    """What its engine may be told; nothing while nobody can say."""
    context = current_context()
    if repository is None:
        return []
    matches = find_engines(context, read_facts(context, repository, commit_id=found.workload.commit_id))
    match = next((match for match in matches if match.name == found.deployment.engine), None)
    return _arguments_of(match, target_of(context) is Target.LOCAL)


# On a model's own page


def render_deploy_button(*, viewer: Actor, repository: Any) -> str:
    """The button in a model's head."""
    if repository is None or repository.kind != service.MODEL:
        return ""
    return render_template("inference/deploy_button.html", path=repository.path, viewer=viewer)
