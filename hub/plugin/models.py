"""What the database remembers of plugins."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hub.db.base import Model


class PluginFault(Model):
    """Why a plugin's tables could not be migrated; gone once they are.

    ``hub db upgrade`` meets the fault, and every other process must be able to say it.
    """

    __tablename__ = "plugin_faults"

    name: Mapped[str] = mapped_column(String(30), primary_key=True)
    reason: Mapped[str] = mapped_column(Text)
    happened_at: Mapped[datetime]
