"""Grants: roles of single users on single resources (collaborators)."""

from __future__ import annotations

from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError

from hub.accounts.models import Grant, Role, User
from hub.accounts.policy import Action, Actor, Resource, require
from hub.base.errors import Invalid, NotFound
from hub.base.log import get_logger
from hub.base.paging import Page, PageArgs
from hub.db.uow import UnitOfWork

log = get_logger(__name__)


def set_grant(work: UnitOfWork, *, actor: Actor, resource: Resource, user: User, role: Role) -> Grant:
    """Give the user a role on the resource, or change the one they have.

    role: READ, WRITE or ADMIN; ownership comes with the namespace. Raises Invalid, and what ``policy.require`` does.
    """
    require(work, actor, Action.REPOSITORY_ADMIN, resource, what=resource.resource_type)
    if role == Role.OWNER:
        raise Invalid("A collaborator's role is read, write or admin.", code="role_invalid")
    grant = _find_grant(work, resource, user)
    if grant is None:
        try:
            with work.session.begin_nested():
                grant = Grant(
                    resource_type=resource.resource_type,
                    resource_id=resource.id,
                    user_id=user.id,
                    user=user,
                    role=role,
                    created_at=work.now(),
                )
                work.session.add(grant)
        except IntegrityError:
            # Somebody else gave a role at the same moment; the later word counts.
            grant = _find_grant(work, resource, user)
            if grant is None:
                raise
    grant.role = role
    work.session.flush()
    log.info("grant_set", resource_id=resource.id, user_id=user.id, role=role, actor_id=actor.user_id)
    return grant


def remove_grant(work: UnitOfWork, *, actor: Actor, resource: Resource, user: User) -> None:
    """Take the user's role away; people may always give up their own.

    Raises NotFound (``grant_not_found``), and what ``policy.require`` does.
    """
    if actor.user_id == user.id:
        require(work, actor, Action.ACCOUNT_WRITE, user, what="user")
    else:
        require(work, actor, Action.REPOSITORY_ADMIN, resource, what=resource.resource_type)
    grant = _find_grant(work, resource, user)
    if grant is None:
        raise NotFound(f"{user.name!r} is no collaborator here.", code="grant_not_found")
    work.session.delete(grant)
    work.session.flush()
    log.info("grant_removed", resource_id=resource.id, user_id=user.id, actor_id=actor.user_id)


def list_grants(work: UnitOfWork, *, actor: Actor, resource: Resource, page: PageArgs | None = None) -> Page[Grant]:
    """The resource's collaborators by name. For those who administer it. Raises what ``policy.require`` does."""
    require(work, actor, Action.REPOSITORY_ADMIN, resource, what=resource.resource_type)
    page = page or PageArgs()
    matches = (Grant.resource_type == resource.resource_type, Grant.resource_id == resource.id)
    total = work.session.scalar(select(func.count(Grant.id)).where(*matches)) or 0
    grants = work.session.scalars(
        select(Grant)
        .join(Grant.user)
        .where(*matches)
        .order_by(func.lower(User.name))
        .offset(page.offset)
        .limit(page.per)
    ).all()
    return Page(grants, total)


def remove_all_grants(work: UnitOfWork, *, resource_type: str, resource_id: int) -> None:
    """Remove every grant on a resource that is going away. The caller has judged that."""
    work.session.execute(delete(Grant).where(Grant.resource_type == resource_type, Grant.resource_id == resource_id))


def _find_grant(work: UnitOfWork, resource: Resource, user: User) -> Grant | None:
    return work.session.scalar(
        select(Grant).where(
            Grant.resource_type == resource.resource_type, Grant.resource_id == resource.id, Grant.user_id == user.id
        )
    )
