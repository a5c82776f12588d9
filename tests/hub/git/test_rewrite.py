"""Histories without certain large files."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime

import pytest

from hub.base.errors import TooLarge
from hub.git import rewrite
from hub.git.pointer import format_pointer
from hub.git.repository import init_repository, list_refs
from hub.git.rewrite import drop_pointers
from hub.git.types import ZERO_OID, FileChange, RefChange, Signature
from hub.git.write import build_commit, update_refs

GONE, KEPT = "a" * 64, "b" * 64
WHO = Signature("Ada", "ada@example.org", datetime(2026, 1, 2, tzinfo=UTC))


def git(path, *args, text=None):
    done = subprocess.run(["git", "-C", str(path), *args], input=text, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def path(tmp_path):
    """main: a large file alone in a folder, then beside another; a tag before, and an annotated one after."""
    path = tmp_path / "thing.git"
    init_repository(path)
    pointer, other = format_pointer(GONE, 7), format_pointer(KEPT, 8)
    # Not in its canonical form, and still what git-lfs would fetch.
    odd = pointer.replace(b"\n", b"\r\n")
    steps = [
        [FileChange("put", "README.md", content=b"hello\n")],
        [FileChange("put", "deep/only/large.bin", content=pointer), FileChange("put", "kept.bin", content=other)],
        [FileChange("put", "odd.bin", content=odd)],
    ]
    commits, parent = [], None
    for number, changes in enumerate(steps):
        parent = build_commit(path, parent=parent, changes=changes, author=WHO, committer=WHO, message=f"Step {number}")
        commits.append(parent)
    refs = {"refs/heads/main": commits[2], "refs/heads/old": commits[0], "refs/tags/light": commits[1]}
    update_refs(path, [RefChange(ref, ZERO_OID, tip) for ref, tip in refs.items()])
    git(path, "-c", "user.name=Ada", "-c", "user.email=a@example.org", "tag", "-a", "-m", "One", "heavy", commits[2])
    return path


def test_every_commit_that_named_the_file_is_written_anew(path):
    before = list_refs(path)
    moved = drop_pointers(path, before, [GONE])
    assert {*moved} == {"refs/heads/main", "refs/tags/light", "refs/tags/heavy"}
    update_refs(path, [RefChange(ref, before[ref], new) for ref, new in moved.items()])
    assert git(path, "ls-tree", "-r", "--name-only", "main").split() == ["README.md", "kept.bin"]
    assert git(path, "log", "--format=%s|%an|%ad", "--date=iso", "main") == git(
        path, "log", "--format=%s|%an|%ad", "--date=iso", before["refs/heads/main"]
    )
    assert git(path, "rev-parse", "light") == git(path, "rev-parse", "main~1")
    assert git(path, "cat-file", "-t", "heavy") == "tag"
    assert git(path, "rev-parse", "heavy^{commit}") == git(path, "rev-parse", "main")
    assert git(path, "rev-parse", "main~2") == before["refs/heads/old"]
    git(path, "fsck", "--strict")
    assert drop_pointers(path, list_refs(path), [GONE, "c" * 64]) == {}


def test_a_signature_that_would_be_wrong_is_left_out(path):
    raw = git(path, "cat-file", "commit", "main").replace(
        "\n\n", "\ngpgsig -----BEGIN PGP SIGNATURE-----\n \n abc\n -----END PGP SIGNATURE-----\n\n", 1
    )
    signed = git(path, "hash-object", "-t", "commit", "-w", "--stdin", text=raw + "\n")
    kept = drop_pointers(path, {"refs/heads/x": signed}, ["c" * 64])
    assert kept == {}
    new = drop_pointers(path, {"refs/heads/x": signed}, [GONE])["refs/heads/x"]
    assert "gpgsig" not in git(path, "cat-file", "commit", new)
    assert git(path, "log", "-1", "--format=%s", new) == "Step 2"


def test_a_root_that_is_left_empty_and_a_history_that_is_too_long(path, monkeypatch):
    only = build_commit(
        path,
        parent=None,
        changes=[FileChange("put", "large.bin", content=format_pointer(GONE, 7))],
        author=WHO,
        committer=WHO,
        message="Only",
    )
    new = drop_pointers(path, {"refs/heads/x": only}, [GONE])["refs/heads/x"]
    assert git(path, "ls-tree", new) == ""
    monkeypatch.setattr(rewrite, "MAX_COMMITS", 2)
    with pytest.raises(TooLarge) as caught:
        drop_pointers(path, list_refs(path), [GONE])
    assert caught.value.code == "history_too_long"
