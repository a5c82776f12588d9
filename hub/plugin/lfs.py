"""The seam: the contents of LFS objects, for plugins that keep or move them in a way of their own."""

from __future__ import annotations

from hub.repos.lfs.sources import ContentSource, Ticket, TicketRequest

__all__ = ["ContentSource", "Ticket", "TicketRequest"]
