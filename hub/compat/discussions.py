"""Discussions and pull requests as huggingface_hub uses them, and branches cut down to one commit.

Source: Hugging Face contract, sections 6 and 9. Ids of events are hexadecimal; those of comments are their numbers.
"""

from __future__ import annotations

import re
from html import escape
from typing import Any

from hub.accounts.models import User
from hub.base.errors import NotFound
from hub.base.offload import offload
from hub.base.paging import PageArgs
from hub.community.models import Comment, Discussion, DiscussionEvent, DiscussionEventType, DiscussionStatus
from hub.community.service import discussions as service
from hub.community.service import merging, pulls, timeline
from hub.compat import discussion_schemas as schemas
from hub.compat.addresses import CompatBlueprint, Place, page_url
from hub.compat.views import time_text
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.git.repository import find_commits
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.words import words_from
from hub.repos import branches
from hub.repos.comparison import unified_text
from hub.repos.lookup import repository_path
from hub.repos.models import Repository

blp = CompatBlueprint("discussions", __name__, description="Discussions and pull requests of the Hub's clients")

_PER = 50
_NUM = f"<int(min=1, max={2**31 - 1}):num>"
_ID = re.compile(r"0*[0-9a-f]{1,15}\Z")
_TYPES = {"all": None, "discussion": False, "pull_request": True}
_IS_OPEN = {"all": None, "open": True, "closed": False}
# Those that the Hub's clients know.
_EVENTS = (DiscussionEventType.STATUS_CHANGE, DiscussionEventType.TITLE_CHANGE, DiscussionEventType.COMMIT)


def _author(user: User | None) -> dict[str, Any]:
    """Left out where the account is gone: the client cannot read a null."""
    return {"author": {"name": user.name}} if user else {}


def _discussion_view(discussion: Discussion, place: Place, repository: Repository) -> dict[str, Any]:
    return {
        "num": discussion.number,
        "title": discussion.title,
        "status": discussion.status.value,
        "isPullRequest": discussion.is_pull_request,
        "createdAt": time_text(discussion.created_at),
        **_author(discussion.user),
        "repo": {"name": repository.path, "type": place.kind.name},
    }


def _comment_view(comment: Comment) -> dict[str, Any]:
    latest = {
        "raw": comment.shown_content,
        "html": f"<p>{escape(comment.shown_content)}</p>",
        "updatedAt": time_text(comment.updated_at),
        **_author(comment.user),
    }
    return {
        "id": f"{comment.id:024x}",
        "type": "comment",
        "createdAt": time_text(comment.created_at),
        **_author(comment.user),
        # Former versions are not kept.
        "data": {
            "edited": comment.is_edited,
            "hidden": comment.hidden_at is not None,
            "latest": latest,
            "history": [latest],
        },
    }


def _event_view(event: DiscussionEvent, titles: dict[str, str]) -> dict[str, Any]:
    """titles: those of commits, by id."""
    data = dict(event.data)
    if event.type == DiscussionEventType.COMMIT:
        data["subject"] = titles.get(data["oid"], "")
    return {
        "id": f"e{event.id:023x}",
        "type": event.type.value,
        "createdAt": time_text(event.created_at),
        **_author(event.user),
        "data": data,
    }


def _load(work: UnitOfWork, place: Place, num: int) -> Discussion:
    repository = place.load(work)
    return service.get_numbered(work, actor=current_actor(), repository_id=repository.id, number=num)


@blp.at("/discussions")
@blp.arguments(schemas.HubDiscussionsQuery, location="query")
@blp.response(200, schemas.HubDiscussionsSchema)
def list_discussions(query: dict[str, Any], place: Place) -> dict[str, Any]:
    """A page of the discussions and pull requests of a repository, the newest first."""
    asked = PageArgs(query["p"] + 1, _PER)
    with reading(current_context()) as work:
        repository = place.load(work)
        page = service.list_discussions(
            work,
            actor=current_actor(),
            repository_id=repository.id,
            page=asked,
            is_pull_request=_TYPES[query["type"]],
            is_open=_IS_OPEN[query["status"]],
            author=query["author"],
        )
        found = [_discussion_view(discussion, place, repository) for discussion in page.items]
    return {"discussions": found, "count": page.total, "start": asked.offset}


