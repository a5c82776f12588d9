"""The driver of this hub, loaded when it is first needed, and what it last said of its machines."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from hub.base.context import Context, Key
from hub.base.drivers import load_driver
from hub.base.errors import Unavailable
from hub.base.log import get_logger
from hub.base.settings import SettingsError
from hub.compute.driver import DRIVERS, ComputeDriver
from hub.compute.reports import Node

log = get_logger(__name__)

# Nodes are asked for by every list of what there is to run on.
NODES_S = 3.0


class Machines:
    """One process's way to the driver."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._driver: ComputeDriver | None = None
        self._lock = threading.Lock()
        self._nodes: tuple[float, Sequence[Node]] | None = None

    @property
    def name(self) -> str:
        """Of the driver, and of the one cluster that there is with it."""
        return self._context.settings.compute

    @property
    def driver(self) -> ComputeDriver:
        """Raises Unavailable (``compute_unavailable``) when the one that is set cannot be loaded; the log says why."""
        with self._lock:
            if self._driver is None:
                try:
                    self._driver = load_driver(DRIVERS, self.name).from_context(self._context)
                except SettingsError as error:
                    log.error("compute_driver_broken", driver=self.name, reason=str(error))
                    raise Unavailable("Nothing can be run: the compute driver is broken.", **_CODE) from None
            return self._driver

    def nodes(self, *, is_fresh: bool = False) -> Sequence[Node]:
        """The machines; of a few seconds ago, unless it must be ``is_fresh``. Raises Unavailable."""
        known = self._nodes
        if known is not None and not is_fresh and time.monotonic() - known[0] < NODES_S:
            return known[1]
        nodes = self.driver.nodes()
        self._nodes = (time.monotonic(), nodes)
        return nodes

    def find_nodes(self) -> Sequence[Node]:
        """As ``nodes``; none where nobody answers."""
        try:
            return self.nodes()
        except Unavailable:
            return ()


_CODE = {"code": "compute_unavailable"}
MACHINES: Key[Machines] = Key("compute.machines")
