"""What pages and streams ask for again and again: status, logs and use of one workload.

However many ask, the driver and the database are asked once a second for each workload in each process.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hub.accounts.policy import SYSTEM, Actor
from hub.base.context import Context, Key
from hub.base.errors import Unavailable
from hub.compute.machines import MACHINES
from hub.compute.models import Workload
from hub.compute.reports import History, LogLine, Usage
from hub.compute.service.rules import WORKLOAD_LOGS, may
from hub.compute.states import WORDS, Code
from hub.db.uow import reading

FRESH_S = 1.0
MAX_LINES = 10_000
# From when on logs are read, in the words of clients. Source: compute contract, 4.5.
LOG_SPANS = {
    "10mins": timedelta(minutes=10),
    "30mins": timedelta(minutes=30),
    "1hour": timedelta(hours=1),
    "6hours": timedelta(hours=6),
    "1day": timedelta(days=1),
    "2days": timedelta(days=2),
    "1week": timedelta(weeks=1),
}
_MAX_KEPT = 1000


@dataclass(frozen=True)
class Seen:
    """How a workload stands. is_reachable: its driver could be asked; without, the word is ``ResourceUnhealthy``."""

    workload_id: int
    code: Code
    reason: str
    message: str
    endpoint: str
    instances: tuple[dict[str, Any], ...]
    actual: int
    desired: int
    task_number: int
    is_reachable: bool = True

    @property
    def word(self) -> str:
        """As the API spells it. 28 is never stored: it says that nobody answers for what should run."""
        is_away = not self.is_reachable and self.code in (Code.RUNNING, Code.SLEEPING)
        return WORDS[Code.RESOURCE_UNHEALTHY if is_away else self.code]

    def as_json(self) -> dict[str, Any]:
        """What an event ``status`` carries. Source: compute contract, 1.7."""
        return {
            "status": self.word,
            "details": list(self.instances),
            "message": self.message,
            "reason": self.reason,
        }


class Watch:
    """What this process has seen of workloads in the last second."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: dict[int, tuple[float, Seen]] = {}
        self._asking: dict[int, threading.Lock] = {}

    def look(self, context: Context, workload_id: int, *, is_fresh: bool = False) -> Seen:
        """How it stands, at most a second ago; is_fresh: not before this question was asked. Raises NotFound."""
        since = time.monotonic() if is_fresh else time.monotonic() - FRESH_S
        with self._lock:
            asking = self._asking.setdefault(workload_id, threading.Lock())
        with asking:  # who waits here is told what the first learns
            known = self._seen.get(workload_id)
            if known is not None and known[0] > since:
                return known[1]
            began = time.monotonic()
            seen = _ask(context, workload_id)
            with self._lock:
                if len(self._seen) >= _MAX_KEPT:
                    self._seen.clear()
                    self._asking.clear()
                self._seen[workload_id] = (began, seen)
            return seen


WATCH: Key[Watch] = Key("compute.watch")


def _ask(context: Context, workload_id: int) -> Seen:
    # Deliberately late, here and below: processes that never look at a workload need not carry what does.
    from hub.compute.service.reconciling import refresh
    from hub.compute.service.workloads import get_workload

    is_reachable = True
    try:
        refresh(context, [workload_id])
    except Unavailable:
        is_reachable = False
    with reading(context) as work:
        workload = get_workload(work, actor=SYSTEM, workload_id=workload_id)
    return Seen(
        workload.id,
        workload.state,
        workload.reason,
        workload.message,
        workload.endpoint,
        tuple(workload.instances),
        workload.actual_replicas,
        workload.desired_replicas,
        workload.task_number,
        is_reachable,
    )


def see_workload(context: Context, *, workload_id: int, is_fresh: bool = False) -> Seen:
    """How it stands now, as its driver says; for who was allowed to see it. Raises NotFound.

    is_fresh: what somebody was told a moment ago is not enough.
    """
    return context[WATCH].look(context, workload_id, is_fresh=is_fresh)


def follow_workload(context: Context, *, workload_id: int, pause_s: float = FRESH_S) -> Iterator[Seen | None]:
    """How it stands, and again whenever that changes; None for every look that shows nothing new. It ends with it."""
    last: Seen | None = None
    while True:
        seen = see_workload(context, workload_id=workload_id)
        yield seen if seen != last else None
        last = seen
        time.sleep(pause_s)


def read_logs(
    context: Context,
    *,
    actor: Actor,
    workload_id: int,
    instance: str = "",
    since: datetime | None = None,
    follow: bool = False,
    limit: int = 1000,
) -> Iterator[LogLine | None]:
    """What a workload printed; the right is judged at once, the lines come as they are asked for. See the driver.

    Raises NotFound, NotSignedIn, Denied, Unavailable.
    """
    from hub.compute.service.workloads import get_workload

    with reading(context) as work:
        workload = get_workload(work, actor=actor, workload_id=workload_id, permission=WORKLOAD_LOGS)
    return context[MACHINES].driver.logs(
        workload.svc_name,
        instance=instance[:255],
        since=since,
        follow=follow,
        limit=max(1, min(limit, MAX_LINES)),
    )


def find_usage(context: Context, *, actor: Actor, workload_id: int) -> Usage | None:
    """What it uses now; None: it does not run, or nobody can say. Raises NotFound, Denied."""
    from hub.compute.service.workloads import get_workload

    with reading(context) as work:
        workload = get_workload(work, actor=actor, workload_id=workload_id)
    try:
        return context[MACHINES].driver.usage(workload.svc_name)
    except Unavailable:
        return None


def find_history(context: Context, workload: Workload, *, instance: str, since: datetime) -> History | None:
    """What one instance of a workload used, by the minute, for who was allowed to see that; None: nobody can say."""
    try:
        return context[MACHINES].driver.history(workload.svc_name, instance[:255], since=since)
    except Unavailable:
        return None


def may_read_logs(context: Context, *, actor: Actor, workload: Workload) -> bool:
    """Whether a page shows the actor what it prints."""
    with reading(context) as work:
        return may(work, actor, WORKLOAD_LOGS, workload)
