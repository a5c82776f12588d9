"""The models that the gateway serves, and the upstreams that serve them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import selectinload

from hub.plugin import Actor, Context, get_logger
from hub.plugin.db import Page, PageArgs, UnitOfWork
from hub.plugin.errors import Conflict, Invalid, NotFound
from hub.plugin.outgoing import get_outgoing
from hub.plugin.policy import require_site_admin
from hub.plugin.signing import Sealer, create_sealer
from plugins.inference.limits import Policy, check_policy
from plugins.inference.models import ServedModel, Upstream
from plugins.inference.money import MAX_NANO
from plugins.inference.unit_prices import UnitPrice, check_prices, read_prices, store_prices

log = get_logger(__name__)

# Source: gateway contract, section 1.2.
STRATEGIES = ("weighted", "round_robin", "session_hash", "least_busy", "latency")
LLM_TYPES = ("external_llm", "serverless", "inference")
# What an upstream speaks, and how it is asked for responses: in their own protocol, through chats, or not at all.
OPENAI, ANTHROPIC = "openai", "anthropic"
PROTOCOLS = (OPENAI, ANTHROPIC)
NATIVE, CHAT_ADAPTER, DISABLED = "native", "chat_adapter", "disabled"
RESPONSES = (NATIVE, CHAT_ADAPTER, DISABLED)
MAX_UPSTREAMS, MAX_FALLBACKS, MAX_HEADERS = 32, 10, 20
MAX_WEIGHT, MAX_TIER = 1000, 100
MAX_DRAIN_S = 30
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,254}\Z")
_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}\Z")
_HEADER_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e]{0,2046}[\x21-\x7e])?\Z")
_RESERVED_HEADERS = frozenset({"host", "content-length", "transfer-encoding", "connection", "accept-encoding"})


@dataclass(frozen=True)
class Prices:
    """In billionths of the currency, for a token; units: for what is counted otherwise."""

    input: int = 0
    cached: int = 0
    cache_creation: int = 0
    output: int = 0
    units: tuple[UnitPrice, ...] = ()

    @property
    def of_tokens(self) -> tuple[int, ...]:
        return self.input, self.cached, self.cache_creation, self.output


@dataclass(frozen=True)
class Server:
    """An upstream, with what is sent beside each request. is_own: the hub runs it; its id is below 0 then.

    policy: None for none. breaks_circuit: whether it is left alone once it fails. drain_s: how long the rest of a
    stream is read once the client has hung up; 0: it is cut off.
    """

    id: int
    url: str
    model_name: str
    provider: str
    weight: int
    tier: int
    headers: Mapping[str, str]
    protocol: str = OPENAI
    responses: str = CHAT_ADAPTER
    is_own: bool = False
    policy: Policy | None = None
    breaks_circuit: bool = True
    drain_s: int = 0


@dataclass(frozen=True)
class Running:
    """One version of a deployment: what runs it, and which share of the calls it answers, in percent.

    is_ready: it answers, if it is to be woken first. is_wanted: it does, or may yet. sleep_after_s: so long without a
    call and it falls asleep; 0: never. is_elastic: it may have more instances, the more it is called. servers: while it
    runs; spares: the others', which are asked when these fail.
    """

    workload_id: int
    svc_name: str
    share: int
    is_ready: bool
    is_wanted: bool
    sleep_after_s: int
    is_elastic: bool
    servers: tuple[Server, ...]
    spares: tuple[Server, ...] = ()


@dataclass(frozen=True)
class Deployed:
    """What of a model is the hub's own doing: its deployment, and how the versions of that last stood.

    routes: what its engine answers. key: what the engine wants of its callers.
    """

    id: int
    versions: tuple[Running, ...]
    engine: str
    routes: frozenset[str]
    upstream_path: str
    upstream_model: str
    key: str = field(repr=False)
    has_tools: bool = False

    @property
    def is_wanted(self) -> bool:
        """Whether any of it runs, or may yet."""
        return any(version.is_wanted for version in self.versions)


@dataclass(frozen=True)
class Served:
    """A model, as far as serving a request takes; of its upstreams those that are switched on, by tier.

    guests: namespaces that may call it, too, where it is one namespace's alone. deployment: where the hub serves it
    itself; ``gateway.readiness`` sees to it that there are upstreams when it is called.
    """

    name: str
    llm_type: str
    provider: str
    task: str
    namespace_id: int | None
    repo_path: str
    strategy: str
    session_header: str
    fallbacks: tuple[str, ...]
    max_tokens: int | None
    prices: Prices
    created_at_s: int
    servers: tuple[Server, ...]
    guests: frozenset[int] = frozenset()
    deployment: Deployed | None = None
    context_fallbacks: tuple[str, ...] = ()

    def is_for(self, namespace_id: int | None) -> bool:
        """Whether a key of that namespace may call it; None: whether everybody may."""
        return self.namespace_id in (None, namespace_id) or namespace_id in self.guests

    @property
    def is_available(self) -> bool:
        """Whether a call finds somebody to answer, if after a while."""
        return bool(self.servers) or (self.deployment is not None and self.deployment.is_wanted)


@dataclass(frozen=True)
class UpstreamForm:
    """What an administrator says of an upstream. What is None is left as it is kept for this id."""

    url: str
    model_name: str
    provider: str = ""
    weight: int = 1
    tier: int = 0
    is_enabled: bool = True
    headers: Mapping[str, str] | None = None
    id: int | None = None
    protocol: str = OPENAI
    responses: str = CHAT_ADAPTER
    policy: Policy | None = None
    checks_health: bool | None = None
    breaks_circuit: bool | None = None
    drain_s: int | None = None


@dataclass(frozen=True)
class ModelForm:
    """What an administrator says of a model. context_fallbacks: None leaves those that it has."""

    name: str
    upstreams: Sequence[UpstreamForm]
    provider: str = ""
    task: str = "text-generation"
    llm_type: str = "external_llm"
    is_enabled: bool = True
    namespace_id: int | None = None
    repo_path: str = ""
    strategy: str = "weighted"
    session_header: str = ""
    fallbacks: Sequence[str] = ()
    max_tokens: int | None = None
    prices: Prices = Prices()
    context_fallbacks: Sequence[str] | None = None


def _sealer(context: Context) -> Sealer:
    return create_sealer(context, "inference-upstreams")


def _refuse(reason: str) -> Invalid:
    return Invalid(reason, code="model_invalid")


def check_form(context: Context, form: ModelForm) -> None:
    """Whether a model can be kept so. It asks where the upstreams are, so ask it outside of units of work.

    Raises Invalid (``model_invalid``, ``outgoing_refused``).
    """
    if not _NAME.match(form.name):
        raise _refuse("A model's name has letters, digits and ._:/@-, and begins with a letter or digit.")
    if form.strategy not in STRATEGIES or form.llm_type not in LLM_TYPES:
        raise _refuse(f"A strategy is one of {', '.join(STRATEGIES)}; a type one of {', '.join(LLM_TYPES)}.")
    if form.session_header and not _HEADER.match(form.session_header):
        raise _refuse("A session's header has letters, digits and dashes.")
    fallbacks = max(len(form.fallbacks), len(form.context_fallbacks or ()))
    if len(form.upstreams) > MAX_UPSTREAMS or fallbacks > MAX_FALLBACKS:
        raise _refuse(f"A model has {MAX_UPSTREAMS} upstreams and {MAX_FALLBACKS} fallbacks at most.")
    prices = form.prices
    if not all(0 <= price <= MAX_NANO for price in prices.of_tokens):
        raise _refuse("A price lies outside what can be counted.")
    check_prices(prices.units)
    for upstream in form.upstreams:
        _check_upstream(context, upstream)


def _check_upstream(context: Context, upstream: UpstreamForm) -> None:
    if not 0 <= upstream.weight <= MAX_WEIGHT or not 0 <= upstream.tier <= MAX_TIER:
        raise _refuse(f"A weight is 0 to {MAX_WEIGHT}, a tier 0 to {MAX_TIER}.")
    if not 0 <= (upstream.drain_s or 0) <= MAX_DRAIN_S:
        raise _refuse(f"The rest of a stream is read for 0 to {MAX_DRAIN_S} seconds.")
    if upstream.policy is not None:
        check_policy(upstream.policy)
    if not upstream.model_name or len(upstream.model_name) > 255:
        raise _refuse("An upstream needs the name by which it knows the model.")
    if upstream.protocol not in PROTOCOLS or upstream.responses not in RESPONSES:
        raise _refuse(f"A protocol is one of {', '.join(PROTOCOLS)}; responses are {', '.join(RESPONSES)}.")
    if upstream.protocol == ANTHROPIC and upstream.responses == NATIVE:
        raise _refuse("An upstream of Anthropic's protocol has no responses of its own.")
    headers = upstream.headers or {}
    for name, value in headers.items():
        if not _HEADER.match(name) or not _HEADER_VALUE.match(value) or name.lower() in _RESERVED_HEADERS:
            raise _refuse(f"{name[:64]!r} is no header that can be sent beside a request.")
    if len(headers) > MAX_HEADERS:
        raise _refuse(f"An upstream has {MAX_HEADERS} headers at most.")
    get_outgoing(context).check(upstream.url)


def create_model(work: UnitOfWork, *, actor: Actor, form: ModelForm) -> ServedModel:
    """A new model, of a form that was checked. Raises NotSignedIn, Denied, Conflict (``model_exists``)."""
    require_site_admin(work, actor)
    model = ServedModel(created_at=work.now())
    return _save(work, model, form)


def change_model(work: UnitOfWork, *, actor: Actor, model_id: int, form: ModelForm) -> ServedModel:
    """A model as the form, which was checked, says; upstreams that it does not name are gone.

    Raises NotSignedIn, Denied, NotFound (``model_not_found``), Conflict (``model_exists``).
    """
    return _save(work, get_model(work, actor=actor, model_id=model_id), form)


def get_model(work: UnitOfWork, *, actor: Actor, model_id: int) -> ServedModel:
    """Raises NotSignedIn, Denied, NotFound (``model_not_found``)."""
    require_site_admin(work, actor)
    model = work.session.get(ServedModel, model_id)
    if model is None:
        raise NotFound("The gateway has no such model.", code="model_not_found")
    return model


def delete_model(work: UnitOfWork, *, actor: Actor, model_id: int) -> None:
    """Serve a model no more. Raises NotSignedIn, Denied, NotFound (``model_not_found``)."""
    work.session.delete(get_model(work, actor=actor, model_id=model_id))
    log.info("model_deleted", model_id=model_id, actor_id=actor.user_id)


def list_models(
    work: UnitOfWork, *, actor: Actor, search: str = "", is_enabled: bool | None = None, page: PageArgs
) -> Page[ServedModel]:
    """All models by name, for administrators. is_enabled: None for both. Raises NotSignedIn, Denied."""
    require_site_admin(work, actor)
    query = select(ServedModel)
    if search:
        query = query.where(ServedModel.name.contains(search, autoescape=True))
    if is_enabled is not None:
        query = query.where(ServedModel.is_enabled == is_enabled)
    total = work.session.scalar(query.with_only_columns(func.count())) or 0
    shown = query.order_by(ServedModel.name).offset(page.offset).limit(page.per)
    return Page(work.session.scalars(shown.options(selectinload(ServedModel.upstreams))).all(), total)


def _save(work: UnitOfWork, model: ServedModel, form: ModelForm) -> ServedModel:
    known = {upstream.id: upstream for upstream in model.upstreams}
    model.name, model.llm_type, model.provider, model.task = form.name, form.llm_type, form.provider, form.task
    model.is_enabled, model.namespace_id, model.repo_path = form.is_enabled, form.namespace_id, form.repo_path
    model.strategy, model.session_header, model.fallbacks = form.strategy, form.session_header, [*form.fallbacks]
    model.max_tokens = form.max_tokens
    if form.context_fallbacks is not None:
        model.context_fallbacks = [*form.context_fallbacks]
    model.input_nano, model.cached_nano = form.prices.input, form.prices.cached
    model.cache_creation_nano, model.output_nano = form.prices.cache_creation, form.prices.output
    model.unit_prices = store_prices(form.prices.units)
    model.updated_at = work.now()
    model.upstreams = [_as_row(work.context, one, known) for one in form.upstreams]
    try:
        with work.savepoint():
            work.session.add(model)
            work.session.flush()
    except IntegrityError:
        raise Conflict(f"There is already a model named {form.name!r}.", code="model_exists") from None
    log.info("model_saved", model_id=model.id)
    return model


def _as_row(context: Context, form: UpstreamForm, known: Mapping[int, Upstream]) -> Upstream:
    row = known.get(form.id or 0) or Upstream(sealed_headers="")
    row.url, row.model_name, row.provider = form.url, form.model_name, form.provider
    row.weight, row.tier, row.is_enabled = form.weight, form.tier, form.is_enabled
    row.protocol, row.responses = form.protocol, form.responses
    if form.policy is not None:
        row.limit_policy = vars(form.policy) if form.policy.is_on else {}
    for name in ("checks_health", "breaks_circuit", "drain_s"):
        if (value := getattr(form, name)) is not None:
            setattr(row, name, value)
    if form.headers is not None:
        text = json.dumps(dict(form.headers)) if form.headers else ""
        row.sealed_headers = _sealer(context).seal(text) if text else ""
    return row


def header_names(context: Context, upstream: Upstream) -> list[str]:
    """What is sent beside an upstream's requests, without the values."""
    return sorted(open_headers(context, upstream))


