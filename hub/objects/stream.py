"""Bytes on their way: counted, hashed and written while the next ones are being received."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator

from hub.base.errors import Unprocessable
from hub.base.offload import begin

# Large enough that a hand-over between threads costs nothing beside hashing, small enough for many streams at once.
CHUNK_BYTES = 1024 * 1024


class Verifier:
    """Counts and hashes bytes as they pass, and compares the outcome with what was announced.

    size_bytes, sha256: None where nothing was announced.
    """

    def __init__(self, size_bytes: int | None = None, sha256: str | None = None) -> None:
        self.received_bytes = 0
        self._announced_bytes = size_bytes
        self._announced_sha256 = sha256
        self._digest = hashlib.sha256() if sha256 is not None else None

    def count(self, chunk: bytes) -> None:
        """Add a chunk to the size. Raises Unprocessable as soon as there is more than was announced."""
        self.received_bytes += len(chunk)
        if self._announced_bytes is not None and self.received_bytes > self._announced_bytes:
            raise self._wrong_size("more")

    def absorb(self, chunk: bytes) -> None:
        """Add a chunk to the hash. It may be called from a native thread, in order."""
        if self._digest is not None:
            self._digest.update(chunk)

    def finish(self) -> None:
        """Return when all is as announced. Raises Unprocessable (``size_mismatch``, ``hash_mismatch``)."""
        if self._announced_bytes is not None and self.received_bytes != self._announced_bytes:
            raise self._wrong_size("fewer")
        if self._digest is not None and self._digest.hexdigest() != self._announced_sha256:
            raise hash_mismatch()

    def _wrong_size(self, direction: str) -> Unprocessable:
        return Unprocessable(
            f"The content is not as announced: {direction} than {self._announced_bytes} bytes came.",
            code="size_mismatch",
        )


def hash_mismatch() -> Unprocessable:
    """The refusal of content whose SHA-256 differs from the announced one."""
    return Unprocessable("The content's SHA-256 is not the announced one.", code="hash_mismatch")


def take_in(chunks: Iterable[bytes], verifier: Verifier, write: Callable[[bytes, int], None] | None = None) -> None:
    """Pass every chunk through the verifier and to ``write(chunk, offset)``, then judge the whole.

    Hashing and writing go on in a native thread while the caller's thread receives the next chunk.
    Raises Unprocessable, and whatever the chunks or ``write`` raise; no write is under way any more then.
    """

    def work_off(chunk: bytes, offset: int) -> None:
        verifier.absorb(chunk)
        if write is not None:
            write(chunk, offset)

    wait: Callable[[], None] | None = None
    try:
        for chunk in chunks:
            offset = verifier.received_bytes
            verifier.count(chunk)
            if wait is not None:
                done, wait = wait, None
                done()
            wait = begin(work_off, chunk, offset)
    finally:
        # Also when the sender fails: the file must not be closed under the thread that writes to it.
        if wait is not None:
            wait()
    verifier.finish()


def pass_through(chunks: Iterable[bytes], verifier: Verifier) -> Iterator[bytes]:
    """The chunks themselves, each counted and hashed while the taker is busy with it; judged after the last one.

    Raises Unprocessable.
    """
    wait: Callable[[], None] | None = None
    for chunk in chunks:
        verifier.count(chunk)
        if wait is not None:
            wait()
        wait = begin(verifier.absorb, chunk)
        yield chunk
    if wait is not None:
        wait()
    verifier.finish()


class Source:
    """Chunks of any length, taken in pieces of chosen lengths."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = b""

    def take(self, length: int) -> Iterator[bytes]:
        """The next ``length`` bytes, fewer at the end."""
        while length > 0:
            chunk = self._rest or next(self._chunks, None)
            if chunk is None:
                return
            self._rest, chunk = chunk[length:], chunk[:length]
            length -= len(chunk)
            yield chunk

    def drain(self) -> None:
        """Read to the end, for what happens there; bytes that are left over are dropped."""
        for _ in self._chunks:
            pass
