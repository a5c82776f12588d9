"""Tables of a repository's upkeep: what looks at it have found."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hub.db.base import Model


class RepositoryReport(Model):
    """What a job found or made when it last looked at a repository: one row for each kind of look."""

    __tablename__ = "repository_reports"

    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    data: Mapped[dict[str, Any]]
    made_at: Mapped[datetime]


class LFSUse(Model):
    """What commits say of an object, as of the last look: one that no commit names has no row.

    path: its newest one. refs: how many branches and tags name it where they are now. used_at: the time of the newest
    commit that names it.
    """

    __tablename__ = "lfs_uses"

    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id", ondelete="CASCADE"), primary_key=True)
    oid: Mapped[str] = mapped_column(String(64), primary_key=True)
    path: Mapped[str] = mapped_column(Text)
    refs: Mapped[int]
    used_at: Mapped[datetime]
