"""The second factor of accounts: its secret, recovery codes, remembered devices."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023_second_factors"
down_revision = "0022_orders"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)


def _of_user(table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_user_id_users")
    return sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=name, ondelete="CASCADE")


def upgrade() -> None:
    op.add_column("users", sa.Column("second_factor_at", _TIME, nullable=True))
    op.create_table(
        "second_factors",
        sa.Column("user_id", _ID, nullable=False),
        sa.Column("sealed_secret", sa.Text(), nullable=False),
        sa.Column("last_step", _ID, nullable=False),
        sa.Column("confirmed_at", _TIME, nullable=True),
        sa.Column("created_at", _TIME, nullable=False),
        _of_user("second_factors"),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_second_factors")),
    )
    op.create_table(
        "recovery_codes",
        sa.Column("id", _ID, nullable=False),
        sa.Column("user_id", _ID, nullable=False),
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        _of_user("recovery_codes"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery_codes")),
        sa.UniqueConstraint("user_id", "code_hash", name=op.f("uq_recovery_codes_user_id_code_hash")),
    )
    op.create_table(
        "remembered_devices",
        sa.Column("id", _ID, nullable=False),
        sa.Column("user_id", _ID, nullable=False),
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("user_agent", sa.String(length=255), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        *(sa.Column(name, _TIME, nullable=False) for name in ("created_at", "last_used_at", "expires_at")),
        _of_user("remembered_devices"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_remembered_devices")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_remembered_devices_key_hash")),
    )
    for column in ("user_id", "expires_at"):
        op.create_index(op.f(f"ix_remembered_devices_{column}"), "remembered_devices", [column])


def downgrade() -> None:
    for table in ("remembered_devices", "recovery_codes", "second_factors"):
        op.drop_table(table)
    op.drop_column("users", "second_factor_at")
