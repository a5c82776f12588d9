"""Tables of discussions, notifications, broadcasts, client events and webhooks."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, false, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from hub.accounts.models import Namespace, User
from hub.community import models_merging, models_people, models_reviews  # noqa: F401 - their tables are this room's
from hub.db.base import Model, RowId, new_uuid
from hub.repos.models import Repository

# What stands in the place of a comment that its author, or who may write to the repository, has hidden.
HIDDEN_CONTENT = "This comment has been hidden."


PINNED = "pinned_at IS NOT NULL"


class DiscussionStatus(StrEnum):
    """What a discussion is at. Source: Hugging Face contract, section 9. Only pull requests are drafts or merged."""

    OPEN = "open"
    DRAFT = "draft"
    CLOSED = "closed"
    MERGED = "merged"


class Discussion(Model):
    """A thread of comments on a repository; a pull request is one, too."""

    __tablename__ = "discussions"
    __table_args__ = (
        Index(None, "repository_id", "id"),
        Index("uq_discussions_repository_id_number", "repository_id", "number", unique=True),
        Index("ix_discussions_pinned", "repository_id", sqlite_where=text(PINNED), postgresql_where=text(PINNED)),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id", ondelete="CASCADE"))
    # Counts from 1 in each repository, and no number is given twice.
    number: Mapped[int] = mapped_column(server_default="0")
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    title: Mapped[str] = mapped_column(String(255))
    status: Mapped[DiscussionStatus] = mapped_column(default=DiscussionStatus.OPEN, server_default="open")
    is_pull_request: Mapped[bool] = mapped_column(default=False, server_default=false())
    comment_count: Mapped[int] = mapped_column(RowId, default=0)
    locked_at: Mapped[datetime | None]  # set: only who may write to the repository says something
    pinned_at: Mapped[datetime | None]  # set: shown before the others
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    repository: Mapped[Repository] = relationship()
    user: Mapped[User | None] = relationship()


class Comment(Model):
    """What somebody said in a discussion."""

    __tablename__ = "comments"
    __table_args__ = (Index(None, "discussion_id", "id"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    discussion_id: Mapped[int] = mapped_column(ForeignKey("discussions.id", ondelete="CASCADE"))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    content: Mapped[str] = mapped_column(Text)
    hidden_at: Mapped[datetime | None]  # set: nobody is shown the content any more
    # The conversation about lines, and the review, that it belongs to (``models_reviews``); no foreign keys: they go
    # with the discussion, as this does, and SQLite would rebuild the table for them.
    thread_id: Mapped[int | None] = mapped_column(RowId, index=True)
    review_id: Mapped[int | None] = mapped_column(RowId)
    applied_commit: Mapped[str | None] = mapped_column(String(40))  # the commit that took its suggestion
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    user: Mapped[User | None] = relationship()

    @property
    def shown_content(self) -> str:
        """The content as readers see it."""
        return HIDDEN_CONTENT if self.hidden_at is not None else self.content

    @property
    def is_edited(self) -> bool:
        return self.updated_at > self.created_at


class DiscussionCounter(Model):
    """The last number that a repository's discussions were given."""

    __tablename__ = "discussion_counters"

    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id", ondelete="CASCADE"), primary_key=True)
    last_number: Mapped[int] = mapped_column(default=0)


class DiscussionEventType(StrEnum):
    """What can happen in a discussion besides comments. Source: Hugging Face contract, section 9."""

    STATUS_CHANGE = "status-change"  # data: {"status"}
    TITLE_CHANGE = "title-change"  # data: {"from", "to"}
    COMMIT = "commit"  # data: {"oid"}, where the pull request's ref went
    # The following are not of Hugging Face's.
    BASE_CHANGE = "base-change"  # data: {"from", "to"}, branches
    LABELLED = "labelled"  # data: {"labels": [{"name", "color"}]}
    UNLABELLED = "unlabelled"
    ASSIGNED = "assigned"  # data: {"user_ids"}
    UNASSIGNED = "unassigned"
    LOCKED = "locked"  # data: {"reason"}
    UNLOCKED = "unlocked"
    PINNED = "pinned"
    UNPINNED = "unpinned"
    REFERENCED = "referenced"  # data: {"discussion_id"}, where it was named
    REVIEW = "review"  # data: {"review_id", "state"}; not of Hugging Face's, as all that follow
    REVIEW_DISMISSAL = "review-dismissal"  # data: {"review_id", "user", "reason"}
    REVIEW_REQUEST = "review-request"  # data: {"user", "is_withdrawn"}


