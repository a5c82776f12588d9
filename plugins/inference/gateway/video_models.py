"""The table of videos that upstreams make. Source: gateway contract, section 1.9."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from hub.plugin.db import Model, RowId


class VideoTask(Model):
    """A video that an upstream makes, or has made.

    said: the upstream's last words on it. event_uuid: of the event of usage, told once, when the video is there; and
    of the call that asked for it, which counts as spent what it is going to cost. booking: what that event will say,
    and the prices of that moment. published_at: when it was told. checked_at: when the upstream was last asked.
    """

    __tablename__ = "inference_videos"
    __table_args__ = (Index(None, "namespace_id", "id"), Index(None, "status", "checked_at"))

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(64), unique=True)  # "video_…"
    namespace_id: Mapped[int] = mapped_column(ForeignKey("namespaces.id", ondelete="CASCADE"))
    owner_uuid: Mapped[str] = mapped_column(String(36))
    key_id: Mapped[int] = mapped_column(RowId)
    user_id: Mapped[int | None] = mapped_column(RowId)
    model: Mapped[str] = mapped_column(String(255))
    upstream_id: Mapped[int] = mapped_column(RowId)
    provider_id: Mapped[str] = mapped_column(String(255))  # as the upstream calls it
    status: Mapped[str] = mapped_column(String(16))
    progress: Mapped[int | None]
    fail_code: Mapped[str] = mapped_column(String(64))
    said: Mapped[dict[str, Any]]
    seconds: Mapped[int]
    size: Mapped[str] = mapped_column(String(32))
    cost_nano: Mapped[int] = mapped_column(BigInteger)
    event_uuid: Mapped[str] = mapped_column(String(36), unique=True)
    booking: Mapped[dict[str, Any]]
    published_at: Mapped[datetime | None]
    checked_at: Mapped[datetime]
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
