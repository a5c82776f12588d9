"""The numbers of downloads: counted without a write for each of them, by day and file, and told by others' programs."""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import BindParameter, Date, bindparam, delete, func, insert, literal, select, union_all, update
from sqlalchemy.exc import IntegrityError

from hub.accounts.policy import Actor, require_site_admin
from hub.base.context import Context, Key
from hub.base.log import get_logger
from hub.base.secrets import SECRET
from hub.db.insert import insert_new, insert_new_keys
from hub.db.moments import remembered
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.repos.lfs.paths import find_paths
from hub.repos.lookup import get_readable
from hub.repos.models import DayDownloads, Repository
from hub.repos.models_activities import DownloadMark, FileDownloads, RepositoryDownloads

log = get_logger(__name__)

# A process that is killed loses the counts of this long at most; clones of one moment cost one write together.
WRITE_AFTER_S = 2.0
# Of one writing: more different downloads than these within two seconds are counted, and by no day.
MAX_SEEN = 10_000
_BATCH = 500
# What pages tell may be so much older than what is counted.
_KNOWN_FOR_S = 5.0


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


@dataclass(frozen=True)
class _Seen:
    """A file, or the whole by git (neither path nor oid), that a client began to download.

    oid: of what is in LFS, by which it is the same file in whatever way it comes; path: "" when it came by its oid.
    """

    repository_id: int
    path: str
    client: str
    oid: str = ""

    @property
    def what(self) -> str:
        return self.oid or f"/{self.path}"


class DownloadCounter:
    """Gathers the downloads of one process and adds them to the rows a little later.

    ``Repository.download_count`` counts every one, as CSGHub does. By day, a client counts once for each file and once
    for each repository, however often, in how many ranges and in which ways it asks: ``DownloadMark`` decides, for all
    processes.
    """

    def __init__(self, context: Context, *, write_after_s: float = WRITE_AFTER_S) -> None:
        self._context = context
        self._write_after_s = write_after_s
        self._lock = threading.Lock()
        self._counts: Counter[int] = Counter()
        self._seen: set[_Seen] = set()
        self._timer: threading.Timer | None = None

    def count(self, repository_id: int, *, path: str = "", oid: str = "", client: str = "") -> None:
        """One more download of this repository.

        path, oid: of a file, and of its content in LFS; both "": all of it, by git. client: who; "": counted by no day.
        """
        self._note(repository_id, [_Seen(repository_id, path, client, oid)] if client else [], 1)

    def count_fetched(self, repository_id: int, oids: Iterable[str], *, client: str) -> None:
        """What git-lfs fetches after a clone or a pull: by day each content is a file, and the clone was counted."""
        self._note(repository_id, [_Seen(repository_id, "", client, oid) for oid in oids], 0)

    def _note(self, repository_id: int, seen: Iterable[_Seen], more: int) -> None:
        with self._lock:
            self._counts[repository_id] += more
            self._seen.update(islice(seen, max(0, MAX_SEEN - len(self._seen))))
            if self._timer is None:
                self._timer = threading.Timer(self._write_after_s, self.write)
                self._timer.daemon = True
                self._timer.start()

    def close(self) -> None:
        """Write what is left, at the end of the process."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
        self.write()

    def write(self) -> None:
        """Add what was counted since the last time to the rows. A failure is logged, and the counts are kept."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
            seen, self._seen = self._seen, set()
            self._timer = None
        if not counts:
            return
        rows = [{"repository": id, "more": count} for id, count in sorted(counts.items()) if count]
        query = (
            update(Repository)
            .where(Repository.id == bindparam("repository"))
            .values(download_count=Repository.download_count + bindparam("more"))
        )
        try:
            named = _give_names(self._context, seen)
            with unit_of_work(self._context) as work:
                if rows:
                    work.session.connection().execute(query, rows)
                _add_by_day(work, named)
        except Exception:
            log.exception("downloads_not_counted", repositories=len(counts))
            with self._lock:
                self._counts.update(counts)
                self._seen |= seen


DOWNLOADS: Key[DownloadCounter] = Key("repos.downloads")


