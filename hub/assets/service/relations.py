"""Relations: which repositories belong together, and how. Stored one way, shown both ways.

A relation is said by people, by what is read from files, or by a run; it is there as long as one of them says so, and
nobody sees it while a writer of its source denies it. See ``hub.assets.models_lineage.Relation``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, or_, select

from hub.accounts.models import Namespace
from hub.accounts.policy import Action, Actor, require
from hub.assets.models import Relation
from hub.assets.models_lineage import RelationType
from hub.assets.service.rows import hold
from hub.base.context import Context
from hub.base.errors import Conflict, Invalid, NotFound
from hub.base.events import publish
from hub.base.log import get_logger
from hub.base.names import fold_name
from hub.base.paging import PageArgs
from hub.base.texts import is_storable
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.repos.contents import resolve
from hub.repos.events import RepositoryUpdated
from hub.repos.kinds import KINDS, find_kind
from hub.repos.lookup import is_live, may_read
from hub.repos.models import Repository
from hub.repos.rows import RepositoryRow
from hub.repos.service import list_repositories

log = get_logger(__name__)

# Of one repository to others, as its people say, as they deny, and as is read; and of all that are shown, both ways.
MAX_RELATIONS = 100
MAX_SHOWN = 200
MAX_NOTE_CHARS = 500
MAX_NAME_CHARS = 129

# How a model comes from another one: the model tree of the Hugging Face hub. One card says one of them of a target,
# so that who denies one denies what else may be read out of the same words.
BASE_TYPES = (RelationType.FINETUNE, RelationType.ADAPTER, RelationType.QUANTIZED, RelationType.MERGE)

Target = tuple[str, str]  # (kind, "namespace/name")

_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(?:/[A-Za-z0-9][\w.-]*)?", re.ASCII)


def is_shown() -> ColumnElement[bool]:
    """The condition on ``Relation`` that nobody denies it."""
    return Relation.is_denied.is_(False)


def is_name(text: str) -> bool:
    """Whether a text may name a repository of some hub: ``namespace/name``, or a name alone."""
    return len(text) <= MAX_NAME_CHARS and _NAME.fullmatch(text) is not None and ".." not in text


def kind_of(context: Context, word: str, path: str) -> str:
    """The name of the kind that a word ("dataset", "datasets") means. Raises Invalid, for no possible path, too."""
    kind = context[KINDS].find(word) or find_kind(context, word)
    if kind is None or not is_name(path):
        raise Invalid(f"{word} {path!r} names no repository.", code="REQ-ERR-6")
    return kind.name


def usual_type(source_kind: str, target_kind: str) -> RelationType:
    """What a repository most likely is to another one, where nobody says."""
    match source_kind, target_kind:
        case "model", "model":
            return RelationType.FINETUNE
        case "model", "dataset":
            return RelationType.TRAINED_ON
        case "dataset", "dataset":
            return RelationType.DERIVED_FROM
    return RelationType.USES


def list_related(work: UnitOfWork, *, actor: Actor, repository: Repository) -> Sequence[RepositoryRow]:
    """The repositories that this one names, and those that name it, as far as the actor may see them; newest first.

    Of every kind, at most ``MAX_SHOWN``. Raises NotFound.
    """
    require(work, actor, Action.REPOSITORY_READ, repository)
    named = select(Relation.target_id).where(Relation.source_id == repository.id, is_shown())
    related = Repository.id.in_(named.union(*_newest_naming(repository.id)))
    return list_repositories(work, actor=actor, where=[related], page=PageArgs(per=MAX_SHOWN)).items


def _newest_naming(repository_id: int) -> Iterator[Select[Any]]:
    """For each type the newest that are this to a repository: of a million, an index has them in this order."""
    for type in RelationType:
        query = select(Relation.source_id).where(Relation.target_id == repository_id, Relation.type == type, is_shown())
        yield select(query.order_by(Relation.source_id.desc()).limit(MAX_SHOWN).subquery())


# As CSGHub's routes have it: to a repository, whatever it is to this one.


def set_relations(work: UnitOfWork, *, actor: Actor, repository: Repository, kind: str, paths: Sequence[str]) -> None:
    """Let what people related a repository to, of one kind, be the repositories at these paths.

    What its card names stays. Raises NotFound (the repository, or one that the actor may not read), NotSignedIn,
    Denied, Invalid (``REQ-ERR-6``).
    """
    require(work, actor, Action.REPOSITORY_WRITE, repository)
    hold(work, repository)
    targets = _find_all(work, actor, repository, [(kind, path) for path in paths])
    of_kind = Relation.target_id.in_(select(Repository.id).where(Repository.kind == kind))
    for row in own_rows(work, repository, of_kind, Relation.is_said.is_(True), Relation.target_id.not_in(targets)):
        row.is_said = False
        drop_unsaid(work, row)
    _say_all(work, repository, kind, targets)
    _tell(work, actor, repository)


def add_relation(work: UnitOfWork, *, actor: Actor, repository: Repository, kind: str, path: str) -> None:
    """Relate a repository to another one; harmless when it is. Raises as ``set_relations``."""
    require(work, actor, Action.REPOSITORY_WRITE, repository)
    hold(work, repository)
    _say_all(work, repository, kind, _find_all(work, actor, repository, [(kind, path)]))
    _tell(work, actor, repository)


def remove_relation(work: UnitOfWork, *, actor: Actor, repository: Repository, kind: str, path: str) -> None:
    """Forget every relation to another repository, whoever said it; a card's is denied, so that it stays away.

    Raises as ``set_relations``, NotFound (``relation_not_found``), and as ``delete_relation``.
    """
    require(work, actor, Action.REPOSITORY_WRITE, repository)
    hold(work, repository)
    [target_id] = _find_all(work, actor, repository, [(kind, path)])
    rows = own_rows(work, repository, Relation.target_id == target_id, is_shown())
    if not rows:
        raise NotFound(f"{repository.path} is not related to {path}.", code="relation_not_found")
    for row in rows:
        _take_back(work, row)
    _check_count(work, repository)
    _tell(work, actor, repository)


def _say_all(work: UnitOfWork, repository: Repository, kind: str, target_ids: Sequence[int]) -> None:
    rows = own_rows(work, repository, Relation.target_id.in_(target_ids))
    for target_id in target_ids:
        shown = [row for row in rows if row.target_id == target_id and not row.is_denied]
        for row in shown:
            # What a person says outlives the card's saying so.
            row.is_said = True
        if not shown:
            _say(work, repository, rows, Relation(target_id=target_id, type=usual_type(repository.kind, kind)))
    _check_count(work, repository)


# With a type.


def create_relation(
    context: Context,
    *,
    actor: Actor,
    repository_id: int,
    type: RelationType,
    kind: str,
    path: str,
    is_external: bool = False,
    note: str = "",
    source_revision: str = "",
    target_revision: str = "",
) -> int:
    """Relate a repository to another one of a kind; return the relation's id. What was denied is so no more.

    is_external: the other one need not be here. Revisions are pinned to the commits that they name now.
    Raises as ``set_relations``, NotFound (``revision_not_found``), Conflict (``too_many_relations``).
    """
    kind = kind_of(context, kind, path)
    _check_texts(note, source_revision, target_revision)
    with reading(context) as work:
        source = work.session.get(Repository, repository_id)
        if source is None:
            raise NotFound("There is no such repository, or you may not see it.", code="repository_not_found")
        require(work, actor, Action.REPOSITORY_WRITE, source)
        target_id = find_readable(work, actor, [(kind, path)]).get((kind, fold_name(path)))
        target = work.session.get(Repository, target_id) if target_id is not None else None
    if target is None and not is_external:
        raise NotFound(f"There is no {kind} {path!r}, or you may not see it.", code="repository_not_found")
    if target is None and target_revision:
        raise Invalid("What is not on this hub is not pinned by it.", code="REQ-ERR-6")
    commits = [
        resolve(context, row, revision) if row is not None and revision else ""
        for row, revision in ((source, source_revision), (target, target_revision))
    ]
    with unit_of_work(context) as work:
        source = work.session.get_one(Repository, repository_id)
        require(work, actor, Action.REPOSITORY_WRITE, source)
        hold(work, source)
        if target_id == source.id:
            raise Invalid("A repository is not related to itself.", code="REQ-ERR-6")
        wanted = Relation(target_id=target_id, type=type, note=note, source_commit=commits[0], target_commit=commits[1])
        if target_id is None:
            set_name(wanted, kind, path)
        row = _say(work, source, own_rows(work, source), wanted)
        _check_count(work, source)
        _tell(work, actor, source)
        work.session.flush()
        return row.id


def update_relation(
    work: UnitOfWork,
    *,
    actor: Actor,
    repository: Repository,
    relation_id: int,
    type: RelationType | None = None,
    is_denied: bool | None = None,
    note: str | None = None,
) -> Relation:
    """Correct a relation: its type, whether it is denied, its note; None: as it is. Return it.

    Another type makes it another relation, and denies what was read. Raises NotFound, NotSignedIn, Denied, Conflict
    (``relation_recorded`` for what the platform recorded, ``too_many_relations``).
    """
    _check_texts(note or "")
    row = _get_own(work, actor, repository, relation_id)
    if type is not None and type != row.type:
        _refuse_recorded(row)
        wanted = Relation(
            target_id=row.target_id,
            type=type,
            note=row.note,
            source_commit=row.source_commit,
            target_commit=row.target_commit,
        )
        set_name(wanted, row.named_kind, row.named)
        rows = own_rows(work, repository)
        _take_back(work, row)
        row = _say(work, repository, rows, wanted)
    if is_denied is True:
        _refuse_recorded(row)
        row.is_denied = True
    elif is_denied is False:
        row.is_denied = False
        # The card may have gone silent meanwhile: then it is who takes the denial back that says so.
        row.is_said = row.is_said or not (row.read_as or row.run_id)
    if note is not None:
        row.note = note
    work.session.flush()
    _check_count(work, repository)
    _tell(work, actor, repository)
    return row


def delete_relation(work: UnitOfWork, *, actor: Actor, repository: Repository, relation_id: int) -> None:
    """Forget what a person said, and deny what was read or reported. Raises as ``update_relation``."""
    _take_back(work, _get_own(work, actor, repository, relation_id))
    _check_count(work, repository)
    _tell(work, actor, repository)


def list_own_relations(work: UnitOfWork, *, actor: Actor, repository: Repository) -> Sequence[Relation]:
    """What a repository is related to, denied relations too, for those who may write to it. Raises as ``require``."""
    require(work, actor, Action.REPOSITORY_WRITE, repository)
    return own_rows(work, repository)


def paths_of(work: UnitOfWork, *, actor: Actor, repository_ids: Iterable[int | None]) -> dict[int, Target]:
    """The kind and path of each of these repositories that is live and that the actor may read. One query."""
    ids = {id for id in repository_ids if id is not None}
    if not ids:
        return {}
    rows = work.session.execute(
        select(Repository.id, Repository.kind, Namespace.path, Repository.name)
        .join(Namespace, Namespace.id == Repository.namespace_id)
        .where(Repository.id.in_(ids), is_live(), may_read(actor))
    )
    return {id: (kind, f"{namespace}/{name}") for id, kind, namespace, name in rows}


# Finding.


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


def _find_all(work: UnitOfWork, actor: Actor, repository: Repository, targets: Sequence[Target]) -> list[int]:
    targets = [*dict.fromkeys((kind, fold_name(path)) for kind, path in targets)]
    if len(targets) > MAX_RELATIONS:
        raise Invalid(f"More than {MAX_RELATIONS} related repositories.", code="REQ-ERR-6")
    if not all(is_storable(path) for _kind, path in targets):
        raise Invalid("A path holds what no path can.", code="REQ-ERR-6")
    found = find_readable(work, actor, targets)
    for kind, path in targets:
        if (kind, path) not in found:
            raise NotFound(f"There is no {kind} {path!r}, or you may not see it.", code="repository_not_found")
    if repository.id in found.values():
        raise Invalid("A repository is not related to itself.", code="REQ-ERR-6")
    return [*found.values()]


def _check_texts(*texts: str) -> None:
    if not all(len(text) <= MAX_NOTE_CHARS and is_storable(text) for text in texts):
        raise Invalid(f"A text holds what cannot be kept, or more than {MAX_NOTE_CHARS} characters.", code="REQ-ERR-6")


# Rows of one source, which is held.


def own_rows(work: UnitOfWork, repository: Repository, *where: ColumnElement[bool]) -> Sequence[Relation]:
    """The relations of which a repository is the source, as they are in the database now."""
    query = select(Relation).where(Relation.source_id == repository.id, *where)
    return work.session.scalars(query.order_by(Relation.id).execution_options(populate_existing=True)).all()


def _get_own(work: UnitOfWork, actor: Actor, repository: Repository, relation_id: int) -> Relation:
    require(work, actor, Action.REPOSITORY_WRITE, repository)
    hold(work, repository)
    for row in own_rows(work, repository, Relation.id == relation_id):
        return row
    raise NotFound(f"{repository.path} has no such relation.", code="relation_not_found")


def target_of(row: Relation) -> int | Target:
    """What a relation leads to: a repository's id, or the name of what is not here."""
    return row.target_id if row.target_id is not None else (row.named_kind, row.named_key)


