"""REST of discussions and their comments. Contract: CSGHub, section 4.7."""

from __future__ import annotations

from typing import Any

from hub.accounts.models import User
from hub.api import discussion_schemas as schemas
from hub.api.envelope import enveloped, ok
from hub.api.ids import ROW_ID
from hub.api.schemas import PageQuery
from hub.community.models import Comment, Discussion
from hub.community.service import discussions as service
from hub.db.uow import reading, unit_of_work
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.http.pictures import picture_url
from hub.http.routing import PREFIX, Address, RepositoryBlueprint

blp = RepositoryBlueprint("discussions", __name__, url_prefix=PREFIX, description="Discussions")

_DISCUSSION = f"/discussions/<{ROW_ID}:discussion_id>"
_COMMENT = f"{_DISCUSSION}/comments/<{ROW_ID}:comment_id>"


def author_view(user: User | None) -> dict[str, Any]:
    """Who said something, also where the account is gone."""
    if user is None:
        return {"id": 0, "name": "ghost", "avatar": ""}
    return {"id": user.id, "name": user.name, "avatar": picture_url(user.avatar)}


def _discussion_view(discussion: Discussion) -> dict[str, Any]:
    return {
        "id": discussion.id,
        "title": discussion.title,
        "user": author_view(discussion.user),
        "comment_count": discussion.comment_count,
        "created_at": discussion.created_at,
        "updated_at": discussion.updated_at,
    }


def _comment_view(comment: Comment) -> dict[str, Any]:
    return {
        "id": comment.id,
        "content": comment.shown_content,
        "user": author_view(comment.user),
        "created_at": comment.created_at,
        "updated_at": comment.updated_at,
    }


@blp.at("/discussions")
@blp.arguments(PageQuery, location="query")
@blp.response(200, schemas.DiscussionsEnvelope)
def list_discussions(query: dict[str, Any], address: Address) -> dict[str, Any]:
    """The discussions of a repository, newest first, for all who may read it."""
    actor = current_actor()
    with reading(current_context()) as work:
        repository = address.load(work)
        page = service.list_discussions(work, actor=actor, repository_id=repository.id, page=page_args())
    return ok({"discussions": [_discussion_view(discussion) for discussion in page.items]}, total=page.total)


@blp.at("/discussions", method="POST")
@blp.arguments(schemas.DiscussionBody)
@blp.response(200, schemas.DiscussionEnvelope)
def create_discussion(body: dict[str, Any], address: Address) -> dict[str, Any]:
    """Open a discussion on a repository that one may read."""
    actor = current_actor()
    with unit_of_work(current_context()) as work:
        repository = address.load(work)
        discussion = service.create_discussion(work, actor=actor, repository_id=repository.id, **body)
        return ok(_discussion_view(discussion))


@blp.get(_DISCUSSION)
@blp.arguments(PageQuery, location="query")
@blp.response(200, schemas.ShownDiscussionEnvelope)
def show_discussion(query: dict[str, Any], discussion_id: int) -> dict[str, Any]:
    """A discussion with a page of its comments, newest first."""
    asked = page_args()
    with reading(current_context()) as work:
        discussion, page = service.show_discussion(work, actor=current_actor(), discussion_id=discussion_id, page=asked)
    comments = [_comment_view(comment) for comment in page.items]
    page_view = {"data": comments, "total": page.total, "page": asked.page, "per": asked.per}
    return ok(_discussion_view(discussion) | {"comments": page_view})


@blp.put(_DISCUSSION)
@blp.arguments(schemas.DiscussionBody)
@blp.response(200, schemas.DiscussionEnvelope)
def update_discussion(body: dict[str, Any], discussion_id: int) -> dict[str, Any]:
    """Give one's own discussion another title."""
    with unit_of_work(current_context()) as work:
        discussion = service.update_discussion(work, actor=current_actor(), discussion_id=discussion_id, **body)
        return ok(_discussion_view(discussion))


@blp.delete(_DISCUSSION)
@blp.response(200, enveloped())
def delete_discussion(discussion_id: int) -> dict[str, Any]:
    """Delete a discussion with its comments: for its author and those who administer the repository."""
    with unit_of_work(current_context()) as work:
        service.delete_discussion(work, actor=current_actor(), discussion_id=discussion_id)
    return ok()


# Comments.


@blp.get(f"{_DISCUSSION}/comments")
@blp.arguments(PageQuery, location="query")
@blp.response(200, schemas.CommentsEnvelope)
def list_comments(query: dict[str, Any], discussion_id: int) -> dict[str, Any]:
    """The comments of a discussion, newest first."""
    with reading(current_context()) as work:
        page = service.list_comments(work, actor=current_actor(), discussion_id=discussion_id, page=page_args())
    return ok([_comment_view(comment) for comment in page.items], total=page.total)


@blp.post(f"{_DISCUSSION}/comments")
@blp.arguments(schemas.CommentBody)
@blp.response(200, schemas.CommentEnvelope)
def create_comment(body: dict[str, Any], discussion_id: int) -> dict[str, Any]:
    """Say something in a discussion."""
    with unit_of_work(current_context()) as work:
        comment = service.create_comment(work, actor=current_actor(), discussion_id=discussion_id, **body)
        return ok(_comment_view(comment))


@blp.put(_COMMENT)
@blp.arguments(schemas.CommentBody)
@blp.response(200, schemas.CommentEnvelope)
def update_comment(body: dict[str, Any], discussion_id: int, comment_id: int) -> dict[str, Any]:
    """Change one's own comment."""
    with unit_of_work(current_context()) as work:
        comment = service.update_comment(
            work, actor=current_actor(), discussion_id=discussion_id, comment_id=comment_id, **body
        )
        return ok(_comment_view(comment))


@blp.delete(_COMMENT)
@blp.response(200, enveloped())
def delete_comment(discussion_id: int, comment_id: int) -> dict[str, Any]:
    """Delete a comment: for its author and those who administer the repository."""
    with unit_of_work(current_context()) as work:
        service.delete_comment(work, actor=current_actor(), discussion_id=discussion_id, comment_id=comment_id)
    return ok()