def _give_names(context: Context, seen: Collection[_Seen]) -> list[_Seen]:
    """The same, those that came by their oid with the path that the repository has the content at.

    Looked up, before the unit of work that writes, only for what counts: what a client did not have before today.
    """
    named = [one for one in seen if one.path or not one.oid]
    nameless = [one for one in seen if one.oid and not one.path]
    if not nameless:
        return named
    with reading(context) as work:
        day = work.now().date()
        marks = {_mark(work, day, one): one for one in nameless}
        keys, known = sorted(marks), set[str]()
        for start in range(0, len(keys), _BATCH):
            some = DownloadMark.key.in_(keys[start : start + _BATCH])
            known.update(work.session.scalars(select(DownloadMark.key).where(some)))
    wanted = {(one.repository_id, one.oid) for key, one in marks.items() if key not in known}
    paths = find_paths(context, wanted)
    # Those that have names come last, and are who is counted of two that had one content.
    return [*(replace(one, path=paths.get((one.repository_id, one.oid), "")) for one in nameless), *named]


def _add_by_day(work: UnitOfWork, seen: Sequence[_Seen]) -> None:
    """Add what clients have not had before today."""
    if not seen:
        return
    day = work.now().date()
    wanted = {one.repository_id for one in seen}
    there = set(work.session.scalars(select(Repository.id).where(Repository.id.in_(wanted))))
    files = {_mark(work, day, one): one for one in seen}
    visits = {_mark(work, day, one, is_visit=True): one for one in seen}
    marks = [{"key": key, "day": day} for key in sorted({*files, *visits})]
    new = {key for (key,) in insert_new_keys(work.session, DownloadMark, marks)}
    by_file = Counter((one.repository_id, one.path) for key, one in files.items() if key in new)
    by_file = Counter({key: count for key, count in by_file.items() if key[0] in there})
    clients = Counter(one.repository_id for key, one in visits.items() if key in new and one.repository_id in there)
    downloads: Counter[int] = Counter()
    for (repository_id, _), count in by_file.items():
        downloads[repository_id] += count
    of_files = [
        {"repository_id": id, "day": day, "path_key": _digest(path), "path": path, "count": 0}
        for id, path in sorted(by_file)
        if path
    ]
    insert_new(work.session, FileDownloads, of_files)
    connection = work.session.connection()
    if of_files:
        is_file = (
            FileDownloads.repository_id == bindparam("id"),
            FileDownloads.day == day,
            FileDownloads.path_key == bindparam("file"),
        )
        more = update(FileDownloads).where(*is_file).values(count=FileDownloads.count + bindparam("more"))
        rows = [{"id": id, "file": _digest(path), "more": by_file[id, path]} for id, path in sorted(by_file) if path]
        connection.execute(more, rows)
    of_day = [{"repository_id": id, "day": day, "downloads": 0, "clients": 0} for id in sorted(downloads)]
    insert_new(work.session, RepositoryDownloads, of_day)
    if of_day:
        is_day = (RepositoryDownloads.repository_id == bindparam("id"), RepositoryDownloads.day == day)
        more = update(RepositoryDownloads).where(*is_day)
        more = more.values(
            downloads=RepositoryDownloads.downloads + bindparam("files"),
            clients=RepositoryDownloads.clients + bindparam("people"),
        )
        connection.execute(
            more, [{"id": id, "files": downloads[id], "people": clients.get(id, 0)} for id in sorted(downloads)]
        )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:40]


def _mark(work: UnitOfWork, day: date, seen: _Seen, *, is_visit: bool = False) -> str:
    """Of what was seen; or, as a visit, of the client's having had anything of the repository."""
    what = "" if is_visit else seen.what
    text = f"{day}\n{seen.repository_id}\n{seen.client}\n{what}".encode(errors="surrogatepass")
    return hmac.new(work.context[SECRET], text, hashlib.sha256).hexdigest()[:40]


@dataclass(frozen=True)
class DayCount:
    """The downloads of one day: of files and clones, and how many clients they were."""

    day: date
    downloads: int
    clients: int


def list_days(work: UnitOfWork, *, repository_ids: Sequence[int], days: int) -> dict[int, list[DayCount]]:
    """The last days of each repository, today last, days without any included. One query.

    What administrators' programs told (``set_day_downloads``) is in the downloads.
    """
    asked, today = tuple(repository_ids), work.now().date()
    key = ("downloads by day", asked, days, today)
    return remembered(work, key, lambda: _list_days(work, asked, today, days), for_s=_KNOWN_FOR_S)


