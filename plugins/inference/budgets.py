"""What was spent: as the table of calls and the sums of its days tell, and as Redis counts it meanwhile."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fnmatch import fnmatchcase
from hashlib import sha256
from typing import Any

from sqlalchemy import ColumnElement, func, select

from hub.plugin import Context
from hub.plugin.counters import Redis, RedisError, connect_redis
from hub.plugin.db import UnitOfWork, reading
from plugins.inference.models import Call, SpentDay
from plugins.inference.money import Budget, read_budgets
from plugins.inference.spending import midnight, read_until

_DAY = timedelta(days=1)
# Ids of calls that a question names at once.
_IDS_AT_ONCE = 500


@dataclass(frozen=True)
class Purse:
    """Whose budgets these are: of a key (kind "key", its id), a key's calls of some models ("model", the key's id and
    the models' name, with "*"), an account ("owner", its UUID), or a member of an organisation ("member", its UUID and
    the user's id). zone: in which their days begin; "": in UTC."""

    kind: str
    id: int | str
    user_id: int = 0
    model: str = ""
    zone: str = ""

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
        start = int(budget.start_at(now, self.zone).timestamp())
        return f"hub:inference:spent:{{{self.kind}:{self.word}}}:{budget.period}:{start}"

    def takes(self, *words: Any) -> bool:
        """Whether calls of its key or account are its own; words: of them, as ``_COLUMNS`` names them."""
        if self.model:
            return fnmatchcase(words[0], self.model)
        return self.kind != "member" or words[0] == self.user_id


def budgets_of_key(
    key_id: int, zone: str, budgets: Sequence[Mapping[str, Any]], model_budgets: Mapping[str, Mapping[str, Any]]
) -> list[tuple[Purse, Budget]]:
    """What is kept of a key: its own budgets, then those of single models. zone: of its account."""
    own = [(Purse("key", key_id, zone=zone), budget) for budget in read_budgets(budgets)]
    names, bounds = model_budgets.keys(), read_budgets([*model_budgets.values()])
    purses = (Purse("model", key_id, model=name, zone=zone) for name in names)
    return [*own, *zip(purses, bounds, strict=True)]


# By which columns of calls, and of sums of days, it is told whose they are; the first one has the purse's id.
_COLUMNS = {
    "key": ("key_id",),
    "model": ("key_id", "model"),
    "owner": ("owner_uuid",),
    "member": ("owner_uuid", "user_id"),
}


def read_spent_of(
    work: UnitOfWork, purses: Collection[Purse], since: datetime, until: tuple[date, date] | None = None
) -> dict[Purse, int]:
    """What each has spent since a moment, in billionths: a question or two for each kind of purse.

    until: from ``read_until``, where it is known already.
    """
    spent = dict.fromkeys(purses, 0)
    by_kind: dict[str, dict[int | str, list[Purse]]] = {}
    for purse in spent:
        by_kind.setdefault(purse.kind, {}).setdefault(purse.id, []).append(purse)
    for table, column, conditions in _parts(until or read_until(work), since):
        for kind, by_id in by_kind.items():
            columns = [getattr(table, name) for name in _COLUMNS[kind]]
            query = select(func.sum(column), *columns).where(columns[0].in_(by_id), *conditions).group_by(*columns)
            for cost, id, *words in work.rows(query):
                for purse in by_id[id]:
                    if purse.takes(*words):
                        spent[purse] += int(cost)
    return spent


def read_spent(work: UnitOfWork, purse: Purse, since: datetime, *, without: Collection[str] = ()) -> int:
    """What was spent since a moment, in billionths. without: UUIDs of calls that are left out."""
    spent = read_spent_of(work, [purse], since)[purse]
    return spent - read_cost(work, without, since) if without else spent


def _parts(
    until: tuple[date, date], since: datetime
) -> Iterable[tuple[type[Call | SpentDay], Any, list[ColumnElement[bool]]]]:
    """Where it is written what was spent: in calls, and of days that have long been over in their sums.

    A period may begin in the midst of a day of UTC. Once the calls of that day are swept, all of it counts: it is not
    known any more when they were made.
    """
    summed_before, swept_before = until
    is_whole = since == midnight(since.date()) or since.date() < swept_before
    first = since.date() if is_whole else since.date() + _DAY
    if first < summed_before:
        yield SpentDay, SpentDay.cost_nano, [SpentDay.day >= first, SpentDay.day < summed_before]
        if since < midnight(first):
            yield Call, Call.cost_nano, [Call.started_at >= since, Call.started_at < midnight(first)]
        since = midnight(summed_before)
    yield Call, Call.cost_nano, [Call.started_at >= since]


def read_cost(work: UnitOfWork, uuids: Collection[str], since: datetime) -> int:
    """What these calls have cost, of those that are written down and no older than a moment."""
    ids, total = [*uuids], 0
    for start in range(0, len(ids), _IDS_AT_ONCE):
        is_it = Call.uuid.in_(ids[start : start + _IDS_AT_ONCE])
        [(cost,)] = work.rows(select(func.sum(Call.cost_nano)).where(is_it, Call.started_at >= since))
        total += int(cost or 0)
    return total


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
            start = budget.start_at(now, purse.zone)
            if spent is None:
                spent = read_spent(work, purse, start)
            states.append(BudgetState(purse, budget, spent, held, start, budget.end_at(now, purse.zone)))
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
