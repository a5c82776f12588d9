"""What this room tells after a commit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LicenseChanged:
    """What is in force may have changed.

    license_id: of the licence; empty for a revocation list. action: "imported", "removed" or "revoked".
    actor_id: the user who did it; None: the hub's own command line.
    """

    license_id: str
    action: str
    actor_id: int | None


@dataclass(frozen=True)
class LicenseExpiring:
    """The licence will expire soon; told once at each of 30, 14, 7, 3 and 1 days."""

    license_id: str
    days_left: int
