"""Which instance has which cards: whole ones, or shares by the memory that was asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from hub.compute.local.machine import Card, Cards
from hub.compute.reports import Accelerator
from hub.compute.spec import Resources

if TYPE_CHECKING:
    from hub.compute.local.instance import Instance


class Leases:
    """The cards of the machine. Who has one says so itself (``Instance.state.cards``), so that nothing gets lost."""

    def __init__(self) -> None:
        self._cards = Cards()

    def look(self) -> None:
        """Look for cards now; some seconds at worst."""
        self._cards.look()

    def named(self, ids: Iterable[str]) -> Sequence[Card]:
        """The cards of these ids that are there."""
        known = {card.id: card for card in self._cards.known()}
        return [known[each] for each in ids if each in known]

    def choose(self, resources: Resources, others: Sequence[Instance]) -> Sequence[Card] | None:
        """The cards to give, the emptiest ones; none when none are asked for; None while there are too few."""
        if not resources.gpu_count:
            return []
        whole, shared = _taken(others)
        free = []
        for card in self._cards.known():
            if card.kind != resources.accelerator or (resources.gpu_model and card.model != resources.gpu_model):
                continue
            share = resources.gpu_memory_bytes
            fits = card.memory_bytes - shared[card.id] >= share if share else not shared[card.id]
            if card.id not in whole and fits:
                free.append(card)
        free.sort(key=lambda card: shared[card.id])
        return free[: resources.gpu_count] if len(free) >= resources.gpu_count else None

    def report(self, instances: Sequence[Instance]) -> list[Accelerator]:
        """The cards by kind and model, and how many of each nobody has."""
        whole, shared = _taken(instances)
        models: dict[tuple[str, str, str, int], list[Card]] = {}
        for card in self._cards.known():
            models.setdefault((card.kind, card.vendor, card.model, card.memory_bytes), []).append(card)
        return [
            Accelerator(
                kind=kind,
                vendor=vendor,
                model=model,
                count=len(cards),
                available=sum(card.id not in whole and not shared[card.id] for card in cards),
                memory_bytes=memory_bytes,
                labels={**cards[0].labels, "ids": ",".join(card.id for card in cards)},
            )
            for (kind, vendor, model, memory_bytes), cards in models.items()
        ]


def _taken(instances: Iterable[Instance]) -> tuple[set[str], Counter[str]]:
    """The cards that are taken as a whole, and how much memory of each of the others."""
    whole: set[str] = set()
    shared: Counter[str] = Counter()
    for instance in instances:
        share = instance.workload.spec.resources.gpu_memory_bytes
        if share:
            shared.update(dict.fromkeys(instance.state.cards, share))
        else:
            whole.update(instance.state.cards)
    return whole, shared
