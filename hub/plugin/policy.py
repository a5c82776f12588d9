"""The seam: who may do what, asked in services before any effect."""

from __future__ import annotations

from hub.accounts.models import AccessToken, Grant, Member, Namespace, Organization, User
from hub.accounts.policy import (
    ANONYMOUS,
    SERVICE,
    SYSTEM,
    Actor,
    can,
    can_each,
    holders,
    readable,
    require,
    require_site_admin,
)
from hub.accounts.service.departures import Departure
from hub.accounts.service.deploytokens import find_bearer_by_id
from hub.accounts.service.namespaces import get_namespace

__all__ = [
    "ANONYMOUS",
    "SERVICE",
    "SYSTEM",
    "AccessToken",
    "Actor",
    "Departure",
    "Grant",
    "Member",
    "Namespace",
    "Organization",
    "User",
    "can",
    "can_each",
    "find_bearer_by_id",
    "get_namespace",
    "holders",
    "readable",
    "require",
    "require_site_admin",
]
