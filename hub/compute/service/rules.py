"""Who may do what with workloads. Source: compute contract, 1.6."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, or_

from hub.accounts.models import Role, TokenScope
from hub.accounts.policy import PERMISSIONS, Action, Actor, Permission, Subject, can, readable, require
from hub.base.context import Context
from hub.compute.models import Workload
from hub.db.uow import UnitOfWork

WORKLOAD_READ: Final = "workload:state:read"
WORKLOAD_LOGS: Final = "workload:logs:read"
WORKLOAD_WRITE: Final = "workload:state:write"
WORKLOAD_CREATE: Final = "namespace:workload:create"

_PERMISSIONS = (
    Permission(WORKLOAD_READ, "see a workload and call it", role=Role.READ, scope=TokenScope.READ),
    Permission(WORKLOAD_LOGS, "read what a workload prints", role=Role.WRITE, scope=TokenScope.READ),
    Permission(WORKLOAD_WRITE, "start, stop, change and delete a workload"),
    Permission(WORKLOAD_CREATE, "make workloads in a namespace", on=Subject.NAMESPACE),
)


def install(context: Context) -> None:
    """Declare the room's permissions; done once, by ``build_context``."""
    for permission in _PERMISSIONS:
        context[PERMISSIONS].add(permission.name, permission)


@dataclass(frozen=True)
class _Account:
    """A user as the policy sees one."""

    id: int
    namespace_id: int = 0
    resource_type: str = "user"
    is_public: bool = False
    is_frozen: bool = False


def may(work: UnitOfWork, actor: Actor, permission: str, workload: Workload) -> bool:
    """Whether the actor may; whoever made a workload always may, as far as their token goes."""
    if actor.user_id is not None and actor.user_id == workload.user_id and actor.limit is None:
        own = Action.ACCOUNT_WRITE if permission == WORKLOAD_WRITE else Action.ACCOUNT_READ
        if can(work, actor, own, _Account(actor.user_id)):
            return True
    return can(work, actor, permission, workload)


def require_workload(work: UnitOfWork, actor: Actor, permission: str, workload: Workload) -> None:
    """Return when the actor may. Raises NotFound (``workload_not_found``), NotSignedIn, Denied."""
    if not may(work, actor, permission, workload):
        require(work, actor, permission, workload, what="workload")


def may_see(actor: Actor) -> ColumnElement[bool]:
    """WORKLOAD_READ as a condition, for lists."""
    of_namespace = readable(
        actor,
        resource_type=Workload.resource_type,
        id=Workload.id,
        namespace_id=Workload.namespace_id,
        is_private=Workload.is_private,
    )
    if actor.user_id is None or actor.limit is not None:
        return of_namespace
    return or_(of_namespace, Workload.user_id == actor.user_id)
