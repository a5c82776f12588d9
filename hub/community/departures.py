"""What becomes of the discussions, the comments and the webhooks of an account that goes."""

from __future__ import annotations

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import aliased

from hub.accounts.service.departures import DEPARTURES, Departure
from hub.base.context import Context
from hub.community import own_data
from hub.community.models import Comment, Discussion, Webhook
from hub.community.models_reviews import Review, ReviewThread
from hub.community.reports import DIALECT
from hub.community.service.attachments import forget_attachments
from hub.db.uow import UnitOfWork


def install(context: Context) -> None:
    """Take part in the departures of accounts; done once, by ``build_context``."""
    context[DEPARTURES].add("community.discussions", take_discussions)
    context[DEPARTURES].add("community.webhooks", take_webhooks)
    own_data.install(context)


def take_discussions(work: UnitOfWork, departure: Departure) -> None:
    """Delete the discussions that the account began and what it said and attached elsewhere, if they are to go.

    Else they stay, without an author; and so do pull requests in any case, as the repository has their commits.
    """
    if not departure.with_discussions:
        return
    own = Comment.user_id == departure.user.id
    plain = (own, Comment.thread_id.is_(None))  # what is said about lines of files is not counted
    said = select(func.count(Comment.id)).where(*plain, Comment.discussion_id == Discussion.id).scalar_subquery()
    other = aliased(Comment)
    answered = select(other.id).where(
        other.thread_id == ReviewThread.id, other.user_id.is_distinct_from(departure.user.id)
    )
    begun = select(Comment.thread_id).where(own, Comment.thread_id.is_not(None))
    statements = (
        delete(Discussion).where(Discussion.user_id == departure.user.id, Discussion.is_pull_request.is_(False)),
        update(Discussion)
        .where(Discussion.id.in_(select(Comment.discussion_id).where(*plain)))
        .values(comment_count=Discussion.comment_count - said),
        delete(ReviewThread).where(ReviewThread.id.in_(begun), ~answered.exists()),
        delete(Review).where(Review.user_id == departure.user.id),
        delete(Comment).where(own),
    )
    forget_attachments(work, departure.user.id)
    for statement in statements:
        work.session.execute(statement.execution_options(synchronize_session=False))


def take_webhooks(work: UnitOfWork, departure: Departure) -> None:
    """Forget the webhooks that were the account's alone; those of repositories and namespaces are others', too."""
    own = delete(Webhook).where(Webhook.created_by_id == departure.user.id, Webhook.dialect == DIALECT)
    work.session.execute(own.execution_options(synchronize_session=False))
