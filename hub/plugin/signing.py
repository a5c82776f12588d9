"""The seam: short texts that only this hub can have written, and secrets that only it can read."""

from __future__ import annotations

from hub.base.context import Context
from hub.base.secrets import SECRET, Sealer, Signer

__all__ = ["Sealer", "Signer", "create_sealer", "create_signer"]


def create_signer(context: Context, purpose: str) -> Signer:
    """Signs under the hub's own secret; what was signed for another purpose, or by the core, never passes.

    purpose: begins with the plugin's name, as in "xnet-fetch".
    """
    return Signer(context[SECRET], f"plugin:{purpose}")


def create_sealer(context: Context, purpose: str) -> Sealer:
    """Keeps short secrets, such as a provider's key, so that who reads the database alone cannot read them.

    purpose: begins with the plugin's name; what was sealed for another one cannot be opened.
    """
    return Sealer(context[SECRET], f"plugin:{purpose}")
