"""Tables of the data set viewer, made of rows, without a repository around them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from hub.assets.viewer.features import describe_columns
from hub.assets.viewer.parts import Column, Content, Part, Table


def make_table(
    folder: Path, columns: dict[str, Any], *, parts: int = 1, local: bool = True, features: dict[str, Any] | None = None
) -> Table:
    """A table of so many files that hold the same rows each. local: False has them read by ranges only."""
    rows = pa.table(columns)
    made = []
    for _ in range(parts):
        path = folder / f"{len(list(folder.iterdir()))}.parquet"
        parquet.write_table(rows, path, row_group_size=1000)
        made.append(as_part(path, rows.num_rows, local=local))
    told = [Column(**column) for column in describe_columns(rows.schema)]
    told = [Column(each.name, each.type, (features or {}).get(each.name, each.feature)) for each in told]
    digest = f"{folder}/{len(list(folder.iterdir()))}"
    return Table("default", "train", digest, told, made, rows.num_rows * parts, False, "c" * 40)


def as_part(path: Path, rows: int, *, local: bool = True) -> Part:
    """A file as a part of a table."""

    def open_range(start: int, length: int) -> Iterator[bytes]:
        with path.open("rb") as stream:
            stream.seek(start)
            yield stream.read(length)

    size = path.stat().st_size
    return Part(path.name, size, rows, Content(path.name, path.name, size, open_range, path if local else None))
