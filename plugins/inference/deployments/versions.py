"""Versions of a deployment: commits of its model beside each other, and the share of the calls that each answers.

Source: compute contract, 3.4. Each has a workload of its own; what else is said of the deployment is said of all.
"""

from __future__ import annotations

from collections.abc import Sequence

from hub.plugin import Actor, Context, get_logger
from hub.plugin.compute import (
    WORKLOAD_WRITE,
    Desired,
    delete_workload,
    parse_hardware,
    refresh,
    start_workload,
    stop_workload,
)
from hub.plugin.db import UnitOfWork, reading, unit_of_work
from hub.plugin.errors import Conflict, HubError, Invalid, NotFound, Unavailable
from hub.plugin.policy import Namespace
from hub.plugin.repos import find_commit, get_readable, require_content
from plugins.inference.deployments import service
from plugins.inference.deployments.models import DEDICATED, Deployment
from plugins.inference.deployments.planning import Planned, make_plan
from plugins.inference.deployments.service import MODEL, Found, get_deployment
from plugins.inference.deployments.shares import ALL, Version, lock_shares, lock_versions, set_shares, versions_of
from plugins.inference.gateway.deployed import key_sealer

log = get_logger(__name__)

_SHORTEST_COMMIT = 7


def list_versions(context: Context, *, actor: Actor, deployment_id: int, repo_path: str = "") -> list[Version]:
    """The versions of a deployment as they stand now, the oldest first. Raises NotFound, NotSignedIn."""

    def find() -> list[Version]:
        with reading(context) as work:
            found = get_deployment(work, actor=actor, deployment_id=deployment_id, repo_path=repo_path)
            return versions_of(work, found.deployment)

    try:
        refresh(context, [version.workload.id for version in find()])
    except Unavailable as error:
        log.warning("versions_not_refreshed", deployment_id=deployment_id, reason=str(error))
    return find()


def create_version(
    context: Context, *, actor: Actor, deployment_id: int, revision: str, percent: int, repo_path: str = ""
) -> Version:
    """Serve another commit beside what is served; it gets its calls once it answers.

    revision: a branch, tag or commit. percent: its share; the rest is that of whoever has most now. It starts at once
    where the deployment runs. Raises NotFound, NotSignedIn, Denied, Invalid (``model_not_fit``: it does not answer what
    the deployment answers), Conflict (``version_exists``, ``too_many_versions``, and where there is no room).
    """
    with reading(context) as work:
        found = _find(work, actor, deployment_id, repo_path)
        form = service.said_of(found)
        repository = get_readable(work, actor=actor, kind=MODEL, repository_id=found.deployment.repository_id)
        require_content(work, actor, repository)
        hardware = parse_hardware(found.workload.hardware)
    planned = make_plan(context, repository, find_commit(context, repository, revision), form, hardware)
    with unit_of_work(context) as work:
        said_at = found.deployment.updated_at
        found = _find(work, actor, deployment_id, repo_path)
        deployment = lock_shares(work, deployment_id)
        if deployment.updated_at != said_at:
            raise Conflict("The deployment was changed just now; try again.", code="deployment_changed")
        versions = versions_of(work, deployment)
        _require_alike(found, planned)
        _require_place(found, versions, planned.commit_id)
        workload = service.new_workload(
            work,
            actor=actor,
            namespace=work.session.get_one(Namespace, deployment.namespace_id),
            repository=repository,
            form=form,
            planned=planned,
            hardware=hardware,
            key=key_sealer(context).open(deployment.sealed_key) if deployment.sealed_key else "",
            is_private=found.workload.is_private,
        )
        service.add_version(work, deployment, workload, actor=actor, percent=percent)
        before = {version.row.id: version.row.traffic_percent for version in versions}
        largest = max(versions, key=lambda version: (version.row.traffic_percent, -version.row.id))
        set_shares(versions, {largest.row.id: ALL - percent})
        is_to_run = found.workload.desired is Desired.RUNNING
        log.info("version_created", deployment_id=deployment_id, workload_id=workload.id, percent=percent)
    if is_to_run:
        try:
            start_workload(context, actor=actor, workload_id=workload.id)
        except HubError:
            with unit_of_work(context) as work:
                delete_workload(work, actor=actor, workload_id=workload.id)
                left = versions_of(work, lock_shares(work, deployment_id))
                if {version.row.id for version in left} == set(before):
                    set_shares(left, before)
            raise
    return _settle(context, actor, deployment, workload.id)


