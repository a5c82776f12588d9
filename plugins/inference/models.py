"""Tables of the gateway: keys, models and the upstreams that serve them, calls."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from hub.plugin.db import Model, RowId, new_uuid


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
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class OwnerBudget(Model):
    """What all keys of a namespace together may spend."""

    __tablename__ = "inference_owner_budgets"

    namespace_id: Mapped[int] = mapped_column(ForeignKey("namespaces.id", ondelete="CASCADE"), primary_key=True)
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
    max_tokens: Mapped[int | None]  # of an answer, where the caller does not say
    input_nano: Mapped[int] = mapped_column(BigInteger)
    cached_nano: Mapped[int] = mapped_column(BigInteger)
    cache_creation_nano: Mapped[int] = mapped_column(BigInteger)
    output_nano: Mapped[int] = mapped_column(BigInteger)
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


class Call(Model):
    """One call of the gateway, for its owner to look at. Of what was said nothing is kept."""

    __tablename__ = "inference_calls"
    __table_args__ = (
        Index(None, "owner_uuid", "started_at", "id"),
        Index(None, "key_id", "started_at"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True, default=new_uuid)  # that of its event of usage
    request_id: Mapped[str] = mapped_column(String(128))
    key_id: Mapped[int] = mapped_column(RowId)
    owner_uuid: Mapped[str] = mapped_column(String(36))
    user_id: Mapped[int | None] = mapped_column(RowId)
    route: Mapped[str] = mapped_column(String(64))
    model: Mapped[str] = mapped_column(String(255))
    upstream_id: Mapped[int | None] = mapped_column(RowId)
    provider: Mapped[str] = mapped_column(String(64))
    is_stream: Mapped[bool]
    status: Mapped[int]
    error_code: Mapped[str] = mapped_column(String(64))
    finish_reason: Mapped[str] = mapped_column(String(32))
    prompt_tokens: Mapped[int] = mapped_column(BigInteger)
    cached_tokens: Mapped[int] = mapped_column(BigInteger)
    completion_tokens: Mapped[int] = mapped_column(BigInteger)
    usage_source: Mapped[str] = mapped_column(String(16))  # "upstream", "estimate", or "" where nothing was used
    cost_nano: Mapped[int] = mapped_column(BigInteger)
    attempts: Mapped[int]
    first_byte_ms: Mapped[int | None]
    latency_ms: Mapped[int]
    overhead_ms: Mapped[int]  # what of it was the gateway's own
    started_at: Mapped[datetime]
