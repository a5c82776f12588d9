"""Deployments as models of the gateway: under which names, for whom, and that they are awake when they are called.

Source: gateway contract, section 1.2; compute contract, 1.6, 3.3 and 15.8.
"""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, Row, Select, or_, select
from sqlalchemy.orm import joinedload

from hub.plugin import Actor, Context, Role, get_logger
from hub.plugin.compute import (
    Code,
    Desired,
    Seen,
    Workload,
    base36,
    may_see,
    see_workload,
    touch_workload,
    wake_workload,
)
from hub.plugin.db import UnitOfWork
from hub.plugin.errors import Conflict, HubError, NotFound
from hub.plugin.outgoing import get_own_channels
from hub.plugin.policy import User, holders
from hub.plugin.signing import Sealer, create_sealer
from plugins.inference.catalogue import Deployed, Prices, Served, Server, find_served, list_served
from plugins.inference.deployments.models import DEDICATED, SERVERLESS, Deployment
from plugins.inference.gateway.faults import Fault
from plugins.inference.settings import InferenceSettings

log = get_logger(__name__)

LLM_TYPES = {DEDICATED: "inference", SERVERLESS: "serverless"}
MAX_LISTED = 1000
# Ids of upstreams: below 0, and one for each replica, of which a workload has 64 at most.
_REPLICAS = 64
# On their way, or there: who calls waits, or is answered.
_HOPEFUL = frozenset({Code.PENDING, Code.DEPLOYING, Code.STARTUP, Code.RUNNING, Code.SLEEPING})
_NUMBER = re.compile(r"[1-9a-z][0-9a-z]{0,10}\Z")  # below 2**63
_STOPPING = "stopping"  # the driver's word for what is falling asleep
# So often what is called is kept from falling asleep, and looked at.
_TOUCH_S = 3.0
_PAUSE_S = 0.1
_WAKE_EVERY_S = 1.0
_RETRY_S = 5


def model_name(deployment: Deployment) -> str:
    """By what the gateway's clients ask for it."""
    if deployment.type == SERVERLESS:
        return deployment.repo_path
    return f"{deployment.repo_name}:{base36(deployment.id)}"


def key_sealer(context: Context) -> Sealer:
    """Keeps the keys that engines want of their callers."""
    return create_sealer(context, "inference-deployments")


def find_model(work: UnitOfWork, name: str) -> Served | None:
    """The model of that name: a provider's, or a deployment.

    A model that administrators have named like a deployment, of its type and without upstreams of its own, says what
    that one costs and who stands in for it.
    """
    named = find_served(work, name)
    if named is not None and not _speaks_of_deployment(named):
        return named
    found = find_deployed(work, name)
    return _as_said(found, named) if found is not None and named is not None else found or named


def list_models(work: UnitOfWork, namespace_id: int | None) -> list[Served]:
    """The models that a key of this namespace may call, as ``find_model`` finds each; None: that everybody may."""
    named = {one.name: one for one in list_served(work, namespace_id=namespace_id)}
    found = []
    for own in list_deployed(work, namespace_id):
        said = named.get(own.name)
        if said is None:
            found.append(own)
        elif _speaks_of_deployment(said):
            found.append(_as_said(own, named.pop(own.name)))
    return [*named.values(), *found]


def _speaks_of_deployment(named: Served) -> bool:
    return named.llm_type in LLM_TYPES.values() and not named.servers


def _as_said(found: Served, named: Served) -> Served:
    return replace(
        found,
        prices=named.prices,
        max_tokens=named.max_tokens,
        fallbacks=named.fallbacks,
        context_fallbacks=named.context_fallbacks,
        strategy=named.strategy,
        session_header=named.session_header,
    )


def find_deployed(work: UnitOfWork, name: str) -> Served | None:
    """The deployment of that name, whether or not it runs: ``REPOSITORY``, ``NAME:NUMBER`` or ``REPOSITORY:SERVICE``.

    Without upstreams it is not awake; ``Readiness.ready`` wakes it.
    """
    head, separator, tail = name.rpartition(":")
    if not separator:
        condition = (Deployment.type == SERVERLESS) & (Deployment.repo_path == name)
    elif "/" in head:
        condition = (Workload.svc_name == tail) & (Deployment.repo_path == head)
    elif _NUMBER.match(tail):
        condition = (Deployment.type == DEDICATED) & (Deployment.id == int(tail, 36))
    else:
        return None
    row = work.session.execute(_query().where(condition)).first()
    if row is None:
        return None
    deployment, workload = row
    if separator and "/" not in head and name != model_name(deployment):
        return None
    if deployment.type == SERVERLESS or not workload.is_private:
        return _served_of(work, row)
    callers = select(User.namespace_id).where(
        User.is_active, or_(holders(workload, least=Role.READ), User.id == workload.user_id)
    )
    return replace(_served_of(work, row), guests=frozenset(work.session.scalars(callers)))


