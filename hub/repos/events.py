"""What the room tells the others, always after the commit."""

from __future__ import annotations

from dataclasses import dataclass

from hub.git.types import RefChange


@dataclass(frozen=True)
class RepositoryCreated:
    """A repository is there, with its first commit. forked_from_id: None when it is no fork."""

    repository_id: int
    actor_id: int | None
    forked_from_id: int | None = None


@dataclass(frozen=True)
class RepositoryUpdated:
    """Its description, visibility, default branch or archived state changed; ``fields`` names what."""

    repository_id: int
    actor_id: int | None
    fields: tuple[str, ...]


@dataclass(frozen=True)
class RepositoryMoved:
    """It was renamed or transferred, or its namespace was renamed: then both namespaces are the same.

    Paths are ``namespace/name``. Whose the old one is can be told by the namespace's id only: names are given away.
    """

    repository_id: int
    actor_id: int | None
    old_path: str
    new_path: str
    old_namespace_id: int
    new_namespace_id: int


@dataclass(frozen=True)
class RepositoryDeleted:
    """It is gone for its users, and can be brought back for a while. with_account: its owner's account goes, too."""

    repository_id: int
    actor_id: int | None
    with_account: bool = False


@dataclass(frozen=True)
class RepositoryUndeleted:
    """It was brought back."""

    repository_id: int
    actor_id: int | None


@dataclass(frozen=True)
class RepositoryPurged:
    """Its files and rows are gone for good; the id means nothing any more."""

    repository_id: int
    uuid: str


@dataclass(frozen=True)
class AccessRequested:
    """Somebody asked for a gated repository's content; the request may be accepted already."""

    request_id: int
    repository_id: int
    actor_id: int | None


@dataclass(frozen=True)
class AccessDecided:
    """Somebody accepted or rejected a request for a gated repository's content, or took that back ("pending")."""

    request_id: int
    repository_id: int
    state: str
    actor_id: int | None


@dataclass(frozen=True)
class RefsUpdated:
    """Refs moved: by a push, the web, the API or a mirror. ``push_id`` is the row of the push record."""

    repository_id: int
    push_id: int
    changes: tuple[RefChange, ...]
    actor_id: int | None
