"""What this room tells others, after the commit; who must not miss one records it (``EventBus.record_with``)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class WorkloadChanged:
    """A workload came from one state into another, or runs with another number of instances.

    old, new: codes of the compute contract, 1.3; equal where only the instances changed. replicas: that run now.
    """

    workload_id: int
    old: int
    new: int
    at: datetime
    replicas: int
    purpose: str
