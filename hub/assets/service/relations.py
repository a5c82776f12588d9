"""Relations: which repositories belong together. Stored one way, shown both ways."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import and_, delete, func, or_, select, update

from hub.accounts.models import Namespace
from hub.accounts.policy import SYSTEM, Action, Actor, require
from hub.assets.models import Relation, RelationOrigin
from hub.assets.service.rows import hold, may_read
from hub.base.errors import Conflict, Invalid, NotFound
from hub.base.events import publish
from hub.base.log import get_logger
from hub.base.names import fold_name
from hub.base.paging import PageArgs
from hub.db.insert import insert_new
from hub.db.uow import UnitOfWork
from hub.repos.events import RepositoryUpdated
from hub.repos.lookup import is_live
from hub.repos.models import Repository
from hub.repos.rows import RepositoryRow
from hub.repos.service import list_repositories

log = get_logger(__name__)

# Of one repository to others, as its people say and as its card says; and of all that are shown, both ways.
MAX_RELATIONS = 100
MAX_SHOWN = 200

Target = tuple[str, str]  # (kind, "namespace/name")


def list_related(work: UnitOfWork, *, actor: Actor, repository: Repository) -> Sequence[RepositoryRow]:
    """The repositories that this one names, and those that name it, as far as the actor may see them; newest first.

    Of every kind, at most ``MAX_SHOWN``. Raises NotFound.
    """
    require(work, actor, Action.REPOSITORY_READ, repository)
    named = select(Relation.target_id).where(Relation.source_id == repository.id)
    naming = select(Relation.source_id).where(Relation.target_id == repository.id)
    related = Repository.id.in_(named.union(naming))
    return list_repositories(work, actor=actor, where=[related], page=PageArgs(per=MAX_SHOWN)).items


def set_relations(work: UnitOfWork, *, actor: Actor, repository: Repository, kind: str, paths: Sequence[str]) -> None:
    """Let what people related a repository to, of one kind, be the repositories at these paths.

    What its card names stays. Raises NotFound (the repository, or one that the actor may not read), NotSignedIn,
    Denied, Invalid (``REQ-ERR-6``).
    """
    require(work, actor, Action.REPOSITORY_WRITE, repository)
    hold(work, repository)
    targets = _find_all(work, actor, repository, [(kind, path) for path in paths])
    _drop(work, repository, origin=RelationOrigin.PERSON, kind=kind, keep=targets)
    _add(work, repository, targets, RelationOrigin.PERSON)
    _tell(work, actor, repository)


def add_relation(work: UnitOfWork, *, actor: Actor, repository: Repository, kind: str, path: str) -> None:
    """Relate a repository to another one; harmless when it is. Raises as ``set_relations``."""
    require(work, actor, Action.REPOSITORY_WRITE, repository)
    hold(work, repository)
    _add(work, repository, _find_all(work, actor, repository, [(kind, path)]), RelationOrigin.PERSON)
    _tell(work, actor, repository)


def remove_relation(work: UnitOfWork, *, actor: Actor, repository: Repository, kind: str, path: str) -> None:
    """Forget a relation to another repository, whoever said it. A card that names it brings it back when it changes.

    Raises as ``set_relations``, and NotFound (``relation_not_found``).
    """
    require(work, actor, Action.REPOSITORY_WRITE, repository)
    hold(work, repository)
    [target_id] = _find_all(work, actor, repository, [(kind, path)])
    is_this = (Relation.source_id == repository.id, Relation.target_id == target_id)
    if not work.session.execute(delete(Relation).where(*is_this).returning(Relation.target_id)).all():
        raise NotFound(f"{repository.path} is not related to {path}.", code="relation_not_found")
    _tell(work, actor, repository)


def set_card_relations(work: UnitOfWork, *, repository: Repository, targets: Iterable[Target]) -> None:
    """Let what a repository's card relates it to be these. For jobs: nobody's rights are asked.

    targets: (kind, "namespace/name"), at most ``MAX_RELATIONS``; what does not exist is passed over. Whoever looks at
    the relations sees those only that they may read.
    """
    hold(work, repository)
    found = [*find_readable(work, SYSTEM, [*dict.fromkeys(targets)][:MAX_RELATIONS]).values()]
    ids = [target_id for target_id in found if target_id != repository.id]
    _drop(work, repository, origin=RelationOrigin.CARD, keep=ids)
    _add(work, repository, ids, RelationOrigin.CARD)


def _find_all(work: UnitOfWork, actor: Actor, repository: Repository, targets: Sequence[Target]) -> list[int]:
    targets = [*dict.fromkeys((kind, fold_name(path)) for kind, path in targets)]
    if len(targets) > MAX_RELATIONS:
        raise Invalid(f"More than {MAX_RELATIONS} related repositories.", code="REQ-ERR-6")
    found = find_readable(work, actor, targets)
    for kind, path in targets:
        if (kind, path) not in found:
            raise NotFound(f"There is no {kind} {path!r}, or you may not see it.", code="repository_not_found")
    if repository.id in found.values():
        raise Invalid("A repository is not related to itself.", code="REQ-ERR-6")
    return [*found.values()]


def find_readable(work: UnitOfWork, actor: Actor, targets: Sequence[Target]) -> dict[Target, int]:
    """The ids of those repositories that are there and that the actor may read, by kind and path. One query at most.

    targets: their paths in lower case are the keys of what is found.
    """
    wanted = []
    for kind, path in targets:
        namespace, _, name = fold_name(path).partition("/")
        wanted.append(and_(Repository.kind == kind, Namespace.path_key == namespace, Repository.name_key == name))
    if not wanted:
        return {}
    rows = work.session.execute(
        select(Repository.kind, Namespace.path_key, Repository.name_key, Repository.id)
        .join(Namespace, Namespace.id == Repository.namespace_id)
        .where(or_(*wanted), is_live(), may_read(actor))
    )
    return {(kind, f"{namespace}/{name}"): id for kind, namespace, name, id in rows}


def _drop(
    work: UnitOfWork, repository: Repository, *, origin: RelationOrigin, keep: Sequence[int], kind: str | None = None
) -> None:
    statement = delete(Relation).where(
        Relation.source_id == repository.id, Relation.origin == origin, Relation.target_id.not_in(keep)
    )
    if kind is not None:
        statement = statement.where(Relation.target_id.in_(select(Repository.id).where(Repository.kind == kind)))
    work.session.execute(statement)


def _add(work: UnitOfWork, repository: Repository, target_ids: Sequence[int], origin: RelationOrigin) -> None:
    now = work.now()
    rows = [
        {"source_id": repository.id, "target_id": target_id, "origin": origin, "created_at": now}
        for target_id in sorted(target_ids)
    ]
    of_repository = Relation.source_id == repository.id
    if insert_new(work.session, Relation, rows) < len(rows) and origin == RelationOrigin.PERSON:
        # What a person says counts more than what is read: it outlives the card's saying so.
        work.session.execute(
            update(Relation).where(of_repository, Relation.target_id.in_(target_ids)).values(origin=origin)
        )
    count = work.session.scalar(select(func.count()).where(of_repository, Relation.origin == origin)) or 0
    if count > MAX_RELATIONS:
        raise Conflict(f"{repository.path} is related to too many repositories.", code="too_many_relations")


def _tell(work: UnitOfWork, actor: Actor, repository: Repository) -> None:
    publish(work, RepositoryUpdated(repository.id, actor.user_id, ("relations",)))
    log.info("relations_set", repository_id=repository.id, actor_id=actor.user_id)
