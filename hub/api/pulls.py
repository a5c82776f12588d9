"""REST of pull requests; the contract leaves them to us (CSGHub, sections 4.2 and 8).

Their commits come by the commit routes of the Hub's dialect, with ``refs/pr/<number>`` as the revision, or are those
of a branch that is there. Their comments are those of the discussion whose id they have. What stands before a merge,
and how one is made, is in ``merges``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response

from hub.api import pull_schemas as schemas
from hub.api.difference_schemas import ChangedFilesEnvelope, ChangedFilesQuery
from hub.api.differences import asked_for, files_answer
from hub.api.discussions import author_view
from hub.api.envelope import ok
from hub.base.errors import Invalid
from hub.community.models import DiscussionStatus, PullRequest
from hub.community.service import discussions, pulls, timeline
from hub.community.service.sources import sources_of
from hub.db.uow import reading, unit_of_work
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.http.routing import PREFIX, Address, RepositoryBlueprint
from hub.repos.checks import short_name
from hub.repos.comparison import unified_text
from hub.repos.lookup import get_readable
from hub.repos.proposals import proposal_ref

blp = RepositoryBlueprint("pulls", __name__, url_prefix=PREFIX, description="Pull requests")

PULL = f"/pulls/<int(min=1, max={2**31 - 1}):pull_number>"
_IS_OPEN = {"": None, "open": True, "closed": False}


def pull_view(pull: PullRequest, sources: Mapping[int, str] | None = None) -> dict[str, Any]:
    """A pull request as it is sent. sources: paths of repositories, by id (``sources.sources_of``)."""
    discussion = pull.discussion
    return {
        "id": discussion.id,
        "number": discussion.number,
        "title": discussion.title,
        "status": discussion.status.value,
        "user": author_view(discussion.user),
        "ref": proposal_ref(discussion.number),
        "base": short_name(pull.base_ref),
        "source": _source_view(pull, sources or {}),
        "merge_method": pull.merge_method,
        "merge_commit": pull.merge_commit,
        "merged_by": pull.merged_by.name if pull.merged_by else None,
        "merged_at": pull.merged_at,
        "comment_count": discussion.comment_count,
        "created_at": discussion.created_at,
        "updated_at": discussion.updated_at,
    }


def _source_view(pull: PullRequest, sources: Mapping[int, str]) -> dict[str, Any] | None:
    if not pull.source_ref or pull.source_repository_id is None:
        return None
    return {"repository": sources.get(pull.source_repository_id), "branch": short_name(pull.source_ref)}


def pull_answer(pull: PullRequest) -> dict[str, Any]:
    """One pull request for the request's actor."""
    with reading(current_context()) as work:
        return pull_view(pull, sources_of(work, current_actor(), [pull]))


@blp.at("/pulls")
@blp.arguments(schemas.PullsQuery, location="query")
@blp.response(200, schemas.PullsEnvelope)
def list_pulls(query: dict[str, Any], address: Address) -> dict[str, Any]:
    """The pull requests of a repository, newest first, for all who may read it."""
    with reading(current_context()) as work:
        page = discussions.list_discussions(
            work,
            actor=current_actor(),
            repository_id=address.load(work).id,
            page=page_args(),
            is_pull_request=True,
            is_open=_IS_OPEN[query["status"]],
            author=query["author"],
        )
        found = pulls.pulls_of(work, [discussion.id for discussion in page.items])
        sources = sources_of(work, current_actor(), [*found.values()])
        return ok([pull_view(found[discussion.id], sources) for discussion in page.items], total=page.total)


@blp.at("/pulls", method="POST")
@blp.arguments(schemas.NewPullBody)
@blp.response(200, schemas.PullEnvelope)
def open_pull(body: dict[str, Any], address: Address) -> dict[str, Any]:
    """Open a pull request on a repository that one may read; its ref is there when the answer comes.

    One for a branch, of the repository or of a fork of it, follows that branch while it is open.
    """
    context, actor, source = current_context(), current_actor(), body.pop("source")
    with reading(context) as work:
        repository = address.load(work)
        kind = address.kind.name
        source_id = get_readable(work, actor=actor, kind=kind, path=source).id if source else None
    pull = pulls.open_pull(context, actor=actor, repository_id=repository.id, source_id=source_id, **body)
    return ok(pull_answer(pull))


@blp.at(PULL)
@blp.arguments(schemas.PullQuery, location="query")
@blp.response(200, schemas.ShownPullEnvelope)
def show_pull(query: dict[str, Any], address: Address, pull_number: int) -> dict[str, Any]:
    """A pull request with the files that stand against a merge and, where asked for, its commits and changes."""
    context, actor, repository = current_context(), current_actor(), address.get()
    with reading(context) as work:
        pull = pulls.get_pull(work, actor=actor, repository_id=repository.id, number=pull_number)
    view = pull_answer(pull)
    view["head"] = pulls.find_head(context, repository, pull)
    view["conflicts"] = [conflict.path for conflict in pulls.read_conflicts(context, repository, pull)]
    if query["diff"]:
        changes = pulls.read_changes(context, repository, pull, actor=actor)
        view["diff"] = unified_text(changes.diff.files)
        view["commits"] = [
            {
                "id": commit.id,
                "title": commit.title,
                "author": commit.author.name,
                "created_at": commit.committer.when,
            }
            for commit in changes.commits
        ]
    return ok(view)


@blp.at(PULL, method="PUT")
@blp.arguments(schemas.PullBody)
@blp.response(200, schemas.PullEnvelope)
def update_pull(body: dict[str, Any], address: Address, pull_number: int) -> dict[str, Any]:
    """Give a pull request another title or base, make it a draft, close it or open it again: for its author and who
    may write.
    """
    if not body:
        raise Invalid("Say what is to change: 'title', 'status', 'is_draft' or 'base'.", code="REQ-ERR-4")
    context, actor = current_context(), current_actor()
    if "base" in body:
        pulls.change_base(context, actor=actor, repository_id=address.get().id, number=pull_number, base=body["base"])
    with unit_of_work(context) as work:
        repository = address.load(work)
        pull = pulls.get_pull(work, actor=actor, repository_id=repository.id, number=pull_number)
        if "title" in body:
            discussions.update_discussion(work, actor=actor, discussion_id=pull.discussion_id, title=body["title"])
        if "status" in body:
            timeline.set_status(
                work, actor=actor, discussion_id=pull.discussion_id, status=DiscussionStatus(body["status"])
            )
        if "is_draft" in body:
            pulls.set_draft(
                work, actor=actor, repository_id=repository.id, number=pull_number, is_draft=body["is_draft"]
            )
        return ok(pull_view(pull, sources_of(work, actor, [pull])))


@blp.at(f"{PULL}/files")
@blp.arguments(ChangedFilesQuery, location="query")
@blp.response(200, ChangedFilesEnvelope)
def list_pull_files(query: dict[str, Any], address: Address, pull_number: int) -> Response:
    """The files that a pull request changes since it parted from its base, 100 at a time; their lines when asked."""
    context, actor = current_context(), current_actor()
    with reading(context) as work:
        repository = address.load(work)
        pull = pulls.get_pull(work, actor=actor, repository_id=repository.id, number=pull_number)
    return files_answer(pulls.list_pull_files(context, repository, pull, actor=actor, asked=asked_for(query)))
