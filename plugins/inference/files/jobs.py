"""Jobs of files, batches and videos; what they do is imported when they run."""

from __future__ import annotations

from hub.plugin.jobs import JobRun, JobSpec, Schedule

RUN_BATCH = "inference.run_batch"
SWEEP_BATCHES, SWEEP_FILES, SWEEP_OBJECTS = (
    "inference.sweep_batches",
    "inference.sweep_files",
    "inference.sweep_file_objects",
)
POLL_VIDEOS = "inference.poll_videos"

# Batches and videos wait for strangers' servers, as webhooks do: they come after all of the hub's own work.
JOBS = (
    JobSpec(RUN_BATCH, "plugins.inference.files.running:run_batch", queue="webhooks", timeout_s=3600),
    JobSpec(SWEEP_BATCHES, "plugins.inference.files.jobs:sweep_batches"),
    JobSpec(SWEEP_FILES, "plugins.inference.files.jobs:sweep_files", timeout_s=1800),
    JobSpec(SWEEP_OBJECTS, "plugins.inference.files.jobs:sweep_objects", timeout_s=3600),
    JobSpec(POLL_VIDEOS, "plugins.inference.gateway.video_tasks:poll_videos", queue="webhooks", timeout_s=1800),
)
SCHEDULES = (
    Schedule(SWEEP_BATCHES, "* * * * *", SWEEP_BATCHES),
    Schedule(POLL_VIDEOS, "* * * * *", POLL_VIDEOS),
    Schedule(SWEEP_FILES, "*/10 * * * *", SWEEP_FILES),
    Schedule(SWEEP_OBJECTS, "41 3 * * *", SWEEP_OBJECTS),
)


def sweep_batches(run: JobRun) -> None:
    """Have batches worked on whose run has died."""
    from plugins.inference.files.batches import sweep_batches

    sweep_batches(run.context)


def sweep_files(run: JobRun) -> None:
    """Delete files that have expired."""
    from plugins.inference.files.service import sweep_files

    sweep_files(run.context)


def sweep_objects(run: JobRun) -> None:
    """Remove bytes that no file has."""
    from plugins.inference.files.service import sweep_objects

    sweep_objects(run.context)
