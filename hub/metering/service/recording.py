"""Events of usage are written once each, and many at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from hub.base.context import Context, Key
from hub.base.log import get_logger
from hub.db.base import Model
from hub.db.insert import insert_missing, insert_new
from hub.db.uow import UnitOfWork, unit_of_work
from hub.metering.models import UsageEvent
from hub.metering.usage import Usage

log = get_logger(__name__)


def record(work: UnitOfWork, usages: Sequence[Usage]) -> int:
    """Add events to what was used, in the caller's transaction; return how many were new.

    An event whose id is there already changes nothing: whoever is not sure that it was told tells it again.
    Raises Invalid (``usage_invalid``) and adds none when one cannot be stored.
    """
    for usage in usages:
        usage.check()
    new = insert_new(work.session, UsageEvent, _rows_of(work, usages))
    if new < len(usages):
        log.info("usage_told_again", events=len(usages) - new)
    return new


def _rows_of(work: UnitOfWork, usages: Sequence[Usage]) -> list[dict[str, Any]]:
    now = work.now()
    return [_row_of(usage) | {"recorded_at": now} for usage in usages]


def _row_of(usage: Usage) -> dict[str, Any]:
    tokens, power = usage.tokens, usage.power
    return {
        "uuid": usage.id,
        "position": None,
        "owner_uuid": usage.owner_uuid,
        "scene": int(usage.scene),
        "unit": usage.unit.value,
        "quantity": usage.quantity,
        "resource_id": usage.resource_id,
        "resource_name": usage.resource_name,
        "customer_id": usage.customer_id,
        "user_id": usage.user_id,
        "token_id": usage.token_id,
        "prompt_tokens": tokens.prompt,
        "cached_tokens": tokens.cached,
        "cache_creation_tokens": tokens.cache_creation,
        "completion_tokens": tokens.completion,
        "cpu_millis": power.cpu_millis,
        "memory_mib": power.memory_mib,
        "gpu_millis": power.gpu_millis,
        "gpu_model": power.gpu_model,
        "details": dict(usage.details),
        "occurred_at": usage.occurred_at,
    }


class _Batch:
    """What is written in one transaction, and whoever waits for it."""

    def __init__(self) -> None:
        self.usages: list[Usage] = []
        self.beside: dict[type[Model], list[Mapping[str, Any]]] = {}
        self.has_writer = False
        self.is_done = threading.Event()
        self.error: Exception | None = None


class UsageWriter:
    """Writes the events of a process's many requests, those of one moment in one transaction.

    A gateway answers a thousand calls a second, and a call has not ended before its usage is safe on disk: a
    transaction of its own for each would be most of the work.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._lock = threading.Lock()
        self._turn = threading.Lock()
        self._waiting = _Batch()

    def write(self, *usages: Usage, beside: Mapping[type[Model], Sequence[Mapping[str, Any]]] | None = None) -> None:
        """Return when the events are committed. Raises Invalid, or whatever kept the database from taking them.

        beside: new rows of tables of their maker's, written in the same transaction; one that is there already by a
        unique rule is left as it is.
        Not to be called inside a unit of work: there ``record`` joins the transaction that is open.
        """
        # Found here, a fault is its maker's own and no neighbour's in the batch.
        for usage in usages:
            usage.check()
        with self._lock:
            batch = self._waiting
            batch.usages += usages
            for model, rows in (beside or {}).items():
                batch.beside.setdefault(model, []).extend(rows)
            is_writer = not batch.has_writer
            batch.has_writer = True
        if is_writer:
            self._write_in_turn(batch)
        else:
            batch.is_done.wait()
        if batch.error is not None:
            raise batch.error

    def _write_in_turn(self, batch: _Batch) -> None:
        with self._turn:
            # Whoever came while the transaction before was under way is in this one, and whoever may come at once.
            time.sleep(0)
            with self._lock:
                self._waiting = _Batch()
            try:
                with unit_of_work(self._context) as work:
                    insert_missing(work.session, UsageEvent, _rows_of(work, batch.usages))
                    for model, rows in batch.beside.items():
                        insert_missing(work.session, model, rows)
            except Exception as error:
                batch.error = error
            finally:
                batch.is_done.set()


USAGE_WRITER: Key[UsageWriter] = Key("metering.writer")
