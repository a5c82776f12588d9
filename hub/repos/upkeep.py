"""Jobs on one repository that people ask for: look at its large files, tidy it up, check it, export it."""

from __future__ import annotations

import hashlib
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import IO, Any

from sqlalchemy import select, update

from hub.base.context import Context
from hub.base.errors import Conflict, HubError
from hub.base.offload import offload
from hub.db.uow import reading, unit_of_work
from hub.git.bundle import write_bundle
from hub.git.command import open_git, terminate
from hub.git.repository import maintain, repository_size_bytes
from hub.git.types import decode_text
from hub.jobs.run import JobRun
from hub.objects.store import STORE
from hub.repos.lfs import uses
from hub.repos.lfs.contents import LFSContent
from hub.repos.lookup import lock_row, repository_path
from hub.repos.models import LFSLink, LFSObject, Repository
from hub.repos.reports import CHECK, COLLECT, EXPORT, keep_report
from hub.repos.uploads import folder

# Exports are made anew when they are wanted again.
KEPT_EXPORTS = timedelta(days=7)
_EXPORTS = "exports/"
_LOOKS = 3
MAX_FINDINGS = 200
_FSCK_TELL_S = 2.0
_CHUNK_BYTES = 1024 * 1024
_AT_ONCE = 500
# What git fsck says of what is merely no longer used.
_HARMLESS = re.compile(rb"^(dangling|notice:|Checking|Verifying)")


def _find(run: JobRun, repository_id: int) -> tuple[Repository, Path] | None:
    with reading(run.context) as work:
        row = work.session.get(Repository, repository_id)
    return (row, repository_path(run.context.settings, row)) if row is not None else None


def _tell(run: JobRun, unit: str, total: int | None = None) -> Callable[[int], None]:
    def tell(done: int) -> None:
        run.check_cancelled()
        run.progress(done, total, unit)

    return tell


def survey(run: JobRun, *, repository_id: int) -> None:
    """Look up which large files the commits name."""
    found = _find(run, repository_id)
    if found is None:
        return
    looked = uses.look(run.context, found[0], tell=_tell(run, "commits"))
    with unit_of_work(run.context) as work:
        told = uses.note(work, repository_id, looked.named)
    run.log(f"{told['unnamed']} of {told['objects']} large files are named by no commit.")


def collect(run: JobRun, *, repository_id: int) -> None:
    """Let go the large files that no commit names, pack the repository, and count it anew."""
    found = _find(run, repository_id)
    if found is None:
        return
    repository, path = found
    before = repository.git_size_bytes
    for attempt in range(1, _LOOKS + 1):
        looked = uses.look(run.context, repository, tell=_tell(run, "commits"))
        try:
            count, freed = uses.let_go_unnamed(run.context, repository_id=repository_id, looked=looked)
            break
        except Conflict:
            if attempt == _LOOKS:
                raise
            run.log("Something was pushed meanwhile; looking again.")
    run.log(f"Let go {count} large files of {freed} bytes.")
    run.check_cancelled()
    if not maintain(path, full=True):
        run.log("The repository is being packed already.")
    git, lfs = recount(run.context, repository_id, path)
    with unit_of_work(run.context) as work:
        told = {"objects": count, "lfs_bytes": freed, "git_bytes": max(before - git, 0)}
        keep_report(work, repository_id, COLLECT, told)
    run.log(f"Git takes {git} bytes now, large files {lfs}.")


def recount(context: Context, repository_id: int, path: Path) -> tuple[int, int]:
    """Count what a repository takes and write it down: bytes of Git, bytes of large files."""
    git = offload(repository_size_bytes, path)
    with unit_of_work(context) as work:
        lock_row(work, repository_id)
        lfs = sum(
            work.session.scalars(
                select(LFSObject.size_bytes)
                .join(LFSLink, LFSLink.oid == LFSObject.oid)
                .where(LFSLink.repository_id == repository_id)
            )
        )
        # Not through the row: its updated_at is the time of its last change by a person.
        sizes = {"git_size_bytes": git, "lfs_size_bytes": lfs}
        work.session.execute(update(Repository).where(Repository.id == repository_id).values(sizes))
    return git, lfs


# Checks.


