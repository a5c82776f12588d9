"""Budgets: how much may be spent in a period, and when a period begins. Source: gateway contract, section 1.6."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from hub.plugin.errors import Invalid

NANO = 10**9
MAX_BUDGETS = 5
MAX_NANO = 2**53
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_PERIOD = re.compile(r"([1-9][0-9]{0,3})([smhd])\Z")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY, _WEEK = timedelta(days=1), timedelta(days=7)
# From where days are counted, and weeks, which begin on Mondays.
_FIRST_DAY, _MONDAY = date(1970, 1, 1), date(1970, 1, 5)
TOTAL, MONTH = "total", "1mo"


@dataclass(frozen=True)
class Budget:
    """What may be spent in each period: "30s", "15m", "24h", "7d", "1mo", or "total" once for all.

    hard_nano: calls that would cross it are refused; None: none are. soft_nano: whoever owns it is told.
    """

    period: str
    hard_nano: int | None = None
    soft_nano: int | None = None

    def start_at(self, now: datetime, zone: str = "") -> datetime:
        """When the period of this moment began, in UTC.

        Days, weeks and months are those of the calendar in the zone; "": in UTC. Shorter periods are the same anywhere.
        """
        if self.period == TOTAL:
            return _EPOCH
        today = in_zone(now, zone).date()
        if self.period == MONTH:
            return _midnight(today.replace(day=1), zone)
        length = _length_of(self.period)
        if length % _DAY:
            return now - (now - _EPOCH) % length
        return _midnight(today - (today - (_FIRST_DAY if length % _WEEK else _MONDAY)) % length, zone)

    def end_at(self, now: datetime, zone: str = "") -> datetime | None:
        """When the next one begins; None: never."""
        if self.period == TOTAL:
            return None
        start = self.start_at(now, zone)
        first = in_zone(start, zone).date()
        if self.period == MONTH:
            return _midnight((first + timedelta(days=32)).replace(day=1), zone)
        length = _length_of(self.period)
        return start + length if length % _DAY else _midnight(first + length, zone)


def _length_of(period: str) -> timedelta:
    found = _PERIOD.match(period)
    assert found is not None
    return timedelta(seconds=int(found[1]) * _UNITS[found[2]])


@cache
def _zone_of(name: str) -> tzinfo:
    try:
        return ZoneInfo(name) if name else UTC
    except (ValueError, OSError, KeyError):  # one that was known once, and is not in this machine's list any more
        return UTC


def in_zone(moment: datetime, zone: str) -> datetime:
    """A moment by the clocks of a zone; "": of UTC."""
    return moment.astimezone(_zone_of(zone))


def _midnight(day: date, zone: str) -> datetime:
    """When a day begins; where clocks are put forward at midnight, that is when they show one o'clock."""
    return datetime.combine(day, time.min, _zone_of(zone)).astimezone(UTC)


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
