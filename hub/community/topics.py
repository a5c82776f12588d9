"""What of the room's events is told outside the hub."""

from __future__ import annotations

from typing import Any

from hub.base.context import Context
from hub.base.topics import TOPICS, Told, Topic, add_topic
from hub.community import events
from hub.community.models import Comment, Discussion, PullRequest
from hub.community.models_reviews import Review
from hub.db.uow import UnitOfWork
from hub.repos.models import Repository

_DiscussionEvent = events.DiscussionCreated | events.DiscussionUpdated
_PullEvent = events.PullRequestOpened | events.PullRequestClosed | events.PullRequestMerged
_CommentEvent = events.CommentCreated | events.CommentUpdated


def install(context: Context) -> None:
    """Add the room's topics; done once, by ``build_context``."""
    for topic in (
        Topic("discussion.created", "A discussion was opened.", events.DiscussionCreated, _tell_discussion),
        Topic(
            "discussion.updated",
            "A discussion has another title or status.",
            events.DiscussionUpdated,
            _tell_discussion,
        ),
        Topic("discussion.deleted", "A discussion was deleted.", events.DiscussionDeleted, _tell_deleted_discussion),
        Topic("pull_request.opened", "A pull request was opened.", events.PullRequestOpened, _tell_pull),
        Topic("pull_request.closed", "A pull request was closed unmerged.", events.PullRequestClosed, _tell_pull),
        Topic("pull_request.merged", "A pull request was merged.", events.PullRequestMerged, _tell_pull),
        Topic("pull_request.reviewed", "A pull request was reviewed.", events.PullRequestReviewed, _tell_review),
        Topic("comment.created", "Somebody commented in a discussion.", events.CommentCreated, _tell_comment),
        Topic("comment.updated", "A comment was changed.", events.CommentUpdated, _tell_comment),
        Topic("comment.deleted", "A comment was deleted.", events.CommentDeleted, _tell_deleted_comment),
    ):
        add_topic(context[TOPICS], topic)


def _tell_discussion(work: UnitOfWork, event: _DiscussionEvent) -> Told | None:
    discussion = work.session.get(Discussion, event.discussion_id)
    if discussion is None:
        return None
    return _told(work, event.repository_id, {"discussion": _discussion(discussion)})


def _tell_deleted_discussion(work: UnitOfWork, event: events.DiscussionDeleted) -> Told | None:
    return _told(work, event.repository_id, {"discussion": {"id": event.discussion_id, "title": event.title}})


def _tell_comment(work: UnitOfWork, event: _CommentEvent) -> Told | None:
    discussion = work.session.get(Discussion, event.discussion_id)
    comment = work.session.get(Comment, event.comment_id)
    if discussion is None or comment is None:
        return None
    data = {
        "discussion": _discussion(discussion),
        "comment": {"id": comment.id, "content": comment.shown_content, "user": _author(comment)},
    }
    return _told(work, event.repository_id, data)


def _tell_deleted_comment(work: UnitOfWork, event: events.CommentDeleted) -> Told | None:
    discussion = work.session.get(Discussion, event.discussion_id)
    if discussion is None:
        return None
    data = {"discussion": _discussion(discussion), "comment": {"id": event.comment_id}}
    return _told(work, event.repository_id, data)


def _tell_pull(work: UnitOfWork, event: _PullEvent) -> Told | None:
    pull = work.session.get(PullRequest, event.discussion_id)
    if pull is None:
        return None
    data = _discussion(pull.discussion) | {
        "status": pull.discussion.status.value,
        "base": pull.base_ref,
        "merge_commit": pull.merge_commit,
    }
    return _told(work, event.repository_id, {"pull_request": data})


def _tell_review(work: UnitOfWork, event: events.PullRequestReviewed) -> Told | None:
    pull = work.session.get(PullRequest, event.discussion_id)
    review = work.session.get(Review, event.review_id)
    if pull is None or review is None:
        return None
    said = {
        "id": review.id,
        "state": review.state.value,
        "content": review.content,
        "commit_id": review.commit_id,
        "user": _author(review),
    }
    return _told(work, event.repository_id, {"pull_request": _discussion(pull.discussion), "review": said})


def _told(work: UnitOfWork, repository_id: int, data: dict[str, Any]) -> Told | None:
    repository = work.session.get(Repository, repository_id)
    if repository is None:
        return None
    return Told(data, repository_id, repository.namespace_id)


def _discussion(discussion: Discussion) -> dict[str, Any]:
    return {
        "id": discussion.id,
        "number": discussion.number,
        "title": discussion.title,
        "user": _author(discussion),
    }


def _author(said: Discussion | Comment | Review) -> dict[str, Any] | None:
    return {"username": said.user.name, "uuid": said.user.uuid} if said.user else None
