"""Rows on pull requests: the changed files of a large one."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.bench.bench import Bench, Outcome, Row
from tests.bench.measure import median, run, seconds, take_turns
from tests.support.assets import cache_path

FILES = 5000
LIMIT_S = 2.0
_SIDES = 9


def _texts(edit: int) -> Iterator[bytes]:
    """Fast-import's words for 5,000 files of 60 lines in 100 folders. edit: what is other in each; 0: nothing."""
    for number in range(FILES):
        lines = [f"line {line} of file {number}\n" for line in range(60)]
        if edit:
            lines[30:31] = [f"another line, of edit {edit}\n", "and one more\n"]
        text = "".join(lines).encode()
        yield b"M 100644 inline part%02d/file%04d.txt\ndata %d\n%s\n" % (number % 100, number, len(text), text)


def diverged_repository() -> Path:
    """A bare repository: main with two commits, and branches off its first that change each of 5,000 text files."""
    target = cache_path() / f"bench-diverged-{FILES}-{_SIDES}.git"
    if target.exists():
        return target
    draft = cache_path() / "bench-diverged.draft"
    shutil.rmtree(draft, ignore_errors=True)
    run("git", "init", "--quiet", "--bare", "--initial-branch=main", draft)
    head = b"commit refs/heads/%s\n%scommitter Ada <ada@example.org> 1767225600 +0000\ndata 5\nfiles\n"
    stream = [head % (b"main", b"mark :1\n"), *_texts(0)]
    for side in range(1, _SIDES + 1):
        stream += [head % (b"side%d" % side, b""), b"from :1\n", *_texts(side)]
    stream += [head % (b"main", b""), b"from :1\n", b"M 100644 inline later.txt\ndata 6\nlater\n\n"]
    subprocess.run(["git", "-C", draft, "fast-import", "--quiet"], input=b"".join(stream), check=True)
    run("git", "-C", draft, "repack", "-adq")
    draft.rename(target)
    return target


def measure_diff(bench: Bench) -> list[Outcome]:
    source = diverged_repository()
    bench.publish(source, "diverged")
    rounds = min(bench.rounds, _SIDES)
    sides = [f"side{number}" for number in range(1, rounds + 1)]
    place = f"models/{bench.account.name}/diverged"
    run("git", "-C", source, "push", "--quiet", bench.account.address(place), *sides)
    numbers = {}
    for side in sides:
        answer = bench.account.api.post(f"/api/v1/{place}/pulls", {"title": side, "revision": side})
        numbers[side] = answer.data["number"]
    first, after = iter(sides), iter(sides)

    def ask(side: str, page: int) -> float:
        path = f"/api/v1/{place}/pulls/{numbers[side]}/files?page={page}"
        answers = []
        took = seconds(lambda: answers.append(bench.account.api.get(path).data))
        told = answers[0]
        if (told["total"], told["additions"], len(told["files"])) != (FILES, 2 * FILES, 100):
            raise RuntimeError(f"the diff of {side} is told otherwise: {told['total']}, {told['additions']}")
        return took

    def stat() -> float:
        command = ["git", "-C", source, "diff", "--stat", f"main...{next(after)}"]
        return seconds(lambda: run(*command))

    mine, theirs = take_turns(rounds, lambda: ask(next(first), 1), stat)
    later = 1000 * median([ask(side, 30) for side in sides])
    ratio = median(mine) / median(theirs)
    return [
        Outcome(
            "changed files of a pull request of 5,000, the first page, cold",
            f"{1000 * median(mine):.0f} ms",
            f"git diff --stat, all of it: {1000 * median(theirs):.0f} ms",
            ratio,
            f"≤ {LIMIT_S:.0f} s",
            max(mine) <= LIMIT_S,
            f"the slowest {1000 * max(mine):.0f} ms; page 30: {later:.0f} ms",
        )
    ]


ROWS = (Row("diff-5000", "changed files of a large pull request", measure_diff),)
