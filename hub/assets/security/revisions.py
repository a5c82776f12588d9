"""Looking through all files of a revision, and the report that is made of it.

Results are kept by content as they come, so that a run that was cut off, and one after a push of a few files, looks
through what is new. The memory that a run takes does not depend on the number of files.
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import and_, delete, insert, or_, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import aliased

from hub.accounts.policy import SYSTEM, Action, Actor, require
from hub.assets.indexing import IndexRun
from hub.assets.models_security import ContentScan, ScanState, SecurityFile, SecurityReport
from hub.assets.security.files import Treatment, treatment_of
from hub.assets.security.scanning import MAX_REASON_CHARS, Verdict, checkers_version, scan_content, worst_of
from hub.base.context import Context
from hub.base.errors import NotFound
from hub.base.log import get_logger
from hub.db.insert import insert_new
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.git import tree
from hub.git.blobs import read_blobs
from hub.git.types import EntryKind, TreeEntry
from hub.jobs.models import Job
from hub.jobs.run import JobRun
from hub.jobs.service import enqueue
from hub.repos.contents import OpenedFile, resolve
from hub.repos.lfs.contents import get_content
from hub.repos.lookup import repository_path
from hub.repos.models import LFSObject, Repository
from hub.repos.rows import Shown

log = get_logger(__name__)

JOB = "assets.scan_revision"
# Reports of so many revisions of a repository are kept; those in the making longer than this were given up.
KEPT_REPORTS = 20
GIVEN_UP_AFTER = timedelta(hours=6)
# Results of former checkers go after this, where there are others.
KEEP_OUTDATED = timedelta(days=30)
PAGE = 5000
_LOOKED_UP = 500
_SMALL_BYTES = 1024 * 1024
# Git gives a content from its beginning only, so one that is read anywhere is copied to the disk.
_MAX_COPIED_BYTES = 256 * 1024 * 1024
_KEEP_ROWS, _KEEP_AFTER_S = 500, 2.0
_EXECUTABLE = 0o111

_LFS = "lfs:"
_Current = aliased(ContentScan)

Key = tuple[str, str]  # content and treatment


def key_of(entry: TreeEntry) -> Key:
    """Under which the result of a file is kept."""
    content = f"{_LFS}{entry.lfs.oid}" if entry.lfs is not None else f"git:{entry.oid}"
    return content, treatment_of(entry.path).value


@dataclass(frozen=True)
class Known:
    """What is kept of a content, as far as every file needs it."""

    state: ScanState
    reason: str
    is_script: bool


def find_known(work: UnitOfWork, keys: Iterable[Key], version: str, *, is_any: bool = False) -> dict[Key, Known]:
    """What these checkers found in contents; what they have not looked through is absent. A query for every 500.

    is_any: where they have not, what others found that did, the latest of them.
    """
    wanted, found = set(keys), {}
    contents = sorted({content for content, _ in wanted})
    columns = select(
        ContentScan.content, ContentScan.treatment, ContentScan.state, ContentScan.reason, ContentScan.is_script
    ).order_by(ContentScan.version == version, ContentScan.scanned_at)
    if not is_any:
        columns = columns.where(ContentScan.version == version)
    for start in range(0, len(contents), _LOOKED_UP):
        # By one column, as SQLite reads the whole table for pairs.
        some = contents[start : start + _LOOKED_UP]
        for content, treatment, *rest in work.rows(columns.where(ContentScan.content.in_(some))):
            if (content, treatment) in wanted:
                found[content, treatment] = Known(*rest)
    return found


def state_of(entry: TreeEntry, known: Known) -> tuple[ScanState, bool]:
    """The state of a file by its content's, and whether it has the executable bit without being a script."""
    is_executable = bool(entry.mode & _EXECUTABLE) and not known.is_script
    return worst_of(known.state, ScanState.SUSPICIOUS) if is_executable else known.state, is_executable


def index_security(run: IndexRun) -> None:
    """The indexer: look through the default branch."""
    if run.commit_id:
        scan_revision(
            run.context, run.repository, commit_id=run.commit_id, note=lambda done: run.note(done), finish=run.finish
        )


def scan_job(run: JobRun, *, repository_id: int, commit_id: str) -> None:
    """The job: look through another revision that somebody asked for. Harmless when it is gone."""

    def note(done: int) -> None:
        run.check_cancelled()
        run.progress(done, None, "files")

    with reading(run.context) as work:
        repository = work.session.get(Repository, repository_id)
    if repository is not None and repository.deleted_at is None:
        scan_revision(run.context, repository, commit_id=commit_id, note=note)


def request_scan(context: Context, *, actor: Actor, repository: Shown, revision: str = "") -> Job:
    """Ask for a revision to be looked through; "": the default branch. For who may write.

    Raises NotFound (``revision_not_found``), NotSignedIn, Denied.
    """
    with reading(context) as work:
        require(work, actor, Action.REPOSITORY_WRITE, repository)
    commit_id = resolve(context, repository, revision)
    with unit_of_work(context) as work:
        require(work, actor, Action.REPOSITORY_WRITE, repository)
        return enqueue(
            work,
            JOB,
            args={"repository_id": repository.id, "commit_id": commit_id},
            unique_key=f"{JOB}:{repository.id}:{commit_id}",
            subject=("repository", repository.id),
            actor_id=actor.user_id,
        )


