"""Tables of who follows what."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from hub.db.base import Model


class NamespaceFollow(Model):
    """That a user follows another user or an organisation, by their namespace: a rename changes nothing."""

    __tablename__ = "namespace_follows"
    __table_args__ = (Index(None, "namespace_id", "created_at"),)

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    namespace_id: Mapped[int] = mapped_column(ForeignKey("namespaces.id", ondelete="CASCADE"), primary_key=True)
    created_at: Mapped[datetime]


class CollectionFollow(Model):
    """That a user follows a collection."""

    __tablename__ = "collection_follows"
    __table_args__ = (Index(None, "collection_id", "created_at"),)

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    collection_id: Mapped[int] = mapped_column(ForeignKey("collections.id", ondelete="CASCADE"), primary_key=True)
    created_at: Mapped[datetime]
