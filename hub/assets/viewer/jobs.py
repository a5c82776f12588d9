"""The viewer's jobs, by their names: the work itself is imported by whoever does it."""

from __future__ import annotations

from hub.base.context import Context
from hub.jobs.schedule import Schedule, register_schedule
from hub.jobs.service import JobSpec, register

MAKE, MEASURE = "assets.make_table", "assets.measure_table"
MAKE_LIMIT_S, MEASURE_LIMIT_S = 3 * 3600, 6 * 3600
_PRUNE_TABLES, _PRUNE_STATISTICS = "assets.prune_tables", "assets.prune_statistics"


def install(context: Context) -> None:
    """Register the jobs that make tables and measure them, and let go what nobody looks at."""
    making, statistics = "hub.assets.viewer.making", "hub.assets.viewer.statistics"
    # What is made stops by itself at its limit, and tells so.
    register(context, JobSpec(MAKE, f"{making}:make_table", queue="dataflow", timeout_s=MAKE_LIMIT_S + 600))
    register(context, JobSpec(MEASURE, f"{statistics}:measure_table", queue="dataflow", timeout_s=MEASURE_LIMIT_S))
    register(context, JobSpec(_PRUNE_TABLES, f"{making}:prune_tables", timeout_s=3600))
    register(context, JobSpec(_PRUNE_STATISTICS, f"{statistics}:prune_statistics", timeout_s=3600))
    register_schedule(context, Schedule(_PRUNE_TABLES, "40 4 * * *", _PRUNE_TABLES))
    register_schedule(context, Schedule(_PRUNE_STATISTICS, "50 4 * * *", _PRUNE_STATISTICS))
