"""Pages of lists, as services return them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

# Source: CSGHub contract, section 1.5.
DEFAULT_PER = 50
MAX_PER = 100


@dataclass(frozen=True)
class PageArgs:
    """Which page is asked for. ``page`` counts from 1."""

    page: int = 1
    per: int = DEFAULT_PER

    @property
    def offset(self) -> int:
        return (self.page - 1) * self.per


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page of a list and how many items there are in all.

    is_estimate: ``total`` was too many to count (``hub.db.totals``). Answers then say ``"total_is_estimate": true``
    beside it: hand ``page.is_estimate`` to ``hub.api.envelope.ok``, ``paged`` or ``messaged``.
    """

    items: Sequence[T]
    total: int
    is_estimate: bool = False
