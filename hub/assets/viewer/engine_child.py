"""The process in which DuckDB runs: started by ``hub.assets.viewer.engine``, and in nobody else's service.

It gets statements and the parts of tables through a socket, and sends rows back. It is not trusted: it has neither the
hub's environment nor a credential, reads no file but the parts (by their paths where they are plain files, else by
asking its parent for ranges), writes nowhere but in its own folder, and ends when its parent does.

It imports nothing of the hub, so that it starts fast.

A message is a head in JSON and a body of bytes, each with its length before it.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import resource
import select
import shutil
import socket
import struct
import sys
import threading
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

HEAD = struct.Struct("!IQ")
PROTOCOL = "hubpart"
# An answer to one statement has no more than this; what is beyond is left out, and said so.
MAX_ANSWER_BYTES = 64 * 1024 * 1024
# Beside the rows that DuckDB holds within its limit: the interpreter, threads' stacks, what allocators reserve.
_EXTRA_ADDRESSES_BYTES = 3 * 1024**3
_EXTRA_RESIDENT_BYTES = 512 * 1024**2
_WATCH_S = 0.5
_KEPT_TABLES = 2
_MAX_MESSAGE_CHARS = 2_000
_EXPORT_BATCH = 2_000
_TABLE = re.compile(r"@(table|part(\d+))")


class Gone(Exception):
    """The parent is no more."""


class Channel:
    """The socket to the parent. Threads of DuckDB ask for ranges while the main thread waits for rows."""

    def __init__(self, connection: socket.socket) -> None:
        # A parent that runs greenlets has made it one that never waits.
        connection.setblocking(True)
        self._socket = connection
        self._lock = threading.Lock()
        self._is_answering = False

    def send(self, head: dict[str, Any], body: bytes | memoryview = b"") -> None:
        with self._lock:
            self._send(head, body)
            if head.get("done"):
                self._is_answering = False

    def take(self) -> dict[str, Any]:
        """The parent's next question."""
        asked, _ = self.receive()
        self._is_answering = True
        return asked

    def ask(self, head: dict[str, Any]) -> bytes:
        """Send a question and return the body of its answer. A thread that is still at work on what was answered
        already gets none."""
        with self._lock:
            if not self._is_answering:
                raise OSError("The query is over.")
            self._send(head, b"")
            answer, body = self.receive()
        if "error" in answer:
            raise OSError(answer["error"])
        return body

    def _send(self, head: dict[str, Any], body: bytes | memoryview) -> None:
        text = json.dumps(head, default=str).encode()
        try:
            self._socket.sendall(HEAD.pack(len(text), len(body)) + text)
            self._socket.sendall(body)
        except OSError:
            raise Gone from None

    def receive(self) -> tuple[dict[str, Any], bytes]:
        head_bytes, body_bytes = HEAD.unpack(self._read(HEAD.size))
        return json.loads(self._read(head_bytes)), self._read(body_bytes)

    def _read(self, length: int) -> bytes:
        data = bytearray(length)
        view = memoryview(data)
        while view:
            try:
                count = self._socket.recv_into(view)
            except OSError:
                count = 0
            if not count:
                raise Gone
            view = view[count:]
        return bytes(data)

    def wait(self, seconds: float) -> bool:
        """Whether the parent has something to say within this time."""
        return bool(select.select([self._socket], [], [], seconds)[0])


class RangeStream(io.RawIOBase):
    """A part that only the parent can read. Each thread has its own place in it, as DuckDB seeks and then reads."""

    def __init__(self, channel: Channel, part: int, size: int) -> None:
        self._channel = channel
        self._part = part
        self._places: dict[int, int] = {}
        self.size = size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._places.get(threading.get_ident(), 0)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self.tell(), io.SEEK_END: self.size}[whence]
        place = max(0, base + offset)
        self._places[threading.get_ident()] = place
        return place

    def read(self, size: int = -1) -> bytes:
        place = self.tell()
        length = max(0, self.size - place)
        length = min(length, size) if size >= 0 else length
        data = self._channel.ask({"read": self._part, "start": place, "length": length}) if length else b""
        self._places[threading.get_ident()] = place + len(data)
        return data


