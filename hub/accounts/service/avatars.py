"""Pictures of users and organisations, for lists of what they own."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import bindparam, func, select

from hub.accounts.models import Namespace, Organization, User
from hub.db.moments import remembered
from hub.db.uow import UnitOfWork

# Where a picture that is kept here is found; ``SMALL`` after it gives the one that lists show.
ADDRESS, SMALL = "/-/pictures/", "/small"
_KNOWN_FOR_S = 5.0

_PICTURES = (
    select(Namespace.id, func.coalesce(User.avatar, Organization.logo, ""))
    .outerjoin(User, User.namespace_id == Namespace.id)
    .outerjoin(Organization, Organization.namespace_id == Namespace.id)
    .where(Namespace.id.in_(bindparam("ids", expanding=True)))
)


def own_picture(address: str) -> str:
    """The address of a picture as pages may show it: one on this hub; "" for any other, which no page loads."""
    # Browsers read a backslash as a slash, and leave tabs and ends of lines out.
    is_own = address.startswith("/") and not address.startswith("//") and "\\" not in address
    return address if is_own and address.isprintable() else ""


def small_picture(address: str, *, is_large: bool = False) -> str:
    """The address of a picture in the size in which pages show it; as ``own_picture`` besides."""
    own = own_picture(address)
    return f"{own}{SMALL}" if own.startswith(ADDRESS) and not is_large else own


def keep_own(address: str, current: str) -> str:
    """What a record's picture becomes by an address that a client sends: its own one, read and sent back, stays."""
    return current if current.startswith(ADDRESS) and address.endswith(current) else address


def avatars_of(work: UnitOfWork, namespace_ids: Collection[int]) -> dict[int, str]:
    """The address of each namespace's picture; those without one are absent. One query at most."""
    if not namespace_ids:
        return {}
    ids = frozenset(namespace_ids)
    return remembered(work, ("avatars", ids), lambda: _find_pictures(work, ids), for_s=_KNOWN_FOR_S)


def _find_pictures(work: UnitOfWork, namespace_ids: Collection[int]) -> dict[int, str]:
    return {id: picture for id, picture in work.rows(_PICTURES, {"ids": [*namespace_ids]}) if picture}
