"""Issues and pull requests as they are sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hub.accounts.models import User
from hub.api.discussions import author_view
from hub.base.paging import PageArgs
from hub.community.models import Comment, Discussion, DiscussionEvent, DiscussionEventType
from hub.community.models_people import DiscussionLabel
from hub.community.service.board import Counts
from hub.community.service.conversation import Conversation
from hub.community.service.labels import Offered
from hub.community.service.people import Telling
from hub.community.service.reactions import Reactions
from hub.db.uow import UnitOfWork
from hub.repos.kinds import KINDS
from hub.repos.models import Repository


def label_view(label: DiscussionLabel | Offered) -> dict[str, Any]:
    """A label; of one that is only offered the id is 0."""
    id = label.id if isinstance(label, DiscussionLabel) else 0
    return {"id": id, "name": label.name, "color": label.color, "description": label.description}


def reactions_view(reactions: Reactions) -> dict[str, Any]:
    """How many gave each sign, and which ones the caller gave."""
    return {"counts": reactions.counts, "mine": reactions.mine}


def telling_view(telling: Telling) -> dict[str, Any]:
    """Whether the caller is told."""
    return {"is_told": telling.is_told, "choice": telling.choice}


def counts_view(counts: Counts) -> dict[str, int]:
    """What tabs show."""
    return {"open": counts.open, "closed": counts.closed, "issues": counts.issues, "pulls": counts.pulls}


def thread_view(
    discussion: Discussion,
    labels: Sequence[DiscussionLabel],
    assignees: Sequence[User],
    *,
    work: UnitOfWork | None = None,
) -> dict[str, Any]:
    """One of a list. work: say of which repository it is, too, which is loaded."""
    view: dict[str, Any] = {
        "id": discussion.id,
        "number": discussion.number,
        "type": _type_of(discussion),
        "title": discussion.title,
        "status": discussion.status.value,
        "user": author_view(discussion.user),
        "labels": [label_view(label) for label in labels],
        "assignees": [author_view(user) for user in assignees],
        "comment_count": discussion.comment_count,
        "is_locked": discussion.locked_at is not None,
        "is_pinned": discussion.pinned_at is not None,
        "created_at": discussion.created_at,
        "updated_at": discussion.updated_at,
    }
    return view if work is None else view | {"repository": _repository_view(work, discussion.repository)}


def _type_of(discussion: Discussion) -> str:
    return "pull" if discussion.is_pull_request else "issue"


def _repository_view(work: UnitOfWork, repository: Repository) -> dict[str, Any]:
    return {
        "kind": repository.kind,
        "collection": work.context[KINDS][repository.kind].collection,
        "path": repository.path,
    }


def comment_view(comment: Comment, reactions: Reactions) -> dict[str, Any]:
    """A comment among what happened."""
    return {
        "id": comment.id,
        "type": "comment",
        "user": author_view(comment.user),
        "created_at": comment.created_at,
        "updated_at": comment.updated_at,
        "content": comment.shown_content,
        "is_hidden": comment.hidden_at is not None,
        "is_edited": comment.is_edited,
        "reactions": reactions_view(reactions),
    }


def _event_view(work: UnitOfWork, event: DiscussionEvent, found: Conversation) -> dict[str, Any]:
    view: dict[str, Any] = {
        "id": event.id,
        "type": event.type.value,
        "user": author_view(event.user),
        "created_at": event.created_at,
        "data": event.data,
    }
    if event.type in (DiscussionEventType.ASSIGNED, DiscussionEventType.UNASSIGNED):
        # Accounts that are gone since have no name any more.
        view["data"], view["users"] = {}, [author_view(found.users.get(id)) for id in event.data["user_ids"]]
    source = found.sources.get(event.data["discussion_id"]) if event.type == DiscussionEventType.REFERENCED else None
    if source is not None:
        view["data"] = {}
        view["source"] = {
            "number": source.number,
            "type": _type_of(source),
            "title": source.title,
            "status": source.status.value,
            "repository": _repository_view(work, source.repository),
        }
    return view


def conversation_view(work: UnitOfWork, found: Conversation, asked: PageArgs) -> dict[str, Any]:
    """An issue or pull request with a page of what happened in it."""
    items = [
        comment_view(one, found.reactions.get(one.id, Reactions()))
        if isinstance(one, Comment)
        else _event_view(work, one, found)
        for one in found.page.items
    ]
    return thread_view(found.discussion, found.labels, found.assignees) | {
        "reason": found.reason,
        "duplicate_of": found.duplicate_of,
        "participants": [author_view(user) for user in found.participants.users],
        "participant_count": found.participants.total,
        "subscription": telling_view(found.telling),
        "timeline": {"data": items, "total": found.page.total, "page": asked.page, "per": asked.per},
    }
