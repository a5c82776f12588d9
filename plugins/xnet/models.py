"""The tables. Hashes are 32 raw bytes, in the order of the binary formats (Xet contract, section 4.1)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from hub.plugin.db import Model, RowId


class Xorb(Model):
    """Stored chunks. The row exists only when the bytes are whole and every chunk was hashed.

    chunks: ``formats.xorbs.PackedChunks``, 40 bytes a chunk. seen_at: when somebody last sent, named or was told of
    it, give or take an hour.
    """

    __tablename__ = "xnet_xorbs"

    hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    chunk_count: Mapped[int]
    raw_bytes: Mapped[int]
    stored_bytes: Mapped[int]
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime] = mapped_column(index=True)
    # Last: what follows a long value in a row is slow to read on SQLite.
    chunks: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)


class File(Model):
    """A content in chunks, which were put together and have the SHA-256 that is its oid.

    It goes with the LFS object. terms: 44 bytes each, a xorb's hash and 32-bit numbers, little-endian: the length in
    bytes, the first chunk, the one after the last.
    """

    __tablename__ = "xnet_files"

    hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    oid: Mapped[str] = mapped_column(ForeignKey("lfs_objects.oid", ondelete="CASCADE"), unique=True)
    size_bytes: Mapped[int] = mapped_column(RowId)
    created_at: Mapped[datetime]
    terms: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)


class FileXorb(Model):
    """That a file uses a xorb, which therefore stays."""

    __tablename__ = "xnet_file_xorbs"

    file_hash: Mapped[bytes] = mapped_column(ForeignKey("xnet_files.hash", ondelete="CASCADE"), primary_key=True)
    xorb_hash: Mapped[bytes] = mapped_column(ForeignKey("xnet_xorbs.hash"), primary_key=True, index=True)


class Chunk(Model):
    """A chunk of a xorb by which clients ask whether the hub has what surrounds it."""

    __tablename__ = "xnet_chunks"

    chunk_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    xorb_hash: Mapped[bytes] = mapped_column(
        ForeignKey("xnet_xorbs.hash", ondelete="CASCADE"), primary_key=True, index=True
    )


class Pending(Model):
    """That somebody sent a xorb for which files have not paid in full; see ``pending``.

    size_bytes: what it counts as. unpaid_bytes: its uncompressed bytes, less those that files have.
    """

    __tablename__ = "xnet_pending"

    xorb_hash: Mapped[bytes] = mapped_column(ForeignKey("xnet_xorbs.hash", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True)
    size_bytes: Mapped[int]
    unpaid_bytes: Mapped[int] = mapped_column(RowId)
    created_at: Mapped[datetime] = mapped_column(index=True)


class Release(Model):
    """That a content's plain copy may go, some time after the moment: who reads it then reads it to its end."""

    __tablename__ = "xnet_releases"

    oid: Mapped[str] = mapped_column(String(64), primary_key=True)
    released_at: Mapped[datetime] = mapped_column(index=True)
