"""Deleting a repository: hidden at once, brought back for a while, purged by a job, orphans collected."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, or_, select

from hub.accounts.models import Namespace
from hub.accounts.policy import Action, Actor, can, can_each, require
from hub.accounts.service import remove_all_grants
from hub.accounts.service.deploytokens import remove_all_deploy_tokens
from hub.base.context import Context
from hub.base.errors import NotFound, NotSignedIn
from hub.base.events import publish
from hub.base.log import get_logger
from hub.base.names import fold_name
from hub.base.offload import offload
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.jobs.service import enqueue
from hub.repos import directories
from hub.repos.checks import DELETE_CHECKS
from hub.repos.events import RepositoryDeleted, RepositoryPurged, RepositoryUndeleted
from hub.repos.lookup import get_for, path_of_uuid, repository_path
from hub.repos.models import Repository, RepositoryState
from hub.repos.service.naming import drop_redirect, flush_name

log = get_logger(__name__)

PURGE_JOB = "repos.purge_repository"
PURGE_MANY_JOB = "repos.purge_repositories"
# A directory without a row may belong to a database that is being restored; nothing younger is taken for garbage.
ORPHAN_AGE_S = 24 * 3600


def delete_repository(work: UnitOfWork, *, actor: Actor, repository_id: int) -> Repository:
    """The repository, gone for its users and its name free; it can be brought back for ``undelete_ttl_s``.

    Its files go with the job that is queued for then. Raises NotFound, NotSignedIn, Denied; what a plugin's check
    refuses with.
    """
    repository = get_for(work, actor=actor, action=Action.REPOSITORY_ADMIN, repository_id=repository_id)
    for check in work.context[DELETE_CHECKS].values():
        check(work, repository, actor)
    repository.deleted_at = work.now()
    _queue_purge(work, repository, actor.user_id)
    publish(work, RepositoryDeleted(repository.id, actor.user_id))
    log.info("repository_deleted", repository_id=repository.id, actor_id=actor.user_id)
    return repository


def delete_repositories_of_account(work: UnitOfWork, *, actor: Actor, repositories: Sequence[Repository]) -> None:
    """Delete repositories as ``delete_repository`` does, in a few statements however many they are.

    They go with their owner's account. One job purges them all. Raises NotFound, NotSignedIn, Denied; what a plugin's
    check refuses with.
    """
    allowed = can_each(work, actor, (Action.REPOSITORY_ADMIN,), repositories)[Action.REPOSITORY_ADMIN]
    checks = list(work.context[DELETE_CHECKS].values())
    for repository in repositories:
        if repository.id not in allowed:
            require(work, actor, Action.REPOSITORY_ADMIN, repository)
        for check in checks:
            check(work, repository, actor)
        repository.deleted_at = work.now()
    if not repositories:
        return
    work.session.flush()
    ids = [repository.id for repository in repositories]
    due = _purge_time(work, repositories[0])
    enqueue(work, PURGE_MANY_JOB, args={"repository_ids": ids}, run_after=due, actor_id=actor.user_id)
    publish(work, *(RepositoryDeleted(id, actor.user_id, with_account=True) for id in ids))
    log.info("repositories_deleted", repository_ids=ids, actor_id=actor.user_id)


def undelete_repository(work: UnitOfWork, *, actor: Actor, kind: str, path: str) -> Repository:
    """The repository that was deleted last at this path, back with all it had.

    Raises NotFound when there is none, its time is over or the actor did not administer it; Conflict
    (``REPO-ERR-0``) when its name is taken by now; NotSignedIn.
    """
    if actor.is_anonymous:
        raise NotSignedIn("Sign in, or send an access token, to bring a repository back.")
    namespace, _, name = path.partition("/")
    oldest = work.now() - timedelta(seconds=work.settings.undelete_ttl_s)
    repository = work.session.scalar(
        select(Repository)
        .join(Repository.namespace)
        .where(
            Repository.kind == kind,
            Namespace.path_key == fold_name(namespace),
            Repository.name_key == fold_name(name),
            Repository.state == RepositoryState.READY,
            Repository.deleted_at > oldest,
        )
        .order_by(Repository.deleted_at.desc(), Repository.id.desc())
        .limit(1)
    )
    # What is deleted is gone for everybody else, however public it was.
    if repository is None or not can(work, actor, Action.REPOSITORY_ADMIN, repository):
        raise NotFound("No repository was deleted there, or its time is over.", code="repository_not_found")
    repository.deleted_at = None
    repository.updated_at = work.now()
    flush_name(work, repository)
    drop_redirect(work, kind=kind, path=repository.path)
    publish(work, RepositoryUndeleted(repository.id, actor.user_id))
    log.info("repository_undeleted", repository_id=repository.id, actor_id=actor.user_id)
    return repository


def purge_repository(context: Context, *, repository_id: int) -> bool:
    """Remove a deleted repository whose time is over, files first, rows last; whether it is gone now.

    Nothing happens to one that was brought back; one that was deleted again since gets another job for its time.
    May be repeated: what a crash left is taken up where it was. LFS objects that nobody links to are left to the
    LFS room's garbage collection.
    """
    with unit_of_work(context) as work:
        repository = work.session.get(Repository, repository_id)
        if repository is None:
            return True
        if repository.state != RepositoryState.DELETING:
            if repository.deleted_at is None:
                return False
            if _purge_time(work, repository) > work.now():
                _queue_purge(work, repository, None)
                return False
            repository.state = RepositoryState.DELETING
    directories.remove(repository_path(context.settings, repository))
    with unit_of_work(context) as work:
        remove_all_grants(work, resource_type=Repository.resource_type, resource_id=repository_id)
        remove_all_deploy_tokens(work, resource_type=Repository.resource_type, resource_id=repository_id)
        # Pushes, links, locks, rules and redirects go with the row (ON DELETE CASCADE).
        work.session.execute(delete(Repository).where(Repository.id == repository_id))
        publish(work, RepositoryPurged(repository_id, repository.uuid))
    log.info("repository_purged", repository_id=repository_id)
    return True


def collect_garbage(context: Context, *, orphan_age_s: int = ORPHAN_AGE_S, dry_run: bool = False) -> int:
    """Purge what is due though its job was lost, and remove directories that no row knows. How many went.

    orphan_age_s: directories changed more recently are left alone. dry_run: only count.
    """
    with reading(context) as work:
        oldest = work.now() - timedelta(seconds=work.settings.undelete_ttl_s)
        due = work.session.scalars(
            select(Repository.id).where(
                or_(Repository.state == RepositoryState.DELETING, Repository.deleted_at <= oldest)
            )
        ).all()
    removed = sum(dry_run or purge_repository(context, repository_id=repository_id) for repository_id in due)
    root = context.settings.repositories_path
    # The disk is listed before the table is read: a row is written before its directory, so none is missed.
    on_disk = offload(lambda: list(directories.uuids_on_disk(root)))
    with reading(context) as work:
        rows = work.session.execute(select(Repository.storage, Repository.uuid))
        known = {(storage, uuid) for storage, uuid in rows}
    for storage, uuid in on_disk:
        path = path_of_uuid(context.settings, storage, uuid)
        if (storage, uuid) not in known and directories.age_s(path, now=time.time()) >= orphan_age_s:
            if not dry_run:
                directories.remove(path)
                log.info("repository_orphan_removed", uuid=uuid)
            removed += 1
    return removed


def _purge_time(work: UnitOfWork, repository: Repository) -> datetime:
    assert repository.deleted_at is not None
    return repository.deleted_at + timedelta(seconds=work.settings.undelete_ttl_s)


def _queue_purge(work: UnitOfWork, repository: Repository, actor_id: int | None) -> None:
    enqueue(
        work,
        PURGE_JOB,
        args={"repository_id": repository.id},
        unique_key=f"{PURGE_JOB}:{repository.id}",
        run_after=_purge_time(work, repository),
        subject=(Repository.resource_type, repository.id),
        actor_id=actor_id,
    )
