"""What people see of what was found: a revision's counts, its files by state, the findings of each.

Who may read a repository sees the states of its files. Findings say what is in them, so of a gated repository they go
to those who get its content; where a secret is, and how it begins, is for those who may write.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select

from hub.accounts.policy import Action, Actor, can, require
from hub.assets.models_security import ContentScan, ScanState, SecurityFile, SecurityReport
from hub.assets.security.revisions import Key, find_known, find_report, key_of, state_of
from hub.assets.security.scanning import checkers_version, worst_of
from hub.base.context import Context
from hub.base.errors import TooLarge
from hub.base.names import normalise_path
from hub.base.offload import offload
from hub.base.paging import PageArgs
from hub.db.uow import UnitOfWork, reading
from hub.git import tree
from hub.git.types import EntryKind, TreeEntry
from hub.repos.contents import resolve
from hub.repos.gates import may_read_content
from hub.repos.lookup import repository_path
from hub.repos.models import Repository
from hub.repos.rows import Shown

MAX_FILES = 100_000
MAX_ISSUES = 1000


@dataclass(frozen=True)
class FileSecurity:
    """A file and what was found in it. findings: None where they are not for the actor to see."""

    path: str
    size_bytes: int
    oid: str  # the blob's id, or the SHA-256 of content in LFS
    is_lfs: bool
    state: ScanState
    reason: str = ""
    findings: Sequence[dict[str, Any]] | None = ()
    imports: Sequence[Sequence[str]] | None = ()


@dataclass(frozen=True)
class RevisionSecurity:
    """A revision and a page of its files. state: the worst of its files; ``QUEUED``: it was not looked through yet.

    counts: how many files are in each state; empty while nobody has looked. is_current: by today's checkers.
    """

    commit_id: str
    state: ScanState
    counts: dict[str, int]
    file_count: int | None
    is_current: bool
    scanned_at: datetime | None
    files: Sequence[FileSecurity] = field(default_factory=list)
    total: int = 0


def find_security(
    context: Context,
    repository: Repository,
    *,
    actor: Actor,
    revision: str = "",
    state: ScanState | None = None,
    path: str = "",
    page: PageArgs,
) -> RevisionSecurity:
    """What is known of a revision's files, in the order of their paths; "": the default branch.

    state: only the files in it; of a revision that was not looked through, none is known to be in any but ``QUEUED``.
    path: only that file, or what is below that directory.
    Raises NotFound (``revision_not_found``), Invalid (``path_invalid``), TooLarge (more than ``MAX_FILES`` files,
    where neither a bad state nor a path narrows the list).
    """
    with reading(context) as work:
        require(work, actor, Action.REPOSITORY_READ, repository)
        may_see = may_read_content(work, actor, repository)
        may_see_secrets = can(work, actor, Action.REPOSITORY_WRITE, repository)
    commit_id = resolve(context, repository, revision)
    current = checkers_version(context)
    with reading(context) as work:
        report = find_report(work, repository.id, commit_id, current) or find_report(work, repository.id, commit_id)
    version = report.version if report else current
    below = normalise_path(path, allow_root=True)
    if report is not None and state is not None and state != ScanState.SAFE:
        with reading(context) as work:
            files, total = _list_bad(work, report, state, below, page)
    else:
        disk_path = repository_path(context.settings, repository)
        with reading(context) as work:
            files, total = _list_all(work, disk_path, commit_id, report, version, state, below, page)
    with reading(context) as work:
        files = _with_findings(work, files, version, may_see=may_see, may_see_secrets=may_see_secrets)
    return _summary(report, commit_id, current, files, total)


def _summary(
    report: SecurityReport | None, commit_id: str, current: str, files: Sequence[FileSecurity], total: int
) -> RevisionSecurity:
    if report is None:
        return RevisionSecurity(commit_id, ScanState.QUEUED, {}, None, False, None, files, total)
    worst = worst_of(*(ScanState(state) for state, count in report.counts.items() if count))
    return RevisionSecurity(
        commit_id,
        worst,
        dict(report.counts),
        report.file_count,
        report.version == current,
        report.finished_at,
        files,
        total,
    )


def _is_below(below: str) -> ColumnElement[bool]:
    return or_(SecurityFile.path == below, SecurityFile.path.startswith(f"{below}/", autoescape=True))


def _list_bad(
    work: UnitOfWork, report: SecurityReport, state: ScanState, below: str, page: PageArgs
) -> tuple[list[FileSecurity], int]:
    where = [SecurityFile.report_id == report.id, SecurityFile.state == state]
    if below:
        where.append(_is_below(below))
    total = work.session.scalar(select(func.count()).select_from(SecurityFile).where(*where)) or 0
    rows = work.session.scalars(
        select(SecurityFile).where(*where).order_by(SecurityFile.position).offset(page.offset).limit(page.per)
    )
    return [_of_row(row) for row in rows], total


def _of_row(row: SecurityFile) -> FileSecurity:
    store, _, oid = row.content.partition(":")
    findings = [_EXECUTABLE_BIT] if row.is_executable else []
    return _Found(row.path, row.size_bytes, oid, store == "lfs", row.state, row.reason, findings, (), row.treatment)


@dataclass(frozen=True)
class _Found(FileSecurity):
    treatment: str = ""

    @property
    def key(self) -> Key:
        return f"{'lfs' if self.is_lfs else 'git'}:{self.oid}", self.treatment


_EXECUTABLE_BIT = {
    "kind": "executable_bit",
    "level": "suspicious",
    "text": "The file may be run as a program, and is no script.",
    "where": "",
    "line": None,
    "is_secret": False,
}


def _list_all(
    work: UnitOfWork,
    disk_path: Path,
    commit_id: str,
    report: SecurityReport | None,
    version: str,
    state: ScanState | None,
    below: str,
    page: PageArgs,
) -> tuple[list[FileSecurity], int]:
    paths = offload(tree.list_files, disk_path, commit_id, limit=MAX_FILES)
    if paths is None:
        raise TooLarge(f"The revision has more than {MAX_FILES:,} files: ask for those in a state.")
    if below:
        paths = [path for path in paths if path == below or path.startswith(f"{below}/")]
    if state is not None:
        if report is None:
            paths = paths if state == ScanState.QUEUED else []
        else:
            bad = set(work.session.scalars(select(SecurityFile.path).where(SecurityFile.report_id == report.id)))
            paths = [path for path in paths if path not in bad]
    wanted = paths[page.offset : page.offset + page.per]
    _, found = offload(tree.find_entries, disk_path, commit_id, wanted)
    entries = [entry for entry in found if entry is not None]
    rows: dict[str, SecurityFile] = {}
    if report is not None and wanted:
        is_wanted = (SecurityFile.report_id == report.id, SecurityFile.path.in_(wanted))
        rows = {row.path: row for row in work.session.scalars(select(SecurityFile).where(*is_wanted))}
    known = find_known(work, map(key_of, entries), version, is_any=True)
    files = [
        _of_row(rows[entry.path]) if entry.path in rows else _of_entry(entry, known.get(key_of(entry)))
        for entry in entries
    ]
    return files, len(paths)


def _of_entry(entry: TreeEntry, known: Any) -> FileSecurity:
    content, treatment = key_of(entry)
    store, _, oid = content.partition(":")
    if entry.kind is EntryKind.LINK:
        state, reason, is_executable = ScanState.SAFE, "", False
    elif known is None:
        state, reason, is_executable = ScanState.QUEUED, "", False
    else:
        (state, is_executable), reason = state_of(entry, known), known.reason
    findings = [_EXECUTABLE_BIT] if is_executable else []
    return _Found(entry.path, entry.size_bytes or 0, oid, store == "lfs", state, reason, findings, (), treatment)


def _with_findings(
    work: UnitOfWork, files: Iterable[FileSecurity], version: str, *, may_see: bool, may_see_secrets: bool
) -> list[FileSecurity]:
    found = [file for file in files if isinstance(file, _Found)]
    scans: dict[Key, tuple[list[Any], list[Any]]] = {}
    if may_see and found:
        # As in ``find_known``: where these checkers have not looked, what others found.
        query = (
            select(ContentScan.content, ContentScan.treatment, ContentScan.findings, ContentScan.imports)
            .where(ContentScan.content.in_({file.key[0] for file in found}))
            .order_by(ContentScan.version == version, ContentScan.scanned_at)
        )
        scans = {
            (content, treatment): (findings, imports) for content, treatment, findings, imports in work.rows(query)
        }
    shown = []
    for file in found:
        findings, imports = scans.get(file.key, ([], []))
        told = [_tell(one, may_see_secrets) for one in [*(file.findings or ()), *findings]]
        shown.append(
            FileSecurity(
                file.path,
                file.size_bytes,
                file.oid,
                file.is_lfs,
                file.state,
                file.reason if may_see else "",
                told if may_see else None,
                imports if may_see else None,
            )
        )
    return shown


def _tell(finding: dict[str, Any], may_see_secrets: bool) -> dict[str, Any]:
    told = {name: finding[name] for name in ("kind", "level", "text", "where", "line")}
    if finding["is_secret"] and not may_see_secrets:
        told |= {"text": finding["text"].partition(":")[0], "line": None}
    return told


def statuses_of(
    context: Context, repository: Shown, *, actor: Actor, entries: Sequence[TreeEntry]
) -> dict[str, FileSecurity]:
    """What is known of some entries of a tree that the actor may read, by path; directories are left out.

    Three queries at most for 500 entries.
    """
    files = [entry for entry in entries if entry.kind in (EntryKind.FILE, EntryKind.LINK)]
    if not files:
        return {}
    version = checkers_version(context)
    with reading(context) as work:
        known = find_known(work, map(key_of, files), version, is_any=True)
        found = [_of_entry(entry, known.get(key_of(entry))) for entry in files]
        may_see = may_read_content(work, actor, repository)
        told = _with_findings(work, found, version, may_see=may_see, may_see_secrets=False)
    return {file.path: file for file in told}


def find_issues(context: Context, repository: Shown, *, commit_id: str) -> list[tuple[str, ScanState]] | None:
    """The unsafe and suspicious files of a commit, at most ``MAX_ISSUES``; None when it was not looked through yet.

    For a repository that the caller may read.
    """
    newest = (
        select(SecurityReport.id)
        .where(
            SecurityReport.repository_id == repository.id,
            SecurityReport.commit_id == commit_id,
            SecurityReport.finished_at.is_not(None),
        )
        .order_by(SecurityReport.id.desc())
        .limit(1)
        .subquery()
    )
    bad = (ScanState.UNSAFE, ScanState.SUSPICIOUS)
    is_bad = and_(SecurityFile.report_id == newest.c.id, SecurityFile.state.in_(bad))
    query = select(newest.c.id, SecurityFile.path, SecurityFile.state).outerjoin(SecurityFile, is_bad)
    with reading(context) as work:
        rows = work.rows(query.order_by(SecurityFile.state.desc(), SecurityFile.position).limit(MAX_ISSUES))
    return [(path, state) for _, path, state in rows if path is not None] if rows else None
