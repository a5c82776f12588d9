"""Who reads what was used: the sums by day, and plugins such as the one for billing.

Each reader hears of every event once, in one order that is the same for all, in the transaction in which it writes
down what follows from it: its place moves with that or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import func, select, update

from hub.base.context import Context, Key
from hub.base.errors import NotFound
from hub.base.log import get_logger
from hub.base.registry import Registry
from hub.db.insert import insert_new
from hub.db.uow import UnitOfWork, unit_of_work
from hub.metering.models import UsageEvent, UsageReader
from hub.metering.usage import Power, Scene, Tokens, Unit, Usage

log = get_logger(__name__)

Read = Callable[[UnitOfWork, Sequence[Usage]], None]
"""``read(work, usages)``. What it raises is logged, and the same events come again a minute later."""

USAGE_READERS: Key[Registry[Read]] = Key("metering.readers")

_NUMBERING = ""
_NUMBER_AT_ONCE, _TELL_AT_ONCE = 5000, 500


def create_readers() -> Registry[Read]:
    """An empty registry; the room and plugins add their readers by name."""
    return Registry("readers of usage")


def tell_readers(context: Context) -> int:
    """Tell each reader of the events that it has not heard of; return how many were new to all.

    A reader that fails holds up no other.
    """
    count = _number_all(context)
    for name in context[USAGE_READERS]:
        try:
            _tell_all(context, name, context[USAGE_READERS][name])
        except Exception:
            log.exception("usage_reader_failed", reader=name)
    return count


def _number_all(context: Context) -> int:
    """Give positions to the events that have none. They follow no id: of two transactions that end at once the later
    may hold the smaller ids, and a reader beyond them would never hear of its events."""
    count, numbered = 0, _NUMBER_AT_ONCE
    while numbered == _NUMBER_AT_ONCE:
        with unit_of_work(context) as work:
            place = _lock_place(work, _NUMBERING)
            new = (
                select(UsageEvent.id, func.row_number().over(order_by=UsageEvent.id).label("number"))
                .where(UsageEvent.position.is_(None))
                .order_by(UsageEvent.id)
                .limit(_NUMBER_AT_ONCE)
                .subquery()
            )
            query = (
                update(UsageEvent)
                .where(UsageEvent.id == new.c.id)
                .values(position=place.position + new.c.number)
                .execution_options(synchronize_session=False)
                .returning(UsageEvent.id)
            )
            numbered = len(work.session.execute(query).all())
            place.position += numbered
        count += numbered
    return count


def _tell_all(context: Context, name: str, read: Read) -> None:
    is_behind = True
    while is_behind:
        with unit_of_work(context) as work:
            place = _lock_place(work, name)
            query = (
                select(UsageEvent)
                .where(UsageEvent.position > place.position)
                .order_by(UsageEvent.position)
                .limit(_TELL_AT_ONCE)
            )
            rows = work.session.scalars(query).all()
            is_behind = len(rows) == _TELL_AT_ONCE
            if rows:
                read(work, [usage_of(row) for row in rows])
                place.position = rows[-1].position or 0


def _lock_place(work: UnitOfWork, name: str) -> UsageReader:
    insert_new(work.session, UsageReader, [{"name": name, "position": 0}])
    return work.session.get_one(UsageReader, name, with_for_update=True, populate_existing=True)


def replay(work: UnitOfWork, name: str) -> None:
    """Let a reader hear of everything again, from the first event: it must have forgotten what it made of them.

    Raises NotFound (``usage_reader_not_found``).
    """
    if name not in work.context[USAGE_READERS]:
        names = ", ".join(sorted(entry.name for entry in work.context[USAGE_READERS].entries()))
        raise NotFound(f"There is no reader of usage {name!r}; there are: {names}", code="usage_reader_not_found")
    _lock_place(work, name).position = 0


def usage_of(row: UsageEvent) -> Usage:
    """The event in a row."""
    return Usage(
        row.uuid,
        row.owner_uuid,
        Scene(row.scene),
        Unit(row.unit),
        row.quantity,
        row.occurred_at,
        row.resource_id,
        row.resource_name,
        row.customer_id,
        row.user_id,
        row.token_id,
        Tokens(row.prompt_tokens, row.cached_tokens, row.cache_creation_tokens, row.completion_tokens),
        Power(row.cpu_millis, row.memory_mib, row.gpu_millis, row.gpu_model),
        row.details,
    )
