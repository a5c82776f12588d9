"""The gateway's WSGI application. Source of routes: gateway contract, section 1.1."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import msgspec

from hub.plugin import Context, get_logger
from hub.plugin.db import reading, unit_of_work
from hub.plugin.errors import HubError
from hub.plugin.settings import settings_of
from plugins.inference.catalogue import Served, Server, find_served, list_served
from plugins.inference.gateway import faults, wire
from plugins.inference.gateway.admission import Admitter
from plugins.inference.gateway.answers import Relay, finish_answer, read_answer
from plugins.inference.gateway.faults import ClientGone, Fault
from plugins.inference.gateway.forwarding import Forwarder
from plugins.inference.gateway.ledger import CLIENT_GONE, Ledger
from plugins.inference.gateway.routing import Router, session_of
from plugins.inference.gateway.usage import TokenUse, estimate_prompt
from plugins.inference.gateway.wire import Request
from plugins.inference.keys import Bearer, find_bearer, hash_value, is_key_shaped, mark_used
from plugins.inference.settings import InferenceSettings

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

log = get_logger(__name__)

# So long a process believes what it knows of a key or model: a key that is taken back dies within it everywhere.
BELIEVED_S = 2.0
_MAX_KNOWN = 10_000
# So exactly is known when a key was last used.
_USED_EVERY = timedelta(minutes=1)
MAX_PAGE, MAX_LISTED = 100, 1000
# Routes that take JSON and answer with it, or (the first two) with a stream; and what else they are called.
_CALLS = {
    "/v1/chat/completions": "chat/completions",
    "/v1/completions": "completions",
    "/v1/embeddings": "embeddings",
    "/v1/rerank": "rerank",
}
_STREAMS = frozenset({"chat/completions", "completions"})


class _Known:
    """What was found in the database a moment ago, by name."""

    def __init__(self, find: Callable[[str], Any]) -> None:
        self._find = find
        self._lock = threading.Lock()
        self._found: OrderedDict[str, tuple[Any, float]] = OrderedDict()

    def get(self, name: str) -> Any:
        """What is there under this name, or None."""
        now = time.monotonic()
        found = self._found.get(name)
        if found is not None and now < found[1]:
            return found[0]
        value = self._find(name)
        with self._lock:
            self._found[name] = (value, now + BELIEVED_S)
            self._found.move_to_end(name)
            if len(self._found) > _MAX_KNOWN:
                self._found.popitem(last=False)
        return value


class Gateway:
    """Answers below ``/v1``; one for a process."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._settings = settings_of(context, InferenceSettings)
        self._router = Router()
        self._forwarder = Forwarder(context, self._settings, self._router)
        self._admitter = Admitter(context)
        self._bearers = _Known(self._find_bearer)
        self._models = _Known(self._find_model)
        self._lists = _Known(self._list_served)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        headers = [("x-request-id", request.id)]
        try:
            return self._answer(request, start_response, headers)
        except Fault as fault:
            return wire.send_fault(start_response, fault, headers)
        except ClientGone:
            return wire.send_fault(start_response, faults.bad_request("The request ended early."), headers)
        except HubError as error:
            return wire.send_fault(start_response, faults.of_hub(error), headers)
        except Exception:
            log.exception("gateway_failed", request_id=request.id, path=request.path[:200])
            return wire.send_fault(start_response, faults.internal(), headers)

    def _answer(
        self, request: Request, start_response: StartResponse, headers: list[tuple[str, str]]
    ) -> Iterable[bytes]:
        route = _CALLS.get(request.path)
        if route is not None:
            if request.method != "POST":
                raise faults.wrong_method(request.method)
            return self._call(request, route, start_response, headers)
        if request.path == "/v1/models" or request.path.startswith("/v1/models/"):
            if request.method not in ("GET", "HEAD"):
                raise faults.wrong_method(request.method)
            name = request.path.removeprefix("/v1/models").lstrip("/")
            body = self._show_model(request, name) if name else self._list_models(request)
            return wire.send(start_response, 200, headers, msgspec.json.encode(body))
        raise faults.unknown_route(request.path[:200])

    # Who calls, and what.

    def _authenticate(self, request: Request) -> Bearer:
        value = request.bearer
        # A value that is none costs no look into the database.
        found: Bearer | None = self._bearers.get(hash_value(value)) if is_key_shaped(value) else None
        if found is None:
            raise faults.no_key()
        if not found.is_active:
            raise faults.key_disabled()
        if found.expires_at is not None and found.expires_at <= self._context.clock.now():
            raise faults.key_expired()
        return found

    def _find_bearer(self, token_hash: str) -> Bearer | None:
        with reading(self._context) as work:
            found = find_bearer(work, token_hash)
        now = self._context.clock.now()
        if found is not None and (found.last_used_at is None or now - found.last_used_at > _USED_EVERY):
            with unit_of_work(self._context) as work:
                mark_used(work, found.key_id, now)
        return found

    def _find_model(self, name: str) -> Served | None:
        with reading(self._context) as work:
            return find_served(work, name)

    def _list_served(self, namespace_id: str) -> list[Served]:
        with reading(self._context) as work:
            return list_served(work, namespace_id=int(namespace_id) if namespace_id else None)

    def _model_for(self, bearer: Bearer, name: str) -> Served:
        """Raises Fault."""
        found: Served | None = self._models.get(name) if len(name) <= 255 and name.isprintable() else None
        if found is None or not found.is_for(bearer.namespace_id):
            raise faults.unknown_model(name[:255])
        if not bearer.limits.allows(name):
            raise faults.not_permitted(name)
        return found

    # Calls.

    def _call(
        self, request: Request, route: str, start_response: StartResponse, headers: list[tuple[str, str]]
    ) -> Iterable[bytes]:
        started_s, started_at = time.perf_counter(), self._context.clock.now()
        bearer = self._authenticate(request)
        data = request.read_json(self._settings.max_body_bytes)
        name = data.get("model")
        if not isinstance(name, str) or not name:
            raise faults.bad_request("The request names no model.", param="model")
        model = self._model_for(bearer, name)
        is_stream = data.get("stream") is True and route in _STREAMS
        prompt = estimate_prompt(data)
        most = TokenUse(prompt, completion=self._most_tokens(model, data) if route in _STREAMS else 0)
        admission = self._admitter.admit(
            bearer,
            secrets.token_hex(12),
            tokens=most.total,
            # Whoever stands in may be dearer.
            cost_nano=max(most.cost_nano(each.prices) for each in self._with_fallbacks(bearer, model)),
        )
        ledger = Ledger(
            self._context,
            self._admitter,
            admission,
            bearer,
            model,
            route,
            request.id,
            is_stream,
            started_at,
            started_s,
        )
        try:
            return self._forward(request, ledger, data, prompt, start_response, headers)
        except Fault as fault:
            ledger.finish(TokenUse(), status=fault.status, error_code=fault.code or "")
            headers += ledger.headers()
            raise
        except ClientGone:
            ledger.finish(TokenUse(), status=CLIENT_GONE, error_code="client_disconnected")
            raise
        except BaseException:
            ledger.finish(TokenUse(), status=500, error_code="internal_error")
            raise

    def _most_tokens(self, model: Served, data: dict[str, Any]) -> int:
        """How many tokens an answer may have at most."""
        for name in ("max_completion_tokens", "max_tokens"):
            value = data.get(name)
            if isinstance(value, int) and not isinstance(value, bool) and value > 0:
                most = min(value, 2**31)
                break
        else:
            most = model.max_tokens or self._settings.default_max_tokens
        number = data.get("n")
        return most * number if isinstance(number, int) and 1 < number <= 128 else most

    def _forward(
        self,
        request: Request,
        ledger: Ledger,
        data: dict[str, Any],
        prompt: int,
        start_response: StartResponse,
        headers: list[tuple[str, str]],
    ) -> Iterable[bytes]:
        def check_client() -> None:
            if request.has_gone():
                raise ClientGone

        sent, wants_usage = data, False
        if ledger.is_stream:
            options = data.get("stream_options")
            options = options if isinstance(options, dict) else {}
            wants_usage = options.get("include_usage") is True
            sent = {**data, "stream_options": {**options, "include_usage": True}}
        choices = self._choices(request, ledger)
        exchange = self._forwarder.open(ledger, choices, sent, request.headers(), check_client)
        if ledger.is_stream and "text/event-stream" in exchange.headers.get("content-type", ""):
            wire.begin_stream(start_response, [*headers, *ledger.headers()])
            return _Stream(Relay(ledger, exchange, prompt, wants_usage))
        with exchange:
            settings = self._settings
            answer = read_answer(
                ledger, exchange, limit_bytes=settings.max_answer_bytes, timeout_s=settings.answer_timeout_s
            )
        finish_answer(ledger, answer, prompt_tokens=prompt)
        headers += [*ledger.headers(), ("x-gateway-response-cost", f"{ledger.cost_nano / 1e9:.9f}")]
        return wire.send(start_response, 200, headers, msgspec.json.encode(answer))

    def _choices(self, request: Request, ledger: Ledger) -> Iterator[tuple[Served, Server]]:
        """The upstreams to ask: those of the model, then those of the models that stand in for it."""
        session = session_of(ledger.model, request.headers(), ledger.bearer.owner_uuid)
        for served in self._with_fallbacks(ledger.bearer, ledger.model):
            ordered = self._router.order(served, session)
            try:
                while ordered:
                    yield served, ordered.pop(0)
            finally:
                for server in ordered:
                    self._router.forget_try(server)

    def _with_fallbacks(self, bearer: Bearer, model: Served) -> Iterator[Served]:
        yield model
        for name in model.fallbacks:
            try:
                yield self._model_for(bearer, name)
            except Fault:
                continue

    # Models.

    def _list_models(self, request: Request) -> dict[str, Any]:
        try:
            query = {name: values[-1] for name, values in parse_qs(request.query, max_num_fields=20).items()}
        except ValueError:
            raise faults.bad_request("The query has too many members.") from None
        wanted, task = query.get("model_id", ""), query.get("task", "")
        found = [
            served
            for served in self._visible(request)
            if wanted.lower() in served.name.lower() and task in ("", served.task)
        ]
        page, per = _number(query.get("page")), _number(query.get("per"))
        if (page is None) != (per is None) or (per or 0) > MAX_PAGE:
            raise faults.bad_request(f"'page' and 'per' come together, and 'per' is {MAX_PAGE} at most.", param="per")
        # Without a page, OpenAI's clients expect all.
        start, end = (0, MAX_LISTED) if page is None or per is None else ((page - 1) * per, page * per)
        shown = found[start:end]
        ends = {"first_id": shown[0].name, "last_id": shown[-1].name} if shown else {}
        models = [_describe(served, self._settings) for served in shown]
        return {"object": "list", "data": models, "has_more": end < len(found), "total_count": len(found)} | ends

    def _show_model(self, request: Request, name: str) -> dict[str, Any]:
        for served in self._visible(request):
            if served.name == name:
                return _describe(served, self._settings)
        raise faults.unknown_model(name[:255])

    def _visible(self, request: Request) -> list[Served]:
        """Nobody in particular sees what everybody may call; a key sees what it may."""
        bearer = self._authenticate(request) if request.bearer else None
        served: list[Served] = self._lists.get(str(bearer.namespace_id) if bearer else "")
        return [one for one in served if bearer is None or bearer.limits.allows(one.name)]


