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
        self._lock = threading.RLock()
        self._is_being_made = False
        self._found: list[object] = []

    def get(self, context: Context) -> object:
        """The object, made at the first call. Raises RuntimeError when making it asks for itself."""
        with self._lock:
            if not self._found:
                if self._is_being_made:
                    raise RuntimeError("a service is made of itself")
                self._is_being_made = True
                try:
                    self._found.append(self._make(context))
                finally:
                    self._is_being_made = False
            return self._found[0]


SERVICES: Key[Registry[Service]] = Key("plugin.services")


def find(context: Context, name: str) -> Any:
    """The object that is offered under a name, or None."""
    service = context[SERVICES].find(name) if SERVICES in context else None
    return service.get(context) if service else None
