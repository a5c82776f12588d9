"""Labels as answers tell them, remembered for moments: lists show the same few of them on every page.

What an administrator changes is told at once by the process in which it was changed, by others within ``FOR_S``. So
is what comes under another category than the one that a list asks for first.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Row, bindparam, select, tuple_

from hub.assets.models import Tag
from hub.base.context import Key
from hub.db.uow import UnitOfWork

FOR_S = 5.0
# Some hundred bytes each. Repositories may carry words without end.
_MAX_KNOWN = 20_000

Name = tuple[str, str]  # (category, name)


class KnownLabel(NamedTuple):
    """A label; with the members of ``Tag``."""

    id: int
    scope: str
    category: str
    group: str
    name: str
    show_name: str
    i18n_key: str
    is_builtin: bool
    created_at: datetime
    updated_at: datetime


_LABELS = select(*(getattr(Tag, name) for name in KnownLabel._fields))
_BY_ID = _LABELS.where(Tag.id.in_(bindparam("ids", expanding=True)))
_BY_NAME = _LABELS.where(
    Tag.scope == bindparam("scope"), tuple_(Tag.category, Tag.name).in_(bindparam("names", expanding=True))
)


class _Memory:
    """Labels by id and by (kind of asset, category, name), until it is too old or too full."""

    def __init__(self) -> None:
        self.until = time.monotonic() + FOR_S
        self.by_id: dict[int, KnownLabel] = {}
        self.by_name: dict[tuple[str, str, str], KnownLabel] = {}
        self.absent: set[tuple[str, str, str]] = set()

    def learn(self, rows: Sequence[Row[*tuple[Any, ...]]]) -> list[KnownLabel]:
        labels = [KnownLabel._make(row) for row in rows]
        for label in labels:
            self.by_id[label.id] = self.by_name[label.scope, label.category, label.name] = label
        return labels


class KnownLabels:
    """The labels that this process has met in the last moments."""

    def __init__(self) -> None:
        self._memory = _Memory()

    def forget(self) -> None:
        """Start anew: something was changed. What was asked before that is remembered by nobody."""
        self._memory = _Memory()

    def get(self, work: UnitOfWork, ids: Collection[int]) -> dict[int, KnownLabel]:
        """Those of the labels that there are, by id. One query when some are not known, else none."""
        memory = self._current(work)
        found = {id: memory.by_id[id] for id in ids if id in memory.by_id}
        if len(found) < len(ids):
            unknown = [id for id in ids if id not in found]
            found |= {label.id: label for label in memory.learn(work.rows(_BY_ID, {"ids": unknown}))}
        return found

    def find(
        self, work: UnitOfWork, scope: str, names: Collection[Name], *, also: Collection[Name] = ()
    ) -> dict[Name, KnownLabel]:
        """Those of the labels of a kind of asset that there are. One query when some are not known, else none.

        also: further ones. That one of them is not there is remembered as well, while all the ``names`` are: what
        may not be missed for a moment is none of these.
        """
        memory = self._current(work)
        found = {name: memory.by_name[scope, *name] for name in (*names, *also) if (scope, *name) in memory.by_name}
        unknown = [name for name in names if name not in found]
        more = [name for name in also if name not in found and (unknown or (scope, *name) not in memory.absent)]
        if unknown or more:
            labels = memory.learn(work.rows(_BY_NAME, {"scope": scope, "names": [*unknown, *more]}))
            found |= {(label.category, label.name): label for label in labels}
            if all(name in found for name in names):
                memory.absent.update((scope, *name) for name in more if name not in found)
        return found

    def _current(self, work: UnitOfWork) -> _Memory:
        if not work.is_reading:
            # What it sees may be taken back.
            return _Memory()
        if time.monotonic() > self._memory.until or len(self._memory.by_id) > _MAX_KNOWN:
            self.forget()
        return self._memory


KNOWN_LABELS: Key[KnownLabels] = Key("assets.known_labels")
