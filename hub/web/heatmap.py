"""How active somebody was on each day of a year, as a picture of squares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

WEEKS = 53
# In the picture's own units.
CELL, GAP = 11, 3
LEVELS = 4


@dataclass(frozen=True)
class Cell:
    """A day. level: 0 (nothing) to ``LEVELS``. x, y: of the square's corner."""

    day: date
    count: int
    level: int
    x: int
    y: int


@dataclass(frozen=True)
class HeatMap:
    """The days of a year by weeks. months: where each begins, as (x, its first day). busy: days with something."""

    cells: list[Cell]
    months: list[tuple[int, date]]
    total: int
    busy: list[Cell]
    width: int
    height: int


def make_heat_map(days: Mapping[date, int], today: date, *, first_weekday: int = 0) -> HeatMap:
    """The year that ends today. first_weekday: the day on which weeks begin, as ``date.weekday()`` counts."""
    first = today - timedelta(days=(today.weekday() - first_weekday) % 7, weeks=WEEKS - 1)
    most = max(days.values(), default=0)
    cells, months = [], []
    for number in range((today - first).days + 1):
        day = first + timedelta(days=number)
        week, weekday = divmod(number, 7)
        count = days.get(day, 0)
        x = week * (CELL + GAP)
        cells.append(Cell(day, count, -(-count * LEVELS // most) if count else 0, x, weekday * (CELL + GAP)))
        if weekday == 0 and day.day <= 7:
            months.append((x, day))
    busy = [cell for cell in reversed(cells) if cell.count]
    return HeatMap(cells, months, sum(cell.count for cell in cells), busy, WEEKS * (CELL + GAP), 7 * (CELL + GAP))
