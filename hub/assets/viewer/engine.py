"""Queries over tables, by DuckDB in a process of its own (``engine_child``), which can be ended at any moment.

A process of the hub keeps a few of them warm, so that a query costs milliseconds. Who finds none free waits a moment in
a queue that has an end. A process that crashed, took too long or too much memory is replaced; the others do not notice.
These calls start processes: on the event loop, never through ``offload``.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub.base.context import Context, Key
from hub.base.errors import Failed, Invalid, Unavailable, Unprocessable
from hub.base.log import get_logger

if TYPE_CHECKING:
    from hub.assets.viewer.parts import Part, Table

log = get_logger(__name__)

HEAD = struct.Struct("!IQ")
_CHILD = Path(__file__).with_name("engine_child.py")
_INHERITED = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "TZ", "SYSTEMROOT")
_MAX_HEAD_BYTES = 1024 * 1024
_MAX_BODY_BYTES = 256 * 1024 * 1024
_MAX_RANGE_BYTES = 256 * 1024 * 1024
_START_S = 60.0
_MAX_KEPT = 256
_STALE_S = 24 * 3600.0
# Names that DuckDB would take for patterns of names; such files are read through their parent.
_WILD = frozenset("*?[]{}\\")
_OUT_OF_MEMORY = frozenset({"OutOfMemoryException", "MemoryError"})
_OF_THE_QUERY = frozenset({"ConversionException", "BinderException", "OutOfRangeException", "DataError"})


@dataclass(frozen=True)
class Limits:
    """What queries may take. processes: at once, in one process of the hub. waiting: who else may wait for one."""

    processes: int = 2
    waiting: int = 16
    wait_s: float = 20.0
    memory_bytes: int = 512 * 1024**2
    temp_bytes: int = 4 * 1024**3
    threads: int = 4
    idle_s: float = 120.0


class QueryTimeout(Unavailable):
    """A query was ended because it took too long."""

    code = "query_timeout"


class Engine:
    """The processes that answer queries for this process of the hub."""

    def __init__(self, scratch: Path, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._scratch = scratch
        self._reset()

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._idle: list[_Child] = []
        self._slots = threading.BoundedSemaphore(self.limits.processes)
        self._lock = threading.Lock()
        self._waiting = 0
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()

    @contextlib.contextmanager
    def open(self, table: Table, *, limit_s: float) -> Iterator[Session]:
        """A process for queries over a table, for as long as the block lasts and no longer than so many seconds.

        Raises Unavailable (``queries_busy``: too many at once; ``query_timeout``; ``query_crashed``), Unprocessable
        (``query_too_large``, ``table_unreadable``), Invalid (``query_invalid``).
        """
        if self._pid != os.getpid():
            # What a fork inherited belongs to its parent.
            self._reset()
        self._take_slot()
        child = None
        try:
            child = self._find_child()
            session = Session(child, table, time.monotonic() + limit_s)
            yield session
        finally:
            if child is not None:
                if child.is_clean:
                    self._idle.append(child)
                else:
                    child.stop()
            self._slots.release()

    def find_kept(self, key: Hashable) -> Any | None:
        """What ``keep`` was given under this key, or None."""
        return self._kept.get(key)

    def keep(self, key: Hashable, value: Any) -> None:
        """Remember something small about a query (its table's digest in the key); the oldest are forgotten."""
        self._kept[key] = value
        self._kept.move_to_end(key)
        while len(self._kept) > _MAX_KEPT:
            self._kept.popitem(last=False)

    def __del__(self) -> None:
        # Where the interpreter is ending, the processes see it by themselves.
        with contextlib.suppress(Exception):
            self.close()

    def close(self) -> None:
        """End all processes that are idle."""
        if self._pid != os.getpid():
            return
        while self._idle:
            self._idle.pop().stop()

    def _take_slot(self) -> None:
        if self._slots.acquire(blocking=False):
            return
        with self._lock:
            if self._waiting >= self.limits.waiting:
                raise _busy()
            self._waiting += 1
        try:
            if not self._slots.acquire(timeout=self.limits.wait_s):
                raise _busy()
        finally:
            with self._lock:
                self._waiting -= 1

    def _find_child(self) -> _Child:
        while True:
            try:
                child = self._idle.pop()
            except IndexError:  # none, or another thread took the last one
                return _Child(self._scratch, self.limits)
            if child.is_alive():
                child.touch()
                return child
            child.stop()


ENGINE: Key[Engine] = Key("assets.engine")


def install_engine(context: Context) -> None:
    """Give the context its engine; nothing is started yet."""
    context.provide(ENGINE, Engine(context.settings.cache_path / "queries"))


def _busy() -> Unavailable:
    return Unavailable(
        "Too many queries are being answered; try again in a moment.", code="queries_busy", retry_after_s=5
    )


class _Child:
    """A process and the socket to it."""

    def __init__(self, scratch: Path, limits: Limits) -> None:
        self.is_clean = True
        scratch.mkdir(parents=True, exist_ok=True)
        _sweep(scratch)
        self._folder = tempfile.mkdtemp(prefix="query-", dir=scratch)
        self._limits = limits
        ours, theirs = socket.socketpair()
        self._socket = ours
        options = {
            "socket": theirs.fileno(),
            "parent": os.getpid(),
            "folder": self._folder,
            "memory_bytes": limits.memory_bytes,
            "temp_bytes": limits.temp_bytes,
            "threads": max(1, min(limits.threads, len(os.sched_getaffinity(0)))),
            "idle_s": limits.idle_s,
        }
        environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        environment |= {"HOME": self._folder, "TMPDIR": self._folder, "LC_ALL": "C.UTF-8"}
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(_CHILD), json.dumps(options)],
                cwd=self._folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        except OSError:
            ours.close()
            shutil.rmtree(self._folder, ignore_errors=True)
            raise Unavailable("What answers queries cannot be started.", code="query_crashed") from None
        finally:
            theirs.close()
        try:
            self.receive(time.monotonic() + _START_S)
        except BaseException:
            self.stop()
            raise

    def is_alive(self) -> bool:
        """Whether it waits for a question; one that was idle for long has ended."""
        return self._process.poll() is None

    def touch(self) -> None:
        """Let its folder be known as one that is in use; see ``_sweep``."""
        with contextlib.suppress(OSError):
            os.utime(self._folder)

    def send(self, head: dict[str, Any], body: bytes = b"", *, deadline: float) -> None:
        text = json.dumps(head).encode()
        self.is_clean = False
        try:
            self._socket.settimeout(max(0.001, deadline - time.monotonic()))
            self._socket.sendall(HEAD.pack(len(text), len(body)) + text)
            if body:
                self._socket.sendall(body)
        except OSError as error:
            raise self._failure(error) from None

    def receive(self, deadline: float) -> tuple[dict[str, Any], bytes]:
        head_bytes, body_bytes = HEAD.unpack(self._read(HEAD.size, deadline))
        if head_bytes > _MAX_HEAD_BYTES or body_bytes > _MAX_BODY_BYTES:
            raise Failed("What answers queries sent too much.", code="query_crashed")
        head = json.loads(self._read(head_bytes, deadline))
        return head, self._read(body_bytes, deadline)

    def _read(self, length: int, deadline: float) -> bytes:
        data = bytearray(length)
        view = memoryview(data)
        try:
            while view:
                self._socket.settimeout(max(0.001, deadline - time.monotonic()))
                count = self._socket.recv_into(view)
                if not count:
                    raise ConnectionError
                view = view[count:]
        except OSError as error:
            raise self._failure(error) from None
        return bytes(data)

    def _failure(self, error: OSError) -> Unavailable:
        self.is_clean = False
        if isinstance(error, TimeoutError):
            log.warning("query_timeout")
            return QueryTimeout("The query took too long and was ended; ask for less.")
        self.stop()
        log.warning("query_crashed", returncode=self._process.returncode)
        return Unavailable(
            "The query took more memory than it may, or broke what answers queries; ask for less.",
            code="query_crashed",
        )

    def stop(self) -> None:
        """End it at once; may be repeated."""
        self.is_clean = False
        self._socket.close()
        if self._process.returncode is None:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


