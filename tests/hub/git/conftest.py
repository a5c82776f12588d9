"""Real bare repositories, made by the code under test and looked at by the real git."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from hub.git.repository import init_repository
from hub.git.types import ZERO_OID, FileChange, RefChange, Signature
from hub.git.write import build_commit, update_refs

ADA = Signature("Ada Lovelace", "ada@example.org", datetime(2026, 5, 1, 12, 0, tzinfo=timezone(timedelta(hours=2))))


class Sandbox:
    """A repository and short words for what tests do to it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seconds = 0

    def git(self, *args: str, input: bytes | None = None) -> str:
        """The real git's answer, without the machine's configuration."""
        command = ["git", "-c", "safe.directory=*", f"--git-dir={self.path}", *args]
        environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LC_ALL": "C.UTF-8"}
        return subprocess.run(command, input=input, capture_output=True, check=True, env=environment).stdout.decode()

    def commit(
        self,
        files: Mapping[str, bytes | None] | None = None,
        *,
        branch: str = "main",
        message: str = "Change something",
        changes: list[FileChange] | None = None,
        parent: str | None = None,
    ) -> str:
        """Commit files (None: deleted) on a branch, each commit a minute after the one before."""
        self._seconds += 60
        when = datetime(2026, 5, 1, 12, 0, tzinfo=UTC) + timedelta(seconds=self._seconds)
        author = Signature("Ada Lovelace", "ada@example.org", when)
        steps = list(changes or [])
        for path, content in (files or {}).items():
            steps.append(FileChange("delete", path) if content is None else FileChange("put", path, content))
        tip = self.tip(branch)
        commit_id = build_commit(
            self.path, parent=parent or tip, changes=steps, author=author, committer=author, message=message
        )
        update_refs(self.path, [RefChange(f"refs/heads/{branch}", tip or ZERO_OID, commit_id)])
        return commit_id

    def tip(self, branch: str) -> str | None:
        found = self.git("for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}").strip()
        return found or None

    def move(self, ref: str, new: str) -> None:
        """Point a ref at an object, whatever it held."""
        self.git("update-ref", ref, new)

    def plant_tree(self, *entries: tuple[str, str, bytes]) -> str:
        """Write a tree that git itself would not: (mode, object id, name)."""
        raw = b"".join(mode.encode() + b" " + name + b"\0" + bytes.fromhex(oid) for mode, oid, name in entries)
        return self.git("hash-object", "-w", "--literally", "-t", "tree", "--stdin", input=raw).strip()

    def plant_blob(self, data: bytes) -> str:
        return self.git("hash-object", "-w", "--stdin", input=data).strip()

    def plant_commit(self, tree: str, *parents: str, branch: str | None = None) -> str:
        """Commit a tree as it is."""
        raw = f"tree {tree}\n" + "".join(f"parent {parent}\n" for parent in parents)
        raw += "author A <a@b.c> 1777000000 +0000\ncommitter A <a@b.c> 1777000000 +0000\n\nplanted\n"
        oid = self.git("hash-object", "-w", "--literally", "-t", "commit", "--stdin", input=raw.encode()).strip()
        if branch:
            self.move(f"refs/heads/{branch}", oid)
        return oid


def child_commands() -> bytes:
    """The command lines of this process's children."""
    lines = b""
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                status = Path(entry.path, "stat").read_bytes().rpartition(b")")[2].split()
                if int(status[1]) == os.getpid():
                    lines += Path(entry.path, "cmdline").read_bytes()
            except (FileNotFoundError, ProcessLookupError):
                continue
    return lines


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    """An empty repository whose default branch is main."""
    path = tmp_path / "sandbox.git"
    init_repository(path)
    return Sandbox(path)


@pytest.fixture
def make_sandbox(tmp_path: Path) -> Callable[[str], Sandbox]:
    """Makes further empty repositories by name."""

    def make(name: str) -> Sandbox:
        init_repository(tmp_path / name)
        return Sandbox(tmp_path / name)

    return make
