"""Commits that no ref leads to yet, and what a repository's refs and push records say."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select

from hub.base.context import Context
from hub.db.uow import reading
from hub.git.repository import list_refs
from hub.git.types import ZERO_OID, FileChange, RefChange, Signature
from hub.git.write import build_commit
from hub.repos.lookup import repository_path
from hub.repos.models import Push, Repository

ADA = Signature("Ada Lovelace", "ada@example.org", datetime(2026, 5, 1, 12, tzinfo=UTC))
MAIN = "refs/heads/main"


@dataclass
class Workbench:
    """A repository of the hub, written to from beside it."""

    context: Context
    repository: Repository

    @property
    def path(self) -> Path:
        return repository_path(self.context.settings, self.repository)

    @property
    def refs(self) -> dict[str, str]:
        return list_refs(self.path)

    @property
    def head(self) -> str:
        """The commit of main."""
        return self.refs[MAIN]

    def commit(self, files: Mapping[str, bytes] | None = None, *, parent: str | None = None, message: str = "C") -> str:
        """The id of a new commit on a parent (None: main's); no ref moves."""
        changes = [FileChange("put", name, content) for name, content in (files or {"a.txt": message.encode()}).items()]
        parent = parent or self.head
        return build_commit(self.path, parent=parent, changes=changes, author=ADA, committer=ADA, message=message)

    def git(self, *arguments: str, input: bytes | None = None) -> str:
        """The real git on the bare repository: what somebody does behind the hub's back."""
        command = ["git", "-c", "safe.directory=*", f"--git-dir={self.path}", *arguments]
        return subprocess.run(command, input=input, capture_output=True, check=True).stdout.decode().strip()

    def update(self, new: str, *, ref: str = MAIN) -> RefChange:
        """The change of a ref from where it is now; ``ZERO_OID`` deletes it."""
        return RefChange(ref, self.refs.get(ref, ZERO_OID), new)

    def pushes(self) -> Sequence[Push]:
        """The push rows, oldest first, without the one of the repository's making."""
        with reading(self.context) as work:
            query = select(Push).where(Push.repository_id == self.repository.id).order_by(Push.id)
            return work.session.scalars(query).all()[1:]
