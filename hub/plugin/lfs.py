"""The seam: the contents of LFS objects, for plugins that keep or move them in a way of their own."""

from __future__ import annotations

from hub.repos.lfs.holding import (
    PlainContent,
    check_room_for,
    drop_plain_copy,
    hold_contents,
    holds_contents,
    known_contents,
    plain_contents,
    readable_contents,
    take_over,
)
from hub.repos.lfs.sources import ContentSource, Ticket, TicketRequest

__all__ = [
    "ContentSource",
    "PlainContent",
    "Ticket",
    "TicketRequest",
    "check_room_for",
    "drop_plain_copy",
    "hold_contents",
    "holds_contents",
    "known_contents",
    "plain_contents",
    "readable_contents",
    "take_over",
]
