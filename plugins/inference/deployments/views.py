"""Deployments as clients of the platform read them. Source: CSGHub contract, 5.7; compute contract, 1.2 and 1.8."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from hub.plugin import Context
from hub.plugin.compute import Hardware, Seen, parse_hardware
from plugins.inference.deployments.causes import why
from plugins.inference.deployments.service import Found
from plugins.inference.deployments.shares import Version
from plugins.inference.gateway.deployed import model_name


def describe(context: Context, found: Found, *, seen: Seen | None = None, is_whole: bool = False) -> dict[str, Any]:
    """A deployment. seen: as it stands now, where somebody has just looked. Its secrets are nobody's to read.

    is_whole: with what is for those who may change it: its variables, and what it printed.
    """
    deployment, workload = found.deployment, found.workload
    hardware: Hardware | None = parse_hardware(workload.hardware) if workload.hardware else None
    spec, cause = workload.spec, why(workload)
    members = {
        "deploy_id": deployment.id,
        "deploy_name": deployment.name,
        "model_id": deployment.repo_path,
        "repository_id": deployment.repository_id,
        "status": seen.word if seen else workload.word,
        "reason": workload.reason,
        "message": workload.message if is_whole else "",
        "cause": cause and vars(cause if is_whole else replace(cause, log_tail="")),
        "svc_name": deployment.svc_name,
        "endpoint": urlsplit(context.settings.effective_base_url).netloc,
        "served_name": model_name(deployment),
        "runtime_framework": deployment.engine,
        "runtime_framework_id": deployment.framework_id,
        "image_id": spec["image"],
        "container_port": spec["port"],
        "min_replica": spec["replicas_min"],
        "max_replica": spec["replicas_max"],
        "actual_replica": workload.actual_replicas,
        "desired_replica": workload.desired_replicas,
        "instances": [{"name": one["name"], "status": one["status"]} for one in workload.instances],
        "cluster_id": workload.driver,
        "secure_level": workload.secure_level,
        "private": workload.is_private,
        "type": deployment.type,
        "hardware": _json(workload.hardware),
        "env": _json(deployment.environment) if is_whole else "",
        "variables": _json(deployment.variables) if is_whole else "",
        "entrypoint": deployment.entrypoint,
        "engine_args": _json(deployment.engine_args),
        "sku": str(workload.sku_id or ""),
        "resource_name": workload.sku_name,
        "pay_mode": "free",
        "provider": workload.driver,
        "resource_type": hardware.type if hardware else "",
        "repo_tag": workload.commit_id,
        "task": deployment.task,
        "git_path": f"models_{deployment.repo_path}",
        "git_branch": deployment.revision,
        "user_uuid": workload.user.uuid if workload.user else "",
        "username": workload.user.name if workload.user else "",
        "owner_namespace": workload.namespace.path,
        "support_function_call": deployment.has_tools,
        "created_at": deployment.created_at,
        "updated_at": max(deployment.updated_at, workload.status_at),
    }
    # Zero is a number of replicas; all else that is empty is left out.
    return {
        name: value
        for name, value in members.items()
        if value not in (None, "", []) or name in ("deploy_id", "deploy_name", "model_id", "status")
    }


def describe_version(version: Version, *, is_whole: bool = False) -> dict[str, Any]:
    """A revision that a deployment serves. is_whole: with what is for those who may change it: what it printed."""
    workload = version.workload
    return {
        "commit": version.commit_id,
        "create_time": version.row.created_at,
        "is_ready": version.is_ready,
        "traffic_percent": version.row.traffic_percent,
        "revision_name": workload.svc_name,
        "message": workload.message if is_whole else "",
        "reason": workload.reason,
        "status": workload.word,
        "actual_replica": workload.actual_replicas,
        "desired_replica": workload.desired_replicas,
        "instances": [{"name": one["name"], "status": one["status"]} for one in workload.instances],
    }


def _json(values: Mapping[str, Any]) -> str:
    return json.dumps(dict(values)) if values else ""
