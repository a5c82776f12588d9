"""The sums of each day: the room's own reader of what was used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date
from typing import Any

from sqlalchemy import bindparam, delete, update

from hub.db.insert import insert_new
from hub.db.uow import UnitOfWork
from hub.metering.models import UsageDay
from hub.metering.service.readers import replay
from hub.metering.usage import Unit, Usage

SUMS = "days"


@dataclass
class Sums:
    """What is added up; times in seconds multiplied by what was held meanwhile."""

    events: int = 0
    quantity: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    cache_creation_tokens: int = 0
    completion_tokens: int = 0
    cpu_millis_seconds: int = 0
    memory_mib_seconds: int = 0
    gpu_millis_seconds: int = 0

    def add(self, usage: Usage) -> None:
        seconds = usage.quantity if usage.unit == Unit.SECOND else 0
        self.events += 1
        self.quantity += usage.quantity
        self.prompt_tokens += usage.tokens.prompt
        self.cached_tokens += usage.tokens.cached
        self.cache_creation_tokens += usage.tokens.cache_creation
        self.completion_tokens += usage.tokens.completion
        self.cpu_millis_seconds += seconds * usage.power.cpu_millis
        self.memory_mib_seconds += seconds * usage.power.memory_mib
        self.gpu_millis_seconds += seconds * usage.power.gpu_millis


SUM_NAMES = tuple(member.name for member in fields(Sums))
_KEY = ("day", "owner_uuid", "scene", "unit", "resource_id", "customer_id", "token_key", "user_key", "gpu_model")


def add_up(work: UnitOfWork, usages: Sequence[Usage]) -> None:
    """Add events to the sums of their days."""
    sums: dict[tuple[Any, ...], Sums] = {}
    names: dict[tuple[Any, ...], str] = {}
    for usage in usages:
        key = _key_of(usage)
        sums.setdefault(key, Sums()).add(usage)
        names[key] = usage.resource_name
    # In one order for all, so that no two wait for each other.
    keys = sorted(sums)
    rows = [_row_of(key) | {"resource_name": names[key]} | vars(Sums()) for key in keys]
    insert_new(work.session, UsageDay, rows)
    more = [
        {f"of_{name}": value for name, value in _row_of(key).items()}
        | {f"more_{name}": value for name, value in vars(sums[key]).items()}
        for key in keys
    ]
    query = (
        update(UsageDay)
        .where(*(getattr(UsageDay, name) == bindparam(f"of_{name}") for name in _KEY))
        .values({name: getattr(UsageDay, name) + bindparam(f"more_{name}") for name in SUM_NAMES})
    )
    work.session.connection().execute(query, more)


def _key_of(usage: Usage) -> tuple[Any, ...]:
    day: date = usage.occurred_at.astimezone(UTC).date()
    keys = (usage.token_id or 0, usage.user_id or 0, usage.power.gpu_model)
    return (day, usage.owner_uuid, int(usage.scene), usage.unit.value, usage.resource_id, usage.customer_id, *keys)


def _row_of(key: tuple[Any, ...]) -> dict[str, Any]:
    return dict(zip(_KEY, key, strict=True))


def add_up_anew(work: UnitOfWork) -> None:
    """Forget the sums; they are made again of all events, the next time that readers are told."""
    work.session.execute(delete(UsageDay))
    replay(work, SUMS)
