"""Tables that are no Parquet are made so by a job, once for each content, and kept in the object store while used.

Two requests at once ask for one job: the row of the digest decides. Each run writes under a name of its own and the
row names one run's files when all of them are there, so that a worker that is killed leaves no half table; what it
left in the store is swept.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import delete, select, update
from sqlalchemy.engine import CursorResult

from hub.accounts.policy import SYSTEM
from hub.assets.models_viewer import TableState, ViewerTable
from hub.assets.viewer.child import CHILDREN, ReadingFailed
from hub.assets.viewer.jobs import MAKE, MAKE_LIMIT_S
from hub.assets.viewer.parts import Content
from hub.base.context import Context
from hub.base.errors import NotFound
from hub.base.log import get_logger
from hub.db.insert import insert_new
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.jobs.models import Job, JobState
from hub.jobs.run import JobRun
from hub.jobs.service import enqueue
from hub.objects.store import STORE
from hub.repos.models import Repository
from hub.repos.rows import Shown

log = get_logger(__name__)

PREFIX = "tables/"
_FOLDER = "hub-table-"
# Rows in memory, of files of so many bytes: real tables become twenty times as large when they are unpacked, and a
# worker has better to do than to unpack for hours what somebody packed in seconds.
_MOST_UNPACKED = 100
_ALWAYS_UNPACKED_BYTES = 256 * 1024 * 1024
_USED_EVERY_S = 24 * 3600
# What no table names is let alone for so long: the run that writes it may still be under way.
_STRAY_S = 24 * 3600
_CHUNK_BYTES = 1024 * 1024
_PRUNED_AT_ONCE = 200


def find_tables(work: UnitOfWork, digests: Sequence[str]) -> dict[str, ViewerTable]:
    """The tables of these digests that were asked for, in whatever state. One query for a thousand."""
    found: dict[str, ViewerTable] = {}
    for at in range(0, len(digests), 1000):
        rows = work.session.scalars(select(ViewerTable).where(ViewerTable.digest.in_(digests[at : at + 1000])))
        found.update((row.digest, row) for row in rows)
    return found


def ask_for_table(context: Context, repository: Shown, digest: str, args: dict[str, Any]) -> ViewerTable:
    """The table of a digest, asked for if it was not yet. args: what the job finds the files by.

    One whose job came to nothing says so.
    """
    with unit_of_work(context) as work:
        now = work.now()
        row = {"digest": digest, "state": TableState.PENDING, "reason": "", "facts": {}, "num_rows": 0}
        row |= {"size_bytes": 0, "job_uuid": "", "created_at": now, "updated_at": now, "last_used_at": now}
        insert_new(work.session, ViewerTable, [row])
        table = work.session.scalars(select(ViewerTable).where(ViewerTable.digest == digest).with_for_update()).one()
        if table.state in (TableState.PENDING, TableState.RUNNING):
            job = work.session.scalar(select(Job).where(Job.uuid == table.job_uuid)) if table.job_uuid else None
            if job is None or job.state == JobState.SUCCEEDED:
                _enqueue(work, table, repository, args)
            elif job.state in (JobState.FAILED, JobState.CANCELLED):
                table.state, table.reason = TableState.FAILED, f"Making the table failed: {job.error}"[:1000]
        return table


def _enqueue(work: UnitOfWork, table: ViewerTable, repository: Shown, args: dict[str, Any]) -> None:
    job = enqueue(
        work,
        MAKE,
        args={"repository_id": repository.id, "digest": table.digest, **args},
        unique_key=f"{MAKE}:{table.digest}",
        subject=("repository", repository.id),
    )
    table.state, table.job_uuid, table.reason = TableState.PENDING, job.uuid, ""


def ask_again(context: Context, repository: Shown, digest: str, args: dict[str, Any]) -> None:
    """Let a table that could not be made be tried once more."""
    with unit_of_work(context) as work:
        table = work.session.scalars(
            select(ViewerTable).where(ViewerTable.digest == digest).with_for_update()
        ).one_or_none()
        if table is not None and table.state == TableState.FAILED:
            _enqueue(work, table, repository, args)


def note_use(context: Context, table: ViewerTable) -> None:
    """Remember that a table is looked at; written once a day."""
    now = context.clock.now()
    if now - table.last_used_at > timedelta(seconds=_USED_EVERY_S):
        with unit_of_work(context) as work:
            used = update(ViewerTable).where(ViewerTable.digest == table.digest).values(last_used_at=now)
            work.session.execute(used)


def progress_of(work: UnitOfWork, tables: Iterable[ViewerTable]) -> dict[str, tuple[int, int | None]]:
    """How far the jobs that are under way are, in bytes done and in all, by digest."""
    uuids = {table.job_uuid: table.digest for table in tables if table.job_uuid}
    found = select(Job.uuid, Job.progress_done, Job.progress_total).where(
        Job.uuid.in_(uuids), Job.state.in_((JobState.QUEUED, JobState.RUNNING))
    )
    return {uuids[uuid]: (done or 0, total) for uuid, done, total in work.session.execute(found).all()}


# The job.


def make_table(
    run: JobRun,
    *,
    repository_id: int,
    digest: str,
    commit_id: str,
    config: str = "",
    split: str = "",
    path: str = "",
) -> None:
    """Make a table Parquet and keep it in the object store. May be repeated."""
    # Deliberately here: tables ask for this job.
    from hub.assets.viewer.tables import find_source

    context = run.context
    if not _begin(context, digest, run.uuid):
        run.log("The table is there.")
        return
    with reading(context) as work:
        repository = work.session.get(Repository, repository_id)
    if repository is None or repository.deleted_at is not None:
        _forget(context, digest)
        run.log("The repository is gone.")
        return
    try:
        source = find_source(
            context, repository, actor=SYSTEM, commit_id=commit_id, config=config, split=split, path=path
        )
    except NotFound as error:
        # A commit that went meanwhile; others may have the same files, and ask again.
        _forget(context, digest)
        run.log(str(error))
        return
    if source.digest != digest:
        _fail(context, digest, "The content of its files is not there.")
        return
    try:
        facts, keys = _make(run, source.format, source.delimiter, source.contents, digest)
    except ReadingFailed as error:
        _fail(context, digest, error.told)
        run.log(f"It cannot be read: {error}")
        return
    if not facts["parts"]:
        _fail(context, digest, ": ".join(facts["unread"][0]) if facts["unread"] else "It has no rows.", facts)
        return
    if not _finish(context, digest, facts):
        context[STORE].delete_many(keys)
    run.log(f"{sum(part['num_rows'] for part in facts['parts'])} rows.")


def limit_of(size_bytes: int, *, most_bytes: int) -> int:
    """How many bytes are read and kept, at most, of files that together have so many."""
    return min(most_bytes, _ALWAYS_UNPACKED_BYTES + _MOST_UNPACKED * size_bytes)


def _make(
    run: JobRun, format: str, delimiter: str, contents: Sequence[Content], digest: str
) -> tuple[dict[str, Any], list[str]]:
    """Convert in a child, and store what it wrote: the table's facts and its keys. Raises ReadingFailed."""
    context = run.context

    def note(done: int, total: int) -> None:
        run.check_cancelled()
        run.progress(done, total, "bytes")

    place = _scratch(context)
    place.mkdir(parents=True, exist_ok=True)
    keys: list[str] = []
    with tempfile.TemporaryDirectory(prefix=_FOLDER, dir=place) as folder:
        arguments: dict[str, Any] = {"format": format, "delimiter": delimiter, "folder": folder}
        size_bytes = sum(content.size_bytes for content in contents)
        arguments["max_bytes"] = limit_of(size_bytes, most_bytes=context.settings.viewer_table_max_bytes)
        made = CHILDREN.call("convert", arguments, contents, deadline_s=MAKE_LIMIT_S, note=note)
        parts = []
        token = uuid4().hex[:12]
        try:
            for file in made["files"]:
                key = f"{PREFIX}{digest[:2]}/{digest}/{token}-{file['name']}"
                keys.append(key)
                parts.append(
                    {"key": key, "num_rows": file["num_rows"], **_store(context, key, Path(folder, file["name"]))}
                )
        except BaseException:
            context[STORE].delete_many(keys)
            raise
    facts = {name: made[name] for name in ("columns", "unread", "notes", "is_partial")}
    return {**facts, "parts": parts}, keys


