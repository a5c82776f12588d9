"""Prices of what is not counted in tokens. Source: gateway contract, sections 1.12 and 3.5."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from hub.plugin.errors import Invalid
from plugins.inference.money import MAX_NANO

MAX_UNIT_PRICES = 100
MAX_WORD = 32


class PricedUnit(StrEnum):
    """What a price is for one of."""

    IMAGE = "image"
    SECOND = "second"  # of sound that goes in, or of a video
    CHARACTER = "character"  # of a text that is spoken
    PAGE = "page"


@dataclass(frozen=True)
class UnitPrice:
    """In billionths of the currency for one. resolution ("1024x1024"), quality ("hd"): only of such; "": of any."""

    unit: PricedUnit
    nano: int
    resolution: str = ""
    quality: str = ""


def price_of(prices: Sequence[UnitPrice], unit: PricedUnit, resolution: str = "", quality: str = "") -> int:
    """The price that says most of such a one; 0 without any."""
    fitting = [
        (bool(price.resolution), bool(price.quality), price.nano)
        for price in prices
        if price.unit == unit and price.resolution in ("", resolution) and price.quality in ("", quality)
    ]
    return max(fitting, key=lambda one: (one[0] + one[1], one[0]))[2] if fitting else 0


def dearest_of(prices: Sequence[UnitPrice], unit: PricedUnit, resolution: str = "", quality: str = "") -> int:
    """What such a one costs at most, where a word that is "" may turn out to be any."""
    return max(
        (
            price.nano
            for price in prices
            if price.unit == unit
            and (not resolution or price.resolution in ("", resolution))
            and (not quality or price.quality in ("", quality))
        ),
        default=0,
    )


def read_prices(stored: Sequence[Mapping[str, Any]]) -> tuple[UnitPrice, ...]:
    """Prices as they are kept, or said in a request."""
    return tuple(UnitPrice(**{**one, "unit": PricedUnit(one["unit"])}) for one in stored)


def store_prices(prices: Sequence[UnitPrice]) -> list[dict[str, Any]]:
    """Prices to be kept; their words in lower case, as requests' are compared."""
    return [
        asdict(replace(price, resolution=price.resolution.lower(), quality=price.quality.lower())) for price in prices
    ]


def check_prices(prices: Sequence[UnitPrice]) -> None:
    """Raises Invalid (``model_invalid``) for what cannot be told apart, or counted."""
    told = {(price.unit, price.resolution, price.quality) for price in prices}
    if len(prices) > MAX_UNIT_PRICES or len(told) < len(prices):
        raise Invalid(f"A model has {MAX_UNIT_PRICES} prices of units, each of another one.", code="model_invalid")
    if not all(0 <= price.nano <= MAX_NANO for price in prices):
        raise Invalid("A price lies outside what can be counted.", code="model_invalid")
    if not all(len(word) <= MAX_WORD for price in prices for word in (price.resolution, price.quality)):
        raise Invalid("A resolution or quality is a short word.", code="model_invalid")
