"""Calls and sums of them in the contract's words. Source: gateway contract, section 1.6."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from plugins.inference.models import Call
from plugins.inference.spending import Group


def describe_call(call: Call, key_name: str, currency: str) -> dict[str, Any]:
    """A call in the contract's words."""
    milliseconds = timedelta(milliseconds=1)
    return {
        "uuid": call.uuid,
        "request_id": call.request_id,
        "ts_start": call.started_at,
        "ts_first_byte": (None if call.first_byte_ms is None else call.started_at + call.first_byte_ms * milliseconds),
        "ts_end": call.started_at + call.latency_ms * milliseconds,
        "key_id": call.key_id,
        "key_name": key_name,
        "ns_uuid": call.owner_uuid,
        "user_id": call.user_id,
        "end_user": call.end_user,
        "tags": call.tags,
        "route": call.route,
        "requested_model": call.model,
        "upstream_id": call.upstream_id,
        "provider": call.provider,
        "upstream_model": call.upstream_model,
        "stream": call.is_stream,
        "status": call.status,
        "error_code": call.error_code,
        "finish_reason": call.finish_reason,
        "prompt_tokens": call.prompt_tokens,
        "cached_tokens": call.cached_tokens,
        "cache_creation_tokens": call.cache_creation_tokens,
        "completion_tokens": call.completion_tokens,
        "reasoning_tokens": call.reasoning_tokens,
        "unit": call.unit,
        "quantity": call.quantity,
        "usage_source": call.usage_source,
        "cost_nano": call.cost_nano,
        "currency": currency,
        "retries": max(call.attempts - 1 - call.fallbacks, 0),
        "fallbacks": call.fallbacks,
        "ttft_ms": call.first_byte_ms,
        "latency_ms": call.latency_ms,
        "overhead_ms": call.overhead_ms,
    }


def describe_group(group: Group, currency: str) -> dict[str, Any]:
    """The sums of a group in the words of the answer."""
    return {"group": group.name, "title": group.title, **vars(group.sums), "currency": currency}
