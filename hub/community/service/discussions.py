"""Discussions on repositories: threads of comments.

Whoever may read a repository may read what is said about it and, signed in, say something. Authors edit their own
words; they and whoever may write to the repository give a discussion another title or status, and hide comments;
authors and the repository's administrators delete. On an archived repository everything stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Delete, Update, delete, false, func, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import contains_eager, joinedload

from hub.accounts.models import Namespace, User
from hub.accounts.policy import Action, Actor, can, require
from hub.accounts.service import get_own_user
from hub.base.errors import Conflict, Denied, NotFound, NotSignedIn
from hub.base.events import publish
from hub.base.log import get_logger
from hub.base.names import fold_name
from hub.base.paging import Page, PageArgs
from hub.base.texts import is_storable
from hub.community import events
from hub.community.models import (
    Comment,
    Discussion,
    DiscussionCounter,
    DiscussionEvent,
    DiscussionEventType,
    DiscussionStatus,
)
from hub.community.models_reviews import ReviewThread
from hub.community.service.switches import require_on
from hub.community.service.texts import check_content, check_title
from hub.db.insert import insert_new
from hub.db.uow import UnitOfWork
from hub.repos.lookup import may_read
from hub.repos.models import Repository
from hub.repos.service import get_readable, is_live

log = get_logger(__name__)

OPEN = (DiscussionStatus.OPEN, DiscussionStatus.DRAFT)
CLOSED = (DiscussionStatus.CLOSED, DiscussionStatus.MERGED)


def list_discussions(
    work: UnitOfWork,
    *,
    actor: Actor,
    repository_id: int,
    page: PageArgs | None = None,
    is_pull_request: bool | None = False,
    is_open: bool | None = None,
    author: str = "",
) -> Page[Discussion]:
    """The discussions of a repository, the newest first, their authors loaded. Raises NotFound.

    is_pull_request: only pull requests, or none of them; None: both. is_open: open ones and drafts, or closed and
    merged ones; None: all. author: a user's name; "": whoever it was.
    """
    page = page or PageArgs()
    repository = get_readable(work, actor=actor, repository_id=repository_id)
    wanted = [Discussion.repository_id == repository.id]
    if is_pull_request is not None:
        wanted.append(Discussion.is_pull_request.is_(is_pull_request))
    if is_open is not None:
        wanted.append(Discussion.status.in_(OPEN if is_open else CLOSED))
    if author:
        # What the database could not even compare is nobody's name.
        is_author = Namespace.path_key == fold_name(author) if is_storable(author) else false()
        wanted.append(Discussion.user_id.in_(select(User.id).join(User.namespace).where(is_author)))
    total = work.session.scalar(select(func.count(Discussion.id)).where(*wanted)) or 0
    rows = work.session.scalars(
        select(Discussion)
        .where(*wanted)
        .options(joinedload(Discussion.user))
        .order_by(Discussion.id.desc())
        .offset(page.offset)
        .limit(page.per)
    ).all()
    return Page(rows, total)


def count_opened(work: UnitOfWork, *, actor: Actor, user: User) -> int:
    """How many discussions and pull requests a user opened, of those that the actor may see. One query."""
    query = select(func.count(Discussion.id)).join(Discussion.repository)
    return work.session.scalar(query.where(Discussion.user_id == user.id, is_live(), may_read(actor))) or 0


def get_discussion(work: UnitOfWork, *, actor: Actor, discussion_id: int) -> Discussion:
    """A discussion with its repository and author loaded.

    Raises NotFound (``discussion_not_found``), also where the actor may not read the repository.
    """
    discussion: Discussion | None = work.session.scalar(
        select(Discussion)
        .join(Discussion.repository)
        .where(Discussion.id == discussion_id, is_live())
        .options(contains_eager(Discussion.repository), joinedload(Discussion.user))
    )
    if discussion is None or not can(work, actor, Action.REPOSITORY_READ, discussion.repository):
        raise no_discussion()
    return discussion


def get_numbered(work: UnitOfWork, *, actor: Actor, repository_id: int, number: int) -> Discussion:
    """A discussion by its number in a repository, with what ``get_discussion`` loads. Raises as that does."""
    wanted = (Discussion.repository_id == repository_id, Discussion.number == number)
    found = work.session.scalar(select(Discussion.id).where(*wanted))
    if found is None:
        raise no_discussion()
    return get_discussion(work, actor=actor, discussion_id=found)


def create_discussion(
    work: UnitOfWork, *, actor: Actor, repository_id: int, title: str, description: str = ""
) -> Discussion:
    """A new discussion. description: becomes its first comment; "" for none.

    Raises Invalid (``REQ-ERR-6``), NotFound, NotSignedIn, Denied (``issues_disabled``).
    """
    repository = get_readable(work, actor=actor, repository_id=repository_id)
    author = require_voice(work, actor, repository)
    require_on(work, repository.id, is_pull_request=False)
    number, has_comment = next_number(work, repository.id), bool(description.strip())
    discussion = add_discussion(work, repository, author, title=title, number=number)
    publish(work, events.DiscussionCreated(discussion.id, repository.id, actor.user_id, has_comment))
    if has_comment:
        comment = add_comment(work, discussion, author, content=description)
        said = events.CommentCreated(comment.id, discussion.id, repository.id, actor.user_id, is_opening=True)
        publish(work, said)
        work.session.refresh(discussion, ["comment_count"])
    log.info("discussion_created", discussion_id=discussion.id, repository_id=repository.id, actor_id=actor.user_id)
    return discussion


def next_number(work: UnitOfWork, repository_id: int) -> int:
    """The number for a new discussion of a repository, never to be given again.

    Who asks at the same moment waits for the end of this unit of work.
    """
    counted = (
        update(DiscussionCounter)
        .where(DiscussionCounter.repository_id == repository_id)
        .values(last_number=DiscussionCounter.last_number + 1)
        .returning(DiscussionCounter.last_number)
        .execution_options(synchronize_session=False)
    )
    number = work.session.scalar(counted)
    if number is None:
        insert_new(work.session, DiscussionCounter, [{"repository_id": repository_id, "last_number": 0}])
        number = work.session.scalar(counted)
    assert number is not None  # the row is there, and stays as long as the repository
    return number


def add_discussion(
    work: UnitOfWork,
    repository: Repository,
    author: User,
    *,
    title: str,
    number: int,
    status: DiscussionStatus = DiscussionStatus.OPEN,
    is_pull_request: bool = False,
) -> Discussion:
    """The row of a new discussion; rights were judged. Raises Invalid (``REQ-ERR-6``)."""
    now = work.now()
    discussion = Discussion(
        repository_id=repository.id,
        repository=repository,
        number=number,
        user_id=author.id,
        user=author,
        title=check_title(title),
        status=status,
        is_pull_request=is_pull_request,
        created_at=now,
        updated_at=now,
    )
    work.session.add(discussion)
    work.session.flush()
    return discussion


def update_discussion(work: UnitOfWork, *, actor: Actor, discussion_id: int, title: str) -> Discussion:
    """The discussion under another title. Raises Invalid (``REQ-ERR-6``), NotFound, NotSignedIn, Denied."""
    discussion = get_discussion(work, actor=actor, discussion_id=discussion_id)
    require_author(work, actor, discussion.repository, discussion.user_id, or_writer=True)
    require_unlocked(work, actor, discussion)
    title = check_title(title)
    if title != discussion.title:
        was = discussion.title
        changed = update(Discussion).where(Discussion.id == discussion_id)
        if not count_of(work, changed.values(title=title, updated_at=work.now())):
            raise no_discussion()
        work.session.refresh(discussion, ["title", "updated_at"])
        record(work, discussion, DiscussionEventType.TITLE_CHANGE, {"from": was, "to": title}, user_id=actor.user_id)
        publish(work, events.DiscussionUpdated(discussion.id, discussion.repository_id, actor.user_id))
    return discussion


def record(
    work: UnitOfWork,
    discussion: Discussion,
    type: DiscussionEventType,
    data: dict[str, Any],
    *,
    user_id: int | None,
) -> DiscussionEvent:
    """Write down what happened in a discussion."""
    event = DiscussionEvent(discussion_id=discussion.id, user_id=user_id, type=type, data=data, created_at=work.now())
    work.session.add(event)
    work.session.flush()
    return event


def delete_discussion(work: UnitOfWork, *, actor: Actor, discussion_id: int) -> None:
    """Remove a discussion with its comments: the author's own, or any for those who administer the repository.

    Raises NotFound, NotSignedIn, Denied; Conflict (``pull_request``): pull requests are closed, and stay.
    """
    discussion = get_discussion(work, actor=actor, discussion_id=discussion_id)
    require_author(work, actor, discussion.repository, discussion.user_id, or_admin=True)
    if discussion.is_pull_request:
        raise Conflict("A pull request cannot be deleted; close it instead.", code="pull_request")
    if not count_of(work, delete(Discussion).where(Discussion.id == discussion_id)):
        raise no_discussion()
    deleted = events.DiscussionDeleted(discussion_id, discussion.repository_id, discussion.title, actor.user_id)
    publish(work, deleted)
    log.info("discussion_deleted", discussion_id=discussion_id, actor_id=actor.user_id)


# Comments.


def list_comments(work: UnitOfWork, *, actor: Actor, discussion_id: int, page: PageArgs | None = None) -> Page[Comment]:
    """The comments of a discussion, the newest first, their authors loaded; without those about lines of files.

    Raises NotFound.
    """
    discussion = get_discussion(work, actor=actor, discussion_id=discussion_id)
    return Page(_comments(work, discussion, page or PageArgs()), discussion.comment_count)


def show_discussion(
    work: UnitOfWork, *, actor: Actor, discussion_id: int, page: PageArgs | None = None
) -> tuple[Discussion, Page[Comment]]:
    """A discussion together with a page of its comments. Raises NotFound."""
    discussion = get_discussion(work, actor=actor, discussion_id=discussion_id)
    return discussion, Page(_comments(work, discussion, page or PageArgs()), discussion.comment_count)


def _comments(work: UnitOfWork, discussion: Discussion, page: PageArgs) -> Sequence[Comment]:
    return work.session.scalars(
        select(Comment)
        .where(Comment.discussion_id == discussion.id, Comment.thread_id.is_(None))
        .options(joinedload(Comment.user))
        .order_by(Comment.id.desc())
        .offset(page.offset)
        .limit(page.per)
    ).all()


def create_comment(work: UnitOfWork, *, actor: Actor, discussion_id: int, content: str) -> Comment:
    """A comment in a discussion.

    Raises Invalid (``REQ-ERR-6``), NotFound, NotSignedIn; Denied, also where it is locked (``discussion_locked``).
    """
    discussion = get_discussion(work, actor=actor, discussion_id=discussion_id)
    author = require_voice(work, actor, discussion.repository)
    require_unlocked(work, actor, discussion)
    comment = add_comment(work, discussion, author, content=content)
    publish(work, events.CommentCreated(comment.id, discussion_id, discussion.repository_id, actor.user_id))
    log.info("comment_created", comment_id=comment.id, discussion_id=discussion_id, actor_id=actor.user_id)
    return comment


def add_comment(work: UnitOfWork, discussion: Discussion, author: User, *, content: str) -> Comment:
    """The row of a new comment, of which nobody is told; rights were judged. Raises Invalid (``REQ-ERR-6``)."""
    content = check_content(content)
    now = work.now()
    # First, as it also keeps somebody else from deleting the discussion before this is committed.
    counted = update(Discussion).where(Discussion.id == discussion.id)
    if not count_of(work, counted.values(comment_count=Discussion.comment_count + 1, updated_at=now)):
        raise no_discussion()
    comment = Comment(
        discussion_id=discussion.id, user_id=author.id, user=author, content=content, created_at=now, updated_at=now
    )
    work.session.add(comment)
    work.session.flush()
    return comment


def update_comment(work: UnitOfWork, *, actor: Actor, discussion_id: int, comment_id: int, content: str) -> Comment:
    """The author's comment with other words. Raises Invalid (``REQ-ERR-6``), NotFound, NotSignedIn, Denied."""
    discussion = get_discussion(work, actor=actor, discussion_id=discussion_id)
    comment = get_comment(work, discussion, comment_id)
    require_author(work, actor, discussion.repository, comment.user_id)
    require_unlocked(work, actor, discussion)
    content = check_content(content)
    if content != comment.content:
        changed = update(Comment).where(Comment.id == comment_id)
        if not count_of(work, changed.values(content=content, updated_at=work.now())):
            raise _no_comment()
        work.session.refresh(comment, ["content", "updated_at"])
        publish(work, events.CommentUpdated(comment.id, discussion.id, discussion.repository_id, actor.user_id))
    return comment