def _settle(context: Context, actor: Actor, deployment: Deployment, workload_id: int) -> Version:
    """A version that was made: as it stands, and stopped where somebody has stopped all others meanwhile."""
    with unit_of_work(context) as work:
        versions = lock_versions(work, deployment)
        made = next((one for one in versions if one.workload.id == workload_id), None)
        if made is None:
            raise NotFound("Somebody has just removed the version.", code="SERVERLESS-ERR-4")
        if not any(one.workload.desired is Desired.RUNNING for one in versions if one is not made):
            stop_workload(work, actor=actor, workload_id=workload_id)
        return made


def _find(work: UnitOfWork, actor: Actor, deployment_id: int, repo_path: str) -> Found:
    return get_deployment(
        work,
        actor=actor,
        deployment_id=deployment_id,
        permission=WORKLOAD_WRITE,
        repo_path=repo_path,
        type=DEDICATED,
    )


def _require_alike(found: Found, planned: Planned) -> None:
    """Callers may ask either: what the one answers the other must answer, under the same name, to the same key."""
    deployment, plan = found.deployment, planned.plan
    routes = {route.value for route in plan.supports}
    is_same = (plan.upstream_path, plan.model_name) == (deployment.upstream_path, deployment.upstream_model)
    has_key = bool(plan.key_variable) == bool(deployment.sealed_key)
    if not is_same or not has_key or not routes >= set(deployment.routes):
        raise Invalid(
            "This revision answers other calls than the deployment; deploy it for itself.", code="model_not_fit"
        )


def _require_place(found: Found, versions: Sequence[Version], commit_id: str) -> None:
    if any(version.commit_id == commit_id for version in versions):
        raise Conflict("The deployment serves this commit already.", code="version_exists")
    most = found.workload.parsed_spec.replicas_max
    if sum(version.is_ready for version in versions) >= most:
        raise Conflict(
            f"There may be {most} versions, as many as instances at most; remove one, or allow more instances.",
            code="too_many_versions",
        )


def divide_traffic(
    context: Context, *, actor: Actor, deployment_id: int, shares: Sequence[tuple[str, int]], repo_path: str = ""
) -> None:
    """Say which share of the calls each version answers. shares: commit and percent; who is not named gets none.

    Raises NotFound (``SERVERLESS-ERR-4``: no such version), NotSignedIn, Denied, Invalid (``traffic_invalid``),
    Conflict (``version_not_live``: it has failed).
    """
    with unit_of_work(context) as work:
        found = _find(work, actor, deployment_id, repo_path)
        versions = versions_of(work, lock_shares(work, deployment_id))
        percents: dict[int, int] = {}
        for commit_id, percent in shares:
            version = pick_version(versions, commit_id)
            if version.row.id in percents:
                raise Invalid("A version is named twice.", code="traffic_invalid")
            if percent and found.workload.desired is Desired.RUNNING and not version.is_hopeful:
                raise Conflict(
                    f"The version {version.commit_id[:12]} does not run; start it first.", code="version_not_live"
                )
            percents[version.row.id] = percent
        if sum(percents.values()) != ALL or min(percents.values()) < 0:
            raise Invalid("The shares of all versions are 100 together.", code="traffic_invalid")
        set_shares(versions, percents)
        log.info("traffic_divided", deployment_id=deployment_id, shares=len(percents))


def remove_version(context: Context, *, actor: Actor, deployment_id: int, commit_id: str, repo_path: str = "") -> None:
    """Serve a version no more; its calls are the others'. The last one that answers is never taken away.

    Raises NotFound (``SERVERLESS-ERR-4``), NotSignedIn, Denied, Conflict (``version_is_last``).
    """
    with unit_of_work(context) as work:
        found = _find(work, actor, deployment_id, repo_path)
        versions = lock_versions(work, found.deployment)
        version = pick_version(versions, commit_id)
        others = [one for one in versions if one is not version]
        if not others:
            raise Conflict("It is the only version; delete the deployment instead.", code="version_is_last")
        if version.is_ready and not any(one.is_ready for one in others):
            raise Conflict("It is the only version that answers; wait until another one does.", code="version_is_last")
        # The share is divided, and another one speaks for the deployment, in the same transaction (``metering``).
        delete_workload(work, actor=actor, workload_id=version.workload.id)
        log.info("version_removed", deployment_id=deployment_id, workload_id=version.workload.id)


def pick_version(versions: Sequence[Version], commit_id: str) -> Version:
    """The version of a commit, of whose id seven letters are enough. Raises NotFound (``SERVERLESS-ERR-4``)."""
    found = [one for one in versions if one.commit_id.startswith(commit_id)]
    if len(commit_id) < _SHORTEST_COMMIT or len(found) != 1:
        raise NotFound("The deployment serves no such revision.", code="SERVERLESS-ERR-4")
    return found[0]
