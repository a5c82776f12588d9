"""How a repository wants its pull requests merged."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from hub.db.base import Model
from hub.git.merge import MergeMethod


class MergeSettings(Model):
    """By which methods a repository lets pull requests be merged; without a row: by each, ``auto`` unless said."""

    __tablename__ = "merge_settings"

    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id", ondelete="CASCADE"), primary_key=True)
    methods: Mapped[list[Any]]  # those that are allowed
    default_method: Mapped[MergeMethod]
    delete_source: Mapped[bool] = mapped_column(default=False)  # the source branch goes after a merge
    updated_at: Mapped[datetime]
