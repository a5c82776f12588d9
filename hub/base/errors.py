"""The errors that services raise.

They know nothing of HTTP: ``hub/http/errors.py`` holds the only table from these classes to statuses,
and one renderer for each client's dialect.
"""

from __future__ import annotations

from typing import Any


class HubError(Exception):
    """A refusal or failure that a caller can understand.

    code: stable snake_case word for programs. details: JSON-able extra members, never secrets or paths of this
    machine. The message is shown to people and says what to do next.
    """

    code = "error"

    def __init__(self, message: str, *, code: str | None = None, **details: Any) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code
        self.details = details


class Invalid(HubError):
    """The input breaks a rule; the same request can never succeed."""

    code = "invalid"


class Unprocessable(Invalid):
    """The input is well formed, but what it refers to does not fit (an object that is missing or differs)."""

    code = "unprocessable"


class NotSignedIn(HubError):
    """The act needs an account and the caller has shown none (or a bad credential)."""

    code = "not_signed_in"


class Denied(HubError):
    """The caller is known, may see the thing, and may not do this to it."""

    code = "denied"


class FeatureLocked(Denied):
    """The licence does not carry the feature."""

    code = "feature_locked"


class NotFound(HubError):
    """There is no such thing, or the caller may not know that there is."""

    code = "not_found"


class Conflict(HubError):
    """The state changed under the caller, or the name is taken."""

    code = "conflict"


class PreconditionFailed(Conflict):
    """The caller named an expected state (parent commit, ETag) that is no longer true."""

    code = "precondition_failed"


class TooLarge(HubError):
    """A body, a file or a list is over its limit."""

    code = "too_large"


class QuotaExceeded(TooLarge):
    """The write would pass the owner's storage quota."""

    code = "quota_exceeded"


class RangeNotSatisfiable(HubError):
    """The asked byte range lies outside the content. ``details["size_bytes"]`` is the content's size."""

    code = "range_not_satisfiable"


class RateLimited(HubError):
    """Too many requests; ``details["retry_after_s"]`` says when to come back."""

    code = "rate_limited"


class Unavailable(HubError):
    """A server that the hub needs (database, Redis, storage) does not answer; trying again later may help."""

    code = "unavailable"


class Failed(HubError):
    """Something broke on the hub's side that no caller could foresee; the log has the cause."""

    code = "failed"
