"""The seam: errors that services raise; each client reads them in its own dialect."""

from __future__ import annotations

from hub.base.errors import (
    Conflict,
    Denied,
    Failed,
    FeatureLocked,
    HubError,
    Invalid,
    NotFound,
    NotSignedIn,
    PreconditionFailed,
    QuotaExceeded,
    RangeNotSatisfiable,
    RateLimited,
    TooLarge,
    Unavailable,
    Unprocessable,
)

__all__ = [
    "Conflict",
    "Denied",
    "Failed",
    "FeatureLocked",
    "HubError",
    "Invalid",
    "NotFound",
    "NotSignedIn",
    "PreconditionFailed",
    "QuotaExceeded",
    "RangeNotSatisfiable",
    "RateLimited",
    "TooLarge",
    "Unavailable",
    "Unprocessable",
]
