"""Answers that follow from a commit and take long to work out, kept on disk. Any of them can be lost and made again."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from hub.base.context import Context

# A commit never changes, so an answer is never wrong; it only falls out of use.
MAX_AGE_S = 14 * 24 * 3600
MAX_SIZE_BYTES = 1024 * 1024 * 1024
_FORMAT = "1"  # part of each key: another format of the answers is another set of keys


def find(context: Context, *parts: str) -> Any | None:
    """The answer kept under these parts (what is asked, repository, commit, ...), or None."""
    try:
        return json.loads(_path(context, parts).read_bytes())
    except (FileNotFoundError, ValueError):
        return None


def keep(context: Context, *parts: str, answer: Any) -> None:
    """Keep a JSON-able answer under these parts. A disk that is full or away costs the answer, nothing else."""
    path = _path(context, parts)
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=".draft-")
        with os.fdopen(descriptor, "w") as stream:
            json.dump(answer, stream, separators=(",", ":"))
        os.replace(draft, path)


def prune(context: Context, *, max_age_s: float = MAX_AGE_S, max_size_bytes: int = MAX_SIZE_BYTES) -> int:
    """Forget answers made longer ago than this, then the oldest until the rest fits; how many they were."""
    kept: list[tuple[float, int, Path]] = []
    for path in (context.settings.cache_path / "derived").glob("??/*"):
        with contextlib.suppress(FileNotFoundError):
            found = path.stat()
            kept.append((found.st_mtime, found.st_size, path))
    size_bytes = sum(size for _, size, _ in kept)
    oldest = time.time() - max_age_s
    removed = 0
    for made_at, size, path in sorted(kept):
        if made_at >= oldest and size_bytes <= max_size_bytes:
            break
        path.unlink(missing_ok=True)
        size_bytes -= size
        removed += 1
    return removed


def _path(context: Context, parts: tuple[str, ...]) -> Path:
    key = hashlib.sha256("\0".join((_FORMAT, *parts)).encode()).hexdigest()
    return context.settings.cache_path / "derived" / key[:2] / key
