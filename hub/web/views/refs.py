"""Branches and tags: lists, what one can do to them, and the choice of one on other pages."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request

from hub.base.errors import Unavailable
from hub.base.offload import offload
from hub.base.paging import Page, PageArgs
from hub.db.uow import reading
from hub.git.repository import find_branch, find_tag
from hub.git.types import Branch, Tag
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.repos import deleted_branches
from hub.repos.branches import list_protected_branches
from hub.repos.checks import find_rule
from hub.repos.comparison import count_apart
from hub.repos.kinds import RepositoryKind
from hub.repos.lookup import repository_path
from hub.web.pages import render_page, wants_part
from hub.web.places import list_ref_names
from hub.web.repository import RepositoryPage, open_page, open_page_in, render_repository_page
from hub.web.routing import REPOSITORY

blueprint = Blueprint("refs", __name__)

REFS_PER_PAGE = 20
_OFFERED = 100
# Pages that the choice of a branch may lead to.
_TARGETS = frozenset({"files", "blob", "commits", "blame"})


def _page_of(names: list[str], args: PageArgs) -> Page[str]:
    return Page(names[args.offset : args.offset + args.per], len(names))


def _matching(names: list[str]) -> list[str]:
    words = request.args.get("q", "").strip().lower()
    return [name for name in names if words in name.lower()]


@blueprint.get(f"{REPOSITORY}/branches")
def show_branches(kind: RepositoryKind, namespace: str, name: str) -> Response:
    """The branches, the default one first; with ``deleted`` those that can be brought back.

    Parts: "picker" (the choice of one), "apart" (how far they are from the default one).
    """
    context, actor = current_context(), current_actor()
    if wants_part() and request.args.get("part") == "picker":
        return _show_picker(open_page(kind, namespace, name, tab="files"))
    if request.args.get("deleted"):
        return _show_deleted(kind, namespace, name)
    with reading(context) as work:
        repo = open_page_in(work, kind, namespace, name, tab="files")
        can_see = repo.access.can_manage or (repo.access.can_write and not repo.shown.is_frozen)
        rules = list_protected_branches(work, actor=actor, repository_id=repo.id) if can_see else []
    args = page_args(default=REFS_PER_PAGE)
    found = _page_of(_matching(list(list_ref_names(repo.shown).branches)), args)
    path = repository_path(context.settings, repo.shown)

    def read() -> list[Branch]:
        return [branch for name in found.items if (branch := find_branch(path, name)) is not None]

    shown = offload(read)
    if wants_part() and request.args.get("part") == "apart":
        try:
            apart = count_apart(context, repo.shown, [branch.target.id for branch in shown])
        except Unavailable:
            apart = {}
        return render_page("refs/_apart.html", repo=repo, branches=shown, apart=apart)
    return render_repository_page(
        "refs/branches.html",
        repo,
        page="H5",
        state="ready" if shown else "empty",
        branches=shown,
        rules={branch.name: rule for branch in shown if (rule := find_rule(rules, branch.name)) is not None},
        total=found.total,
        args=args,
    )


@blueprint.get(f"{REPOSITORY}/tags")
def show_tags(kind: RepositoryKind, namespace: str, name: str) -> Response:
    """The tags, the last by name first."""
    repo = open_page(kind, namespace, name, tab="files")
    args = page_args(default=REFS_PER_PAGE)
    found = _page_of(_matching(list(reversed(list_ref_names(repo.shown).tags))), args)
    path = repository_path(current_context().settings, repo.shown)

    def read() -> list[Tag]:
        return [tag for name in found.items if (tag := find_tag(path, name)) is not None]

    shown = offload(read)
    return render_repository_page(
        "refs/tags.html",
        repo,
        page="H6",
        state="ready" if shown else "empty",
        tags=shown,
        total=found.total,
        args=args,
    )


def _show_deleted(kind: RepositoryKind, namespace: str, name: str) -> Response:
    context, args = current_context(), page_args(default=REFS_PER_PAGE)
    with reading(context) as work:
        repo = open_page_in(work, kind, namespace, name, tab="files")
        found = deleted_branches.list_deleted(work, actor=current_actor(), repository_id=repo.id, page=args)
    return render_repository_page(
        "refs/deleted.html",
        repo,
        page="H5",
        state="ready" if found.items else "empty",
        deleted=found.items,
        commits=deleted_branches.read_commits(context, repo.shown, found.items),
        days=deleted_branches.KEPT_DAYS,
        total=found.total,
        args=args,
    )


def _show_picker(repo: RepositoryPage) -> Response:
    names = list_ref_names(repo.shown)
    branches, tags = _matching(list(names.branches)), _matching(list(names.tags))
    to = request.args.get("to", "")
    values: dict[str, Any] = {
        "branches": branches[:_OFFERED],
        "tags": tags[:_OFFERED],
        "has_more": len(branches) > _OFFERED or len(tags) > _OFFERED,
        "to": to if to in _TARGETS else "files",
        "at": request.args.get("at", ""),
        "now": request.args.get("now", ""),
    }
    return render_page("refs/_picker.html", repo=repo, **values)
