"""Folders of a repository, the search for a file, and addresses that lead to them."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from flask import Blueprint, Response, redirect, request
from flask_babel import gettext
from werkzeug.wrappers import Response as AnyResponse

from hub.accounts.service.namespaces import find_namespace
from hub.base.errors import NotFound, Unavailable
from hub.db.uow import reading
from hub.git.types import EntryKind
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.repos import comparison, contents
from hub.repos.kinds import RepositoryKind
from hub.web.folders import find_paths, icon_of, read_facts, read_folder, read_readme
from hub.web.pages import render_page, wants_part
from hub.web.places import Place, find_place, list_ref_names, render_nowhere, suggest_branch, words_behind
from hub.web.repository import RepositoryPage, open_page, render_repository_page
from hub.web.routing import REPOSITORY, quote_revision, repository_url

blueprint = Blueprint("files", __name__)


@blueprint.get(f"{REPOSITORY}/tree", defaults={"rest": ""}, endpoint="tree_root")
@blueprint.get(f"{REPOSITORY}/tree/<path:rest>")
def show_tree(kind: RepositoryKind, namespace: str, name: str, rest: str) -> AnyResponse:
    """Hugging Face's address of a folder leads to ours."""
    repo = open_page(kind, namespace, name, tab="files")
    return redirect(_url_of_words(repo, words_behind(kind)), 302)


def _url_of_words(repo: RepositoryPage, words: list[str]) -> str:
    """The page of files at an address as it was sent: what was one word stays one."""
    revision, *path = words or [""]
    return repo.url("files", "/".join(path), revision=revision)


@blueprint.get('/<apart_pages:kind>/<namespace>/<name>/<any("raw", "resolve"):page>/<path:rest>')
def send_bytes(kind: RepositoryKind, namespace: str, name: str, page: str, rest: str) -> AnyResponse:
    """A file's bytes are served below the kind's own word; of kinds whose pages lie elsewhere this leads there."""
    words = "/".join(quote_revision(word) for word in words_behind(kind))
    query = request.query_string.decode("ascii", "replace")
    place = f"/{kind.segments[0]}/{quote(namespace)}/{quote(name)}/{page}/{words}"
    return redirect(f"{place}?{query}" if query else place, 302)


@blueprint.get(f"{REPOSITORY}/files", defaults={"rest": ""})
@blueprint.get(f"{REPOSITORY}/files/<path:rest>")
def show_files(kind: RepositoryKind, namespace: str, name: str, rest: str) -> AnyResponse:
    """A folder. Parts: "facts" (last commits and checks of the rows), "counts", "find" (files by their names)."""
    repo = open_page(kind, namespace, name, tab="files")
    try:
        place = find_place(repo)
        if place.entry is None and place.path:
            raise NotFound("There is nothing at this path in this revision.", code="entry_not_found")
    except NotFound as error:
        if error.code not in ("revision_not_found", "entry_not_found"):
            raise
        return render_nowhere(repo, error, page="F1", tab_page="files")
    if place.entry is not None and place.entry.kind is not EntryKind.DIRECTORY:
        return redirect(repo.url("blob", place.path, revision=place.revision), 302)
    part = request.args.get("part", "") if wants_part() else ""
    if part == "counts":
        return _show_counts(repo, place)
    if part == "find" or request.args.get("find"):
        return _show_found(repo, place)
    return _show_folder(repo, place, part)


def _show_folder(repo: RepositoryPage, place: Place, part: str) -> Response:
    context, actor = current_context(), current_actor()
    page = read_folder(context, repo.shown, place, request.args.get("cursor") or None)
    if part == "facts":
        facts, newest = read_facts(context, repo.shown, actor=actor, place=place, page=page)
        return render_page("files/_facts.html", repo=repo, place=place, facts=facts, newest=newest)
    values: dict[str, Any] = {
        "place": place,
        "listing": page,
        "icon_of": icon_of,
        "directory": EntryKind.DIRECTORY,
        "submodule": EntryKind.SUBMODULE,
    }
    if part == "rows":
        return render_page("files/_rows.html", repo=repo, **values)
    return render_repository_page(
        "files/folder.html",
        repo,
        page="F1",
        state="ready" if page.entries else "empty",
        refs=list_ref_names(repo.shown),
        branch=place.revision,
        suggested_branch=suggest_branch(),
        latest=comparison.read_last_commit(context, repo.shown, place.commit_id) if not place.path else None,
        readme=read_readme(context, repo, actor=actor, place=place, page=page),
        **values,
    )


def _show_counts(repo: RepositoryPage, place: Place) -> Response:
    try:
        counts = contents.count_history(current_context(), repo.shown, place.commit_id)
    except Unavailable:
        # A history that long is not counted while somebody waits.
        counts = None
    return render_page("files/_counts.html", repo=repo, place=place, counts=counts)


def _show_found(repo: RepositoryPage, place: Place) -> Response:
    words = request.args.get("find", "")[:200]
    found = find_paths(current_context(), repo.shown, commit_id=place.commit_id, words=words) if words.strip() else []
    if wants_part():
        return render_page("files/_found.html", repo=repo, place=place, found=found, words=words)
    return render_repository_page(
        "files/find.html", repo, page="F1", state="ready" if found else "empty", place=place, found=found, words=words
    )


@blueprint.get("/<owner:namespace>/<name>")
def lead_to_model(namespace: str, name: str) -> AnyResponse:
    """Hugging Face's address of a model leads to its page, below any namespace that there is."""
    with reading(current_context()) as work:
        if find_namespace(work, namespace) is None:
            raise NotFound(gettext("There is no such page."))
    query = f"?{request.query_string.decode('ascii', 'replace')}" if request.query_string else ""
    return redirect(f"{repository_url(current_context(), 'model', f'{namespace}/{name}')}{query}", 302)
