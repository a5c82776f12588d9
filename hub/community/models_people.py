"""Who a discussion concerns and how it is sorted: labels, assignees, subscriptions, mentions, reactions."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from hub.accounts.models import User
from hub.db.base import Model, RowId


class DiscussionSettings(Model):
    """What a repository has of discussions; without a row: issues and pull requests, and no labels yet."""

    __tablename__ = "discussion_settings"

    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id", ondelete="CASCADE"), primary_key=True)
    has_issues: Mapped[bool] = mapped_column(default=True)
    has_pulls: Mapped[bool] = mapped_column(default=True)
    has_labels: Mapped[bool] = mapped_column(default=False)  # the labels that every repository begins with were made


class DiscussionLabel(Model):
    """A label that a repository has for its discussions and pull requests."""

    __tablename__ = "discussion_labels"
    __table_args__ = (UniqueConstraint("repository_id", "name_key"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(64))
    name_key: Mapped[str] = mapped_column(String(64))  # fold_name(name)
    color: Mapped[str] = mapped_column(String(7))  # "#fff000"
    description: Mapped[str] = mapped_column(String(255), default="")
    created_at: Mapped[datetime]


class LabelledDiscussion(Model):
    """That a discussion carries a label."""

    __tablename__ = "labelled_discussions"
    __table_args__ = (Index(None, "label_id"),)

    discussion_id: Mapped[int] = mapped_column(ForeignKey("discussions.id", ondelete="CASCADE"), primary_key=True)
    label_id: Mapped[int] = mapped_column(ForeignKey("discussion_labels.id", ondelete="CASCADE"), primary_key=True)


class Assignee(Model):
    """That somebody is to see to a discussion."""

    __tablename__ = "discussion_assignees"
    __table_args__ = (Index(None, "user_id"),)

    discussion_id: Mapped[int] = mapped_column(ForeignKey("discussions.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    created_at: Mapped[datetime]

    user: Mapped[User] = relationship()


class Mention(Model):
    """That somebody was named (``@name``) in a discussion."""

    __tablename__ = "discussion_mentions"
    __table_args__ = (Index(None, "user_id"),)

    discussion_id: Mapped[int] = mapped_column(ForeignKey("discussions.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    created_at: Mapped[datetime]


class Subscription(Model):
    """What somebody said about being told of a discussion; without a row: those who take part are told."""

    __tablename__ = "discussion_subscriptions"
    __table_args__ = (Index(None, "user_id"),)

    discussion_id: Mapped[int] = mapped_column(ForeignKey("discussions.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    is_wanted: Mapped[bool]
    created_at: Mapped[datetime]


class RepositoryWatch(Model):
    """What somebody said about being told of a repository; without a row: of what they take part in."""

    __tablename__ = "repository_watches"
    __table_args__ = (Index(None, "user_id"),)

    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    level: Mapped[str] = mapped_column(String(16))  # "all" or "ignore"
    created_at: Mapped[datetime]


class Reaction(Model):
    """That somebody answered a comment with a sign."""

    __tablename__ = "comment_reactions"
    __table_args__ = (Index(None, "user_id"),)

    comment_id: Mapped[int] = mapped_column(ForeignKey("comments.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    sign: Mapped[str] = mapped_column(String(16), primary_key=True)  # a word: "+1", "heart"
    created_at: Mapped[datetime]

    user: Mapped[User] = relationship()
