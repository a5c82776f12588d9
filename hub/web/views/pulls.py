"""A pull request's commits and changed files, and the parts of its page that ask Git."""

from __future__ import annotations

from flask import Blueprint, Response, request

from hub.base.errors import Denied, HubError, NotFound, NotSignedIn
from hub.community.models import PullRequest
from hub.community.service.pulls import find_head, list_commits, list_pull_files
from hub.community.service.reviews import list_reviewers
from hub.db.uow import reading
from hub.http.context import current_context
from hub.repos.differences import Asked, FilesPage
from hub.repos.kinds import RepositoryKind
from hub.web.diffs import Diff
from hub.web.pages import render_page, wants_part
from hub.web.pulls import read_remarks, read_standing, source_of
from hub.web.repository import render_repository_page
from hub.web.threads import ThreadPage, open_thread_in
from hub.web.views.history import by_day
from hub.web.views.threads import PULL, show_line_thread

blueprint = Blueprint("pull_pages", __name__)

MAX_COMMITS = 250


def _open(kind: RepositoryKind, namespace: str, name: str, number: int) -> tuple[ThreadPage, PullRequest]:
    with reading(current_context()) as work:
        thread = open_thread_in(work, kind, namespace, name, number)
    if thread.pull is None:
        raise NotFound("There is no such pull request.", code="pull_request_not_found")
    return thread, thread.pull


@blueprint.get(f"{PULL}/commits")
def show_commits(kind: RepositoryKind, namespace: str, name: str, pull_number: int) -> Response:
    """The commits that it proposes, or brought."""
    thread, pull = _open(kind, namespace, name, pull_number)
    context, refusal = current_context(), ""
    try:
        commits, total = list_commits(context, thread.repository, pull, actor=thread.viewer, most=MAX_COMMITS)
    except (Denied, NotSignedIn, NotFound) as error:
        commits, total, refusal = (), 0, str(error)
    return render_repository_page(
        "community/pull_commits.html",
        thread.repo,
        page="I3",
        state="ready" if commits else "empty",
        thread=thread,
        source=source_of(context, thread),
        days=by_day(commits),
        total=total,
        most=MAX_COMMITS,
        refusal=refusal,
        tab="commits",
    )


@blueprint.get(f"{PULL}/files")
def show_files(kind: RepositoryKind, namespace: str, name: str, pull_number: int) -> Response:
    """The files that it changes, with what was said about their lines."""
    thread, pull = _open(kind, namespace, name, pull_number)
    if wants_part() and request.args.get("part") == "line":
        return show_line_thread(thread)
    context = current_context()

    def list_files(asked: Asked) -> FilesPage:
        return list_pull_files(context, thread.repository, pull, actor=thread.viewer, asked=asked)

    diff = Diff(
        thread.repo,
        list_files,
        remarks=lambda paths: read_remarks(context, thread, paths),
        can_comment=thread.rights.can_speak,
    )
    if wants_part():
        return diff.answer_part()
    view, refusal = None, ""
    try:
        view = diff.open()
    except (Denied, NotSignedIn, NotFound) as error:
        refusal = str(error)
    return render_repository_page(
        "community/pull_files.html",
        thread.repo,
        page="I3",
        state="ready" if view else "error",
        thread=thread,
        source=source_of(context, thread),
        diff=view,
        head=find_head(context, thread.repository, pull),
        refusal=refusal,
        tab="files",
    )


@blueprint.get(f"{PULL}/merge")
def show_merge(kind: RepositoryKind, namespace: str, name: str, pull_number: int) -> Response:
    """The part of the page that tells what stands before a merge; it asks Git, so it comes after the page."""
    thread, pull = _open(kind, namespace, name, pull_number)
    standing = read_standing(current_context(), thread, pull)
    return render_page(
        "community/_merge.html" if wants_part() else "community/merge_alone.html",
        repo=thread.repo,
        page="I3",
        thread=thread,
        merge=standing,
        source=standing.source,
        tab="conversation",
    )


@blueprint.get(f"{PULL}/reviewers")
def show_reviewers(kind: RepositoryKind, namespace: str, name: str, pull_number: int) -> Response:
    """The part of the page that tells who reviewed it, or was asked to."""
    thread, pull = _open(kind, namespace, name, pull_number)
    try:
        found = list_reviewers(
            current_context(), actor=thread.viewer, repository=thread.repository, number=pull.discussion.number
        )
    except HubError:
        found = []
    return render_page("community/_reviewers.html", repo=thread.repo, thread=thread, reviewers=found)
