"""Children that read what strangers made: each a process with little memory and a deadline, which may die.

What is read is asked of the parent by ranges, over a pipe: a child opens no connection and no file but those that the
parent names. The messages are frames: four bytes of length, then JSON or, where bytes were asked for, these.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import hub
from hub.assets.viewer.parts import Content
from hub.base.errors import HubError, NotFound, Unavailable
from hub.base.log import get_logger

log = get_logger(__name__)

MEMORY_BYTES = 2 * 1024**3
# At once in one process of the hub; who comes then waits.
MAX_CHILDREN = 2
_WAIT_S = 15.0
# A child that had to take so much is let go after its work.
_MAX_KEPT_BYTES = 700 * 1024 * 1024
_MAX_FRAME_BYTES = 64 * 1024 * 1024
_MAX_READ_BYTES = 256 * 1024 * 1024
_INHERITED = ("PATH", "TMPDIR", "TZ", "LD_LIBRARY_PATH")

Note = Callable[[int, int], None]


def _say_nothing(_done: int, _total: int) -> None:
    pass


class ReadingFailed(Exception):
    """What was to be read cannot be; the text says why, in words for who made it.

    at_fault: the file's name or "". is_passing: it may be read another time, when the machine has less to do.
    """

    def __init__(self, reason: str, at_fault: str = "", *, is_passing: bool = False) -> None:
        super().__init__(reason)
        self.at_fault = at_fault
        self.is_passing = is_passing

    @property
    def told(self) -> str:
        """The reason, after the file's name where it is known."""
        return f"{self.at_fault}: {self}" if self.at_fault else str(self)


def _failure(message: Mapping[str, Any], contents: Sequence[Content]) -> ReadingFailed:
    """What a child says, without the places at which the hub keeps its files."""
    reason = str(message["error"])
    for content in contents:
        if content.local_path is not None:
            if not content.local_path.exists():
                return ReadingFailed("Its content is not there.", is_passing=True)
            reason = reason.replace(str(content.local_path), content.name)
    return ReadingFailed(reason, message.get("at", ""))


class Child:
    """A process that reads. Not for two threads at once."""

    def __init__(self, memory_bytes: int = MEMORY_BYTES) -> None:
        root = str(Path(hub.__file__).resolve().parent.parent)
        start = "import sys; sys.path.insert(0, sys.argv[1]); from hub.assets.viewer.worker import main; main()"
        environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        # By itself Arrow takes addresses by the gigabyte, of which there are few here.
        environment |= {"LC_ALL": "C.UTF-8", "ARROW_DEFAULT_MEMORY_POOL": "system", "MALLOC_ARENA_MAX": "2"}
        environment |= {"OMP_NUM_THREADS": "2", "ARROW_IO_THREADS": "2"}
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", start, root, str(memory_bytes), str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            cwd="/",
            start_new_session=True,
            bufsize=0,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._to = self._process.stdin
        self._from = self._process.stdout
        self.is_usable = True

    def call(
        self,
        operation: str,
        arguments: Mapping[str, Any],
        contents: Sequence[Content] = (),
        *,
        deadline_s: float,
        note: Note = _say_nothing,
    ) -> Any:
        """What an operation of ``worker`` answers. Raises ReadingFailed; the child is of no use after some of these."""
        until = time.monotonic() + deadline_s
        told = [
            {
                "name": each.name,
                "size": each.size_bytes,
                "etag": each.etag,
                "path": str(each.local_path) if each.local_path else None,
            }
            for each in contents
        ]
        is_done = False
        try:
            self._send({"operation": operation, "arguments": arguments, "contents": told})
            while True:
                message = json.loads(self._receive(until))
                if "read" in message:
                    number, start, length = message["read"]
                    self._send_bytes(contents[number].read(start, min(length, _MAX_READ_BYTES)))
                elif "note" in message:
                    note(*message["note"])
                elif "error" in message:
                    is_done = True
                    raise _failure(message, contents)
                else:
                    is_done = True
                    self.is_usable = message["memory"] < _MAX_KEPT_BYTES
                    return message["answer"]
        except (BrokenPipeError, ConnectionError, EOFError):
            raise ReadingFailed(
                "Reading it takes more memory than there is for one file, or it broke what reads it.", is_passing=True
            ) from None
        except TimeoutError:
            raise ReadingFailed(f"Reading it takes longer than {deadline_s:.0f} seconds.", is_passing=True) from None
        except NotFound:
            raise ReadingFailed("Its content is not there.", is_passing=True) from None
        finally:
            if not is_done:
                self.end()

    def _send(self, message: Any) -> None:
        self._send_bytes(json.dumps(message).encode())

    def _send_bytes(self, data: bytes) -> None:
        left = memoryview(len(data).to_bytes(4, "little") + data)
        while left:
            left = left[self._to.write(left) or 0 :]

    def _receive(self, until: float) -> bytes:
        length = int.from_bytes(self._exactly(4, until), "little")
        if length > _MAX_FRAME_BYTES:
            raise EOFError
        return self._exactly(length, until)

    def _exactly(self, length: int, until: float) -> bytes:
        data = bytearray()
        while len(data) < length:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self._from], [], [], left)[0]:
                raise TimeoutError
            piece = os.read(self._from.fileno(), min(length - len(data), 1024 * 1024))
            if not piece:
                raise EOFError
            data += piece
        return bytes(data)

    def end(self) -> None:
        """Let the process be gone."""
        self.is_usable = False
        with suppress(OSError):
            self._process.kill()
        with suppress(OSError):
            self._to.close()
        self._from.close()
        self._process.wait()


class Children:
    """The children of one process of the hub: kept warm, a few at once, made when they are needed."""

    def __init__(self) -> None:
        self._free: list[Child] = []
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(MAX_CHILDREN)
        self._owner = os.getpid()

    def call(
        self,
        operation: str,
        arguments: Mapping[str, Any],
        contents: Sequence[Content] = (),
        *,
        deadline_s: float,
        note: Note = _say_nothing,
    ) -> Any:
        """As ``Child.call``, of any of them. Raises also Unavailable (``viewer_busy``)."""
        if not self._places.acquire(timeout=_WAIT_S):
            raise Unavailable("Too many tables are being read just now; try again.", code="viewer_busy")
        try:
            child = self._take()
            try:
                return child.call(operation, arguments, contents, deadline_s=deadline_s, note=note)
            except ReadingFailed as error:
                log.info("viewer_reading_failed", operation=operation, reason=str(error))
                raise
            except HubError:
                raise
            finally:
                if child.is_usable:
                    with self._lock:
                        self._free.append(child)
                else:
                    child.end()
        finally:
            self._places.release()

    def _take(self) -> Child:
        with self._lock:
            if self._owner != os.getpid():  # a fork: its children are another's
                self._free, self._owner = [], os.getpid()
            while self._free:
                child = self._free.pop()
                if child._process.poll() is None:
                    return child
                child.end()
        return Child()

    def end(self) -> None:
        """Let those be gone that nobody uses just now."""
        with self._lock:
            free, self._free = self._free if self._owner == os.getpid() else [], []
        for child in free:
            child.end()


CHILDREN = Children()
atexit.register(CHILDREN.end)
