"""The seam: telling people something, in the hub and, where they want it, by e-mail."""

from __future__ import annotations

from hub.community.models import NotificationType
from hub.community.service.notifications import Notice, tell

__all__ = ["Notice", "NotificationType", "tell"]