class DiscussionEvent(Model):
    """Something that happened in a discussion, besides comments."""

    __tablename__ = "discussion_events"
    __table_args__ = (Index(None, "discussion_id", "id"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    discussion_id: Mapped[int] = mapped_column(ForeignKey("discussions.id", ondelete="CASCADE"))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    type: Mapped[DiscussionEventType]
    data: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]

    user: Mapped[User | None] = relationship()


class PullRequest(Model):
    """What a discussion that is a pull request has besides: which branch it is for, and how it was merged.

    The commits that it proposes are those of the ref ``refs/pr/<number>`` in the repository.
    """

    __tablename__ = "pull_requests"
    __table_args__ = (
        Index(None, "repository_id", "base_ref"),
        Index(None, "source_repository_id", "source_ref"),
    )

    discussion_id: Mapped[int] = mapped_column(ForeignKey("discussions.id", ondelete="CASCADE"), primary_key=True)
    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id", ondelete="CASCADE"))  # the discussion's
    base_ref: Mapped[str] = mapped_column(String(255))  # refs/heads/...
    opened_commit: Mapped[str] = mapped_column(String(40))  # where the base was when it was opened
    start_commit: Mapped[str] = mapped_column(String(40))  # where its own ref began
    base_commit: Mapped[str | None] = mapped_column(String(40))  # where the base was before the merge
    head_commit: Mapped[str | None] = mapped_column(String(40))  # what was merged
    merge_commit: Mapped[str | None] = mapped_column(String(40))  # where the base was after it
    merged_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    merged_at: Mapped[datetime | None]
    # The branch that it follows, of this repository or of a fork; empty: its ref is committed to.
    source_repository_id: Mapped[int | None] = mapped_column(RowId)
    source_ref: Mapped[str] = mapped_column(String(255), default="", server_default="")
    merge_method: Mapped[str] = mapped_column(String(16), default="", server_default="")  # by which it was merged
    # What a merge is about to do (base, head, result, method, actor_id), so that its death leaves no doubt.
    merge_intent: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")

    discussion: Mapped[Discussion] = relationship()
    merged_by: Mapped[User | None] = relationship()


class Attachment(Model):
    """A picture, sound or film that belongs to what somebody says; its bytes are in the object store."""

    __tablename__ = "attachments"

    uuid: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_uuid)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    media_type: Mapped[str] = mapped_column(String(32))
    size_bytes: Mapped[int] = mapped_column(RowId)
    created_at: Mapped[datetime]


class NotificationType(StrEnum):
    """What a notification is about. Source: CSGHub contract, section 4.7."""

    SYSTEM = "system"
    COMMENT = "comment"
    ORGANIZATION = "organization"
    ASSET = "asset_management"
    DEPLOYMENT = "deployment"


class NotificationEvent(StrEnum):
    """What happened that a notification tells of: finer than its type, for people to choose by. Ours."""

    COMMENT = "comment"
    MENTION = "mention"  # named, or asked to see to something
    REVIEW_REQUEST = "review_request"
    ORGANIZATION = "organization"
    ASSET = "asset_management"
    DEPLOYMENT = "deployment"
    SYSTEM = "system"

    @property
    def type(self) -> NotificationType:
        """The type of its notifications, by which the platform's clients sort them."""
        if self in (NotificationEvent.MENTION, NotificationEvent.REVIEW_REQUEST):
            return NotificationType.COMMENT
        return NotificationType(self.value)


class Notification(Model):
    """Something that one user is told."""

    __tablename__ = "notifications"
    # By the second the unread are counted, by the third the old ones pruned.
    __table_args__ = (Index(None, "user_id", "id"), Index(None, "user_id", "read_at"), Index(None, "read_at"))

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    # Derived from the message and the receiver: whatever is sent twice is told once.
    uuid: Mapped[str] = mapped_column(String(36), unique=True, default=new_uuid)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    # Wider than other words: "asset_management" is just 16 long.
    type: Mapped[str] = mapped_column(String(32))  # a NotificationType
    title: Mapped[str] = mapped_column(String(255))
    summary: Mapped[str] = mapped_column(String(255), default="")
    content: Mapped[str] = mapped_column(Text, default="")
    url: Mapped[str] = mapped_column(String(512), default="")  # where it leads, a path on this hub
    sender_uuid: Mapped[str] = mapped_column(String(36), default="")  # a user's; empty: the hub
    event: Mapped[str] = mapped_column(String(32), default="", server_default="")  # a NotificationEvent
    archived_at: Mapped[datetime | None]  # set: put away by the reader
    notified_at: Mapped[datetime | None]  # when a client that polls was given it
    read_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class NotificationSetting(Model):
    """What a user wants to be told; without a row: everything."""

    __tablename__ = "notification_settings"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    types: Mapped[list[Any]]  # those that are wanted
    wants_email: Mapped[bool] = mapped_column(default=False)
    options: Mapped[dict[str, Any]]  # further members of the wire, kept as they came
    updated_at: Mapped[datetime]


