"""Pictures and sounds as rows: folders of them, archives of them, samples as WebDataset has them. In a child."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any

from hub.assets.viewer.arrow import UnreadableTable, read_csv, read_json
from hub.assets.viewer.streams import Member, Peeked, as_utf8, read_member, suffixes_of
from hub.assets.viewer.worker import Source

IMAGES = frozenset({".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".avif", ".jxl", ".ico"})
AUDIO = frozenset({".wav", ".mp3", ".flac", ".ogg", ".opus", ".m4a", ".aac", ".aiff", ".wma"})
MEDIA = IMAGES | AUDIO
METADATA = frozenset({"metadata.csv", "metadata.jsonl", "metadata.parquet"})
_MAX_METADATA_BYTES = 64 * 1024 * 1024
_BATCH_ROWS = 10_000
_BATCH_BYTES = 32 * 1024 * 1024
_MAX_LABELS = 10_000


def read_folder(sources: Sequence[Source], column: str, unread: dict[str, str]) -> Iterator[Any]:
    """A row for each picture (sound): its path, and what ``metadata.csv`` and its like say, or its folder as label."""
    import pyarrow as pa

    said: dict[str, dict[str, Any]] = {}
    for source in sources:
        if PurePosixPath(source.name).name in METADATA:
            try:
                said.update(_metadata(source))
            except (pa.ArrowException, ValueError, OSError, KeyError) as error:
                unread[source.name] = str(error)[:500]
    paths = rows_of_folder([source.name for source in sources])
    names = sorted({key for row in said.values() for key in row} - {"file_name", column})
    labels = {PurePosixPath(path).parent.name for path in paths} if not said else set()
    is_labelled = 1 < len(labels) <= _MAX_LABELS
    for at in range(0, max(len(paths), 1), _BATCH_ROWS):
        chosen = paths[at : at + _BATCH_ROWS]
        arrays = {column: pa.array([{"path": path} for path in chosen], pa.struct({"path": pa.string()}))}
        if is_labelled:
            arrays["label"] = pa.array([PurePosixPath(path).parent.name for path in chosen])
        for name in names:
            arrays[name] = pa.array([said.get(path, {}).get(name) for path in chosen])
        yield pa.table(arrays)


def rows_of_folder(paths: Sequence[str]) -> list[str]:
    """The files of a folder that are rows, in their order: all but those that say something of the others."""
    return [path for path in paths if PurePosixPath(path).name not in METADATA]


def _metadata(source: Source) -> dict[str, dict[str, Any]]:
    """What is said of files, by their paths in the repository."""
    if source.size_bytes > _MAX_METADATA_BYTES:
        raise UnreadableTable(f"What it says of files has more than {_MAX_METADATA_BYTES >> 20} MiB.")
    from pyarrow import parquet

    suffix = suffixes_of(source.name)[0]
    if suffix == ".parquet":
        tables = iter([parquet.read_table(source.open())])
    else:
        text, _ = as_utf8(io.BytesIO(source.read_range(0, source.size_bytes)))
        peeked = text if isinstance(text, Peeked) else Peeked(text)
        tables = read_csv(peeked, ",") if suffix == ".csv" else read_json(peeked, None)
    folder = PurePosixPath(source.name).parent
    found = {}
    for table in tables:
        for row in table.to_pylist():
            name = row.get("file_name") or row.get(f"{PurePosixPath(source.name).stem}_file_name")
            if isinstance(name, str):
                found[str(folder / name)] = row
    return found


def read_samples(members: Iterator[Member], features: dict[str, Any], *, is_keyed: bool) -> Iterator[Any]:
    """The files of an archive as rows. is_keyed: files of one stem are one row, as in a WebDataset."""
    rows: list[dict[str, Any]] = []
    size = 0
    for row, bytes_in in _keyed(members) if is_keyed else _single(members):
        rows.append(row)
        size += bytes_in
        if size >= _BATCH_BYTES or len(rows) >= _BATCH_ROWS:
            yield _table_of(rows, features)
            rows, size = [], 0
    if rows:
        yield _table_of(rows, features)


def _single(members: Iterator[Member]) -> Iterator[tuple[dict[str, Any], int]]:
    for member in members:
        suffix = suffixes_of(member.name)[0]
        if suffix in MEDIA:
            data = read_member(member)
            column = "image" if suffix in IMAGES else "audio"
            row: dict[str, Any] = {column: {"bytes": data, "path": member.name}}
            if PurePosixPath(member.name).parent.name:
                row["label"] = PurePosixPath(member.name).parent.name
            yield row, len(data)


def _keyed(members: Iterator[Member]) -> Iterator[tuple[dict[str, Any], int]]:
    row: dict[str, Any] = {}
    size = 0
    for member in members:
        folder, _, name = member.name.rpartition("/")
        stem, _, extension = name.partition(".")
        key = f"{folder}/{stem}" if folder else stem
        if row and row["__key__"] != key:
            yield row, size
            row, size = {}, 0
        data = read_member(member)
        row["__key__"] = key
        row[extension.lower()] = _value(member.name, extension.lower(), data)
        size += len(data)
    if row:
        yield row, size


def _value(name: str, extension: str, data: bytes) -> Any:
    suffix = "." + extension.rpartition(".")[2]
    if suffix in MEDIA:
        return {"bytes": data, "path": name}
    if suffix == ".json":
        return json.loads(data)
    if suffix in (".txt", ".text", ".transcript", ".cls", ".id"):
        text = data.decode("utf-8", "replace")
        return int(text) if suffix == ".cls" and text.strip().isdecimal() else text
    return data


def _table_of(rows: list[dict[str, Any]], features: dict[str, Any]) -> Any:
    import pyarrow as pa

    names = [*dict.fromkeys(name for row in rows for name in row)]
    arrays = {}
    for name in names:
        values = [row.get(name) for row in rows]
        suffix = "." + name.rpartition(".")[2]
        if name in ("image", "audio") or suffix in MEDIA:
            is_image = name == "image" or suffix in IMAGES
            features[name] = {"_type": "Image" if is_image else "Audio"}
            arrays[name] = pa.array(values, pa.struct({"bytes": pa.binary(), "path": pa.string()}))
        else:
            arrays[name] = pa.array(values)
    return pa.table(arrays)
