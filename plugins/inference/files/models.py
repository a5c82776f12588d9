"""Tables of files and batches. Source: gateway contract, section 1.10."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hub.plugin.db import Model, RowId


class StoredFile(Model):
    """A file of an account. Its bytes lie in the object store, under the account's UUID.

    is_stored: until then the row only keeps room for it, and nobody sees it.
    """

    __tablename__ = "inference_files"
    __table_args__ = (Index(None, "namespace_id", "id"), Index(None, "expires_at"))

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    public_id: Mapped[str] = mapped_column(String(64), unique=True)  # "file-…"
    namespace_id: Mapped[int] = mapped_column(ForeignKey("namespaces.id", ondelete="CASCADE"))
    owner_uuid: Mapped[str] = mapped_column(String(36))
    key_id: Mapped[int] = mapped_column(RowId)
    purpose: Mapped[str] = mapped_column(String(32))
    filename: Mapped[str] = mapped_column(String(255))
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    expires_at: Mapped[datetime | None]
    is_stored: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]

    @property
    def object_key(self) -> str:
        """Where its bytes are."""
        return f"{PREFIX}{self.owner_uuid}/{self.public_id}"


PREFIX = "inference/files/"


class BatchStatus(StrEnum):
    """OpenAI's words."""

    VALIDATING = "validating"
    FAILED = "failed"
    IN_PROGRESS = "in_progress"
    FINALIZING = "finalizing"
    COMPLETED = "completed"
    EXPIRED = "expired"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"

    @property
    def is_over(self) -> bool:
        return self in OVER


OVER = frozenset({BatchStatus.FAILED, BatchStatus.COMPLETED, BatchStatus.EXPIRED, BatchStatus.CANCELLED})


class Batch(Model):
    """Calls that a file lists, made one after the other.

    outcome: what it is going to be once its results are written out. next_line, next_byte: all lines before have a
    result. lease, leased_until: the run that works on it. total, completed, failed: of its end; until then the results
    are counted.
    """

    __tablename__ = "inference_batches"
    __table_args__ = (Index(None, "namespace_id", "id"), Index(None, "status", "id"))

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True)  # "batch_" and its digits are the public id
    namespace_id: Mapped[int] = mapped_column(ForeignKey("namespaces.id", ondelete="CASCADE"))
    owner_uuid: Mapped[str] = mapped_column(String(36))
    key_id: Mapped[int] = mapped_column(RowId)
    endpoint: Mapped[str] = mapped_column(String(64))
    model: Mapped[str] = mapped_column(String(255))
    input_file_id: Mapped[str] = mapped_column(String(64), index=True)
    output_file_id: Mapped[str] = mapped_column(String(64))
    error_file_id: Mapped[str] = mapped_column(String(64))
    status: Mapped[BatchStatus]
    outcome: Mapped[str] = mapped_column(String(16))
    errors: Mapped[list[Any]]
    details: Mapped[dict[str, Any]]  # what its maker calls "metadata"
    total: Mapped[int]
    completed: Mapped[int]
    failed: Mapped[int]
    next_line: Mapped[int]
    next_byte: Mapped[int] = mapped_column(BigInteger)
    lease: Mapped[str] = mapped_column(String(36))
    leased_until: Mapped[datetime]
    created_at: Mapped[datetime]
    in_progress_at: Mapped[datetime | None]
    finalizing_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
    failed_at: Mapped[datetime | None]
    expired_at: Mapped[datetime | None]
    cancelling_at: Mapped[datetime | None]
    cancelled_at: Mapped[datetime | None]
    expires_at: Mapped[datetime]

    @property
    def public_id(self) -> str:
        return f"batch_{self.uuid.replace('-', '')}"


class BatchResult(Model):
    """What became of one line; written in the transaction that records its usage, gone once it is in a file."""

    __tablename__ = "inference_batch_results"
    __table_args__ = (Index("uq_inference_batch_results_batch_id_line", "batch_id", "line", unique=True),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    batch_id: Mapped[int] = mapped_column(ForeignKey("inference_batches.id", ondelete="CASCADE"))
    line: Mapped[int]
    is_failed: Mapped[bool]
    body: Mapped[str] = mapped_column(Text)  # the line of the output
