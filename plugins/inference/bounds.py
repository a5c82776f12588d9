"""What accounts and their members may do and spend with all keys together: said, looked at, listed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, func, select

from hub.plugin import Actor
from hub.plugin.db import Page, PageArgs, UnitOfWork
from hub.plugin.errors import NotFound
from hub.plugin.policy import Member, Namespace, Organization, User, require, require_site_admin
from plugins.inference.keys import READ_KEYS, WRITE_KEYS
from plugins.inference.limits import UNLIMITED, MinuteLimits, check_numbers
from plugins.inference.models import ApiKey, MemberBudget, OwnerBudget
from plugins.inference.money import Budget, read_budgets, store_budgets


def set_owner_budgets(
    work: UnitOfWork,
    *,
    actor: Actor,
    namespace: Namespace,
    budgets: Sequence[Budget],
) -> tuple[Budget, ...]:
    """What all keys of a namespace together may spend. Raises Invalid, NotSignedIn, Denied."""
    require(work, actor, WRITE_KEYS, namespace, what="namespace")
    stored = store_budgets(budgets)
    row = _owner_row(work, namespace)
    row.budgets, row.updated_at = stored, work.now()
    return tuple(budgets)


def set_owner_limits(work: UnitOfWork, *, actor: Actor, namespace: Namespace, limits: MinuteLimits) -> None:
    """What all keys of a namespace together may do in a minute. Raises Invalid, NotSignedIn, Denied."""
    require(work, actor, WRITE_KEYS, namespace, what="namespace")
    check_numbers((limits.requests, limits.tokens))
    row = _owner_row(work, namespace)
    row.request_limit, row.token_limit, row.updated_at = limits.requests, limits.tokens, work.now()


def _owner_row(work: UnitOfWork, namespace: Namespace) -> OwnerBudget:
    row = work.session.get(OwnerBudget, namespace.id, with_for_update=True)
    if row is None:
        row = OwnerBudget(namespace_id=namespace.id, budgets=[])
        work.session.add(row)
    return row


def _bounds_of(own: OwnerBudget | None) -> tuple[MinuteLimits, tuple[Budget, ...]]:
    return (MinuteLimits(own.request_limit, own.token_limit), read_budgets(own.budgets)) if own else (UNLIMITED, ())


def get_owner_budgets(work: UnitOfWork, *, actor: Actor, namespace: Namespace) -> tuple[Budget, ...]:
    """See ``set_owner_budgets``. Raises NotSignedIn, Denied."""
    require(work, actor, READ_KEYS, namespace, what="namespace")
    return _bounds_of(work.session.get(OwnerBudget, namespace.id))[1]


def get_owner_limits(work: UnitOfWork, *, actor: Actor, namespace: Namespace) -> MinuteLimits:
    """See ``set_owner_limits``. Raises NotSignedIn, Denied."""
    require(work, actor, READ_KEYS, namespace, what="namespace")
    return _bounds_of(work.session.get(OwnerBudget, namespace.id))[0]


def set_member_budgets(
    work: UnitOfWork, *, actor: Actor, namespace: Namespace, name: str, budgets: Sequence[Budget]
) -> tuple[User, tuple[Budget, ...]]:
    """What the keys that somebody made for an organisation may spend together; none: nothing bounds them.

    name: a user's. Raises Invalid, NotSignedIn, Denied, NotFound (``user_not_found``).
    """
    require(work, actor, WRITE_KEYS, namespace, what="namespace")
    user = _find_user(work, name)
    row = work.session.get(MemberBudget, (namespace.id, user.id), with_for_update=True)
    stored = store_budgets(budgets)
    if not stored:
        if row is not None:
            work.session.delete(row)
        return user, ()
    if row is None:
        row = MemberBudget(namespace_id=namespace.id, user_id=user.id)
        work.session.add(row)
    row.budgets, row.updated_at = stored, work.now()
    return user, tuple(budgets)


def get_member_budgets(
    work: UnitOfWork, *, actor: Actor, namespace: Namespace, name: str
) -> tuple[User, tuple[Budget, ...]]:
    """See ``set_member_budgets``. Raises NotSignedIn, Denied, NotFound (``user_not_found``)."""
    require(work, actor, READ_KEYS, namespace, what="namespace")
    user = _find_user(work, name)
    row = work.session.get(MemberBudget, (namespace.id, user.id))
    return user, read_budgets(row.budgets) if row else ()


def list_member_budgets(
    work: UnitOfWork, *, actor: Actor, namespace: Namespace, page: PageArgs
) -> Page[tuple[User, tuple[Budget, ...]]]:
    """Who has budgets for the keys that they made for an organisation, by name. Raises NotSignedIn, Denied."""
    require(work, actor, READ_KEYS, namespace, what="namespace")
    query = select(User, MemberBudget.budgets).join(MemberBudget, MemberBudget.user_id == User.id)
    query = query.where(MemberBudget.namespace_id == namespace.id)
    total = work.session.scalar(select(func.count()).where(MemberBudget.namespace_id == namespace.id)) or 0
    rows = work.session.execute(query.order_by(User.name).offset(page.offset).limit(page.per)).all()
    return Page([(user, read_budgets(budgets)) for user, budgets in rows], total)


def list_member_names(work: UnitOfWork, *, actor: Actor, namespace: Namespace, most: int) -> list[str]:
    """The names of an organisation's members, so many at most. Raises NotSignedIn, Denied."""
    require(work, actor, READ_KEYS, namespace, what="namespace")
    query = select(User.name).join(Member, Member.user_id == User.id)
    query = query.join(Organization, Organization.id == Member.organization_id)
    query = query.where(Organization.namespace_id == namespace.id, User.is_active)
    return list(work.session.scalars(query.order_by(User.name).limit(most)))


