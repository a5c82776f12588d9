"""Tables of what scans found in files."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hub.db.base import Model, RowId


class ScanState(StrEnum):
    """What is known of a file, the worst first.

    ``unsafe``: loading it runs what nobody should run. ``suspicious``: somebody should look at it. ``error``: it could
    not be looked through, for a reason that is told. ``skipped``: it is too large, or of a kind that is not opened.
    ``queued``: nobody has looked yet.
    """

    UNSAFE = "unsafe"
    SUSPICIOUS = "suspicious"
    ERROR = "error"
    SKIPPED = "skipped"
    QUEUED = "queued"
    SAFE = "safe"


class ContentScan(Model):
    """What was found in one content, whichever files of whichever repositories have it."""

    __tablename__ = "content_scans"
    __table_args__ = (Index(None, "scanned_at"),)

    # "git:" and the blob's id, or "lfs:" and the SHA-256; how it was read (``files.Treatment``); by which checkers.
    content: Mapped[str] = mapped_column(String(80), primary_key=True)
    treatment: Mapped[str] = mapped_column(String(16), primary_key=True)
    version: Mapped[str] = mapped_column(String(16), primary_key=True)
    state: Mapped[ScanState]
    reason: Mapped[str] = mapped_column(String(500), default="")
    is_script: Mapped[bool] = mapped_column(default=False)
    findings: Mapped[list[Any]]
    imports: Mapped[list[Any]]  # of pickles: [module, name, safety]
    scanned_at: Mapped[datetime]


class SecurityReport(Model):
    """The files of one revision of a repository, when each of them had been looked through."""

    __tablename__ = "security_reports"
    __table_args__ = (Index(None, "repository_id", "commit_id", "id"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id", ondelete="CASCADE"))
    commit_id: Mapped[str] = mapped_column(String(64))
    version: Mapped[str] = mapped_column(String(16))
    file_count: Mapped[int] = mapped_column(RowId, default=0)
    counts: Mapped[dict[str, Any]]  # state to number of files
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]  # None: in the making


class SecurityFile(Model):
    """A file of a report that is not simply safe."""

    __tablename__ = "security_files"
    __table_args__ = (Index(None, "report_id", "state", "position"),)

    report_id: Mapped[int] = mapped_column(ForeignKey("security_reports.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(RowId, primary_key=True)  # in the order of the tree
    path: Mapped[str] = mapped_column(Text)
    size_bytes: Mapped[int] = mapped_column(RowId)
    content: Mapped[str] = mapped_column(String(80))
    treatment: Mapped[str] = mapped_column(String(16))
    is_executable: Mapped[bool]  # has the bit, and is no script
    state: Mapped[ScanState]
    reason: Mapped[str] = mapped_column(String(500))
