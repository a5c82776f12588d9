"""Relations with a type and a pinned commit, relations to what is elsewhere, and runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015_lineage"
down_revision = "0014_activities"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)
_KEPT = "relations_kept"
_UNRESOLVED = sa.text("target_id IS NULL")
# Where relations lead: column, table, and what becomes of the row when that one's goes.
_PLACES = (
    ("source_id", "repositories", "CASCADE"),
    ("target_id", "repositories", "SET NULL"),
    ("run_id", "runs", "SET NULL"),
)

# What the relations from before have become; the next reading of the card says it better.
_TYPE = """CASE
    WHEN s.kind = 'model' AND t.kind = 'model' THEN 'finetune'
    WHEN s.kind = 'model' AND t.kind = 'dataset' THEN 'trained_on'
    WHEN s.kind = 'dataset' AND t.kind = 'dataset' THEN 'derived_from'
    ELSE 'uses' END"""


def _foreign_key(table: str, column: str, other: str, ondelete: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{column}_{other}")
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=name, ondelete=ondelete)


def _keep_relations() -> None:
    """The rows aside: names of keys are those of the table, and cannot be two tables' at once."""
    op.execute(
        f"CREATE TABLE {_KEPT} AS SELECT source_id, target_id, origin, created_at FROM repository_relations"  # noqa: S608
    )
    op.drop_table("repository_relations")


