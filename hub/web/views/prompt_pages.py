"""Single prompts: one with its versions, its editor, two versions beside each other, and those of all repositories."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from flask import Blueprint, Response, request
from flask_babel import gettext

from hub.assets.records.prompt_edits import PromptFile, read_prompt
from hub.assets.records.prompt_lists import find_records, liked_prompts, list_prompts
from hub.assets.records.prompt_versions import compare_versions, list_versions
from hub.assets.records.variables import check_usage, names_of
from hub.assets.service.prompts import ROLES, TYPES, VARIABLE_TYPES, Prompt
from hub.base.errors import HubError, Invalid, NotFound, NotSignedIn
from hub.db.uow import reading
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.repos.kinds import RepositoryKind, get_kind
from hub.web import prompts
from hub.web.diffs import VIEW_COOKIE
from hub.web.pages import render_page, wants_part
from hub.web.records import read_prompt_filters
from hub.web.repository import RepositoryPage, open_page, render_repository_page
from hub.web.routing import REPOSITORY

blueprint = Blueprint("prompt_pages", __name__)

VERSIONS = 10
COMPARED = 100  # versions to choose from


@blueprint.get("/prompts/all")
def show_prompts() -> Response:
    """The prompts of all repositories whose content the viewer gets."""
    context, viewer, args = current_context(), current_actor(), page_args()
    asked = read_prompt_filters()
    with reading(context) as work:
        found = list_prompts(work, actor=viewer, page=args, **asked)
    return render_page(
        "prompts/all.html",
        page="P1",
        state="ready" if found.items else "empty",
        kind=get_kind(context, "prompt"),
        found=found,
        args=args,
        asked=asked,
        common_tags=prompts.COMMON_TAGS,
    )


def _open(kind: RepositoryKind, namespace: str, name: str) -> RepositoryPage:
    repo = open_page(kind, namespace, name, tab="card")
    if kind.name != "prompt":
        raise NotFound("There are no prompts here.", code="not_a_prompt_library")
    return repo


@blueprint.get(f"{REPOSITORY}/prompt")
def new_prompt(kind: RepositoryKind, namespace: str, name: str) -> Response:
    """The editor with nothing in it."""
    repo = _open(kind, namespace, name)
    return _edit(repo, None)


@blueprint.get(f"{REPOSITORY}/prompt/<path:path>")
def show_prompt(kind: RepositoryKind, namespace: str, name: str, path: str) -> Response:
    """One prompt of a revision (``ref``). ``mode``: "edit" or "compare"; ``part``: "versions"."""
    repo = _open(kind, namespace, name)
    mode, ref = request.args.get("mode", ""), request.args.get("ref", "")
    if mode == "compare":
        return _compare(repo, path)
    if request.args.get("part") == "versions" and wants_part():
        return render_repository_page("prompts/_versions.html", repo, path=path, **_versions(repo, path))
    file = read_prompt(current_context(), repo.shown, actor=current_actor(), path=path, revision=ref)
    if mode == "edit":
        return _edit(repo, file)
    undefined, unused = check_usage(file.prompt)
    return render_repository_page(
        "prompts/page.html",
        repo,
        page="P3",
        state="ready",
        file=file,
        path=file.path,
        prompt=file.prompt,
        ref=ref,
        rows=prompts.variable_rows(file.prompt),
        undefined=undefined,
        unused=unused,
        mark=prompts.mark_places,
        roles=prompts.role_titles(),
        **_likes(repo, file),
    )


def _likes(repo: RepositoryPage, file: PromptFile) -> dict[str, Any]:
    """How many like it, and whether the viewer does; nothing of a prompt that was not read into the lists yet."""
    with reading(current_context()) as work:
        record = find_records(work, repository_id=repo.id, paths=[file.path]).get(file.path)
        if record is None:
            return {"record": None, "is_liked": False}
        return {"record": record, "is_liked": bool(liked_prompts(work, actor=current_actor(), ids=[record.id]))}


def _versions(repo: RepositoryPage, path: str) -> dict[str, Any]:
    args = page_args(default=VERSIONS)
    found = list_versions(
        current_context(),
        repo.shown,
        path=path,
        revision=request.args.get("ref", ""),
        offset=args.offset,
        limit=args.per,
    )
    return {"found": found, "args": args}


def _edit(repo: RepositoryPage, file: PromptFile | None) -> Response:
    if current_actor().is_anonymous:
        raise NotSignedIn(gettext("Sign in to write a prompt."))
    prompt = file.prompt if file else Prompt("", "")
    return render_repository_page(
        "prompts/edit.html",
        repo,
        page="P4",
        state="ready",
        file=file,
        prompt=prompt,
        is_of_messages=prompts.is_of_messages(prompt),
        as_json=prompts.as_json,
        types=TYPES,
        variable_types=VARIABLE_TYPES,
        roles=prompts.role_titles(),
        role_names=ROLES,
        names=names_of(prompt),
        common_tags=prompts.COMMON_TAGS,
        record_api=f"{repo.api}/prompt/record" + (f"/{quote(file.path)}" if file else ""),
    )


def _compare(repo: RepositoryPage, path: str) -> Response:
    """Two versions: ``a``, which came before, and ``b``; without them, the newest and the one before it."""
    context, actor = current_context(), current_actor()
    history = list_versions(context, repo.shown, path=path, offset=0, limit=COMPARED)
    ids = [version.commit.id for version in history.items]
    b = request.args.get("b", "") or next(iter(ids), "")
    before = ids[ids.index(b) + 1 :] if b in ids else ids
    a = request.args.get("a", "") or next(iter(before), b)
    view = request.args.get("view") or request.cookies.get(VIEW_COOKIE) or "unified"
    values: dict[str, Any] = {"fault": "", "found": None}
    try:
        found = compare_versions(context, repo.shown, actor=actor, path=path, before=a, after=b)
        values |= {
            "found": found,
            "lines": prompts.compared_lines(found, view=view),
            "changes": prompts.member_changes(found.changes),
        }
    except Invalid as error:
        values["fault"] = str(error)
    except HubError as error:
        if error.code not in ("entry_not_found", "revision_not_found", "prompt_unreadable"):
            raise
        values["fault"] = str(error)
    return render_repository_page(
        "prompts/compare.html",
        repo,
        page="P6",
        state="error" if values["fault"] else "ready",
        path=path,
        history=history,
        a=a,
        b=b,
        view="split" if view == "split" else "unified",
        **values,
    )
