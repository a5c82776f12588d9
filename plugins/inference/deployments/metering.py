"""What is written down when a version of a deployment changes: the time that dedicated ones run, which is usage, and
which version speaks for the deployment. Source: compute contract, 3.4 and 14.1.

Intervals are opened and closed in the very transaction that writes down how a workload stands, so that nothing is
lost or told twice wherever a process dies.
"""

from __future__ import annotations

from sqlalchemy import select

from hub.plugin.compute import Code, Workload, WorkloadChanged
from hub.plugin.db import UnitOfWork
from hub.plugin.metering import Power, Running, Scene, start_interval, stop_interval
from plugins.inference.deployments.models import DEDICATED, Deployment, DeploymentVersion
from plugins.inference.deployments.shares import elect, lock_shares, take_out

# The word that deployments' workloads bear.
PURPOSE = "inference"
_MIB = 1024 * 1024


def record_change(work: UnitOfWork, event: WorkloadChanged) -> None:
    """Write down that a version runs, with how many replicas, or runs no more; who speaks for the deployment then."""
    if event.purpose != PURPOSE:
        return
    query = select(DeploymentVersion.deployment_id).where(DeploymentVersion.workload_id == event.workload_id)
    deployment_id = work.session.scalar(query)
    if deployment_id is None:
        return
    deployment = lock_shares(work, deployment_id)
    if event.new == Code.DELETED:
        take_out(work, deployment, event.workload_id, event.at)
    elect(work, deployment)
    if deployment.type != DEDICATED:
        return  # its tokens are counted, by the gateway
    workload = work.session.get_one(Workload, event.workload_id)
    if event.new == Code.RUNNING and event.replicas:
        start_interval(work, _running(deployment, workload, event.replicas), at=event.at)
    else:
        stop_interval(work, workload.svc_name, at=event.at)


def _running(deployment: Deployment, workload: Workload, replicas: int) -> Running:
    resources = workload.spec["resources"]
    return Running(
        customer_id=workload.svc_name,
        owner_uuid=workload.namespace.uuid,
        scene=Scene.INFERENCE,
        resource_id=str(workload.sku_id or ""),
        resource_name=workload.sku_name,
        user_id=workload.user_id,
        replicas=replicas,
        power=Power(
            cpu_millis=resources["cpu_millis"],
            memory_mib=resources["memory_bytes"] // _MIB,
            gpu_millis=resources["gpu_count"] * 1000,
            gpu_model=resources["gpu_model"],
        ),
        details={"deployment_id": deployment.id, "model": deployment.repo_path, "engine": deployment.engine},
    )
