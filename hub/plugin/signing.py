"""The seam: short texts that only this hub can have written, for tickets and addresses that carry their own leave."""

from __future__ import annotations

from hub.base.context import Context
from hub.base.secrets import SECRET, Signer

__all__ = ["Signer", "create_signer"]


def create_signer(context: Context, purpose: str) -> Signer:
    """Signs under the hub's own secret; what was signed for another purpose, or by the core, never passes.

    purpose: begins with the plugin's name, as in "xnet-fetch".
    """
    return Signer(context[SECRET], f"plugin:{purpose}")
