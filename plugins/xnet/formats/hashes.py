"""The hashes of Xet: keyed BLAKE3 over chunks, and Merkle trees over chunks' hashes. Source: Xet contract, section 4.

A hash is 32 raw bytes. Its text is not their plain hexadecimal form: see ``hash_to_text``.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Sequence

from blake3 import blake3

Hash = bytes
# A hash and the number of uncompressed bytes under it.
Node = tuple[Hash, int]

HASH_BYTES = 32
ZERO_HASH = bytes(HASH_BYTES)

# Source of the keys: Xet contract, section 4.
_CHUNK_KEY = bytes.fromhex("6697f5775b9550de3135cbaca597181c9de421109beb2b58b4d0b04b93adf229")
_NODE_KEY = bytes.fromhex("017ec5c7a5472996fd946666b48a02e65ddd536f37c76dd2f86352e64a53713f")
_RANGE_KEY = bytes.fromhex("7f1857d6ce56ed66127ff913e7a5c3f3a4cd26d5b5db49e64124987f28fb94c3")
_FILE_KEY = ZERO_HASH

_WORDS = struct.Struct("<4Q")
_TEXT_FORM = "{:016x}{:016x}{:016x}{:016x}"
_NODE_FORM = _TEXT_FORM + " : {:d}\n"
_TEXT = re.compile(r"[0-9a-f]{64}", re.ASCII)

# Members of a group in the tree: at least 3 and at most 9, but for the end of a level.
_SMALLEST_GROUP = 3
LARGEST_GROUP = 9


def hash_to_text(raw: Hash) -> str:
    """The 64 digits by which addresses and JSON name a hash: four little-endian integers in hexadecimal."""
    return _TEXT_FORM.format(*_WORDS.unpack(raw))


def hash_from_text(text: str) -> Hash:
    """The raw bytes of a hash's text. Raises ValueError for anything but 64 lower-case hexadecimal digits."""
    if not _TEXT.fullmatch(text):
        raise ValueError("not a hash: 64 lower-case hexadecimal digits are expected")
    return _WORDS.pack(*(int(text[start : start + 16], 16) for start in range(0, 64, 16)))


def chunk_hash(data: bytes | bytearray | memoryview) -> Hash:
    """The hash of an uncompressed chunk."""
    return blake3(data, key=_CHUNK_KEY).digest()


def range_hash(chunk_hashes: bytes) -> Hash:
    """What proves that somebody knows a run of chunks: the hash over their raw hashes, put together in order."""
    return blake3(chunk_hashes, key=_RANGE_KEY).digest()


def hmac_hash(key: bytes, chunk: Hash) -> Hash:
    """A chunk's hash under a key of 32 bytes, as keyed dedup answers give it."""
    return blake3(chunk, key=key).digest()


def is_dedup_eligible(chunk: Hash) -> bool:
    """Whether clients ask for a chunk by its hash alone: its last 8 bytes, little-endian, are divisible by 1024."""
    return chunk[24] == 0 and not chunk[25] & 3


def tree_hash(nodes: Iterable[Node]) -> Hash:
    """The root over (hash, uncompressed bytes) of chunks in order; over all chunks of a xorb, this is its hash.

    No nodes: 32 zero bytes. One: its own hash. All nodes are held at once: for a file of any size there is
    ``trees.FileHasher``.
    """
    level = list(nodes)
    while len(level) > 1:
        level = _next_level(level)
    return level[0][0] if level else ZERO_HASH


def file_hash(nodes: Iterable[Node]) -> Hash:
    """The hash of a file with these chunks, (hash, uncompressed bytes) each; no chunks: 32 zero bytes."""
    root = tree_hash(nodes)
    return ZERO_HASH if root == ZERO_HASH else blake3(root, key=_FILE_KEY).digest()


def _next_level(nodes: Sequence[Node]) -> list[Node]:
    level: list[Node] = []
    start = 0
    while start < len(nodes):
        end = group_end(nodes, start)
        level.append(merge_nodes(nodes[start:end]))
        start = end
    return level


def group_end(nodes: Sequence[Node], start: int) -> int:
    """Where the group ends that starts there, on a level whose nodes are all here, or at least LARGEST_GROUP more."""
    last = min(start + LARGEST_GROUP, len(nodes))
    for index in range(start + _SMALLEST_GROUP - 1, last):
        # The last 8 bytes, little-endian, are divisible by 4.
        if not nodes[index][0][24] & 3:
            return index + 1
    return last


def merge_nodes(nodes: Sequence[Node]) -> Node:
    """The node above a group."""
    text = "".join([_NODE_FORM.format(*_WORDS.unpack(raw), length) for raw, length in nodes])
    return blake3(text.encode(), key=_NODE_KEY).digest(), sum(length for _, length in nodes)