def _find_user(work: UnitOfWork, name: str) -> User:
    query = select(User).join(Namespace, Namespace.id == User.namespace_id).where(Namespace.path_key == name.lower())
    user = work.session.scalars(query).first()
    if user is None:
        raise NotFound("There is no such user.", code="user_not_found")
    return user


# All accounts, for administrators of the site


@dataclass(frozen=True)
class AccountKeys:
    """An account that has keys, and what bounds them together. blocked: so many of the keys are."""

    namespace: Namespace
    keys: int
    blocked: int
    used_at: datetime | None
    limits: MinuteLimits
    budgets: tuple[Budget, ...]


def list_accounts(
    work: UnitOfWork, *, actor: Actor, search: str = "", is_blocked: bool = False, page: PageArgs
) -> Page[AccountKeys]:
    """Accounts that have keys, by name. is_blocked: only those with a blocked one. Raises NotSignedIn, Denied."""
    require_site_admin(work, actor)
    blocked, used_at = func.sum(case((ApiKey.is_blocked, 1), else_=0)), func.max(ApiKey.last_used_at)
    columns = (func.count().label("number"), blocked.label("blocked"), used_at.label("used_at"))
    counts = select(ApiKey.namespace_id, *columns).group_by(ApiKey.namespace_id).subquery()
    query = (
        select(Namespace, OwnerBudget, counts.c.number, counts.c.blocked, counts.c.used_at)
        .join(counts, counts.c.namespace_id == Namespace.id)
        .outerjoin(OwnerBudget, OwnerBudget.namespace_id == Namespace.id)
    )
    if search:
        query = query.where(Namespace.path_key.contains(search.lower(), autoescape=True))
    if is_blocked:
        query = query.where(counts.c.blocked > 0)
    total = work.session.scalar(query.with_only_columns(func.count(), maintain_column_froms=True)) or 0
    rows = work.session.execute(query.order_by(Namespace.path_key).offset(page.offset).limit(page.per)).all()
    found = []
    for namespace, own, keys, blocked_keys, last_used_at in rows:
        limits, budgets = _bounds_of(own)
        found.append(AccountKeys(namespace, keys, blocked_keys, last_used_at, limits, budgets))
    return Page(found, total)
