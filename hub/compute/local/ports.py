"""Ports of the loopback interface for instances. Source: compute contract, 15.4."""

from __future__ import annotations

import socket
from collections.abc import Collection

from hub.base.errors import Unavailable
from hub.base.settings import SettingsError


class PortRange:
    """The ports from which instances get theirs. text: ``20000-20999``. Raises SettingsError."""

    def __init__(self, text: str) -> None:
        first, _, last = text.partition("-")
        try:
            self._ports = range(int(first), int(last or first) + 1)
        except ValueError:
            self._ports = range(0)
        if not self._ports or self._ports[0] < 1024 or self._ports[-1] > 65_535:
            raise SettingsError(f"setting compute_ports: {text[:80]!r} is no range of ports from 1024 to 65535")

    def find(self, wanted: int, taken: Collection[int]) -> int:
        """The wanted port if it is free, else the first free one that is not taken.

        Raises Unavailable (``ports_exhausted``).
        """
        if wanted and wanted not in taken and _is_free(wanted):
            return wanted
        for port in self._ports:
            if port not in taken and _is_free(port):
                return port
        raise Unavailable("No port is free for it: HUB_COMPUTE_PORTS names too few.", code="ports_exhausted")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do: what a connection of before has left does not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
