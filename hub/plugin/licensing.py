"""The seam: what the licence allows. Ask for features by their word, never for the edition's name."""

from __future__ import annotations

from hub.base.context import Context
from hub.licensing.service import LICENSING

__all__ = ["has", "limit", "require"]


def has(context: Context, feature: str) -> bool:
    """Whether the edition or the licence carries the feature now."""
    return context[LICENSING].has(feature)


def require(context: Context, feature: str) -> None:
    """Return when the feature is carried; asked in services before anything new is made.

    Raises FeatureLocked: ``LICENSE-ERR-0`` (none), ``LICENSE-ERR-1`` (expired).
    """
    context[LICENSING].require(feature)


def limit(context: Context, name: str) -> int | None:
    """How many of something the edition or the licence allows; None: any number."""
    return context[LICENSING].limit(name)
