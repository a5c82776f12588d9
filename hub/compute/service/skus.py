"""What workloads can be run on, as it is offered to people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from hub.accounts.policy import Actor, require_site_admin
from hub.base.context import Context
from hub.base.errors import Conflict, Invalid, NotFound
from hub.base.paging import Page, PageArgs
from hub.base.texts import is_storable
from hub.compute.hardware import (
    ALL_SCENARIOS,
    GIB,
    Hardware,
    fits_scenario,
    format_bytes,
    mask_of,
    parse_hardware,
)
from hub.compute.machines import MACHINES
from hub.compute.models import Sku
from hub.compute.reports import Node
from hub.compute.service.admission import OK, find_reason, sum_promised
from hub.db.insert import insert_new
from hub.db.uow import UnitOfWork, reading, unit_of_work

MAX_SKUS = 500
_MAX_NAME = 128
# What there is on any machine. Source: compute contract, 15.9.
_SMALL = ((1, 2), (2, 4))


@dataclass(frozen=True)
class Offer:
    """A SKU with what there is of it now. reasons: node's name to the contract's word, "ok" where it fits."""

    sku: Sku
    hardware: Hardware
    reasons: Mapping[str, str]

    @property
    def is_available(self) -> bool:
        return OK in self.reasons.values()


def list_offers(
    context: Context,
    *,
    cluster_id: str = "",
    scenario: int | None = None,
    type: str = "",
    model: str = "",
    is_available: bool | None = None,
    page: PageArgs | None = None,
) -> Page[Offer]:
    """What there is to run on, the smallest first. Anybody may ask.

    scenario: the bit of what it is for. type: "cpu", "gpu" ...; model: "CPU", "XPU", "VXPU", "MIG".
    """
    page = page or PageArgs()
    if not is_storable(cluster_id):
        return Page([], 0)
    _ensure(context)
    nodes = context[MACHINES].find_nodes()
    with reading(context) as work:
        query = select(Sku).where(Sku.deleted_at.is_(None)).order_by(Sku.id).limit(MAX_SKUS)
        if cluster_id:
            query = query.where(Sku.cluster_id == cluster_id)
        skus = [(sku, parse_hardware(sku.resources)) for sku in work.session.scalars(query)]
        promised = sum_promised(work, nodes)
    percent = context.settings.compute_overcommit_percent
    offers = []
    for sku, hardware in skus:
        is_for = scenario is None or (sku.scenarios & (1 << scenario) and fits_scenario(hardware, scenario))
        if not is_for or type not in ("", hardware.type) or model not in ("", hardware.model):
            continue
        if sku.cluster_id == context[MACHINES].name:
            reason = find_reason(hardware.resources, nodes, promised, replicas=hardware.replicas, percent=percent)
        else:
            reason = "node_offline"  # of a cluster that this hub had once
        offer = Offer(sku, hardware, {node.name: reason for node in nodes} or {"": reason})
        if is_available is None or offer.is_available is is_available:
            offers.append(offer)
    return Page(offers[page.offset : page.offset + page.per], len(offers))


def find_sku(work: UnitOfWork, sku_id: int) -> Sku:
    """The SKU, for a new workload. Raises NotFound (``sku_not_found``)."""
    sku = work.session.get(Sku, sku_id)
    if sku is None or sku.deleted_at is not None:
        raise NotFound("There is no such resource.", code="sku_not_found")
    return sku


def create_sku(
    work: UnitOfWork, *, actor: Actor, name: str, resources: Mapping[str, Any], cluster_id: str, scenarios: list[str]
) -> Sku:
    """A new one. resources: hardware JSON. scenarios: what it is for; none named: everything.

    Raises Denied, Invalid (as ``parse_hardware``; ``scenario_unknown``, ``name_invalid``, ``too_many``), Conflict
    (``name_taken``).
    """
    require_site_admin(work, actor)
    count = work.session.scalar(select(func.count(Sku.id)).where(Sku.deleted_at.is_(None))) or 0
    if count >= MAX_SKUS:
        raise Invalid(f"There are {MAX_SKUS} already.", code="too_many")
    if cluster_id not in ("", work.context[MACHINES].name):
        raise NotFound("There is no such cluster.", code="cluster_not_found")
    now = work.now()
    sku = Sku(
        name=_checked_name(name),
        cluster_id=work.context[MACHINES].name,
        resources=dict(parse_hardware(dict(resources)).data),
        scenarios=mask_of(scenarios),
        created_at=now,
        updated_at=now,
    )
    _write(work, sku)
    return sku


def update_sku(
    work: UnitOfWork,
    *,
    actor: Actor,
    sku_id: int,
    name: str | None = None,
    resources: Mapping[str, Any] | None = None,
    scenarios: list[str] | None = None,
) -> Sku:
    """Change one; None leaves what is. What runs on it keeps what it has. Raises as ``create_sku``, and NotFound."""
    require_site_admin(work, actor)
    sku = find_sku(work, sku_id)
    if name is not None:
        sku.name = _checked_name(name)
    if resources is not None:
        sku.resources = dict(parse_hardware(dict(resources)).data)
    if scenarios is not None:
        sku.scenarios = mask_of(scenarios)
    sku.updated_at = work.now()
    _write(work, sku)
    return sku


def delete_sku(work: UnitOfWork, *, actor: Actor, sku_id: int) -> None:
    """Offer it no more. What runs on it goes on, and can be started again. Raises Denied, NotFound."""
    require_site_admin(work, actor)
    find_sku(work, sku_id).deleted_at = work.now()


def _checked_name(name: str) -> str:
    name = name.strip()
    if not name or len(name) > _MAX_NAME or not is_storable(name) or not name.isprintable():
        raise Invalid(f"The name must have 1 to {_MAX_NAME} printable characters.", code="name_invalid")
    return name


def _write(work: UnitOfWork, sku: Sku) -> None:
    try:
        with work.savepoint():
            work.session.add(sku)
            work.session.flush()
    except IntegrityError:
        raise Conflict("There is a resource of that name already.", code="name_taken") from None


def _ensure(context: Context) -> None:
    """A hub that has never had any gets those of its machine; one whose administrator removed all has none."""
    with reading(context) as work:
        has_any = work.session.scalar(select(Sku.id).where(Sku.cluster_id == context[MACHINES].name).limit(1))
    if has_any is None:
        seed_skus(context)


def seed_skus(context: Context) -> int:
    """Offer what the machines have, unless it was ever offered: small ones, a whole machine, each model of card.

    Returns how many are new. May be repeated: one that was removed does not come back.
    """
    cluster = context[MACHINES].name
    wanted = dict(_defaults(context[MACHINES].find_nodes()))
    with reading(context) as work:
        known = set(work.session.scalars(select(Sku.name).where(Sku.cluster_id == cluster, Sku.name.in_(wanted))))
    if not wanted.keys() - known:
        return 0
    with unit_of_work(context) as work:
        now = work.now()
        rows = [
            {
                "name": name,
                "cluster_id": cluster,
                "resources": resources,
                "scenarios": ALL_SCENARIOS,
                "created_at": now,
                "updated_at": now,
            }
            for name, resources in wanted.items()
            if name not in known
        ]
        return insert_new(work.session, Sku, rows)


def _defaults(nodes: Sequence[Node]) -> list[tuple[str, dict[str, Any]]]:
    found = [(f"CPU {cores} · {gib}Gi", _cpu(cores, gib * GIB)) for cores, gib in _SMALL]
    for node in nodes:
        cores, memory = node.cpu_millis // 1000, node.memory_bytes // GIB * GIB
        if cores and memory:
            found.append((f"CPU all · {node.name}"[:_MAX_NAME], _cpu(cores, memory)))
        for cards in node.accelerators:
            share = max(cards.count, 1)
            hardware = _cpu(max(cores // share, 1), max(memory // share, GIB))
            hardware[cards.kind] = {
                "type": cards.model,
                "num": "1",
                "resource_name": f"{cards.vendor.lower()}.com/{cards.kind}",
            }
            found.append((f"{cards.model} · 1"[:_MAX_NAME], hardware))
    return found


def _cpu(cores: int, memory_bytes: int) -> dict[str, Any]:
    return {"cpu": {"type": "", "num": str(cores)}, "memory": format_bytes(memory_bytes)}
