"""The input of a batch, and which of its lines have no result yet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sqlalchemy import select

from hub.plugin import Context
from hub.plugin.db import reading
from plugins.inference.files.lines import Line, split_lines
from plugins.inference.files.models import Batch, BatchResult, StoredFile
from plugins.inference.files.service import open_file


def find_input(context: Context, batch: Batch) -> StoredFile | None:
    """The file that lists a batch's calls, also when its time has come; None when it is gone."""
    query = select(StoredFile).where(
        StoredFile.public_id == batch.input_file_id, StoredFile.namespace_id == batch.namespace_id
    )
    with reading(context) as work:
        return work.session.scalar(query)


def unread_lines(context: Context, batch: Batch, file: StoredFile, *, limit_bytes: int) -> Iterator[Line]:
    """The lines from ``next_line`` on: all before have a result, and a few of the others, which say so."""
    results = select(BatchResult.line).where(BatchResult.batch_id == batch.id)
    with reading(context) as work:
        known = set(work.session.scalars(results.where(BatchResult.line >= batch.next_line)))
    pieces = open_file(context, file, batch.next_byte)
    for line in split_lines(pieces, limit_bytes=limit_bytes, number=batch.next_line, byte=batch.next_byte):
        yield replace(line, has_result=True) if line.number in known else line
