"""A call from its key to its answer: who calls, which model, what is held, which upstream, what it cost.

It knows nothing of WSGI, so that batches and pages make calls as clients do.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from hub.plugin import Context
from hub.plugin.db import reading, unit_of_work
from hub.plugin.settings import settings_of
from plugins.inference.catalogue import Served, Server
from plugins.inference.gateway import faults
from plugins.inference.gateway.admission import Admitter
from plugins.inference.gateway.calls import Answer, Asked, CallKind, JsonPayload, Payload, Relay
from plugins.inference.gateway.deployed import find_model, list_models
from plugins.inference.gateway.draining import DrainedRelay, Drains, Watch
from plugins.inference.gateway.faults import ClientGone, Fault
from plugins.inference.gateway.forwarding import Forwarder
from plugins.inference.gateway.late import LateCalls
from plugins.inference.gateway.ledger import CLIENT_GONE, USUAL, Booking, Ledger
from plugins.inference.gateway.readiness import Readiness
from plugins.inference.gateway.routing import Router, session_of
from plugins.inference.gateway.usage import TokenUse, Use
from plugins.inference.keys import Bearer, find_bearer, hash_value, is_key_shaped, mark_used
from plugins.inference.limits import FREE
from plugins.inference.metrics import Recorder
from plugins.inference.settings import InferenceSettings

# So long a process believes what it knows of a key or model: a key that is taken back dies within it everywhere.
BELIEVED_S = 2.0
_MAX_KNOWN = 10_000
# So exactly is known when a key was last used.
_USED_EVERY = timedelta(minutes=1)


def _stay() -> None:
    """A client that never hangs up."""


@dataclass(frozen=True)
class Client:
    """Who waits for the answer. headers: by their names in lower case; check: raises ClientGone.

    booking: how what they use is booked. address: where they are, on the network.
    """

    request_id: str
    headers: Mapping[str, str] = field(default_factory=dict)
    check: Callable[[], None] = _stay
    booking: Booking = USUAL
    address: Callable[[], str] = str


class _Known:
    """What was found in the database a moment ago, by name. is_kept: whether that is to be believed for a while."""

    def __init__(self, find: Callable[[str], Any], *, is_kept: Callable[[Any], bool] = lambda value: True) -> None:
        self._find, self._is_kept = find, is_kept
        self._lock = threading.Lock()
        self._found: OrderedDict[str, tuple[Any, float]] = OrderedDict()

    def get(self, name: str) -> Any:
        """What is there under this name, or None."""
        now = time.monotonic()
        found = self._found.get(name)
        if found is not None and now < found[1]:
            return found[0]
        value = self._find(name)
        if not self._is_kept(value):
            return value
        with self._lock:
            self._found[name] = (value, now + BELIEVED_S)
            self._found.move_to_end(name)
            if len(self._found) > _MAX_KNOWN:
                self._found.popitem(last=False)
        return value


def _may_answer(served: Served | None) -> bool:
    """Whoever starts what is stopped calls it at once."""
    return served is None or served.deployment is None or served.deployment.is_wanted


class Caller:
    """Makes calls; one for a process."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.settings = settings_of(context, InferenceSettings)
        self.router = Router(context)
        self.forwarder = Forwarder(context, self.settings, self.router)
        self.admitter = Admitter(context)
        self.recorder = Recorder(context)
        self.drains = Drains()
        self.late = LateCalls(context)
        self.readiness = Readiness(context, self.settings)
        self._bearers = _Known(self._find_bearer)
        self._models = _Known(self._find_model, is_kept=_may_answer)
        self._lists = _Known(self._list_served)

    # Who calls, and what.

    def check_address(self, value: str, address: Callable[[], str]) -> None:
        """For what is no call: whether the key may be used from where its client is. Raises Fault."""
        found: Bearer | None = self._bearers.get(hash_value(value)) if is_key_shaped(value) else None
        if found is not None:
            check_use(found, "", address)

    def authenticate(self, value: str) -> Bearer:
        """Whose key this is. Raises Fault."""
        # A value that is none costs no look into the database.
        if not is_key_shaped(value):
            raise faults.no_key()
        return self.authenticate_hash(hash_value(value))

    def authenticate_hash(self, token_hash: str) -> Bearer:
        """Whose key it is of which that is kept: for work that goes on when the request is over. Raises Fault."""
        found: Bearer | None = self._bearers.get(token_hash)
        if found is None:
            raise faults.no_key()
        if not found.is_active or found.rules.is_blocked:
            raise faults.key_disabled()
        if found.expires_at is not None and found.expires_at <= self.context.clock.now():
            raise faults.key_expired()
        return found

    def find_model(self, bearer: Bearer, name: str) -> Served:
        """The model of that name, or of the one that this is for the key, when it may call it. Raises Fault."""
        return self._find_named(bearer, bearer.rules.aliases.get(name, name))

    def _find_named(self, bearer: Bearer, name: str) -> Served:
        found: Served | None = self._models.get(name) if len(name) <= 255 and name.isprintable() else None
        if found is None or not found.is_for(bearer.namespace_id):
            raise faults.unknown_model(name[:255])
        if not bearer.limits.allows(name):
            raise faults.not_permitted(name)
        return found

    def list_models(self, bearer: Bearer | None) -> list[Served]:
        """The models that a key may call; without one, those that everybody may."""
        served: list[Served] = self._lists.get(str(bearer.namespace_id) if bearer else "")
        return [one for one in served if bearer is None or bearer.limits.allows(one.name)]

    def _find_bearer(self, token_hash: str) -> Bearer | None:
        with reading(self.context) as work:
            found = find_bearer(work, token_hash)
        now = self.context.clock.now()
        if found is not None and (found.last_used_at is None or now - found.last_used_at > _USED_EVERY):
            with unit_of_work(self.context) as work:
                mark_used(work, found.key_id, now)
        return found

    def _find_model(self, name: str) -> Served | None:
        with reading(self.context) as work:
            return find_model(work, name)

    def _list_served(self, namespace_id: str) -> list[Served]:
        id = int(namespace_id) if namespace_id else None
        with reading(self.context) as work:
            return list_models(work, id)

    # The call.

    def call(
        self, kind: CallKind, bearer: Bearer, client: Client, asked: Asked, headers: list[tuple[str, str]]
    ) -> Answer | Relay:
        """The answer, or the stream of one. headers: gets what the answer, or an error, tells of the call.

        Raises Fault, ClientGone.
        """
        try:
            check_use(bearer, kind.name, client.address)
            return self._call(kind, bearer, client, asked, headers)
        except Fault as fault:
            if not fault.is_booked:
                model = self._label_of(bearer, asked.model)
                self.recorder.refuse((model, "", kind.name, str(fault.status), str(bearer.key_id)))
            raise

    def _label_of(self, bearer: Bearer, name: str) -> str:
        """The model in figures; nothing of what clients make up."""
        try:
            return self.find_model(bearer, name).name
        except Fault:
            return ""

    def _call(
        self, kind: CallKind, bearer: Bearer, client: Client, asked: Asked, headers: list[tuple[str, str]]
    ) -> Answer | Relay:
        started_s, started_at = time.perf_counter(), self.context.clock.now()
        model = self.find_model(bearer, asked.model or kind.choose(self.list_models(bearer)))
        kind.judge(asked, bearer, self.context)
        most = kind.most(asked, model, self.settings)
        admission = self.admitter.admit(
            bearer,
            client.booking.event_id or str(uuid.uuid4()),
            tokens=most.total,
            # Whoever stands in may be dearer.
            cost_nano=max(most.cost_nano(each.prices) for each in self._may_answer(bearer, model)),
            model=model.name,
            servers=model.servers,
            route=(kind.name, kind.requests_a_minute(self.settings)),
        )
        ledger = Ledger(
            self.context,
            self.admitter,
            admission,
            bearer,
            model,
            kind.name,
            client.request_id,
            asked.is_stream,
            started_at,
            started_s,
            booking=client.booking,
            recorder=self.recorder,
            late=self.late,
            end_user=end_user_of(asked.payload),
        )
        self.recorder.begin(model.name)
        try:
            return self._ask(kind, ledger, client, asked, most, headers)
        except Fault as fault:
            fault.is_booked = True
            ledger.finish(TokenUse(), status=fault.status, error_code=fault.code or "")
            headers += ledger.headers()
            raise
        except ClientGone:
            ledger.finish(TokenUse(), status=CLIENT_GONE, error_code="client_disconnected")
            raise
        except BaseException:
            ledger.finish(TokenUse(), status=500, error_code="internal_error")
            raise

    def _ask(
        self,
        kind: CallKind,
        ledger: Ledger,
        client: Client,
        asked: Asked,
        most: Use,
        headers: list[tuple[str, str]],
    ) -> Answer | Relay:
        watch = Watch(client.check, self.drains, ledger)
        exchange = self.forwarder.open(
            ledger,
            self._choices(kind, asked, ledger, client, self._with_fallbacks(ledger.bearer, ledger.model)),
            lambda server: kind.speak(asked, server, most),
            client.headers,
            watch,
            roomier=self._choices(kind, asked, ledger, client, self._roomier(ledger.bearer, ledger.model)),
        )
        if asked.is_stream and "text/event-stream" in exchange.headers.get("content-type", ""):
            headers += ledger.headers()
            relay = kind.relay(ledger, exchange, asked)
            return DrainedRelay(relay, watch) if watch.drain_s else relay
        try:
            answer = kind.answer(ledger, exchange, asked, self.settings)
        except BaseException:
            exchange.close()
            raise
        headers += [*ledger.headers(), ("x-gateway-response-cost", f"{ledger.cost_nano / 1e9:.9f}")]
        if ledger.spent_nano is not None:
            headers.append(("x-gateway-key-spend", f"{ledger.spent_nano / 1e9:.9f}"))
        return answer

    def _choices(
        self, kind: CallKind, asked: Asked, ledger: Ledger, client: Client, models: Iterator[Served]
    ) -> Iterator[tuple[Served, Server]]:
        """The upstreams to ask: those of the model, then those of the models that stand in for it.

        Raises Fault when there are some, and none of them can be asked this; or the last deployment's, which did not
        wake up.
        """
        is_known, is_suited, asleep = False, False, None
        session = session_of(ledger.model, client.headers, ledger.bearer.owner_uuid)
        shut = ledger.admission.shut
        for found in models:
            began_s = time.perf_counter()
            try:
                served: Served | None = self.readiness.ready(found, route=asked.route, check=client.check)
            except Fault as fault:
                asleep = fault
                continue
            finally:
                ledger.upstream_s += time.perf_counter() - began_s
            while served is not None:
                ordered = self.router.order(served, session)
                try:
                    while ordered:
                        server, is_known = ordered.pop(0), True
                        if server.id in shut:
                            is_suited = True
                            self.router.forget_try(server)
                        elif kind.suits(asked, server):
                            is_suited = True
                            yield served, server
                        else:
                            self.router.forget_try(server)
                finally:
                    for server in ordered:
                        self.router.forget_try(server)
                began_s, tried = time.perf_counter(), served.servers
                try:
                    served = self.readiness.again(served, check=client.check) if is_suited else None
                except Fault as fault:
                    asleep, is_known, served = fault, False, None
                finally:
                    ledger.upstream_s += time.perf_counter() - began_s
                if served is not None:
                    # That they did not answer while they fell asleep says nothing of how they are.
                    for server in tried:
                        self.router.tell(server, is_good=True)
        if is_known and not is_suited:
            raise kind.refuse(asked)
        if asleep is not None and not is_known:
            raise asleep

    def _with_fallbacks(self, bearer: Bearer, model: Served) -> Iterator[Served]:
        yield model
        yield from self._find_each(bearer, model.fallbacks)

    def _roomier(self, bearer: Bearer, model: Served) -> Iterator[Served]:
        """The models that take what is too long for this one."""
        return self._find_each(bearer, model.context_fallbacks)

    def _may_answer(self, bearer: Bearer, model: Served) -> Iterator[Served]:
        yield from self._with_fallbacks(bearer, model)
        yield from self._roomier(bearer, model)

    def _find_each(self, bearer: Bearer, names: Iterable[str]) -> Iterator[Served]:
        for name in names:
            try:
                yield self._find_named(bearer, name)
            except Fault:
                continue


def end_user_of(payload: Payload) -> str:
    """For whom a program asks, where it says so: ``user``, or as Anthropic's clients do."""
    if not isinstance(payload, JsonPayload):
        return ""
    user, metadata = payload.data.get("user"), payload.data.get("metadata")
    if user is None and isinstance(metadata, Mapping):
        user = metadata.get("user_id")
    return user if isinstance(user, str) else ""


def check_use(bearer: Bearer, route: str, address: Callable[[], str]) -> None:
    """Whether a key may be used for this, and from where its client is. route: empty for what is no call.

    Raises Fault.
    """
    rules = bearer.rules
    if rules is FREE:
        return
    if rules.ips and not rules.allows_address(address()):
        raise faults.not_from_here()
    if route and not rules.allows_route(route):
        raise faults.not_this_route(route)