class Tables:
    """The tables that were asked for last, each with a DuckDB of its own that can open its parts and nothing else."""

    def __init__(self, channel: Channel, options: dict[str, Any]) -> None:
        self._channel = channel
        self._options = options
        self._kept: dict[str, Table] = {}

    def open(self, told: dict[str, Any]) -> Table:
        key = told["key"]
        table = self._kept.pop(key, None) or Table(self._channel, self._options, told)
        self._kept[key] = table
        while len(self._kept) > _KEPT_TABLES:
            self._kept.pop(next(iter(self._kept))).close()
        return table


class Table:
    """A table, as a relation whose columns are called c0, c1, ... whatever they are called in the files."""

    def __init__(self, channel: Channel, options: dict[str, Any], told: dict[str, Any]) -> None:
        import duckdb

        parts = told["parts"]
        self._connection = duckdb.connect(
            ":memory:",
            config={
                "threads": options["threads"],
                "memory_limit": f"{options['memory_bytes']}B",
                "temp_directory": options["folder"],
                "max_temp_directory_size": f"{options['temp_bytes']}B",
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "allow_persistent_secrets": False,
                "enable_object_cache": True,
                "python_enable_replacements": False,
            },
        )
        self._names = [part["path"] or f"{PROTOCOL}://{at}" for at, part in enumerate(parts)]
        if not all(part["path"] for part in parts):
            self._connection.register_filesystem(_file_system(channel, [part["size_bytes"] for part in parts]))
        allowed = ", ".join(_quote(name) for name in self._names)
        self._connection.execute("SET preserve_insertion_order = true")
        self._connection.execute(f"SET allowed_paths = [{allowed}]")
        self._connection.execute("SET enable_external_access = false")
        self._connection.execute("SET lock_configuration = true")
        found = self._connection.sql(" ".join(("SELECT * FROM", self._read(self._names[:1]))))
        self.types = [_describe(type) for type in found.types]
        aliases = ", ".join(f"c{at}" for at in range(len(self.types)))
        self._alias = f" AS t({aliases})" if aliases else " AS t"

    def _read(self, names: list[str]) -> str:
        listed = ", ".join(_quote(name) for name in names)
        return f"read_parquet([{listed}], hive_partitioning = false, union_by_name = false, filename = false)"

    def relation(self, sql: str, parameters: list[Any], parts: list[int] | None) -> Any:
        """What a statement gives; ``@table`` in it is the table, or some of its parts; ``@part7`` one part."""
        names = self._names if parts is None else self._names[slice(*parts)]

        def read(token: re.Match[str]) -> str:
            return self._read(names if token[1] == "table" else [self._names[int(token[2])]]) + self._alias

        sql = _TABLE.sub(read, sql)
        return self._connection.sql(sql, params=parameters) if parameters else self._connection.sql(sql)

    def close(self) -> None:
        self._connection.close()


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _describe(type: Any, depth: int = 0) -> dict[str, Any]:
    """A type of DuckDB's as a tree: its name, and the types within it."""
    name = str(type.id)
    told: dict[str, Any] = {"id": name}
    if depth < 20 and name in ("list", "array", "struct", "map"):
        children = [each for each in type.children if isinstance(each[1], type.__class__)]
        told["children"] = [[str(label), _describe(child, depth + 1)] for label, child in children]
    return told


