"""What runs in a child: it takes one operation after the other from its parent, and answers. See ``child``."""

from __future__ import annotations

import io
import json
import os
import resource
import select
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from hub.base.dotted import load_dotted
from hub.base.streams import RangedStream
from hub.base.texts import as_storable

# Without work for so long it goes.
IDLE_S = 300.0
_WATCH_S = 1.0
_MAX_ERROR_CHARS = 1000
_LARGEST_FILE_BYTES = 8 * 1024**3

OPERATIONS = {
    "describe": "hub.assets.viewer.footers:describe_files",
    "rows": "hub.assets.viewer.pages:read_rows",
    "cell": "hub.assets.viewer.pages:read_cell",
    "preview": "hub.assets.viewer.converting:preview",
    "convert": "hub.assets.viewer.converting:convert",
}


class Source(RangedStream):
    """A content that the parent holds, as a file that can be read anywhere. path: of the same as a plain file."""

    def __init__(self, pipe: Pipe, number: int, told: dict[str, Any]) -> None:
        self._pipe = pipe
        self._number = number
        self.name: str = told["name"]
        self.size_bytes: int = told["size"]
        self.path: str | None = told["path"]
        self.etag: str = told.get("etag", "")

    def read_range(self, start: int, length: int) -> bytes:
        """These bytes, or those before the end."""
        length = min(length, self.size_bytes - start)
        if self.path is not None and length > 0:
            with open(self.path, "rb", buffering=0) as stream:
                return os.pread(stream.fileno(), length, start)
        return self._pipe.read_range(self._number, start, length) if length > 0 else b""

    def open(self) -> io.BufferedIOBase:
        """The content as a file of its own, from the beginning."""
        if self.path is not None:
            return open(self.path, "rb")
        return io.BufferedReader(self.again(), 256 * 1024)

    def again(self) -> Source:
        """The same content, to be read from the beginning."""
        return Source(
            self._pipe, self._number, {"name": self.name, "size": self.size_bytes, "path": None, "etag": self.etag}
        )


class Pipe:
    """The child's end of the two pipes."""

    def __init__(self, source: int, sink: int) -> None:
        self._source = source
        self._sink = sink
        self._lock = threading.Lock()

    def send(self, message: Any) -> None:
        data = json.dumps(message).encode()
        left = memoryview(len(data).to_bytes(4, "little") + data)
        while left:
            left = left[os.write(self._sink, left) :]

    def receive(self) -> bytes:
        """The next frame; the process ends where there is none any more."""
        return self._exactly(int.from_bytes(self._exactly(4), "little"))

    def wait(self) -> bool:
        """Whether there is something to receive before the process has been idle for too long."""
        return bool(select.select([self._source], [], [], IDLE_S)[0])

    def read_range(self, number: int, start: int, length: int) -> bytes:
        """These bytes of one of the contents, which the parent sends."""
        with self._lock:
            self.send({"read": [number, start, length]})
            return self.receive()

    def _exactly(self, length: int) -> bytes:
        data = bytearray()
        while len(data) < length:
            piece = os.read(self._source, min(length - len(data), 1024 * 1024))
            if not piece:
                os._exit(0)
            data += piece
        return bytes(data)


def main() -> None:
    """Serve until the parent is gone, or nothing was asked for a while."""
    memory_bytes, parent = int(sys.argv[2]), int(sys.argv[3])
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_LARGEST_FILE_BYTES, _LARGEST_FILE_BYTES))
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    pipe = Pipe(os.dup(0), os.dup(1))
    # What a library prints must not get among the frames.
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    while pipe.wait():
        pipe.send(_answer(pipe, json.loads(pipe.receive())))


def _watch(parent: int) -> None:
    """End with the parent, also in the middle of work that nobody waits for any more."""
    while os.getppid() == parent:
        time.sleep(_WATCH_S)
    os._exit(0)


def _answer(pipe: Pipe, asked: dict[str, Any]) -> dict[str, Any]:
    sources = [Source(pipe, number, told) for number, told in enumerate(asked["contents"])]
    try:
        function: Callable[..., Any] = load_dotted(OPERATIONS[asked["operation"]])
        options = dict(asked["arguments"])
        if asked["operation"] == "convert":
            options["note"] = lambda done, total: pipe.send({"note": [done, total]})
        answer = function(sources, **options)
    except MemoryError:
        return {"error": "Reading it takes more memory than there is for one file."}
    except RecursionError:
        return {"error": "Its values lie too deep in each other."}
    except Exception as error:
        told = as_storable(str(error)[:_MAX_ERROR_CHARS]) or type(error).__name__
        return {"error": told, "at": getattr(error, "at", "")}
    return {"answer": answer, "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}
