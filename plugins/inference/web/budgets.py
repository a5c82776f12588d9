"""Budgets as pages show them: how much of each is spent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from hub.plugin.db import UnitOfWork
from plugins.inference.budgets import Purse, read_spent_of
from plugins.inference.money import Budget
from plugins.inference.spending import read_until
from plugins.inference.web.words import period_title

_Name = TypeVar("_Name")


@dataclass(frozen=True)
class BudgetView:
    """A budget and what is spent of it, in billionths. percent: of the hard limit, or of the soft one without it.

    model: of which alone, with "*"; empty: of all.
    """

    budget: Budget
    title: str
    model: str
    spent_nano: int
    ends_at: datetime | None

    @property
    def limit_nano(self) -> int:
        hard = self.budget.hard_nano
        return hard if hard is not None else self.budget.soft_nano or 0

    @property
    def percent(self) -> int:
        return min(100, self.spent_nano * 100 // self.limit_nano) if self.limit_nano else 100

    @property
    def state(self) -> str:
        """ "bad" when nothing is left, "wait" beyond the soft limit, else "good"."""
        budget = self.budget
        if budget.hard_nano is not None and self.spent_nano >= budget.hard_nano:
            return "bad"
        return "wait" if budget.soft_nano is not None and self.spent_nano >= budget.soft_nano else "good"


def budget_views(
    work: UnitOfWork, budgets: Mapping[_Name, Sequence[tuple[Purse, Budget]]]
) -> dict[_Name, list[BudgetView]]:
    """Budgets of many, by whatever names; with a question or two for each period and kind of purse."""
    now, until = work.now(), read_until(work)
    by_start: dict[datetime, set[Purse]] = {}
    for purse, budget in (one for own in budgets.values() for one in own):
        by_start.setdefault(budget.start_at(now, purse.zone), set()).add(purse)
    spent = {start: read_spent_of(work, purses, start, until) for start, purses in by_start.items()}

    def view(purse: Purse, budget: Budget) -> BudgetView:
        start, end = budget.start_at(now, purse.zone), budget.end_at(now, purse.zone)
        return BudgetView(budget, period_title(budget.period), purse.model, spent[start][purse], end)

    return {name: [view(*one) for one in own] for name, own in budgets.items()}