def list_deployed(work: UnitOfWork, namespace_id: int | None) -> list[Served]:
    """The deployments that run, or will when they are called, and that a key of this namespace may call, by name.

    None: those that everybody may call.
    """
    is_visible: ColumnElement[bool] = or_(Deployment.type == SERVERLESS, Workload.is_private.is_(False))
    if namespace_id is not None:
        is_visible = or_(is_visible, Workload.namespace_id == namespace_id)
        user = work.session.scalar(select(User).where(User.namespace_id == namespace_id, User.is_active))
        if user is not None:
            is_visible = or_(is_visible, may_see(Actor.of_user(user, via="api_key")))
    codes = [int(code) for code in _HOPEFUL]
    query = _query().where(is_visible, Workload.desired == Desired.RUNNING, Workload.code.in_(codes))
    rows = work.session.execute(query.order_by(Deployment.repo_path, Deployment.id).limit(MAX_LISTED))
    return [_served_of(work, row) for row in rows]


def _query() -> Select[Deployment, Workload]:
    return (
        select(Deployment, Workload)
        .join(Workload, Workload.id == Deployment.workload_id)
        .where(Deployment.deleted_at.is_(None), Workload.desired != Desired.DELETED)
        .options(joinedload(Workload.user))
    )


def _served_of(work: UnitOfWork, row: Row[Deployment, Workload]) -> Served:
    deployment, workload = row
    is_for_all = deployment.type == SERVERLESS or not workload.is_private
    key = key_sealer(work.context).open(deployment.sealed_key) if deployment.sealed_key else ""
    deployed = Deployed(
        deployment.id,
        workload.id,
        workload.svc_name,
        workload.code,
        workload.desired is Desired.RUNNING and workload.state in _HOPEFUL,
        deployment.engine,
        frozenset(deployment.routes),
        deployment.upstream_path,
        deployment.upstream_model,
        key,
        workload.spec["sleep_after_s"],
        deployment.has_tools,
    )
    # Whoever pressed the button owns it, as clients are told; what administrators serve to all is the platform's.
    owner = workload.user.name if deployment.type == DEDICATED and workload.user else ""
    is_up = deployed.is_wanted and workload.state is Code.RUNNING
    return Served(
        model_name(deployment),
        LLM_TYPES[deployment.type],
        owner,
        deployment.task,
        None if is_for_all else workload.namespace_id,
        deployment.repo_path,
        "weighted",
        "",
        (),
        None,
        Prices(),
        int(deployment.created_at.timestamp()),
        _servers_of(work.context, deployed, workload.endpoint) if is_up else (),
        deployment=deployed,
    )


def _servers_of(context: Context, deployed: Deployed, endpoint: str) -> tuple[Server, ...]:
    """endpoint: as the workload has it, with commas between those of several replicas."""
    own = get_own_channels(context)
    headers = {"Authorization": f"Bearer {deployed.key}"} if deployed.key else {}
    servers = []
    for number, address in enumerate(filter(None, endpoint.split(","))):
        own.trust(address)
        id = -(deployed.workload_id * _REPLICAS + number)
        url = address.rstrip("/") + deployed.upstream_path
        servers.append(Server(id, url, deployed.upstream_model, deployed.engine, 1, 0, headers, is_own=True))
    return tuple(servers)


def _fault(served: Served, message: str) -> Fault:
    return Fault(
        503,
        "service_unavailable_error",
        "model_not_running",
        f"The model {served.name!r} {message}",
        retry_after_s=_RETRY_S,
    )


def _stay() -> None:
    """A client that never hangs up."""


@dataclass
class _Kept:
    """A deployment that is kept awake: when it was last called, and where it answers."""

    called_s: float
    endpoint: str


