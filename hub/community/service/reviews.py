"""What reviewers say of a pull request as a whole.

Whoever may read the repository and has an account may review, but for the author's approval of their own. Approvals
count only of those who may write to the repository at the moment that is asked. Of each reviewer the last word counts
that is no mere comment; once it is dismissed they have no say until they review again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, func, or_, select, update
from sqlalchemy.orm import joinedload

from hub.accounts.models import Role, User
from hub.accounts.policy import Action, Actor, can, holders, require
from hub.base.context import Context
from hub.base.errors import Conflict, Denied, Invalid, NotFound
from hub.base.events import publish
from hub.base.log import get_logger
from hub.base.paging import Page, PageArgs
from hub.community import events
from hub.community.models import Comment, Discussion, DiscussionEventType, PullRequest
from hub.community.models_reviews import Review, ReviewRequest, ReviewState, ReviewThread
from hub.community.service import discussions
from hub.community.service.pulls import get_pull, require_open
from hub.community.service.reviews_lines import FoundLines, Place, find_lines, require_head
from hub.community.service.texts import MAX_LINE_COMMENT_CHARS, check_content, check_title
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.repos.lookup import get_for
from hub.repos.models import Repository

log = get_logger(__name__)

MAX_COMMENTS = 50  # about lines, in one review
MAX_REVIEWERS_SHOWN = 200
MAX_DISMISSAL_CHARS = 255  # the column's width

_DECISIVE = (ReviewState.APPROVED, ReviewState.CHANGES)


@dataclass(frozen=True)
class LineComment:
    """What a review says about some lines."""

    place: Place
    content: str


@dataclass(frozen=True)
class Reviewer:
    """Somebody who reviewed a pull request, or was asked to.

    state: "approved", "changes", "commented", "dismissed" (their last word was) or "requested" (and nothing said yet).
    is_requested: they are asked to review (again). is_stale: there are other commits than those that they saw.
    has_weight: they may write to the repository, so that it counts. review: None: there is none.
    """

    user: User
    state: str
    is_requested: bool
    is_stale: bool
    has_weight: bool
    review: Review | None


@dataclass(frozen=True)
class Given:
    """A review as lists show it. comment_count: what it says about lines."""

    review: Review
    comment_count: int


# What a merge depends on.


def count_approvals(work: UnitOfWork, repository: Repository, pull: PullRequest, *, head: str | None) -> int:
    """How many reviewers approve of a pull request. head: they must have seen this commit; None: whichever they saw."""
    return _count_last(work, repository, pull, ReviewState.APPROVED, head)


def count_objections(work: UnitOfWork, repository: Repository, pull: PullRequest) -> int:
    """How many reviewers ask for changes, whichever commits they saw."""
    return _count_last(work, repository, pull, ReviewState.CHANGES, None)


def count_unresolved(work: UnitOfWork, pull: PullRequest) -> int:
    """How many of its conversations are not resolved."""
    is_open = (ReviewThread.discussion_id == pull.discussion_id, ReviewThread.resolved_at.is_(None))
    return work.session.scalar(select(func.count(ReviewThread.id)).where(*is_open)) or 0


def _count_last(
    work: UnitOfWork, repository: Repository, pull: PullRequest, state: ReviewState, head: str | None
) -> int:
    wanted: list[ColumnElement[bool]] = [
        Review.id.in_(_last_words(pull.discussion_id, _DECISIVE)),
        Review.state == state,
        Review.dismissed_at.is_(None),
        has_weight(repository),
    ]
    if pull.discussion.user_id is not None:
        wanted.append(User.id != pull.discussion.user_id)
    if head is not None:
        wanted.append(Review.commit_id == head)
    query = select(func.count(Review.id)).join(User, User.id == Review.user_id).where(*wanted)
    return work.session.scalar(query) or 0


def _last_words(discussion_id: int, states: Sequence[ReviewState]) -> Select[int]:
    """The ids of each reviewer's last review among those of some states."""
    said = (Review.discussion_id == discussion_id, Review.state.in_(states), Review.user_id.is_not(None))
    return select(func.max(Review.id)).where(*said).group_by(Review.user_id)


