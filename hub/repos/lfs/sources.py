"""Contents that the hub holds otherwise than whole in the object store: in pieces that files share, say.

The row of an ``LFSObject`` means the same wherever its bytes are: they are complete and were hashed. ``source`` names
who keeps them, and is empty for the object store. A source that also moves pieces to and from clients issues tickets
for it, and knows its own ids of contents.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import func, select

from hub.accounts.policy import Actor
from hub.base.context import Context, Key
from hub.base.errors import Unavailable
from hub.base.registry import Registry
from hub.db.uow import UnitOfWork, reading
from hub.repos.models import LFSObject, Repository


@dataclass(frozen=True)
class TicketRequest:
    """Who wants to move pieces of a repository's contents, and which way.

    The caller has judged that the actor may read the repository, or write to it. base_url: the hub as the client
    reached it, without a slash at its end.
    """

    actor: Actor
    repository: Repository
    revision: str
    is_write: bool
    base_url: str


@dataclass(frozen=True)
class Ticket:
    """Where the pieces are moved, by which token, until when (Unix seconds)."""

    url: str
    token: str
    expires_at_s: int


class ContentSource(Protocol):
    """Who keeps contents in a way of its own."""

    @property
    def title(self) -> str:
        """What people call it."""

    def open_range(self, context: Context, oid: str, start: int, length: int) -> Iterator[bytes]:
        """Exactly these bytes of a content, in chunks. Raises NotFound (``lfs_object_not_found``)."""

    def holds(self, context: Context, oid: str) -> bool:
        """Whether all pieces of a content are here."""

    def forget(self, context: Context, oids: Sequence[str]) -> None:
        """The hub no longer knows these contents; pieces that nothing else needs may go, in time.

        Called after the rows are gone, without a transaction, also for contents that the source never had. Somebody
        may bring one back at the same moment: ask ``holding.known_contents`` inside the transaction that lets it go,
        with the source's own row locked. After a crash it may never be called; what is not known goes by itself.
        """

    def transfer_ids(self, work: UnitOfWork, oids: Sequence[str]) -> dict[str, str]:
        """By oid, the id under which clients fetch a content's pieces; only for those that can be fetched so.

        One query. Once told, the id of an oid never changes: clients keep listings for ever.
        """

    def issue_ticket(self, context: Context, request: TicketRequest) -> Ticket:
        """Leave to move pieces of the repository's contents."""


SOURCES: Key[Registry[ContentSource]] = Key("repos.lfs.sources")


def create_sources() -> Registry[ContentSource]:
    """An empty registry; plugins fill it."""
    return Registry("content sources")


def get_source(context: Context, name: str) -> ContentSource:
    """The source of that name. Raises Unavailable (``content_source_missing``): its plugin does not run."""
    source = context[SOURCES].find(name)
    if source is None:
        raise Unavailable(f"The content is kept by {name!r}, which does not run here.", code="content_source_missing")
    return source


def find_transfer(context: Context) -> ContentSource | None:
    """The source through which clients move pieces of contents; None: there is none."""
    return next(context[SOURCES].values(), None)


def count_kept(context: Context, source: str) -> int:
    """How many contents are kept by a source, whether it runs or not."""
    with reading(context) as work:
        return work.session.scalar(select(func.count()).where(LFSObject.source == source)) or 0


def count_orphans(context: Context) -> dict[str, int]:
    """How many contents are kept by a source that does not run, by its name."""
    known = ["", *context[SOURCES]]
    with reading(context) as work:
        rows = work.session.execute(
            select(LFSObject.source, func.count()).where(LFSObject.source.not_in(known)).group_by(LFSObject.source)
        )
        return {row[0]: row[1] for row in rows}
