"""Where xorbs lie in the hub's object store: the chunk area only, byte for byte as it was sent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hub.plugin import Context
from hub.plugin.objects import get_store, offload
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


def put_xorb(context: Context, xorb_hash: bytes, path: Path, size_bytes: int) -> None:
    """Store the first bytes of a file as a xorb, visible only once whole. Raises Unavailable."""
    get_store(context).put(xorb_key(xorb_hash), _pieces(path, size_bytes), size_bytes=size_bytes)


def _pieces(path: Path, size_bytes: int) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as stream:
        while size_bytes > 0:
            piece = offload(stream.read, min(_PIECE_BYTES, size_bytes))
            if not piece:
                return
            size_bytes -= len(piece)
            yield piece


def is_stored(context: Context, xorb_hash: bytes, size_bytes: int) -> bool:
    """Whether the store has all bytes of a xorb."""
    info = get_store(context).find(xorb_key(xorb_hash))
    return info is not None and info.size_bytes == size_bytes


def delete_xorb(context: Context, xorb_hash: bytes) -> None:
    """Remove a xorb's bytes; those that are not there are no error."""
    get_store(context).delete(xorb_key(xorb_hash))
