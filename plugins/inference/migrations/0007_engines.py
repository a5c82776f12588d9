"""Engines: the ways in which they come, and what is known of models' files."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007_inference_engines"
down_revision = "0006_inference_protocols"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)


def _of(type: Any, *names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, type, nullable=False) for name in names]


def upgrade() -> None:
    op.create_table(
        "inference_frameworks",
        *_of(_ID, "id"),
        *_of(sa.Integer(), "deploy_type"),
        *_of(sa.String(64), "engine", "version"),
        *_of(sa.String(255), "image"),
        *_of(sa.String(16), "compute_type"),
        *_of(sa.String(64), "driver_version"),
        *_of(sa.Integer(), "container_port"),
        *_of(sa.Text(), "description"),
        *_of(sa.Boolean(), "is_enabled", "is_catalogued"),
        *_of(sa.JSON(), "added_archs", "removed_archs"),
        *_of(_TIME, "created_at", "updated_at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inference_frameworks")),
    )
    columns = ["deploy_type", "engine", "compute_type", "image"]
    op.create_index("uq_inference_frameworks_engine_image", "inference_frameworks", columns, unique=True)
    op.create_table(
        "inference_catalogues",
        *_of(sa.String(64), "digest"),
        *_of(_TIME, "loaded_at"),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_inference_catalogues")),
    )
    op.create_table(
        "inference_scans",
        *_of(_ID, "repository_id"),
        *_of(sa.String(64), "commit_id"),
        *_of(sa.JSON(), "facts", "engines"),
        *_of(sa.Boolean(), "is_fit"),
        *_of(_TIME, "scanned_at"),
        sa.PrimaryKeyConstraint("repository_id", name=op.f("pk_inference_scans")),
        sa.ForeignKeyConstraint(
            ["repository_id"],
            ["repositories.id"],
            name=op.f("fk_inference_scans_repository_id_repositories"),
            ondelete="CASCADE",
        ),
    )


def downgrade() -> None:
    for name in ("inference_scans", "inference_catalogues", "inference_frameworks"):
        op.drop_table(name)
