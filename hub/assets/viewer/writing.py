"""Rows become Parquet files, each cut at a size, of one schema. ``pyarrow`` is imported where it is used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

# About what a group of rows and a file are cut at.
GROUP_BYTES = 32 * 1024 * 1024
FILE_BYTES = 256 * 1024 * 1024


class Writer:
    """Parquet files in a folder, one after the other, of the first table's schema; what follows is cast to it.

    take: called with each file and its number of rows, when it is whole. has_index: whether each page can be found
    without reading those before it. size_bytes: of the rows in memory.
    """

    def __init__(self, folder: Path, take: Callable[[Path, int], None], *, has_index: bool = False) -> None:
        self._folder = folder
        self._take = take
        self._has_index = has_index
        self._waiting: list[Any] = []
        self._waiting_bytes = 0
        self._number = 0
        self._file: Any = None
        self._file_rows = 0
        self.schema: Any = None
        self.rows = 0
        self.size_bytes = 0

    @property
    def _path(self) -> Path:
        return self._folder / f"{self._number:04d}.parquet"

    def add(self, table: Any) -> None:
        """Add rows; they are written when there are enough of them."""
        if self.schema is None:
            self.schema = table.schema
        elif table.schema != self.schema:
            table = table.select(self.schema.names).cast(self.schema)
        self._waiting.append(table)
        self._waiting_bytes += table.nbytes
        self.rows += table.num_rows
        self.size_bytes += table.nbytes
        if self._waiting_bytes >= GROUP_BYTES:
            self._write()

    def _write(self) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        if self._file is None:
            self._file = parquet.ParquetWriter(self._path, self.schema, write_page_index=self._has_index)
            self._file_rows = 0
        table = pa.concat_tables(self._waiting)
        self._file.write_table(table, row_group_size=max(table.num_rows, 1))
        self._file_rows += table.num_rows
        self._waiting, self._waiting_bytes = [], 0
        if self._path.stat().st_size >= FILE_BYTES:
            self._finish()

    def _finish(self) -> None:
        self._file.close()
        self._file = None
        path = self._path
        self._number += 1
        self._take(path, self._file_rows)

    def close(self) -> None:
        """Write what is left; of no rows at all there is one file that has none."""
        if self._waiting or (self._number == 0 and self._file is None and self.schema is not None):
            self._waiting = self._waiting or [self.schema.empty_table()]
            self._write()
        if self._file is not None:
            self._finish()

    def abandon(self) -> None:
        """Let go of a file that did not get whole."""
        if self._file is not None:
            self._file.close()
            self._file = None