def _list_days(work: UnitOfWork, repository_ids: Sequence[int], today: date, days: int) -> dict[int, list[DayCount]]:
    first = today - timedelta(days=days - 1)
    found: dict[tuple[int, date], tuple[int, int]] = {}
    for repository_id, day, downloads, clients in work.rows(_DAYS, {"ids": [*repository_ids], "since": first}):
        before = found.get((repository_id, day), (0, 0))
        found[repository_id, day] = (before[0] + downloads, before[1] + clients)
    span = [first + timedelta(days=number) for number in range(days)]
    return {id: [DayCount(day, *found.get((id, day), (0, 0))) for day in span] for id in repository_ids}


# Of the number that lists tell.
RECENT_DAYS = 30
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_SINCE = bindparam("since", type_=Date)
_DAYS = union_all(
    select(
        RepositoryDownloads.repository_id,
        RepositoryDownloads.day,
        RepositoryDownloads.downloads,
        RepositoryDownloads.clients,
    ).where(RepositoryDownloads.repository_id.in_(_IDS), RepositoryDownloads.day >= _SINCE),
    select(DayDownloads.repository_id, DayDownloads.day, DayDownloads.count, literal(0)).where(
        DayDownloads.repository_id.in_(_IDS), DayDownloads.day >= _SINCE
    ),
)
_RECENT = union_all(
    select(RepositoryDownloads.repository_id, func.sum(RepositoryDownloads.downloads))
    .where(RepositoryDownloads.repository_id.in_(_IDS), RepositoryDownloads.day >= _SINCE)
    .group_by(RepositoryDownloads.repository_id),
    select(DayDownloads.repository_id, func.sum(DayDownloads.count))
    .where(DayDownloads.repository_id.in_(_IDS), DayDownloads.day >= _SINCE)
    .group_by(DayDownloads.repository_id),
)


def count_recent(work: UnitOfWork, *, repository_ids: Sequence[int]) -> dict[int, int]:
    """The downloads of each repository in the last ``RECENT_DAYS``; those without any are absent. One query at most."""
    if not repository_ids:
        return {}
    asked, since = tuple(repository_ids), work.now().date() - timedelta(days=RECENT_DAYS - 1)
    return remembered(work, ("recent", asked, since), lambda: _count_since(work, asked, since), for_s=_KNOWN_FOR_S)


def _count_since(work: UnitOfWork, repository_ids: Sequence[int], since: date) -> dict[int, int]:
    found: dict[int, int] = {}
    for id, count in work.rows(_RECENT, {"ids": [*repository_ids], "since": since}):
        found[id] = found.get(id, 0) + int(count)
    return found


# A year of a repository with thousands of files is too much to be added up while somebody waits.
TOP_DAYS = 30


def list_top_files(work: UnitOfWork, *, repository_id: int, days: int, limit: int) -> list[tuple[str, int]]:
    """The files that were downloaded most in the last days, at most ``TOP_DAYS``, and how often: by path. One query."""
    first = work.now().date() - timedelta(days=min(days, TOP_DAYS) - 1)
    total = func.sum(FileDownloads.count)
    query = (
        select(func.min(FileDownloads.path), total)
        .where(FileDownloads.repository_id == repository_id, FileDownloads.day >= first)
        .group_by(FileDownloads.path_key)
        .order_by(total.desc(), func.min(FileDownloads.path))
        .limit(limit)
    )
    return [(path, int(count)) for path, count in work.rows(query)]


def prune_downloads(context: Context) -> int:
    """Forget the marks of days before yesterday, and counts by file after their time; returns how many rows."""
    count = 0
    with reading(context) as work:
        now = work.now()
    of_marks = (now - timedelta(days=1)).date()
    of_files = (now - timedelta(seconds=context.settings.file_downloads_ttl_s)).date()
    for table, key, is_old in (
        (DownloadMark, DownloadMark.key, DownloadMark.day < of_marks),
        (FileDownloads, FileDownloads.path_key, FileDownloads.day < of_files),
    ):
        some: Sequence[str] = [""] * _BATCH
        while len(some) == _BATCH:
            with unit_of_work(context) as work:
                some = work.session.scalars(select(key).where(is_old).limit(_BATCH)).all()
                gone = delete(table).where(is_old, key.in_(some)).execution_options(synchronize_session=False)
                work.session.execute(gone)
            count += len(some)
    return count
