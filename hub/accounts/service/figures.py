"""How many accounts and organisations there are, and how many are new."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import func, select

from hub.accounts.models import Organization, User
from hub.db.days import count_by_day
from hub.db.uow import UnitOfWork


@dataclass(frozen=True)
class AccountFigures:
    """new_users, new_organizations: how many were made on each day; days without any are absent."""

    active: int
    off: int
    admins: int
    organizations: int
    new_users: dict[date, int]
    new_organizations: dict[date, int]


def count_accounts(work: UnitOfWork, *, first: date) -> AccountFigures:
    """What there is now, and what is new since the first day. Four queries. The caller has judged who asks."""
    counts: dict[tuple[bool, bool], int] = {
        (is_active, is_admin): count
        for is_active, is_admin, count in work.rows(
            select(User.is_active, User.is_admin, func.count()).group_by(User.is_active, User.is_admin)
        )
    }
    [(organizations,)] = work.rows(select(func.count()).select_from(Organization))
    return AccountFigures(
        active=sum(count for (is_active, _), count in counts.items() if is_active),
        off=sum(count for (is_active, _), count in counts.items() if not is_active),
        admins=counts.get((True, True), 0),
        organizations=organizations,
        new_users=count_by_day(work, User.created_at, first=first),
        new_organizations=count_by_day(work, Organization.created_at, first=first),
    )
