"""The end of each call: what it used is written down, once, and what was held for it is given back."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from hub.plugin import Context
from hub.plugin.metering import Usage, write_usage
from plugins.inference.catalogue import Served, Server
from plugins.inference.gateway.admission import Admission, Admitter
from plugins.inference.gateway.usage import Use
from plugins.inference.keys import Bearer
from plugins.inference.models import Call

# Source: gateway contract, section 1.5: a client that has hung up is in the log only.
CLIENT_GONE = 499
_MAX_CODE, _MAX_REASON = 64, 32


@dataclass(frozen=True)
class Booking:
    """How a call is booked, where that is not as all are.

    event_id: of its event, so that the same work is never counted twice. percent: of the price that is asked. write:
    takes what ``write_usage`` takes, to write it together with rows of its own.
    """

    event_id: str = ""
    percent: int = 100
    write: Callable[..., None] = write_usage


USUAL = Booking()


@dataclass
class Ledger:
    """One call under way, from its admission on. ``finish`` it, whatever happens; a second time does nothing."""

    context: Context
    admitter: Admitter
    admission: Admission
    bearer: Bearer
    model: Served
    route: str
    request_id: str
    is_stream: bool
    started_at: datetime
    started_s: float = field(default_factory=time.perf_counter)
    booking: Booking = USUAL
    server: Server | None = None
    served: Served | None = None  # the model that answered: another one after a fallback
    attempts: int = 0
    upstream_s: float = 0.0  # spent in waiting for upstreams
    first_byte_s: float | None = None
    finish_reason: str = ""
    cost_nano: int = 0
    _is_finished: bool = False

    def mark_first_byte(self) -> None:
        """The client is about to be sent something of the answer."""
        if self.first_byte_s is None:
            self.first_byte_s = time.perf_counter() - self.started_s

    def finish(self, use: Use, *, status: int = 200, error_code: str = "") -> None:
        """Return when it is safe on disk what was used. Raises what keeps the database from taking it."""
        if self._is_finished:
            return
        self._is_finished = True
        prices = (self.served or self.model).prices
        self.cost_nano = use.cost_nano(prices) * self.booking.percent // 100
        try:
            self._write(use, status, error_code)
        finally:
            self.admitter.settle(self.admission, tokens=use.total, cost_nano=self.cost_nano)

    def _write(self, use: Use, status: int, error_code: str) -> None:
        id = (self.booking.event_id if use.source else "") or str(uuid.uuid4())
        call = self._row_of(use, status, error_code) | {"uuid": id}
        usages = [self._event_of(use, id)] if use.source else []
        self.booking.write(self.context, *usages, beside={Call: [call]})

    def _event_of(self, use: Use, id: str) -> Usage:
        served, server, measure = self.served or self.model, self.server, use.measure
        details = {"provider": self._provider, "model_name": server.model_name if server else "", "route": self.route}
        details |= measure.details
        if use.source != "upstream":
            details["usage_source"] = use.source
        return Usage(
            id,
            self.bearer.owner_uuid,
            measure.scene,
            measure.unit,
            measure.quantity,
            self.started_at,
            resource_id=f"{served.llm_type}/{served.name}"[:255],
            resource_name=served.name,
            customer_id=served.name,
            user_id=self.bearer.user_id,
            token_id=self.bearer.key_id,
            tokens=measure.tokens,
            details=details,
        )

    def _row_of(self, use: Use, status: int, error_code: str) -> dict[str, object]:
        taken_s, tokens = time.perf_counter() - self.started_s, use.measure.tokens
        return {
            "request_id": self.request_id,
            "key_id": self.bearer.key_id,
            "owner_uuid": self.bearer.owner_uuid,
            "user_id": self.bearer.user_id,
            "route": self.route,
            "model": self.model.name,
            "upstream_id": self.server.id if self.server else None,
            "provider": self._provider,
            "is_stream": self.is_stream,
            "status": status,
            "error_code": error_code[:_MAX_CODE],
            "finish_reason": self.finish_reason[:_MAX_REASON],
            "prompt_tokens": tokens.prompt,
            "cached_tokens": tokens.cached,
            "completion_tokens": tokens.completion,
            "usage_source": use.source,
            "cost_nano": self.cost_nano,
            "attempts": self.attempts,
            "first_byte_ms": None if self.first_byte_s is None else round(self.first_byte_s * 1000),
            "latency_ms": round(taken_s * 1000),
            "overhead_ms": max(0, round((taken_s - self.upstream_s) * 1000)),
            "started_at": self.started_at,
        }

    @property
    def _provider(self) -> str:
        served = self.served or self.model
        return (self.server.provider if self.server else "") or served.provider

    def headers(self) -> list[tuple[str, str]]:
        """What every answer tells of its call. Source: gateway contract, section 1.6."""
        overhead_ms = (time.perf_counter() - self.started_s - self.upstream_s) * 1000
        headers = [
            *self.admission.headers,
            ("x-gateway-model-id", (self.served or self.model).name),
            ("x-gateway-attempted-retries", str(max(0, self.attempts - 1))),
            ("x-gateway-attempted-fallbacks", str(int(self.served is not None and self.served is not self.model))),
            ("x-gateway-overhead-duration-ms", f"{max(overhead_ms, 0):.2f}"),
        ]
        if self.server is not None:
            headers.append(("x-gateway-upstream", str(self.server.id)))
        return headers