def delete_comment(work: UnitOfWork, *, actor: Actor, discussion_id: int, comment_id: int) -> None:
    """Remove a comment: the author's own, or any for those who administer the repository.

    Raises NotFound, NotSignedIn, Denied.
    """
    discussion = get_discussion(work, actor=actor, discussion_id=discussion_id)
    comment = get_comment(work, discussion, comment_id)
    require_author(work, actor, discussion.repository, comment.user_id, or_admin=True)
    # Only who really removed it takes one off: two may ask at once.
    if not count_of(work, delete(Comment).where(Comment.id == comment_id)):
        raise _no_comment()
    if comment.thread_id is None:
        less = update(Discussion).where(Discussion.id == discussion_id)
        count_of(work, less.values(comment_count=Discussion.comment_count - 1))
    else:
        # A conversation about lines is gone with its last word.
        said = select(Comment.id).where(Comment.thread_id == comment.thread_id)
        count_of(work, delete(ReviewThread).where(ReviewThread.id == comment.thread_id, ~said.exists()))
    publish(work, events.CommentDeleted(comment_id, discussion_id, discussion.repository_id, actor.user_id))
    log.info("comment_deleted", comment_id=comment_id, discussion_id=discussion_id, actor_id=actor.user_id)


def get_comment(work: UnitOfWork, discussion: Discussion, comment_id: int) -> Comment:
    """A comment of a discussion, its author loaded. Raises NotFound (``comment_not_found``)."""
    comment: Comment | None = work.session.scalar(
        select(Comment)
        .where(Comment.id == comment_id, Comment.discussion_id == discussion.id)
        .options(joinedload(Comment.user))
    )
    if comment is None:
        raise _no_comment()
    return comment


