"""One git child that talks to one client over HTTP: bytes in, bytes out, and an end in every case."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from hub.base.errors import Unavailable
from hub.base.log import get_logger
from hub.git.command import open_git, terminate

log = get_logger(__name__)

CHUNK_BYTES = 256 * 1024
# So much is taken by the system for a reader that has not looked yet.
WHOLE_BYTES = 64 * 1024
# As much as the system lets us have; Linux takes less by default.
_INPUT_BUFFER_BYTES = 1024 * 1024
_STDERR_SHOWN_BYTES = 2000

# After its last byte git needs a moment to leave by itself.
_LEAVE_S = 5.0

# How long a request waits for a place before it is told to come back.
SLOT_WAIT_S = 30.0
RETRY_AFTER_S = 10


class GitSlots:
    """The places for git processes of one web worker. Who finds none waits; who waits too long is sent away."""

    def __init__(self, places: int, *, wait_s: float = SLOT_WAIT_S) -> None:
        self._places = threading.BoundedSemaphore(places)
        self._wait_s = wait_s

    def take(self) -> None:
        """Take a place. Raises Unavailable (503 with ``Retry-After``) when none became free in time."""
        if not self._places.acquire(timeout=self._wait_s):
            raise Unavailable(
                "The hub is busy with other transfers; try again in a moment.",
                code="git_busy",
                retry_after_s=RETRY_AFTER_S,
            )

    def give_back(self) -> None:
        """Free a place that was taken."""
        self._places.release()


def _open_input() -> tuple[socket.socket, socket.socket]:
    """Our end and git's end of what git reads: a pair of sockets rather than a pipe.

    Git takes a pack in pieces of 4 KiB. A pipe that is full lets the writer go on after each of them, two changes of
    process for every page; a socket does so when most of its buffer has been read.
    """
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _INPUT_BUFFER_BYTES)
    return ours, theirs


class GitExchange:
    """What git answers, as the iterable body of a response.

    A request's body that is still coming is fed to git by a second thread, because git may answer while it still
    reads; one that is here already (at most ``WHOLE_BYTES``) is handed over at once. A client that
    leaves ends the child and all that it started. A push is different once its last byte has arrived
    (``outlives_client``): it then runs to its end, since the refs may be about to move.

    service: what the log calls it. timeout_s: the longest time of the whole exchange. on_end runs once, when the
    child has ended.
    Raises TimeoutError from the iteration when the time is over: the connection is then of no more use.
    """

    def __init__(
        self,
        repo_path: Path,
        *args: str,
        service: str,
        slots: GitSlots,
        timeout_s: float,
        body: bytes | Iterator[bytes] | None = None,
        env: dict[str, str] | None = None,
        hooks: Path | None = None,
        outlives_client: bool = False,
        on_end: Callable[[], None] | None = None,
    ) -> None:
        self._service = service
        self._slots = slots
        self._on_end = on_end
        self._outlives_client = outlives_client
        self._is_body_whole = body is None or isinstance(body, bytes)
        self._ending = threading.Lock()
        self._has_ended = False
        self._is_expired = False
        slots.take()
        self._errors: IO[bytes] = TemporaryFile()  # noqa: SIM115 - closed in _end
        self._input, git_input = _open_input()
        try:
            self._process = open_git(
                repo_path, *args, stdin=git_input.fileno(), stderr=self._errors, env=env, hooks=hooks
            )
        except BaseException:
            self._errors.close()
            self._input.close()
            slots.give_back()
            raise
        finally:
            git_input.close()
        assert self._process.stdout is not None
        self._output: Any = self._process.stdout
        self._timer = threading.Timer(timeout_s, self._expire)
        self._timer.daemon = True
        self._timer.start()
        self._feeder: threading.Thread | None = None
        if body is None or isinstance(body, bytes):
            self._feed(iter((body or b"",)))
        else:
            self._feeder = threading.Thread(target=self._feed, args=(body,), daemon=True)
            self._feeder.start()

    def _feed(self, body: Iterator[bytes]) -> None:
        is_git_reading = True
        try:
            for piece in body:
                try:
                    if is_git_reading:
                        self._input.sendall(piece)
                except OSError:
                    # Git has made up its mind. The rest is read all the same: a client that is still sending when
                    # the connection closes never sees the answer.
                    is_git_reading = False
            self._is_body_whole = True
        except Exception as error:
            log.info("git_body_cut", service=self._service, reason=type(error).__name__)
            terminate(self._process)
        finally:
            with suppress(OSError):
                self._input.shutdown(socket.SHUT_RDWR)
            self._input.close()

    def __iter__(self) -> GitExchange:
        return self

    def __next__(self) -> bytes:
        try:
            piece: bytes = self._output.read1(CHUNK_BYTES)
        except (OSError, ValueError):  # closed under us: the exchange was ended
            piece = b""
        if piece:
            return piece
        if self._is_expired:
            self._end()
            raise TimeoutError("git took too long")
        if self._feeder is not None and not self._has_ended:
            self._feeder.join()
        self._end(leave_s=_LEAVE_S)
        raise StopIteration

    def close(self) -> None:
        """End the exchange; the server calls it when the response is over, and when the client has gone."""
        if self._has_ended:
            return
        if self._outlives_client and self._is_body_whole:
            log.info("git_client_left", service=self._service)
            threading.Thread(target=self._drain, daemon=True).start()
            return
        self._end()

    def _drain(self) -> None:
        for _ in self:
            pass

    def _expire(self) -> None:
        log.warning("git_timeout", service=self._service)
        self._is_expired = True
        terminate(self._process)

    def _end(self, *, leave_s: float = 0) -> None:
        """Reap the child, giving it this long to leave by itself, and let go of all it held. May be repeated."""
        with self._ending:
            if self._has_ended:
                return
            self._has_ended = True
        self._timer.cancel()
        try:
            if leave_s:
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(timeout=leave_s)
            terminate(self._process)
            self._report()
        finally:
            self._errors.close()
            self._slots.give_back()
            if self._on_end is not None:
                self._on_end()

    def _report(self) -> None:
        if self._process.returncode:
            self._errors.seek(0)
            said = self._errors.read(_STDERR_SHOWN_BYTES).decode("utf-8", "replace").strip()
            log.info("git_exchange_failed", service=self._service, returncode=self._process.returncode, stderr=said)
