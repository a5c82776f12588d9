"""The lineage of a repository as a graph: what it comes from, and what comes from it, level by level."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import count
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Executable, Label, func, literal, select, union_all

from hub.accounts.models import Namespace
from hub.accounts.policy import Action, Actor, require
from hub.assets.models_lineage import Relation, RelationOrigin, RelationType, Run, RunLink, RunState, origin_of
from hub.assets.service.relations import is_shown
from hub.assets.service.runs import may_see_run
from hub.db.uow import UnitOfWork
from hub.repos.lookup import is_live, may_read
from hub.repos.models import Repository

MAX_DEPTH = 5
MAX_NODES = 500
MAX_EDGES = 2000
# Counted no further: of the root's relations, and of a node's neighbours.
MAX_COUNT = 1_000
MAX_NEIGHBOURS = 100
MAX_RUNS = 100


_SHOWN_STATES = (RunState.RUNNING, RunState.SUCCEEDED)
# What an input is to a run of these types; of the others the run uses it.
_OF_INPUTS = {"deployment": RelationType.DEPLOYED_AS, "evaluation": RelationType.EVALUATED_ON}


class Direction(StrEnum):
    """Which way from the root: to what it comes from, to what comes from it, or both."""

    UP = "up"
    DOWN = "down"
    BOTH = "both"


@dataclass(frozen=True)
class Node:
    """A repository, or the name of what is not here.

    id: within this graph. run: the uuid of what was done, whose kind is its type and whose path its title; None of a
    repository. repository_id, kind, path: absent of a private one, which the actor may not see. kind, path
    without an id: what is on no place of this hub that the actor knows. depth: levels from the root, negative
    upwards. parents, children: how many relations it has, at most ``MAX_NEIGHBOURS`` counted.
    """

    id: str
    depth: int
    repository_id: int | None = None
    kind: str = ""
    path: str = ""
    is_external: bool = False
    is_private: bool = False
    parents: int = 0
    children: int = 0
    run: str | None = None


@dataclass(frozen=True)
class Edge:
    """A relation between two nodes. run: the uuid of the run that recorded it, where the actor may see that one.

    id: the relation's; None of what a run took or gave.
    """

    id: int | None
    source: str
    target: str
    type: RelationType
    origin: RelationOrigin
    is_trusted: bool
    source_commit: str
    target_commit: str
    note: str
    run: str | None


@dataclass(frozen=True)
class Graph:
    """The root comes first. counts: of each type how many repositories that the actor may read are that to the root.

    is_truncated: there is more than may be in one answer.
    """

    root: str
    nodes: Sequence[Node]
    edges: Sequence[Edge]
    counts: dict[str, int]
    is_truncated: bool


class _Row(NamedTuple):
    id: int
    source_id: int
    target_id: int | None
    type: RelationType
    named_kind: str
    named: str
    is_said: bool
    read_as: str
    run_id: int | None
    is_trusted: bool
    source_commit: str
    target_commit: str
    note: str


_COLUMNS = [getattr(Relation, name) for name in _Row._fields]


def find_lineage(
    work: UnitOfWork,
    *,
    actor: Actor,
    repository: Repository,
    depth: int = 1,
    direction: Direction = Direction.BOTH,
    types: Collection[RelationType] = (),
    with_runs: bool = False,
) -> Graph:
    """The graph around a repository. types: which relations; empty: all. with_runs: and what was done with its nodes.

    Upwards the parents of parents, downwards the children of children. At most ``MAX_NODES`` and ``MAX_EDGES``. Two
    queries for each level and direction, and four; two more for the newest ``MAX_RUNS`` runs. What the actor may not
    read has no name and leads no further; what a card names without the actor knowing such a repository is told by
    that name alone, whether it is there or not.
    Raises NotFound.
    """
    require(work, actor, Action.REPOSITORY_READ, repository)
    walk = _Walk(work, actor, tuple(types))
    walk.begin(repository)
    for way in (Direction.UP, Direction.DOWN):
        if direction in (way, Direction.BOTH):
            walk.go(repository.id, way, min(depth, MAX_DEPTH))
    if with_runs:
        walk.add_runs()
    return walk.finish(repository.id)


class _Walk:
    """One graph in the making."""

    def __init__(self, work: UnitOfWork, actor: Actor, types: tuple[RelationType, ...]) -> None:
        self.work = work
        self.actor = actor
        self.types = types
        self.nodes: dict[str, Node] = {}
        self.ids: dict[int, str] = {}  # of a repository -> of its node; "": it is not live
        self.rows: dict[int, _Row] = {}
        self.ends: dict[int, tuple[str, str]] = {}
        self.run_edges: list[Edge] = []
        self.is_truncated = False
        self._numbers = count(1)

    def begin(self, repository: Repository) -> None:
        self._look_up([repository.id], 0)

    def go(self, root_id: int, way: Direction, depth: int) -> None:
        frontier, seen = [root_id], {root_id}
        for level in range(1, depth + 1):
            if not frontier:
                return
            at = -level if way == Direction.UP else level
            rows = self._read(frontier, way)
            others = [row.target_id if way == Direction.UP else row.source_id for row in rows]
            fresh = [id for id in dict.fromkeys(others) if id is not None and id not in seen]
            seen.update(fresh)
            self._look_up([id for id in fresh if id not in self.ids], at)
            # Of a circle the other direction has been here already, and did not look this way.
            frontier = [id for id in fresh if self.ids.get(id, "").startswith("repository:")]
            for row in rows:
                self._connect(row, at)

    def _read(self, ids: Sequence[int], way: Direction) -> list[_Row]:
        own = Relation.source_id if way == Direction.UP else Relation.target_id
        # In the order of an index, so that the first ones of a million are found at once.
        order = (own, Relation.target_id) if way == Direction.UP else (own, Relation.type, Relation.source_id)
        query = select(*_COLUMNS).where(own.in_(ids), is_shown(), *self._of_types())
        room = MAX_EDGES - len(self.rows)
        found = [_Row(*row) for row in self.work.rows(query.order_by(*order).limit(room + 1))]
        if len(found) > room:
            self.is_truncated = True
        return found[:room]

    def _of_types(self) -> list[ColumnElement[bool]]:
        return [Relation.type.in_(self.types)] if self.types else []

    def _look_up(self, ids: Sequence[int], depth: int) -> None:
        """Make nodes of those repositories that may be read."""
        room = MAX_NODES - len(self.nodes)
        if len(ids) > room:
            self.is_truncated = True
            ids = ids[:room]
        if not ids:
            return
        known = {id: (kind, path, may) for id, kind, path, may in self.work.rows(_looked_up(self.actor, ids))}
        for id in ids:
            if id not in known:
                self.ids[id] = ""
                continue
            kind, path, may_see = known[id]
            if may_see:
                self.ids[id] = f"repository:{id}"
                self.nodes[self.ids[id]] = Node(self.ids[id], depth, id, kind, path)
            else:
                # Made when a relation without a name leads there: whoever names it says no more than the name.
                self.ids[id] = "private"

    def _connect(self, row: _Row, depth: int) -> None:
        source, target = self._place(row.source_id, depth), self._target_of(row, depth)
        if source and target and source in self.nodes and target in self.nodes:
            self.rows[row.id] = row
            self.ends[row.id] = (source, target)

    def _target_of(self, row: _Row, depth: int) -> str:
        if row.target_id is not None:
            known = self.ids.get(row.target_id)
            # None: there was no room for it.
            if known is None or known.startswith("repository:") or not row.named:
                return self._place(row.target_id, depth)
        elif not row.named:
            return ""
        id = f"external:{row.named_kind}:{row.named.lower()}"
        self._add(Node(id, depth, kind=row.named_kind, path=row.named, is_external=True))
        return id

    def _place(self, repository_id: int, depth: int) -> str:
        id = self.ids.get(repository_id, "")
        if id == "private":
            id = self.ids[repository_id] = f"private:{next(self._numbers)}"
            self._add(Node(id, depth, is_private=True))
        return id

    def _add(self, node: Node) -> None:
        if len(self.nodes) >= MAX_NODES and node.id not in self.nodes:
            self.is_truncated = True
            return
        self.nodes.setdefault(node.id, node)

    def add_runs(self) -> None:
        """Add the newest runs that took or gave one of the nodes, and what is between them."""
        depths = {node.repository_id: node.depth for node in self.nodes.values() if node.repository_id is not None}
        touched = select(RunLink.run_id).where(RunLink.repository_id.in_(depths))
        newest = (
            select(Run.id, Run.uuid, Run.type, Run.title)
            .where(Run.id.in_(touched), Run.state.in_(_SHOWN_STATES), may_see_run(self.actor))
            .order_by(Run.id.desc())
        )
        runs = self.work.rows(newest.limit(MAX_RUNS + 1))
        self.is_truncated = self.is_truncated or len(runs) > MAX_RUNS
        found = {row.id: row for row in runs[:MAX_RUNS]}
        links = select(RunLink.run_id, RunLink.is_output, RunLink.repository_id, RunLink.commit_id).where(
            RunLink.run_id.in_(found), RunLink.repository_id.in_(depths)
        )
        for link in self.work.rows(links.order_by(RunLink.id)):
            if len(self.rows) + len(self.run_edges) >= MAX_EDGES:
                self.is_truncated = True
                return
            run, repository = found[link.run_id], self.ids[link.repository_id]
            id = f"run:{run.uuid}"
            self._add(Node(id, depths[link.repository_id], kind=run.type, path=run.title, run=run.uuid))
            if id in self.nodes:
                self.run_edges.append(_run_edge(run.uuid, run.type, link, repository, id))

    def finish(self, root_id: int) -> Graph:
        runs = self._find_runs()
        edges = [*(self._edge(row, runs) for row in self.rows.values()), *self.run_edges]
        neighbours = {
            id: (up, down)
            for id, up, down in self.work.rows(
                _neighbours([node.repository_id for node in self.nodes.values() if node.repository_id is not None])
            )
        }
        nodes = []
        for node in self.nodes.values():
            parents, children = neighbours.get(node.repository_id or 0, (0, 0))
            nodes.append(replace(node, parents=parents, children=children))
        counted = self.work.rows(_counts(self.actor, root_id))
        counts = {type: number for type, number in counted if number}
        return Graph(self.ids[root_id], nodes, edges, counts, self.is_truncated)

    def _edge(self, row: _Row, runs: dict[int, str]) -> Edge:
        source, target = self.ends[row.id]
        # A private one that the card names looks as if it were not here; what a run says of it would tell.
        is_hidden = row.target_id is not None and target.startswith("external:")
        is_open = source.startswith("repository:") and not target.startswith("private:")
        return Edge(
            id=row.id,
            source=source,
            target=target,
            type=row.type,
            origin=origin_of(None if is_hidden else row.run_id, row.is_said, row.read_as),
            is_trusted=row.is_trusted and not is_hidden,
            # What is said of a private one may name it.
            source_commit=row.source_commit if is_open else "",
            target_commit=row.target_commit if is_open and not is_hidden else "",
            note=row.note if is_open else "",
            run=runs.get(row.run_id) if row.run_id is not None and not is_hidden else None,
        )

    def _find_runs(self) -> dict[int, str]:
        ids = {row.run_id for row in self.rows.values() if row.run_id is not None}
        if not ids:
            return {}
        query = select(Run.id, Run.uuid).where(Run.id.in_(ids), may_see_run(self.actor))
        return {row.id: row.uuid for row in self.work.rows(query)}


def _run_edge(uuid: str, type: str, link: Any, repository: str, run: str) -> Edge:
    """What a repository is to a run that gave or took it. A deployment stands for what it serves."""
    is_source = link.is_output or type in _OF_INPUTS
    relation = RelationType.GENERATED_BY if link.is_output else _OF_INPUTS.get(type, RelationType.USES)
    return Edge(
        id=None,
        source=repository if is_source else run,
        target=run if is_source else repository,
        type=relation,
        origin=RelationOrigin.RUN,
        is_trusted=False,
        source_commit=link.commit_id if is_source else "",
        target_commit="" if is_source else link.commit_id,
        note="",
        run=uuid,
    )


def _looked_up(actor: Actor, ids: Sequence[int]) -> Executable:
    path = Namespace.path + literal("/") + Repository.name
    return (
        select(Repository.id, Repository.kind, path, may_read(actor).label("may_see"))
        .join(Namespace, Namespace.id == Repository.namespace_id)
        .where(Repository.id.in_(ids), is_live())
    )


def _neighbours(ids: Iterable[int]) -> Executable:
    """(id, parents, children) of each of these repositories."""

    def number(own: Any, *order: Any) -> Label[int]:
        # In the order of an index: else a planner may well look for the first ones in the whole table.
        first = select(Relation.id).where(own == Repository.id, is_shown()).correlate(Repository).order_by(*order)
        bounded = first.limit(MAX_NEIGHBOURS).subquery()
        return select(func.count()).select_from(bounded).scalar_subquery().label(None)

    parents = number(Relation.source_id, Relation.target_id, Relation.type)
    children = number(Relation.target_id, Relation.type, Relation.source_id)
    return select(Repository.id, parents, children).where(Repository.id.in_(ids))


def _counts(actor: Actor, root_id: int) -> Executable:
    """(type, how many) of what the root's children that the actor may read are to it, of ``MAX_COUNT`` of each type."""
    parts = []
    for type in RelationType:
        # Bounded, by an index, before anything is joined: else a planner may well begin with all repositories.
        first = (
            select(Relation.source_id)
            .where(Relation.target_id == root_id, Relation.type == type, is_shown())
            .order_by(Relation.source_id)
            .limit(MAX_COUNT)
            .subquery()
        )
        seen = select(literal(type.value).label("type"), func.count().label("number")).select_from(first)
        parts.append(seen.join(Repository, Repository.id == first.c.source_id).where(is_live(), may_read(actor)))
    return union_all(*parts)
