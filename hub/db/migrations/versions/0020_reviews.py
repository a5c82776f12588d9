"""Reviews, conversations about lines, reactions, labels and people of discussions, and e-mail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0020_reviews"
down_revision = "0019_merging"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)
_COMMENT_COLUMNS = (("thread_id", _ID), ("review_id", _ID), ("applied_commit", sa.String(length=40)))
_PEOPLE = ("discussion_assignees", "discussion_mentions", "discussion_subscriptions")


def _to(table: str, column: str, target: str, *, ondelete: str = "CASCADE") -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{column}_{target}")
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=name, ondelete=ondelete)


def _keyed(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=op.f(f"pk_{table}"))


def _index(table: str, *columns: str) -> None:
    op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, columns)


def _required(name: str, type: sa.types.TypeEngine[Any]) -> sa.Column[Any]:
    return sa.Column(name, type, nullable=False)


def _optional(names: Sequence[str], type: sa.types.TypeEngine[Any]) -> list[sa.Column[Any]]:
    return [sa.Column(name, type, nullable=True) for name in names]


def upgrade() -> None:
    for column in ("locked_at", "pinned_at"):
        op.add_column("discussions", sa.Column(column, _TIME, nullable=True))
    pinned = sa.text("pinned_at IS NOT NULL")
    op.create_index(
        "ix_discussions_pinned", "discussions", ["repository_id"], sqlite_where=pinned, postgresql_where=pinned
    )
    for column, type in _COMMENT_COLUMNS:
        op.add_column("comments", sa.Column(column, type, nullable=True))
    _index("comments", "thread_id")
    op.create_table(
        "discussion_settings",
        _required("repository_id", _ID),
        *(_required(name, sa.Boolean()) for name in ("has_issues", "has_pulls", "has_labels")),
        _to("discussion_settings", "repository_id", "repositories"),
        _keyed("discussion_settings", "repository_id"),
    )
    op.create_table(
        "discussion_labels",
        _required("id", _ID),
        _required("repository_id", _ID),
        _required("name", sa.String(length=64)),
        _required("name_key", sa.String(length=64)),
        _required("color", sa.String(length=7)),
        _required("description", sa.String(length=255)),
        _required("created_at", _TIME),
        _to("discussion_labels", "repository_id", "repositories"),
        _keyed("discussion_labels", "id"),
        sa.UniqueConstraint("repository_id", "name_key", name=op.f("uq_discussion_labels_repository_id_name_key")),
    )
    op.create_table(
        "labelled_discussions",
        _required("discussion_id", _ID),
        _required("label_id", _ID),
        _to("labelled_discussions", "discussion_id", "discussions"),
        _to("labelled_discussions", "label_id", "discussion_labels"),
        _keyed("labelled_discussions", "discussion_id", "label_id"),
    )
    _index("labelled_discussions", "label_id")
    for table in _PEOPLE:
        more = [_required("is_wanted", sa.Boolean())] if table == "discussion_subscriptions" else []
        op.create_table(
            table,
            _required("discussion_id", _ID),
            _required("user_id", _ID),
            *more,
            _required("created_at", _TIME),
            _to(table, "discussion_id", "discussions"),
            _to(table, "user_id", "users"),
            _keyed(table, "discussion_id", "user_id"),
        )
        _index(table, "user_id")
    op.create_table(
        "comment_reactions",
        _required("comment_id", _ID),
        _required("user_id", _ID),
        _required("sign", sa.String(length=16)),
        _required("created_at", _TIME),
        _to("comment_reactions", "comment_id", "comments"),
        _to("comment_reactions", "user_id", "users"),
        _keyed("comment_reactions", "comment_id", "user_id", "sign"),
    )
    _index("comment_reactions", "user_id")
    _create_reviews()
    _create_mails()


def _create_reviews() -> None:
    op.create_table(
        "reviews",
        _required("id", _ID),
        _required("discussion_id", _ID),
        *_optional(["user_id"], _ID),
        _required("state", sa.String(length=16)),
        _required("content", sa.Text()),
        _required("commit_id", sa.String(length=40)),
        *_optional(["dismissed_at"], _TIME),
        *_optional(["dismissed_by_id"], _ID),
        _required("dismissal", sa.String(length=255)),
        _required("created_at", _TIME),
        _to("reviews", "discussion_id", "discussions"),
        _to("reviews", "user_id", "users", ondelete="SET NULL"),
        _to("reviews", "dismissed_by_id", "users", ondelete="SET NULL"),
        _keyed("reviews", "id"),
    )
    _index("reviews", "discussion_id", "id")
    _index("reviews", "user_id")
    _index("reviews", "dismissed_by_id")
    op.create_table(
        "review_requests",
        _required("discussion_id", _ID),
        _required("user_id", _ID),
        *_optional(["asked_by_id"], _ID),
        _required("created_at", _TIME),
        _to("review_requests", "discussion_id", "discussions"),
        _to("review_requests", "user_id", "users"),
        _to("review_requests", "asked_by_id", "users", ondelete="SET NULL"),
        _keyed("review_requests", "discussion_id", "user_id"),
    )
    _index("review_requests", "user_id")
    _index("review_requests", "asked_by_id")
    op.create_table(
        "review_threads",
        _required("id", _ID),
        _required("discussion_id", _ID),
        _required("path", sa.Text()),
        _required("side", sa.String(length=8)),
        _required("start_line", sa.Integer()),
        _required("end_line", sa.Integer()),
        _required("commit_id", sa.String(length=40)),
        _required("excerpt", sa.Text()),
        *_optional(["resolved_at"], _TIME),
        *_optional(["resolved_by_id"], _ID),
        _required("created_at", _TIME),
        _to("review_threads", "discussion_id", "discussions"),
        _to("review_threads", "resolved_by_id", "users", ondelete="SET NULL"),
        _keyed("review_threads", "id"),
    )
    _index("review_threads", "discussion_id", "id")
    _index("review_threads", "resolved_by_id")


def _create_mails() -> None:
    op.create_table(
        "mails",
        _required("id", _ID),
        _required("user_id", _ID),
        _required("notification_uuid", sa.String(length=36)),
        _required("state", sa.String(length=16)),
        _required("attempt", sa.Integer()),
        _required("error", sa.String(length=255)),
        _required("created_at", _TIME),
        *_optional(["sent_at"], _TIME),
        _to("mails", "user_id", "users"),
        _keyed("mails", "id"),
        sa.UniqueConstraint("notification_uuid", name=op.f("uq_mails_notification_uuid")),
    )
    for columns in (("user_id",), ("state", "id"), ("created_at",)):
        _index("mails", *columns)


def downgrade() -> None:
    tables = ("mails", "review_threads", "review_requests", "reviews", "comment_reactions", *reversed(_PEOPLE))
    for table in (*tables, "labelled_discussions", "discussion_labels", "discussion_settings"):
        op.drop_table(table)
    op.drop_index(op.f("ix_comments_thread_id"), table_name="comments")
    for column, _type in reversed(_COMMENT_COLUMNS):
        op.drop_column("comments", column)
    op.drop_index("ix_discussions_pinned", table_name="discussions")
    for column in ("pinned_at", "locked_at"):
        op.drop_column("discussions", column)
