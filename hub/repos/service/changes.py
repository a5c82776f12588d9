"""Changing a repository: its texts, name, owner, visibility, and whether it may be written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.accounts.models import Namespace
from hub.accounts.policy import Action, Actor, can, require, require_site_admin
from hub.accounts.service import find_namespace
from hub.base.errors import Conflict, Denied, Invalid, NotFound
from hub.base.events import publish
from hub.base.names import fold_name
from hub.db.uow import UnitOfWork
from hub.repos import quotas
from hub.repos.details import check_details, seal_details
from hub.repos.events import RepositoryMoved, RepositoryUpdated
from hub.repos.gates import Gate
from hub.repos.kinds import get_kind
from hub.repos.lookup import find_repository, get_for
from hub.repos.models import Repository, RepositoryRedirect
from hub.repos.service.naming import check_repository_name, check_texts, drop_redirect, flush_name, note_search_text


def update_repository(
    work: UnitOfWork,
    *,
    actor: Actor,
    repository_id: int,
    nickname: str | None = None,
    description: str | None = None,
    license: str | None = None,
    private: bool | None = None,
    gate: str | None = None,
    xnet_enabled: bool | None = None,
    details: Mapping[str, Any] | None = None,
) -> Repository:
    """The repository with its texts, details and visibility changed; what is None or absent stays as it is.

    details: members that only its kind has; those that it does not declare are left out.
    gate: a ``repos.gates.Gate``: whether content is given on request; requests are kept while there is no gate.
    Who may write may change the texts and details, of nothing that is archived; the visibility, the gate, and what is
    secret, needs the right to administer. The gate of a copy of a gated repository is opened, or made easier to pass,
    only by who administers that one, too, for as long as it is gated, and once it is gone by site administrators.
    The licence here is what lists show; the card in README.md is a file like
    any other and is not touched.
    xnet_enabled: whether the content lies in Xet storage alone, for site administrators to say. No repository's does:
    here each content is kept one way or the other, and every client gets it.
    Raises Invalid (``REQ-ERR-6``), NotFound, NotSignedIn, Denied (also ``gate_of_source``).
    """
    check_texts(nickname=nickname, description=description, license=license)
    if gate is not None and gate not in [*Gate]:
        raise Invalid("A gate is auto, manual or none.", code="REQ-ERR-6", member="gated", allowed=["auto", "manual"])
    action = Action.REPOSITORY_WRITE if private is None and gate is None else Action.REPOSITORY_ADMIN
    repository = get_locked(work, actor, action, repository_id)
    if xnet_enabled:
        require_site_admin(work, actor)
        raise Invalid("This hub decides for each content how it is kept.", code="REQ-ERR-6", member="xnet_enabled")
    fields = get_kind(work.context, repository.kind).details
    checked = check_details(fields, details or {})
    if checked or any(text is not None for text in (nickname, description, license)):
        require(work, actor, Action.REPOSITORY_WRITE, repository)
    if any(field.is_secret and field.name in checked for field in fields):
        require(work, actor, Action.REPOSITORY_ADMIN, repository)
    if gate is not None and _OPENNESS.index(Gate(gate)) > _OPENNESS.index(Gate(repository.gate)):
        _require_source(work, actor, repository)
    wanted = {"nickname": nickname, "description": description, "license": license, "is_private": private, "gate": gate}
    changed = [name for name, value in wanted.items() if value is not None and value != getattr(repository, name)]
    for name in changed:
        setattr(repository, name, wanted[name])
    note_search_text(repository)
    stored = {field.name: repository.details.get(field.name, field.default) for field in fields}
    fresh = {name: value for name, value in checked.items() if value != stored[name]}
    repository.details = repository.details | seal_details(work.context, fields, fresh)
    note_update(work, actor, repository, *changed, *fresh)
    return repository


# Each lets in more than the one before.
_OPENNESS = (Gate.MANUAL, Gate.AUTO, Gate.OPEN)


def _require_source(work: UnitOfWork, actor: Actor, repository: Repository) -> None:
    for source_id in {repository.forked_from_id, repository.gate_source_id} - {None}:
        source = work.session.get(Repository, source_id)
        may_open = actor.is_admin if source is None else can(work, actor, Action.REPOSITORY_ADMIN, source)
        if (source is None or source.gate) and not may_open:
            raise Denied(
                "This is a copy of a gated repository: only who administers that one may open its gate.",
                code="gate_of_source",
            )


def set_visibility(work: UnitOfWork, *, actor: Actor, repository_id: int, private: bool) -> Repository:
    """The repository, private or public from now on. Raises NotFound, NotSignedIn, Denied."""
    return update_repository(work, actor=actor, repository_id=repository_id, private=private)


def update_settings(
    work: UnitOfWork, *, actor: Actor, repository_id: int, private: bool | None = None, gate: str | None = None
) -> Repository:
    """The repository with another visibility and gate, for who administers it; None leaves what there is.

    Raises as ``update_repository``, even where nothing is to be changed.
    """
    get_for(work, actor=actor, action=Action.REPOSITORY_ADMIN, repository_id=repository_id)
    return update_repository(work, actor=actor, repository_id=repository_id, private=private, gate=gate)


def archive_repository(work: UnitOfWork, *, actor: Actor, repository_id: int) -> Repository:
    """The repository, readable and no longer writable for anybody. Doing it twice changes nothing."""
    repository = get_for(work, actor=actor, action=Action.REPOSITORY_ADMIN, repository_id=repository_id)
    if repository.archived_at is None:
        repository.archived_at = work.now()
        note_update(work, actor, repository, "archived_at")
    return repository


def unarchive_repository(work: UnitOfWork, *, actor: Actor, repository_id: int) -> Repository:
    """The repository, writable again. Doing it twice changes nothing."""
    repository = get_for(work, actor=actor, action=Action.REPOSITORY_ADMIN, repository_id=repository_id)
    if repository.archived_at is not None:
        repository.archived_at = None
        note_update(work, actor, repository, "archived_at")
    return repository


def rename_repository(work: UnitOfWork, *, actor: Actor, repository_id: int, name: str) -> Repository:
    """The repository under another name; its old path leads to it until somebody else takes that path.

    Raises Invalid (``REPO-ERR-1``), Conflict (``REPO-ERR-0``), NotFound, NotSignedIn, Denied.
    """
    check_repository_name(name)
    repository = get_locked(work, actor, Action.REPOSITORY_ADMIN, repository_id)
    if name != repository.name:
        _move(work, actor, repository, repository.namespace, name)
    return repository


def transfer_repository(
    work: UnitOfWork, *, actor: Actor, repository_id: int, namespace: str, name: str = ""
) -> Repository:
    """The repository in another namespace; its old path leads to it until somebody else takes that path.

    name: what it is called there; "" for the name that it has.
    The actor must administer the repository and may create repositories in the target.
    Raises NotFound (no such repository; ``REQ-ERR-13``: no such target), Invalid (``REQ-ERR-14``: it is there
    already), Conflict (``REQ-ERR-15``: the target has one of that name), Denied (``AUTH-ERR-14`` for this end,
    ``AUTH-ERR-15`` for the other), QuotaExceeded. Source of the codes: CSGHub contract, sections 1.6 and 4.1.
    """
    repository = get_locked(work, actor, Action.REPOSITORY_READ, repository_id)
    name = check_repository_name(name) if name else repository.name
    if not actor.is_anonymous and not can(work, actor, Action.REPOSITORY_ADMIN, repository):
        raise Denied("Only who administers the repository may transfer it.", code="AUTH-ERR-14")
    require(work, actor, Action.REPOSITORY_ADMIN, repository)
    target = find_namespace(work, namespace)
    if target is None:
        raise NotFound(f"There is no user or organization {namespace[:80]!r}.", code="REQ-ERR-13")
    if target.id == repository.namespace_id:
        raise Invalid("The repository is in that namespace already.", code="REQ-ERR-14")
    if not can(work, actor, Action.NAMESPACE_CREATE, target):
        raise Denied("You may not put repositories into that namespace.", code="AUTH-ERR-15")
    if find_repository(work, repository.kind, target.path, name) is not None:
        raise Conflict(f"{target.path!r} has a {repository.kind} named {name!r} already.", code="REQ-ERR-15")
    quotas.check_room(work, target, repository.git_size_bytes + repository.lfs_size_bytes)
    _move(work, actor, repository, target, name)
    return repository


def change_path(work: UnitOfWork, *, actor: Actor, repository_id: int, path: str) -> Repository:
    """The repository at another path, for site administrators; its old path leads to it until somebody takes that.

    path: ``namespace/name``. Raises Invalid (``REQ-ERR-6``, ``REPO-ERR-1``), NotFound (no such repository;
    ``REQ-ERR-13``: no such namespace), Conflict (``REPO-ERR-0``), QuotaExceeded, NotSignedIn, Denied.
    """
    require_site_admin(work, actor)
    namespace, slash, name = path.partition("/")
    if not slash:
        raise Invalid("A path is 'namespace/name'.", code="REQ-ERR-6", member="new_path")
    check_repository_name(name)
    repository = get_locked(work, actor, Action.REPOSITORY_ADMIN, repository_id)
    target = find_namespace(work, namespace)
    if target is None:
        raise NotFound(f"There is no user or organization {namespace[:80]!r}.", code="REQ-ERR-13")
    if target.id != repository.namespace_id:
        quotas.check_room(work, target, repository.git_size_bytes + repository.lfs_size_bytes)
    if (target.id, name) != (repository.namespace_id, repository.name):
        _move(work, actor, repository, target, name)
    return repository


def get_locked(work: UnitOfWork, actor: Actor, action: Action, repository_id: int) -> Repository:
    """As ``lookup.get_for``; what others change of the repository waits until this is committed."""
    # One change after the other: what follows from several members (the text that lists search, the details) would
    # else be written from what another change has just replaced.
    repository = get_for(work, actor=actor, action=action, repository_id=repository_id)
    work.session.refresh(repository, with_for_update={"of": Repository})
    # It may have been archived, or hidden, while this one waited.
    require(work, actor, action, repository)
    return repository


def _move(work: UnitOfWork, actor: Actor, repository: Repository, namespace: Namespace, name: str) -> None:
    old_path, old_namespace_id = repository.path, repository.namespace_id
    repository.namespace = namespace
    repository.name = name
    repository.name_key = fold_name(name)
    note_search_text(repository)
    repository.updated_at = work.now()
    flush_name(work, repository)
    drop_redirect(work, kind=repository.kind, path=repository.path)
    if fold_name(old_path) != fold_name(repository.path):
        drop_redirect(work, kind=repository.kind, path=old_path)
        work.session.add(
            RepositoryRedirect(
                kind=repository.kind,
                path_key=fold_name(old_path),
                repository_id=repository.id,
                created_at=work.now(),
            )
        )
    moved = (old_path, repository.path, old_namespace_id, namespace.id)
    publish(work, RepositoryMoved(repository.id, actor.user_id, *moved))


def note_update(work: UnitOfWork, actor: Actor, repository: Repository, *fields: str) -> None:
    """Say when the repository was changed, and tell what of it; nothing where there are no fields."""
    if fields:
        repository.updated_at = work.now()
        publish(work, RepositoryUpdated(repository.id, actor.user_id, fields))
