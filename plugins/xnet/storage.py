"""Where xorbs lie in the hub's object store: the chunk area only, byte for byte as it was sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from hub.plugin import Context
from hub.plugin.objects import STAGING, get_store, incoming_folder, offload, receive_file
from plugins.xnet.formats.hashes import hash_from_text, hash_to_text

PREFIX = "xet/xorbs/"
_PIECE_BYTES = 1024 * 1024


def xorb_key(xorb_hash: bytes) -> str:
    """The key of a xorb: its hash as text, in one of 256 folders."""
    text = hash_to_text(xorb_hash)
    return f"{PREFIX}{text[:2]}/{text}"


def hash_of_key(key: str) -> bytes | None:
    """The hash of the xorb under a key; None for a key of something else."""
    try:
        found = hash_from_text(key.rpartition("/")[2])
    except ValueError:
        return None
    return found if key == xorb_key(found) else None


def is_stored(context: Context, xorb_hash: bytes, stored_bytes: int) -> bool:
    """Whether the store has all bytes of a xorb."""
    info = get_store(context).find(xorb_key(xorb_hash))
    return info is not None and info.size_bytes == stored_bytes


def delete_xorb(context: Context, xorb_hash: bytes) -> None:
    """Remove a xorb's bytes; those that are not there are no error."""
    get_store(context).delete(xorb_key(xorb_hash))


@dataclass(frozen=True)
class Body:
    """A body that has come in, whole, as a file. staged: the store's key for it, where the store has plain files."""

    context: Context
    path: Path
    staged: str | None = None

    @contextmanager
    def stage(self, size_bytes: int) -> Iterator[str]:
        """The key of an object with so many of its first bytes, to be moved into its place or else removed."""
        if self.staged is not None and offload(self.path.stat).st_size == size_bytes:
            yield self.staged
            return
        with _staged(self.context) as key:
            get_store(self.context).put(key, _read_pieces(self.path, size_bytes), size_bytes=size_bytes)
            yield key


@contextmanager
def receive_body(context: Context, chunks: Iterable[bytes]) -> Iterator[Body]:
    """A body as a file for the length of the block: in the store itself where that has files, so as to move it there.

    Raises Unavailable, and whatever the chunks raise.
    """
    if get_store(context).local_path(PREFIX + "any") is None:
        with incoming_folder(context) as folder:
            receive_file(folder / "body", chunks)
            yield Body(context, folder / "body")
        return
    with _staged(context) as key:
        get_store(context).put(key, chunks)
        path = get_store(context).local_path(key)
        assert path is not None
        yield Body(context, path, key)


def publish_xorb(context: Context, staged: str, xorb_hash: bytes) -> None:
    """Give a staged object its place, whole and at once. Raises Unavailable."""
    get_store(context).move(staged, xorb_key(xorb_hash))


@contextmanager
def _staged(context: Context) -> Iterator[str]:
    key = f"{STAGING}xet-{uuid4().hex}"
    try:
        yield key
    finally:
        # Mostly it was moved away.
        if get_store(context).find(key) is not None:
            get_store(context).delete(key)


def _read_pieces(path: Path, size_bytes: int) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as stream:
        while size_bytes > 0 and (piece := offload(stream.read, min(_PIECE_BYTES, size_bytes))):
            size_bytes -= len(piece)
            yield piece
