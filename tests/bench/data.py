"""What the benchmarks move: generated once by a fixed seed and kept outside of the checkout."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

from tests.bench.measure import run
from tests.support.assets import cache_path

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB
SEED = 20261123

# A commit's author and time are part of its id; with both fixed the repositories are the same in every run.
AUTHOR = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Ada"), ("EMAIL", "ada@example.org"), ("DATE", "2026-01-01T00:00:00Z"))
}


def large_repository() -> Path:
    """200 MB in 2,000 files of 100 KiB that do not compress, in 40 folders and 20 commits; a bare repository."""
    commits = ([(f"part{folder:02}/{n:03}.dat", 100 * KIB) for n in range(50)] for folder in range(40))
    pairs = list(commits)
    return _repository("large", ([*pairs[i], *pairs[i + 1]] for i in range(0, 40, 2)))


def small_repository() -> Path:
    """20 files of 2 KiB in 10 commits."""
    return _repository("small", ([(f"file{i}.txt", 2 * KIB), (f"file{i + 1}.txt", 2 * KIB)] for i in range(0, 20, 2)))


def wide_repository() -> Path:
    """10,000 files of 100 bytes in one folder, and 20 commits that each change 500 of them."""
    return _repository("wide", ([(f"data/{c * 500 + n:05}.txt", 100) for n in range(500)] for c in range(20)))


def _repository(name: str, commits: Iterator[list[tuple[str, int]]]) -> Path:
    target = cache_path() / f"bench-{name}-{SEED}.git"
    if target.exists():
        return target
    generator = random.Random(f"{SEED}-{name}")
    draft = cache_path() / f"bench-{name}.draft"
    shutil.rmtree(draft, ignore_errors=True)
    run("git", "init", "--quiet", "--initial-branch=main", draft)
    for number, files in enumerate(commits):
        for path, size in files:
            (draft / path).parent.mkdir(parents=True, exist_ok=True)
            (draft / path).write_bytes(generator.randbytes(size))
        run("git", "-C", draft, "add", ".")
        run("git", "-C", draft, "commit", "--quiet", "--message", f"Part {number + 1}", environment=AUTHOR)
    bare = cache_path() / f"bench-{name}.bare"
    shutil.rmtree(bare, ignore_errors=True)
    run("git", "clone", "--quiet", "--bare", "--no-local", draft, bare)
    shutil.rmtree(draft)
    bare.rename(target)
    return target


def write_object(path: Path, size_bytes: int, salt: int) -> None:
    """Write a file of random bytes; another salt makes another file of the same cost."""
    block = bytearray(random.Random(SEED).randbytes(32 * MIB))
    with path.open("wb") as stream:
        for number in range(size_bytes // len(block)):
            block[:16] = salt.to_bytes(8, "big") + number.to_bytes(8, "big")
            stream.write(block)
