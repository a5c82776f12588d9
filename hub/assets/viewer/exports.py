"""What a filter finds, as a file to take away: CSV, JSON lines or Parquet, up to 100,000 rows.

It is written to a temporary file first: so a reader who takes long holds no query, and what fails is told as an error
rather than by a file that ends somewhere.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from hub.assets.viewer.engine import ENGINE
from hub.assets.viewer.features import media_of
from hub.assets.viewer.parts import Table
from hub.assets.viewer.queries import read_query, select
from hub.base.context import Context
from hub.base.errors import Invalid, TooLarge
from hub.base.offload import offload

# Source: the pages' contract, section 8.
MAX_ROWS = 100_000
MAX_BYTES = 1024**3
FORMATS = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl", "parquet": "application/vnd.apache.parquet"}
_LIMIT_S = 120.0
_CHUNK_BYTES = 256 * 1024


@dataclass
class Export:
    """A file that was written. is_cut: there are more rows than ``MAX_ROWS``."""

    stream: IO[bytes]
    size_bytes: int
    rows: int
    is_cut: bool

    def chunks(self) -> Iterator[bytes]:
        """Its bytes; the file is gone afterwards."""
        with contextlib.closing(self.stream):
            while chunk := offload(self.stream.read, _CHUNK_BYTES):
                yield chunk

    def close(self) -> None:
        """Let go of the file; may be repeated."""
        self.stream.close()


def export_rows(
    context: Context, table: Table, *, format: str, search: str = "", where: str = "", order_by: str = ""
) -> Export:
    """The rows that a filter and a word find, in the table's order or another, as a file.

    Of pictures and sounds, CSV and JSON lines hold where they come from, Parquet their bytes as well. Cells of CSV that
    a spreadsheet would take for a formula get a quotation mark before them.
    Raises Invalid (``query_invalid``), TooLarge (``export_too_large``), and what ``query_rows`` raises.
    """
    if format not in FORMATS:
        raise Invalid(f"A table can be taken away as one of: {', '.join(FORMATS)}.", code="query_invalid")
    with context[ENGINE].open(table, limit_s=_LIMIT_S) as session:
        condition, order = read_query(session, search=search, where=where, order_by=order_by)
        rest = f"ORDER BY {order.sql}, file_index, file_row_number" if order is not None else condition.order
        sql = select(_columns(table, with_bytes=format == "parquet"), condition.sql, f"{rest} LIMIT {MAX_ROWS + 1}")
        names = [column.name for column in table.columns]
        # Outside of any directory: it is gone with the process, however that ends.
        stream = tempfile.TemporaryFile(dir=_scratch(context))  # noqa: SIM115 - who sends it closes it
        try:
            size = 0
            for piece in session.export(sql, condition.parameters, format=format, names=names, rows=MAX_ROWS):
                size += len(piece)
                if size > MAX_BYTES:
                    raise TooLarge("These rows are more than 1 GiB; filter them.", code="export_too_large")
                offload(stream.write, piece)
            stream.seek(0)
        except BaseException:
            stream.close()
            raise
    return Export(stream, size, session.count, session.is_cut)


def _columns(table: Table, *, with_bytes: bool) -> str:
    media = {} if with_bytes else media_of([{"type": each.type, "feature": each.feature} for each in table.columns])
    return ", ".join(f"c{at}.path" if at in media else f"c{at}" for at in range(len(table.columns)))


def _scratch(context: Context) -> str:
    path = context.settings.cache_path / "queries"
    path.mkdir(parents=True, exist_ok=True)
    return str(path)
