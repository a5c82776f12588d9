"""Who may do what: one function, asked by every service, whatever the transport."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from sqlalchemy import ColumnElement, SQLColumnExpression, literal, or_, select, true, union_all

from hub.accounts.models import Grant, Member, Organization, Role, TokenScope, User
from hub.base.errors import Denied, NotFound, NotSignedIn
from hub.db.uow import UnitOfWork


class Action(StrEnum):
    """What can be asked for, as ``scope:resource:action``."""

    REPOSITORY_READ = "repository:content:read"
    REPOSITORY_WRITE = "repository:content:write"
    REPOSITORY_ADMIN = "repository:settings:write"
    NAMESPACE_CREATE = "namespace:repository:create"
    NAMESPACE_READ = "namespace:private:read"  # see that private things exist in it
    ORGANIZATION_ADMIN = "organization:settings:write"
    ORGANIZATION_OWN = "organization:ownership:write"  # delete it, change its owners
    ACCOUNT_READ = "account:private:read"  # e-mail and the like
    ACCOUNT_WRITE = "account:settings:write"
    ACCOUNT_CREDENTIALS = "account:credentials:write"  # tokens, keys, password
    SITE_ADMIN = "site:settings:write"


@dataclass(frozen=True)
class Actor:
    """Who asks. Built by the transports from a credential, by jobs as ``SYSTEM``.

    scope: the most the credential allows; None for a session or a password, which allow all that the user may.
    via: "anonymous", "token", "password", "session", "ssh" or "system".
    """

    user_id: int | None = None
    name: str = ""
    email: str = ""
    namespace_id: int | None = None
    is_admin: bool = False
    scope: TokenScope | None = None
    via: str = "anonymous"
    token_id: int | None = None

    @property
    def is_anonymous(self) -> bool:
        return self.user_id is None and not self.is_system

    @property
    def is_system(self) -> bool:
        return self.via == "system"

    @classmethod
    def of_user(cls, user: User, *, via: str, scope: TokenScope | None = None, token_id: int | None = None) -> Actor:
        """The actor for a loaded user row."""
        return cls(user.id, user.name, user.email, user.namespace_id, user.is_admin, scope, via, token_id)


ANONYMOUS = Actor()
SYSTEM = Actor(name="hub", email="hub@localhost", is_admin=True, via="system")


class Resource(Protocol):
    """What the policy must know of a thing in a namespace."""

    @property
    def resource_type(self) -> str: ...

    @property
    def id(self) -> int: ...

    @property
    def namespace_id(self) -> int: ...

    @property
    def is_public(self) -> bool: ...

    @property
    def is_frozen(self) -> bool: ...


# The weakest role that each action on a repository-like resource needs, and the weakest token scope.
_RESOURCE_ROLES = {
    Action.REPOSITORY_READ: Role.READ,
    Action.REPOSITORY_WRITE: Role.WRITE,
    Action.REPOSITORY_ADMIN: Role.ADMIN,
}
_NAMESPACE_ROLES = {
    Action.NAMESPACE_READ: Role.READ,
    Action.NAMESPACE_CREATE: Role.WRITE,
    Action.ORGANIZATION_ADMIN: Role.ADMIN,
    Action.ORGANIZATION_OWN: Role.OWNER,
}
_ACCOUNT_ACTIONS = frozenset({Action.ACCOUNT_READ, Action.ACCOUNT_WRITE, Action.ACCOUNT_CREDENTIALS})
_SCOPES = {
    Action.REPOSITORY_READ: TokenScope.READ,
    Action.NAMESPACE_READ: TokenScope.READ,
    Action.ACCOUNT_READ: TokenScope.READ,
    Action.ACCOUNT_CREDENTIALS: TokenScope.ADMIN,
    Action.SITE_ADMIN: TokenScope.ADMIN,
    Action.ORGANIZATION_OWN: TokenScope.ADMIN,
}  # every other action: WRITE


def role_in_namespace(work: UnitOfWork, actor: Actor, namespace_id: int) -> Role | None:
    """The actor's role in a namespace: OWNER in their own, the member's role in an organisation's, else None."""
    if actor.user_id is None:
        return None
    if actor.namespace_id == namespace_id:
        return Role.OWNER
    role = work.session.scalar(
        select(Member.role)
        .join(Organization, Organization.id == Member.organization_id)
        .where(Organization.namespace_id == namespace_id, Member.user_id == actor.user_id)
    )
    return role


def role_on(work: UnitOfWork, actor: Actor, resource: Resource) -> Role | None:
    """The strongest role that the actor has on a resource by ownership, membership or grant; None: none.

    One query at most. Public visibility and site administration are not roles.
    """
    if actor.user_id is None:
        return None
    if actor.namespace_id == resource.namespace_id:
        return Role.OWNER
    membership = (
        select(Member.role)
        .join(Organization, Organization.id == Member.organization_id)
        .where(Organization.namespace_id == resource.namespace_id, Member.user_id == actor.user_id)
    )
    grant = select(Grant.role).where(
        Grant.resource_type == literal(resource.resource_type),
        Grant.resource_id == resource.id,
        Grant.user_id == actor.user_id,
    )
    roles = work.session.scalars(union_all(membership, grant))
    return max(roles, key=lambda role: role.rank, default=None)


def _scope_allows(actor: Actor, action: Action) -> bool:
    return actor.scope is None or actor.scope.rank >= _SCOPES.get(action, TokenScope.WRITE).rank


