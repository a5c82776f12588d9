"""Lists as OpenAI's clients page through them: by the last id that they have seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import parse_qs

from sqlalchemy import Select
from sqlalchemy.orm import InstrumentedAttribute

from hub.plugin.db import Model, UnitOfWork
from plugins.inference.gateway.faults import bad_request

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True)
class Range:
    """Which part of a list: so many after one."""

    limit: int
    after: str = ""
    is_ascending: bool = False


@dataclass(frozen=True)
class Listed(Generic[Row]):
    """A part of a list, and whether there is more."""

    items: Sequence[Row]
    has_more: bool


def read_query(text: str) -> dict[str, str]:
    """The members of a query. Raises Fault."""
    try:
        return {name: values[-1] for name, values in parse_qs(text, max_num_fields=20).items()}
    except ValueError:
        raise bad_request("The query has too many members.") from None


def read_range(query: Mapping[str, str], *, usual: int, most: int) -> Range:
    """``limit``, ``after`` and ``order`` of a query. Raises Fault."""
    limit, order = query.get("limit", str(usual)), query.get("order", "desc")
    if not (limit.isascii() and limit.isdigit() and len(limit) <= 6 and 1 <= int(limit) <= most):
        raise bad_request(f"'limit' is a number from 1 to {most}.", param="limit")
    if order not in ("asc", "desc"):
        raise bad_request("'order' is 'asc' or 'desc'.", param="order")
    return Range(int(limit), query.get("after", ""), order == "asc")


def find_page(
    work: UnitOfWork, query: Select[Row], id: InstrumentedAttribute[int], range: Range, after: int | None
) -> Listed[Row]:
    """The rows of a query in that range. after: the id of the row that was seen last."""
    if after is not None:
        query = query.where(id > after if range.is_ascending else id < after)
    query = query.order_by(id if range.is_ascending else id.desc()).limit(range.limit + 1)
    rows = work.session.scalars(query).all()
    return Listed(rows[: range.limit], len(rows) > range.limit)


def as_list(shown: Sequence[Mapping[str, Any]], *, has_more: bool) -> dict[str, Any]:
    """A list as OpenAI's clients read it."""
    ends = (shown[0]["id"], shown[-1]["id"]) if shown else (None, None)
    return {"object": "list", "data": shown, "first_id": ends[0], "last_id": ends[1], "has_more": has_more}
