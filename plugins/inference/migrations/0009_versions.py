"""Versions of deployments: commits of a model that are served beside each other, each by a workload of its own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009_inference_versions"
down_revision = "0008_inference_spending"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)
_TABLE, _DEPLOYMENTS = "inference_deployment_versions", "inference_deployments"


def _to(column: str, target: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{_TABLE}_{column}_{target}")
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=name, ondelete="CASCADE")


def upgrade() -> None:
    op.create_table(
        _TABLE,
        *(sa.Column(name, _ID, nullable=False) for name in ("id", "deployment_id", "workload_id")),
        sa.Column("traffic_percent", sa.Integer(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("deleted_at", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{_TABLE}")),
        _to("deployment_id", _DEPLOYMENTS),
        _to("workload_id", "workloads"),
        sa.UniqueConstraint("workload_id", name=op.f(f"uq_{_TABLE}_workload_id")),
    )
    op.create_index(op.f(f"ix_{_TABLE}_deployment_id"), _TABLE, ["deployment_id"])
    # What there is has one version each, which gets all calls.
    op.execute(
        "INSERT INTO inference_deployment_versions "
        "(deployment_id, workload_id, traffic_percent, created_at, deleted_at) "
        "SELECT id, workload_id, 100, created_at, deleted_at FROM inference_deployments ORDER BY id"
    )
    # A deployment's name for good is that of the workload with which it began.
    op.add_column(_DEPLOYMENTS, sa.Column("svc_name", sa.String(63), nullable=False, server_default=""))
    op.execute(
        "UPDATE inference_deployments SET svc_name = "
        "(SELECT svc_name FROM workloads WHERE workloads.id = inference_deployments.workload_id)"
    )
    op.create_index(op.f(f"ix_{_DEPLOYMENTS}_svc_name"), _DEPLOYMENTS, ["svc_name"])


def downgrade() -> None:
    op.drop_index(op.f(f"ix_{_DEPLOYMENTS}_svc_name"), _DEPLOYMENTS)
    op.drop_column(_DEPLOYMENTS, "svc_name")
    op.drop_table(_TABLE)