def can(work: UnitOfWork, actor: Actor, action: Action, resource: Resource | None = None) -> bool:
    """Whether the actor may do this to the resource.

    resource: a repository-like thing, a ``Namespace``/``Organization`` (for NAMESPACE_* and ORGANIZATION_* actions),
    a ``User`` (for ACCOUNT_* actions), or None (for SITE_ADMIN).
    Nobody, the hub's own jobs excepted, writes to a frozen (archived) resource.
    """

    def find_role() -> Role | None:
        if resource is None:
            return None
        if action in _RESOURCE_ROLES:
            return role_on(work, actor, resource)
        return role_in_namespace(work, actor, resource.namespace_id)

    return _can(actor, action, resource, find_role)


def _can(actor: Actor, action: Action, resource: Resource | None, find_role: Callable[[], Role | None]) -> bool:
    if actor.is_system:
        return True
    if resource is not None and action == Action.REPOSITORY_READ and resource.is_public:
        return True
    if actor.user_id is None or not _scope_allows(actor, action):
        return False
    if action == Action.SITE_ADMIN:
        return actor.is_admin
    if resource is None:
        return False
    if action in _ACCOUNT_ACTIONS:
        return actor.is_admin or (resource.resource_type == "user" and actor.user_id == resource.id)
    if action == Action.REPOSITORY_WRITE and resource.is_frozen:
        return False
    if actor.is_admin:
        return True
    needed = _RESOURCE_ROLES.get(action) or _NAMESPACE_ROLES[action]
    role = find_role()
    return role is not None and role.rank >= needed.rank


def can_each(
    work: UnitOfWork, actor: Actor, actions: Sequence[Action], resources: Sequence[Resource]
) -> dict[Action, set[int]]:
    """For each REPOSITORY_* action the ids of those resources, all of one type, that the actor may do it to.

    The same answers as ``can``, in two queries however many resources there are.
    """
    roles = _roles_on_each(work, actor, resources)
    return {
        action: {
            resource.id
            for resource in resources
            if _can(actor, action, resource, lambda resource=resource: roles.get(resource.id))  # type: ignore[misc]
        }
        for action in actions
    }


def _roles_on_each(work: UnitOfWork, actor: Actor, resources: Sequence[Resource]) -> dict[int, Role]:
    if actor.user_id is None or not resources:
        return {}
    memberships = work.session.execute(
        select(Organization.namespace_id, Member.role)
        .join(Organization, Organization.id == Member.organization_id)
        .where(
            Member.user_id == actor.user_id,
            Organization.namespace_id.in_({resource.namespace_id for resource in resources}),
        )
    )
    in_namespace = dict(memberships.all())
    if actor.namespace_id is not None:
        in_namespace[actor.namespace_id] = Role.OWNER
    granted = work.session.execute(
        select(Grant.resource_id, Grant.role).where(
            Grant.resource_type == resources[0].resource_type,
            Grant.resource_id.in_([resource.id for resource in resources]),
            Grant.user_id == actor.user_id,
        )
    )
    roles = dict(granted.all())
    for resource in resources:
        role = in_namespace.get(resource.namespace_id)
        if role and (resource.id not in roles or role.rank > roles[resource.id].rank):
            roles[resource.id] = role
    return roles


def readable(
    actor: Actor,
    *,
    resource_type: str,
    id: SQLColumnExpression[int],
    namespace_id: SQLColumnExpression[int],
    is_private: SQLColumnExpression[bool],
) -> ColumnElement[bool]:
    """REPOSITORY_READ as a condition on the columns of a table of resources, for lists."""
    if actor.is_system or actor.is_admin:
        return true()
    if actor.user_id is None or not _scope_allows(actor, Action.REPOSITORY_READ):
        return is_private.is_(False)
    organizations = (
        select(Organization.namespace_id)
        .join(Member, Member.organization_id == Organization.id)
        .where(Member.user_id == actor.user_id)
    )
    granted = select(Grant.resource_id).where(Grant.resource_type == resource_type, Grant.user_id == actor.user_id)
    return or_(
        is_private.is_(False),
        namespace_id == actor.namespace_id,
        namespace_id.in_(organizations),
        id.in_(granted),
    )


def require(work: UnitOfWork, actor: Actor, action: Action, resource: Resource, *, what: str = "repository") -> None:
    """Return when the actor may; raise what the actor may know otherwise.

    Raises NotFound when the actor may not even see the thing; NotSignedIn when an anonymous actor may see it but
    not do this; Denied (with the reason: archived, token scope, role) for the rest.
    """
    if can(work, actor, action, resource):
        return
    is_hidden = action == Action.REPOSITORY_READ or (
        action in _RESOURCE_ROLES and not can(work, actor, Action.REPOSITORY_READ, resource)
    )
    if is_hidden:
        raise NotFound(f"There is no such {what}, or you may not see it.", code=f"{what}_not_found")
    if actor.is_anonymous:
        raise NotSignedIn("Sign in, or send an access token, to do this.")
    if not _scope_allows(actor, action):
        raise Denied("This access token's scope does not allow this.", code="scope_insufficient")
    if action == Action.REPOSITORY_WRITE and resource.is_frozen:
        raise Denied(f"This {what} is archived and can only be read.", code="archived")
    raise Denied("Your role does not allow this.")


def require_site_admin(work: UnitOfWork, actor: Actor) -> None:
    """Return for a site administrator. Raises NotSignedIn or Denied."""
    if can(work, actor, Action.SITE_ADMIN):
        return
    if actor.is_anonymous:
        raise NotSignedIn("Sign in to do this.")
    raise Denied("Only site administrators may do this.")
