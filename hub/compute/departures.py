"""Who goes leaves nothing running behind: an account with workloads is not deleted."""

from __future__ import annotations

from sqlalchemy import select

from hub.accounts.models import Organization
from hub.accounts.policy import Actor
from hub.accounts.service.departures import DEPARTURES, ORGANIZATION_DEPARTURES, Departure
from hub.base.context import Context
from hub.base.errors import Conflict
from hub.compute.models import Desired, Workload
from hub.db.uow import UnitOfWork


def install(context: Context) -> None:
    """Take part in the departures of accounts; done once, by ``build_context``."""
    context[DEPARTURES].add("compute.workloads", _refuse_user)
    context[ORGANIZATION_DEPARTURES].add("compute.workloads", _refuse_organization)


def _refuse_user(work: UnitOfWork, departure: Departure) -> None:
    _refuse(work, departure.user.namespace_id)


def _refuse_organization(work: UnitOfWork, organization: Organization, _actor: Actor) -> None:
    _refuse(work, organization.namespace_id)


def _refuse(work: UnitOfWork, namespace_id: int) -> None:
    query = select(Workload.id).where(Workload.namespace_id == namespace_id, Workload.desired != Desired.DELETED)
    if work.session.scalar(query.limit(1)) is not None:
        # Source of the code: CSGHub contract, 1.6.
        raise Conflict("It has deployments, or other things that run; delete these first.", code="USER-ERR-16")
