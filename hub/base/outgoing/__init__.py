"""Requests to addresses that users give: to the open internet, and inside only where an administrator allows it."""

from __future__ import annotations

from hub.base.outgoing.addresses import AllowedHosts, is_public
from hub.base.outgoing.channels import (
    CHANNELS,
    OWN_CHANNELS,
    Channels,
    Exchange,
    NoAnswer,
    OwnChannels,
    Patience,
)
from hub.base.outgoing.client import OUTGOING, Answer, Outgoing, create_outgoing

__all__ = [
    "CHANNELS",
    "OUTGOING",
    "OWN_CHANNELS",
    "AllowedHosts",
    "Answer",
    "Channels",
    "Exchange",
    "NoAnswer",
    "Outgoing",
    "OwnChannels",
    "Patience",
    "create_outgoing",
    "is_public",
]
