"""A bounded cache of what upload-pack answered, on disk, and one answer for all who want the same at once.

Making a pack costs processor time; sending a file costs nearly none. The answer to a clone depends on the
repository's objects and the request alone, so the next clone of the same gets the same bytes. Git writes its answer
straight into a file; every reader, the first included, follows the file as it grows.

The cache knows nothing of rights. Whoever asks it has judged the reader's right to the repository before, in the
same request, and has put the repository's uuid and the digest of its visible refs into the key.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

from hub.base.log import get_logger
from hub.base.offload import offload
from hub.git.command import terminate

log = get_logger(__name__)

CHUNK_BYTES = 1024 * 1024
# How often a growing file is looked at. A notification for each write of git's would cost more than looking.
_LOOK_S = 0.004
# One answer may take this share of the cache, so that one large repository cannot push all others out.
_LARGEST_SHARE = 4
# After this share of the cache's size in new answers it is measured again: other processes write to it, too.
_MEASURE_SHARE = 16
_DRAFT_SUFFIX = ".part"
_DRAFT_MAX_AGE_S = 24 * 3600.0
_TOUCH_S = 60.0
_FLUSH_PACKET = b"0000"

# Starts the process that writes the answer to the given file, and gives back what it took when the process has ended.
Start = Callable[[IO[bytes]], subprocess.Popen[bytes]]


def cache_key(repository_uuid: str, refs_digest: str, request: bytes) -> str:
    """The name of the answer to a request: other refs or another repository, another name."""
    digest = hashlib.sha256(request).hexdigest()
    return hashlib.sha256(f"{repository_uuid} {refs_digest} {digest}".encode()).hexdigest()


class PackCache:
    """The cached answers below one directory. Several processes may share it."""

    def __init__(self, directory: Path, size_bytes: int, *, min_free_bytes: int = 0) -> None:
        self._directory = directory
        self._size_bytes = size_bytes
        self._min_free_bytes = min_free_bytes
        self._lock = threading.Lock()
        self._answers: dict[str, Answer] = {}
        self._unmeasured_bytes: int | None = None

    @property
    def largest_bytes(self) -> int:
        """The largest answer that is kept."""
        return self._size_bytes // _LARGEST_SHARE

    def takes(self, expected_bytes: int) -> bool:
        """Whether an answer of about this size is worth a place: it would be kept, and the disk has room for it."""
        if self._size_bytes <= 0 or expected_bytes > self.largest_bytes:
            return False
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        return shutil.disk_usage(self._directory).free > expected_bytes + self._min_free_bytes

    def open(self, key: str) -> IO[bytes] | None:
        """The file of a finished answer, or None. An answer that is thrown out meanwhile stays readable."""
        path = self._path(key)
        try:
            stream = path.open("rb")
        except FileNotFoundError:
            return None
        with suppress(OSError):
            if time.time() - os.fstat(stream.fileno()).st_mtime > _TOUCH_S:
                os.utime(path)
        return stream

    def follow(self, key: str, start: Start, on_end: Callable[[], None], *, timeout_s: float) -> Follower:
        """The answer as it is being written, by a process that others may be following already.

        start is called when nobody makes this answer yet; on_end once that process has ended.
        Raises what ``start`` raised, to all who wait for it.
        """
        with self._lock:
            answer = self._answers.get(key)
            is_mine = answer is None
            if answer is None:
                answer = self._answers[key] = Answer(self, key, self._draft_path(key))
            answer.followers += 1
        if is_mine:
            answer.start(start, on_end, timeout_s)
        follower = Follower(self, answer)
        try:
            answer.wait_for_start()
        except BaseException:
            follower.close()
            raise
        return follower

    def forget(self, key: str, answer: Answer) -> None:
        """Nobody new follows this answer."""
        with self._lock:
            if self._answers.get(key) is answer:
                del self._answers[key]

    def leave(self, answer: Answer) -> None:
        """One follower less; the last one who leaves before the end stops the process."""
        with self._lock:
            answer.followers -= 1
            is_deserted = answer.followers == 0
            if is_deserted and self._answers.get(answer.key) is answer:
                del self._answers[answer.key]
        if is_deserted:
            answer.stop()
            self.release(answer)

    def release(self, answer: Answer) -> None:
        """Close the file of an answer that is done and followed by nobody."""
        with self._lock:
            if answer.followers == 0 and answer.is_done:
                answer.close()

    def keep(self, key: str, draft: Path, size_bytes: int) -> bool:
        """Make a finished draft the answer for all who come later, unless it is too large."""
        if size_bytes > self.largest_bytes:
            return False
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.rename(path)
        with self._lock:
            is_measured = self._unmeasured_bytes is not None
            self._unmeasured_bytes = (self._unmeasured_bytes or 0) + size_bytes
            if is_measured and self._unmeasured_bytes <= self._size_bytes // _MEASURE_SHARE:
                return True
            self._unmeasured_bytes = 0
        offload(self.shrink)
        return True

    def shrink(self) -> None:
        """Throw out what was not asked for the longest time until the cache is within its size."""
        files = []
        for path in self._directory.rglob("*"):
            with suppress(FileNotFoundError):
                state = path.stat()
                if path.suffix == _DRAFT_SUFFIX and time.time() - state.st_mtime > _DRAFT_MAX_AGE_S:
                    path.unlink()
                elif path.is_file() and path.suffix != _DRAFT_SUFFIX:
                    files.append((state.st_mtime, state.st_size, path))
        total = sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if total <= self._size_bytes:
                break
            path.unlink(missing_ok=True)
            total -= size

    def _path(self, key: str) -> Path:
        return self._directory / key[:2] / key

    def _draft_path(self, key: str) -> Path:
        return self._directory / f"{key}.{os.getpid()}.{time.monotonic_ns()}{_DRAFT_SUFFIX}"


class Answer:
    """One answer in the making: the process, its file, and those who follow."""

    def __init__(self, cache: PackCache, key: str, draft: Path) -> None:
        self.key = key
        self.draft = draft
        self.followers = 0
        self.is_done = False
        self._cache = cache
        self._size_bytes = 0
        self._error: BaseException | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._file: IO[bytes] | None = None
        self._is_deserted = False
        self._changed = threading.Condition()

    def start(self, start: Start, on_end: Callable[[], None], timeout_s: float) -> None:
        """Start the process and watch it from a thread of its own, whatever becomes of the first reader."""
        try:
            self._file = self.draft.open("x+b", buffering=0)
            process = start(self._file)
        except BaseException as error:
            self._cache.forget(self.key, self)
            self.draft.unlink(missing_ok=True)
            with self._changed:
                self._error, self.is_done = error, True
                self._changed.notify_all()
            return
        with self._changed:
            self._process = process
            is_deserted = self._is_deserted
            self._changed.notify_all()
        if is_deserted:
            terminate(process)
        threading.Thread(target=self._watch, args=(process, on_end, timeout_s), daemon=True).start()

    def _watch(self, process: subprocess.Popen[bytes], on_end: Callable[[], None], timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        try:
            while process.poll() is None:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=_LOOK_S)
                self._grow()
                if time.monotonic() > deadline:
                    log.warning("git_timeout", service="git-upload-pack")
                    break
            terminate(process)
        finally:
            self._finish(process.returncode == 0)
            on_end()

    def _grow(self) -> None:
        size_bytes = self._written_bytes()
        if size_bytes > self._size_bytes:
            with self._changed:
                self._size_bytes = size_bytes
                self._changed.notify_all()

    def _finish(self, is_success: bool) -> None:
        size_bytes = self._written_bytes()
        # Followers read the open file, so what becomes of its name does not concern them.
        try:
            is_kept = is_success and self._is_whole(size_bytes) and self._cache.keep(self.key, self.draft, size_bytes)
        except OSError as error:
            log.warning("pack_not_cached", reason=str(error))
            is_kept = False
        if not is_kept:
            self.draft.unlink(missing_ok=True)
        self._cache.forget(self.key, self)
        with self._changed:
            self._size_bytes, self.is_done = size_bytes, True
            self._changed.notify_all()
        self._cache.release(self)

    def _written_bytes(self) -> int:
        assert self._file is not None
        return os.fstat(self._file.fileno()).st_size

    def _is_whole(self, size_bytes: int) -> bool:
        """Whether the answer ends as every whole one does: with a flush packet."""
        length = len(_FLUSH_PACKET)
        return size_bytes >= length and self.read(size_bytes - length, length) == _FLUSH_PACKET

    def stop(self) -> None:
        """End the process: nobody follows any more."""
        with self._changed:
            self._is_deserted = True
            process = self._process
        if process is not None:
            terminate(process)

    def wait_for_start(self) -> None:
        """Return when the process runs. Raises what starting it raised."""
        with self._changed:
            while self._process is None and not self.is_done:
                self._changed.wait()
        if self._error is not None:
            raise self._error

    def read(self, offset: int, length: int) -> bytes:
        """Bytes of the file that are there already."""
        assert self._file is not None
        return os.pread(self._file.fileno(), length, offset)

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()

    def wait_beyond(self, offset: int) -> int:
        """The size of the file once it is larger than ``offset``, or once it will not grow any more."""
        with self._changed:
            while self._size_bytes <= offset and not self.is_done:
                self._changed.wait()
            return self._size_bytes


class Follower:
    """An answer's bytes, from the first, as fast as they are written and as slowly as the client takes them."""

    def __init__(self, cache: PackCache, answer: Answer) -> None:
        self._cache = cache
        self._answer = answer
        self._size_bytes = 0
        self._offset = 0
        self._is_closed = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._offset == self._size_bytes:
            self._size_bytes = self._answer.wait_beyond(self._offset)
        if self._is_closed or self._offset == self._size_bytes:
            self.close()
            raise StopIteration
        piece = self._answer.read(self._offset, min(CHUNK_BYTES, self._size_bytes - self._offset))
        self._offset += len(piece)
        return piece

    def close(self) -> None:
        """Leave; may be repeated."""
        if not self._is_closed:
            self._is_closed = True
            self._cache.leave(self._answer)
