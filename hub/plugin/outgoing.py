"""The seam: requests to addresses that users give; private networks are refused unless an administrator allows them."""

from __future__ import annotations

from hub.base.context import Context
from hub.base.outgoing import (
    CHANNELS,
    OUTGOING,
    OWN_CHANNELS,
    Answer,
    Channels,
    Exchange,
    NoAnswer,
    Outgoing,
    OwnChannels,
    Patience,
)

__all__ = [
    "Answer",
    "Channels",
    "Exchange",
    "NoAnswer",
    "Outgoing",
    "OwnChannels",
    "Patience",
    "get_channels",
    "get_outgoing",
    "get_own_channels",
]


def get_outgoing(context: Context) -> Outgoing:
    """The client that the hub's settings describe: ``check`` an address when it is given, ``send`` to it later."""
    return context[OUTGOING]


def get_channels(context: Context) -> Channels:
    """The same guard with connections that are kept, for many requests to the same servers and answers that stream."""
    return context[CHANNELS]


def get_own_channels(context: Context) -> OwnChannels:
    """Kept connections to what the hub itself runs: to endpoints of workloads, once they were named by ``trust``."""
    return context[OWN_CHANNELS]
