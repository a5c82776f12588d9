"""What this process has read, said again for moments: what many pages ask and what may be some seconds old.

What the process itself writes makes it forget everything at once; what other processes write it tells when the moment
is over. Never for what decides who may see or do something.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from datetime import datetime, timedelta
from typing import Any, TypeVar

from hub.db.engine import DATABASE
from hub.db.uow import UnitOfWork

T = TypeVar("T")

# Of texts, numbers and short lists: some kilobytes each.
MAX_KEPT = 2_000


def remembered(work: UnitOfWork, key: Hashable, read: Callable[[], T], *, for_s: float) -> T:
    """What ``read`` finds, or found at most ``for_s`` seconds ago. key: everything that it depends on.

    Its value is shared by threads and requests: nobody may change it. A unit of work that writes reads anew.
    """
    if not work.is_reading:
        return read()
    # What was written while this reads starts another memory: this one is nobody's any more then.
    kept: dict[Hashable, tuple[datetime, Any]] = work.context[DATABASE].moments
    now = work.now()
    if (found := kept.get(key)) is not None and abs(now - found[0]) < timedelta(seconds=for_s):
        value: T = found[1]
        return value
    value = read()
    if len(kept) >= MAX_KEPT:
        kept.clear()
    kept[key] = (now, value)
    return value
