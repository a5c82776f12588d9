"""Making a repository: a row, then Git on disk, then the row again; a crash in between never shows half of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import delete, select

from hub.accounts.policy import Actor
from hub.base.context import Context
from hub.base.errors import Invalid
from hub.base.events import publish
from hub.base.log import get_logger
from hub.base.names import branch_ref, fold_name, normalise_path
from hub.base.offload import offload
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.git import repository as git
from hub.git.types import ZERO_OID, FileChange, RefChange, Signature
from hub.git.write import build_commit, update_refs
from hub.repos import directories, quotas
from hub.repos.details import check_details, copied_details, seal_details
from hub.repos.events import RefsUpdated, RepositoryCreated
from hub.repos.gates import require_content
from hub.repos.kinds import get_kind
from hub.repos.lfs.holdings import copy_links
from hub.repos.lookup import get_readable, repository_path
from hub.repos.models import Push, PushState, Repository, RepositoryState
from hub.repos.service.naming import (
    check_repository_name,
    check_texts,
    drop_redirect,
    flush_name,
    get_namespace_for_new,
    note_search_text,
)
from hub.repos.starters import NewRepository

log = get_logger(__name__)

FIRST_MESSAGE = "initial commit"
# Source: CSGHub contract, section 5.1.
DEFAULT_BRANCH = "main"


def create_repository(
    context: Context,
    *,
    actor: Actor,
    namespace: str,
    name: str,
    kind: str,
    private: bool = False,
    description: str = "",
    license: str = "",
    default_branch: str = "",
    nickname: str = "",
    files: Mapping[str, bytes] | None = None,
    details: Mapping[str, Any] | None = None,
    notes: Mapping[str, Any] | None = None,
) -> Repository:
    """A new repository with its first commit by the actor, ready to be cloned.

    kind: a name in the registry of kinds. namespace: "" for the actor's own. default_branch: "" for ``main``. files:
    further files of the first commit, path to content, over those that the kind brings. details: members that only
    the kind has; those that it does not declare are left out. notes: what ``environment.notes_for`` gave. Spans Git
    and the database, so it takes the context and opens its own units of work.
    Raises Invalid (``REPO-ERR-1`` for the name, ``REQ-ERR-6``), NotFound (``REPO-ERR-2``: no such namespace), Conflict
    (the kind's ``taken_code``, mostly ``REPO-ERR-0``: the name is taken), NotSignedIn, Denied, QuotaExceeded.
    """
    kind_value = get_kind(context, kind)
    check_repository_name(name)
    check_texts(nickname=nickname, description=description, license=license)
    branch = branch_ref(default_branch or DEFAULT_BRANCH).removeprefix("refs/heads/")
    if fold_name(branch).startswith("refs/"):  # as the checks of a push refuse it
        raise Invalid(f"{branch[:80]!r} cannot name a branch: it begins with 'refs/'.", code="ref_invalid")
    checked = check_details(kind_value.details, details or {})
    new = NewRepository(namespace or actor.name, name, license, description, checked)
    content = {**kind_value.first_files(new), **{normalise_path(path): data for path, data in (files or {}).items()}}
    with unit_of_work(context) as work:
        repository = reserve(
            work,
            actor=actor,
            namespace=new.namespace,
            row=Repository(
                kind=kind,
                name=name,
                nickname=nickname or name,
                description=description,
                license=license,
                is_private=private,
                default_branch=branch,
                details=seal_details(context, kind_value.details, checked) | dict(notes or {}),
            ),
        )
        signature = Signature(actor.name, actor.email, work.now())
    with _undone_on_failure(context, repository) as final:
        with directories.building(final) as draft:
            _write_first_commit(draft, branch, content, signature)
        return _finish(context, repository.id)


def fork_repository(
    context: Context,
    *,
    actor: Actor,
    source_id: int,
    namespace: str = "",
    name: str = "",
    private: bool | None = None,
    details: Mapping[str, Any] | None = None,
    notes: Mapping[str, Any] | None = None,
) -> Repository:
    """A copy of a repository with its branches, tags and LFS objects, in another namespace or under another name.

    namespace: "" for the actor's own; name: "" for the source's. private: None for the source's visibility; a fork
    of a private repository is private whatever is asked, that of a gated one is gated. LFS objects are shared, not
    copied. details: members of its kind that the fork has instead of the source's; secret ones are never copied.
    notes: as in ``create_repository``.
    Raises what ``create_repository`` raises, NotFound when the actor may not read the source, and NotSignedIn or Denied
    (``gated_repository``) when its content is not for the actor.
    """
    with unit_of_work(context) as work:
        source = get_readable(work, actor=actor, repository_id=source_id)
        require_content(work, actor, source)
        source_path = repository_path(work.settings, source)
        fields = get_kind(context, source.kind).details
        own = seal_details(context, fields, check_details(fields, details or {}))
        repository = reserve(
            work,
            actor=actor,
            namespace=namespace or actor.name,
            room_bytes=source.git_size_bytes + source.lfs_size_bytes,
            row=Repository(
                kind=source.kind,
                name=name or source.name,
                nickname=name or source.nickname,
                description=source.description,
                license=source.license,
                is_private=source.is_private or bool(private),
                gate=source.gate,
                default_branch=source.default_branch,
                forked_from_id=source.id,
                gate_source_id=(source.gate_source_id or source.id) if source.gate else None,
                details=copied_details(fields, source.details) | own | dict(notes or {}),
            ),
        )
    with _undone_on_failure(context, repository) as final:
        with directories.building(final) as draft:
            git.fork_repository(source_path, draft)
        return _finish(context, repository.id)


def reconcile_creating(context: Context, *, older_than_s: int = 60) -> int:
    """Settle what a crash left in the making: finish what is whole on disk, remove the rest. How many there were.

    older_than_s: younger rows are left alone; their maker may not have reached the disk yet. One that a living
    process still works on is left alone, however old. May be repeated and run beside itself.
    """
    with reading(context) as work:
        limit = work.now() - timedelta(seconds=older_than_s)
        rows = work.session.scalars(
            select(Repository).where(Repository.state == RepositoryState.CREATING, Repository.created_at <= limit)
        ).all()
    settled = 0
    for repository in rows:
        path = repository_path(context.settings, repository)
        if directories.is_being_built(path):
            continue
        if path.exists():
            _finish(context, repository.id)
        else:
            _forget(context, repository)
        log.info("repository_creation_reconciled", repository_id=repository.id, is_finished=path.exists())
        settled += 1
    return settled


def reserve(work: UnitOfWork, *, actor: Actor, namespace: str, row: Repository, room_bytes: int = 0) -> Repository:
    """The given row, put into a namespace in state ``creating``: from here on it holds its name, unseen by anybody.

    row: with kind, name and texts set. room_bytes: what it will take of the namespace's quota at once.
    Raises as ``create_repository``.
    """
    row.name = check_repository_name(row.name)
    owner = get_namespace_for_new(work, actor=actor, namespace=namespace)
    quotas.check_room(work, owner, room_bytes)
    row.namespace = owner
    row.name_key = fold_name(row.name)
    row.state = RepositoryState.CREATING
    row.created_by_id = actor.user_id
    row.created_at = row.updated_at = work.now()
    note_search_text(row)
    work.session.add(row)
    flush_name(work, row)
    return row


def _write_first_commit(path: Path, branch: str, content: Mapping[str, bytes], signature: Signature) -> None:
    git.init_repository(path, branch)
    commit = offload(
        build_commit,
        path,
        parent=None,
        changes=[FileChange("put", name, content=data) for name, data in sorted(content.items())],
        author=signature,
        committer=signature,
        message=FIRST_MESSAGE,
    )
    update_refs(path, [RefChange(f"refs/heads/{branch}", ZERO_OID, commit)])


def _finish(context: Context, repository_id: int) -> Repository:
    """Make a repository whose directory is in place ``ready``; harmless when somebody else has done so."""
    with reading(context) as work:
        path = repository_path(work.settings, work.session.get_one(Repository, repository_id))
    refs = offload(git.list_refs, path)
    size_bytes = offload(git.repository_size_bytes, path)
    with unit_of_work(context) as work:
        repository = work.session.get_one(Repository, repository_id)
        if repository.state != RepositoryState.CREATING:
            return repository
        repository.state = RepositoryState.READY
        repository.git_size_bytes = size_bytes
        drop_redirect(work, kind=repository.kind, path=repository.path)
        if repository.forked_from_id is not None:
            copy_links(work, repository.forked_from_id, repository.id)
        actor_id = repository.created_by_id
        _record_first_push(work, repository, tuple(RefChange(ref, ZERO_OID, oid) for ref, oid in sorted(refs.items())))
        publish(work, RepositoryCreated(repository.id, actor_id, repository.forked_from_id))
    log.info("repository_created", repository_id=repository.id, kind=repository.kind, actor_id=actor_id)
    return repository


def _record_first_push(work: UnitOfWork, repository: Repository, changes: tuple[RefChange, ...]) -> None:
    now = work.now()
    repository.pushed_at = now
    push = Push(
        repository_id=repository.id,
        actor_id=repository.created_by_id,
        via="api",
        state=PushState.APPLIED,
        changes=[{"ref": change.ref, "old": change.old, "new": change.new} for change in changes],
        created_at=now,
        settled_at=now,
    )
    work.session.add(push)
    work.session.flush()
    publish(work, RefsUpdated(repository.id, push.id, changes, repository.created_by_id))


@contextmanager
def _undone_on_failure(context: Context, repository: Repository) -> Iterator[Path]:
    """The final place of a repository in the making; when the block raises, row and directory go again."""
    try:
        yield repository_path(context.settings, repository)
    except BaseException:
        _forget(context, repository)
        raise


def _forget(context: Context, repository: Repository) -> None:
    directories.remove(repository_path(context.settings, repository))
    with unit_of_work(context) as work:
        work.session.execute(
            delete(Repository).where(Repository.id == repository.id, Repository.state == RepositoryState.CREATING)
        )