def _scratch(context: Context) -> Path:
    return context.settings.cache_path / "parquet"


def _store(context: Context, key: str, path: Path) -> dict[str, Any]:
    hashed = hashlib.sha256()

    def chunks() -> Iterator[bytes]:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                hashed.update(chunk)
                yield chunk

    info = context[STORE].put(key, chunks(), size_bytes=path.stat().st_size)
    path.unlink()
    return {"etag": hashed.hexdigest(), "size_bytes": info.size_bytes}


def _begin(context: Context, digest: str, job_uuid: str) -> bool:
    """Whether the table is still to be made."""
    with unit_of_work(context) as work:
        result = work.session.execute(
            update(ViewerTable)
            .where(ViewerTable.digest == digest, ViewerTable.state != TableState.READY)
            .values(state=TableState.RUNNING, job_uuid=job_uuid, updated_at=work.now())
        )
        assert isinstance(result, CursorResult)
        return bool(result.rowcount)


def _finish(context: Context, digest: str, facts: dict[str, Any]) -> bool:
    """Let the table be ready; False when another run was first."""
    with unit_of_work(context) as work:
        result = work.session.execute(
            update(ViewerTable)
            .where(ViewerTable.digest == digest, ViewerTable.state != TableState.READY)
            .values(
                state=TableState.READY,
                reason="",
                facts=facts,
                num_rows=sum(part["num_rows"] for part in facts["parts"]),
                size_bytes=sum(part["size_bytes"] for part in facts["parts"]),
                updated_at=work.now(),
                last_used_at=work.now(),
            )
        )
        assert isinstance(result, CursorResult)
        return bool(result.rowcount)


