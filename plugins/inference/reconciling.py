"""What Redis counts of budgets, put right every minute by the table of calls; and people told of what is spent.

Calls go on meanwhile, so what is right is known between two bounds: what the calls that were written down before a look
at Redis have cost, and what those cost that were written down after it. Calls that still hold money are in neither:
they are counted when they are settled. Between the bounds nothing is touched, so no call is counted twice or forgotten.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.resources import files
from typing import Any

from sqlalchemy import select

from hub.plugin import Context
from hub.plugin.counters import Redis, RedisError, connect_redis
from hub.plugin.db import UnitOfWork, reading
from hub.plugin.jobs import JobRun
from hub.plugin.policy import Namespace
from plugins.inference.alerts import note_spending
from plugins.inference.budgets import Purse, budgets_of_key, read_cost, read_spent
from plugins.inference.models import ApiKey, MemberBudget, OwnerBudget
from plugins.inference.money import Budget, read_budgets

# Keys that were used since then; it is known to the minute, and a call may take long.
_LATELY = timedelta(minutes=30)
_KEYS_AT_ONCE = 500
_MAX_SHOWN = 1000


@dataclass(frozen=True)
class Account:
    """A purse, its budgets, and the namespace whose administrators hear of it."""

    purse: Purse
    budgets: tuple[Budget, ...]
    namespace_id: int


def reconcile(run: JobRun) -> None:
    """Look at all budgets that were used lately."""
    context, redis, corrected, looked = run.context, connect_redis(run.context), 0, 0
    try:
        for account in list_accounts(context):
            run.check_cancelled()
            for budget in account.budgets:
                looked += 1
                corrected += reconcile_budget(context, redis, account, budget)
    finally:
        redis.close()
    if corrected:
        run.log(f"Corrected {corrected} of {looked} budgets.")


def list_accounts(context: Context, *, within: timedelta = _LATELY) -> Iterator[Account]:
    """Whose budgets have been used lately: keys, and their members and accounts once each."""
    last_id = 0
    seen: set[Purse] = set()
    while True:
        with reading(context) as work:
            query = (
                select(
                    *(ApiKey.id, ApiKey.budgets, ApiKey.model_budgets),
                    *(Namespace.id, Namespace.uuid, Namespace.time_zone),
                )
                .join(Namespace, Namespace.id == ApiKey.namespace_id)
                .where(ApiKey.last_used_at >= work.now() - within, ApiKey.id > last_id)
                .order_by(ApiKey.id)
                .limit(_KEYS_AT_ONCE)
            )
            rows = work.rows(query)
            wider = _wider(work, {namespace_id: (uuid, zone) for *_, namespace_id, uuid, zone in rows})
        for id, budgets, by_model, namespace_id, _, zone in rows:
            for purse, budget in budgets_of_key(id, zone, budgets, by_model):
                yield Account(purse, (budget,), namespace_id)
        for account in wider:
            if account.purse not in seen:
                seen.add(account.purse)
                yield account
        if len(rows) < _KEYS_AT_ONCE:
            return
        last_id = rows[-1][0]


def _wider(work: UnitOfWork, namespaces: Mapping[int, tuple[str, str]]) -> list[Account]:
    """The budgets of accounts and their members. namespaces: UUIDs and time zones by their ids."""
    found = []
    owners = select(OwnerBudget.namespace_id, OwnerBudget.budgets).where(OwnerBudget.namespace_id.in_(namespaces))
    for namespace_id, budgets in work.rows(owners):
        uuid, zone = namespaces[namespace_id]
        found.append(Account(Purse("owner", uuid, zone=zone), read_budgets(budgets), namespace_id))
    members = select(MemberBudget.namespace_id, MemberBudget.user_id, MemberBudget.budgets)
    for namespace_id, user_id, budgets in work.rows(members.where(MemberBudget.namespace_id.in_(namespaces))):
        uuid, zone = namespaces[namespace_id]
        found.append(Account(Purse("member", uuid, user_id, zone=zone), read_budgets(budgets), namespace_id))
    return found


def reconcile_budget(context: Context, redis: Redis, account: Account, budget: Budget) -> bool:
    """Put one budget's counter right and tell of what is spent; whether the counter was wrong."""
    now = context.clock.now()
    start, name = budget.start_at(now, account.purse.zone), account.purse.counter(budget, now)
    with reading(context) as work:
        least = read_spent(work, account.purse, start)
        counted, told, under_way = _look(redis, name, now) if budget.hard_nano is not None else (None, b"", [])
        # Of the calls that hold money some are written down already.
        unsettled = read_cost(work, under_way, start)
        most = read_spent(work, account.purse, start)
    note_spending(context, account.purse, account.namespace_id, budget, most)
    if counted is None:
        return False
    least, most = least - unsettled, most - unsettled
    amiss = least - counted if counted < least else most - counted if counted > most else 0
    return bool(amiss and _run(redis, "adding", name, told, amiss))


def _look(redis: Redis, name: str, now: datetime) -> tuple[int | None, bytes, list[str]]:
    """What is counted as spent (None: nothing is counted), since when, and the calls that hold money.

    What is held is put right at once: it is what these hold.
    """
    spent, told, ids = _run(redis, "correcting", name, int(now.timestamp() * 1000))
    return (int(spent) if spent else None), told, [id.decode() for id in ids]


def _run(redis: Redis, script: str, name: str, *arguments: int | bytes) -> Any:
    text = (files("plugins.inference.gateway") / f"{script}.lua").read_text()
    return redis.eval(text, 1, name, *arguments)


def list_remaining(context: Context) -> Iterator[tuple[Purse, str, int]]:
    """What is left of hard budgets that were used within a day and are counted: purse, period, billionths."""
    now, found = context.clock.now(), []
    for account in list_accounts(context, within=timedelta(days=1)):
        found += [(account.purse, budget) for budget in account.budgets if budget.hard_nano is not None]
        if len(found) >= _MAX_SHOWN:
            break
    redis = connect_redis(context)
    try:
        with redis.pipeline(transaction=False) as pipe:
            for purse, budget in found:
                pipe.hmget(purse.counter(budget, now), "spent", "held")
            counted = pipe.execute()
    except RedisError:
        return
    finally:
        redis.close()
    for (purse, budget), (spent, held) in zip(found, counted, strict=True):
        if spent is not None and budget.hard_nano is not None:
            yield purse, budget.period, max(budget.hard_nano - int(spent) - int(held or 0), 0)
