"""What the room tells the others, always after the commit.

actor_id: the user who did it; None: the hub itself, its command line, or a person who registered.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from hub.accounts.models import Role


@dataclass(frozen=True)
class UserCreated:
    """An account is there, with its namespace."""

    user_id: int
    name: str
    actor_id: int | None


@dataclass(frozen=True)
class UserRenamed:
    """An account and its namespace have another name; the paths of the namespace's repositories changed with it."""

    user_id: int
    old_name: str
    new_name: str
    actor_id: int | None


@dataclass(frozen=True)
class UserDeleted:
    """An account is gone; the id means nothing any more. ``name`` may belong to somebody else soon."""

    user_id: int
    uuid: str
    name: str
    namespace_id: int
    actor_id: int | None


@dataclass(frozen=True)
class OrganizationCreated:
    """An organisation is there, with its namespace and one owner."""

    organization_id: int
    name: str
    namespace_id: int
    owner_id: int
    actor_id: int | None


@dataclass(frozen=True)
class OrganizationDeleted:
    """An organisation is gone with its namespace; the ids mean nothing any more."""

    organization_id: int
    name: str
    namespace_id: int
    actor_id: int | None


@dataclass(frozen=True)
class MemberAdded:
    """A user became a member of an organisation, be it as its first owner or by a provider of identities."""

    organization_id: int
    namespace_id: int
    user_id: int
    role: Role
    actor_id: int | None


@dataclass(frozen=True)
class MemberChanged:
    """A member has another role."""

    organization_id: int
    namespace_id: int
    user_id: int
    role: Role
    old_role: Role
    actor_id: int | None


@dataclass(frozen=True)
class MemberRemoved:
    """A membership ended: taken away, given up, or (is_by_departure) gone with the account or the organisation."""

    organization_id: int
    namespace_id: int
    user_id: int
    role: Role
    actor_id: int | None
    is_by_departure: bool = False


class SecondFactorChange(StrEnum):
    """What happened to an account's second factor."""

    ON = "on"
    OFF = "off"
    RESET = "reset"  # by an administrator, or the hub's command line
    RECOVERED = "recovered"  # a recovery code was used
    RENEWED = "renewed"  # there are other recovery codes


@dataclass(frozen=True)
class SecondFactorChanged:
    """Something happened to an account's second factor. actor_id: None for a recovery code, too."""

    user_id: int
    change: SecondFactorChange
    actor_id: int | None


@dataclass(frozen=True)
class SignedInAnew:
    """A browser that the account has not used before signed in to it. user_agent: what it calls itself."""

    user_id: int
    address: str
    user_agent: str
