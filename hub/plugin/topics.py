"""The seam: what webhooks tell of a plugin's events."""

from __future__ import annotations

from hub.base.topics import Told, Topic

__all__ = ["Told", "Topic"]
