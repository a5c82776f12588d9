"""Budgets as pages show them: how much of each is spent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from hub.plugin.db import UnitOfWork
from plugins.inference.budgets import spent_by
from plugins.inference.money import Budget
from plugins.inference.web.words import period_title


@dataclass(frozen=True)
class BudgetView:
    """A budget and what is spent of it, in billionths. percent: of the hard limit, or of the soft one without it."""

    budget: Budget
    title: str
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
    work: UnitOfWork, kind: str, budgets: Mapping[int | str, Sequence[Budget]]
) -> dict[int | str, list[BudgetView]]:
    """The budgets of keys (kind "key", by id) or of accounts ("owner", by UUID), with a query for each period."""
    now = work.now()
    ids_by_start: dict[datetime, set[int | str]] = {}
    for id, own in budgets.items():
        for budget in own:
            ids_by_start.setdefault(budget.start_at(now), set()).add(id)
    spent = {start: spent_by(work, kind, ids, start) for start, ids in ids_by_start.items()}
    return {
        id: [
            BudgetView(budget, period_title(budget.period), spent[budget.start_at(now)].get(id, 0), budget.end_at(now))
            for budget in own
        ]
        for id, own in budgets.items()
    }