def scan_revision(
    context: Context,
    repository: Shown,
    *,
    commit_id: str,
    note: Callable[[int], None] = lambda done: None,
    finish: Callable[[UnitOfWork], None] = lambda work: None,
) -> int:
    """Look through the files of a commit; the id of the report. Nothing is done where there is one.

    note: told how many files were looked at; may raise to stop. finish: called in the transaction that makes the
    report count. Raises NotFound (``revision_not_found``).
    """
    version = checkers_version(context)
    with unit_of_work(context) as work:
        done = find_report(work, repository.id, commit_id, version)
        if done is not None:
            finish(work)
            return done.id
        report = SecurityReport(
            repository_id=repository.id, commit_id=commit_id, version=version, counts={}, created_at=work.now()
        )
        work.session.add(report)
        work.session.flush()
        report_id = report.id
    counts: Counter[str] = Counter()
    position = 0
    for entries in _pages(context, repository, commit_id):
        rows = []
        known = _look_through(context, repository, commit_id, entries, version, partial(_note_from, note, position))
        for entry in entries:
            found = known.get(key_of(entry)) or _LOST
            state, is_executable = state_of(entry, found)
            counts[state.value] += 1
            position += 1
            if state != ScanState.SAFE:
                content, treatment = key_of(entry)
                row = {"path": entry.path, "size_bytes": entry.size_bytes or 0, "reason": found.reason}
                row |= {"report_id": report_id, "position": position, "content": content, "treatment": treatment}
                rows.append(row | {"is_executable": is_executable, "state": state})
        note(position)
        if rows:
            with unit_of_work(context) as work:
                work.session.execute(insert(SecurityFile), rows)
    with unit_of_work(context) as work:
        values: dict[str, Any] = {"counts": dict(counts), "file_count": position, "finished_at": work.now()}
        work.session.execute(update(SecurityReport).where(SecurityReport.id == report_id).values(**values))
        _forget_others(work, repository.id)
        finish(work)
    return report_id


def _note_from(note: Callable[[int], None], start: int, done: int) -> None:
    note(start + done)


_LOST = Known(ScanState.ERROR, "Its content is not here.", False)


def _pages(context: Context, repository: Shown, commit_id: str) -> Iterator[list[TreeEntry]]:
    path, cursor = repository_path(context.settings, repository), None
    while True:
        page = tree.walk_tree(path, commit_id, limit=PAGE, cursor=cursor)
        yield [entry for entry in page.entries if entry.kind is EntryKind.FILE]
        cursor = page.next_cursor
        if cursor is None:
            return


def find_report(work: UnitOfWork, repository_id: int, commit_id: str, version: str = "") -> SecurityReport | None:
    """The newest report of a commit; version: of these checkers only."""
    query = select(SecurityReport).where(
        SecurityReport.repository_id == repository_id,
        SecurityReport.commit_id == commit_id,
        SecurityReport.finished_at.is_not(None),
    )
    if version:
        query = query.where(SecurityReport.version == version)
    found: SecurityReport | None = work.session.scalar(query.order_by(SecurityReport.id.desc()).limit(1))
    return found


def _forget_others(work: UnitOfWork, repository_id: int) -> None:
    mine = SecurityReport.repository_id == repository_id
    is_done = SecurityReport.finished_at.is_not(None)
    oldest = work.session.scalar(
        select(SecurityReport.id).where(mine, is_done).order_by(SecurityReport.id.desc()).offset(KEPT_REPORTS).limit(1)
    )
    given_up = delete(SecurityReport).where(mine, ~is_done, SecurityReport.created_at < work.now() - GIVEN_UP_AFTER)
    work.session.execute(given_up)
    if oldest is not None:
        work.session.execute(delete(SecurityReport).where(mine, is_done, SecurityReport.id <= oldest))


def _look_through(
    context: Context,
    repository: Shown,
    commit_id: str,
    entries: Sequence[TreeEntry],
    version: str,
    note: Callable[[int], None],
) -> Mapping[Key, Known]:
    """What is known of the contents of these files, after those that are new were looked through."""
    with reading(context) as work:
        known = find_known(work, map(key_of, entries), version)
    new = {key_of(entry): entry for entry in entries if key_of(entry) not in known}
    keeper = _Keeper(context, version)
    for number, (key, verdict) in enumerate(_verdicts(context, repository, commit_id, new)):
        known[key] = Known(verdict.state, verdict.reason[:MAX_REASON_CHARS], verdict.is_script)
        if keeper.keep(key, verdict):
            note(number)
    keeper.write()
    return known


