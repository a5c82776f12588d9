"""The settings of a repository, for those who administer it: a page for each section."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, Response, abort, redirect, request
from flask_babel import gettext

from hub.accounts import service as accounts
from hub.accounts.policy import Actor
from hub.accounts.service import deploytokens
from hub.accounts.service.namespaces import list_namespaces_for_new
from hub.base.errors import Denied, NotFound, NotSignedIn
from hub.base.paging import PageArgs
from hub.community.service import webhooks
from hub.community.service.mergeability import METHODS, get_settings
from hub.community.service.switches import find_switches
from hub.db.uow import UnitOfWork, reading
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.repos import quotas, reports
from hub.repos.branches import list_protected_branches
from hub.repos.entries import read_refs
from hub.repos.kinds import RepositoryKind
from hub.repos.lfs.uses import SORTS, list_files
from hub.repos.lookup import get_readable
from hub.repos.service import list_requests
from hub.repos.upkeep import KEPT_EXPORTS
from hub.web.account_settings import token_ends
from hub.web.pages import render_page, wants_part
from hub.web.repository import RepositoryPage, open_page_in, render_repository_page
from hub.web.routing import REPOSITORY

blueprint = Blueprint("repository_settings", __name__)


def sections() -> dict[str, tuple[str, str]]:
    """The sections in order: their titles and icons."""
    return {
        "general": (gettext("General"), "settings"),
        "visibility": (gettext("Visibility"), "eye"),
        "transfer": (gettext("Name and owner"), "arrow-right"),
        "branches": (gettext("Branches and merging"), "git-branch"),
        "collaborators": (gettext("Collaborators"), "users"),
        "tokens": (gettext("Deploy tokens"), "key-round"),
        "webhooks": (gettext("Webhooks"), "zap"),
        "storage": (gettext("Storage"), "hard-drive"),
        "danger": (gettext("Export, archive, delete"), "triangle-alert"),
    }


@blueprint.get(f"{REPOSITORY}/settings")
def show_settings(kind: RepositoryKind, namespace: str, name: str) -> Any:
    """The first section."""
    with reading(current_context()) as work:
        _require(open_page_in(work, kind, namespace, name, tab="settings"), current_actor())
    return redirect(f"/{kind.page_path}/{namespace}/{name}/settings/general", 302)


@blueprint.get(f"{REPOSITORY}/settings/<section>")
def show_section(kind: RepositoryKind, namespace: str, name: str, section: str) -> Response:
    """One section."""
    if section not in _GATHER:
        abort(404)
    context, actor = current_context(), current_actor()
    with reading(context) as work:
        repo = open_page_in(work, kind, namespace, name, tab="settings")
        _require(repo, actor)
        values = _GATHER[section](work, repo, actor)
    if section in ("general", "branches"):
        branches, _tags = read_refs(context, repo.shown)
        values["branches"] = [branch.name for branch in branches] or [repo.shown.default_branch]
    if (name_of_report := request.args.get("report", "").removeprefix("repos.")) in values and wants_part():
        report = values[name_of_report]
        part = {"report": report, "name": f"repos.{name_of_report}", "section": section, "is_part": True}
        return render_page("repository_settings/_report.html", repo=repo, **part)
    return _render(f"{section}.html", repo, section, **values)


@blueprint.get(f"{REPOSITORY}/settings/webhooks/<uuid>")
def show_webhook(kind: RepositoryKind, namespace: str, name: str, uuid: str) -> Response:
    """A webhook and what it was sent lately."""
    actor = current_actor()
    with reading(current_context()) as work:
        repo = open_page_in(work, kind, namespace, name, tab="settings")
        _require(repo, actor)
        webhook = webhooks.get_webhook(work, actor=actor, uuid=uuid)
        if webhook.repository_id != repo.id:
            raise NotFound("There is no such webhook.", code="webhook_not_found")
        found = webhooks.list_deliveries(work, actor=actor, uuid=uuid, page=page_args())
        topics = webhooks.list_topics(work.context)
        return _render(
            "webhook.html",
            repo,
            "webhooks",
            webhook=webhook,
            deliveries=found.items,
            total=found.total,
            args=page_args(),
            topics=topics,
        )


def _require(repo: RepositoryPage, actor: Actor) -> None:
    if repo.access.can_manage:
        return
    if actor.is_anonymous:
        raise NotSignedIn(gettext("Sign in to see the settings."))
    raise Denied(gettext("Only people who administer this repository see its settings."))


def _render(template: str, repo: RepositoryPage, section: str, **values: Any) -> Response:
    return render_repository_page(
        f"repository_settings/{template}", repo, page="R9", sections=sections(), section=section, **values
    )


# What each section shows.


def _general(work: UnitOfWork, repo: RepositoryPage, actor: Actor) -> dict[str, Any]:
    return {"switches": find_switches(work, repo.id)}


def _nothing(work: UnitOfWork, repo: RepositoryPage, actor: Actor) -> dict[str, Any]:
    return {}


def _transfer(work: UnitOfWork, repo: RepositoryPage, actor: Actor) -> dict[str, Any]:
    namespaces = [found.path for found in list_namespaces_for_new(work, actor=actor)]
    return {"namespaces": [path for path in namespaces if path != repo.shown.namespace.path]}


def _branches(work: UnitOfWork, repo: RepositoryPage, actor: Actor) -> dict[str, Any]:
    return {
        "rules": list_protected_branches(work, actor=actor, repository_id=repo.id),
        "merging": get_settings(work, actor=actor, repository_id=repo.id),
        "methods": [method.value for method in METHODS],
    }


def _collaborators(work: UnitOfWork, repo: RepositoryPage, actor: Actor) -> dict[str, Any]:
    row = get_readable(work, actor=actor, repository_id=repo.id)
    grants = accounts.list_grants(work, actor=actor, resource=row, page=page_args())
    requests = []
    if repo.shown.gate:
        requests = list(list_requests(work, actor=actor, repository_id=repo.id, page=PageArgs(1, 50)).items)
    people = [
        {
            "name": grant.user.name,
            "nickname": grant.user.nickname,
            "avatar": grant.user.avatar,
            "role": grant.role.value,
        }
        for grant in grants.items
    ]
    asked = [
        {"name": each.user.name, "state": each.state.value, "created_at": each.created_at, "reason": each.reason}
        for each in requests
    ]
    return {"people": people, "total": grants.total, "args": page_args(), "requests": asked}


def _tokens(work: UnitOfWork, repo: RepositoryPage, actor: Actor) -> dict[str, Any]:
    row = get_readable(work, actor=actor, repository_id=repo.id)
    return {
        "tokens": deploytokens.list_deploy_tokens(work, actor=actor, resource=row).items,
        "scopes": [scope.value for scope in deploytokens.SCOPES],
        "ends": token_ends(work.now()),
    }


def _webhooks(work: UnitOfWork, repo: RepositoryPage, actor: Actor) -> dict[str, Any]:
    found = webhooks.list_webhooks(work, actor=actor, place=webhooks.Place(repository_id=repo.id))
    return {"webhooks": found.items, "topics": webhooks.list_topics(work.context)}


def _storage(work: UnitOfWork, repo: RepositoryPage, actor: Actor) -> dict[str, Any]:
    row = get_readable(work, actor=actor, repository_id=repo.id)
    is_unnamed, sort = request.args.get("unnamed") == "1", request.args.get("sort", "")
    found = list_files(
        work,
        actor=actor,
        repository_id=repo.id,
        unnamed=is_unnamed,
        sort=sort if sort in SORTS else "",
        page=page_args(),
    )
    return {
        "files": found.items,
        "total": found.total,
        "args": page_args(),
        "is_unnamed": is_unnamed,
        "sort": sort,
        "used": quotas.used_bytes(work, row.namespace_id),
        "quota": quotas.quota_bytes(work, row.namespace_id),
        **_reports(work, repo, actor, "survey", "collect"),
    }


def _danger(work: UnitOfWork, repo: RepositoryPage, actor: Actor) -> dict[str, Any]:
    found = _reports(work, repo, actor, "export", "check")
    made = found["export"]
    is_kept = made.data is not None and made.made_at is not None and work.now() - made.made_at < KEPT_EXPORTS
    return {"bundle": made.data["size_bytes"] if is_kept else 0, **found}


def _reports(work: UnitOfWork, repo: RepositoryPage, actor: Actor, *names: str) -> dict[str, Any]:
    return {name: reports.find_report(work, f"repos.{name}", actor=actor, repository_id=repo.id) for name in names}


_GATHER: Mapping[str, Callable[[UnitOfWork, RepositoryPage, Actor], dict[str, Any]]] = {
    "general": _general,
    "visibility": _nothing,
    "transfer": _transfer,
    "branches": _branches,
    "collaborators": _collaborators,
    "tokens": _tokens,
    "webhooks": _webhooks,
    "storage": _storage,
    "danger": _danger,
}