def _file_system(channel: Channel, sizes: list[int]) -> Any:
    from fsspec.spec import AbstractFileSystem

    class Parts(AbstractFileSystem):  # type: ignore[misc]  # the library carries no types
        """The parts that only the parent can read."""

        protocol = PROTOCOL
        cachable = False

        def _number(self, path: str) -> int:
            return int(path.rpartition("/")[2])

        def open(self, path: str, mode: str = "rb", **_: Any) -> RangeStream:
            if mode != "rb":
                raise PermissionError("Parts are read only.")
            number = self._number(path)
            return RangeStream(channel, number, sizes[number])

        def info(self, path: str, **_: Any) -> dict[str, Any]:
            return {"name": path, "size": sizes[self._number(path)], "type": "file"}

        def exists(self, path: str, **_: Any) -> bool:
            return self._number(path) < len(sizes)

        def glob(self, path: str, **_: Any) -> list[str]:
            return [path]

        def modified(self, path: str) -> Any:
            return datetime.fromtimestamp(0, UTC)

    return Parts()


# Statements.


def _answer(channel: Channel, tables: Tables, asked: dict[str, Any]) -> None:
    table = tables.open(asked["table"])
    match asked["do"]:
        case "describe":
            channel.send({"done": True, "types": table.types})
        case "values":
            found = table.relation(asked["sql"], asked["parameters"], asked["parts"])
            rows = found.limit(asked["limit"]).fetchall()
            text = json.dumps([[_plain(value) for value in row] for row in rows]).encode()
            channel.send({"done": True}, text)
        case "rows":
            found = table.relation(asked["sql"], asked["parameters"], asked["parts"])
            _send_rows(channel, found, asked["batch"])
        case "export":
            found = table.relation(asked["sql"], asked["parameters"], asked["parts"])
            _send_file(channel, found, asked)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return [[_plain(key), _plain(each)] for key, each in value.items()]
    return str(value)


def _send_rows(channel: Channel, found: Any, batch: int) -> None:
    """Send rows in Arrow's form, each few of them by themselves, so that large cells do not add up."""
    import pyarrow as pa

    sent, is_cut = 0, False
    for records in found.to_arrow_reader(batch):
        if sent and sent + records.nbytes > MAX_ANSWER_BYTES:
            is_cut = True
            break
        if records.nbytes > MAX_ANSWER_BYTES:
            raise MemoryError("A few rows of this table have more than 64 MiB.")
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, records.schema) as writer:
            writer.write_batch(records)
        channel.send({"rows": records.num_rows}, memoryview(sink.getvalue()))
        sent += records.nbytes
    channel.send({"done": True, "is_cut": is_cut})


def _send_file(channel: Channel, found: Any, asked: dict[str, Any]) -> None:
    """Send what was found as a file of the format asked for, piece by piece; no more rows than were asked for."""
    rows = _Rows(found.to_arrow_reader(_EXPORT_BATCH), asked["rows"])
    for piece in {"csv": _csv, "jsonl": _json_lines, "parquet": _parquet}[asked["format"]](rows, asked["names"]):
        channel.send({"piece": True}, piece)
    channel.send({"done": True, "rows": rows.count, "is_cut": rows.is_cut})


class _Rows:
    """The first rows of a result, counted."""

    def __init__(self, reader: Any, most: int) -> None:
        self.schema = reader.schema
        self.count = 0
        self.is_cut = False
        self._reader = reader
        self._most = most

    def __iter__(self) -> Iterator[Any]:
        for records in self._reader:
            left = self._most - self.count
            if records.num_rows > left:
                self.is_cut = True
                records = records.slice(0, left)
            self.count += records.num_rows
            if records.num_rows:
                yield records
            if self.is_cut:
                return


def _csv(reader: Any, names: list[str]) -> Iterator[bytes]:
    import csv

    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow([_safe(name) for name in names])
    for records in reader:
        columns = [_values(column) for column in records.columns]
        writer.writerows(zip(*([_cell(value) for value in column] for column in columns), strict=True))
        yield text.getvalue().encode("utf-8", "replace")
        text.seek(0)
        text.truncate()
    yield text.getvalue().encode("utf-8", "replace")


def _values(column: Any) -> list[Any]:
    """Values of Python; moments as text, as Python has no nanoseconds and no years beyond 9999."""
    import pyarrow as pa

    if pa.types.is_temporal(column.type) and not pa.types.is_interval(column.type):
        return [text and text.replace(" ", "T", 1) for text in column.cast(pa.string()).to_pylist()]
    return list(column.to_pylist())


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, list | dict | bytes | tuple):
        return _safe(json.dumps(_jsonable(value)))
    return _safe(str(value))