class Readiness:
    """Wakes deployments that are called, and keeps them awake while they are; one for a process."""

    def __init__(self, context: Context, settings: InferenceSettings) -> None:
        self._context = context
        self._settings = settings
        self._lock = threading.Lock()
        self._queued: Counter[int] = Counter()
        self._woken: dict[int, float] = {}
        # Workloads that a thread of this process keeps awake.
        self._kept: dict[int, _Kept] = {}

    def ready(self, served: Served, *, route: str = "", check: Callable[[], None] = _stay) -> Served:
        """The model with upstreams that answer; any but a deployment stays as it is.

        What sleeps is woken, once, and waited for; route: at the upstream; check: raises ClientGone, and is asked
        while the call waits. Raises Fault: 400 for what its engine does not answer; 503 when it does not run, has not
        come in time, or too many wait for it.
        """
        deployed = served.deployment
        if deployed is None:
            return served
        if route and route not in deployed.routes:
            raise Fault(
                400,
                "invalid_request_error",
                "model_task_mismatch",
                f"The model {served.name!r} does not answer {route!r}.",
                param="model",
            )
        kept = self._kept.get(deployed.workload_id)
        if kept is not None and served.servers:
            kept.called_s = time.monotonic()
            return served
        if not deployed.is_wanted:
            raise _fault(served, "is not running.")
        return self._await(served, deployed, check)

    def _await(self, served: Served, deployed: Deployed, check: Callable[[], None]) -> Served:
        """Nobody has called it for a while, or it is not there yet: what is known of it may be old."""
        id = deployed.workload_id
        with self._lock:
            if self._queued[id] >= self._settings.max_queued_calls:
                raise _fault(served, "is starting, and too many calls wait for it already.")
            self._queued[id] += 1
        try:
            deadline = time.monotonic() + self._settings.wake_timeout_s
            self._touch(deployed)
            while True:
                seen = self._look(served, deployed)
                if seen.code is Code.RUNNING and seen.endpoint and seen.reason != _STOPPING:
                    self._keep_awake(deployed, seen.endpoint)
                    return replace(served, servers=_servers_of(self._context, deployed, seen.endpoint))
                if time.monotonic() >= deadline:
                    raise _fault(served, "is starting; try again soon.")
                check()
                time.sleep(_PAUSE_S)
        finally:
            with self._lock:
                self._queued[id] -= 1
                if not self._queued[id]:
                    del self._queued[id]

    def _look(self, served: Served, deployed: Deployed) -> Seen:
        try:
            seen = see_workload(self._context, workload_id=deployed.workload_id)
        except NotFound:
            raise _fault(served, "is not running.") from None
        if seen.code not in _HOPEFUL:
            raise _fault(served, "is not running.")
        if seen.code is Code.SLEEPING and self._is_due_to_wake(deployed.workload_id):
            try:
                wake_workload(self._context, workload_id=deployed.workload_id)
            except Conflict as error:
                log.warning("deployment_not_woken", deployment_id=deployed.id, reason=error.code)
                raise _fault(served, f"cannot be started now: {error}") from error
        return seen

    def _is_due_to_wake(self, workload_id: int) -> bool:
        now = time.monotonic()
        with self._lock:
            if now - self._woken.get(workload_id, -_WAKE_EVERY_S) < _WAKE_EVERY_S:
                return False
            self._woken[workload_id] = now
            return True

    def _touch(self, deployed: Deployed) -> None:
        try:
            touch_workload(self._context, deployed.svc_name)
        except HubError as error:
            log.warning("deployment_not_touched", deployment_id=deployed.id, reason=str(error))

    # What is called stays awake.

    def _keep_awake(self, deployed: Deployed, endpoint: str) -> None:
        """See to it, beside the calls, that it does not fall asleep while it is called or still answers."""
        with self._lock:
            if deployed.workload_id in self._kept:
                return
            kept = self._kept[deployed.workload_id] = _Kept(time.monotonic(), endpoint)
        name = f"awake-{deployed.svc_name}"
        threading.Thread(target=self._watch, args=(deployed, kept), name=name, daemon=True).start()

    def _watch(self, deployed: Deployed, kept: _Kept) -> None:
        pause_s = min(_TOUCH_S, deployed.sleep_after_s / 4 or _TOUCH_S)
        is_up = True
        try:
            while is_up and (time.monotonic() - kept.called_s < 2 * pause_s or self._is_busy(kept)):
                self._touch(deployed)
                time.sleep(pause_s)
                # What is written down of it is what the gateway believes.
                seen = see_workload(self._context, workload_id=deployed.workload_id)
                is_up, kept.endpoint = seen.code is Code.RUNNING, seen.endpoint
        except NotFound:
            log.info("deployment_gone", deployment_id=deployed.id)
        except Exception:
            log.exception("deployment_not_watched", deployment_id=deployed.id)
        finally:
            # The next call looks for itself.
            with self._lock:
                del self._kept[deployed.workload_id]

    def _is_busy(self, kept: _Kept) -> bool:
        own = get_own_channels(self._context)
        return any(own.is_busy(address) for address in filter(None, kept.endpoint.split(",")))