def _sweep(scratch: Path) -> None:
    """Remove the folders of processes whose hub was ended before it could."""
    oldest = time.time() - _STALE_S
    for path in scratch.glob("query-*"):
        with contextlib.suppress(OSError):
            if path.stat().st_mtime < oldest:
                shutil.rmtree(path, ignore_errors=True)


@dataclass(frozen=True)
class Batch:
    """Some rows, in Arrow's form: a stream of its inter-process format."""

    count: int
    body: bytes


class Session:
    """A process that answers one caller's statements over one table.

    In a statement, ``@table`` is the table (``@part7`` one part of it) and c0, c1, ... are its columns; the virtual
    columns ``file_index`` and ``file_row_number`` say where a row lies. Values are parameters ($1, ...). parts: only
    the parts from the first of these numbers up to the second.
    """

    def __init__(self, child: _Child, table: Table, deadline: float) -> None:
        self.table = table
        self.deadline = deadline
        self.is_cut = False
        self.count = 0
        self._child = child
        self._streams: dict[int, io.RawIOBase] = {}
        self._told = {"key": table.digest, "parts": [_tell(part) for part in table.parts]}

    def left_s(self) -> float:
        """Seconds until the process is ended."""
        return self.deadline - time.monotonic()

    def types(self) -> list[dict[str, Any]]:
        """The types of the columns, as trees: ``{"id": "list", "children": [["child", {"id": "varchar"}]]}``."""
        types: list[dict[str, Any]] = self._ask("describe")[0]["types"]
        return types

    def values(
        self, sql: str, parameters: Sequence[Any] = (), *, parts: tuple[int, int] | None = None, limit: int = 10_000
    ) -> list[list[Any]]:
        """The first rows of a statement's result, each value a number, a text, a list of such or None."""
        body = self._ask("values", sql=sql, parameters=list(parameters), parts=parts, limit=limit)[1]
        rows: list[list[Any]] = json.loads(body)
        return rows

    def batches(
        self, sql: str, parameters: Sequence[Any] = (), *, parts: tuple[int, int] | None = None, batch: int = 100
    ) -> list[Batch]:
        """All rows of a statement's result, a few in each batch; ``is_cut`` says whether there was too much."""
        found: list[Batch] = []

        def take(head: dict[str, Any], body: bytes) -> None:
            found.append(Batch(head["rows"], body))

        end, _ = self._ask("rows", sql=sql, parameters=list(parameters), parts=parts, batch=batch, take=take)
        self.is_cut = bool(end.get("is_cut"))
        return found

    def export(
        self, sql: str, parameters: Sequence[Any], *, format: str, names: Sequence[str], rows: int
    ) -> Iterator[bytes]:
        """The first rows of a statement's result as a file ("csv", "jsonl", "parquet"), piece by piece.

        names: of its columns. ``is_cut`` says at the end whether there were more rows, ``count`` how many these are.
        """
        more = {"parameters": list(parameters), "parts": None, "format": format, "names": list(names), "rows": rows}
        self._send("export", sql=sql, **more)
        while True:
            head, body = self._next()
            if "piece" not in head:
                self.is_cut, self.count = bool(head["is_cut"]), int(head["rows"])
                return
            if body:
                yield body

    def _ask(
        self, do: str, *, take: Callable[[dict[str, Any], bytes], None] | None = None, **more: Any
    ) -> tuple[dict[str, Any], bytes]:
        self._send(do, **more)
        while True:
            head, body = self._next()
            if head.get("done"):
                return head, body
            if take is not None:
                take(head, body)

    def _send(self, do: str, **more: Any) -> None:
        self._child.send({"do": do, "table": self._told, **more}, deadline=self.deadline)

    def _next(self) -> tuple[dict[str, Any], bytes]:
        """The next message that is not a question. Raises what the statement failed of."""
        while True:
            head, body = self._child.receive(self.deadline)
            if "read" in head:
                self._answer(head)
                continue
            if head.get("done"):
                self._child.is_clean = True
            if "error" in head:
                raise _error(head["error"], head["message"])
            return head, body

    def _answer(self, asked: dict[str, Any]) -> None:
        """Give a range of a part that only this process can read."""
        answer: dict[str, Any] = {}
        data = b""
        try:
            data = self._read(int(asked["read"]), int(asked["start"]), int(asked["length"]))
        except Exception as error:  # whatever it is, the process has to hear of it
            log.warning("query_part_unread", etag=self.table.parts[int(asked["read"])].etag, error=str(error)[:200])
            answer["error"] = "The content could not be read."
        self._child.send(answer, data, deadline=self.deadline)

    def _read(self, part: int, start: int, length: int) -> bytes:
        if not 0 < length <= _MAX_RANGE_BYTES:
            raise ValueError("no such range")
        stream = self._streams.get(part)
        if stream is None:
            stream = self._streams.setdefault(part, self.table.parts[part].open())
        stream.seek(start)
        data = bytearray(length)
        view = memoryview(data)
        while view:
            count = stream.readinto(view)
            if not count:
                raise EOFError("the content ended too early")
            view = view[count:]
        return bytes(data)


def _tell(part: Part) -> dict[str, Any]:
    path = os.path.realpath(part.local_path) if part.local_path is not None else ""
    return {"path": "" if _WILD & set(path) else path, "size_bytes": part.size_bytes, "rows": part.num_rows}


def _error(name: str, message: str) -> Exception:
    """What the caller is told of an error of DuckDB's; the files' names and the statement stay here."""
    first = message.partition("\n")[0][:300]
    if name in _OUT_OF_MEMORY:
        log.info("query_out_of_memory", reason=first)
        return Unprocessable("The query takes more memory than it may; ask for less.", code="query_too_large")
    if name in _OF_THE_QUERY:
        return Invalid(f"The query does not fit the table: {first}", code="query_invalid")
    log.warning("query_failed", error=name, reason=first)
    return Unprocessable("The table cannot be read.", code="table_unreadable", reason=name)
