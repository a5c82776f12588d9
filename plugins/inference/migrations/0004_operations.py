"""What operating the gateway takes: more limits, more of each call, sums of days, alerts."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004_inference_operations"
down_revision = "0001_inference"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)
_NONE, _EMPTY, _ZERO = sa.text("'[]'"), sa.text("'{}'"), sa.text("0")

_CALLS_INDEXES = (("started_at", "id"), ("request_id",))


def _added() -> dict[str, list[sa.Column[Any]]]:
    """New columns of tables that were there; the defaults are for their rows."""

    def number(name: str, default: str = "0") -> sa.Column[Any]:
        return sa.Column(name, sa.BigInteger(), nullable=False, server_default=sa.text(default))

    def words(name: str, length: int, default: str = "") -> sa.Column[Any]:
        return sa.Column(name, sa.String(length), nullable=False, server_default=default)

    def json(name: str, default: Any) -> sa.Column[Any]:
        return sa.Column(name, sa.JSON(), nullable=False, server_default=default)

    def flag(name: str, default: Any) -> sa.Column[Any]:
        return sa.Column(name, sa.Boolean(), nullable=False, server_default=default)

    def limit(name: str) -> sa.Column[Any]:
        return sa.Column(name, sa.Integer(), nullable=True)

    return {
        "keys": [
            json("allowed_routes", _NONE),
            json("allowed_ips", _NONE),
            json("aliases", _EMPTY),
            json("model_limits", _EMPTY),
            json("tags", _NONE),
            json("details", _EMPTY),
            flag("is_blocked", sa.false()),
        ],
        "owner_budgets": [limit("request_limit"), limit("token_limit")],
        "models": [json("context_fallbacks", _NONE)],
        "upstreams": [
            json("limit_policy", _EMPTY),
            flag("checks_health", sa.false()),
            flag("breaks_circuit", sa.true()),
            sa.Column("drain_s", sa.Integer(), nullable=False, server_default=_ZERO),
        ],
        "calls": [
            words("end_user", 128),
            json("tags", _NONE),
            words("upstream_model", 255),
            number("cache_creation_tokens"),
            number("reasoning_tokens"),
            words("unit", 16, "token"),
            number("quantity"),
            sa.Column("fallbacks", sa.Integer(), nullable=False, server_default=_ZERO),
        ],
    }


def _of(type: Any, *names: str, nullable: bool = False) -> list[sa.Column[Any]]:
    return [sa.Column(name, type, nullable=nullable) for name in names]


def _text(length: int, *names: str) -> list[sa.Column[Any]]:
    return _of(sa.String(length), *names)


def _keyed(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*(columns or ("id",)), name=op.f(f"pk_inference_{table}"))


def _to(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_inference_{table}_{column}_{target}")
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=name, ondelete="CASCADE")


def _index(table: str, *columns: str) -> None:
    op.create_index(op.f(f"ix_inference_{table}_{'_'.join(columns)}"), f"inference_{table}", [*columns])


def upgrade() -> None:
    for table, columns in _added().items():
        for column in columns:
            op.add_column(f"inference_{table}", column)
    for names in _CALLS_INDEXES:
        _index("calls", *names)
    op.create_table(
        "inference_member_budgets",
        *_of(_ID, "namespace_id", "user_id"),
        *_of(sa.JSON(), "budgets"),
        *_of(_TIME, "updated_at"),
        _keyed("member_budgets", "namespace_id", "user_id"),
        _to("member_budgets", "namespace_id", "namespaces"),
        _to("member_budgets", "user_id", "users"),
    )
    _index("member_budgets", "user_id")
    op.create_table(
        "inference_spent_days",
        *_of(_ID, "id"),
        *_of(sa.Date(), "day"),
        *_text(36, "owner_uuid"),
        *_of(_ID, "key_id"),
        *_of(_ID, "user_id", nullable=True),
        *_text(255, "model"),
        *_text(64, "route"),
        *_of(sa.BigInteger(), "calls", "failed", "prompt_tokens", "cached_tokens", "completion_tokens", "cost_nano"),
        _keyed("spent_days"),
    )
    for names in (("owner_uuid", "day"), ("key_id", "day"), ("day",)):
        _index("spent_days", *names)
    op.create_table(
        "inference_spent_until",
        *_of(sa.Integer(), "id"),
        *_of(sa.Date(), "summed_before", "swept_before"),
        _keyed("spent_until"),
    )
    op.create_table(
        "inference_alerts",
        *_of(_ID, "id"),
        *_text(16, "kind"),
        *_text(64, "whose"),
        *_text(8, "period"),
        *_of(_TIME, "started_at"),
        *_text(16, "threshold"),
        *_of(_TIME, "created_at"),
        _keyed("alerts"),
    )
    about = ["kind", "whose", "period", "started_at", "threshold"]
    op.create_index("uq_inference_alerts_about", "inference_alerts", about, unique=True)
    _index("alerts", "created_at")


def downgrade() -> None:
    for table in ("alerts", "spent_until", "spent_days", "member_budgets"):
        op.drop_table(f"inference_{table}")
    for names in _CALLS_INDEXES:
        op.drop_index(op.f(f"ix_inference_calls_{'_'.join(names)}"), "inference_calls")
    for table, columns in _added().items():
        with op.batch_alter_table(f"inference_{table}") as batch:
            for column in columns:
                batch.drop_column(column.name)
