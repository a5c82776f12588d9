"""The table."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from hub.plugin.db import Model, RowId


class Note(Model):
    """A note on a repository."""

    __tablename__ = "sample_notes"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id", ondelete="CASCADE"), index=True)
    text: Mapped[str] = mapped_column(String(200))
    is_pinned: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
