"""Counts downloads without a write for each of them."""

from __future__ import annotations

import threading
from collections import Counter

from sqlalchemy import bindparam, update

from hub.base.context import Context
from hub.base.log import get_logger
from hub.db.uow import unit_of_work
from hub.repos.models import Repository

log = get_logger(__name__)

# A process that is killed loses the counts of this long at most; clones of one moment cost one write together.
WRITE_AFTER_S = 2.0


class DownloadCounter:
    """Gathers the downloads of one process and adds them to the repositories' rows a little later."""

    def __init__(self, context: Context, *, write_after_s: float = WRITE_AFTER_S) -> None:
        self._context = context
        self._write_after_s = write_after_s
        self._lock = threading.Lock()
        self._counts: Counter[int] = Counter()
        self._timer: threading.Timer | None = None

    def count(self, repository_id: int) -> None:
        """One more download of this repository."""
        with self._lock:
            self._counts[repository_id] += 1
            if self._timer is None:
                self._timer = threading.Timer(self._write_after_s, self.write)
                self._timer.daemon = True
                self._timer.start()

    def write(self) -> None:
        """Add what was counted since the last time to the rows. A failure is logged, and the counts are kept."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
            self._timer = None
        if not counts:
            return
        rows = [{"repository": repository_id, "more": count} for repository_id, count in sorted(counts.items())]
        query = (
            update(Repository)
            .where(Repository.id == bindparam("repository"))
            .values(download_count=Repository.download_count + bindparam("more"))
        )
        try:
            with unit_of_work(self._context) as work:
                work.session.connection().execute(query, rows)
        except Exception:
            log.exception("downloads_not_counted", repositories=len(rows))
            with self._lock:
                self._counts.update(counts)
