"""What of the room's events is told outside the hub."""

from __future__ import annotations

from typing import Any

from hub.base.context import Context
from hub.base.topics import TOPICS, Told, Topic, add_topic
from hub.db.uow import UnitOfWork
from hub.git.types import HIDDEN_REFS, RefChange
from hub.repos.events import (
    RefsUpdated,
    RepositoryCreated,
    RepositoryDeleted,
    RepositoryMoved,
    RepositoryUndeleted,
    RepositoryUpdated,
)
from hub.repos.models import Repository

# A push of a mirror may move thousands; who wants them all reads the refs.
MAX_TOLD_CHANGES = 100


def install(context: Context) -> None:
    """Add the room's topics; done once, by ``build_context``."""
    for topic in (
        Topic("push", "Branches or tags moved, whoever moved them.", RefsUpdated, _tell_push),
        Topic("repository.created", "A repository was created or forked.", RepositoryCreated, _tell_created),
        Topic("repository.updated", "A repository's description or settings changed.", RepositoryUpdated, _tell_update),
        Topic("repository.moved", "A repository was renamed or transferred.", RepositoryMoved, _tell_move),
        Topic("repository.deleted", "A repository was deleted.", RepositoryDeleted, _tell),
        Topic("repository.undeleted", "A deleted repository was brought back.", RepositoryUndeleted, _tell),
    ):
        add_topic(context[TOPICS], topic)


def _told(work: UnitOfWork, repository_id: int, data: dict[str, Any]) -> Told | None:
    repository = work.session.get(Repository, repository_id)
    if repository is None:
        return None
    return Told(data, repository.id, repository.namespace_id)


def _tell(work: UnitOfWork, event: RepositoryDeleted | RepositoryUndeleted) -> Told | None:
    return _told(work, event.repository_id, {})


def _tell_push(work: UnitOfWork, event: RefsUpdated) -> Told | None:
    changes = [change for change in event.changes if not change.ref.startswith(HIDDEN_REFS)]
    if not changes:
        return None
    data = {"changes": [_tell_change(change) for change in changes[:MAX_TOLD_CHANGES]], "total_changes": len(changes)}
    return _told(work, event.repository_id, data)


def _tell_change(change: RefChange) -> dict[str, str]:
    kind = "created" if change.is_creation else "deleted" if change.is_deletion else "updated"
    return {"ref": change.ref, "kind": kind, "old": change.old, "new": change.new}


def _tell_created(work: UnitOfWork, event: RepositoryCreated) -> Told | None:
    return _told(work, event.repository_id, {"is_fork": event.forked_from_id is not None})


def _tell_update(work: UnitOfWork, event: RepositoryUpdated) -> Told | None:
    return _told(work, event.repository_id, {"fields": list(event.fields)})


def _tell_move(work: UnitOfWork, event: RepositoryMoved) -> Told | None:
    return _told(work, event.repository_id, {"old_path": event.old_path, "new_path": event.new_path})
