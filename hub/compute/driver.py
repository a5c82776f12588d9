"""The seam between a hub and what runs its workloads: one abstract class.

What goes across it is in ``spec`` and ``reports``. Who keeps the contract is tried by
``tests/hub/compute/test_driver_contract.py``, on every driver.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from hub.base.context import Context
from hub.base.drivers import DriverGroup
from hub.compute.reports import History, LogLine, Node, Status, Usage
from hub.compute.spec import WorkloadSpec


class ComputeDriver(ABC):
    """A driver of the group ``hub.compute.drivers``.

    All methods may be called from any process of the hub, at any time, twice, and after a restart of the hub or of
    what the driver talks to: the answers are of what is, not of what this object was told. Every method raises
    Unavailable (``compute_unavailable``) when what it talks to does not answer; it keeps nobody waiting for long.
    """

    uses_snapshots: bool = True
    """Whether ``run`` wants the repositories as directories of this machine; without, the workload fetches them."""

    @classmethod
    @abstractmethod
    def from_context(cls, context: Context) -> ComputeDriver:
        """A driver as the settings describe it. Raises SettingsError; opens no connection."""

    @abstractmethod
    def run(self, spec: WorkloadSpec, *, secrets: Mapping[str, str], mounts: Mapping[str, Path] | None = None) -> None:
        """Start a workload; returns before it is ready.

        The same task again changes nothing, whatever became of it. A higher task replaces what runs under the name.
        secrets: the values of ``spec.secrets``. mounts: target to directory, where ``uses_snapshots``; they are only
        read. Raises Conflict (``task_stale``) when a higher task is known, Invalid (``spec_invalid``) for what this
        driver cannot run. What goes wrong later is told by ``status``.
        """

    @abstractmethod
    def stop(self, svc_name: str) -> None:
        """End its instances in order; afterwards it is 26, also when it had failed. One that is not there: no error.

        It returns at once; ``status`` says 26 when nothing of it runs any more.
        """

    @abstractmethod
    def purge(self, svc_name: str) -> None:
        """As ``stop``, and forget it: its logs and its work directory are deleted. Not there: no error."""

    @abstractmethod
    def statuses(self, svc_names: Collection[str]) -> dict[str, Status]:
        """What is known of each, in one round trip. One that the driver does not know is absent."""

    @abstractmethod
    def names(self) -> set[str]:
        """All that it knows, whatever became of them: what the hub does not know of is purged."""

    def status(self, svc_name: str) -> Status | None:
        """What is known of one; None: it is not known."""
        return self.statuses([svc_name]).get(svc_name)

    @abstractmethod
    def wake(self, svc_name: str) -> None:
        """Start what is asleep; anything else stays as it is. Many calls at once start it once."""

    @abstractmethod
    def touch(self, svc_name: str, *, calls: Mapping[str, int] | None = None) -> None:
        """Somebody called it just now: it does not fall asleep for another ``sleep_after_s``.

        calls: how many of this process's calls are under way, by the address that ``endpoint`` said, and under "" how
        many wait to be sent. A driver that scales by load heeds them; who tells of calls tells again every few seconds.
        """

    @abstractmethod
    def logs(
        self,
        svc_name: str,
        *,
        instance: str = "",
        since: datetime | None = None,
        follow: bool = False,
        limit: int = 1000,
    ) -> Iterator[LogLine | None]:
        """What it printed, the oldest line first: the last ``limit`` lines, of those not before ``since``.

        instance: of this one only. follow: then what it prints from now on, until nothing of it runs any more or the
        iterator is closed; None comes every second or so in which there was nothing, so that the reader can look
        around. Secrets are masked. A workload that is not known has no lines.
        """

    @abstractmethod
    def usage(self, svc_name: str) -> Usage | None:
        """What it uses now; None: it does not run."""

    def history(self, svc_name: str, instance: str, *, since: datetime) -> History | None:
        """What one instance used, by the minute, for a week at most; None: there is none, or nothing is kept."""
        return None

    @abstractmethod
    def nodes(self) -> Sequence[Node]:
        """The machines, by name."""

    def close(self) -> None:  # noqa: B027 - most hold nothing
        """Give back what this object holds in this process. What runs goes on."""


DRIVERS: DriverGroup[ComputeDriver] = DriverGroup(
    "hub.compute.drivers",
    ComputeDriver,  # type: ignore[type-abstract]  # named, never instantiated
    "compute driver",
)
