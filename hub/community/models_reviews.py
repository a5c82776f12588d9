"""Reviews of pull requests, and conversations about lines; and e-mail that is to be sent."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from hub.accounts.models import User
from hub.db.base import Model, RowId


class ReviewState(StrEnum):
    """What a reviewer says. Of one reviewer the last that is no mere comment counts, unless it was dismissed."""

    COMMENTED = "commented"
    APPROVED = "approved"
    CHANGES = "changes"  # asked for


class Review(Model):
    """What somebody said of a pull request as a whole, of the commit that they saw."""

    __tablename__ = "reviews"
    __table_args__ = (Index(None, "discussion_id", "id"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    discussion_id: Mapped[int] = mapped_column(ForeignKey("discussions.id", ondelete="CASCADE"))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    state: Mapped[ReviewState]
    content: Mapped[str] = mapped_column(Text, default="")
    commit_id: Mapped[str] = mapped_column(String(40))
    dismissed_at: Mapped[datetime | None]
    dismissed_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    dismissal: Mapped[str] = mapped_column(String(255), default="")  # why
    created_at: Mapped[datetime]

    user: Mapped[User | None] = relationship(foreign_keys=[user_id])
    dismissed_by: Mapped[User | None] = relationship(foreign_keys=[dismissed_by_id])


class ReviewRequest(Model):
    """That somebody was asked to review a pull request; gone once they did."""

    __tablename__ = "review_requests"
    __table_args__ = (Index(None, "user_id"),)

    discussion_id: Mapped[int] = mapped_column(ForeignKey("discussions.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    asked_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    created_at: Mapped[datetime]

    user: Mapped[User] = relationship(foreign_keys=[user_id])


class ReviewThread(Model):
    """A conversation about lines of a file of a pull request; its comments name it.

    The lines are those of ``commit_id`` (side "new": the pull request's head when it began; "old": the base then).
    """

    __tablename__ = "review_threads"
    __table_args__ = (Index(None, "discussion_id", "id"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    discussion_id: Mapped[int] = mapped_column(ForeignKey("discussions.id", ondelete="CASCADE"))
    path: Mapped[str] = mapped_column(Text)
    side: Mapped[str] = mapped_column(String(8))  # "old" or "new"
    start_line: Mapped[int]  # from 1
    end_line: Mapped[int]
    commit_id: Mapped[str] = mapped_column(String(40))
    excerpt: Mapped[str] = mapped_column(Text, default="")  # the lines as they were, cut short
    resolved_at: Mapped[datetime | None]
    resolved_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    created_at: Mapped[datetime]

    resolved_by: Mapped[User | None] = relationship(foreign_keys=[resolved_by_id])


class MailState(StrEnum):
    """``pending``: not sent yet, or to be tried again."""

    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"


class Mail(Model):
    """An e-mail about one notification. Kept for a while, then pruned."""

    __tablename__ = "mails"
    __table_args__ = (UniqueConstraint("notification_uuid"), Index(None, "state", "id"), Index(None, "created_at"))

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    notification_uuid: Mapped[str] = mapped_column(String(36))
    state: Mapped[MailState] = mapped_column(default=MailState.PENDING)
    attempt: Mapped[int] = mapped_column(default=0)
    error: Mapped[str] = mapped_column(String(255), default="")
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
