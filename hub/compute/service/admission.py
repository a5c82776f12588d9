"""Whether there is room for one more workload: what is promised never exceeds what there is, but by the set factor.

Source: compute contract, 11.4, whose words for the reasons these are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from sqlalchemy import func, select, text

from hub.base.errors import Conflict
from hub.compute.models import Desired, Workload
from hub.compute.reports import Accelerator, Node
from hub.compute.spec import Resources, parse_resources
from hub.compute.transitions import OCCUPYING
from hub.db.uow import UnitOfWork

OK = "ok"
_MESSAGES = {
    "node_offline": "There is no machine to run it on.",
    "insufficient_cpu": "There are not enough free processor cores.",
    "insufficient_memory": "There is not enough free memory.",
    "invalid_xpu_type": "There are no such accelerator cards.",
    "insufficient_xpu": "There are not enough free accelerator cards.",
}
# Of PostgreSQL's advisory locks ("comp"); SQLite has one writer at a time anyway.
_LOCK = 0x636F6D70


@dataclass(frozen=True)
class Promised:
    """What workloads take that have not ended. cards: by kind and model; a part of a card is a fraction."""

    cpu_millis: int = 0
    memory_bytes: int = 0
    cards: Mapping[tuple[str, str], Fraction] = field(default_factory=dict)


def hold_admission(work: UnitOfWork) -> None:
    """Nobody else is admitted until the end of the unit of work: two starts at once do not share the last core."""
    if work.session.get_bind().dialect.name == "postgresql":
        work.session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def sum_promised(work: UnitOfWork, nodes: Sequence[Node], *, without: int = 0) -> Promised:
    """What is promised. without: the id of a workload that does not count. Two queries, however many there are."""
    occupying = (
        Workload.desired == Desired.RUNNING,
        Workload.code.in_([int(code) for code in OCCUPYING]),
        Workload.id != without,
    )
    totals = select(func.sum(Workload.cpu_millis), func.sum(Workload.memory_bytes)).where(*occupying)
    cpu_millis, memory_bytes = work.session.execute(totals).one()
    cards: defaultdict[tuple[str, str], Fraction] = defaultdict(Fraction)
    rows = work.session.execute(
        select(Workload.spec, Workload.desired_replicas).where(*occupying, Workload.gpu_count > 0)
    )
    for spec, desired in rows:
        resources = parse_resources(spec["resources"])
        key = (resources.accelerator, resources.gpu_model)
        cards[key] += _cards_of(resources, nodes) * max(spec["replicas_min"], desired, 1)
    return Promised(int(cpu_millis or 0), int(memory_bytes or 0), cards)


def find_reason(
    resources: Resources, nodes: Sequence[Node], promised: Promised, *, replicas: int = 1, percent: int = 100
) -> str:
    """Why there is no room for so many instances, or OK. percent: of cores and memory that may be promised.

    An instance fits on one node; what all take together, and what was promised and may not run yet, fits in all.
    """
    ready = [node for node in nodes if node.status == "Ready"]
    if not ready:
        return "node_offline"
    count = max(replicas, 1)
    free_cpu = sum(node.cpu_millis for node in ready) * percent // 100 - promised.cpu_millis
    if resources.cpu_millis * count > free_cpu or not any(
        resources.cpu_millis <= node.cpu_millis * percent // 100 for node in ready
    ):
        return "insufficient_cpu"
    free_memory = sum(node.memory_bytes for node in ready) * percent // 100 - promised.memory_bytes
    if resources.memory_bytes * count > free_memory or not any(
        resources.memory_bytes <= node.memory_bytes * percent // 100 for node in ready
    ):
        return "insufficient_memory"
    return _find_card_reason(resources, ready, promised, count) if resources.gpu_count else OK


def _find_card_reason(resources: Resources, nodes: Sequence[Node], promised: Promised, count: int) -> str:
    fitting = [cards for node in nodes for cards in node.accelerators if _is_such(cards, resources)]
    if not fitting:
        return "invalid_xpu_type"
    models = {cards.model for cards in fitting}
    # One that asked for any model may have got one of these.
    taken = sum(
        (
            number
            for (kind, model), number in promised.cards.items()
            if kind == resources.accelerator and (not model or any(_is_same(model, one) for one in models))
        ),
        Fraction(),
    )
    free = sum(cards.count for cards in fitting) - taken
    if _cards_of(resources, nodes) * count > free or max(cards.count for cards in fitting) < resources.gpu_count:
        return "insufficient_xpu"
    return OK


def _is_such(cards: Accelerator, resources: Resources) -> bool:
    is_model = not resources.gpu_model or _is_same(resources.gpu_model, cards.model)
    is_large = not resources.gpu_memory_bytes or cards.memory_bytes >= resources.gpu_memory_bytes
    return cards.kind == resources.accelerator and is_model and is_large


def _is_same(one: str, other: str) -> bool:
    """``A10`` and ``NVIDIA-A10`` are the same card: the contract's trap 15."""
    return _plain(one) == _plain(other)


def _plain(model: str) -> str:
    words = model.lower().replace(" ", "-").split("-")
    return "-".join(words[1:] if words[0] in ("nvidia", "amd", "ascend", "hygon", "enflame") else words)


def _cards_of(resources: Resources, nodes: Sequence[Node]) -> Fraction:
    """How many cards that is: where a card is shared, by the part of its memory."""
    sizes = [
        cards.memory_bytes
        for node in nodes
        for cards in node.accelerators
        if _is_such(cards, resources) and cards.memory_bytes
    ]
    if not resources.gpu_memory_bytes or not sizes:
        return Fraction(resources.gpu_count)
    return Fraction(resources.gpu_count * resources.gpu_memory_bytes, min(sizes))


def require_room(
    work: UnitOfWork, resources: Resources, nodes: Sequence[Node], *, replicas: int, without: int = 0
) -> None:
    """Return when there is room. Raises Conflict with the contract's reason as its code."""
    promised = sum_promised(work, nodes, without=without)
    percent = work.settings.compute_overcommit_percent
    reason = find_reason(resources, nodes, promised, replicas=replicas, percent=percent)
    if reason != OK:
        raise Conflict(_MESSAGES[reason], code=reason)
