"""How many instances a workload has: as many as its calls take, between the fewest and the most that it may have.

As Knative's autoscaler counts, by concurrency: more at once, fewer when fewer were enough for a while. An instance that
is not needed any more gets no new calls, and ends with its last one. Source: compute contract, 3.2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import ceil

# Source: section 3.2, target and target-utilization-percentage.
TARGET, UTILISATION = 5, 0.9
# What a process has said of its calls is believed for so long: it may have ended.
BELIEVED_S = 10.0
# Whoever sends calls hears within the first that an instance is to get no more; the second is the longest call.
DRAIN_LEAST_S, DRAIN_MOST_S = 5.0, 600.0


class Scale:
    """Of one workload. count: how many instances it has while it is to run."""

    def __init__(self, *, window_s: float) -> None:
        self.count = 1
        self.is_short = False
        self._window_s = window_s
        self._reports: dict[str, tuple[float, Mapping[str, int]]] = {}
        # How many instances were wanted, to the last moment at which they were.
        self._wanted: dict[int, float] = {}
        self._retired: dict[int, float] = {}

    def recall(self, count: int, now: float) -> None:
        """So many ran when the supervisor began; what is too much goes after the usual while."""
        self.count = count
        self._wanted[count] = now

    def rest(self) -> None:
        """Nothing runs any more."""
        self._reports.clear()
        self._wanted.clear()
        self._retired.clear()

    def tell(self, source: str, calls: Mapping[str, int], now: float) -> None:
        """A process says how many of its calls are under way, by the address that they were sent to."""
        self._reports[source] = (now, calls)

    def calls(self, now: float, address: str | None = None) -> int:
        """How many calls are under way: at an address, or everywhere."""
        self._reports = {key: told for key, told in self._reports.items() if now - told[0] <= BELIEVED_S}
        if address is None:
            return sum(sum(calls.values()) for _, calls in self._reports.values())
        return sum(calls.get(address, 0) for _, calls in self._reports.values())

    def look(self, now: float, *, least: int, most: int, room: Callable[[int], int]) -> float:
        """Set the count; the moment at which to look again. room: how many of so many there is room for."""
        if least >= most:
            self.count, self.is_short = least, False
            return float("inf")
        wanted = min(max(ceil(self.calls(now) / (TARGET * UTILISATION)), least), most)
        self._wanted[wanted] = now
        self._wanted = {number: at for number, at in self._wanted.items() if now - at < self._window_s}
        count = min(max(self._wanted), most)
        fitting = count if count <= least else max(room(count), least)
        self.count, self.is_short = fitting, fitting < wanted
        due = min(self._wanted.values()) + self._window_s
        if self._reports:
            due = min(due, min(at for at, _ in self._reports.values()) + BELIEVED_S)
        return max(due, now + 0.1) if self.count > least or self._reports else float("inf")

    def keeps(self, number: int, address: str, now: float) -> bool:
        """Whether an instance that is one too many goes on for now: it still answers, or may be sent a call."""
        since = now - self._retired.setdefault(number, now)
        return since < DRAIN_LEAST_S or (self.calls(now, address) > 0 and since < DRAIN_MOST_S)

    def readmit(self, number: int) -> None:
        """An instance is wanted after all."""
        self._retired.pop(number, None)
