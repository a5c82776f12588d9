"""Discussions on repositories: threads of comments.

Whoever may read a repository may read what is said about it and, signed in, say something. Authors edit their own;
authors and the repository's administrators delete. On an archived repository everything stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Delete, Update, delete, func, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import contains_eager, joinedload

from hub.accounts.models import User
from hub.accounts.policy import Action, Actor, can, require
from hub.accounts.service import get_own_user
from hub.base.errors import Denied, NotFound, NotSignedIn
from hub.base.events import publish
from hub.base.log import get_logger
from hub.base.paging import Page, PageArgs
from hub.community import events
from hub.community.models import Comment, Discussion
from hub.community.service.texts import check_content, check_title
from hub.db.uow import UnitOfWork
from hub.repos.models import Repository
from hub.repos.service import get_readable, is_live

log = get_logger(__name__)


def list_discussions(
    work: UnitOfWork, *, actor: Actor, repository_id: int, page: PageArgs | None = None
) -> Page[Discussion]:
    """The discussions of a repository, the newest first, their authors loaded. Raises NotFound."""
    page = page or PageArgs()
    repository = get_readable(work, actor=actor, repository_id=repository_id)
    of_repository = Discussion.repository_id == repository.id
    total = work.session.scalar(select(func.count(Discussion.id)).where(of_repository)) or 0
    rows = work.session.scalars(
        select(Discussion)
        .where(of_repository)
        .options(joinedload(Discussion.user))
        .order_by(Discussion.id.desc())
        .offset(page.offset)
        .limit(page.per)
    ).all()
    return Page(rows, total)


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
        raise _no_discussion()
    return discussion


def create_discussion(work: UnitOfWork, *, actor: Actor, repository_id: int, title: str) -> Discussion:
    """A new discussion without comments. Raises Invalid (``REQ-ERR-6``), NotFound, NotSignedIn, Denied."""
    repository = get_readable(work, actor=actor, repository_id=repository_id)
    author = _require_voice(work, actor, repository)
    now = work.now()
    discussion = Discussion(
        repository_id=repository.id,
        repository=repository,
        user_id=author.id,
        user=author,
        title=check_title(title),
        created_at=now,
        updated_at=now,
    )
    work.session.add(discussion)
    work.session.flush()
    publish(work, events.DiscussionCreated(discussion.id, repository.id, actor.user_id))
    log.info("discussion_created", discussion_id=discussion.id, repository_id=repository.id, actor_id=actor.user_id)
    return discussion


def update_discussion(work: UnitOfWork, *, actor: Actor, discussion_id: int, title: str) -> Discussion:
    """The author's discussion under another title. Raises Invalid (``REQ-ERR-6``), NotFound, NotSignedIn, Denied."""
    discussion = get_discussion(work, actor=actor, discussion_id=discussion_id)
    _require_author(work, actor, discussion.repository, discussion.user_id)
    title = check_title(title)
    if title != discussion.title:
        changed = update(Discussion).where(Discussion.id == discussion_id)
        if not _count(work, changed.values(title=title, updated_at=work.now())):
            raise _no_discussion()
        work.session.refresh(discussion, ["title", "updated_at"])
        publish(work, events.DiscussionUpdated(discussion.id, discussion.repository_id, actor.user_id))
    return discussion


def delete_discussion(work: UnitOfWork, *, actor: Actor, discussion_id: int) -> None:
    """Remove a discussion with its comments: the author's own, or any for those who administer the repository.

    Raises NotFound, NotSignedIn, Denied.
    """
    discussion = get_discussion(work, actor=actor, discussion_id=discussion_id)
    _require_author(work, actor, discussion.repository, discussion.user_id, or_admin=True)
    if not _count(work, delete(Discussion).where(Discussion.id == discussion_id)):
        raise _no_discussion()
    deleted = events.DiscussionDeleted(discussion_id, discussion.repository_id, discussion.title, actor.user_id)
    publish(work, deleted)
    log.info("discussion_deleted", discussion_id=discussion_id, actor_id=actor.user_id)


# Comments.


def list_comments(work: UnitOfWork, *, actor: Actor, discussion_id: int, page: PageArgs | None = None) -> Page[Comment]:
    """The comments of a discussion, the newest first, their authors loaded. Raises NotFound."""
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
        .where(Comment.discussion_id == discussion.id)
        .options(joinedload(Comment.user))
        .order_by(Comment.id.desc())
        .offset(page.offset)
        .limit(page.per)
    ).all()


