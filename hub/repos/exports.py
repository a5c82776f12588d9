"""The bundle of a repository that was made last, to be downloaded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hub.accounts.policy import Actor
from hub.base.context import Context
from hub.base.errors import NotFound
from hub.db.uow import reading
from hub.objects.store import STORE
from hub.repos.models import Repository
from hub.repos.reports import EXPORT, find_report


@dataclass(frozen=True)
class Export:
    """A bundle in the object store. etag: of this bundle and no other."""

    context: Context
    key: str
    size_bytes: int
    etag: str
    filename: str
    made_at: datetime | None

    def open_range(self, start: int, length: int) -> Iterator[bytes]:
        """Exactly these bytes, in chunks."""
        return self.context[STORE].open_range(self.key, start, length)

    @property
    def local_path(self) -> Path | None:
        """The plain file that holds it, where the store has such."""
        return self.context[STORE].local_path(self.key)

    def direct_url(self, *, expires_s: int) -> str | None:
        """An address that the client may be sent to instead; None when the transfer goes through the hub."""
        store = self.context[STORE]
        return store.presign_get(self.key, expires_s=expires_s, filename=self.filename) if store.is_direct else None


def open_export(context: Context, repository: Repository, *, actor: Actor) -> Export:
    """The bundle that was made last, for those who administer the repository.

    Raises NotFound (``export_not_found``: none was made, or it is gone after a week), NotSignedIn, Denied.
    """
    with reading(context) as work:
        report = find_report(work, EXPORT, actor=actor, repository_id=repository.id)
    info = context[STORE].find(report.data["key"]) if report.data else None
    if info is None:
        raise NotFound("There is no bundle; have one made first.", code="export_not_found")
    key = info.key
    etag = key.rpartition("/")[2].removesuffix(".bundle")
    return Export(context, key, info.size_bytes, etag, f"{repository.name}.bundle", report.made_at)
