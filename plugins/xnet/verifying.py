"""Files are put together and hashed before they are anybody's content: nobody has to believe a SHA-256.

A shard is answered when its last file is hashed; so nothing but SHA-256 may take long, and nothing is copied in vain.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from io import FileIO
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from hub.plugin import Context
from hub.plugin.errors import Invalid
from hub.plugin.objects import get_store, offload
from plugins.xnet.formats.shards import Term
from plugins.xnet.formats.xorbs import FormatError, PackedChunks, view_chunks
from plugins.xnet.judging import JudgedFile
from plugins.xnet.reading import read_term, read_windows, runs_of, xorb_damaged, xorb_missing
from plugins.xnet.storage import xorb_key

if TYPE_CHECKING:
    from hashlib import _Hash


def hash_files(context: Context, files: Sequence[JudgedFile]) -> Iterator[int]:
    """Compare the files with the SHA-256 that each is announced with; says how many bytes of all are done.

    A few queries, however many files. Raises Invalid (``hash_mismatch``), NotFound (``xorb_not_found``), Failed
    (``xorb_damaged``), Unavailable.
    """
    done = left = 0
    digest, buffer = hashlib.sha256(), bytearray()
    waiting = iter(files)
    for window in read_windows(context, chain.from_iterable(file.terms for file in files)):
        for term in window.terms:
            if not left:
                file, digest = next(waiting), hashlib.sha256()
                left = len(file.terms)
            chunks = window.chunks.get(term.xorb)
            if chunks is None:
                raise xorb_missing()
            for size_bytes in _hash_term(context, term, chunks, digest, buffer):
                done += size_bytes
                yield done
            left -= 1
            if not left and digest.hexdigest() != file.oid:
                raise hash_mismatch()


def hash_mismatch() -> Invalid:
    """The refusal of a file whose SHA-256 differs from the announced one."""
    return Invalid("The content's SHA-256 is not the announced one.", code="hash_mismatch")


def _hash_term(context: Context, term: Term, chunks: PackedChunks, digest: _Hash, buffer: bytearray) -> Iterator[int]:
    path = get_store(context).local_path(xorb_key(term.xorb))
    if path is None:
        for piece in read_term(context, term, chunks):
            offload(digest.update, piece)
            yield len(piece)
        return
    # In one go: on a busy machine, threads that hand over to one another wait longer than they work.
    offload(_hash_runs, path, runs_of(chunks, term.start, term.end), digest, buffer)
    yield term.raw_length


def _hash_runs(path: Path, runs: Iterator[tuple[int, int, int]], digest: _Hash, buffer: bytearray) -> None:
    """Hash runs of stored chunks. buffer: memory that is used again, since new memory costs as much as the reading."""
    try:
        with path.open("rb", buffering=0) as stream:
            for first, end, raw_length in runs:
                stream.seek(first)
                _hash_run(stream, end - first, raw_length, digest, buffer)
    except FileNotFoundError:
        raise xorb_missing() from None
    except (FormatError, OSError) as error:
        raise xorb_damaged() from error


def _hash_run(stream: FileIO, length: int, raw_length: int, digest: _Hash, buffer: bytearray) -> None:
    if len(buffer) < length:
        buffer.extend(bytes(length - len(buffer)))
    size_bytes = 0
    with memoryview(buffer) as whole, whole[:length] as stored:
        if stream.readinto(stored) != length:
            raise xorb_damaged()
        for chunk in view_chunks(stored):
            digest.update(chunk)
            size_bytes += len(chunk)
    if size_bytes != raw_length:
        raise xorb_damaged()
