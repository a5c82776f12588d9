"""Conversations about lines of the files that a pull request changes: read, answered, resolved.

They begin with a review (``reviews``). The lines are those of the commit at which it was given; once the file is
another one, the conversation is outdated, and still there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, false, func, select, update
from sqlalchemy.orm import aliased, joinedload

from hub.accounts.policy import Action, Actor
from hub.base.context import Context
from hub.base.errors import Conflict, Invalid, NotFound
from hub.base.events import publish
from hub.base.log import get_logger
from hub.base.paging import Page, PageArgs
from hub.base.texts import is_storable
from hub.community import events
from hub.community.models import Comment, Discussion, PullRequest
from hub.community.models_reviews import ReviewThread
from hub.community.service import discussions
from hub.community.service.pulls import get_pull
from hub.community.service.reviews import require_speaker
from hub.community.service.reviews_lines import find_outdated
from hub.community.service.texts import MAX_LINE_COMMENT_CHARS, check_content
from hub.db.uow import UnitOfWork, reading
from hub.repos.gates import check_content as check_gate
from hub.repos.lookup import get_for
from hub.repos.models import Repository

log = get_logger(__name__)

STATES = ("", "open", "resolved")
# Of one conversation; beyond it, another one is begun.
MAX_COMMENTS = 200
# Of each conversation in a list; the rest is for who asks for it alone.
SHOWN_COMMENTS = 20


@dataclass(frozen=True)
class Thread:
    """A conversation as it is shown. comments: the first ones, the oldest first. comment_count: all of them."""

    row: ReviewThread
    comments: Sequence[Comment]
    comment_count: int
    is_outdated: bool


def list_threads(
    context: Context,
    *,
    actor: Actor,
    repository: Repository,
    number: int,
    path: str = "",
    state: str = "",
    review_ids: Sequence[int] = (),
    paths: Sequence[str] = (),
    page: PageArgs | None = None,
) -> Page[Thread]:
    """The conversations of a pull request in the order in which they began, each with its first comments.

    path: only those about this file; "": all. state: "open" or "resolved" ones; "": both. review_ids: only those that
    these reviews began; none: all. paths: only those about one of these files; none: all. Queries: constant.
    Raises NotFound (``pull_request_not_found``), Invalid (``REQ-ERR-6``), NotSignedIn or Denied (``gated_repository``):
    they quote the files.
    """
    page = page or PageArgs()
    if state not in STATES:
        raise Invalid("'state' must be open or resolved.", code="REQ-ERR-6", member="state")
    check_gate(context, actor, repository)
    with reading(context) as work:
        pull = get_pull(work, actor=actor, repository_id=repository.id, number=number)
        wanted: list[ColumnElement[bool]] = [ReviewThread.discussion_id == pull.discussion_id]
        if path:  # what the database could not even compare is no file's name
            wanted.append(ReviewThread.path == path if is_storable(path) else false())
        if state:
            is_open = ReviewThread.resolved_at.is_(None)
            wanted.append(is_open if state == "open" else ~is_open)
        if paths:
            wanted.append(ReviewThread.path.in_([one for one in paths if is_storable(one)]))
        if review_ids:
            begun = select(Comment.thread_id).where(
                Comment.discussion_id == pull.discussion_id, Comment.review_id.in_(review_ids)
            )
            wanted.append(ReviewThread.id.in_(begun))
        total = work.session.scalar(select(func.count(ReviewThread.id)).where(*wanted)) or 0
        rows = work.session.scalars(
            select(ReviewThread)
            .where(*wanted)
            .options(joinedload(ReviewThread.resolved_by))
            .order_by(ReviewThread.id)
            .offset(page.offset)
            .limit(page.per)
        ).all()
        said = _first_comments(work, [row.id for row in rows])
        counts = _count_comments(work, [row.id for row in rows])
    outdated = find_outdated(context, repository, pull, rows)
    return Page(
        [Thread(row, said.get(row.id, ()), counts.get(row.id, 0), row.id in outdated) for row in rows],
        total,
    )


def _first_comments(work: UnitOfWork, thread_ids: Sequence[int]) -> dict[int, list[Comment]]:
    place = func.row_number().over(partition_by=Comment.thread_id, order_by=Comment.id)
    numbered = select(Comment, place.label("place")).where(Comment.thread_id.in_(thread_ids)).subquery()
    said = aliased(Comment, numbered)
    found: dict[int, list[Comment]] = {}
    query = select(said).where(numbered.c.place <= SHOWN_COMMENTS).options(joinedload(said.user)).order_by(said.id)
    for comment in work.session.scalars(query):
        assert comment.thread_id is not None
        found.setdefault(comment.thread_id, []).append(comment)
    return found


def _count_comments(work: UnitOfWork, thread_ids: Sequence[int]) -> dict[int, int]:
    counted = work.session.execute(
        select(Comment.thread_id, func.count(Comment.id))
        .where(Comment.thread_id.in_(thread_ids))
        .group_by(Comment.thread_id)
    )
    return {thread_id: count for thread_id, count in counted if thread_id is not None}


def show_thread(
    context: Context, *, actor: Actor, repository: Repository, number: int, thread_id: int, page: PageArgs | None = None
) -> Thread:
    """One conversation with a page of its comments, the oldest first.

    Raises NotFound (``pull_request_not_found``, ``thread_not_found``), NotSignedIn or Denied (``gated_repository``).
    """
    page = page or PageArgs()
    check_gate(context, actor, repository)
    with reading(context) as work:
        pull = get_pull(work, actor=actor, repository_id=repository.id, number=number)
        row = get_thread(work, pull, thread_id)
        comments = work.session.scalars(
            select(Comment)
            .where(Comment.thread_id == row.id)
            .options(joinedload(Comment.user))
            .order_by(Comment.id)
            .offset(page.offset)
            .limit(page.per)
        ).all()
        count = _count_comments(work, [row.id]).get(row.id, 0)
    return Thread(row, comments, count, bool(find_outdated(context, repository, pull, [row])))


def get_thread(work: UnitOfWork, pull: PullRequest, thread_id: int) -> ReviewThread:
    """A conversation of a pull request. Raises NotFound (``thread_not_found``)."""
    row: ReviewThread | None = work.session.scalar(
        select(ReviewThread)
        .where(ReviewThread.id == thread_id, ReviewThread.discussion_id == pull.discussion_id)
        .options(joinedload(ReviewThread.resolved_by))
    )
    if row is None:
        raise NotFound("There is no such conversation.", code="thread_not_found")
    return row


def reply(work: UnitOfWork, *, actor: Actor, repository_id: int, number: int, thread_id: int, content: str) -> Comment:
    """An answer in a conversation, for whoever may read the repository and is signed in.

    Raises Invalid (``REQ-ERR-6``), NotFound (``pull_request_not_found``, ``thread_not_found``), NotSignedIn, Denied,
    Conflict (``thread_full``).
    """
    pull, _, user = require_speaker(work, actor, repository_id, number)
    check_content(content, most=MAX_LINE_COMMENT_CHARS)
    row = work.session.scalar(
        select(ReviewThread)
        .where(ReviewThread.id == thread_id, ReviewThread.discussion_id == pull.discussion_id)
        .with_for_update()  # its last comment is not deleted, and it with that, before this one is there
    )
    if row is None:
        raise NotFound("There is no such conversation.", code="thread_not_found")
    if _count_comments(work, [row.id]).get(row.id, 0) >= MAX_COMMENTS:
        raise Conflict(f"A conversation has at most {MAX_COMMENTS} comments; begin another one.", code="thread_full")
    now = work.now()
    comment = Comment(
        discussion_id=pull.discussion_id,
        user_id=user.id,
        user=user,
        content=content,
        thread_id=row.id,
        created_at=now,
        updated_at=now,
    )
    work.session.add(comment)
    work.session.flush()
    touched = update(Discussion).where(Discussion.id == pull.discussion_id).values(updated_at=now)
    discussions.count_of(work, touched)
    publish(work, events.CommentCreated(comment.id, pull.discussion_id, repository_id, actor.user_id))
    log.info("comment_created", comment_id=comment.id, discussion_id=pull.discussion_id, actor_id=actor.user_id)
    return comment


def set_resolved(
    work: UnitOfWork, *, actor: Actor, repository_id: int, number: int, thread_id: int, is_resolved: bool
) -> ReviewThread:
    """A conversation that is settled, or open again: for the pull request's author and who may write. May be repeated.

    Raises NotFound (``pull_request_not_found``, ``thread_not_found``), NotSignedIn, Denied.
    """
    pull = get_pull(work, actor=actor, repository_id=repository_id, number=number)
    repository = get_for(work, actor=actor, action=Action.REPOSITORY_READ, repository_id=repository_id)
    discussions.require_author(work, actor, repository, pull.discussion.user_id, or_writer=True)
    row = get_thread(work, pull, thread_id)
    resolve(work, row, actor, is_resolved=is_resolved)
    return row


def resolve(work: UnitOfWork, row: ReviewThread, actor: Actor, *, is_resolved: bool) -> None:
    """Make a conversation settled or open; rights were judged."""
    was = ReviewThread.resolved_at.is_(None) if is_resolved else ReviewThread.resolved_at.is_not(None)
    values = {
        "resolved_at": work.now() if is_resolved else None,
        "resolved_by_id": actor.user_id if is_resolved else None,
    }
    if discussions.count_of(work, update(ReviewThread).where(ReviewThread.id == row.id, was).values(**values)):
        log.info("thread_resolved", thread_id=row.id, is_resolved=is_resolved, actor_id=actor.user_id)
    work.session.refresh(row, ["resolved_at", "resolved_by_id", "resolved_by"])
