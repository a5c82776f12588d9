"""Asking upstreams, one after the other, until one answers. Source: gateway contract, sections 1.3 and 1.4."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial

import msgspec

from hub.plugin import Context, get_logger
from hub.plugin.errors import Invalid
from hub.plugin.outgoing import Exchange, NoAnswer, Patience, get_channels, get_own_channels
from plugins.inference.alerts import tell_of_upstream
from plugins.inference.catalogue import Served, Server
from plugins.inference.gateway import faults
from plugins.inference.gateway.asking import beside
from plugins.inference.gateway.calls import JsonPayload, Spoken
from plugins.inference.gateway.draining import Watch, drain_s_of
from plugins.inference.gateway.faults import LIMITED, TOO_LONG, Fault
from plugins.inference.gateway.ledger import Ledger
from plugins.inference.gateway.routing import Router, endpoint_of, host_of, retry_after_of
from plugins.inference.gateway.tokenizers import Counter, find_tokenizer
from plugins.inference.settings import InferenceSettings

log = get_logger(__name__)

MAX_ERROR_BYTES = 64 * 1024
# What is made later, such as a video, is only accepted for now.
_GOOD = frozenset({200, 201, 202})
# The request itself is at fault; of what is too large (413) others may take more.
_AT_FAULT = frozenset({400, 413, 422})
# What a client may ask for in seconds, up to what is set: the time that the call takes. Source: section 1.4.
_TIMEOUT = "x-gateway-timeout"
# How engines and providers say that a request is too long, where they have no code for it.
_TOO_LONG = re.compile(
    r"(maximum|available|model's) context (length|size|window)|exceeds? (the )?context (length|limit|size|window)"
    r"|exceed_context_size|maximum model length|prompt is too long|must have less than \d+ tokens"
    r"|tokens.? \+ .?max_new_tokens|input token count",
    re.IGNORECASE,
)
# Whoever has no room for so short a time is asked again where nobody else can be. Source: section 1.3.
_MAX_PAUSE_S = 2
_LOOK_S = 0.5
_TO_UPSTREAM = ("openai-beta", "accept-language")
_MAX_MESSAGE_CHARS = 2000


class Forwarder:
    """Sends calls on, for one process."""

    def __init__(self, context: Context, settings: InferenceSettings, router: Router) -> None:
        self._context = context
        self._channels = get_channels(context)
        self._own_channels = get_own_channels(context)
        self._settings = settings
        self._router = router

    def open(
        self,
        ledger: Ledger,
        choices: Iterator[tuple[Served, Server]],
        speak: Callable[[Server], Spoken],
        headers: Mapping[str, str],
        watch: Watch,
        *,
        roomier: Iterator[tuple[Served, Server]],
    ) -> Exchange:
        """The answer of the first upstream that gives one; its body is yet to be read.

        speak: what an upstream is asked; it may raise Fault. watch: raises ClientGone; it is asked before each attempt
        and while nothing comes. roomier: who is asked when the request is too long for the others.
        Raises Fault when nobody answers.
        """
        ask = partial(self._ask, ledger, speak=speak, headers=headers, watch=watch)
        found = self._try_each(ledger, choices, ask)
        if isinstance(found, Fault) and found.code == TOO_LONG:
            longer = self._try_each(ledger, roomier, ask)
            found = longer if isinstance(longer, Exchange) else found
        if isinstance(found, Fault):
            raise found
        if found is not None:
            return found
        if ledger.admission.shut:
            raise faults.upstream_limited(min(ledger.admission.shut.values()))
        raise faults.not_running(ledger.model.name) if not ledger.model.servers else faults.all_unavailable()

    def _try_each(
        self, ledger: Ledger, choices: Iterator[tuple[Served, Server]], ask: Callable[..., Exchange]
    ) -> Exchange | Fault | None:
        """The first answer, or why the last one failed; None when there was nobody to ask."""
        last: Fault | None = None
        asked = 0
        for served, server in choices:
            if ledger.attempts >= self._settings.max_attempts:
                self._router.forget_try(server)
                break
            asked += 1
            found = self._try(ledger, served, server, ask)
            if isinstance(found, Exchange):
                return found
            last = found
            if last.status < 429 and last.status != 413:
                return last
        if asked == 1 and last is not None and last.code == LIMITED and ledger.served and ledger.server:
            # Nobody else could be asked; it may say that it will have room in a moment.
            pause_s, has_more = last.retry_after_s, ledger.attempts < self._settings.max_attempts
            if pause_s is not None and pause_s <= _MAX_PAUSE_S and has_more:
                return self._try(ledger, ledger.served, ledger.server, ask, pause_s=pause_s)
        return last

    def _try(
        self, ledger: Ledger, served: Served, server: Server, ask: Callable[..., Exchange], *, pause_s: float = 0.0
    ) -> Exchange | Fault:
        if served.name != (ledger.served or ledger.model).name:
            ledger.fallbacks += 1
        ledger.served, ledger.server = served, server
        self._router.enter(server)
        try:
            exchange = ask(server, pause_s=pause_s)
        except Fault as fault:
            self._router.leave(server)
            if fault.status < 429:
                self._router.forget_try(server)
            return fault
        except BaseException:
            # The client hung up: this says nothing of the upstream, which may be tried by the next call.
            self._router.leave(server)
            self._router.forget_try(server)
            raise
        ledger.at_end.append(partial(self._router.leave, server))
        return exchange

    def _ask(
        self,
        ledger: Ledger,
        server: Server,
        *,
        speak: Callable[[Server], Spoken],
        headers: Mapping[str, str],
        watch: Watch,
        pause_s: float,
    ) -> Exchange:
        watch.begin()
        while pause_s > 0:
            time.sleep(min(pause_s, _LOOK_S))
            ledger.upstream_s += min(pause_s, _LOOK_S)
            pause_s -= _LOOK_S
            watch()
        try:
            patience, is_hurried = self._patience_of(ledger, headers)
        except Fault:
            self._router.forget_try(server)
            raise
        ledger.attempts += 1
        spoken = speak(server)
        payload = spoken.payload.encode(server.model_name)
        sent = {"Content-Type": payload.content_type, "X-Request-Id": ledger.request_id, **server.headers}
        sent |= {name: value for name in _TO_UPSTREAM if (value := headers.get(name))}
        sent |= beside(spoken.headers, sent)
        url = endpoint_of(server.url, spoken.route)
        began_s = time.perf_counter()
        served = ledger.served or ledger.model
        watch.drain_s = drain_s_of(served, server, self._settings, is_stream=ledger.is_stream)
        try:
            channels = self._own_channels if server.is_own else self._channels
            exchange = channels.open(
                "POST",
                url,
                headers=sent,
                body=payload.body,
                size_bytes=payload.size_bytes,
                patience=patience,
                while_waiting=watch,
            )
        except Invalid as error:
            log.error("upstream_refused", upstream_id=server.id, host=host_of(url), reason=str(error))
            self._router.tell(server, is_good=False)
            raise faults.upstream_failed() from error
        except NoAnswer as error:
            log.warning("upstream_silent", upstream_id=server.id, host=host_of(url), reason=str(error))
            if error.is_late and is_hurried:
                # Whoever is in a hurry says nothing of how the upstream is.
                self._router.forget_try(server)
            else:
                self._router.tell(server, is_good=False)
            raise faults.no_answer(error) from error
        finally:
            ledger.upstream_s += time.perf_counter() - began_s
        if exchange.status in _GOOD:
            self._router.tell(server, is_good=True, seconds=time.perf_counter() - began_s)
            tokenizer = find_tokenizer(self._context, served, server)
            if tokenizer is not None and isinstance(spoken.payload, JsonPayload):
                ledger.counter = Counter(tokenizer, spoken.payload.data)
            return spoken.hear(exchange) if spoken.hear is not None else exchange
        with exchange:
            raise self._fault_of(server, exchange)

    def _patience_of(self, ledger: Ledger, headers: Mapping[str, str]) -> tuple[Patience, bool]:
        """How long an upstream is waited for, and whether the client wants it to be less than is set. Raises Fault."""
        settings = self._settings
        most_s: float = settings.stream_timeout_s if ledger.is_stream else settings.answer_timeout_s
        wanted = headers.get(_TIMEOUT)
        if wanted is None:
            return Patience(settings.connect_timeout_s, most_s, settings.pause_timeout_s), False
        try:
            wanted_s = float(wanted)
        except ValueError:
            wanted_s = 0.0
        if not wanted_s > 0:
            raise faults.bad_request(f"The header {_TIMEOUT} is a number of seconds.", param=_TIMEOUT)
        # Of all attempts together.
        left_s = wanted_s - (time.perf_counter() - ledger.started_s)
        if left_s <= 0:
            raise faults.upstream_late()
        connect_s, pause_s = min(settings.connect_timeout_s, left_s), min(settings.pause_timeout_s, wanted_s)
        return Patience(connect_s, min(most_s, left_s), pause_s), left_s < most_s

    def _fault_of(self, server: Server, exchange: Exchange) -> Fault:
        status = exchange.status
        try:
            body, _ = exchange.read(MAX_ERROR_BYTES, timeout_s=5.0)
        except NoAnswer:
            body = b""
        if status in _AT_FAULT:
            self._router.tell(server, is_good=True)
            return _as_said(status, body)
        retry_after_s = retry_after_of(exchange.headers) if status == 429 else None
        self._router.tell(server, is_good=False, retry_after_s=retry_after_s)
        log.warning("upstream_failed", upstream_id=server.id, status=status)
        if status in (401, 403, 404):
            tell_of_upstream(self._context, server.id, status)
        if status == 429:
            return faults.upstream_limited(None if retry_after_s is None else int(retry_after_s))
        if status in (401, 403):
            log.error("upstream_key_refused", upstream_id=server.id, status=status)
            return faults.upstream_refused_key()
        if status in (408, 504):
            return faults.upstream_late()
        return faults.upstream_failed()


def _as_said(status: int, body: bytes) -> Fault:
    """The upstream's words on a request that is at fault, in the gateway's shape."""
    try:
        said = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        said = None
    error = said.get("error", said) if isinstance(said, dict) else None
    if isinstance(error, str):
        error = {"message": error}
    if not isinstance(error, dict):
        error = {}
    message, code, param, kind = (error.get(name) for name in ("message", "code", "param", "type"))
    is_too_long = any(isinstance(text, str) and _TOO_LONG.search(text[:_MAX_MESSAGE_CHARS]) for text in (message, kind))
    if is_too_long:
        status, code = 400, TOO_LONG
    return Fault(
        400 if status == 422 else status,
        "invalid_request_error",
        code if isinstance(code, str) and len(code) <= 64 else "invalid_request_error",
        message[:_MAX_MESSAGE_CHARS] if isinstance(message, str) and message else "The request was not understood.",
        param=param if isinstance(param, str) and len(param) <= 256 else None,
    )
