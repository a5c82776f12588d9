"""A repository and the short way to put LFS objects into it, for tests below HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select

from hub.accounts.policy import Actor
from hub.base.context import Context
from hub.db.uow import reading
from hub.repos.lfs import service
from hub.repos.models import LFSLink, LFSObject, LFSUpload, Repository
from tests.support.lfs import oid_of


@dataclass
class Shelf:
    """One repository of one owner."""

    context: Context
    actor: Actor
    repository: Repository

    @property
    def who(self) -> dict[str, Any]:
        """The arguments that most functions of the service begin with."""
        return {"actor": self.actor, "repository_id": self.repository.id}

    def put(self, content: bytes) -> str:
        """Store an object; return its oid."""
        oid = oid_of(content)
        service.receive_object(self.context, **self.who, oid=oid, size_bytes=len(content), chunks=[content])
        return oid

    def get(self, oid: str) -> bytes:
        """Read an object back."""
        found = service.get_content(self.context, **self.who, oid=oid)
        return b"".join(found.open_range(0, found.size_bytes))

    def size_bytes(self) -> int:
        """What the repository's row says that it holds."""
        with reading(self.context) as work:
            return work.session.scalars(
                select(Repository.lfs_size_bytes).where(Repository.id == self.repository.id)
            ).one()

    def held(self) -> set[str]:
        """The oids that the repository is linked to."""
        with reading(self.context) as work:
            return {*work.session.scalars(select(LFSLink.oid).where(LFSLink.repository_id == self.repository.id))}


def stored(context: Context) -> set[str]:
    """The oids that have a row, whoever holds them."""
    with reading(context) as work:
        return {*work.session.scalars(select(LFSObject.oid))}


def uploads(context: Context) -> list[LFSUpload]:
    """The uploads in parts that are under way."""
    with reading(context) as work:
        return [*work.session.scalars(select(LFSUpload))]


def files_below(root: Path) -> set[str]:
    """Every file below a directory, by its relative path."""
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
