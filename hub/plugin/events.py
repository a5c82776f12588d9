"""The seam: what the hub tells after a commit, and how a plugin tells its own."""

from __future__ import annotations

from hub.base.events import publish
from hub.licensing.events import LicenseChanged, LicenseExpiring
from hub.repos.events import (
    RefsUpdated,
    RepositoryCreated,
    RepositoryDeleted,
    RepositoryMoved,
    RepositoryPurged,
    RepositoryUndeleted,
    RepositoryUpdated,
)

__all__ = [
    "LicenseChanged",
    "LicenseExpiring",
    "RefsUpdated",
    "RepositoryCreated",
    "RepositoryDeleted",
    "RepositoryMoved",
    "RepositoryPurged",
    "RepositoryUndeleted",
    "RepositoryUpdated",
    "publish",
]