@blp.at("/discussions", method="POST")
@blp.arguments(schemas.HubNewDiscussionBody)
@blp.response(200, schemas.HubNewDiscussionSchema)
def create_discussion(body: dict[str, Any], place: Place) -> dict[str, Any]:
    """Open a discussion, or a pull request: that is a draft, and its ref is there when the answer comes."""
    context, actor = current_context(), current_actor()
    said = {"title": body["title"], "description": body["description"]}
    if body["pullRequest"]:
        repository = place.get()
        number = pulls.open_pull(
            context, actor=actor, repository_id=repository.id, **said, is_draft=True
        ).discussion.number
    else:
        with unit_of_work(context) as work:
            repository = place.load(work)
            number = service.create_discussion(work, actor=actor, repository_id=repository.id, **said).number
    return {"num": number, "url": discussion_url(repository, place, number)}


def discussion_url(repository: Repository, place: Place, number: int) -> str:
    """The address of a discussion's or pull request's page, as clients take it apart."""
    return f"{page_url(repository.path, place.kind)}/discussions/{number}"


@blp.at(f"/discussions/{_NUM}")
@blp.arguments(schemas.HubDiscussionQuery, location="query")
@blp.response(200, schemas.HubDiscussionDetailsSchema)
def show_discussion(query: dict[str, Any], place: Place, num: int) -> dict[str, Any]:
    """A discussion with all that happened in it; of a pull request also what it changes and what stands against it."""
    context, actor = current_context(), current_actor()
    with reading(context) as work:
        repository = place.load(work)
        discussion = _load(work, place, num)
        events = timeline.list_events(work, discussion, types=_EVENTS)
        pull = pulls.find_pull(work, repository.id, num) if discussion.is_pull_request else None
    others = [event for event in events if isinstance(event, DiscussionEvent)]
    commits = [event.data["oid"] for event in others if event.type is DiscussionEventType.COMMIT]
    path = repository_path(context.settings, repository)
    titles = {commit.id: commit.title for commit in offload(find_commits, path, commits)} if commits else {}
    view = _discussion_view(discussion, place, repository)
    view["events"] = [
        _comment_view(event) if isinstance(event, Comment) else _event_view(event, titles) for event in events
    ]
    if pull is not None:
        view["changes"] = {"base": pull.base_ref}
        if pull.merge_commit:
            view["changes"]["mergeCommitId"] = pull.merge_commit
        view["filesWithConflicts"] = [conflict.path for conflict in pulls.read_conflicts(context, repository, pull)]
        if query["diff"]:
            changes = pulls.read_changes(context, repository, pull, actor=actor)
            view["diff"] = unified_text(changes.diff.files)
    return view


@blp.at(f"/discussions/{_NUM}/comment", method="POST")
@blp.arguments(schemas.HubCommentBody)
@blp.response(200, schemas.HubNewMessageSchema)
def create_comment(body: dict[str, Any], place: Place, num: int) -> dict[str, Any]:
    """Say something."""
    with unit_of_work(current_context()) as work:
        discussion = _load(work, place, num)
        comment = service.create_comment(
            work, actor=current_actor(), discussion_id=discussion.id, content=body["comment"]
        )
        return {"newMessage": _comment_view(comment)}


def _comment_id(text: str) -> int:
    if not _ID.match(text):
        raise NotFound("There is no such comment.", code="comment_not_found")
    return int(text, 16)


@blp.at(f"/discussions/{_NUM}/comment/<comment>/edit", method="POST")
@blp.arguments(schemas.HubCommentEditBody)
@blp.response(200, schemas.HubUpdatedCommentSchema)
def edit_comment(body: dict[str, Any], place: Place, num: int, comment: str) -> dict[str, Any]:
    """Change one's own comment."""
    with unit_of_work(current_context()) as work:
        discussion = _load(work, place, num)
        edited = service.update_comment(
            work,
            actor=current_actor(),
            discussion_id=discussion.id,
            comment_id=_comment_id(comment),
            content=body["content"],
        )
        return {"updatedComment": _comment_view(edited)}