def _create_runs() -> None:
    op.create_table(
        "runs",
        sa.Column("id", _ID, nullable=False),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("client_id", sa.String(length=64), nullable=True),
        sa.Column("type", sa.String(length=32), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("namespace_id", _ID, nullable=False),
        sa.Column("created_by_id", _ID, nullable=True),
        sa.Column("is_private", sa.Boolean(), nullable=False),
        sa.Column("is_trusted", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        *(sa.Column(name, sa.JSON(), nullable=False) for name in ("parameters", "environment", "metrics")),
        sa.Column("log_url", sa.String(length=2000), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("started_at", _TIME, nullable=True),
        sa.Column("finished_at", _TIME, nullable=True),
        sa.Column("updated_at", _TIME, nullable=False),
        _foreign_key("runs", "namespace_id", "namespaces", "CASCADE"),
        _foreign_key("runs", "created_by_id", "users", "SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
        sa.UniqueConstraint("uuid", name=op.f("uq_runs_uuid")),
        sa.UniqueConstraint("namespace_id", "client_id", name=op.f("uq_runs_namespace_id_client_id")),
    )
    for columns in (["namespace_id", "id"], ["type", "state", "id"], ["created_by_id", "id"]):
        op.create_index(op.f(f"ix_runs_{'_'.join(columns)}"), "runs", columns)
    op.create_table(
        "run_links",
        sa.Column("id", _ID, nullable=False),
        sa.Column("run_id", _ID, nullable=False),
        sa.Column("is_output", sa.Boolean(), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("repository_id", _ID, nullable=True),
        sa.Column("commit_id", sa.String(length=64), nullable=False),
        sa.Column("path", sa.String(length=1024), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("is_own", sa.Boolean(), nullable=False),
        _foreign_key("run_links", "run_id", "runs", "CASCADE"),
        _foreign_key("run_links", "repository_id", "repositories", "SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run_links")),
    )
    op.create_index(op.f("ix_run_links_run_id"), "run_links", ["run_id"])
    op.create_index(op.f("ix_run_links_repository_id_run_id"), "run_links", ["repository_id", "run_id"])


def upgrade() -> None:
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    _create_runs()
    _keep_relations()
    op.create_table(
        "repository_relations",
        sa.Column("id", _ID, nullable=False),
        sa.Column("source_id", _ID, nullable=False),
        sa.Column("target_id", _ID, nullable=True),
        sa.Column("type", sa.String(length=16), nullable=False),
        sa.Column("named_kind", sa.String(length=32), nullable=False),
        sa.Column("named", sa.String(length=129), nullable=False),
        sa.Column("named_key", sa.String(length=129), nullable=False),
        sa.Column("is_said", sa.Boolean(), nullable=False),
        sa.Column("read_as", sa.String(length=16), nullable=False),
        sa.Column("run_id", _ID, nullable=True),
        sa.Column("is_trusted", sa.Boolean(), nullable=False),
        sa.Column("is_denied", sa.Boolean(), nullable=False),
        sa.Column("source_commit", sa.String(length=64), nullable=False),
        sa.Column("target_commit", sa.String(length=64), nullable=False),
        sa.Column("note", sa.String(length=500), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        # SQLite takes none later.
        *([] if is_postgresql else [_foreign_key("repository_relations", *place) for place in _PLACES]),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_repository_relations")),
        sa.UniqueConstraint(
            "source_id", "target_id", "type", name=op.f("uq_repository_relations_source_id_target_id_type")
        ),
    )
    op.create_table(
        "run_relations",
        sa.Column("run_id", _ID, nullable=False),
        sa.Column("relation_id", _ID, nullable=False),
        sa.Column("source_commit", sa.String(length=64), nullable=False),
        sa.Column("target_commit", sa.String(length=64), nullable=False),
        _foreign_key("run_relations", "run_id", "runs", "CASCADE"),
        _foreign_key("run_relations", "relation_id", "repository_relations", "CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "relation_id", name=op.f("pk_run_relations")),
    )
    op.create_index(op.f("ix_run_relations_relation_id_run_id"), "run_relations", ["relation_id", "run_id"])
    op.execute(
        "INSERT INTO repository_relations (source_id, target_id, type, named_kind, named, named_key, is_said, read_as,"  # noqa: S608
        " is_trusted, is_denied, source_commit, target_commit, note, created_at)"
        f" SELECT k.source_id, k.target_id, {_TYPE}, '', '', '', k.origin = 'person',"
        " CASE WHEN k.origin = 'card' THEN 'card' ELSE '' END, false, false, '', '', '', k.created_at"
        f" FROM {_KEPT} k JOIN repositories s ON s.id = k.source_id JOIN repositories t ON t.id = k.target_id"
    )
    op.drop_table(_KEPT)
    # Of many rows, keys are checked and indexes made at once in less time than row by row.
    if is_postgresql:
        for column, other, ondelete in _PLACES:
            name = op.f(f"fk_repository_relations_{column}_{other}")
            op.create_foreign_key(name, "repository_relations", other, [column], ["id"], ondelete=ondelete)
    op.create_index(
        op.f("ix_repository_relations_target_id_type_source_id"),
        "repository_relations",
        ["target_id", "type", "source_id"],
    )
    op.create_index(op.f("ix_repository_relations_run_id"), "repository_relations", ["run_id"])
    op.create_index(
        op.f("ix_repository_relations_named_kind_named_key"), "repository_relations", ["named_kind", "named_key"]
    )
    op.create_index(
        "ix_repository_relations_unresolved",
        "repository_relations",
        ["named_kind", "named_key"],
        sqlite_where=_UNRESOLVED,
        postgresql_where=_UNRESOLVED,
    )


def downgrade() -> None:
    op.drop_table("run_relations")
    op.execute(
        f"CREATE TABLE {_KEPT} AS SELECT source_id, target_id,"  # noqa: S608
        " MIN(CASE WHEN is_said THEN 'person' ELSE 'card' END) AS origin, MIN(created_at) AS created_at"
        " FROM repository_relations WHERE target_id IS NOT NULL AND NOT is_denied AND run_id IS NULL"
        " GROUP BY source_id, target_id"
    )
    op.drop_table("repository_relations")
    op.create_table(
        "repository_relations",
        sa.Column("source_id", _ID, nullable=False),
        sa.Column("target_id", _ID, nullable=False),
        sa.Column("origin", sa.String(length=16), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        _foreign_key("repository_relations", "source_id", "repositories", "CASCADE"),
        _foreign_key("repository_relations", "target_id", "repositories", "CASCADE"),
        sa.PrimaryKeyConstraint("source_id", "target_id", name=op.f("pk_repository_relations")),
    )
    op.create_index(op.f("ix_repository_relations_target_id"), "repository_relations", ["target_id"])
    op.execute(
        "INSERT INTO repository_relations (source_id, target_id, origin, created_at)"  # noqa: S608
        f" SELECT source_id, target_id, origin, created_at FROM {_KEPT}"
    )
    op.drop_table(_KEPT)
    op.drop_table("run_links")
    op.drop_table("runs")
