"""Finding repositories, by their path of today or a former one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, literal_column, select, tuple_
from sqlalchemy.orm import contains_eager, defer, joinedload, lazyload, load_only

from hub.accounts.models import Namespace, User
from hub.accounts.policy import Action, Actor, readable, require
from hub.base.errors import NotFound
from hub.base.names import fold_name
from hub.base.settings import Settings
from hub.base.texts import is_storable
from hub.db.uow import UnitOfWork
from hub.repos.kinds import KINDS
from hub.repos.models import Repository, RepositoryRedirect, RepositoryState
from hub.repos.rows import ROWS, RepositoryRow, Shown, read_rows


def path_of_uuid(settings: Settings, storage: str, uuid: str) -> Path:
    """Where the bare Git repository of that uuid lies. Two levels of folders keep each of them small."""
    return settings.repositories_path.joinpath(storage, uuid[:2], uuid[2:4], f"{uuid}.git")


def repository_path(settings: Settings, repository: Shown) -> Path:
    """The directory of a repository's bare Git repository. A rename does not move it."""
    return path_of_uuid(settings, repository.storage, repository.uuid)


@cache
def is_live() -> ColumnElement[bool]:
    """The condition that a repository can be seen at all: made whole, and not deleted."""
    # Its word stands in the statement, so that a prepared one, too, may be answered from an index of the live ones.
    ready = literal_column(f"'{RepositoryState.READY.value}'", Repository.state.type)
    return and_(Repository.state == ready, Repository.deleted_at.is_(None))


# Conditions of so many readers are kept, as they are not quick to build.
_MAX_READERS = 1000


@lru_cache(maxsize=_MAX_READERS)
def may_read(actor: Actor) -> ColumnElement[bool]:
    """The condition that the actor may read a repository, for lists. Source: ``accounts.policy.readable``."""
    return readable(
        actor,
        resource_type=Repository.resource_type,
        id=Repository.id,
        namespace_id=Repository.namespace_id,
        is_private=Repository.is_private,
    )


# What answers say of who made a repository; an account has much more.
BRIEF_USER = (load_only(User.uuid, User.name, User.nickname, User.avatar), lazyload(User.namespace))

# Built once: every Git and LFS request asks one of these, and building a query takes longer than running it.
_IS_AT_PATH = and_(
    Repository.kind == bindparam("kind"),
    Namespace.path_key == bindparam("namespace_key"),
    Repository.name_key == bindparam("name_key"),
    is_live(),
)
_BY_PATH = (
    select(Repository)
    .join(Repository.namespace)
    .options(
        contains_eager(Repository.namespace),
        defer(Repository.search_text),
        joinedload(Repository.created_by).options(*BRIEF_USER),
    )
    .where(_IS_AT_PATH)
)
_PLACES = select(
    Repository.id,
    Repository.uuid,
    Repository.storage,
    Repository.namespace_id,
    Repository.is_private,
    Repository.archived_at,
    Repository.git_size_bytes,
    Repository.gate,
)
_PLACE_BY_PATH = _PLACES.join(Namespace, Namespace.id == Repository.namespace_id).where(_IS_AT_PATH)
_PLACE_BY_ID = _PLACES.where(Repository.id == bindparam("id"), is_live())


@dataclass(frozen=True)
class RepositoryPlace:
    """As much of a repository as serving its Git objects takes, and the policy asks."""

    id: int
    uuid: str
    storage: str
    namespace_id: int
    is_private: bool
    archived_at: datetime | None
    git_size_bytes: int
    gate: str

    resource_type = "repository"

    @property
    def is_public(self) -> bool:
        return not self.is_private

    @property
    def is_frozen(self) -> bool:
        return self.archived_at is not None

    @classmethod
    def of(cls, repository: Repository) -> RepositoryPlace:
        """The place of a loaded row."""
        return cls(
            repository.id,
            repository.uuid,
            repository.storage,
            repository.namespace_id,
            repository.is_private,
            repository.archived_at,
            repository.git_size_bytes,
            repository.gate,
        )


def _keys_of(kind: str, namespace: str, name: str) -> dict[str, str]:
    return {"kind": kind, "namespace_key": fold_name(namespace), "name_key": fold_name(name)}


def find_repository(work: UnitOfWork, kind: str, namespace: str, name: str) -> Repository | None:
    """The live repository of that kind and path, whoever asks, or None. Case does not matter."""
    found: Repository | None = work.session.scalar(_BY_PATH, _keys_of(kind, namespace, name))
    return found


def find_redirect(work: UnitOfWork, kind: str, path: str) -> Repository | None:
    """The live repository that used to have this path, or None."""
    found: Repository | None = work.session.scalar(
        select(Repository)
        .join(RepositoryRedirect, RepositoryRedirect.repository_id == Repository.id)
        .where(RepositoryRedirect.kind == kind, RepositoryRedirect.path_key == fold_name(path), is_live())
    )
    return found


def find_renamed(work: UnitOfWork, path: str) -> Namespace | None:
    """The namespace that had this path before it was renamed, as its repositories' former addresses tell, or None.

    Without any repository nothing tells; nor where the addresses lead to several.
    """
    key = fold_name(path)
    # By the order of the index: "/" is followed by "0".
    is_below = (RepositoryRedirect.path_key > f"{key}/", RepositoryRedirect.path_key < f"{key}0")
    found = work.session.scalars(
        select(Namespace)
        .join(Repository, Repository.namespace_id == Namespace.id)
        .join(RepositoryRedirect, RepositoryRedirect.repository_id == Repository.id)
        .where(*is_below, is_live())
        .distinct()
        .limit(2)
    ).all()
    return found[0] if len(found) == 1 else None


