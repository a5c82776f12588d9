"""Finding files by what is in them, with the lines where it is.

The index knows words only; the lines are read from the files of one page when they are shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, bindparam, func, not_, or_, select

from hub.accounts.models import Namespace
from hub.accounts.policy import Actor
from hub.assets.models_search import SearchContent, SearchFile
from hub.assets.search.filters import may_read_content
from hub.assets.search.fulltext import content_holds, has_full_text
from hub.assets.search.grammar import Filter, Query
from hub.assets.search.texts import decoded, lines_with
from hub.assets.search.words import Row, row_of
from hub.base.errors import NotFound
from hub.base.offload import offload
from hub.base.paging import Page, PageArgs
from hub.db.engine import DATABASE, PLANNED_EACH_TIME
from hub.db.shapes import Shape, shape_of
from hub.db.uow import UnitOfWork
from hub.git import tree
from hub.repos.lookup import is_live, may_read, path_of_uuid
from hub.repos.models import Repository
from hub.repos.searching import literal_pattern

# So many files are looked at; of more the repositories that are trending cannot be told.
MAX_LOOKED_AT = 1_000
# Of searches that differ in the values only, the statement is built once.
_MAX_SHAPES = 200


@dataclass(frozen=True)
class CodeHit:
    """A file that holds what was asked for. lines: (number from 1, text), the first ones."""

    repository_id: int
    kind: str
    repository: str
    path: str
    branch: str
    blob_id: str
    lines: Sequence[tuple[int, str]]


def find_code(
    work: UnitOfWork,
    actor: Actor,
    query: Query,
    conditions: Sequence[ColumnElement[bool]],
    *,
    kinds: Sequence[str],
    page: PageArgs,
) -> Page[CodeHit]:
    """A page of files that hold every word, those of trending repositories first. One query.

    Of more than ``MAX_LOOKED_AT`` files these are looked at, whichever they are, and the total is an estimate.
    """
    rows = [row_of(term.text, is_code=True, is_phrase=term.is_phrase) for term in query.words]
    wanted = [row for row in rows if row is not None]
    if not wanted or not kinds or not has_full_text(work.context):
        return Page((), 0)
    refused = [row_of(term.text, is_code=True, is_phrase=True, is_negated=True) for term in query.refused]
    asked = [*wanted, *(row for row in refused if row is not None)]
    holds = content_holds(asked, for_sqlite=work.context[DATABASE].is_sqlite)
    seen = [may_read(actor), may_read_content(actor), Repository.kind.in_(kinds)]
    shape, values = shape_of([holds, *seen, *conditions, *_paths(query.filters)])
    files = work.rows(_ranked(shape), values | {"offset": page.offset, "per": page.per})
    settings = work.settings
    hits = []
    for file in files:
        where = path_of_uuid(settings, file.storage, file.uuid)
        lines = offload(_read_lines, where, file.blob_id, wanted)
        path = f"{file.owner}/{file.name}"
        branch = file.default_branch
        hits.append(CodeHit(file.repository_id, file.kind, path, file.path, branch, file.blob_id, lines))
    total = files[0].total if files else 0
    return Page(hits, total, total > MAX_LOOKED_AT)


@lru_cache(maxsize=_MAX_SHAPES)
def _ranked(shape: Shape) -> Select[Any]:
    found = (
        select(SearchFile.id, SearchFile.path, SearchContent.blob_id, Repository.id.label("repository_id"))
        .add_columns(Repository.uuid, Repository.storage, Repository.kind, Repository.name, Repository.namespace_id)
        .add_columns(Repository.default_branch, Repository.trending_score)
        .join(SearchContent, SearchContent.id == SearchFile.content_id)
        .join(Repository, Repository.id == SearchFile.repository_id)
        .where(is_live(), shape.condition())
        .limit(MAX_LOOKED_AT + 1)
        .subquery()
    )
    return (
        select(*found.c, Namespace.path.label("owner"), func.count().over().label("total"))
        .join(Namespace, Namespace.id == found.c.namespace_id)
        .order_by(found.c.trending_score.desc(), found.c.repository_id.desc(), found.c.path)
        .offset(bindparam("offset", type_=Integer))
        .limit(bindparam("per", type_=Integer))
        .execution_options(**{PLANNED_EACH_TIME: True})
    )


def _paths(filters: Sequence[Filter]) -> list[ColumnElement[bool]]:
    """That a file's path holds what ``path:`` says."""
    conditions = []
    for wanted in filters:
        if wanted.key == "path":
            lower = func.lower(SearchFile.path)
            parts = [lower.like(f"%{literal_pattern(value)}%", escape="\\") for value in wanted.values]
            conditions.append(not_(or_(*parts)) if wanted.is_negated else or_(*parts))
    return conditions


def _read_lines(path: Path, blob_id: str, rows: Sequence[Row]) -> list[tuple[int, str]]:
    try:
        text = decoded(tree.read_blob(path, blob_id).data)
    except (NotFound, OSError):  # the push that took it away is not indexed yet
        return []
    return lines_with(text, rows) if text else []
