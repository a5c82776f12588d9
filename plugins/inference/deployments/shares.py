"""How calls are divided between a deployment's versions, and which version speaks for it. Source: contract, 3.4.

Whoever writes shares holds the deployment's row; who holds workloads, too, has locked them before it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import lazyload

from hub.plugin.compute import Code, Desired, Workload
from hub.plugin.db import UnitOfWork
from plugins.inference.deployments.models import Deployment, DeploymentVersion

ALL = 100
# It answers, if after a while.
READY = frozenset({Code.RUNNING, Code.SLEEPING})
# On their way, or there: who calls waits, or is answered.
HOPEFUL = frozenset({Code.PENDING, Code.DEPLOYING, Code.STARTUP}) | READY


@dataclass(frozen=True)
class Version:
    """A version of a deployment and what runs it."""

    row: DeploymentVersion
    workload: Workload

    @property
    def commit_id(self) -> str:
        return self.workload.commit_id

    @property
    def is_ready(self) -> bool:
        """Whether calls are answered by it: it runs, or wakes when it is called."""
        return self.workload.desired is Desired.RUNNING and self.workload.state in READY

    @property
    def is_hopeful(self) -> bool:
        """Whether it is ready, or may yet be."""
        return self.workload.desired is Desired.RUNNING and self.workload.state in HOPEFUL


def find_versions(work: UnitOfWork, deployment_ids: Collection[int]) -> dict[int, list[Version]]:
    """The versions of each deployment, the oldest first; one query."""
    found: dict[int, list[Version]] = {id: [] for id in deployment_ids}
    query = (
        select(DeploymentVersion, Workload)
        .join(Workload, Workload.id == DeploymentVersion.workload_id)
        .where(DeploymentVersion.deployment_id.in_(list(deployment_ids)), DeploymentVersion.deleted_at.is_(None))
        .options(lazyload(Workload.namespace))
        .order_by(DeploymentVersion.id)
    )
    for row, workload in work.session.execute(query):
        found[row.deployment_id].append(Version(row, workload))
    return found


def versions_of(work: UnitOfWork, deployment: Deployment) -> list[Version]:
    """The versions of one deployment, the oldest first."""
    return find_versions(work, [deployment.id])[deployment.id]


def lock_versions(work: UnitOfWork, deployment: Deployment) -> list[Version]:
    """As ``versions_of``; nobody else changes how they stand until the end of the unit of work."""
    ids = [version.workload.id for version in versions_of(work, deployment)]
    query = select(Workload).where(Workload.id.in_(ids)).order_by(Workload.id).with_for_update(of=Workload)
    work.session.execute(query.options(lazyload(Workload.namespace)).execution_options(populate_existing=True)).all()
    # Another one may have been taken away while this waited.
    work.session.expire_all()
    return versions_of(work, deployment)


def lock_shares(work: UnitOfWork, deployment_id: int) -> Deployment:
    """The deployment; nobody else divides its calls until the end of the unit of work."""
    work.session.flush()
    return work.session.get_one(Deployment, deployment_id, with_for_update=True, populate_existing=True)


def set_shares(versions: Sequence[Version], percents: Mapping[int, int]) -> None:
    """percents: by the row's id; of all together 100. What is not named gets none."""
    for version in versions:
        version.row.traffic_percent = percents.get(version.row.id, 0)


def spread(percents: Mapping[int, int]) -> dict[int, int]:
    """The same in their relation to each other, but 100 together; what is left over goes to the largest first."""
    total = sum(percents.values())
    if not total:
        # Nobody had any: all are alike.
        percents, total = dict.fromkeys(percents, 1), len(percents)
    found = {id: percent * ALL // total for id, percent in percents.items()}
    largest = sorted((-percent, id) for id, percent in percents.items() if percent)
    for number in range(ALL - sum(found.values())):
        found[largest[number][1]] += 1
    return found


def take_out(work: UnitOfWork, deployment: Deployment, workload_id: int, at: datetime) -> None:
    """A version's workload is deleted, by whomever: its share is the others'. The last one takes the deployment along.

    The deployment is locked.
    """
    versions = versions_of(work, deployment)
    gone = next((one for one in versions if one.workload.id == workload_id), None)
    if gone is None:
        return
    gone.row.deleted_at, gone.row.traffic_percent = at, 0
    rest = [one for one in versions if one is not gone]
    if rest:
        set_shares(rest, spread({one.row.id: one.row.traffic_percent for one in rest}))
    elif deployment.deleted_at is None:
        deployment.deleted_at = at
    work.session.flush()


def elect(work: UnitOfWork, deployment: Deployment) -> None:
    """Let a version speak for the deployment that answers, if any does: the one that does already, or has most calls.

    The deployment is locked.
    """
    versions = versions_of(work, deployment)
    if not versions:
        return

    def rank(version: Version) -> tuple[int, bool, int, int]:
        stands = 2 if version.is_ready else 1 if version.is_hopeful else 0
        is_speaker = version.workload.id == deployment.workload_id
        return stands, is_speaker, version.row.traffic_percent, -version.row.id

    deployment.workload_id = max(versions, key=rank).workload.id
    work.session.flush()
