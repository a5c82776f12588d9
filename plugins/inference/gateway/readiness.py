"""Deployments that are called: one of their versions is chosen, awake, and stays so while it is called.

Source: compute contract, 3.3, 3.4 and 15.8.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from hub.plugin import Context, get_logger
from hub.plugin.compute import Code, Seen, see_workload, touch_workload, wake_workload
from hub.plugin.errors import Conflict, HubError, NotFound
from hub.plugin.outgoing import get_own_channels
from plugins.inference.catalogue import Deployed, Running, Served
from plugins.inference.deployments.shares import HOPEFUL
from plugins.inference.gateway.deployed import servers_of
from plugins.inference.gateway.faults import Fault
from plugins.inference.settings import InferenceSettings

log = get_logger(__name__)

_STOPPING = "stopping"  # the driver's word for what is falling asleep
# So often what is called is kept from falling asleep, and looked at; what may have more instances, more often.
_TOUCH_S, _ELASTIC_TOUCH_S = 3.0, 1.0
_PAUSE_S = 0.1
_WAKE_EVERY_S = 1.0
_RETRY_S = 5


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


def _draw(versions: list[Running]) -> list[Running]:
    """The same, by chance the more often first the larger its share; whoever runs comes before whoever is to be woken,
    behind the first."""
    weights = [version.share for version in versions]
    first = random.choices(versions, weights if any(weights) else None)[0]  # noqa: S311 - of loads, not of secrets
    rest = [version for version in versions if version is not first]
    return [first, *sorted(rest, key=lambda version: not version.servers)]


def _in_turn(deployed: Deployed) -> list[Running]:
    """The versions that a call may be given, the chosen one first: of those with a share, and those that are ready."""
    wanted = [version for version in deployed.versions if version.is_wanted]
    if len(wanted) < 2:
        return wanted
    ready = [version for version in wanted if version.is_ready]
    for few in ([version for version in ready if version.share], ready, wanted):
        if few:
            return _draw(few)
    return []


@dataclass
class _Kept:
    """A version that is kept awake: when it was last called, and where it answers."""

    called_s: float
    endpoint: str


class Readiness:
    """Chooses versions of deployments, wakes them, and keeps them awake while they are called; one for a process."""

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

        Of several versions one is chosen by its share; it is the first of the answer's. What sleeps is woken, once, and
        waited for; route: at the upstream; check: raises ClientGone, and is asked while the call waits. Raises Fault:
        400 for what its engine does not answer; 503 when it does not run, has not come in time, or too many wait.
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
        refused: Fault | None = None
        for version in _in_turn(deployed):
            try:
                return self._ready(served, deployed, version, check)
            except Fault as fault:
                refused = refused or fault
        raise refused or _fault(served, "is not running.")

    def _ready(self, served: Served, deployed: Deployed, version: Running, check: Callable[[], None]) -> Served:
        kept = self._kept.get(version.workload_id)
        if kept is None or not version.servers:
            return self._await(served, deployed, version, check)
        kept.called_s = time.monotonic()
        if len(deployed.versions) == 1:
            return served
        return replace(
            served,
            servers=(*version.servers, *version.spares),
            deployment=replace(deployed, versions=(version,)),
        )

    def again(self, served: Served, *, check: Callable[[], None] = _stay) -> Served | None:
        """The model with upstreams that answer, when those of the ``ready`` one did not because it was just falling
        asleep, or had fewer instances from that moment on; None: that was not why.

        Raises Fault, as ``ready``.
        """
        deployed = served.deployment
        if deployed is None:
            return None
        version = deployed.versions[0]
        seen = self._look(served, version, is_fresh=True)
        # What has ended for another reason says so until it serves again.
        is_waking = seen.code in (Code.DEPLOYING, Code.STARTUP) and not seen.reason
        is_asleep = seen.code is Code.SLEEPING or seen.reason == _STOPPING or is_waking
        now_there = {server.id for server in servers_of(self._context, deployed, seen.endpoint)}
        is_fewer = seen.code is Code.RUNNING and any(
            server.id not in now_there for server in served.servers if not server.tier
        )
        return self._await(served, deployed, version, check, is_fresh=True) if is_asleep or is_fewer else None

    def _await(
        self,
        served: Served,
        deployed: Deployed,
        version: Running,
        check: Callable[[], None],
        *,
        is_fresh: bool = False,
    ) -> Served:
        """Nobody has called it for a while, or it is not there yet: what is known of it may be old."""
        id = version.workload_id
        with self._lock:
            if self._queued[id] >= self._settings.max_queued_calls:
                raise _fault(served, "is starting, and too many calls wait for it already.")
            self._queued[id] += 1
        try:
            deadline = time.monotonic() + self._settings.wake_timeout_s
            self._touch(version)
            while True:
                seen = self._look(served, version, is_fresh=is_fresh)
                is_fresh = False
                if seen.code is Code.RUNNING and seen.endpoint and seen.reason != _STOPPING:
                    self._keep_awake(deployed, version, seen.endpoint)
                    servers = servers_of(self._context, deployed, seen.endpoint)
                    alone = replace(deployed, versions=(version,))
                    return replace(served, servers=(*servers, *version.spares), deployment=alone)
                if time.monotonic() >= deadline:
                    raise _fault(served, "is starting; try again soon.")
                check()
                time.sleep(_PAUSE_S)
        finally:
            with self._lock:
                self._queued[id] -= 1
                if not self._queued[id]:
                    del self._queued[id]

    def _look(self, served: Served, version: Running, *, is_fresh: bool = False) -> Seen:
        try:
            seen = see_workload(self._context, workload_id=version.workload_id, is_fresh=is_fresh)
        except NotFound:
            raise _fault(served, "is not running.") from None
        if seen.code not in HOPEFUL:
            raise _fault(served, "is not running.")
        if seen.code is Code.SLEEPING and self._is_due_to_wake(version.workload_id):
            try:
                wake_workload(self._context, workload_id=version.workload_id)
            except Conflict as error:
                log.warning("deployment_not_woken", svc=version.svc_name, reason=error.code)
                raise _fault(served, f"cannot be started now: {error}") from error
        return seen

    def _is_due_to_wake(self, workload_id: int) -> bool:
        now = time.monotonic()
        with self._lock:
            if now - self._woken.get(workload_id, -_WAKE_EVERY_S) < _WAKE_EVERY_S:
                return False
            self._woken[workload_id] = now
            return True

    def _touch(self, version: Running, calls: Mapping[str, int] | None = None) -> None:
        try:
            touch_workload(self._context, version.svc_name, calls=calls)
        except HubError as error:
            log.warning("deployment_not_touched", svc=version.svc_name, reason=str(error))

    # What is called stays awake.

    def _keep_awake(self, deployed: Deployed, version: Running, endpoint: str) -> None:
        """See to it, beside the calls, that it does not fall asleep while it is called or still answers."""
        with self._lock:
            if version.workload_id in self._kept:
                return
            kept = self._kept[version.workload_id] = _Kept(time.monotonic(), endpoint)
        name = f"awake-{version.svc_name}"
        threading.Thread(target=self._watch, args=(deployed.id, version, kept), name=name, daemon=True).start()

    def _watch(self, deployment_id: int, version: Running, kept: _Kept) -> None:
        pause_s = min(_ELASTIC_TOUCH_S if version.is_elastic else _TOUCH_S, version.sleep_after_s / 4 or _TOUCH_S)
        # One that is to get no new calls may still answer some.
        addresses: set[str] = set()
        is_up = True
        try:
            while True:
                addresses.update(filter(None, kept.endpoint.split(",")))
                calls = self._count_calls(version, addresses)
                if not is_up or not (calls or time.monotonic() - kept.called_s < 2 * pause_s):
                    break
                self._touch(version, calls)
                addresses.intersection_update(calls)
                time.sleep(pause_s)
                # What is written down of it is what the gateway believes.
                seen = see_workload(self._context, workload_id=version.workload_id)
                is_up, kept.endpoint = seen.code is Code.RUNNING, seen.endpoint
        except NotFound:
            log.info("deployment_gone", deployment_id=deployment_id)
        except Exception:
            log.exception("deployment_not_watched", deployment_id=deployment_id)
        finally:
            # The next call looks for itself.
            with self._lock:
                del self._kept[version.workload_id]

    def _count_calls(self, version: Running, addresses: Iterable[str]) -> dict[str, int]:
        """The calls of this process that are under way, by the address that they were sent to; those that wait: ""."""
        own = get_own_channels(self._context)
        counted = {address: own.count_busy(address) for address in addresses}
        return {address: count for address, count in counted.items() if count} | (
            {"": waiting} if (waiting := self._queued.get(version.workload_id, 0)) else {}
        )