def check(run: JobRun, *, repository_id: int, with_content: bool = False) -> None:
    """Have git check the repository, and see that every large file is there; with_content: and hash it."""
    found = _find(run, repository_id)
    if found is None:
        return
    _, path = found
    findings = list(_check_git(run, path))
    if findings:
        run.log("\n".join(findings))
    objects, bad = _check_objects(run, repository_id, with_content=with_content)
    sizes = recount(run.context, repository_id, path)
    data: dict[str, Any] = {
        "git": findings[:MAX_FINDINGS],
        "git_findings": len(findings),
        "objects": objects,
        "bad_objects": bad[:MAX_FINDINGS],
        "object_findings": len(bad),
        "with_content": with_content,
        "git_size_bytes": sizes[0],
        "lfs_size_bytes": sizes[1],
    }
    with unit_of_work(run.context) as work:
        keep_report(work, repository_id, CHECK, data)
    run.log(f"Found {len(findings)} faults in Git and {len(bad)} in {objects} large files.")


def _check_git(run: JobRun, path: Path) -> Iterator[str]:
    """What git fsck finds, a line each."""
    with tempfile.TemporaryFile() as told:
        process = open_git(
            path, "fsck", "--full", "--no-dangling", "--no-progress", "--no-reflogs", stdout=told, stderr=told
        )
        try:
            while process.poll() is None:
                try:
                    process.wait(timeout=_FSCK_TELL_S)
                except subprocess.TimeoutExpired:
                    run.check_cancelled()
        finally:
            terminate(process)
        yield from _lines(told)
        if process.returncode and told.tell() == 0:
            yield f"git fsck ended with status {process.returncode}."


def _lines(file: IO[bytes]) -> Iterator[str]:
    file.seek(0)
    for line in file:
        if line.strip() and not _HARMLESS.match(line):
            yield decode_text(line.strip())[:300]


def _check_objects(run: JobRun, repository_id: int, *, with_content: bool) -> tuple[int, list[dict[str, str]]]:
    """How many objects the repository holds, and which of them are not what they should be."""
    context, after, count = run.context, "", 0
    bad: list[dict[str, str]] = []
    while True:
        with reading(context) as work:
            rows = work.session.execute(
                select(LFSObject.oid, LFSObject.size_bytes, LFSObject.created_at, LFSObject.source)
                .join(LFSLink, LFSLink.oid == LFSObject.oid)
                .where(LFSLink.repository_id == repository_id, LFSObject.oid > after)
                .order_by(LFSObject.oid)
                .limit(_AT_ONCE)
            ).all()
        for oid, size_bytes, created_at, source in rows:
            run.check_cancelled()
            count += 1
            run.progress(count, None, "large files")
            content = LFSContent(context, oid, size_bytes, created_at, source)
            fault = _fault_of(content, with_content=with_content, tell=run.check_cancelled)
            if fault:
                bad.append({"oid": oid, "fault": fault})
                run.log(f"{oid}: {fault}")
        if len(rows) < _AT_ONCE:
            return count, bad
        after = rows[-1].oid


def _fault_of(content: LFSContent, *, with_content: bool, tell: Callable[[], None]) -> str:
    """In one word: "missing", "size" or "content"; empty: none."""
    if not content.source:
        info = content.find_info()
        if info is None:
            return "missing"
        if info.size_bytes != content.size_bytes:
            return "size"
    if not with_content:
        return ""
    digest = hashlib.sha256()
    try:
        for chunk in content.open_range(0, content.size_bytes):
            tell()
            offload(digest.update, chunk)
    except HubError:
        return "missing"
    return "" if digest.hexdigest() == content.oid else "content"


# Exports.


def export(run: JobRun, *, repository_id: int) -> None:
    """Make a bundle of the repository and put it into the object store, where it stays for a week."""
    found = _find(run, repository_id)
    if found is None:
        return
    repository, path = found
    key = f"{_EXPORTS}{repository.uuid}/{run.uuid}.bundle"
    with folder(run.context) as place, (place / "bundle").open("w+b") as file:
        tell = _tell(run, "bytes", repository.git_size_bytes or None)
        write_bundle(path, file, tell=lambda done: tell(min(done, repository.git_size_bytes or done)))
        size_bytes = file.seek(0, 2)
        file.seek(0)
        run.context[STORE].put(key, iter(lambda: file.read(_CHUNK_BYTES), b""), size_bytes=size_bytes)
    with unit_of_work(run.context) as work:
        keep_report(work, repository_id, EXPORT, {"key": key, "size_bytes": size_bytes})
    run.progress(size_bytes, size_bytes, "bytes")
    run.log(f"The bundle has {size_bytes} bytes.")


def drop_exports(run: JobRun) -> None:
    """Remove the bundles that were made more than a week ago, and those of repositories that are gone."""
    oldest, count = run.context.clock.now() - KEPT_EXPORTS, 0
    for info in run.context[STORE].list(_EXPORTS):
        if info.modified_at < oldest:
            run.context[STORE].delete(info.key)
            count += 1
    run.log(f"Removed {count} bundles.")
