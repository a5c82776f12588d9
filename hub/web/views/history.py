"""What happened in a repository: its commits, one of them, two revisions compared, who wrote each line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from hub.base.errors import Invalid, NotFound
from hub.base.paging import PageArgs
from hub.git.history import Wanted
from hub.git.types import Commit, EntryKind
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.repos import comparison, contents
from hub.repos.differences import Asked, FilesPage, list_commit_files, list_compared_files
from hub.repos.kinds import RepositoryKind
from hub.web.diffs import Diff
from hub.web.i18n import find_zone
from hub.web.pages import render_page, wants_part
from hub.web.places import find_place, list_ref_names, render_nowhere, words_behind
from hub.web.repository import RepositoryPage, open_page, render_repository_page
from hub.web.routing import REPOSITORY

blueprint = Blueprint("history", __name__)

COMMITS_PER_PAGE = 30
COMPARED_COMMITS = 100
_MISSING = ("revision_not_found", "entry_not_found")


@dataclass(frozen=True)
class Day:
    """The commits of one day, as the viewer's clock counts."""

    when: datetime
    commits: list[Commit]


def by_day(commits: Iterable[Commit]) -> list[Day]:
    """Successive commits of one day together."""
    zone = find_zone()
    grouped = groupby(commits, key=lambda commit: commit.committer.when.astimezone(zone).date())
    days = [list(group) for _, group in grouped]
    return [Day(group[0].committer.when, group) for group in days]


@blueprint.get(f"{REPOSITORY}/commits", defaults={"rest": ""})
@blueprint.get(f"{REPOSITORY}/commits/<path:rest>")
def show_commits(kind: RepositoryKind, namespace: str, name: str, rest: str) -> Response:
    """The commits of a revision, or those that touched a path, by day."""
    repo = open_page(kind, namespace, name, tab="files")
    try:
        place = find_place(repo)
        page = page_args(default=COMMITS_PER_PAGE)
        is_file = place.entry is not None and place.entry.kind is not EntryKind.DIRECTORY
        commits, has_more = contents.search_history(
            current_context(),
            repo.shown,
            commit_id=place.commit_id,
            path=place.path,
            wanted=_wanted(is_following=is_file),
            offset=page.offset,
            limit=page.per,
        )
    except NotFound as error:
        if error.code not in _MISSING:
            raise
        return render_nowhere(repo, error, page="H1", tab_page="commits")
    return render_repository_page(
        "history/commits.html",
        repo,
        page="H1",
        state="ready" if commits else "empty",
        place=place,
        days=by_day(commits),
        args=page,
        has_more=has_more,
    )


def _wanted(*, is_following: bool) -> Wanted:
    return Wanted(
        author=request.args.get("author", "").strip(),
        words=request.args.get("q", "").strip(),
        since=_day("since"),
        until=_day("until"),
        is_following=is_following,
    )


def _day(name: str) -> date | None:
    told = request.args.get(name, "")
    if not told:
        return None
    try:
        return date.fromisoformat(told)
    except ValueError:
        raise Invalid(f"'{name}' must be a date such as 2026-01-31.", code="REQ-ERR-4", query=name) from None


@blueprint.get(f"{REPOSITORY}/commit/<commit_id>")
def show_commit(kind: RepositoryKind, namespace: str, name: str, commit_id: str) -> Response:
    """One commit and what it changed."""
    repo = open_page(kind, namespace, name, tab="files")
    context = current_context()
    if wants_part() and request.args.get("part") == "refs":
        branches, tags, has_more = comparison.list_containing(
            context, repo.shown, comparison.read_last_commit(context, repo.shown, commit_id).id
        )
        return render_page("history/_refs.html", repo=repo, branches=branches, tags=tags, has_more=has_more)

    def list_files(asked: Asked) -> FilesPage:
        return list_commit_files(context, repo.shown, commit_id, actor=current_actor(), asked=asked)

    diff = Diff(repo, list_files)
    if wants_part():
        return diff.answer_part()
    commit = comparison.read_last_commit(context, repo.shown, commit_id)
    return render_repository_page("history/commit.html", repo, page="H2", commit=commit, diff=diff.open())


@blueprint.get(f"{REPOSITORY}/compare", defaults={"rest": ""})
@blueprint.get(f"{REPOSITORY}/compare/<path:rest>")
def compare(kind: RepositoryKind, namespace: str, name: str, rest: str) -> AnyResponse:
    """Two revisions: what the second has that the first has not. Without both, a choice of them."""
    repo = open_page(kind, namespace, name, tab="files")
    if "base" in request.args or "head" in request.args:
        ends = [request.args.get(end, "") or repo.shown.default_branch for end in ("base", "head")]
        return redirect(compare_url(repo, *ends), 302)
    base, dots, head = "/".join(words_behind(kind)).partition("...")
    base, head = base or repo.shown.default_branch, head if dots else ""
    names = list_ref_names(repo.shown)
    values = {"page": "H3", "base": base, "head": head, "names": names, "compare_url": compare_url}
    if not head:
        return render_repository_page("history/compare.html", repo, state="empty", **values)
    context = current_context()

    def list_files(asked: Asked) -> FilesPage:
        return list_compared_files(context, repo.shown, actor=current_actor(), base=base, head=head, asked=asked)

    diff = Diff(repo, list_files)
    if wants_part():
        return diff.answer_part()
    try:
        relation = comparison.relate(context, repo.shown, base=base, head=head, limit=COMPARED_COMMITS)
        view = diff.open()
    except NotFound as error:
        if error.code != "revision_not_found":
            raise
        response = render_repository_page("history/compare.html", repo, state="error", missing=str(error), **values)
        response.status_code = 404
        return response
    return render_repository_page(
        "history/compare.html", repo, relation=relation, days=by_day(relation.commits), diff=view, **values
    )


def compare_url(repo: RepositoryPage, base: str, head: str) -> str:
    """The address of two revisions compared; their slashes are sent as such."""
    return repo.url("compare", f"{base}...{head}")


@blueprint.get(f"{REPOSITORY}/blame/<path:rest>")
def show_blame(kind: RepositoryKind, namespace: str, name: str, rest: str) -> Response:
    """Who wrote each line of a file, a page of lines at a time."""
    from hub.web.blames import open_blame

    repo = open_page(kind, namespace, name, tab="files")
    try:
        place = find_place(repo)
        if place.entry is None:
            raise NotFound(f"There is no {place.path!r} in this revision.", code="entry_not_found")
        blame = open_blame(repo, place, PageArgs(page_args().page, comparison.MAX_BLAME_LINES))
    except NotFound as error:
        if error.code not in _MISSING:
            raise
        return render_nowhere(repo, error, page="H4", tab_page="files")
    return render_repository_page(
        "history/blame.html", repo, page="H4", state="error" if blame.reason else "ready", place=place, blame=blame
    )
