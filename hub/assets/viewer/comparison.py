"""A split at two revisions: which columns came, went or changed their type, how many rows, and what they hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hub.accounts.policy import Actor
from hub.assets.viewer.parts import Table
from hub.assets.viewer.statistics import Statistics, find_statistics
from hub.assets.viewer.tables import open_table
from hub.base.context import Context
from hub.base.errors import NotFound
from hub.base.paging import PageArgs
from hub.repos.rows import Shown


@dataclass(frozen=True)
class ColumnChange:
    """A column at both revisions. change: "added", "removed", "changed" (its type), "kept".

    base, head: its statistics there; None where there is no such column, or it is not measured yet.
    """

    name: str
    change: str
    base_type: str
    head_type: str
    base: dict[str, Any] | None = None
    head: dict[str, Any] | None = None


@dataclass(frozen=True)
class TableChange:
    """A split at two revisions. base, head: its statistics there; None where it has no such split.

    is_same: it is made of the same files. columns: of the page that was asked for. column_count: of all.
    """

    base: Statistics | None
    head: Statistics | None
    is_same: bool
    column_count: int
    columns: Sequence[ColumnChange]


def compare_tables(
    context: Context,
    repository: Shown,
    *,
    actor: Actor,
    config: str,
    split: str,
    base: str,
    head: str = "",
    page: PageArgs | None = None,
) -> TableChange:
    """What became of a split from one revision to another ("": the default branch). page: of columns.

    Statistics that are not there yet are asked for, as by ``find_statistics``. Raises what ``open_table`` raises;
    NotFound only where neither revision has the split.
    """
    page = page or PageArgs()
    tables: list[Table | None] = []
    for revision in (base, head):
        try:
            tables.append(open_table(context, repository, actor=actor, config=config, split=split, revision=revision))
        except NotFound as error:
            if error.code != "table_not_found":
                raise
            tables.append(None)
    before, after = tables
    if before is None and after is None:
        raise NotFound("The data set has no such table, then or now.", code="table_not_found")

    def find(table: Table | None) -> Statistics | None:
        if table is None:
            return None
        return find_statistics(context, repository, actor=actor, config=config, split=split, revision=table.commit_id)

    told = [find(table) for table in tables]
    columns = _pair(before, after, told[0], told[1])
    is_same = before is not None and after is not None and before.digest == after.digest
    return TableChange(told[0], told[1], is_same, len(columns), columns[page.offset : page.offset + page.per])


def _pair(
    before: Table | None, after: Table | None, base: Statistics | None, head: Statistics | None
) -> list[ColumnChange]:
    """The columns of both, in the order of the later table; those that went come last."""
    types = [{column.name: column.type for column in table.columns} if table else {} for table in (before, after)]
    measured = [{column["name"]: column for column in found.columns} if found else {} for found in (base, head)]
    changes = []
    for name in [*types[1], *(name for name in types[0] if name not in types[1])]:
        old, new = types[0].get(name), types[1].get(name)
        change = "added" if old is None else "removed" if new is None else "kept" if old == new else "changed"
        changes.append(ColumnChange(name, change, old or "", new or "", measured[0].get(name), measured[1].get(name)))
    return changes
