"""The seam: tables, transactions, pages of lists. A plugin's tables are called ``NAME_...``.

A foreign key leads to tables of the core only; another plugin's thing is kept by its public id in a plain column.
"""

from __future__ import annotations

from hub.base.paging import Page, PageArgs
from hub.db.base import Model, RowId, UTCDateTime, new_uuid
from hub.db.insert import insert_new, insert_new_keys
from hub.db.totals import total_of
from hub.db.uow import UnitOfWork, reading, unit_of_work

__all__ = [
    "Model",
    "Page",
    "PageArgs",
    "RowId",
    "UTCDateTime",
    "UnitOfWork",
    "insert_new",
    "insert_new_keys",
    "new_uuid",
    "reading",
    "total_of",
    "unit_of_work",
]
