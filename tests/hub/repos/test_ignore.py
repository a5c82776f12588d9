"""The rules of .gitignore, held against the git program itself."""

from __future__ import annotations

import subprocess
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from hub.repos.ignore import IgnoreRules

RULES = "*.log\n!keep.log\nbuild/\n/only-root\n# comment\ndocs/*.tmp\n**/cache/*.bin\nname\\ \nodd[.txt\nq/**/r\n"
PATHS = [
    *("a.log", "x/a.log", "keep.log", "x/keep.log", "build", "build/a", "x/build/a/b", "only-root", "x/only-root"),
    *("docs/a.tmp", "docs/x/a.tmp", "cache/a.bin", "z/cache/a.bin", "z/cache/y/a.bin", "name ", "q/r", "q/1/2/r"),
    *("build/keep.log", "plain.txt", "# comment"),
]


def test_rules_say_what_git_says(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / ".gitignore").write_text(RULES)
    done = subprocess.run(
        ["git", "-C", tmp_path, "check-ignore", "-z", "--stdin", "--no-index"],
        input="".join(f"{path}\0" for path in PATHS),
        capture_output=True,
        text=True,
        check=False,
    )
    rules = IgnoreRules.parse(RULES.encode())
    assert [path for path in PATHS if rules.ignores(path)] == [path for path in done.stdout.split("\0") if path]


@given(st.binary(max_size=200))
def test_no_content_breaks_the_parser(data: bytes) -> None:
    IgnoreRules.parse(data).ignores("a/b.bin")
