"""The seam: what plugins offer each other by name, as none imports another.

``find(context, "metering")`` gives the object that some plugin, or the hub, offers under that name, or None when
nobody does: it may be of another edition, disabled or broken. Its methods are written down where it is offered.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from hub.base.context import Context, Key
from hub.base.registry import Registry

__all__ = ["SERVICES", "Service", "find"]


class Service:
    """One offer: how the object is made, and the object once somebody has asked for it."""

    def __init__(self, make: Callable[[Context], object]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._found: object | None = None

    def get(self, context: Context) -> object:
        """The object, made at the first call."""
        with self._lock:
            if self._found is None:
                self._found = self._make(context)
            return self._found


SERVICES: Key[Registry[Service]] = Key("plugin.services")


def find(context: Context, name: str) -> Any:
    """The object that is offered under a name, or None."""
    service = context[SERVICES].find(name) if SERVICES in context else None
    return service.get(context) if service else None
