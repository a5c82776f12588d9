"""The end of each call: what it used is written down, once, and what was held for it is given back."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from hub.plugin import Context
from hub.plugin.metering import Usage, write_usage
from plugins.inference.catalogue import Served, Server
from plugins.inference.gateway.admission import Admission, Admitter
from plugins.inference.gateway.late import AWAY, LateCalls
from plugins.inference.gateway.usage import ESTIMATE, Heard, TokenUse, Use
from plugins.inference.keys import Bearer
from plugins.inference.metrics import Recorder, Seen
from plugins.inference.models import Call

if TYPE_CHECKING:
    from plugins.inference.gateway.tokenizers import Counter

# Source: gateway contract, section 1.5: a client that has hung up is in the log only.
CLIENT_GONE = 499
_MAX_CODE, _MAX_REASON, _MAX_END_USER = 64, 32, 128


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
    recorder: Recorder | None = None
    late: LateCalls | None = None
    end_user: str = ""
    server: Server | None = None
    served: Served | None = None  # the model that answered: another one after a fallback
    attempts: int = 0
    upstream_s: float = 0.0  # spent in waiting for upstreams
    first_byte_s: float | None = None
    finish_reason: str = ""
    cost_nano: int = 0
    fallbacks: int = 0  # models that stood in, one after the other
    spent_nano: int | None = None  # by the key in the period of its first budget, once the call is settled
    at_end: list[Callable[[], None]] = field(default_factory=list)
    is_left: bool = False  # its client has hung up, and the rest was read without
    counter: Counter | None = None  # of whoever answers, where nobody tells what was used
    _is_finished: bool = False

    @property
    def is_finished(self) -> bool:
        """Whether the call is in its account, or was meant to be."""
        return self._is_finished

    def mark_first_byte(self) -> None:
        """The client is about to be sent something of the answer."""
        if self.first_byte_s is None:
            self.first_byte_s = time.perf_counter() - self.started_s

    def hear(self) -> Heard:
        """For what is going to be said: the texts are kept where somebody can count their tokens."""
        return Heard(texts=None if self.counter is None else [])

    def count(self, use: TokenUse, heard: Heard) -> TokenUse:
        """What was used, as whoever answered counts it where that is an estimate. Before ``finish``."""
        if self.counter is None or use.source != ESTIMATE or self._is_finished:
            return use
        return self.counter.count(use, heard)

    def finish(self, use: Use, *, status: int = 200, error_code: str = "") -> None:
        """Return when it is safe on disk what was used. Raises what keeps it from being so."""
        if self._is_finished:
            return
        self._is_finished = True
        if self.is_left and status == 200:
            status, error_code = CLIENT_GONE, "client_disconnected"
        prices = (self.served or self.model).prices
        self.cost_nano = use.cost_nano(prices) * self.booking.percent // 100
        try:
            self._write(use, status, error_code)
        finally:
            self.spent_nano = self.admitter.settle(
                self.admission,
                tokens=use.total,
                cost_nano=self.cost_nano,
                server=self.server,
                counted=use.measure.tokens if use.source else None,
            )
            for tell in self.at_end:
                tell()
            if self.recorder is not None:
                self.recorder.end(self.model.name, self._seen(use, status))

    def _seen(self, use: Use, status: int) -> Seen:
        taken_s, tokens = time.perf_counter() - self.started_s, use.measure.tokens
        return Seen(
            (self.model.name, self._provider, self.route, str(status), str(self.bearer.key_id)),
            taken_s,
            max(taken_s - self.upstream_s, 0.0),
            self.first_byte_s,
            tokens.prompt,
            tokens.cached,
            tokens.completion,
            self.cost_nano,
            max(self.attempts - 1 - self.fallbacks, 0),
            self.fallbacks,
        )

    def _write(self, use: Use, status: int, error_code: str) -> None:
        id = self.admission.id if use.source or not self.booking.event_id else str(uuid.uuid4())
        call = self._row_of(use, status, error_code) | {"uuid": id}
        usages = [self._event_of(use, id, status)] if use.source else []
        try:
            self.booking.write(self.context, *usages, beside={Call: [call]})
        except AWAY:
            # What others write together with it is theirs to write again.
            if self.late is None or self.booking.write is not write_usage:
                raise
            self.late.keep(usages, call)

    def _event_of(self, use: Use, id: str, status: int) -> Usage:
        served, server, measure = self.served or self.model, self.server, use.measure
        details = {"provider": self._provider, "model_name": server.model_name if server else "", "route": self.route}
        details |= measure.details
        if status == CLIENT_GONE:
            details["disconnected"] = "true"
        elif status >= 400:
            # It broke off after a part of it had come.
            details["status"] = "partial"
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
        taken_s, measure = time.perf_counter() - self.started_s, use.measure
        tokens = measure.tokens
        return {
            "request_id": self.request_id,
            "key_id": self.bearer.key_id,
            "owner_uuid": self.bearer.owner_uuid,
            "user_id": self.bearer.user_id,
            "end_user": _word(self.end_user, _MAX_END_USER),
            "tags": [*self.bearer.rules.tags],
            "route": self.route,
            "model": self.model.name,
            "upstream_id": self.server.id if self.server else None,
            "provider": self._provider,
            "upstream_model": self.server.model_name if self.server else "",
            "is_stream": self.is_stream,
            "status": status,
            "error_code": _word(error_code, _MAX_CODE),
            "finish_reason": _word(self.finish_reason, _MAX_REASON),
            "prompt_tokens": tokens.prompt,
            "cached_tokens": tokens.cached,
            "cache_creation_tokens": tokens.cache_creation,
            "completion_tokens": tokens.completion,
            "reasoning_tokens": measure.reasoning,
            "unit": measure.unit.value,
            "quantity": measure.quantity,
            "usage_source": use.source,
            "cost_nano": self.cost_nano,
            "attempts": self.attempts,
            "fallbacks": self.fallbacks,
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
        taken_ms = (time.perf_counter() - self.started_s) * 1000
        headers = [
            *self.admission.headers,
            ("x-gateway-model-id", (self.served or self.model).name),
            ("x-gateway-attempted-retries", str(max(0, self.attempts - 1 - self.fallbacks))),
            ("x-gateway-attempted-fallbacks", str(self.fallbacks)),
            ("x-gateway-overhead-duration-ms", f"{max(taken_ms - self.upstream_s * 1000, 0):.2f}"),
            ("x-gateway-response-duration-ms", f"{taken_ms:.2f}"),
        ]
        if self.server is not None:
            headers.append(("x-gateway-upstream", str(self.server.id)))
        return headers


def _word(text: str, longest: int) -> str:
    """As it can be kept: what programs and upstreams say may hold anything."""
    return text[:longest] if text.isprintable() else ""
