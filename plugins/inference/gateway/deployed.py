"""Deployments as models of the gateway: under which names, for whom, and where they answer.

Source: gateway contract, section 1.2; compute contract, 1.6 and 3.4.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlalchemy import ColumnElement, Row, Select, or_, select
from sqlalchemy.orm import joinedload

from hub.plugin import Actor, Context, Role
from hub.plugin.compute import Code, Desired, Workload, base36, may_see
from hub.plugin.db import UnitOfWork
from hub.plugin.outgoing import get_own_channels
from hub.plugin.policy import User, holders
from hub.plugin.signing import Sealer, create_sealer
from plugins.inference.catalogue import Deployed, Prices, Running, Served, Server, find_served, list_served
from plugins.inference.deployments.models import DEDICATED, SERVERLESS, Deployment
from plugins.inference.deployments.shares import HOPEFUL, Version, find_versions

LLM_TYPES = {DEDICATED: "inference", SERVERLESS: "serverless"}
MAX_LISTED = 1000
_NUMBER = re.compile(r"[1-9a-z][0-9a-z]{0,10}\Z")  # below 2**63
_USUAL = "weighted"


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
        # Of instances that are all alike the least busy one is asked, unless somebody wants it otherwise.
        strategy=found.strategy if named.strategy == _USUAL else named.strategy,
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
        condition = (Deployment.svc_name == tail) & (Deployment.repo_path == head)
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
    [served] = _served_of(work, [row])
    if deployment.type == SERVERLESS or not workload.is_private:
        return served
    callers = select(User.namespace_id).where(
        User.is_active, or_(holders(workload, least=Role.READ), User.id == workload.user_id)
    )
    return replace(served, guests=frozenset(work.session.scalars(callers)))


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
    codes = [int(code) for code in HOPEFUL]
    query = _query().where(is_visible, Workload.desired == Desired.RUNNING, Workload.code.in_(codes))
    query = query.order_by(Deployment.repo_path, Deployment.id).limit(MAX_LISTED)
    return _served_of(work, work.session.execute(query).all())


def _query() -> Select[Deployment, Workload]:
    return (
        select(Deployment, Workload)
        .join(Workload, Workload.id == Deployment.workload_id)
        .where(Deployment.deleted_at.is_(None), Workload.desired != Desired.DELETED)
        .options(joinedload(Workload.user))
    )


def _served_of(work: UnitOfWork, rows: Sequence[Row[Deployment, Workload]]) -> list[Served]:
    versions = find_versions(work, [deployment.id for deployment, _ in rows])
    return [_as_served(work.context, *row, versions[row[0].id]) for row in rows]


def _as_served(context: Context, deployment: Deployment, workload: Workload, versions: Sequence[Version]) -> Served:
    is_for_all = deployment.type == SERVERLESS or not workload.is_private
    deployed = Deployed(
        deployment.id,
        (),
        deployment.engine,
        frozenset(deployment.routes),
        deployment.upstream_path,
        deployment.upstream_model,
        key_sealer(context).open(deployment.sealed_key) if deployment.sealed_key else "",
        deployment.has_tools,
    )
    running = _running_of(context, deployed, versions)
    # Whoever pressed the button owns it, as clients are told; what administrators serve to all is the platform's.
    owner = workload.user.name if deployment.type == DEDICATED and workload.user else ""
    return Served(
        model_name(deployment),
        LLM_TYPES[deployment.type],
        owner,
        deployment.task,
        None if is_for_all else workload.namespace_id,
        deployment.repo_path,
        "least_busy",
        "",
        (),
        None,
        Prices(),
        int(deployment.created_at.timestamp()),
        tuple(server for version in running for server in version.servers),
        deployment=replace(deployed, versions=running),
    )


def _running_of(context: Context, deployed: Deployed, versions: Sequence[Version]) -> tuple[Running, ...]:
    servers = {
        version.row.id: servers_of(context, deployed, version.workload.endpoint)
        if version.is_hopeful and version.workload.state is Code.RUNNING
        else ()
        for version in versions
    }
    return tuple(
        Running(
            version.workload.id,
            version.workload.svc_name,
            version.row.traffic_percent,
            version.is_ready,
            version.is_hopeful,
            version.workload.spec["sleep_after_s"],
            version.workload.spec["replicas_max"] > max(version.workload.spec["replicas_min"], 1),
            servers[version.row.id],
            _spares_of(version, versions, servers),
        )
        for version in versions
    )


def _spares_of(
    version: Version, versions: Sequence[Version], servers: Mapping[int, tuple[Server, ...]]
) -> tuple[Server, ...]:
    others = [one.row.id for one in versions if one is not version and one.row.traffic_percent]
    return tuple(replace(server, tier=1) for id in others for server in servers[id])


def upstream_id_of(url: str) -> int:
    """By which the gateway and its account of calls know an instance: below 0, as no provider's, and the same for it
    however many there are beside it."""
    return -1 - binascii.crc32(url.encode())


def servers_of(context: Context, deployed: Deployed, endpoint: str) -> tuple[Server, ...]:
    """Where a version answers. endpoint: as its workload has it, with commas between those of several instances."""
    own = get_own_channels(context)
    headers = {"Authorization": f"Bearer {deployed.key}"} if deployed.key else {}
    servers = []
    for address in filter(None, endpoint.split(",")):
        own.trust(address)
        url = address.rstrip("/") + deployed.upstream_path
        servers.append(
            Server(upstream_id_of(url), url, deployed.upstream_model, deployed.engine, 1, 0, headers, is_own=True)
        )
    return tuple(servers)
