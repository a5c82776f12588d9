"""REST of the clusters that workloads run in. Contract: CSGHub, sections 4.8 and 5.9; compute, 12."""

from __future__ import annotations

from typing import Any

from hub.api import compute_schemas as schemas
from hub.api.envelope import enveloped, ok
from hub.compute.reports import Accelerator, Node
from hub.compute.service import clusters as service
from hub.compute.service.clusters import Cluster
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.routing import PREFIX, ApiBlueprint

blp = ApiBlueprint("clusters", __name__, url_prefix=PREFIX, description="Where workloads run")

_GIB = 1024**3


@blp.get("/cluster")
@blp.arguments(schemas.ClustersQuery, location="query")
@blp.response(200, enveloped(schemas.ClusterSchema, many=True))
def list_clusters(query: dict[str, Any]) -> dict[str, Any]:
    """The clusters that have something to offer; ``scope=all``: all."""
    found = service.list_clusters(current_context(), actor=current_actor())
    return ok([_view(one) for one in found if one.sku_count or query["scope"] == "all"])


@blp.get("/cluster/public")
@blp.response(200, enveloped(schemas.PublicClustersSchema))
def show_public_clusters() -> dict[str, Any]:
    """What kinds of cards there are where; for anybody."""
    cluster = service.look_at_cluster(current_context())
    cards = {(one.vendor, one.model): one for one in cluster.accelerators()}
    return ok(
        {
            "region": [cluster.id],
            "gpu_vendor": sorted({vendor for vendor, _ in cards}),
            "hardware": [_hardware(cluster, one) for _, one in sorted(cards.items())],
        }
    )


def _hardware(cluster: Cluster, cards: Accelerator) -> dict[str, Any]:
    return {
        "region": cluster.id,
        "gpu_vendor": cards.vendor,
        "xpu_model": cards.model,
        "xpu_mem": round(cards.memory_bytes / _GIB, 1),
    }


@blp.get("/cluster/usage")
@blp.response(200, enveloped(schemas.ClusterSchema, many=True))
def list_cluster_usage() -> dict[str, Any]:
    """How full the clusters are; for site administrators."""
    return ok([_view(one) for one in service.list_cluster_usage(current_context(), actor=current_actor())])


@blp.get("/cluster/<cluster_id>")
@blp.response(200, enveloped(schemas.ClusterDetailSchema))
def show_cluster(cluster_id: str) -> dict[str, Any]:
    """One cluster with its machines."""
    cluster = service.get_cluster(current_context(), actor=current_actor(), cluster_id=cluster_id)
    return ok(_view(cluster) | {"resources": [_node(cluster, node) for node in cluster.nodes]})


def _view(cluster: Cluster) -> dict[str, Any]:
    cpu, memory, cards = cluster.cpu_millis, cluster.memory_bytes, cluster.cards
    return {
        "cluster_id": cluster.id,
        "status": "Running" if cluster.is_running else "Unavailable",
        "region": cluster.id,
        "zone": "",
        "provider": "",
        "storage_class": "",
        "enable": True,
        "resource_status": "ClusterWide",
        "total_cpu": cpu / 1000,
        "available_cpu": max(cpu - cluster.promised_cpu_millis, 0) / 1000,
        "cpu_usage": _share(cluster.promised_cpu_millis, cpu),
        "total_mem": round(memory / _GIB, 2),
        "available_mem": round(max(memory - cluster.promised_memory_bytes, 0) / _GIB, 2),
        "mem_usage": _share(cluster.promised_memory_bytes, memory),
        "total_gpu": cards,
        "available_gpu": max(cards - cluster.promised_cards, 0),
        "gpu_usage": _share(cluster.promised_cards, cards),
        "node_number": len(cluster.nodes),
        "node_offlines": sum(node.status != "Ready" for node in cluster.nodes),
        "xpu_vendors": sorted({one.vendor for one in cluster.accelerators()}),
        "xpu_models": sorted({one.model for one in cluster.accelerators()}),
        "space_resource_count": cluster.sku_count,
        "last_update_time": cluster.at,
    }


def _share(part: float, whole: float) -> float:
    return round(min(part / whole, 1.0), 4) if whole else 0.0


def _node(cluster: Cluster, node: Node) -> dict[str, Any]:
    cards = node.accelerators[0] if node.accelerators else None
    return {
        "node_name": node.name,
        "node_status": node.status,
        "total_cpu": node.cpu_millis / 1000,
        "available_cpu": node.available_cpu_millis / 1000,
        "total_mem": round(node.memory_bytes / _GIB, 2),
        "available_mem": round(node.available_memory_bytes / _GIB, 2),
        "xpu_model": cards.model if cards else "",
        "gpu_vendor": cards.vendor if cards else "",
        "xpu_capacity_label": f"{cards.vendor.lower()}.com/{cards.kind}" if cards else "",
        "xpu_mem": round(cards.memory_bytes / _GIB, 1) if cards else 0,
        "total_xpu": sum(one.count for one in node.accelerators),
        "available_xpu": sum(one.available for one in node.accelerators),
        "reserved_xpu": 0,
        "enable_vxpu": False,
        "labels": dict(node.labels),
        "isolation": node.isolation,
        "update_at": cluster.at,
    }
