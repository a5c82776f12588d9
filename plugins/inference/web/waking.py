"""How deployments stand that somebody has asked something, and waking them: for whoever may call them."""

from __future__ import annotations

from dataclasses import dataclass

from hub.plugin import Actor, Context
from hub.plugin.compute import Code, see_workload, wake_workload
from hub.plugin.db import reading
from hub.plugin.errors import NotFound
from plugins.inference.catalogue import Deployed
from plugins.inference.deployments import service
from plugins.inference.gateway.deployed import find_model
from plugins.inference.web.accounts import own_namespace

_FAILED = frozenset({Code.BUILD_FAILED, Code.DEPLOY_FAILED, Code.RUNTIME_ERROR})


@dataclass(frozen=True)
class Readiness:
    """How a model stands. status: the workload's word; message: what its driver last said of it."""

    status: str
    message: str
    is_ready: bool
    has_failed: bool


def see_readiness(context: Context, *, actor: Actor, name: str, is_fresh: bool = False) -> Readiness:
    """How a deployment stands, as it is now, by the version that has come furthest: one that runs is enough.

    is_fresh: what somebody was told a moment ago is not enough. Raises NotSignedIn, NotFound (``model_not_found``).
    """
    deployed = _find(context, actor, name)
    states = [
        see_workload(context, workload_id=version.workload_id, is_fresh=is_fresh) for version in deployed.versions
    ]
    best = min(states, key=lambda seen: (seen.code is not Code.RUNNING, seen.code in _FAILED))
    is_ready = deployed.is_wanted and best.code is Code.RUNNING
    return Readiness(best.word, best.message, is_ready, best.code in _FAILED)


def wake_model(context: Context, *, actor: Actor, name: str) -> Readiness:
    """Wake a deployment that sleeps; start one that is stopped or has failed, for those who may.

    Raises NotSignedIn, NotFound (``model_not_found``), Denied, Conflict where there is no room now.
    """
    deployed = _find(context, actor, name)
    if not deployed.is_wanted:
        service.start_deployment(context, actor=actor, deployment_id=deployed.id)
    for version in deployed.versions:
        # What does not sleep stays as it is; what gets no calls may sleep on.
        if version.share:
            wake_workload(context, workload_id=version.workload_id)
    # A moment ago it may still have run.
    return see_readiness(context, actor=actor, name=name, is_fresh=True)


def _find(context: Context, actor: Actor, name: str) -> Deployed:
    with reading(context) as work:
        namespace = own_namespace(work, actor)
        served = find_model(work, name)
        deployed = served.deployment if served is not None and served.is_for(namespace.id) else None
    if deployed is None or not deployed.versions:
        raise NotFound("There is no such deployment, or you may not call it.", code="model_not_found")
    return deployed