def get_readable(
    work: UnitOfWork, *, actor: Actor, kind: str = "", path: str = "", repository_id: int | None = None
) -> Repository:
    """The live repository at a path of its kind, today's or a former one, or by its id, when the actor may read it.

    path: ``namespace/name``, in any case. A repository that has the path today wins over one that had it.
    Raises NotFound (``repository_not_found``): no such repository, or the actor may not know of it.
    """
    repository: Repository | None
    if repository_id is not None:
        repository = work.session.scalar(select(Repository).where(Repository.id == repository_id, is_live()))
    else:
        namespace, _, name = path.partition("/")
        repository = find_repository(work, kind, namespace, name) or find_redirect(work, kind, path)
    if repository is None:
        raise NotFound("There is no such repository, or you may not see it.", code="repository_not_found")
    require(work, actor, Action.REPOSITORY_READ, repository)
    return repository


def get_readable_place(
    work: UnitOfWork, *, actor: Actor, kind: str = "", path: str = "", repository_id: int | None = None
) -> RepositoryPlace:
    """As ``get_readable``, without the row: a third of the time, which a clone spends three times."""
    if repository_id is not None:
        found = work.rows(_PLACE_BY_ID, {"id": repository_id})
    else:
        namespace, _, name = path.partition("/")
        found = work.rows(_PLACE_BY_PATH, _keys_of(kind, namespace, name))
    if not found:
        return RepositoryPlace.of(get_readable(work, actor=actor, kind=kind, path=path, repository_id=repository_id))
    place = RepositoryPlace(*found[0])
    require(work, actor, Action.REPOSITORY_READ, place)
    return place


# For what a higher floor wants with the row of ``get_shown``: the id of the repository that is asked for.
ID_AT_PATH = (
    select(Repository.id)
    .join(Namespace, Namespace.id == Repository.namespace_id)
    .where(_IS_AT_PATH)
    .correlate(None)
    .scalar_subquery()
)


@lru_cache(maxsize=8)
def _shown_by_path(also: ColumnElement[Any] | None) -> Select[Any]:
    return (ROWS if also is None else ROWS.add_columns(also)).where(_IS_AT_PATH)


def get_shown(work: UnitOfWork, *, actor: Actor, kind: str, path: str, also: ColumnElement[Any] | None = None) -> Shown:
    """As ``get_readable``, for showing only: a third of the time, where the path is today's.

    also: as in ``list_repositories``.
    """
    row = find_shown(work, kind=kind, path=path, also=also)
    if row is None:
        return get_readable(work, actor=actor, kind=kind, path=path)
    require(work, actor, Action.REPOSITORY_READ, row)
    return row


def find_shown(
    work: UnitOfWork,
    *,
    kind: str,
    path: str,
    also: ColumnElement[Any] | None = None,
    values: Mapping[str, Any] | None = None,
) -> RepositoryRow | None:
    """The live repository whose path of today it is, for showing only, whoever asks, or None.

    also: as in ``list_repositories``. values: what that one's parameters are.
    """
    namespace, _, name = path.partition("/")
    found = read_rows(work, _shown_by_path(also), {**(values or {}), **_keys_of(kind, namespace, name)})
    return found[0] if found else None


def list_by_ids(work: UnitOfWork, *, actor: Actor, ids: Sequence[int]) -> list[Repository]:
    """Those of the live repositories of these ids that the actor may read, by id. One query."""
    return _list_readable(work, actor, Repository.id.in_(ids))


def list_by_paths(work: UnitOfWork, *, actor: Actor, kind: str, paths: Sequence[str]) -> list[Repository]:
    """Those of the live repositories of a kind at these paths of today that the actor may read, by id. One query."""
    # What the database could not even compare is nobody's path.
    keys = [tuple(map(fold_name, path.partition("/")[::2])) for path in paths if is_storable(path)]
    is_at_path = tuple_(Namespace.path_key, Repository.name_key).in_(keys)
    return _list_readable(work, actor, and_(Repository.kind == kind, is_at_path))


def _list_readable(work: UnitOfWork, actor: Actor, condition: ColumnElement[bool]) -> list[Repository]:
    return list(
        work.session.scalars(
            select(Repository)
            .join(Repository.namespace)
            .options(contains_eager(Repository.namespace))
            .where(condition, is_live(), Repository.kind.in_(work.context[KINDS]), may_read(actor))
            .order_by(Repository.id)
        )
    )


def get_for(work: UnitOfWork, *, actor: Actor, action: Action, repository_id: int) -> Repository:
    """The live repository of that id, as a row of this unit of work, when the actor may do this to it.

    Raises NotFound, NotSignedIn or Denied, as ``accounts.policy.require`` does.
    """
    repository = get_readable(work, actor=actor, repository_id=repository_id)
    require(work, actor, action, repository)
    return repository


def lock_row(work: UnitOfWork, repository_id: int) -> None:
    """Let nobody else change the repository's row until the unit of work ends, for sums that must not miss any."""
    work.session.execute(select(Repository.id).where(Repository.id == repository_id).with_for_update(key_share=True))
