"""The first page of a repository: its card, what is known of it, and the dialogs that lead from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, Response, abort, request

from hub.accounts.policy import Actor
from hub.accounts.service.namespaces import list_namespaces_for_new
from hub.assets.service import list_likers
from hub.assets.service.cardtext import CardText, read_card_text
from hub.assets.service.collections import list_collections
from hub.base.errors import HubError, NotSignedIn
from hub.base.paging import PageArgs
from hub.db.uow import UnitOfWork, reading
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.repos.contents import measure_files
from hub.repos.downloads import list_days
from hub.repos.kinds import KINDS, RepositoryKind
from hub.repos.lfs.sources import find_transfer
from hub.repos.lookup import get_readable
from hub.repos.service import find_own_request
from hub.web import card_page, snippets
from hub.web.pages import render_page, wants_part
from hub.web.records import read_record
from hub.web.repository import RepositoryPage, open_page, open_page_in, render_repository_page
from hub.web.routing import REPOSITORY

blueprint = Blueprint("card", __name__)

MAX_COLLECTIONS_OFFERED = 50
MAX_PATTERN_CHARS = 200


@blueprint.get(REPOSITORY)
@blueprint.get(f"{REPOSITORY}/card", endpoint="show_card_tab")
def show_card(kind: RepositoryKind, namespace: str, name: str) -> Response:
    """The card. ``part``: one of ``PARTS``, which comes alone when a page asks for it, and else with the page."""
    context, actor = current_context(), current_actor()
    part = request.args.get("part", "")
    if part and part not in PARTS:
        abort(404)
    tab = "card" if request.path.endswith("/card") else kind.tabs[0].name
    if part and wants_part():
        repo = open_page(kind, namespace, name, tab=tab)
        return render_page(f"card/{part}.html", repo=repo, **PARTS[part](repo, actor))
    with reading(context) as work:
        repo = open_page_in(work, kind, namespace, name, tab=tab)
        days = list_days(work, repository_ids=[repo.id], days=card_page.DAYS)[repo.id]
        values: dict[str, Any] = {
            "model": card_page.find_model(work, repo),
            "source": card_page.find_fork_source(work, repo, actor=actor),
            "own_request": _own_request(work, repo, actor),
        }
    values |= read_record(context, repo, actor=actor)
    card = card_page.read_card(context, repo, actor=actor, language=request.args.get("lang", ""))
    if part:
        values |= PARTS[part](repo, actor)
    is_bare = card.text is not None and card.text.is_bare and not card.text.has_text
    if is_bare:
        has_xet = find_transfer(context) is not None
        values["ways"] = snippets.ways_to_fill(repo, site=context.settings.effective_base_url, has_xet=has_xet)
    return render_repository_page(
        "card/page.html",
        repo,
        page="R1",
        state="empty" if is_bare else "ready",
        card=card,
        part=part,
        days=days,
        month=sum(day.downloads for day in days),
        line=card_page.draw_downloads(days),
        language_name=card_page.language_name,
        results_in=card_page.results_in,
        **values,
    )


def _own_request(work: UnitOfWork, repo: RepositoryPage, actor: Actor) -> Any:
    if not repo.shown.gate or actor.is_anonymous:
        return None
    return find_own_request(work, actor=actor, repository_id=repo.id)


@blueprint.get(f"{REPOSITORY}/likers")
def show_likers(kind: RepositoryKind, namespace: str, name: str) -> Response:
    """Who likes the repository; told to those who are signed in."""
    actor = current_actor()
    with reading(current_context()) as work:
        repo = open_page_in(work, kind, namespace, name, tab="card")
        if actor.is_anonymous:
            raise NotSignedIn("Sign in to see who likes this.")
        row = get_readable(work, actor=actor, repository_id=repo.id)
        likers = list_likers(work, actor=actor, repository=row, page=page_args())
        return render_repository_page(
            "card/likers.html", repo, page="R1b", state="ready" if likers else "empty", likers=likers, args=page_args()
        )


# What comes after the page, or in a dialog.


def _related(repo: RepositoryPage, actor: Actor) -> dict[str, Any]:
    with reading(current_context()) as work:
        relations = card_page.find_relations(work, repo, actor=actor)
    kinds = {kind.name: kind.page_path for kind in current_context()[KINDS].values()}
    return {"relations": relations, "page_path_of": kinds.get}


def _preview(repo: RepositoryPage, actor: Actor) -> dict[str, Any]:
    preview = card_page.read_preview(current_context(), repo, actor=actor)
    return {"preview": preview, "cell_text": card_page.cell_text}


def _download(repo: RepositoryPage, actor: Actor) -> dict[str, Any]:
    context = current_context()
    pattern = request.args.get("pattern", "").strip()[:MAX_PATTERN_CHARS]
    pattern = pattern if pattern.isprintable() else ""
    revision = repo.shown.default_branch
    try:
        size_bytes: int | None = measure_files(context, repo.shown)
        names = read_card_text(context, repo.shown, actor=actor).names
    except HubError:  # nothing in it, too much to be measured, or nothing for the viewer
        size_bytes, names = None, ()
    first = next((name for name in names if "." in name.strip(".") and name != "README.md"), "README.md")
    ways = snippets.ways_to_download(
        repo,
        site=context.settings.effective_base_url,
        revision=revision,
        pattern=pattern,
        first_file=first if names else "",
    )
    return {"ways": ways, "size_bytes": size_bytes, "pattern": pattern, "revision": revision}


def _use(repo: RepositoryPage, actor: Actor) -> dict[str, Any]:
    context = current_context()
    try:
        text = read_card_text(context, repo.shown, actor=actor)
    except HubError:
        text = CardText()
    with reading(context) as work:
        model = card_page.find_model(work, repo)
    gguf = model.quantizations[0]["path"] if model is not None and model.quantizations else ""
    ways = snippets.ways_to_use(
        repo,
        site=context.settings.effective_base_url,
        metadata=text.metadata,
        names=text.names,
        gguf=gguf,
    )
    return {"ways": ways}


def _collect(repo: RepositoryPage, actor: Actor) -> dict[str, Any]:
    if actor.is_anonymous:
        raise NotSignedIn("Sign in to add this to a collection.")
    with reading(current_context()) as work:
        page = PageArgs(1, MAX_COLLECTIONS_OFFERED)
        own = list_collections(work, actor=actor, owners=[actor.name], page=page).items
        holding = list_collections(work, actor=actor, owners=[actor.name], holding=[repo.id], page=page).items
    return {"collections": own, "holding": {collection.id for collection in holding}}


def _fork(repo: RepositoryPage, actor: Actor) -> dict[str, Any]:
    if actor.is_anonymous:
        raise NotSignedIn("Sign in to duplicate this.")
    with reading(current_context()) as work:
        return {"namespaces": [found.path for found in list_namespaces_for_new(work, actor=actor)]}


PARTS: Mapping[str, Callable[[RepositoryPage, Actor], dict[str, Any]]] = {
    "related": _related,
    "preview": _preview,
    "download": _download,
    "use": _use,
    "collect": _collect,
    "fork": _fork,
}