def _verdicts(
    context: Context, repository: Shown, commit_id: str, new: Mapping[Key, TreeEntry]
) -> Iterator[tuple[Key, Verdict]]:
    path = repository_path(context.settings, repository)
    small: dict[str, list[Key]] = {}
    for key, entry in new.items():
        if entry.lfs is None and (entry.size_bytes or 0) <= _SMALL_BYTES:
            small.setdefault(entry.oid, []).append(key)
    for oid, data in read_blobs(path, small):
        for key in small[oid]:
            yield key, _scan(context, len(data), lambda at, length, data=data: (data[at : at + length],), key)  # type: ignore[misc]
    for key, entry in new.items():
        if entry.lfs is not None:
            try:
                lfs = get_content(context, actor=SYSTEM, repository_id=repository.id, oid=entry.lfs.oid)
            except NotFound:
                continue
            yield key, _scan(context, lfs.size_bytes, lfs.open_range, key)
        elif (entry.size_bytes or 0) > _SMALL_BYTES:
            yield key, _scan_large(context, OpenedFile(commit_id, entry, path), key)


def _scan(context: Context, size_bytes: int, open_range: Callable[[int, int], Iterable[bytes]], key: Key) -> Verdict:
    return scan_content(context, size_bytes=size_bytes, open_range=open_range, treatment=Treatment(key[1]))


def _scan_large(context: Context, file: OpenedFile, key: Key) -> Verdict:
    if file.size_bytes > _MAX_COPIED_BYTES:
        return Verdict(ScanState.SKIPPED, "It is too large to be looked through as a file that is not in LFS.")
    with tempfile.TemporaryDirectory(prefix="hub-scan-") as folder:
        copy = Path(folder) / "content"
        with copy.open("w+b") as stream:
            for piece in file.open_range(0, file.size_bytes):
                stream.write(piece)

            def open_range(at: int, length: int) -> Iterator[bytes]:
                stream.seek(at)
                yield stream.read(length)

            return _scan(context, file.size_bytes, open_range, key)


class _Keeper:
    """Writes results a few hundred at a time, or after two seconds."""

    def __init__(self, context: Context, version: str) -> None:
        self._context = context
        self._version = version
        self._rows: list[dict[str, Any]] = []
        self._written_at = time.monotonic()

    def keep(self, key: Key, verdict: Verdict) -> bool:
        """Keep a result; whether it was time to write."""
        self._rows.append(
            {
                "content": key[0],
                "treatment": key[1],
                "version": self._version,
                "state": verdict.state,
                "reason": verdict.reason[:MAX_REASON_CHARS],
                "is_script": verdict.is_script,
                "findings": verdict.findings,
                "imports": verdict.imports,
            }
        )
        is_time = len(self._rows) >= _KEEP_ROWS or time.monotonic() - self._written_at > _KEEP_AFTER_S
        if is_time:
            self.write()
        return is_time

    def write(self) -> None:
        """Write what is kept so far."""
        if self._rows:
            with unit_of_work(self._context) as work:
                insert_new(work.session, ContentScan, [row | {"scanned_at": work.now()} for row in self._rows])
        self._rows, self._written_at = [], time.monotonic()


def prune_scans(context: Context, *, note: Callable[[], None] = lambda: None) -> int:
    """Remove results that nobody needs: of contents in LFS that are gone, and of former checkers where today's have
    looked, too. Returns how many; note: called now and then, may raise to stop.
    """
    version, count, last = checkers_version(context), 0, ""
    contents = select(ContentScan.content).distinct().order_by(ContentScan.content).limit(_LOOKED_UP)
    while True:
        note()
        with reading(context) as work:
            some = work.session.scalars(contents.where(ContentScan.content > last)).all()
            oids = [content.removeprefix(_LFS) for content in some if content.startswith(_LFS)]
            there = set(work.session.scalars(select(LFSObject.oid).where(LFSObject.oid.in_(oids)))) if oids else set()
            others = select(ContentScan.content).where(ContentScan.content.in_(some), ContentScan.version != version)
            has_others = work.session.scalar(others.limit(1)) is not None
        if not some:
            return count
        last = some[-1]
        gone = [f"{_LFS}{oid}" for oid in oids if oid not in there]
        if not gone and not has_others:
            continue
        is_current = select(_Current.content).where(
            _Current.content == ContentScan.content,
            _Current.treatment == ContentScan.treatment,
            _Current.version == version,
        )
        with unit_of_work(context) as work:
            is_old = and_(ContentScan.version != version, ContentScan.scanned_at < work.now() - KEEP_OUTDATED)
            is_replaced = and_(ContentScan.content.in_(some), is_old, is_current.exists())
            unneeded = delete(ContentScan).where(or_(ContentScan.content.in_(gone), is_replaced))
            result = work.session.execute(unneeded.execution_options(synchronize_session=False))
            assert isinstance(result, CursorResult)
        count += result.rowcount


def prune_job(run: JobRun) -> None:
    """The job of ``prune_scans``."""
    run.log(f"{prune_scans(run.context, note=run.check_cancelled)} results that nobody needs went.")
