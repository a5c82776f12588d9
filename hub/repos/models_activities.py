"""Tables of what people did, and of downloads by day."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hub.db.base import Model, RowId


class Activity(Model):
    """That somebody did something, once for each day and thing: who pushes 50 times a day has one row, count 50.

    namespace_id: whose thing it is, so that who follows the owner sees it. subject_*: what else it is about, a row of a
    higher room. Who may see it is judged when it is read.
    """

    __tablename__ = "activities"
    __table_args__ = (
        Index(None, "actor_id", "id"),
        Index(None, "actor_id", "day"),
        Index(None, "namespace_id", "id"),
        Index(None, "subject_type", "subject_id", "id"),
        Index(None, "day"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    key: Mapped[str] = mapped_column(String(160), unique=True)  # of all that it is one row for
    type: Mapped[str] = mapped_column(String(32))
    actor_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    namespace_id: Mapped[int | None] = mapped_column(ForeignKey("namespaces.id", ondelete="CASCADE"))
    repository_id: Mapped[int | None] = mapped_column(ForeignKey("repositories.id", ondelete="CASCADE"), index=True)
    subject_type: Mapped[str] = mapped_column(String(16), default="")
    subject_id: Mapped[int | None] = mapped_column(RowId)
    day: Mapped[date]  # UTC
    count: Mapped[int] = mapped_column(RowId, default=1)
    data: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    last_at: Mapped[datetime]


class DownloadMark(Model):
    """That a client had a file, or anything of a repository, on a day; it counts once. Kept for two days."""

    __tablename__ = "download_marks"
    __table_args__ = (Index(None, "day"),)

    # A digest of repository, file, client and day; nobody's address can be read from it.
    key: Mapped[str] = mapped_column(String(40), primary_key=True)
    day: Mapped[date]


class FileDownloads(Model):
    """How many clients downloaded a file on a day, each counted once."""

    __tablename__ = "file_downloads"
    __table_args__ = (Index(None, "day"),)

    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id", ondelete="CASCADE"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    path_key: Mapped[str] = mapped_column(String(40), primary_key=True)  # a digest of the path
    path: Mapped[str] = mapped_column(Text)
    count: Mapped[int] = mapped_column(RowId, default=0)


class RepositoryDownloads(Model):
    """The downloads of a repository on a day. downloads: of its files, and clones; clients: how many had any."""

    __tablename__ = "repository_downloads"
    __table_args__ = (Index(None, "day", "repository_id"),)

    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id", ondelete="CASCADE"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    downloads: Mapped[int] = mapped_column(RowId, default=0)
    clients: Mapped[int] = mapped_column(RowId, default=0)
