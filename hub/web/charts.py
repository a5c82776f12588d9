"""Small charts as SVG: what templates draw, and the same as a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

_BAR, _GAP, _HEIGHT = 7, 2, 48


@dataclass(frozen=True)
class Bar:
    """One day. x, y, height: in the chart's own units."""

    day: date
    value: int
    x: int
    y: float
    height: float


@dataclass(frozen=True)
class DayChart:
    """A bar a day. total: of all days."""

    bars: list[Bar]
    total: int
    width: int
    height: int = _HEIGHT


def make_day_chart(counts: Mapping[date, int], *, last: date, days: int) -> DayChart:
    """The days up to the last one; those without a count have none."""
    first = last - timedelta(days=days - 1)
    values = [counts.get(first + timedelta(days=at), 0) for at in range(days)]
    most = max(*values, 1)
    bars = []
    for at, value in enumerate(values):
        # What is little can still be seen.
        height = max(2.0, round(_HEIGHT * value / most, 1)) if value else 0.0
        bars.append(Bar(first + timedelta(days=at), value, at * (_BAR + _GAP), round(_HEIGHT - height, 1), height))
    return DayChart(bars, sum(values), days * (_BAR + _GAP) - _GAP)