class _Stream:
    """A stream as WSGI servers take it: they iterate, and close it at the end, also when they never began."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._events = relay.events()

    def __iter__(self) -> Iterator[bytes]:
        return self._events

    def close(self) -> None:
        self._events.close()
        self._relay.close()


def _number(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isdecimal() or len(text) > 9 or int(text) < 1:
        raise faults.bad_request("A page is a number from 1.", param="page")
    return int(text)


def _describe(served: Served, settings: InferenceSettings) -> dict[str, Any]:
    """Source: gateway contract, section 1.2. Addresses of upstreams are for administrators, elsewhere."""
    prices = served.prices
    metadata: dict[str, Any] = {"llm_type": served.llm_type, "repo_path": served.repo_path, "tasks": [served.task]}
    if any(vars(prices).values()):
        # Billionths for a token are thousandths for a million.
        metadata["pricing"] = {
            "input_token_price": {
                "currency": settings.currency,
                "price_per_million": prices.input / 1000,
                "cached_price_per_million": prices.cached / 1000,
            },
            "output_token_price": {"currency": settings.currency, "price_per_million": prices.output / 1000},
        }
    return {
        "id": served.name,
        "object": "model",
        "created": served.created_at_s,
        "owned_by": served.provider or settings.owned_by,
        "task": served.task,
        "metadata": metadata,
        "availability": {"is_available": bool(served.servers)},
    }


def create_gateway(context: Context) -> Gateway:
    """The application for one process."""
    return Gateway(context)