def create_comment(work: UnitOfWork, *, actor: Actor, discussion_id: int, content: str) -> Comment:
    """A comment in a discussion. Raises Invalid (``REQ-ERR-6``), NotFound, NotSignedIn, Denied."""
    discussion = get_discussion(work, actor=actor, discussion_id=discussion_id)
    author = _require_voice(work, actor, discussion.repository)
    content = check_content(content)
    now = work.now()
    # First, as it also keeps somebody else from deleting the discussion before this is committed.
    counted = update(Discussion).where(Discussion.id == discussion_id)
    if not _count(work, counted.values(comment_count=Discussion.comment_count + 1, updated_at=now)):
        raise _no_discussion()
    comment = Comment(
        discussion_id=discussion_id, user_id=author.id, user=author, content=content, created_at=now, updated_at=now
    )
    work.session.add(comment)
    work.session.flush()
    publish(work, events.CommentCreated(comment.id, discussion_id, discussion.repository_id, actor.user_id))
    log.info("comment_created", comment_id=comment.id, discussion_id=discussion_id, actor_id=actor.user_id)
    return comment


def update_comment(work: UnitOfWork, *, actor: Actor, discussion_id: int, comment_id: int, content: str) -> Comment:
    """The author's comment with other words. Raises Invalid (``REQ-ERR-6``), NotFound, NotSignedIn, Denied."""
    discussion = get_discussion(work, actor=actor, discussion_id=discussion_id)
    comment = _get_comment(work, discussion, comment_id)
    _require_author(work, actor, discussion.repository, comment.user_id)
    content = check_content(content)
    if content != comment.content:
        changed = update(Comment).where(Comment.id == comment_id)
        if not _count(work, changed.values(content=content, updated_at=work.now())):
            raise _no_comment()
        work.session.refresh(comment, ["content", "updated_at"])
        publish(work, events.CommentUpdated(comment.id, discussion.id, discussion.repository_id, actor.user_id))
    return comment


def delete_comment(work: UnitOfWork, *, actor: Actor, discussion_id: int, comment_id: int) -> None:
    """Remove a comment: the author's own, or any for those who administer the repository.

    Raises NotFound, NotSignedIn, Denied.
    """
    discussion = get_discussion(work, actor=actor, discussion_id=discussion_id)
    comment = _get_comment(work, discussion, comment_id)
    _require_author(work, actor, discussion.repository, comment.user_id, or_admin=True)
    # Only who really removed it takes one off: two may ask at once.
    if not _count(work, delete(Comment).where(Comment.id == comment_id)):
        raise _no_comment()
    less = update(Discussion).where(Discussion.id == discussion_id)
    _count(work, less.values(comment_count=Discussion.comment_count - 1))
    publish(work, events.CommentDeleted(comment_id, discussion_id, discussion.repository_id, actor.user_id))
    log.info("comment_deleted", comment_id=comment_id, discussion_id=discussion_id, actor_id=actor.user_id)


def _get_comment(work: UnitOfWork, discussion: Discussion, comment_id: int) -> Comment:
    comment: Comment | None = work.session.scalar(
        select(Comment)
        .where(Comment.id == comment_id, Comment.discussion_id == discussion.id)
        .options(joinedload(Comment.user))
    )
    if comment is None:
        raise _no_comment()
    return comment


def _require_voice(work: UnitOfWork, actor: Actor, repository: Repository) -> User:
    """The actor's account, when they may say something on a repository that they read.

    Raises NotSignedIn; Denied when it is archived, or the credential is for reading only.
    """
    author = get_own_user(work, actor=actor)
    require(work, actor, Action.ACCOUNT_WRITE, author, what="user")
    if repository.is_frozen:
        raise Denied("This repository is archived and can only be read.", code="archived")
    return author


def _require_author(
    work: UnitOfWork, actor: Actor, repository: Repository, author_id: int | None, *, or_admin: bool = False
) -> None:
    if actor.is_anonymous:
        raise NotSignedIn("Sign in, or send an access token, to do this.")
    if not actor.is_system:
        _require_voice(work, actor, repository)
    if actor.user_id is not None and actor.user_id == author_id:
        return
    if not (or_admin and can(work, actor, Action.REPOSITORY_ADMIN, repository)):
        who = "the author or who administers the repository" if or_admin else "the author"
        raise Denied(f"Only {who} may do this.")


def _count(work: UnitOfWork, statement: Update | Delete) -> int:
    """Run a statement past the session's rows, so that two at once both count; how many rows it met."""
    result = work.session.execute(statement.execution_options(synchronize_session=False))
    assert isinstance(result, CursorResult)
    return result.rowcount


def _no_discussion() -> NotFound:
    return NotFound("There is no such discussion, or you may not see it.", code="discussion_not_found")


def _no_comment() -> NotFound:
    return NotFound("There is no such comment.", code="comment_not_found")
