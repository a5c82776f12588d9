"""Tables of the gateway: keys, models and the upstreams that serve them, calls."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from hub.plugin.db import Model, RowId, new_uuid
from plugins.inference.deployments import models as _deployments  # noqa: F401 - their tables are the plugin's
from plugins.inference.engines import models as _engines  # noqa: F401
from plugins.inference.files import models as _files  # noqa: F401
from plugins.inference.gateway import video_models as _videos  # noqa: F401


class ApiKey(Model):
    """What a program calls the gateway with, on the account of a namespace. Only a hash of the key is kept."""

    __tablename__ = "inference_keys"
    __table_args__ = (Index("uq_inference_keys_namespace_id_name", "namespace_id", "name", unique=True),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    namespace_id: Mapped[int] = mapped_column(ForeignKey("namespaces.id", ondelete="CASCADE"))
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    name: Mapped[str] = mapped_column(String(64))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)  # SHA-256
    hint: Mapped[str] = mapped_column(String(16))  # its first and last letters, to be told from others
    is_builtin: Mapped[bool]
    is_active: Mapped[bool]
    # Names of models, with "*"; empty: all that its owner may call.
    models: Mapped[list[Any]]
    # Per minute; None: no limit.
    request_limit: Mapped[int | None]
    token_limit: Mapped[int | None]
    parallel_limit: Mapped[int | None]
    budgets: Mapped[list[Any]]  # as ``money.Budget``
    allowed_routes: Mapped[list[Any]] = mapped_column(default=list)  # names of kinds of calls, with "*"; empty: all
    allowed_ips: Mapped[list[Any]] = mapped_column(default=list)  # networks; empty: from anywhere
    aliases: Mapped[dict[str, Any]] = mapped_column(default=dict)  # what the program calls a model -> the model
    model_limits: Mapped[dict[str, Any]] = mapped_column(
        default=dict
    )  # model, with "*" -> {"requests": ..., "tokens": ...} of a minute
    model_budgets: Mapped[dict[str, Any]] = mapped_column(default=dict)  # model, with "*" -> as ``money.Budget``
    tags: Mapped[list[Any]] = mapped_column(default=list)  # words that its calls carry
    details: Mapped[dict[str, Any]] = mapped_column(default=dict)  # whatever its owner notes
    is_blocked: Mapped[bool] = mapped_column(default=False)  # by an administrator of the site; its owner cannot undo it
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class OwnerBudget(Model):
    """What all keys of a namespace together may do and spend. The limits are of a minute; None: no limit."""

    __tablename__ = "inference_owner_budgets"

    namespace_id: Mapped[int] = mapped_column(ForeignKey("namespaces.id", ondelete="CASCADE"), primary_key=True)
    budgets: Mapped[list[Any]]
    request_limit: Mapped[int | None]
    token_limit: Mapped[int | None]
    updated_at: Mapped[datetime]


class MemberBudget(Model):
    """What the keys that a member made for a namespace may spend together."""

    __tablename__ = "inference_member_budgets"

    namespace_id: Mapped[int] = mapped_column(ForeignKey("namespaces.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True)
    budgets: Mapped[list[Any]]
    updated_at: Mapped[datetime]


class ServedModel(Model):
    """A model that the gateway serves. Prices are in billionths of the currency for a token: 150 is 0.15 a million."""

    __tablename__ = "inference_models"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    name: Mapped[str] = mapped_column(String(255), unique=True)  # what clients ask for
    llm_type: Mapped[str] = mapped_column(String(32))
    provider: Mapped[str] = mapped_column(String(64))
    task: Mapped[str] = mapped_column(String(64))
    is_enabled: Mapped[bool]
    # Whose it is alone; None: everybody's.
    namespace_id: Mapped[int | None] = mapped_column(ForeignKey("namespaces.id", ondelete="CASCADE"), index=True)
    repo_path: Mapped[str] = mapped_column(String(255))
    strategy: Mapped[str] = mapped_column(String(32))
    session_header: Mapped[str] = mapped_column(String(64))
    fallbacks: Mapped[list[Any]]  # names of models that serve when none of its upstreams does
    context_fallbacks: Mapped[list[Any]] = mapped_column(
        default=list
    )  # names of models that take what is too long for it
    max_tokens: Mapped[int | None]  # of an answer, where the caller does not say
    input_nano: Mapped[int] = mapped_column(BigInteger)
    cached_nano: Mapped[int] = mapped_column(BigInteger)
    cache_creation_nano: Mapped[int] = mapped_column(BigInteger)
    output_nano: Mapped[int] = mapped_column(BigInteger)
    unit_prices: Mapped[list[Any]] = mapped_column(default=list)  # as ``unit_prices.UnitPrice``
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    upstreams: Mapped[list[Upstream]] = relationship(
        order_by="Upstream.tier, Upstream.id", cascade="all, delete-orphan", passive_deletes=True
    )


class Upstream(Model):
    """A server that serves a model. url: of its API, with or without the route: ``…/v1/chat/completions``, ``…/v1``."""

    __tablename__ = "inference_upstreams"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    model_id: Mapped[int] = mapped_column(ForeignKey("inference_models.id", ondelete="CASCADE"), index=True)
    url: Mapped[str] = mapped_column(String(2048))
    model_name: Mapped[str] = mapped_column(String(255))  # as this server calls it
    provider: Mapped[str] = mapped_column(String(64))
    weight: Mapped[int]
    tier: Mapped[int]  # a smaller one is asked first
    is_enabled: Mapped[bool]
    sealed_headers: Mapped[str] = mapped_column(Text)  # the sealed JSON of what is sent beside; empty: nothing
    protocol: Mapped[str] = mapped_column(String(16), default="openai")  # that it speaks: "openai", "anthropic"
    # How it is asked for responses: "native", "chat_adapter" (as a chat), "disabled" (not at all).
    responses: Mapped[str] = mapped_column(String(16), default="chat_adapter")
    limit_policy: Mapped[dict[str, Any]] = mapped_column(default=dict)  # as ``limiting.Policy``; empty: none
    checks_health: Mapped[bool] = mapped_column(default=False)  # whether it is asked every minute how it is
    breaks_circuit: Mapped[bool] = mapped_column(default=True)  # whether it is left alone once it fails
    drain_s: Mapped[int] = mapped_column(
        default=0
    )  # how long the rest of a stream is read once the client has hung up; 0: it is cut off


class Call(Model):
    """One call of the gateway, for its owner to look at. Of what was said nothing is kept."""

    __tablename__ = "inference_calls"
    __table_args__ = (
        Index(None, "owner_uuid", "started_at", "id"),
        Index(None, "key_id", "started_at"),
        Index(None, "started_at", "id"),
        Index(None, "request_id"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True, default=new_uuid)  # that of its event of usage
    request_id: Mapped[str] = mapped_column(String(128))
    key_id: Mapped[int] = mapped_column(RowId)
    owner_uuid: Mapped[str] = mapped_column(String(36))
    user_id: Mapped[int | None] = mapped_column(RowId)
    end_user: Mapped[str] = mapped_column(String(128))  # for whom, as the program says
    tags: Mapped[list[Any]] = mapped_column(default=list)  # those of the key
    route: Mapped[str] = mapped_column(String(64))
    model: Mapped[str] = mapped_column(String(255))
    upstream_id: Mapped[int | None] = mapped_column(RowId)
    provider: Mapped[str] = mapped_column(String(64))
    upstream_model: Mapped[str] = mapped_column(String(255))  # as that server calls it
    is_stream: Mapped[bool]
    status: Mapped[int]
    error_code: Mapped[str] = mapped_column(String(64))
    finish_reason: Mapped[str] = mapped_column(String(32))
    prompt_tokens: Mapped[int] = mapped_column(BigInteger)
    cached_tokens: Mapped[int] = mapped_column(BigInteger)
    cache_creation_tokens: Mapped[int] = mapped_column(BigInteger)
    completion_tokens: Mapped[int] = mapped_column(BigInteger)
    reasoning_tokens: Mapped[int] = mapped_column(BigInteger)  # of those of the completion
    unit: Mapped[str] = mapped_column(String(16))  # what was metered, as ``hub.plugin.metering.Unit``
    quantity: Mapped[int] = mapped_column(BigInteger)
    usage_source: Mapped[str] = mapped_column(String(16))  # "upstream", "tokenizer", "estimate"; "": nothing used
    cost_nano: Mapped[int] = mapped_column(BigInteger)
    attempts: Mapped[int]
    fallbacks: Mapped[int]  # models that stood in, one after the other
    first_byte_ms: Mapped[int | None]
    latency_ms: Mapped[int]
    overhead_ms: Mapped[int]  # what of it was the gateway's own
    started_at: Mapped[datetime]


class SpentDay(Model):
    """The sums of one day's calls, in UTC. Calls are swept away, sums stay: see ``spending``."""

    __tablename__ = "inference_spent_days"
    __table_args__ = (
        Index(None, "owner_uuid", "day"),
        Index(None, "key_id", "day"),
        Index(None, "day"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    day: Mapped[date]
    owner_uuid: Mapped[str] = mapped_column(String(36))
    key_id: Mapped[int] = mapped_column(RowId)
    user_id: Mapped[int | None] = mapped_column(RowId)
    model: Mapped[str] = mapped_column(String(255))
    route: Mapped[str] = mapped_column(String(64))
    calls: Mapped[int] = mapped_column(BigInteger)
    failed: Mapped[int] = mapped_column(BigInteger)
    prompt_tokens: Mapped[int] = mapped_column(BigInteger)
    cached_tokens: Mapped[int] = mapped_column(BigInteger)
    completion_tokens: Mapped[int] = mapped_column(BigInteger)
    cost_nano: Mapped[int] = mapped_column(BigInteger)


class SpentUntil(Model):
    """How far the sums of days go; one row."""

    __tablename__ = "inference_spent_until"

    id: Mapped[int] = mapped_column(primary_key=True)
    summed_before: Mapped[date]  # earlier days are read from their sums
    swept_before: Mapped[date]  # of earlier days there are no calls any more


class Alert(Model):
    """Somebody was told of something; the unique rule lets it be told once in its period."""

    __tablename__ = "inference_alerts"
    __table_args__ = (
        Index("uq_inference_alerts_about", "kind", "whose", "period", "started_at", "threshold", unique=True),
        Index(None, "created_at"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))  # "key", "model", "owner", "member", "upstream"
    whose: Mapped[str] = mapped_column(String(64))
    period: Mapped[str] = mapped_column(String(8))
    started_at: Mapped[datetime]  # of the period
    threshold: Mapped[str] = mapped_column(String(16))  # "soft 80", "hard 100", "status 401"
    created_at: Mapped[datetime]
