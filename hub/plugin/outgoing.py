"""The seam: requests to addresses that users give; private networks are refused unless an administrator allows them."""

from __future__ import annotations

from hub.base.context import Context
from hub.base.outgoing import OUTGOING, Answer, Outgoing

__all__ = ["Answer", "Outgoing", "get_outgoing"]


def get_outgoing(context: Context) -> Outgoing:
    """The client that the hub's settings describe: ``check`` an address when it is given, ``send`` to it later."""
    return context[OUTGOING]
