"""What the pages of a pull request show beside its conversation: where it stands, and remarks on its lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flask import render_template
from markupsafe import Markup

from hub.base.context import Context
from hub.base.errors import HubError
from hub.base.offload import offload
from hub.base.paging import PageArgs
from hub.community.models import PullRequest
from hub.community.service.discussions import OPEN
from hub.community.service.mergeability import Mergeability, read_mergeability
from hub.community.service.reviews_suggestions import find_suggestion
from hub.community.service.reviews_threads import Thread, list_threads
from hub.community.service.sources import may_write_source, sources_of
from hub.db.uow import reading
from hub.git.merge import MergeMethod
from hub.git.repository import find_branch
from hub.repos.checks import short_name
from hub.repos.lookup import repository_path
from hub.web.diffs import Spot
from hub.web.threads import ThreadPage, render_texts

# Conversations about the lines of a page of files that are shown there; all stand in the conversation.
MAX_SHOWN = 100


@dataclass(frozen=True)
class Source:
    """What a pull request proposes: a branch, or its own ref. repository: the path; None: gone, or not to be seen."""

    branch: str
    repository: str | None
    is_fork: bool


def source_of(context: Context, thread: ThreadPage) -> Source | None:
    """The branch that a pull request follows; None: it is committed to itself."""
    pull = thread.pull
    if pull is None or not pull.source_ref:
        return None
    is_fork = pull.source_repository_id != pull.repository_id
    if not is_fork:
        return Source(short_name(pull.source_ref), thread.repo.path, is_fork)
    with reading(context) as work:
        paths = sources_of(work, thread.viewer, [pull])
    return Source(short_name(pull.source_ref), paths.get(pull.source_repository_id or 0), is_fork)


@dataclass(frozen=True)
class Standing:
    """How a pull request stands: ``merge`` in templates.

    messages: what a merge says, by method, unless told otherwise. can_merge: the viewer may write.
    can_update: may bring the base into it. can_delete: the branch is still there, and the viewer may remove it.
    """

    found: Mergeability
    source: Source | None
    messages: Mapping[str, str]
    can_merge: bool
    can_update: bool
    can_delete: bool

    @property
    def default_method(self) -> str:
        """The method that is chosen at first: the repository's own, or else one that is possible."""
        possible = [one.method.value for one in self.found.methods if one.is_possible]
        own = self.found.settings.default_method.value
        return own if own in possible or not possible else possible[0]


def read_standing(context: Context, thread: ThreadPage, pull: PullRequest) -> Standing:
    """What stands before a merge, and what the viewer may do."""
    found = read_mergeability(context, actor=thread.viewer, repository=thread.repository, number=thread.row.number)
    source = source_of(context, thread)
    title, number = thread.row.title, thread.row.number
    merged = f"Merge pull request #{number}: {title}"
    messages = {MergeMethod.MERGE: merged, MergeMethod.AUTO: merged, MergeMethod.SQUASH: f"{title} (#{number})"}
    is_open = pull.discussion.status in OPEN
    can_source = _may_write_source(context, thread, pull)
    return Standing(
        found,
        source,
        {method.value: words for method, words in messages.items()},
        can_merge=thread.rights.can_write,
        can_update=is_open and can_source,
        can_delete=not is_open and can_source and _has_branch(context, thread, source),
    )


def _may_write_source(context: Context, thread: ThreadPage, pull: PullRequest) -> bool:
    if not pull.source_ref:
        return thread.rights.can_edit
    with reading(context) as work:
        return may_write_source(work, actor=thread.viewer, pull=pull)


def _has_branch(context: Context, thread: ThreadPage, source: Source | None) -> bool:
    if source is None or source.is_fork or source.branch == thread.repo.shown.default_branch:
        return False
    return offload(find_branch, repository_path(context.settings, thread.repo.shown), source.branch) is not None


def read_remarks(context: Context, thread: ThreadPage, paths: Sequence[str]) -> Mapping[Spot, Markup]:
    """The conversations about lines of some files, as they stand below these lines; outdated ones do not."""
    try:
        page = list_threads(
            context,
            actor=thread.viewer,
            repository=thread.repository,
            number=thread.row.number,
            paths=paths,
            page=PageArgs(per=MAX_SHOWN),
        )
    except HubError:
        return {}
    shown = [one for one in page.items if not one.is_outdated]
    render = render_texts(thread, [said.shown_content for one in shown for said in one.comments])
    found: dict[Spot, Markup] = {}
    for one in shown:
        spot = (one.row.path, one.row.side, one.row.end_line)
        found[spot] = found.get(spot, Markup("")) + _draw(thread, one, render)
    return found


def _draw(thread: ThreadPage, one: Thread, render: object) -> Markup:
    html = render_template(
        "community/_line_thread.html",
        repo=thread.repo,
        thread=thread,
        one=one,
        render=render,
        suggestion_in=find_suggestion,
        is_in_diff=True,
    )
    return Markup(html)  # noqa: S704 - a template of ours
