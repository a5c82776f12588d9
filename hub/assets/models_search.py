"""Tables of the full-text search: what cards and files say, cut into words.

SQLite keeps each table's words once more in an FTS5 index beside it (``search_..._fts``), which triggers follow.
"""

from __future__ import annotations

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from hub.db.base import Model, RowId

# As ``assets.search.words`` cuts and writes them.
Words = Text().with_variant(TSVECTOR(), "postgresql")


class SearchCard(Model):
    """What the card on a repository's default branch says. body: without markup, as snippets show it."""

    __tablename__ = "search_cards"

    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id", ondelete="CASCADE"), primary_key=True)
    blob_id: Mapped[str] = mapped_column(String(64))
    body: Mapped[str] = mapped_column(Text)
    words: Mapped[str] = mapped_column(Words, deferred=True)


class SearchContent(Model):
    """A content of files in a repository, by its Git blob. Nothing finds it before a ``SearchFile`` leads to it."""

    __tablename__ = "search_contents"
    __table_args__ = (UniqueConstraint("repository_id", "blob_id"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id", ondelete="CASCADE"))
    blob_id: Mapped[str] = mapped_column(String(64))
    words: Mapped[str] = mapped_column(Words, deferred=True)


class SearchFile(Model):
    """A file of a repository's default branch, with the content that it has there."""

    __tablename__ = "search_files"
    __table_args__ = (UniqueConstraint("repository_id", "path"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id", ondelete="CASCADE"))
    content_id: Mapped[int] = mapped_column(ForeignKey("search_contents.id", ondelete="CASCADE"), index=True)
    path: Mapped[str] = mapped_column(String(1024))
