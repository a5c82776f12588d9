"""The room's periodic work."""

from __future__ import annotations

from hub.assets.service.likes import recount_likes
from hub.assets.service.trends import update_trends
from hub.base.context import Context
from hub.jobs.run import JobRun
from hub.jobs.schedule import Schedule, register_schedule
from hub.jobs.service import JobSpec, register


def install(context: Context) -> None:
    """Register the room's jobs and their schedules; done once, by ``build_context``."""
    register(context, JobSpec("assets.update_trends", "hub.assets.jobs:update_scores", timeout_s=3600))
    register_schedule(context, Schedule("assets.update_trends", "15 * * * *", "assets.update_trends"))
    register(context, JobSpec("assets.recount_likes", "hub.assets.jobs:recount", timeout_s=3600))
    register_schedule(context, Schedule("assets.recount_likes", "50 3 * * *", "assets.recount_likes"))


def update_scores(run: JobRun) -> None:
    """Say anew what is trending; see ``hub.assets.service.trends``."""

    def note(done: int, total: int) -> None:
        run.check_cancelled()
        run.progress(done, total, "repositories")

    run.log(f"{update_trends(run.context, after_batch=note)} scores changed.")


def recount(run: JobRun) -> None:
    """Set counters of likes right; see ``recount_likes``."""
    run.log(f"{recount_likes(run.context)} counters were wrong.")