def _safe(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def _jsonable(value: Any) -> Any:
    import base64

    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, list | tuple):
        return [_jsonable(each) for each in value]
    if isinstance(value, dict):
        return {str(key): _jsonable(each) for key, each in value.items()}
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def _json_lines(reader: Any, names: list[str]) -> Iterator[bytes]:
    for records in reader:
        columns = [_values(column) for column in records.columns]
        lines = [
            json.dumps({name: _jsonable(value) for name, value in zip(names, row, strict=True)}, ensure_ascii=False)
            for row in zip(*columns, strict=True)
        ]
        yield "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")


def _parquet(reader: Any, names: list[str]) -> Iterator[bytes]:
    import pyarrow as pa
    from pyarrow import parquet

    sink = io.BytesIO()
    fields = [field.with_name(name) for field, name in zip(reader.schema, names, strict=True)]
    schema = pa.schema(fields)
    with parquet.ParquetWriter(_Forgetful(sink), schema) as writer:
        for records in reader:
            writer.write_batch(pa.RecordBatch.from_arrays(records.columns, schema=schema))
            yield sink.getvalue()
            sink.seek(0)
            sink.truncate()
    yield sink.getvalue()


class _Forgetful(io.RawIOBase):
    """A file that is only written to; what was taken away still counts."""

    def __init__(self, sink: io.BytesIO) -> None:
        self._sink = sink
        self._written = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        count = self._sink.write(data)
        self._written += count
        return count

    def tell(self) -> int:
        return self._written


# The process.


def _limit(options: dict[str, Any]) -> None:
    addresses = options["memory_bytes"] + _EXTRA_ADDRESSES_BYTES
    for what, most in ((resource.RLIMIT_AS, addresses), (resource.RLIMIT_CORE, 0)):
        hard = resource.getrlimit(what)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (most, most))


def _leave(options: dict[str, Any]) -> None:
    """End the process, of which nothing stays: a parent that was killed cannot remove what was written."""
    shutil.rmtree(options["folder"], ignore_errors=True)
    # DuckDB's own threads and files need no farewell.
    os._exit(0)


def _watch(parent: int, options: dict[str, Any]) -> None:
    """End the process when its parent is gone, or when it holds more memory than it may."""
    most = options["memory_bytes"] + _EXTRA_RESIDENT_BYTES
    page_bytes = resource.getpagesize()
    pause = threading.Event()
    while not pause.wait(_WATCH_S):
        if os.getppid() != parent:
            _leave(options)
        with contextlib.suppress(OSError), open("/proc/self/statm") as stream:
            if int(stream.read().split()[1]) * page_bytes > most:
                os._exit(137)


def main() -> None:
    """Answer until the parent closes the socket, or has nothing to ask for a while."""
    options = json.loads(sys.argv[1])
    _limit(options)
    import duckdb  # noqa: F401 - so that the first query need not wait for it

    with contextlib.suppress(ImportError):
        import pyarrow.parquet  # noqa: F401 - so that the first rows need not wait for it

    warnings.simplefilter("ignore")
    threading.Thread(target=_watch, args=(options["parent"], options), daemon=True).start()
    channel = Channel(socket.socket(fileno=options["socket"]))
    tables = Tables(channel, options)
    with contextlib.suppress(Gone):
        channel.send({"ready": True})
        while channel.wait(options["idle_s"]):
            asked = channel.take()
            try:
                _answer(channel, tables, asked)
            except Gone:
                raise
            except Exception as error:  # whatever it is, the parent is told, and the next question answered
                told = {"error": type(error).__name__, "message": str(error)[:_MAX_MESSAGE_CHARS]}
                channel.send({"done": True, **told})
    _leave(options)


if __name__ == "__main__":
    main()
