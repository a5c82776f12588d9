"""A file's hash, of chunks that come in batches: a file of a tebibyte has 16 million, which nobody holds at once."""

from __future__ import annotations

from collections.abc import Iterable

from blake3 import blake3

from plugins.xnet.formats.hashes import LARGEST_GROUP, ZERO_HASH, Hash, Node, group_end, merge_nodes


class FileHasher:
    """The same as ``hashes.file_hash``, in batches. It holds a few nodes of each level of the tree."""

    def __init__(self) -> None:
        self._levels: list[list[Node]] = [[]]

    def feed(self, nodes: Iterable[Node]) -> None:
        """Add the next chunks: (hash, uncompressed bytes) each."""
        self._levels[0].extend(nodes)
        level = 0
        # Before the end of a level is known, a group is closed only when all that it could take in is here.
        while level < len(self._levels) and len(self._levels[level]) >= LARGEST_GROUP:
            self._close_groups(level, LARGEST_GROUP)
            level += 1

    def digest(self) -> Hash:
        """The hash; nothing may be fed afterwards."""
        level = 0
        # One node that is alone on its level is the root; on a level with others it makes a group of its own.
        while level + 1 < len(self._levels) or len(self._levels[level]) > 1:
            self._close_groups(level, 1)
            level += 1
        [*root] = self._levels[level]
        return blake3(root[0][0], key=ZERO_HASH).digest() if root else ZERO_HASH

    def _close_groups(self, level: int, enough: int) -> None:
        if level + 1 == len(self._levels):
            self._levels.append([])
        waiting, start = self._levels[level], 0
        while len(waiting) - start >= enough:
            end = group_end(waiting, start)
            self._levels[level + 1].append(merge_nodes(waiting[start:end]))
            start = end
        del waiting[:start]
