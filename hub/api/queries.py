"""What the queries of lists of repositories ask for. Source: CSGHub contract, section 5.2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, false

from hub.api.shapes import shape_of
from hub.assets.search import listing
from hub.base.errors import Invalid
from hub.db.uow import UnitOfWork
from hub.http.actor import current_actor
from hub.repos.kinds import RepositoryKind


def conditions_of(
    work: UnitOfWork, kind: RepositoryKind, query: Mapping[str, Any], *, with_short_keys: bool = True
) -> list[ColumnElement[bool]]:
    """As ``listing.conditions_of`` for the caller, and that nothing is asked for that only plugins can tell.

    Raises Invalid (``REQ-ERR-6``).
    """
    found = listing.conditions_of(work, actor=current_actor(), kind=kind, query=query, with_short_keys=with_short_keys)
    return [*_unmet(kind, query), *found]


def _unmet(kind: RepositoryKind, query: Mapping[str, Any]) -> list[ColumnElement[bool]]:
    """That there is no such repository, when the query asks for what nothing on this hub has."""
    names = (*shape_of(kind.name).unmet, "xnet_migration_status")
    return [false()] if any(query[name] for name in names) else []


def check_count(member: str, items: Sequence[Any], *, most: int) -> None:
    """Return when the list that a request sends is not too long. Raises Invalid (``REQ-ERR-6``)."""
    if len(items) > most:
        raise Invalid(f"'{member}' holds more than {most} items.", code="REQ-ERR-6", member=member)
