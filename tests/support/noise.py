"""Files whose content no compression makes smaller, the same in every run."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

_MIB = 1024 * 1024


def write_noise(path: Path, size_bytes: int, seed: int) -> Path:
    """Write a file in which nothing repeats; another seed makes another one."""
    generator = random.Random(seed)
    with path.open("wb") as stream:
        for _ in range(0, size_bytes, _MIB):
            stream.write(generator.randbytes(_MIB))
        stream.truncate(size_bytes)
    return path


def edit(source: Path, target: Path, *, share: float = 0.01, places: int = 20) -> Path:
    """Write a copy with this share of its bytes changed, in so many places."""
    shutil.copyfile(source, target)
    size = source.stat().st_size
    length = int(size * share / places)
    generator = random.Random(size)
    with target.open("r+b") as stream:
        for number in range(places):
            stream.seek(size * number // places + length)
            stream.write(generator.randbytes(length))
    return target
