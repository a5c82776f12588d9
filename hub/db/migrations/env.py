"""Alembic's entry: runs migrations on the connection that ``hub.db.migrate`` hands in."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context

from hub.db.base import Model, UTCDateTime
from hub.db.revisions import is_of_database


def render_item(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Spell our column type out: a migration must not import from the code it outlives."""
    if kind == "type" and isinstance(item, UTCDateTime):
        return "sa.DateTime(timezone=True)"
    return False


attributes = context.config.attributes


def include_object(_item: Any, name: str | None, kind: str, _reflected: bool, _other: Any) -> bool:
    """Autogenerate looks at the tables of the branch's owner only."""
    return not is_of_database(str(name)) and (kind != "table" or bool(attributes["owns"](str(name))))


context.configure(
    connection=attributes["connection"],
    target_metadata=Model.metadata,
    version_table=attributes["version_table"],
    include_object=include_object,
    render_as_batch=True,  # SQLite alters a table by copying it
    compare_type=True,
    compare_server_default=False,
    render_item=render_item,
)
with context.begin_transaction():
    context.run_migrations()