class Broadcast(Model):
    """A message of the administrators to everybody."""

    __tablename__ = "broadcasts"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    content: Mapped[str] = mapped_column(Text)
    form: Mapped[str] = mapped_column(String(16), default="banner")  # or message
    theme: Mapped[str] = mapped_column(String(16), default="light")  # or dark
    is_active: Mapped[bool] = mapped_column(default=True, index=True)
    starts_at: Mapped[datetime | None]  # None: as soon as it is active
    ends_at: Mapped[datetime | None]  # None: until somebody ends it
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    def is_shown(self, now: datetime) -> bool:
        """Whether its time is now."""
        has_begun = self.starts_at is None or self.starts_at <= now
        return self.is_active and has_begun and (self.ends_at is None or self.ends_at > now)


class ClientEvent(Model):
    """What a client's page or program reports of its use. Kept for a while, then pruned."""

    __tablename__ = "client_events"
    __table_args__ = (Index(None, "created_at"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    module: Mapped[str] = mapped_column(String(64))
    event: Mapped[str] = mapped_column(String(64))
    value: Mapped[str] = mapped_column(String(255), default="")
    extension: Mapped[str] = mapped_column(Text, default="")
    address: Mapped[str] = mapped_column(String(64), default="")
    created_at: Mapped[datetime]


class Webhook(Model):
    """An address that is told what happens: to one repository, to all of a namespace, or (neither) to the whole hub."""

    __tablename__ = "webhooks"
    __table_args__ = (Index(None, "repository_id"), Index(None, "namespace_id"))

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True, default=new_uuid)
    repository_id: Mapped[int | None] = mapped_column(ForeignKey("repositories.id", ondelete="CASCADE"))
    namespace_id: Mapped[int | None] = mapped_column(ForeignKey("namespaces.id", ondelete="CASCADE"))
    # In whose name it is told: who saved it last.
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    name: Mapped[str] = mapped_column(String(64), default="")
    url: Mapped[str] = mapped_column(String(2048))
    sealed_secret: Mapped[str] = mapped_column(Text, default="")  # encrypted; empty: deliveries are not signed
    topics: Mapped[list[Any]]  # names in the registry of topics; empty: all
    # In whose form its messages are; empty: this hub's own. "hf": it hears of what its watches name, and of no place.
    dialect: Mapped[str] = mapped_column(String(8), default="", server_default="")
    is_active: Mapped[bool] = mapped_column(default=True)
    failure_count: Mapped[int] = mapped_column(default=0)  # deliveries in a row that failed for good
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    repository: Mapped[Repository | None] = relationship()
    namespace: Mapped[Namespace | None] = relationship()
    created_by: Mapped[User | None] = relationship()


class WebhookWatch(Model):
    """One thing that a webhook of another hub's form hears of: a repository, or all of a namespace."""

    __tablename__ = "webhook_watches"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    webhook_id: Mapped[int] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"), index=True)
    repository_id: Mapped[int | None] = mapped_column(ForeignKey("repositories.id", ondelete="CASCADE"), index=True)
    namespace_id: Mapped[int | None] = mapped_column(ForeignKey("namespaces.id", ondelete="CASCADE"), index=True)


class DeliveryState(StrEnum):
    """``pending``: not sent yet, or to be tried again."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class WebhookDelivery(Model):
    """One message to a webhook and what became of it. Kept for a while, then pruned."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (Index(None, "webhook_id", "id"), Index(None, "created_at"))

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True, default=new_uuid)
    webhook_id: Mapped[int] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"))
    event_id: Mapped[str] = mapped_column(String(36))  # the same for every webhook, and for redeliveries
    topic: Mapped[str] = mapped_column(String(64))
    payload: Mapped[str] = mapped_column(Text)  # the very body that is signed and sent
    state: Mapped[DeliveryState] = mapped_column(default=DeliveryState.PENDING)
    attempt: Mapped[int] = mapped_column(default=0)
    status: Mapped[int | None]  # HTTP status of the last answer; None: there was none
    response_headers: Mapped[dict[str, Any]]
    response_body: Mapped[str] = mapped_column(Text, default="")  # its beginning
    error: Mapped[str] = mapped_column(Text, default="")  # why there was no answer
    duration_ms: Mapped[int | None]
    is_redelivery: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
