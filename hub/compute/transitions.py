"""Which state may follow which. Source: compute contract, 1.4; 30 and 31, how a job ends, are this hub's own.

A driver is asked now and then, so that what it says may skip a state; what it can never say is that something stopped
has failed, or that something deleted is anything.
"""

from __future__ import annotations

from enum import StrEnum

from hub.compute.states import Code


class Cause(StrEnum):
    """Who moves a workload from one state to another."""

    USER = "user"  # or whoever acts for them: a start, a stop, a deletion
    BUILDER = "builder"
    DRIVER = "driver"  # what runs it, and the hub where it cannot hand it over


# A start is accepted from these; the rest is on its way already, or gone.
STARTABLE = frozenset(
    {
        *(Code.PENDING, Code.BUILD_FAILED, Code.BUILD_SUCCESS, Code.DEPLOY_FAILED, Code.RUNTIME_ERROR),
        *(Code.STOPPED, Code.SUCCEEDED, Code.FAILED),
    }
)
# What it takes is taken in these.
OCCUPYING = frozenset(
    {
        *(Code.PENDING, Code.BUILD_IN_QUEUE, Code.BUILDING, Code.BUILD_SUCCESS),
        *(Code.DEPLOYING, Code.STARTUP, Code.RUNNING),
    }
)
# On its way to somewhere else.
MOVING = frozenset({Code.PENDING, Code.BUILD_SUCCESS, Code.DEPLOYING, Code.STARTUP})
# What was begun has come to an end; only a person begins it again.
ENDED = frozenset({Code.BUILD_FAILED, Code.DEPLOY_FAILED, Code.STOPPED, Code.DELETED, Code.SUCCEEDED, Code.FAILED})
# States that are never stored: one is only a task's, one is told of a cluster that is away.
UNSTORED = frozenset({Code.BUILD_SKIP, Code.RESOURCE_UNHEALTHY})

_LIVE = (Code.DEPLOYING, Code.STARTUP, Code.RUNNING, Code.SLEEPING, Code.RUNTIME_ERROR)
_JOB_ENDS = (Code.SUCCEEDED, Code.FAILED)
_BY_DRIVER: dict[Code, frozenset[Code]] = {
    Code.PENDING: frozenset({*_LIVE, *_JOB_ENDS, Code.DEPLOY_FAILED}),
    Code.BUILD_SUCCESS: frozenset({*_LIVE, *_JOB_ENDS, Code.DEPLOY_FAILED}),
    Code.DEPLOYING: frozenset({*_LIVE, *_JOB_ENDS, Code.DEPLOY_FAILED}),
    Code.STARTUP: frozenset({*_LIVE, *_JOB_ENDS, Code.DEPLOY_FAILED}),
    # It has run: what fails now is an error at run time.
    Code.RUNNING: frozenset({*_LIVE, *_JOB_ENDS}),
    Code.SLEEPING: frozenset(_LIVE),
    # A container's image may come after all, and a crash loop may end.
    Code.RUNTIME_ERROR: frozenset(_LIVE),
    Code.DEPLOY_FAILED: frozenset({*_LIVE, Code.DEPLOY_FAILED}),
}
_BY_BUILDER: dict[Code, frozenset[Code]] = {
    Code.PENDING: frozenset({Code.BUILD_IN_QUEUE}),
    Code.BUILD_IN_QUEUE: frozenset({Code.BUILDING, Code.BUILD_SUCCESS, Code.BUILD_FAILED}),
    Code.BUILDING: frozenset({Code.BUILD_SUCCESS, Code.BUILD_FAILED}),
}


def may_follow(old: Code, new: Code, cause: Cause) -> bool:
    """Whether a workload in a state may come into another (or stay, where something about it is new)."""
    if old is Code.DELETED or new in UNSTORED or old in UNSTORED:
        return False
    if cause is Cause.DRIVER:
        return new in _BY_DRIVER.get(old, frozenset())
    if cause is Cause.BUILDER:
        return new in _BY_BUILDER.get(old, frozenset())
    if new is Code.PENDING:
        return old in STARTABLE
    return new is Code.DELETED or (new is Code.STOPPED and old not in ENDED - {Code.DEPLOY_FAILED, Code.BUILD_FAILED})
