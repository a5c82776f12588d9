"""The seam: background jobs."""

from __future__ import annotations

from hub.jobs.run import JobCancelled, JobRun
from hub.jobs.schedule import Schedule
from hub.jobs.service import JobSpec, enqueue

__all__ = ["JobCancelled", "JobRun", "JobSpec", "Schedule", "enqueue"]
