"""What calls use that is not counted in tokens. Source: gateway contract, section 1.12."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from hub.plugin.metering import Scene, Unit
from plugins.inference.catalogue import Prices
from plugins.inference.gateway.usage import Measure
from plugins.inference.money import MAX_NANO
from plugins.inference.unit_prices import MAX_WORD, PricedUnit, dearest_of, price_of

MAX_QUANTITY = 2**31

# What reports count, and of which medium.
_MEASURED = {
    PricedUnit.IMAGE: (Unit.COUNT, "image"),
    PricedUnit.SECOND: (Unit.SECOND, "audio"),
    PricedUnit.CHARACTER: (Unit.CHARACTER, "audio"),
    PricedUnit.PAGE: (Unit.COUNT, "ocr"),
}


@dataclass(frozen=True)
class UnitUse:
    """So many of a unit. source: who says so: "upstream", "request" (what was asked for tells), or "estimate"."""

    unit: PricedUnit
    quantity: int
    resolution: str = ""
    quality: str = ""
    source: str = ""
    medium: str = ""  # where the unit alone does not tell

    @property
    def total(self) -> int:
        """No tokens."""
        return 0

    @cached_property
    def measure(self) -> Measure:
        unit, medium = _MEASURED[self.unit]
        details: Mapping[str, str] = {
            "data_type": self.medium or medium,
            "resolution": self.resolution,
            "quality": self.quality,
        }
        return Measure(
            Scene.MULTIMODAL, unit, self.quantity, details={name: word for name, word in details.items() if word}
        )

    def cost_nano(self, prices: Prices) -> int:
        """In billionths of the currency; what an upstream makes up is bounded by what can be stored."""
        return min(self.quantity * price_of(prices.units, self.unit, self.resolution, self.quality), MAX_NANO)


class MostUnits(UnitUse):
    """What a call may use at most, where the answer says what was not asked for."""

    def cost_nano(self, prices: Prices) -> int:
        return min(self.quantity * dearest_of(prices.units, self.unit, self.resolution, self.quality), MAX_NANO)


def read_quantity(value: object) -> int | None:
    """A number of units that an upstream or a client says, rounded up; None for what is none, or cannot be."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 10:
        value = int(value)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= MAX_QUANTITY:
        return None
    return math.ceil(value)


def plain_word(value: object) -> str:
    """A resolution or quality as it is compared with those of prices; "" for what is none."""
    return value.lower() if isinstance(value, str) and len(value) <= MAX_WORD and value.isprintable() else ""