def set_name(row: Relation, kind: str, path: str) -> None:
    """Let a relation have the name by which somebody says its target."""
    row.named_kind, row.named, row.named_key = kind, path, fold_name(path)


def _say(work: UnitOfWork, repository: Repository, rows: Sequence[Relation], wanted: Relation) -> Relation:
    """Let a person have said what is wanted: the row that is there, or this one."""
    named = (wanted.named_kind or "", wanted.named_key or "")
    target: int | Target = wanted.target_id if wanted.target_id is not None else named
    for row in rows:
        if row.type == wanted.type and target_of(row) == target:
            row.is_said, row.is_denied = True, False
            row.note = wanted.note or row.note
            if row.is_trusted:
                # At which commits the platform knows better.
                return row
            row.source_commit = wanted.source_commit or row.source_commit
            row.target_commit = wanted.target_commit or row.target_commit
            return row
    wanted.source_id, wanted.is_said, wanted.created_at = repository.id, True, work.now()
    work.session.add(wanted)
    return wanted


def _take_back(work: UnitOfWork, row: Relation) -> None:
    _refuse_recorded(row)
    row.is_said = False
    row.is_denied = bool(row.read_as or row.run_id)
    drop_unsaid(work, row)


def _refuse_recorded(row: Relation) -> None:
    if row.is_trusted:
        raise Conflict("The platform recorded this relation; it goes with the run.", code="relation_recorded")


def drop_unsaid(work: UnitOfWork, row: Relation) -> None:
    """Delete a relation that nobody says any more, unless it is denied."""
    if not (row.is_said or row.read_as or row.run_id or row.is_denied):
        work.session.delete(row)


def _check_count(work: UnitOfWork, repository: Repository) -> None:
    work.session.flush()
    rows = own_rows(work, repository)
    for count in (sum(row.is_said for row in rows), sum(row.is_denied for row in rows)):
        if count > MAX_RELATIONS:
            raise Conflict(f"{repository.path} is related to too many repositories.", code="too_many_relations")


def _tell(work: UnitOfWork, actor: Actor, repository: Repository) -> None:
    publish(work, RepositoryUpdated(repository.id, actor.user_id, ("relations",)))
    log.info("relations_set", repository_id=repository.id, actor_id=actor.user_id)
