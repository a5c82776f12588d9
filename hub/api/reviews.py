"""REST of reviews of pull requests, and of conversations about lines. The contract leaves them to us."""

from __future__ import annotations

from typing import Any

from hub.api import review_schemas as schemas
from hub.api.discussions import author_view
from hub.api.envelope import ok
from hub.api.ids import ROW_ID
from hub.api.pulls import PULL
from hub.api.schemas import PageQuery
from hub.community.models import Comment
from hub.community.service import reviews, reviews_requests, reviews_suggestions, reviews_threads
from hub.community.service.reviews import Given, LineComment, Reviewer
from hub.community.service.reviews_lines import Place
from hub.community.service.reviews_threads import Thread
from hub.db.uow import reading, unit_of_work
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.http.routing import PREFIX, Address, RepositoryBlueprint

blp = RepositoryBlueprint("reviews", __name__, url_prefix=PREFIX, description="Reviews of pull requests")

_THREAD = f"{PULL}/threads/<{ROW_ID}:thread_id>"


def _review_view(given: Given) -> dict[str, Any]:
    review = given.review
    return {
        "id": review.id,
        "user": author_view(review.user),
        "state": review.state.value,
        "content": review.content,
        "commit_id": review.commit_id,
        "comment_count": given.comment_count,
        "dismissed_at": review.dismissed_at,
        "dismissed_by": review.dismissed_by.name if review.dismissed_by else None,
        "dismissal": review.dismissal,
        "created_at": review.created_at,
    }


def _reviewer_view(reviewer: Reviewer) -> dict[str, Any]:
    return {
        "user": author_view(reviewer.user),
        "state": reviewer.state,
        "is_requested": reviewer.is_requested,
        "is_stale": reviewer.is_stale,
        "has_weight": reviewer.has_weight,
        "review_id": reviewer.review.id if reviewer.review else None,
    }


def _comment_view(comment: Comment) -> dict[str, Any]:
    return {
        "id": comment.id,
        "content": comment.shown_content,
        "user": author_view(comment.user),
        "review_id": comment.review_id,
        "suggestion": reviews_suggestions.find_suggestion(comment.shown_content),
        "applied_commit": comment.applied_commit,
        "created_at": comment.created_at,
        "updated_at": comment.updated_at,
    }


def _thread_view(thread: Thread) -> dict[str, Any]:
    row = thread.row
    return {
        "id": row.id,
        "path": row.path,
        "side": row.side,
        "start_line": row.start_line,
        "end_line": row.end_line,
        "commit_id": row.commit_id,
        "excerpt": row.excerpt,
        "is_outdated": thread.is_outdated,
        "is_resolved": row.resolved_at is not None,
        "resolved_by": row.resolved_by.name if row.resolved_by else None,
        "resolved_at": row.resolved_at,
        "comment_count": thread.comment_count,
        "comments": [_comment_view(comment) for comment in thread.comments],
        "created_at": row.created_at,
    }


# Reviews.


@blp.at(f"{PULL}/reviews")
@blp.arguments(PageQuery, location="query")
@blp.response(200, schemas.ReviewsEnvelope)
def list_reviews(query: dict[str, Any], address: Address, pull_number: int) -> dict[str, Any]:
    """The reviews of a pull request, newest first."""
    with reading(current_context()) as work:
        page = reviews.list_reviews(
            work, actor=current_actor(), repository_id=address.load(work).id, number=pull_number, page=page_args()
        )
    return ok([_review_view(given) for given in page.items], total=page.total)


@blp.at(f"{PULL}/reviews", method="POST")
@blp.arguments(schemas.ReviewBody)
@blp.response(200, schemas.ReviewEnvelope)
def give_review(body: dict[str, Any], address: Address, pull_number: int) -> dict[str, Any]:
    """Review a pull request on a repository that one may read; approvals count of those who may write to it."""
    comments = [
        LineComment(
            Place(one["path"], one["side"], one["start_line"] or one["end_line"], one["end_line"]), one["content"]
        )
        for one in body.pop("comments")
    ]
    given = reviews.give_review(
        current_context(),
        actor=current_actor(),
        repository_id=address.get().id,
        number=pull_number,
        comments=comments,
        **body,
    )
    return ok(_review_view(given))


@blp.at(f"{PULL}/reviews/<{ROW_ID}:review_id>/dismiss", method="POST")
@blp.arguments(schemas.DismissalBody)
@blp.response(200, schemas.ReviewEnvelope)
def dismiss_review(body: dict[str, Any], address: Address, pull_number: int, review_id: int) -> dict[str, Any]:
    """Make an approval, or a request for changes, count no more: for who may write to the repository."""
    with unit_of_work(current_context()) as work:
        given = reviews.dismiss_review(
            work,
            actor=current_actor(),
            repository_id=address.load(work).id,
            number=pull_number,
            review_id=review_id,
            **body,
        )
        return ok(_review_view(given))


