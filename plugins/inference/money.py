"""Budgets: how much may be spent in a period, and when a period begins. Source: gateway contract, section 1.6."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from hub.plugin.errors import Invalid

NANO = 10**9
MAX_BUDGETS = 5
MAX_NANO = 2**53
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_PERIOD = re.compile(r"([1-9][0-9]{0,3})([smhd])\Z")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Weeks begin on Mondays: the first of them after the epoch.
_MONDAY = _EPOCH + timedelta(days=4)
TOTAL, MONTH = "total", "1mo"


@dataclass(frozen=True)
class Budget:
    """What may be spent in each period: "30s", "15m", "24h", "7d", "1mo", or "total" once for all.

    hard_nano: calls that would cross it are refused; None: none are. soft_nano: whoever owns it is told.
    """

    period: str
    hard_nano: int | None = None
    soft_nano: int | None = None

    def start_at(self, now: datetime) -> datetime:
        """When the period of this moment began, in UTC; days, weeks and months as the calendar has them."""
        if self.period == TOTAL:
            return _EPOCH
        if self.period == MONTH:
            return now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        length = _length_of(self.period)
        origin = _MONDAY if length % timedelta(days=7) == timedelta(0) else _EPOCH
        return now - (now - origin) % length

    def end_at(self, now: datetime) -> datetime | None:
        """When the next one begins; None: never."""
        if self.period == TOTAL:
            return None
        start = self.start_at(now)
        if self.period == MONTH:
            return (start + timedelta(days=32)).replace(day=1)
        return start + _length_of(self.period)


def _length_of(period: str) -> timedelta:
    found = _PERIOD.match(period)
    assert found is not None
    return timedelta(seconds=int(found[1]) * _UNITS[found[2]])


def read_budgets(stored: Sequence[Mapping[str, Any]]) -> tuple[Budget, ...]:
    """Budgets as they are kept."""
    return tuple(Budget(**one) for one in stored)


def check_budget(budget: Budget) -> None:
    """Raises Invalid (``budget_invalid``)."""
    if budget.period not in (TOTAL, MONTH) and not _PERIOD.match(budget.period):
        raise Invalid("A period is 'total', '1mo', or a number and s, m, h or d.", code="budget_invalid")
    amounts = [amount for amount in (budget.hard_nano, budget.soft_nano) if amount is not None]
    if not amounts or not all(0 <= amount <= MAX_NANO for amount in amounts):
        raise Invalid("A budget needs an amount that can be counted.", code="budget_invalid")


def store_budgets(budgets: Sequence[Budget]) -> list[dict[str, Any]]:
    """Budgets to be kept. Raises Invalid (``budget_invalid``)."""
    if len(budgets) > MAX_BUDGETS or len({budget.period for budget in budgets}) < len(budgets):
        raise Invalid(f"There may be {MAX_BUDGETS} budgets, of different periods.", code="budget_invalid")
    for budget in budgets:
        check_budget(budget)
    return [asdict(budget) for budget in budgets]
