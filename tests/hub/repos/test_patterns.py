"""Brackets in path patterns, as git itself reads them."""

import pytest

from hub.repos.patterns import PathPattern

NAMES = ["-", "a", "b", "bx", "ax", "dx", "cx", "-x", "]", "1", "&", "|", "~"]
PATTERNS = ["[+--]", "[--a]", "[a-c]x", "[!a-c]x", "[]a]", "[b-a]", "[!b-a]", "[a\\-c]x", "[[:digit:]]", "[^a]", "[a-]"]


@pytest.mark.parametrize("pattern", [*PATTERNS, "[&&a]", "[||]", "[a~~]"])
def test_brackets_hold_what_git_says_they_hold(git_user, tmp_path, pattern):
    git_user.git("init", "--quiet", tmp_path / "work")
    (tmp_path / "work" / ".gitignore").write_text(f"{pattern}\n")
    names = "\n".join(NAMES).encode()
    said = git_user.git("check-ignore", "--no-index", "--stdin", cwd=tmp_path / "work", input=names, check=False)
    assert [name for name in NAMES if PathPattern(pattern).matches([name])] == said.output.split()
