"""What of the gateway runs by itself: jobs, when they are due, and what webhooks are told."""

from __future__ import annotations

from hub.plugin import JobSpec, Schedule
from hub.plugin.topics import Topic
from plugins.inference.happenings import TELL_JOB, BudgetReached, describe_budget

JOBS = (
    JobSpec("inference.sweep_calls", "plugins.inference.sweeping:sweep", timeout_s=3600),
    JobSpec("inference.reconcile_budgets", "plugins.inference.reconciling:reconcile", queue="billing", timeout_s=600),
    JobSpec("inference.check_upstreams", "plugins.inference.gateway.health:check_upstreams", timeout_s=300),
    JobSpec(TELL_JOB, "plugins.inference.alerts:tell_people", timeout_s=1800),
)
SCHEDULES = (
    Schedule("inference.sweep_calls", "40 2 * * *", "inference.sweep_calls"),
    Schedule("inference.reconcile_budgets", "* * * * *", "inference.reconcile_budgets"),
    Schedule("inference.check_upstreams", "* * * * *", "inference.check_upstreams"),
)
TOPICS = (Topic("inference.budget_reached", "A threshold of a budget was passed.", BudgetReached, describe_budget),)
