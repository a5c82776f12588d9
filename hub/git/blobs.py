"""The contents of many files, without opening the repository for each of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pygit2

from hub.git.reader import open_repository


def read_blobs(path: Path, oids: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Each content whole, by its id, one at a time; for those that are known to be small.

    An id that the repository lacks, or that is no file's, is passed over. Raises NotFound (``repository_missing``).
    """
    with open_repository(path) as repository:
        for oid in oids:
            found = repository.get(pygit2.Oid(hex=oid))
            if isinstance(found, pygit2.Blob):
                yield oid, found.data
