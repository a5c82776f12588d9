"""Conditions on repositories for lists that ask for some of them."""

from __future__ import annotations

from sqlalchemy import ColumnElement, func

from hub.repos.details import DetailField
from hub.repos.models import Repository


def has_detail(field: DetailField, text: str) -> ColumnElement[bool]:
    """That the member of the kind's own has this value, said or by default. text: the value as a query writes it.

    Raises Invalid (``REQ-ERR-6``) for a value that it can never have.
    """
    wanted = field.parse(text)
    stored = Repository.details[field.name]
    if isinstance(wanted, bool):
        return func.coalesce(stored.as_boolean(), field.default) == wanted
    if isinstance(wanted, int | float):
        # Whole numbers, too: a double holds those that a member may have, PostgreSQL's integer does not.
        return func.coalesce(stored.as_float(), float(field.default)) == float(wanted)
    return func.coalesce(stored.as_string(), str(field.default)) == wanted


def has_size(*, at_least: int | None = None, at_most: int | None = None) -> list[ColumnElement[bool]]:
    """That Git and LFS together have so many bytes; None: no limit."""
    if at_least is None and at_most is None:
        return []
    conditions: list[ColumnElement[bool]] = []
    if at_least is not None:
        conditions.append(Repository.size_bytes >= at_least)
    if at_most is not None:
        conditions.append(Repository.size_bytes <= at_most)
    return conditions
