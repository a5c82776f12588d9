"""What follows from a run for lineage: relations between its repositories, at the commits that it pinned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Select, delete, func, select

from hub.assets.models_lineage import Relation, RelationType, Run, RunLink, RunRelation
from hub.assets.runtypes import RUN_TYPES
from hub.assets.service.relations import drop_unsaid, own_rows
from hub.db.insert import insert_new
from hub.db.uow import UnitOfWork
from hub.repos.models import Repository

# Of one repository, as all its runs say; of more nothing is written.
MAX_RECORDED = 500
_AT_ONCE = 500


class _Record(NamedTuple):
    source_id: int
    target_id: int
    type: RelationType
    source_commit: str
    target_commit: str


class _Place(NamedTuple):
    is_output: bool
    repository_id: int
    kind: str
    commit_id: str
    is_own: bool


def record_relations(work: UnitOfWork, run: Run) -> None:
    """Let the relations that follow from a run be there, pinned, and trusted where the run is.

    Only of sources to which who recorded the run could write. What a writer denies stays denied, unless the platform
    itself recorded that it is so.
    """
    records = {(record.source_id, record.target_id, record.type): record for record in _records(work, run)}
    ids = sorted({record.source_id for record in records.values()})
    # Held in the order of ids, as by everybody who holds several.
    held = select(Repository).where(Repository.id.in_(ids)).order_by(Repository.id)
    for repository in work.session.scalars(held.with_for_update(of=Repository, key_share=True)).all():
        rows = {(row.target_id, row.type): row for row in own_rows(work, repository)}
        count = sum(row.run_id is not None for row in rows.values())
        told: list[tuple[Relation, _Record]] = []
        for record in (record for record in records.values() if record.source_id == repository.id):
            row = rows.get((record.target_id, record.type))
            if row is None:
                if count >= MAX_RECORDED:
                    continue
                row = Relation(
                    source_id=record.source_id,
                    target_id=record.target_id,
                    type=record.type,
                    is_said=False,
                    created_at=work.now(),
                )
                work.session.add(row)
            count += row.run_id is None
            told.append((row, record))
            # What the platform recorded is not replaced by what somebody reports.
            if run.is_trusted or not row.is_trusted:
                row.run_id, row.is_trusted = run.id, run.is_trusted
                row.source_commit, row.target_commit = record.source_commit, record.target_commit
            row.is_denied = row.is_denied and not run.is_trusted
        work.session.flush()
        pinned = [
            {"relation_id": row.id, "source_commit": record.source_commit, "target_commit": record.target_commit}
            for row, record in told
        ]
        insert_new(work.session, RunRelation, [{"run_id": run.id} | each for each in pinned])


def forget_records(work: UnitOfWork, run_ids: Sequence[int]) -> None:
    """Let relations stand as they do without these runs, which are about to be deleted."""
    told = select(RunRelation.relation_id).where(RunRelation.run_id.in_(run_ids))
    found = work.rows(select(Relation.id, Relation.source_id).where(Relation.id.in_(told)).order_by(Relation.id))
    sources = sorted({row.source_id for row in found})
    held = select(Repository.id).where(Repository.id.in_(sources)).order_by(Repository.id)
    work.session.execute(held.with_for_update(key_share=True))
    work.session.execute(delete(RunRelation).where(RunRelation.run_id.in_(run_ids)))
    for first in range(0, len(found), _AT_ONCE):
        ids = [row.id for row in found[first : first + _AT_ONCE]]
        others = {row.relation_id: row[1:] for row in work.rows(_best_records(ids))}
        rows = select(Relation).where(Relation.id.in_(ids)).execution_options(populate_existing=True)
        for row in work.session.scalars(rows):
            other = others.get(row.id, (None, False, "", ""))
            row.run_id, row.is_trusted, row.source_commit, row.target_commit = other
            drop_unsaid(work, row)
        work.session.flush()


def _best_records(relation_ids: Sequence[int]) -> Select[Any]:
    """(relation, run, whether it is trusted, commits) of the run that counts most of those that recorded each."""
    order = (Run.is_trusted.desc(), Run.id.desc())
    place = func.row_number().over(partition_by=RunRelation.relation_id, order_by=order).label("place")
    every = (
        select(RunRelation.relation_id, Run.id, Run.is_trusted, RunRelation.source_commit, RunRelation.target_commit)
        .add_columns(place)
        .join(Run, Run.id == RunRelation.run_id)
        .where(RunRelation.relation_id.in_(relation_ids))
        .subquery()
    )
    return select(*[column for column in every.c if column.key != "place"]).where(every.c.place == 1)


def _records(work: UnitOfWork, run: Run) -> Iterator[_Record]:
    type = work.context[RUN_TYPES].find(run.type)
    if type is None:  # its plugin does not run
        return
    query = (
        select(RunLink.is_output, RunLink.repository_id, Repository.kind, RunLink.commit_id, RunLink.is_own)
        .join(Repository, Repository.id == RunLink.repository_id)
        .where(RunLink.run_id == run.id)
        .order_by(RunLink.id)
    )
    places = [_Place(*row) for row in work.rows(query)]
    outputs, inputs = [p for p in places if p.is_output], [p for p in places if not p.is_output]
    for taken in inputs:
        for given in outputs:
            relation = type.outputs.get(taken.kind, type.outputs.get(""))
            if relation is not None:
                yield from _record(given, taken, relation)
            if type.deployed is not None and taken.kind == "model":
                yield from _record(taken, given, type.deployed)
        for other in inputs:
            between = type.inputs.get((taken.kind, other.kind))
            if between is not None:
                yield from _record(taken, other, between)


def _record(source: _Place, target: _Place, type: RelationType) -> Iterator[_Record]:
    if source.is_own and source.repository_id != target.repository_id:
        yield _Record(source.repository_id, target.repository_id, type, source.commit_id, target.commit_id)