def open_headers(context: Context, upstream: Upstream) -> dict[str, str]:
    """What is sent beside an upstream's requests."""
    found: dict[str, str] = {}
    if upstream.sealed_headers:
        found = json.loads(_sealer(context).open(upstream.sealed_headers))
    return found


def find_served(work: UnitOfWork, name: str) -> Served | None:
    """The model of that name, when it is switched on."""
    found = _find_served(work, ServedModel.name == name)
    return found[0] if found else None


def list_served(work: UnitOfWork, *, namespace_id: int | None) -> list[Served]:
    """The models that a key of this namespace may call, or (None) everybody, by name."""
    is_visible = or_(ServedModel.namespace_id.is_(None), ServedModel.namespace_id == namespace_id)
    return _find_served(work, is_visible)


def find_server(work: UnitOfWork, upstream_id: int) -> Server | None:
    """One upstream, also one that is switched off: for what was begun there."""
    row = work.session.get(Upstream, upstream_id)
    return None if row is None else _server_of(_sealer(work.context), row)


def _server_of(sealer: Sealer, row: Upstream) -> Server:
    headers = json.loads(sealer.open(row.sealed_headers)) if row.sealed_headers else {}
    return Server(
        row.id,
        row.url,
        row.model_name,
        row.provider,
        row.weight,
        row.tier,
        headers,
        row.protocol,
        row.responses,
        policy=Policy(**row.limit_policy) if row.limit_policy else None,
        breaks_circuit=row.breaks_circuit,
        drain_s=row.drain_s,
    )


def _find_served(work: UnitOfWork, condition: ColumnElement[bool]) -> list[Served]:
    query = select(ServedModel).where(ServedModel.is_enabled, condition).order_by(ServedModel.name)
    sealer = _sealer(work.context)
    return [
        Served(
            row.name,
            row.llm_type,
            row.provider,
            row.task,
            row.namespace_id,
            row.repo_path,
            row.strategy,
            row.session_header,
            tuple(row.fallbacks),
            row.max_tokens,
            Prices(
                row.input_nano,
                row.cached_nano,
                row.cache_creation_nano,
                row.output_nano,
                read_prices(row.unit_prices),
            ),
            int(row.created_at.timestamp()),
            tuple(_server_of(sealer, upstream) for upstream in row.upstreams if upstream.is_enabled),
            context_fallbacks=tuple(row.context_fallbacks),
        )
        for row in work.session.scalars(query.options(selectinload(ServedModel.upstreams)))
    ]