def _fail(context: Context, digest: str, reason: str, facts: dict[str, Any] | None = None) -> None:
    with unit_of_work(context) as work:
        work.session.execute(
            update(ViewerTable)
            .where(ViewerTable.digest == digest, ViewerTable.state != TableState.READY)
            .values(state=TableState.FAILED, reason=reason[:1000], facts=facts or {}, updated_at=work.now())
        )


def _forget(context: Context, digest: str) -> None:
    with unit_of_work(context) as work:
        work.session.execute(
            delete(ViewerTable).where(ViewerTable.digest == digest, ViewerTable.state != TableState.READY)
        )


def forget_lost(context: Context, digest: str) -> bool:
    """Let a table be none if one of its files is gone from the store, so that it is made anew; whether it was so."""
    store = context[STORE]
    with reading(context) as work:
        table = find_tables(work, [digest]).get(digest)
    if table is None or all(store.find(part["key"]) is not None for part in table.facts.get("parts", [])):
        return False
    with unit_of_work(context) as work:
        work.session.execute(delete(ViewerTable).where(ViewerTable.digest == digest))
    log.warning("viewer_table_lost", digest=digest)
    return True


# Letting go.


def prune_tables(run: JobRun) -> None:
    """Let tables go that nobody has looked at for long, and what killed runs have left in the store."""
    context = run.context
    unused_since = context.clock.now() - timedelta(seconds=context.settings.viewer_table_ttl_s)
    count = 0
    while True:
        with reading(context) as work:
            rows = work.session.execute(
                select(ViewerTable.digest, ViewerTable.facts)
                .where(ViewerTable.last_used_at < unused_since)
                .order_by(ViewerTable.last_used_at)
                .limit(_PRUNED_AT_ONCE)
            ).all()
        if not rows:
            break
        for digest, facts in rows:
            run.check_cancelled()
            with unit_of_work(context) as work:
                gone = work.session.execute(
                    delete(ViewerTable).where(ViewerTable.digest == digest, ViewerTable.last_used_at < unused_since)
                )
                assert isinstance(gone, CursorResult)
                is_gone = bool(gone.rowcount)
            if is_gone:
                context[STORE].delete_many([part["key"] for part in facts.get("parts", [])])
                count += 1
    run.log(f"{count} tables went; {_sweep(run)} files that no table names.")


def _sweep(run: JobRun) -> int:
    context = run.context
    before = context.clock.now() - timedelta(seconds=_STRAY_S)
    for folder in _scratch(context).glob(f"{_FOLDER}*"):
        with suppress(OSError):
            if folder.stat().st_mtime < before.timestamp():
                shutil.rmtree(folder, ignore_errors=True)
    waiting: dict[str, list[str]] = {}
    count = 0
    for info in context[STORE].list(PREFIX):
        if info.modified_at < before:
            waiting.setdefault(info.key.split("/")[2], []).append(info.key)
        if len(waiting) >= _PRUNED_AT_ONCE:
            count += _sweep_of(run, waiting)
            waiting = {}
    return count + _sweep_of(run, waiting)


def _sweep_of(run: JobRun, keys: dict[str, list[str]]) -> int:
    run.check_cancelled()
    with reading(run.context) as work:
        tables = find_tables(work, [*keys])
    named = {part["key"] for table in tables.values() for part in table.facts.get("parts", [])}
    stray = [key for each in keys.values() for key in each if key not in named]
    run.context[STORE].delete_many(stray)
    return len(stray)
