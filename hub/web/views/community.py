"""Issues and pull requests of a repository: their list, their labels, new ones. One of them is in ``threads``."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, redirect, request

from hub.base.errors import Denied, Invalid, NotFound
from hub.base.names import fold_name
from hub.community.service.board import SORTS, TYPES, Wanted, list_community
from hub.community.service.labels import MAX_EACH, keys_on, list_labels
from hub.community.service.switches import find_switches
from hub.community.service.templates import read_templates
from hub.db.uow import reading
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.http.words import sent_address
from hub.repos.differences import list_compared_files
from hub.repos.kinds import RepositoryKind
from hub.repos.service import get_readable
from hub.web.community import rights_in
from hub.web.diffs import Diff
from hub.web.pages import render_page, wants_part
from hub.web.proposals import list_targets
from hub.web.repository import open_page, open_page_in, render_repository_page
from hub.web.routing import REPOSITORY

blueprint = Blueprint("community_pages", __name__)

PER_PAGE = 20
_LABELS_PER_PAGE = 30
# What a menu with the choice of labels is for.
_PURPOSES = ("filter", "thread", "new", "bulk")


def one_of(name: str, allowed: tuple[str, ...], default: str) -> str:
    """A word of the query. Raises Invalid (``REQ-ERR-6``)."""
    value = request.args.get(name, default)
    if value not in allowed:
        raise Invalid(f"'{name}' must be one of: {', '.join(word for word in allowed if word)}.", code="REQ-ERR-6")
    return value


def _wanted() -> Wanted:
    state = one_of("state", ("open", "closed", "draft", "merged", "all"), "open")
    return Wanted(
        type=one_of("type", tuple(TYPES), ""),
        state="" if state == "all" else state,
        labels=[label for label in request.args.getlist("label") if label.strip()],
        author=request.args.get("author", ""),
        assignee=request.args.get("assignee", ""),
        words=request.args.get("q", ""),
        sort=one_of("sort", SORTS, "newest"),
    )


@blueprint.get(f"{REPOSITORY}/community")
def show_list(kind: RepositoryKind, namespace: str, name: str) -> Response:
    """The issues and pull requests of a repository, those that are pinned first."""
    wanted, asked, viewer = _wanted(), page_args(default=PER_PAGE), current_actor()
    with reading(current_context()) as work:
        repo = open_page_in(work, kind, namespace, name, tab="community")
        board = list_community(work, actor=viewer, repository_id=repo.id, wanted=wanted, page=asked)
        return render_repository_page(
            "community/list.html",
            repo,
            page="I1",
            state="ready" if board.page.items else "empty",
            board=board,
            wanted=wanted,
            asked=asked,
            rights=rights_in(None, repo.shown, repo.access, viewer),
            is_filtered=bool(wanted.labels or wanted.author or wanted.assignee or wanted.words),
        )


@blueprint.get(f"{REPOSITORY}/community/labels")
def show_labels(kind: RepositoryKind, namespace: str, name: str) -> Response:
    """The labels of a repository; as a part: a menu's choices, for what ``for`` says."""
    asked, viewer = page_args(default=_LABELS_PER_PAGE), current_actor()
    words, number = request.args.get("q", ""), request.args.get("number", type=int)
    with reading(current_context()) as work:
        repo = open_page_in(work, kind, namespace, name, tab="community")
        found = list_labels(work, actor=viewer, repository_id=repo.id, words=words, page=asked)
        values: dict[str, Any] = {"repo": repo, "labels": found, "asked": asked, "words": words}
        if wants_part():
            purpose = one_of("for", _PURPOSES, "filter")
            carried = keys_on(work, repository_id=repo.id, number=number) if number else set()
            chosen = {fold_name(label) for label in request.args.getlist("label")} | carried
            values |= {"purpose": purpose, "chosen": chosen, "number": number}
            return render_page("community/_label_choices.html", most=MAX_EACH, **values)
        rights = rights_in(None, repo.shown, repo.access, viewer)
        return render_page(
            "community/labels.html", page="I1", state="ready" if found.items else "empty", rights=rights, **values
        )


@blueprint.get(f"{REPOSITORY}/community/new")
def show_new(kind: RepositoryKind, namespace: str, name: str) -> Response:
    """The form of a new issue or pull request. The query may fill it: title, body, labels; base, head and source."""
    is_pull = one_of("type", ("issue", "pr", "pull"), "issue") != "issue"
    context, viewer = current_context(), current_actor()
    with reading(context) as work:
        repo = open_page_in(work, kind, namespace, name, tab="community")
        switches = find_switches(work, repo.id)
        repository = get_readable(work, actor=viewer, repository_id=repo.id)
    if viewer.is_anonymous:
        return redirect(f"/login?{urlencode({'next': sent_address()})}", 302)  # type: ignore[return-value]
    base, head = request.args.get("base", "") or repository.default_branch, request.args.get("head", "")
    diff, fault = None, ""
    if is_pull and head and not request.args.get("source"):
        compared = Diff(
            repo,
            lambda asked: list_compared_files(context, repository, actor=viewer, base=base, head=head, asked=asked),
        )
        try:
            if wants_part():
                return compared.answer_part()
            diff = compared.open()
        except (NotFound, Denied) as error:
            fault = str(error)
    template = read_templates(context, repository, actor=viewer)
    chosen = template.pull if is_pull else template.issue
    return render_repository_page(
        "community/new_pull.html" if is_pull else "community/new_issue.html",
        repo,
        page="I3" if is_pull else "I2",
        rights=rights_in(None, repo.shown, repo.access, viewer),
        is_on=switches.pulls if is_pull else switches.issues,
        title=request.args.get("title", "")[:255],
        description=request.args.get("body", "") or (chosen.content if chosen else ""),
        form=chosen,
        targets=list_targets(context, repo, viewer) if is_pull else None,
        diff=diff,
        fault=fault,
        wanted_labels=request.args.getlist("label")[:MAX_EACH],
    )


# Addresses as Hugging Face has them.


@blueprint.get(f"{REPOSITORY}/discussions")
@blueprint.get(f"{REPOSITORY}/discussions/<int:thread_number>")
@blueprint.get(f"{REPOSITORY}/discussions/<int:thread_number>/files", defaults={"page": "files"})
def redirect_discussions(
    kind: RepositoryKind, namespace: str, name: str, thread_number: int | None = None, page: str = ""
) -> Response:
    """To the page of that number, or to the list."""
    repo = open_page(kind, namespace, name, tab="community")
    parts = [str(thread_number)] if thread_number is not None else []
    address = repo.url("community", *parts, *([page] if page else []))
    query = request.query_string.decode(errors="replace")
    return redirect(f"{address}?{query}" if query else address, 302)  # type: ignore[return-value]
