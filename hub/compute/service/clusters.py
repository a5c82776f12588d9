"""The clusters of this hub, as it sees them: with the driver of one machine there is one. Source: contract, 12."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from hub.accounts.policy import Actor, require_site_admin
from hub.base.context import Context
from hub.base.errors import NotFound, NotSignedIn
from hub.compute.machines import MACHINES
from hub.compute.models import Sku
from hub.compute.reports import Accelerator, Node
from hub.compute.service.admission import sum_promised
from hub.db.uow import reading


@dataclass(frozen=True)
class Cluster:
    """One cluster now. promised_*: what workloads take that have not ended, whether or not they use it."""

    id: str
    nodes: Sequence[Node]
    promised_cpu_millis: int
    promised_memory_bytes: int
    promised_cards: float
    sku_count: int
    at: datetime

    @property
    def is_running(self) -> bool:
        """Whether somebody answers for it."""
        return any(node.status == "Ready" for node in self.nodes)

    @property
    def cpu_millis(self) -> int:
        return sum(node.cpu_millis for node in self.nodes)

    @property
    def memory_bytes(self) -> int:
        return sum(node.memory_bytes for node in self.nodes)

    @property
    def cards(self) -> int:
        return sum(cards.count for cards in self.accelerators())

    def accelerators(self) -> Iterator[Accelerator]:
        """All cards of all nodes, by kind and model."""
        for node in self.nodes:
            yield from node.accelerators


def _require_account(actor: Actor) -> None:
    if actor.is_anonymous:
        raise NotSignedIn("Sign in, or send an access token, to see this.")


def list_clusters(context: Context, *, actor: Actor) -> list[Cluster]:
    """The clusters; for whoever has an account. One that does not answer has no nodes. Raises NotSignedIn."""
    _require_account(actor)
    return [look_at_cluster(context)]


def get_cluster(context: Context, *, actor: Actor, cluster_id: str) -> Cluster:
    """The cluster of that id. Raises NotSignedIn, NotFound (``cluster_not_found``)."""
    _require_account(actor)
    if cluster_id != context[MACHINES].name:
        raise NotFound("There is no such cluster.", code="cluster_not_found")
    return look_at_cluster(context)


def list_cluster_usage(context: Context, *, actor: Actor) -> list[Cluster]:
    """How full the clusters are; for site administrators. Raises NotSignedIn, Denied."""
    with reading(context) as work:
        require_site_admin(work, actor)
    return [look_at_cluster(context)]


def look_at_cluster(context: Context) -> Cluster:
    """The cluster as anybody's page may sum it up; who may see its machines is the caller's question."""
    nodes = context[MACHINES].find_nodes()
    with reading(context) as work:
        promised = sum_promised(work, nodes)
        count = work.session.scalar(
            select(func.count(Sku.id)).where(Sku.cluster_id == context[MACHINES].name, Sku.deleted_at.is_(None))
        )
        return Cluster(
            context[MACHINES].name,
            nodes,
            promised.cpu_millis,
            promised.memory_bytes,
            float(sum(promised.cards.values())),
            count or 0,
            work.now(),
        )
