"""The settings in force, as they are shown: value, origin, unit, meaning; secrets masked."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hub.base.context import Key

MASK = "********"

# Where each of the core's settings came from: "default", "file" or "environment"; without an entry: "default".
ORIGINS: Key[Mapping[str, str]] = Key("base.setting_origins")


def describe_settings(section: Any, origins: Mapping[str, str], prefix: str = "") -> Iterator[dict[str, Any]]:
    """A row for each setting of a section: ``name``, ``value``, ``origin``, ``unit``, ``help``.

    section: a dataclass whose fields are made by ``setting``. prefix: what stands before each name.
    """
    for item in dataclasses.fields(section):
        value = getattr(section, item.name)
        yield {
            "name": f"{prefix}{item.name}",
            "value": MASK if item.metadata["secret"] and value else str(value) if isinstance(value, Path) else value,
            "origin": origins.get(item.name, "default"),
            "unit": item.metadata["unit"],
            "help": item.metadata["help"],
        }
