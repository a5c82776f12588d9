"""What a look at one thing that the hub stands on has found. The looks themselves are in the rooms and plugins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from hub.base.context import Context, Key
from hub.base.registry import Registry


class CheckStatus(StrEnum):
    """``warn``: the hub works, but not all of it or not for long."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Check:
    """What was found about one thing that the hub needs. advice: what to do about it; empty when all is well."""

    name: str
    status: CheckStatus
    message: str
    advice: str = ""


def ok(name: str, message: str) -> Check:
    """All is well."""
    return Check(name, CheckStatus.OK, message)


def warn(name: str, message: str, advice: str) -> Check:
    """The hub works without it, or not for long."""
    return Check(name, CheckStatus.WARN, message, advice)


def fail(name: str, message: str, advice: str) -> Check:
    """The hub cannot work like this."""
    return Check(name, CheckStatus.FAIL, message, advice)


HealthCheck = Callable[[Context], Check]

# What plugins stand on. A plugin's failure is told, but the forge goes on being ready without it.
HEALTH: Key[Registry[HealthCheck]] = Key("base.health")


def create_health() -> Registry[HealthCheck]:
    """An empty registry; plugins add their checks."""
    return Registry("health checks")