def has_weight(repository: Repository) -> ColumnElement[bool]:
    """Of ``User``: ``policy.can`` with REPOSITORY_WRITE, asked of the users; frozen or not."""
    return User.is_active & holders(repository, least=Role.WRITE)


# Reviewing.


def give_review(
    context: Context,
    *,
    actor: Actor,
    repository_id: int,
    number: int,
    state: str,
    content: str = "",
    comments: Sequence[LineComment] = (),
    commit_id: str = "",
) -> Given:
    """A review of a pull request, with all that it says about lines: all of it or nothing.

    commit_id: the head that the reviewer has seen; "": the present one. Who was asked to review is so no more.
    Raises Invalid (``REQ-ERR-6``: an unknown state, nothing said; ``line_not_found``), NotFound
    (``pull_request_not_found``, ``entry_not_found``), NotSignedIn, Denied (``own_pull_request``: nobody judges their
    own; ``discussion_locked``, ``gated_repository``), Conflict (``pull_request_closed``, ``head_changed``).
    """
    said = _check_state(state)
    if len(comments) > MAX_COMMENTS:
        raise Invalid(f"A review takes at most {MAX_COMMENTS} comments.", code="REQ-ERR-6", member="comments")
    content = check_content(content) if content.strip() else ""
    if said != ReviewState.APPROVED and not content and not comments:
        raise Invalid("Say what there is to say, in 'content' or in 'comments'.", code="REQ-ERR-6", member="content")
    for comment in comments:
        check_content(comment.content, most=MAX_LINE_COMMENT_CHARS)
    with reading(context) as work:
        pull, repository, _ = _require_reviewer(work, actor, repository_id, number, said)
    head = require_head(context, repository, pull)
    if commit_id and commit_id != head:
        raise Conflict("The pull request has other commits by now; look at them first.", code="head_changed")
    places = [comment.place for comment in comments]
    lines = find_lines(context, repository, pull, actor=actor, head=head, places=places) if places else []
    with unit_of_work(context) as work:
        pull, repository, user = _require_reviewer(work, actor, repository_id, number, said)
        now = work.now()
        review = Review(
            discussion_id=pull.discussion_id,
            user_id=user.id,
            user=user,
            state=said,
            content=content,
            commit_id=head,
            created_at=now,
        )
        work.session.add(review)
        work.session.flush()
        for found, comment in zip(lines, comments, strict=True):
            _add_thread(work, pull, review, user, found, comment.content)
        asked = delete(ReviewRequest).where(
            ReviewRequest.discussion_id == pull.discussion_id, ReviewRequest.user_id == user.id
        )
        discussions.count_of(work, asked)
        touched = update(Discussion).where(Discussion.id == pull.discussion_id).values(updated_at=now)
        discussions.count_of(work, touched)
        data = {"review_id": review.id, "state": said.value}
        discussions.record(work, pull.discussion, DiscussionEventType.REVIEW, data, user_id=user.id)
        publish(work, events.PullRequestReviewed(review.id, pull.discussion_id, repository_id, user.id))
        work.session.refresh(review, ["user", "dismissed_by"])
    log.info("pull_request_reviewed", discussion_id=pull.discussion_id, state=said.value, actor_id=actor.user_id)
    return Given(review, len(comments))


def _check_state(state: str) -> ReviewState:
    try:
        return ReviewState(state)
    except ValueError:
        allowed = ", ".join(one.value for one in ReviewState)
        raise Invalid(f"'state' must be one of: {allowed}.", code="REQ-ERR-6", member="state") from None


