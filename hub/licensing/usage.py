"""How much of what a licence limits is in use: counted by the rooms that have it."""

from __future__ import annotations

from collections.abc import Callable

from hub.base.context import Key
from hub.base.registry import Registry
from hub.db.uow import UnitOfWork

# By the limit's name: "users", "nodes", "gpus".
Counter = Callable[[UnitOfWork], int]
USAGE: Key[Registry[Counter]] = Key("licensing.usage")


def count_usage(work: UnitOfWork) -> dict[str, int]:
    """Every counter's number by its name."""
    return {entry.name: entry.value(work) for entry in work.context[USAGE].entries()}
