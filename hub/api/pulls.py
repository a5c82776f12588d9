"""REST of pull requests; the contract leaves them to us (CSGHub, sections 4.2 and 8).

Their commits come by the commit routes of the Hub's dialect, with ``refs/pr/<number>`` as the revision, or are those
of a branch that is there. Their comments are those of the discussion whose id they have.
"""

from __future__ import annotations

from typing import Any

from hub.api import pull_schemas as schemas
from hub.api.discussions import author_view
from hub.api.envelope import ok
from hub.base.errors import Invalid
from hub.community.models import DiscussionStatus, PullRequest
from hub.community.service import discussions, pulls, timeline
from hub.db.uow import reading, unit_of_work
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.http.routing import PREFIX, Address, RepositoryBlueprint
from hub.repos.checks import short_name
from hub.repos.comparison import unified_text
from hub.repos.proposals import proposal_ref

blp = RepositoryBlueprint("pulls", __name__, url_prefix=PREFIX, description="Pull requests")

_PULL = f"/pulls/<int(min=1, max={2**31 - 1}):pull_number>"
_IS_OPEN = {"": None, "open": True, "closed": False}


def _view(pull: PullRequest) -> dict[str, Any]:
    discussion = pull.discussion
    return {
        "id": discussion.id,
        "number": discussion.number,
        "title": discussion.title,
        "status": discussion.status.value,
        "user": author_view(discussion.user),
        "ref": proposal_ref(discussion.number),
        "base": short_name(pull.base_ref),
        "merge_commit": pull.merge_commit,
        "merged_by": pull.merged_by.name if pull.merged_by else None,
        "merged_at": pull.merged_at,
        "comment_count": discussion.comment_count,
        "created_at": discussion.created_at,
        "updated_at": discussion.updated_at,
    }


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
        return ok([_view(found[discussion.id]) for discussion in page.items], total=page.total)


@blp.at("/pulls", method="POST")
@blp.arguments(schemas.NewPullBody)
@blp.response(200, schemas.PullEnvelope)
def open_pull(body: dict[str, Any], address: Address) -> dict[str, Any]:
    """Open a pull request on a repository that one may read; its ref is there when the answer comes."""
    pull = pulls.open_pull(current_context(), actor=current_actor(), repository_id=address.get().id, **body)
    return ok(_view(pull))


@blp.at(_PULL)
@blp.arguments(schemas.PullQuery, location="query")
@blp.response(200, schemas.ShownPullEnvelope)
def show_pull(query: dict[str, Any], address: Address, pull_number: int) -> dict[str, Any]:
    """A pull request with the files that stand against a merge and, where asked for, its commits and changes."""
    context, actor, repository = current_context(), current_actor(), address.get()
    with reading(context) as work:
        pull = pulls.get_pull(work, actor=actor, repository_id=repository.id, number=pull_number)
    view = _view(pull)
    view["head"] = pulls.find_head(context, repository, pull)
    view["conflicts"] = pulls.read_conflicts(context, repository, pull)
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


@blp.at(_PULL, method="PUT")
@blp.arguments(schemas.PullBody)
@blp.response(200, schemas.PullEnvelope)
def update_pull(body: dict[str, Any], address: Address, pull_number: int) -> dict[str, Any]:
    """Give a pull request another title, close it or open it again: for its author and who may write."""
    if not body:
        raise Invalid("Say what is to change: 'title' or 'status'.", code="REQ-ERR-4")
    actor = current_actor()
    with unit_of_work(current_context()) as work:
        repository = address.load(work)
        pull = pulls.get_pull(work, actor=actor, repository_id=repository.id, number=pull_number)
        if "title" in body:
            discussions.update_discussion(work, actor=actor, discussion_id=pull.discussion_id, title=body["title"])
        if "status" in body:
            timeline.set_status(
                work, actor=actor, discussion_id=pull.discussion_id, status=DiscussionStatus(body["status"])
            )
        return ok(_view(pull))


@blp.at(f"{_PULL}/merge", method="POST")
@blp.arguments(schemas.MergeBody)
@blp.response(200, schemas.PullEnvelope)
def merge_pull(body: dict[str, Any], address: Address, pull_number: int) -> dict[str, Any]:
    """Bring a pull request into its base; 409 where both sides changed the same files, with their names."""
    pull = pulls.merge_pull(
        current_context(), actor=current_actor(), repository_id=address.get().id, number=pull_number, **body
    )
    return ok(_view(pull))
