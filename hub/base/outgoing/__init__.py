"""Requests to addresses that users give: to the open internet, and inside only where an administrator allows it."""

from __future__ import annotations

from hub.base.outgoing.addresses import AllowedHosts, is_public
from hub.base.outgoing.client import OUTGOING, Answer, Outgoing, create_outgoing

__all__ = ["OUTGOING", "AllowedHosts", "Answer", "Outgoing", "create_outgoing", "is_public"]
