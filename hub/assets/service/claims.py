"""What is read of how repositories belong together, and names that lead to repositories once there are such.

For jobs: nobody's rights are asked. Whoever looks at the relations sees those only that they may read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import and_, delete, literal, or_, select

from hub.accounts.models import Namespace
from hub.accounts.policy import SYSTEM
from hub.assets.models_lineage import Relation, RelationOrigin, RelationType
from hub.assets.service.relations import (
    BASE_TYPES,
    MAX_RELATIONS,
    Target,
    drop_unsaid,
    find_readable,
    own_rows,
    set_name,
    target_of,
)
from hub.assets.service.rows import hold
from hub.base.context import Context
from hub.base.names import fold_name
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.repos.lookup import is_live
from hub.repos.models import Repository, RepositoryRedirect


@dataclass(frozen=True)
class Claim:
    """What is read of a repository: that it is to another one what the type says.

    path: ``namespace/name``, or a name that is none of this hub's. target_id: where the repository is known, instead.
    """

    type: RelationType
    kind: str = ""
    path: str = ""
    target_id: int | None = None
    read_as: RelationOrigin = RelationOrigin.CARD
    target_commit: str = ""


def set_read_relations(work: UnitOfWork, *, repository: Repository, claims: Iterable[Claim]) -> None:
    """Let what is read of a repository be these, at most ``MAX_RELATIONS``. For jobs: nobody's rights are asked.

    What is not here is kept by its name. Whoever looks at the relations sees those only that they may read. What a
    writer has denied stays denied; so does what else is read of how a model comes from the same one.
    """
    hold(work, repository)
    rows = own_rows(work, repository)
    claims = [*dict.fromkeys(claims)][:MAX_RELATIONS]
    names = {(claim.kind, fold_name(claim.path)) for claim in claims if claim.target_id is None}
    unresolved = {(row.named_kind, row.named_key) for row in rows if row.target_id is None and row.named_key}
    found = find_named(work, [*names | unresolved])
    rows = _resolve_rows(work, rows, found)
    wanted: dict[tuple[int | Target, RelationType], Claim] = {}
    for claim in claims:
        name = (claim.kind, fold_name(claim.path))
        target: int | Target = found.get(name, name) if claim.target_id is None else claim.target_id
        if target != repository.id:
            wanted.setdefault((target, claim.type), claim)
    known = {(target_of(row), row.type): row for row in rows}
    denied = {target for (target, type), row in known.items() if row.is_denied and type in BASE_TYPES}
    for key, row in known.items():
        if row.read_as and key not in wanted:
            row.read_as = ""
            drop_unsaid(work, row)
    for (target, type), claim in wanted.items():
        existing = known.get((target, type))
        row = existing or Relation(source_id=repository.id, type=type, is_said=False, created_at=work.now())
        if existing is None:
            row.is_denied = type in BASE_TYPES and target in denied
            row.target_id = target if isinstance(target, int) else None
            work.session.add(row)
        row.read_as = claim.read_as
        if claim.path:
            set_name(row, claim.kind, claim.path)
        if row.run_id is None and not row.is_said:
            row.target_commit = claim.target_commit
    work.session.flush()


def named_somewhere(work: UnitOfWork, *, repository_ids: Sequence[int]) -> Sequence[int]:
    """Those of these repositories whose path some relation names that leads nowhere yet. One query."""
    work.session.flush()
    query = (
        select(Repository.id)
        .join(Namespace, Namespace.id == Repository.namespace_id)
        .join(
            Relation,
            and_(
                Relation.target_id.is_(None),
                Relation.named_kind == Repository.kind,
                Relation.named_key == Namespace.path_key + literal("/") + Repository.name_key,
            ),
        )
        .where(Repository.id.in_(repository_ids))
    )
    return work.session.scalars(query.distinct()).all()


def _resolve_rows(work: UnitOfWork, rows: Sequence[Relation], found: dict[Target, int]) -> list[Relation]:
    """Lead rows that only have a name to the repository of that name; two that become alike become one."""
    known = {(row.target_id, row.type): row for row in rows if row.target_id is not None}
    left = []
    for row in rows:
        target_id = found.get((row.named_kind, row.named_key)) if row.target_id is None else None
        if target_id is not None and target_id != row.source_id:
            other = known.get((target_id, row.type))
            if other is not None:
                other.is_said, other.is_denied = other.is_said or row.is_said, other.is_denied or row.is_denied
                other.read_as = other.read_as or row.read_as
                work.session.delete(row)
                continue
            row.target_id = target_id
            known[target_id, row.type] = row
        left.append(row)
    work.session.flush()
    return left


def lead_to(
    context: Context, *, repository_id: int, note: Callable[[int], None] = lambda done: None, batch: int = 500
) -> int:
    """Let every relation that names the path of a repository lead to it; return how many that were. For jobs.

    A source that is changed by others meanwhile waits for them. May be repeated.
    """
    with reading(context) as work:
        repository = work.session.get(Repository, repository_id)
    done, last = 0, 0
    while repository is not None and repository.deleted_at is None:
        name = (repository.kind, fold_name(repository.path))
        is_of_name = (Relation.target_id.is_(None), Relation.named_kind == name[0], Relation.named_key == name[1])
        with unit_of_work(context) as work:
            query = select(Relation.source_id).where(*is_of_name, Relation.source_id > last)
            ids = work.session.scalars(query.distinct().order_by(Relation.source_id).limit(batch)).all()
            held = select(Repository.id).where(Repository.id.in_(ids)).order_by(Repository.id)
            work.session.execute(held.with_for_update(key_share=True))
            rows = work.session.scalars(select(Relation).where(Relation.source_id.in_(ids))).all()
            for source_id in ids:
                own = [row for row in rows if row.source_id == source_id]
                _resolve_rows(work, own, {name: repository_id})
        if not ids:
            break
        done, last = done + len(ids), ids[-1]
        note(done)
    return done


def named_targets(work: UnitOfWork, *, repository_ids: Sequence[int]) -> Sequence[int]:
    """Those of these repositories to which a relation leads that has a name for it. One query."""
    is_such = (Relation.target_id.in_(repository_ids), Relation.named_key != "")
    return work.session.scalars(select(Relation.target_id).where(*is_such).distinct()).all()  # type: ignore[return-value]


def let_go(
    context: Context, *, repository_id: int, note: Callable[[int], None] = lambda done: None, batch: int = 500
) -> int:
    """Let the relations that have a name for a deleted repository be names again; return how many sources had some.

    They lead to whatever has the name by now. For jobs; may be repeated, and does nothing when it was brought back.
    """
    done = 0
    while True:
        with unit_of_work(context) as work:
            deleted_at = work.session.scalar(select(Repository.deleted_at).where(Repository.id == repository_id))
            is_such = (Relation.target_id == repository_id, Relation.named_key != "")
            query = select(Relation.source_id).where(*is_such).distinct().order_by(Relation.source_id).limit(batch)
            ids = work.session.scalars(query).all() if deleted_at is not None else []
            held = select(Repository.id).where(Repository.id.in_(ids)).order_by(Repository.id)
            work.session.execute(held.with_for_update(key_share=True))
            rows = work.session.scalars(select(Relation).where(Relation.source_id.in_(ids))).all()
            names = set()
            for row in rows:
                if row.target_id == repository_id and row.named_key:
                    row.target_id = None
                    names.add((row.named_kind, row.named_key))
            work.session.flush()
            found = find_named(work, [*names])
            for source_id in ids:
                _resolve_rows(work, [row for row in rows if row.source_id == source_id], found)
        if not ids:
            return done
        done += len(ids)
        note(done)


def forget_orphans(work: UnitOfWork) -> None:
    """Remove the relations whose target is gone for good and that have no name for it. By an index that holds few."""
    is_orphan = (Relation.target_id.is_(None), Relation.named_kind == "", Relation.named_key == "")
    work.session.execute(delete(Relation).where(*is_orphan).execution_options(synchronize_session=False))


def find_named(work: UnitOfWork, targets: Sequence[Target]) -> dict[Target, int]:
    """As ``find_readable``, for jobs: whoever may read them, and at former paths, too. Two queries at most."""
    found = find_readable(work, SYSTEM, targets)
    missing = [and_(RepositoryRedirect.kind == kind, RepositoryRedirect.path_key == path)
               for kind, path in targets if (kind, path) not in found]  # fmt: skip
    if missing:
        moved = (
            select(RepositoryRedirect.kind, RepositoryRedirect.path_key, Repository.id)
            .join(Repository, Repository.id == RepositoryRedirect.repository_id)
            .where(or_(*missing), is_live())
        )
        found |= {(kind, path): id for kind, path, id in work.session.execute(moved)}
    return found