@blp.at(f"/discussions/{_NUM}/comment/<comment>/hide", method="POST")
@blp.response(200, schemas.HubUpdatedCommentSchema)
def hide_comment(place: Place, num: int, comment: str) -> dict[str, Any]:
    """Show a comment's text to nobody any more: for its author and who may write to the repository."""
    with unit_of_work(current_context()) as work:
        discussion = _load(work, place, num)
        hidden = timeline.hide_comment(
            work, actor=current_actor(), discussion_id=discussion.id, comment_id=_comment_id(comment)
        )
        return {"updatedComment": _comment_view(hidden)}


@blp.at(f"/discussions/{_NUM}/title", method="POST")
@blp.arguments(schemas.HubTitleBody)
@blp.response(200, schemas.HubNewTitleSchema)
def change_title(body: dict[str, Any], place: Place, num: int) -> dict[str, Any]:
    """Give a discussion another title: for its author and who may write to the repository."""
    with unit_of_work(current_context()) as work:
        discussion = _load(work, place, num)
        was = discussion.title
        service.update_discussion(work, actor=current_actor(), discussion_id=discussion.id, title=body["title"])
        event = timeline.find_last(work, discussion, DiscussionEventType.TITLE_CHANGE)
        if event is None or was == discussion.title:
            data = {"from": was, "to": was}
            event = timeline.unchanged(work, discussion, DiscussionEventType.TITLE_CHANGE, data)
        return {"newTitle": _event_view(event, {})}


@blp.at(f"/discussions/{_NUM}/status", method="POST")
@blp.arguments(schemas.HubStatusBody)
@blp.response(200, schemas.HubNewStatusSchema)
def change_status(body: dict[str, Any], place: Place, num: int) -> dict[str, Any]:
    """Close a discussion or pull request, or open it (again): for its author and who may write to the repository."""
    with unit_of_work(current_context()) as work:
        discussion = _load(work, place, num)
        event = timeline.set_status(
            work,
            actor=current_actor(),
            discussion_id=discussion.id,
            status=DiscussionStatus(body["status"]),
            comment=body["comment"],
        )
        event = event or timeline.unchanged(
            work, discussion, DiscussionEventType.STATUS_CHANGE, {"status": discussion.status.value}
        )
        return {"newStatus": _event_view(event, {})}


@blp.at(f"/discussions/{_NUM}/merge", method="POST")
@blp.arguments(schemas.HubMergeBody)
@blp.response(200, schemas.HubMergedSchema)
def merge_pull_request(body: dict[str, Any], place: Place, num: int) -> dict[str, Any]:
    """Bring a pull request into its base branch; 409 where the two sides changed the same, with the files' names."""
    context, actor, repository = current_context(), current_actor(), place.get()
    pull = merging.merge_pull(context, actor=actor, repository_id=repository.id, number=num, takes_drafts=True)
    if body["comment"]:
        with unit_of_work(context) as work:
            service.create_comment(work, actor=actor, discussion_id=pull.discussion_id, content=body["comment"])
    return {"success": True, "mergeCommitId": pull.merge_commit}


@blp.at("/super-squash/<path:branch>", method="POST")
@blp.arguments(schemas.HubSquashBody)
@blp.response(200, schemas.HubSquashedSchema)
def super_squash(body: dict[str, Any], place: Place, branch: str) -> dict[str, Any]:
    """Cut a branch's history down to one commit with the files as they are. Protected branches refuse it."""
    name = "/".join(words_from("branch"))
    commit_id = branches.squash_branch(
        current_context(),
        actor=current_actor(),
        repository_id=place.get().id,
        name=name,
        message=body["message"].strip() or f"Super-squash branch '{name}'",
    )
    return {"success": True, "commitOid": commit_id}
