"""What people did, noted where it happens: in the transaction that does it.

Higher rooms note their own with ``note_activity``. Who may see what is judged when it is read
(``hub.assets.service.feed``): a repository that becomes private takes its activities along.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import delete, select, update

from hub.base.context import Context
from hub.db.insert import insert_new
from hub.db.uow import UnitOfWork, unit_of_work
from hub.git.types import ZERO_OID, RefChange
from hub.jobs.run import JobRun
from hub.jobs.schedule import Schedule, register_schedule
from hub.jobs.service import JobSpec, register
from hub.repos.events import RefsUpdated, RepositoryCreated, RepositoryMoved, RepositoryUpdated
from hub.repos.models import Repository
from hub.repos.models_activities import Activity

_BRANCHES, _TAGS = "refs/heads/", "refs/tags/"
# Of one push; who pushes the history of years brings hundreds.
MAX_TAGS = 10
_BATCH = 2000


class ActivityType(StrEnum):
    """What is noted. Plugins may note other words of at most 32 characters."""

    REPOSITORY_CREATED = "repository_created"
    REPOSITORY_PUBLISHED = "repository_published"  # made public
    PUSHED = "pushed"
    RELEASED = "released"  # a tag came
    LIKED = "liked"
    FOLLOWED = "followed"
    COLLECTION_CREATED = "collection_created"
    COLLECTION_UPDATED = "collection_updated"
    DISCUSSION_OPENED = "discussion_opened"
    PULL_REQUEST_OPENED = "pull_request_opened"
    PULL_REQUEST_MERGED = "pull_request_merged"


def install(context: Context) -> None:
    """Note what happens to repositories, and forget what is old; done once, by ``build_context``."""
    context.events.record_with(_record, owner="hub")
    register(context, JobSpec("repos.prune_activities", "hub.repos.activities:prune_job", timeout_s=3600))
    register_schedule(context, Schedule("repos.prune_activities", "10 3 * * *", "repos.prune_activities"))


def note_activity(
    work: UnitOfWork,
    *,
    type: str,
    actor_id: int | None,
    namespace_id: int | None,
    repository_id: int | None = None,
    subject: tuple[str, int] | None = None,
    word: str = "",
    data: Mapping[str, Any] | None = None,
) -> None:
    """Note that somebody did something; of the same thing on the same day the number goes up. Two statements at most.

    actor_id: None: nobody is noted. namespace_id: whose thing it is. subject: (type, id) of what else it is about.
    word: what tells two of one kind apart, such as a tag's name. data: what readers of the thing may know, small.
    """
    if actor_id is None:
        return
    now = work.now()
    subject_type, subject_id = subject or ("", None)
    mark = hashlib.sha256(word.encode(errors="replace")).hexdigest()[:16] if word else ""
    parts = (type, actor_id, namespace_id or 0, repository_id or 0, subject_type, subject_id or 0, mark, now.date())
    key = ":".join(map(str, parts))
    row = {
        "key": key,
        "type": type,
        "actor_id": actor_id,
        "namespace_id": namespace_id,
        "repository_id": repository_id,
        "subject_type": subject_type,
        "subject_id": subject_id,
        "day": now.date(),
        "count": 1,
        "data": dict(data or {}),
        "created_at": now,
        "last_at": now,
    }
    if not insert_new(work.session, Activity, [row]):
        again = update(Activity).where(Activity.key == key).values(count=Activity.count + 1, last_at=now)
        work.session.execute(again.execution_options(synchronize_session=False))


def forget_activity(
    work: UnitOfWork,
    *,
    type: str = "",
    actor_id: int | None = None,
    namespace_id: int | None = None,
    repository_id: int | None = None,
    subject: tuple[str, int] | None = None,
) -> None:
    """Forget what was taken back: of the type, by the actor, of the repository, about the subject, as far as given."""
    where = []
    for column, value in (
        (Activity.type, type or None),
        (Activity.actor_id, actor_id),
        (Activity.namespace_id, namespace_id),
        (Activity.repository_id, repository_id),
        (Activity.subject_type, subject and subject[0]),
        (Activity.subject_id, subject and subject[1]),
    ):
        if value is not None:
            where.append(column == value)
    assert where, "this would forget everything"
    work.session.execute(delete(Activity).where(*where).execution_options(synchronize_session=False))


def _record(work: UnitOfWork, event: object) -> None:
    match event:
        case RepositoryCreated(repository_id=id, actor_id=actor_id, forked_from_id=forked):
            # What it began with came before this, and was pushed by nobody.
            forget_activity(work, repository_id=id)
            _note(work, ActivityType.REPOSITORY_CREATED, id, actor_id, {"forked": forked is not None})
        case RepositoryUpdated(repository_id=id, actor_id=actor_id, fields=fields) if "is_private" in fields:
            repository = work.session.get(Repository, id)
            if repository is not None and not repository.is_private:
                _note(work, ActivityType.REPOSITORY_PUBLISHED, id, actor_id)
        case RefsUpdated(repository_id=id, actor_id=actor_id, changes=changes) if actor_id is not None:
            _note_refs(work, id, actor_id, changes)
        case RepositoryMoved(repository_id=id, old_namespace_id=old, new_namespace_id=new) if old != new:
            moved = update(Activity).where(Activity.repository_id == id).values(namespace_id=new)
            work.session.execute(moved.execution_options(synchronize_session=False))


def _note_refs(work: UnitOfWork, repository_id: int, actor_id: int, changes: Sequence[RefChange]) -> None:
    branches = [change.ref.removeprefix(_BRANCHES) for change in changes if _has_come(change, _BRANCHES)]
    tags = [change.ref.removeprefix(_TAGS) for change in changes if _has_come(change, _TAGS)]
    if branches:
        _note(work, ActivityType.PUSHED, repository_id, actor_id, {"branch": branches[0][:255]})
    for tag in tags[:MAX_TAGS]:
        _note(work, ActivityType.RELEASED, repository_id, actor_id, {"tag": tag[:255]}, word=tag)


def _has_come(change: RefChange, prefix: str) -> bool:
    return change.ref.startswith(prefix) and change.new != ZERO_OID


def _note(
    work: UnitOfWork,
    type: ActivityType,
    repository_id: int,
    actor_id: int | None,
    data: Mapping[str, Any] | None = None,
    *,
    word: str = "",
) -> None:
    repository = work.session.get(Repository, repository_id) if actor_id is not None else None
    if repository is not None:
        note_activity(
            work,
            type=type,
            actor_id=actor_id,
            namespace_id=repository.namespace_id,
            repository_id=repository_id,
            word=word,
            data=data,
        )


def prune_activities(context: Context) -> int:
    """Forget the activities that are older than the setting ``activity_ttl_s``; returns how many."""
    count = 0
    while True:
        with unit_of_work(context) as work:
            oldest = (work.now() - timedelta(seconds=context.settings.activity_ttl_s)).date()
            ids = work.session.scalars(select(Activity.id).where(Activity.day < oldest).limit(_BATCH)).all()
            if ids:
                work.session.execute(
                    delete(Activity).where(Activity.id.in_(ids)).execution_options(synchronize_session=False)
                )
        count += len(ids)
        if len(ids) < _BATCH:
            return count


def prune_job(run: JobRun) -> None:
    """The job of ``prune_activities`` and of ``downloads.prune_downloads``."""
    # Only here: it counts on this floor, too.
    from hub.repos.downloads import prune_downloads

    run.log(f"{prune_activities(run.context)} activities, {prune_downloads(run.context)} counts of downloads went.")