def _require_reviewer(
    work: UnitOfWork, actor: Actor, repository_id: int, number: int, state: ReviewState
) -> tuple[PullRequest, Repository, User]:
    pull, repository, user = require_speaker(work, actor, repository_id, number)
    if state in _DECISIVE:
        require_open(pull)
        if user.id == pull.discussion.user_id:
            raise Denied("Nobody judges their own pull request; comment on it instead.", code="own_pull_request")
    return pull, repository, user


def require_speaker(
    work: UnitOfWork, actor: Actor, repository_id: int, number: int
) -> tuple[PullRequest, Repository, User]:
    """A pull request on which the actor may say something now, its repository, and the actor's account.

    Raises NotFound (``pull_request_not_found``), NotSignedIn, Denied (also ``archived``, ``discussion_locked``).
    """
    pull = get_pull(work, actor=actor, repository_id=repository_id, number=number)
    repository = get_for(work, actor=actor, action=Action.REPOSITORY_READ, repository_id=repository_id)
    user = discussions.require_voice(work, actor, repository)
    is_locked = pull.discussion.locked_at is not None
    if is_locked and not can(work, actor, Action.REPOSITORY_WRITE, repository):
        raise Denied("This pull request is locked.", code="discussion_locked")
    return pull, repository, user


def _add_thread(
    work: UnitOfWork, pull: PullRequest, review: Review, user: User, found: FoundLines, content: str
) -> None:
    now, place = work.now(), found.place
    thread = ReviewThread(
        discussion_id=pull.discussion_id,
        path=place.path,
        side=place.side,
        start_line=place.start_line,
        end_line=place.end_line,
        commit_id=found.commit_id,
        excerpt=found.excerpt,
        created_at=now,
    )
    work.session.add(thread)
    work.session.flush()
    comment = Comment(
        discussion_id=pull.discussion_id,
        user_id=user.id,
        content=content,
        thread_id=thread.id,
        review_id=review.id,
        created_at=now,
        updated_at=now,
    )
    work.session.add(comment)
    work.session.flush()


def dismiss_review(
    work: UnitOfWork, *, actor: Actor, repository_id: int, number: int, review_id: int, reason: str
) -> Given:
    """A review that counts no more, for who may write to the repository. reason: told to everybody.

    Raises NotFound (``review_not_found``), NotSignedIn, Denied, Invalid (``REQ-ERR-6``); Conflict
    (``not_dismissable``: a mere comment, ``review_dismissed``: it is already).
    """
    pull = get_pull(work, actor=actor, repository_id=repository_id, number=number)
    repository = get_for(work, actor=actor, action=Action.REPOSITORY_READ, repository_id=repository_id)
    require(work, actor, Action.REPOSITORY_WRITE, repository)
    review = _get_review(work, pull, review_id)
    reason = check_title(reason, what="reason")
    if review.state not in _DECISIVE:
        raise Conflict("A comment is nothing that could be dismissed.", code="not_dismissable")
    dismissed = update(Review).where(Review.id == review.id, Review.dismissed_at.is_(None))
    values = {"dismissed_at": work.now(), "dismissed_by_id": actor.user_id, "dismissal": reason}
    if not discussions.count_of(work, dismissed.values(**values)):
        raise Conflict("This review was dismissed already.", code="review_dismissed")
    work.session.refresh(review)
    data = {"review_id": review.id, "user": review.user.name if review.user else "ghost", "reason": reason}
    discussions.record(work, pull.discussion, DiscussionEventType.REVIEW_DISMISSAL, data, user_id=actor.user_id)
    log.info("review_dismissed", review_id=review.id, actor_id=actor.user_id)
    return _with_counts(work, pull, [review])[0]


def _get_review(work: UnitOfWork, pull: PullRequest, review_id: int) -> Review:
    review: Review | None = work.session.scalar(
        select(Review)
        .where(Review.id == review_id, Review.discussion_id == pull.discussion_id)
        .options(joinedload(Review.user), joinedload(Review.dismissed_by))
    )
    if review is None:
        raise NotFound("There is no such review.", code="review_not_found")
    return review


