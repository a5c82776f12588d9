"""What was spent: as the table of calls and the sums of its days tell, and as Redis counts it meanwhile."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from hashlib import sha256
from typing import Any

from sqlalchemy import ColumnElement, and_, func, select

from hub.plugin import Context
from hub.plugin.counters import Redis, RedisError, connect_redis
from hub.plugin.db import UnitOfWork, reading
from plugins.inference.models import Call, SpentDay
from plugins.inference.money import Budget
from plugins.inference.spending import midnight, read_summed_before

_DAY = timedelta(days=1)
# Ids of calls that a question names at once.
_IDS_AT_ONCE = 500


@dataclass(frozen=True)
class Purse:
    """Whose budgets these are: of a key (kind "key", its id), a key's calls of some models ("model", the key's id and
    the models' name, with "*"), an account ("owner", its UUID), or a member of an organisation ("member", its UUID and
    the user's id)."""

    kind: str
    id: int | str
    user_id: int = 0
    model: str = ""

    @property
    def whose(self) -> str:
        """By what its owner is known to programs."""
        return f"{self.id}:{self.user_id}" if self.kind == "member" else str(self.id)

    @property
    def word(self) -> str:
        """By what it is known in counters and alerts; short, however long the name of a model is."""
        return f"{self.whose}:{sha256(self.model.encode()).hexdigest()[:16]}" if self.model else self.whose

    def counter(self, budget: Budget, now: datetime) -> str:
        """The name of the counter of the period of this moment."""
        start = int(budget.start_at(now).timestamp())
        return f"hub:inference:spent:{{{self.kind}:{self.word}}}:{budget.period}:{start}"

    def owns(self, model: type[Call | SpentDay]) -> ColumnElement[bool]:
        """Of calls, or of sums of days: those that it pays for, of whichever model."""
        if self.kind in ("key", "model"):
            return model.key_id == self.id
        if self.kind == "member":
            return and_(model.owner_uuid == self.id, model.user_id == self.user_id)
        return model.owner_uuid == self.id


def read_spent(work: UnitOfWork, purse: Purse, since: datetime, *, without: Collection[str] = ()) -> int:
    """What was spent since a moment, in billionths. without: UUIDs of calls that are left out."""
    spent = 0
    for table, column, conditions in _parts(work, since):
        query = select(func.sum(column)).where(purse.owns(table), *conditions)
        if purse.model:
            by_model = work.rows(query.add_columns(table.model).group_by(table.model))
            spent += sum(int(cost) for cost, model in by_model if fnmatchcase(model, purse.model))
        else:
            spent += _total(work, query)
    if without:
        spent -= read_cost(work, without, since)
    return spent


def _parts(work: UnitOfWork, since: datetime) -> Iterable[tuple[type[Call | SpentDay], Any, list[ColumnElement[bool]]]]:
    """Where it is written what was spent: in calls, and of days that have long been over in their sums."""
    summed_before = read_summed_before(work)
    first = since.date() if since == midnight(since.date()) else since.date() + _DAY
    if first < summed_before:
        yield SpentDay, SpentDay.cost_nano, [SpentDay.day >= first, SpentDay.day < summed_before]
        if since < midnight(first):
            yield Call, Call.cost_nano, [Call.started_at >= since, Call.started_at < midnight(first)]
        since = midnight(summed_before)
    yield Call, Call.cost_nano, [Call.started_at >= since]


def _total(work: UnitOfWork, query: Any) -> int:
    [(total,)] = work.rows(query)
    return int(total or 0)


def read_cost(work: UnitOfWork, uuids: Collection[str], since: datetime) -> int:
    """What these calls have cost, of those that are written down and no older than a moment."""
    ids, total = [*uuids], 0
    for start in range(0, len(ids), _IDS_AT_ONCE):
        is_it = Call.uuid.in_(ids[start : start + _IDS_AT_ONCE])
        total += _total(work, select(func.sum(Call.cost_nano)).where(is_it, Call.started_at >= since))
    return total


def spent_by(work: UnitOfWork, kind: str, ids: Collection[int | str], since: datetime) -> dict[int | str, int]:
    """What many keys (kind "key") or accounts ("owner") have spent; those that have spent nothing are left out."""
    spent: dict[int | str, int] = {}
    for model, column, conditions in _parts(work, since):
        whose: ColumnElement[Any] = (model.key_id if kind == "key" else model.owner_uuid).expression
        query = select(whose, func.sum(column)).where(whose.in_(ids), *conditions).group_by(whose)
        for id, cost in work.rows(query):
            spent[id] = spent.get(id, 0) + int(cost)
    return spent


def spent_on_models(work: UnitOfWork, key_ids: Collection[int], since: datetime) -> dict[int, dict[str, int]]:
    """What many keys have spent on each model, by their ids; those that have spent nothing are left out."""
    spent: dict[int, dict[str, int]] = {}
    for table, column, conditions in _parts(work, since):
        query = select(table.key_id, table.model, func.sum(column)).where(table.key_id.in_(key_ids), *conditions)
        for id, model, cost in work.rows(query.group_by(table.key_id, table.model)):
            of_key = spent.setdefault(id, {})
            of_key[model] = of_key.get(model, 0) + int(cost)
    return spent


@dataclass(frozen=True)
class BudgetState:
    """How a budget stands in the period of this moment. held: for calls under way. end: None for never."""

    purse: Purse
    budget: Budget
    spent_nano: int
    held_nano: int
    start: datetime
    end: datetime | None

    @property
    def left_nano(self) -> int | None:
        """What calls may still cost; None: there is no hard bound."""
        hard = self.budget.hard_nano
        return None if hard is None else max(hard - self.spent_nano - self.held_nano, 0)

    @property
    def percent(self) -> float:
        """Of the hard bound, or else of the soft one."""
        bound = self.budget.hard_nano if self.budget.hard_nano is not None else self.budget.soft_nano
        return round(100 * self.spent_nano / bound, 2) if bound else 100.0


def read_states(context: Context, budgets: Sequence[tuple[Purse, Budget]]) -> list[BudgetState]:
    """How budgets stand now: as Redis counts where it does, else as the calls tell."""
    now = context.clock.now()
    counted = _read_counters(connect_redis(context), [purse.counter(budget, now) for purse, budget in budgets])
    states = []
    with reading(context) as work:
        for (purse, budget), (spent, held) in zip(budgets, counted, strict=True):
            start = budget.start_at(now)
            if spent is None:
                spent = read_spent(work, purse, start)
            states.append(BudgetState(purse, budget, spent, held, start, budget.end_at(now)))
    return states


def _read_counters(redis: Redis, names: Sequence[str]) -> list[tuple[int | None, int]]:
    """What is spent (None: it is not counted) and held."""
    try:
        with redis.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.hmget(name, "spent", "held")
            found = pipe.execute()
    except RedisError:
        return [(None, 0)] * len(names)
    finally:
        redis.close()
    return [(None if spent is None else int(spent), int(held or 0)) for spent, held in found]