@blp.at(f"{PULL}/reviewers")
@blp.response(200, schemas.ReviewersEnvelope)
def list_reviewers(address: Address, pull_number: int) -> dict[str, Any]:
    """Who reviewed a pull request or was asked to, with what they say now."""
    return ok(_reviewers(address, pull_number))


def _reviewers(address: Address, pull_number: int) -> list[dict[str, Any]]:
    found = reviews.list_reviewers(
        current_context(), actor=current_actor(), repository=address.get(), number=pull_number
    )
    return [_reviewer_view(reviewer) for reviewer in found]


@blp.at(f"{PULL}/review_requests", method="POST")
@blp.arguments(schemas.ReviewRequestsBody)
@blp.response(200, schemas.ReviewersEnvelope)
def ask_for_review(body: dict[str, Any], address: Address, pull_number: int) -> dict[str, Any]:
    """Ask users to review: for the pull request's author, and who may write to the repository."""
    with unit_of_work(current_context()) as work:
        reviews_requests.ask_for_review(
            work,
            actor=current_actor(),
            repository_id=address.load(work).id,
            number=pull_number,
            names=body["users"],
        )
    return ok(_reviewers(address, pull_number))


@blp.at(f"{PULL}/review_requests/<username>", method="DELETE")
@blp.response(200, schemas.ReviewersEnvelope)
def withdraw_request(address: Address, pull_number: int, username: str) -> dict[str, Any]:
    """Ask somebody no more: for the author, who may write to the repository, and whoever was asked."""
    with unit_of_work(current_context()) as work:
        reviews_requests.withdraw_request(
            work,
            actor=current_actor(),
            repository_id=address.load(work).id,
            number=pull_number,
            name=username,
        )
    return ok(_reviewers(address, pull_number))


# Conversations about lines.


@blp.at(f"{PULL}/threads")
@blp.arguments(schemas.ThreadsQuery, location="query")
@blp.response(200, schemas.ThreadsEnvelope)
def list_threads(query: dict[str, Any], address: Address, pull_number: int) -> dict[str, Any]:
    """The conversations about lines, oldest first, each with its first comments."""
    page = reviews_threads.list_threads(
        current_context(),
        actor=current_actor(),
        repository=address.get(),
        number=pull_number,
        path=query["path"],
        state=query["state"],
        page=page_args(),
    )
    return ok([_thread_view(thread) for thread in page.items], total=page.total)


@blp.at(_THREAD)
@blp.arguments(PageQuery, location="query")
@blp.response(200, schemas.ThreadEnvelope)
def show_thread(query: dict[str, Any], address: Address, pull_number: int, thread_id: int) -> dict[str, Any]:
    """One conversation with a page of its comments, oldest first."""
    return ok(_shown(address, pull_number, thread_id))


def _shown(address: Address, pull_number: int, thread_id: int) -> dict[str, Any]:
    thread = reviews_threads.show_thread(
        current_context(),
        actor=current_actor(),
        repository=address.get(),
        number=pull_number,
        thread_id=thread_id,
        page=page_args(),
    )
    return _thread_view(thread)


@blp.at(_THREAD, method="PUT")
@blp.arguments(schemas.ThreadBody)
@blp.response(200, schemas.ThreadEnvelope)
def update_thread(body: dict[str, Any], address: Address, pull_number: int, thread_id: int) -> dict[str, Any]:
    """Resolve a conversation, or open it again: for the pull request's author, and who may write."""
    with unit_of_work(current_context()) as work:
        reviews_threads.set_resolved(
            work,
            actor=current_actor(),
            repository_id=address.load(work).id,
            number=pull_number,
            thread_id=thread_id,
            **body,
        )
    return ok(_shown(address, pull_number, thread_id))


@blp.at(f"{_THREAD}/comments", method="POST")
@blp.arguments(schemas.ReplyBody)
@blp.response(200, schemas.ThreadCommentEnvelope)
def reply(body: dict[str, Any], address: Address, pull_number: int, thread_id: int) -> dict[str, Any]:
    """Answer in a conversation. Comments are changed, hidden and deleted as those of discussions are."""
    with unit_of_work(current_context()) as work:
        comment = reviews_threads.reply(
            work,
            actor=current_actor(),
            repository_id=address.load(work).id,
            number=pull_number,
            thread_id=thread_id,
            **body,
        )
        return ok(_comment_view(comment))


@blp.at(f"{_THREAD}/apply", method="POST")
@blp.arguments(schemas.ApplyBody)
@blp.response(200, schemas.AppliedEnvelope)
def apply_suggestion(body: dict[str, Any], address: Address, pull_number: int, thread_id: int) -> dict[str, Any]:
    """Commit a suggestion to the pull request: for its author, and who may write; 409 where the lines have moved."""
    _, commit_id = reviews_suggestions.apply_suggestion(
        current_context(),
        actor=current_actor(),
        repository_id=address.get().id,
        number=pull_number,
        thread_id=thread_id,
        **body,
    )
    return ok({"commit_id": commit_id})
