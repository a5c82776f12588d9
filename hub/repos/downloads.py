"""The numbers of downloads: counted without a write for each of them, and told by administrators' programs."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import date

from sqlalchemy import bindparam, insert, update
from sqlalchemy.exc import IntegrityError

from hub.accounts.policy import Actor, require_site_admin
from hub.base.context import Context
from hub.base.log import get_logger
from hub.db.uow import UnitOfWork, unit_of_work
from hub.repos.lookup import get_readable
from hub.repos.models import DayDownloads, Repository

log = get_logger(__name__)

# A process that is killed loses the counts of this long at most; clones of one moment cost one write together.
WRITE_AFTER_S = 2.0


def add_download(work: UnitOfWork, *, actor: Actor, repository_id: int) -> None:
    """One more download, told by a site administrator's program. Raises NotFound, NotSignedIn, Denied."""
    require_site_admin(work, actor)
    get_readable(work, actor=actor, repository_id=repository_id)
    _add(work, repository_id, 1)


def set_day_downloads(work: UnitOfWork, *, actor: Actor, repository_id: int, day: date, count: int) -> None:
    """What a site administrator's program counted on one day, beyond the hub's own count; the last word of a day wins.

    Raises NotFound, NotSignedIn, Denied.
    """
    require_site_admin(work, actor)
    get_readable(work, actor=actor, repository_id=repository_id)
    key = (repository_id, day)
    try:
        with work.session.begin_nested():
            work.session.execute(insert(DayDownloads).values(repository_id=repository_id, day=day, count=0))
    except IntegrityError:
        pass  # it was told of that day before
    row = work.session.get_one(DayDownloads, key, with_for_update=True)
    _add(work, repository_id, count - row.count)
    row.count = count


def _add(work: UnitOfWork, repository_id: int, more: int) -> None:
    work.session.execute(
        update(Repository)
        .where(Repository.id == repository_id)
        .values(download_count=Repository.download_count + more)
        .execution_options(synchronize_session=False)
    )


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