# Reading.


def list_reviews(
    work: UnitOfWork, *, actor: Actor, repository_id: int, number: int, page: PageArgs | None = None
) -> Page[Given]:
    """The reviews of a pull request, the newest first. Raises NotFound (``pull_request_not_found``)."""
    page = page or PageArgs()
    pull = get_pull(work, actor=actor, repository_id=repository_id, number=number)
    mine = Review.discussion_id == pull.discussion_id
    total = work.session.scalar(select(func.count(Review.id)).where(mine)) or 0
    rows = work.session.scalars(
        select(Review)
        .where(mine)
        .options(joinedload(Review.user), joinedload(Review.dismissed_by))
        .order_by(Review.id.desc())
        .offset(page.offset)
        .limit(page.per)
    ).all()
    return Page(_with_counts(work, pull, rows), total)


def find_reviews(work: UnitOfWork, *, discussion_id: int, ids: Sequence[int]) -> dict[int, Review]:
    """Reviews of a discussion that one may read, by id, with who gave and who dismissed them. One query."""
    if not ids:
        return {}
    rows = work.session.scalars(
        select(Review)
        .where(Review.discussion_id == discussion_id, Review.id.in_(ids))
        .options(joinedload(Review.user), joinedload(Review.dismissed_by))
    )
    return {review.id: review for review in rows}


def _with_counts(work: UnitOfWork, pull: PullRequest, reviews: Sequence[Review]) -> list[Given]:
    ids = [review.id for review in reviews]
    counted = work.session.execute(
        select(Comment.review_id, func.count(Comment.id))
        .where(Comment.discussion_id == pull.discussion_id, Comment.review_id.in_(ids))
        .group_by(Comment.review_id)
    )
    counts: dict[Any, int] = dict(counted.all())
    return [Given(review, counts.get(review.id, 0)) for review in reviews]


def list_reviewers(context: Context, *, actor: Actor, repository: Repository, number: int) -> list[Reviewer]:
    """Who reviewed a pull request or was asked to, with what they say now, by name; at most 200 of each.

    Raises NotFound (``pull_request_not_found``); Conflict (``branch_not_found``).
    """
    with reading(context) as work:
        pull = get_pull(work, actor=actor, repository_id=repository.id, number=number)
    head = require_head(context, repository, pull)
    with reading(context) as work:
        last = or_(
            Review.id.in_(_last_words(pull.discussion_id, _DECISIVE)),
            Review.id.in_(_last_words(pull.discussion_id, tuple(ReviewState))),
        )
        reviews = work.session.scalars(
            select(Review)
            .where(last)
            .options(joinedload(Review.user), joinedload(Review.dismissed_by))
            .order_by(Review.id.desc())
            .limit(2 * MAX_REVIEWERS_SHOWN)
        ).all()
        requested = work.session.scalars(
            select(User)
            .join(ReviewRequest, ReviewRequest.user_id == User.id)
            .where(ReviewRequest.discussion_id == pull.discussion_id)
            .limit(MAX_REVIEWERS_SHOWN)
        ).all()
        people = {user.id: user for user in [*requested, *(review.user for review in reviews if review.user)]}
        heavy = {*work.session.scalars(select(User.id).where(User.id.in_(people), has_weight(repository)))}
    asked = {user.id for user in requested}
    found = []
    for user in sorted(people.values(), key=lambda user: user.name):
        mine = [review for review in reviews if review.user_id == user.id]
        decisive = [review for review in mine if review.state in _DECISIVE]
        review = next(iter(decisive or mine), None)
        state = "requested" if review is None else review.state.value
        if review is not None and review.dismissed_at is not None:
            state = "dismissed"
        is_stale = review is not None and review.commit_id != head
        has_say = user.id in heavy and user.id != pull.discussion.user_id
        found.append(Reviewer(user, state, user.id in asked, is_stale, has_say, review))
    return found