def require_voice(work: UnitOfWork, actor: Actor, repository: Repository) -> User:
    """The actor's account, when they may say something on a repository that they read.

    Raises NotSignedIn; Denied when it is archived, or the credential is for reading only.
    """
    author = get_own_user(work, actor=actor)
    require(work, actor, Action.ACCOUNT_WRITE, author, what="user")
    if repository.is_frozen:
        raise Denied("This repository is archived and can only be read.", code="archived")
    return author


def require_unlocked(work: UnitOfWork, actor: Actor, discussion: Discussion) -> None:
    """Return when the actor may say something although the discussion may be locked. Raises Denied."""
    if discussion.locked_at is not None and not can(work, actor, Action.REPOSITORY_WRITE, discussion.repository):
        raise Denied(
            "This discussion is locked: only who may write to the repository says something in it.",
            code="discussion_locked",
        )


def require_author(
    work: UnitOfWork,
    actor: Actor,
    repository: Repository,
    author_id: int | None,
    *,
    or_admin: bool = False,
    or_writer: bool = False,
) -> None:
    """Return when the actor said it, or may administer (or write to) the repository. Raises NotSignedIn, Denied."""
    if actor.is_anonymous:
        raise NotSignedIn("Sign in, or send an access token, to do this.")
    if not actor.is_system:
        require_voice(work, actor, repository)
    if actor.user_id is not None and actor.user_id == author_id:
        return
    if or_admin and can(work, actor, Action.REPOSITORY_ADMIN, repository):
        return
    if or_writer and can(work, actor, Action.REPOSITORY_WRITE, repository):
        return
    who = "the author"
    if or_admin:
        who = "the author or who administers the repository"
    elif or_writer:
        who = "the author or who may write to the repository"
    raise Denied(f"Only {who} may do this.")


def count_of(work: UnitOfWork, statement: Update | Delete) -> int:
    """Run a statement past the session's rows, so that two at once both count; how many rows it met."""
    result = work.session.execute(statement.execution_options(synchronize_session=False))
    assert isinstance(result, CursorResult)
    return result.rowcount


def no_discussion() -> NotFound:
    """There is none, or the actor may not know of it."""
    return NotFound("There is no such discussion, or you may not see it.", code="discussion_not_found")


def _no_comment() -> NotFound:
    return NotFound("There is no such comment.", code="comment_not_found")
