"""Who may do what: one function, asked by every service, whatever the transport."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from sqlalchemy import ColumnElement, SQLColumnExpression, bindparam, or_, select, true, union_all

from hub.accounts.models import Grant, Member, Organization, Role, TokenScope, User
from hub.base.context import Key
from hub.base.errors import Denied, NotFound, NotSignedIn
from hub.base.registry import Registry
from hub.db.uow import UnitOfWork


class Action(StrEnum):
    """What can be asked for, as ``scope:resource:action``."""

    REPOSITORY_READ = "repository:content:read"
    REPOSITORY_PROPOSE = "repository:proposal:write"  # open a pull request, commit to it
    REPOSITORY_WRITE = "repository:content:write"
    REPOSITORY_ADMIN = "repository:settings:write"
    NAMESPACE_CREATE = "namespace:repository:create"
    NAMESPACE_READ = "namespace:private:read"  # see that private things exist in it
    NAMESPACE_USAGE = "namespace:usage:read"  # what was used on its account
    ORGANIZATION_ADMIN = "organization:settings:write"
    ORGANIZATION_OWN = "organization:ownership:write"  # delete it, change its owners
    ACCOUNT_READ = "account:private:read"  # e-mail and the like
    ACCOUNT_WRITE = "account:settings:write"
    ACCOUNT_CREDENTIALS = "account:credentials:write"  # tokens, keys, password
    SITE_ADMIN = "site:settings:write"


@dataclass(frozen=True)
class Limit:
    """The one thing that a credential is good for, and by whose right: it dies when they administer that no more."""

    resource_type: str
    resource_id: int
    maker: Actor

    def covers(self, resource: Resource) -> bool:
        """Whether it is this thing."""
        return resource.resource_type == self.resource_type and resource.id == self.resource_id


@dataclass(frozen=True)
class Actor:
    """Who asks. Built by the transports from a credential, by jobs as ``SYSTEM``.

    scope: the most the credential allows; None for a session or a password, which allow all that the user may.
    via: "anonymous", "token", "password", "session", "ssh", "jwt", "api_key", "deploy" or "system".
    limit: of a token that is good for one thing only. Its bearer is no user: everywhere else they are as nobody.
    """

    user_id: int | None = None
    name: str = ""
    email: str = ""
    namespace_id: int | None = None
    is_admin: bool = False
    scope: TokenScope | None = None
    via: str = "anonymous"
    token_id: int | None = None
    avatar: str = ""  # of the account; pages show it
    limit: Limit | None = None

    @property
    def is_anonymous(self) -> bool:
        return self.user_id is None and self.via not in ("system", "api_key")

    @property
    def is_service(self) -> bool:
        """The bearer of the hub's own API token who names no user: administers the site, and is nobody in it."""
        return self.user_id is None and self.via == "api_key"

    @property
    def is_system(self) -> bool:
        return self.via == "system"

    @classmethod
    def of_user(cls, user: User, *, via: str, scope: TokenScope | None = None, token_id: int | None = None) -> Actor:
        """The actor for a loaded user row."""
        return cls(user.id, user.name, user.email, user.namespace_id, user.is_admin, scope, via, token_id, user.avatar)


ANONYMOUS = Actor()
SYSTEM = Actor(name="hub", email="hub@localhost", is_admin=True, via="system")
SERVICE = Actor(name="api", email="api@localhost", is_admin=True, via="api_key")


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


class Subject(StrEnum):
    """What a permission is about, and so whose role decides."""

    REPOSITORY = "repository"  # a repository, or a plugin's thing in a namespace
    NAMESPACE = "namespace"
    ACCOUNT = "account"
    SITE = "site"


@dataclass(frozen=True)
class Permission:
    """One thing that can be allowed.

    name: ``scope:resource:action``. meaning: one line for people. role: the weakest role on the subject that has it;
    it counts for repositories and namespaces only: an account's are its owner's, the site's its administrators'.
    scope: the weakest scope of a token that allows it. What needs no more than READ of both, on a repository, is
    everybody's where the repository is public; what needs the role WRITE is nobody's where it is archived.
    for_readers: whoever may read the repository and has an account has it, unless it is archived.
    """

    name: str
    meaning: str
    on: Subject = Subject.REPOSITORY
    role: Role = Role.WRITE
    scope: TokenScope = TokenScope.WRITE
    for_readers: bool = False


CORE_PERMISSIONS: Mapping[str, Permission] = {
    permission.name: permission
    for permission in (
        Permission(Action.REPOSITORY_READ, "read a repository", role=Role.READ, scope=TokenScope.READ),
        Permission(Action.REPOSITORY_PROPOSE, "open a pull request and commit to it", role=Role.READ, for_readers=True),
        Permission(Action.REPOSITORY_WRITE, "push to a repository and change its files"),
        Permission(Action.REPOSITORY_ADMIN, "change a repository's settings, delete it", role=Role.ADMIN),
        Permission(
            Action.NAMESPACE_READ,
            "see that private things are in a namespace",
            on=Subject.NAMESPACE,
            role=Role.READ,
            scope=TokenScope.READ,
        ),
        Permission(Action.NAMESPACE_CREATE, "create repositories in a namespace", on=Subject.NAMESPACE),
        Permission(
            Action.NAMESPACE_USAGE,
            "see what was used on a namespace's account",
            on=Subject.NAMESPACE,
            role=Role.ADMIN,
            scope=TokenScope.READ,
        ),
        Permission(
            Action.ORGANIZATION_ADMIN, "change an organisation and its members", on=Subject.NAMESPACE, role=Role.ADMIN
        ),
        Permission(
            Action.ORGANIZATION_OWN,
            "delete an organisation, change its owners",
            on=Subject.NAMESPACE,
            role=Role.OWNER,
            scope=TokenScope.ADMIN,
        ),
        Permission(Action.ACCOUNT_READ, "see an account's e-mail address", on=Subject.ACCOUNT, scope=TokenScope.READ),
        Permission(Action.ACCOUNT_WRITE, "change an account", on=Subject.ACCOUNT),
        Permission(
            Action.ACCOUNT_CREDENTIALS,
            "change an account's password, tokens and keys",
            on=Subject.ACCOUNT,
            scope=TokenScope.ADMIN,
        ),
        Permission(Action.SITE_ADMIN, "administer the whole hub", on=Subject.SITE, scope=TokenScope.ADMIN),
    )
}

PERMISSIONS: Key[Registry[Permission]] = Key("accounts.permissions")


def create_permissions() -> Registry[Permission]:
    """A registry holding the core's permissions; plugins add theirs before it is frozen."""
    permissions: Registry[Permission] = Registry("permissions")
    for name, permission in CORE_PERMISSIONS.items():
        permissions.add(name, permission)
    return permissions


def _get_permission(work: UnitOfWork, action: str) -> Permission:
    # The core's own are asked for most often and are the same for every hub.
    return CORE_PERMISSIONS.get(action) or work.context[PERMISSIONS][action]


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
    if actor.limit is not None:
        return _limited_role(work, actor, actor.limit, resource)
    if actor.user_id is None:
        return None
    if actor.namespace_id == resource.namespace_id:
        return Role.OWNER
    found = work.rows(
        _ROLES,
        {
            "namespace_id": resource.namespace_id,
            "resource_type": resource.resource_type,
            "resource_id": resource.id,
            "user_id": actor.user_id,
        },
    )
    return max((role for (role,) in found), key=lambda role: role.rank, default=None)


def _limited_role(work: UnitOfWork, actor: Actor, limit: Limit, resource: Resource) -> Role | None:
    """The role of a token's bearer on the one thing that the token is good for; they never administer it."""
    if not limit.covers(resource):
        return None
    makers = Role.OWNER if limit.maker.is_admin else role_on(work, limit.maker, resource)
    if makers is None or makers.rank < Role.ADMIN.rank:
        return None
    return Role.READ if actor.scope is TokenScope.READ else Role.WRITE


# Built once: each request to what is private asks it.
_ROLES = union_all(
    select(Member.role)
    .join(Organization, Organization.id == Member.organization_id)
    .where(Organization.namespace_id == bindparam("namespace_id"), Member.user_id == bindparam("user_id")),
    select(Grant.role).where(
        Grant.resource_type == bindparam("resource_type"),
        Grant.resource_id == bindparam("resource_id"),
        Grant.user_id == bindparam("user_id"),
    ),
)


def _scope_allows(actor: Actor, permission: Permission) -> bool:
    return actor.scope is None or actor.scope.rank >= permission.scope.rank


def can(work: UnitOfWork, actor: Actor, action: str, resource: Resource | None = None) -> bool:
    """Whether the actor may do this to the resource.

    action: an ``Action``, or the name of a plugin's permission. resource: what the permission is about: a
    repository-like thing, a ``Namespace`` or ``Organization``, a ``User``, or None for the site.
    Nobody, the hub's own jobs excepted, writes to a frozen (archived) resource.
    """
    permission = _get_permission(work, action)

    def find_role() -> Role | None:
        if resource is None:
            return None
        if permission.on == Subject.REPOSITORY:
            return role_on(work, actor, resource)
        return role_in_namespace(work, actor, resource.namespace_id)

    return _can(actor, permission, resource, find_role)


def _can(actor: Actor, permission: Permission, resource: Resource | None, find_role: Callable[[], Role | None]) -> bool:
    if actor.is_system:
        return True
    if resource is not None and _is_reading(permission) and resource.is_public:
        return True
    if (actor.is_anonymous and actor.limit is None) or not _scope_allows(actor, permission):
        return False
    if permission.on == Subject.SITE:
        return actor.is_admin
    if resource is None:
        return False
    if permission.on == Subject.ACCOUNT:
        return actor.is_admin or (resource.resource_type == "user" and actor.user_id == resource.id)
    if _needs_thawed(permission) and resource.is_frozen:
        return False
    is_user = actor.limit is None
    if actor.is_admin or (permission.for_readers and resource.is_public and is_user):
        return True
    # What readers write is theirs, and a token by itself is nobody.
    least = Role.WRITE if permission.for_readers and not is_user else permission.role
    role = find_role()
    return role is not None and role.rank >= least.rank


def _is_reading(permission: Permission) -> bool:
    """Whether everybody has it on what is public: reading a repository, and a plugin's things likewise."""
    return permission.on == Subject.REPOSITORY and permission.role == Role.READ and permission.scope == TokenScope.READ


def _needs_thawed(permission: Permission) -> bool:
    """Whether it writes to a resource. Settings stay open: they are where an archived one is brought back."""
    return permission.on == Subject.REPOSITORY and (permission.role == Role.WRITE or permission.for_readers)


def can_each(
    work: UnitOfWork, actor: Actor, actions: Sequence[str], resources: Sequence[Resource]
) -> dict[str, set[int]]:
    """For each action on repositories the ids of those resources, all of one type, that the actor may do it to.

    The same answers as ``can``, in two queries however many resources there are.
    """
    roles = _roles_on_each(work, actor, resources)
    return {
        action: {
            resource.id
            for resource in resources
            if _can(actor, permission, resource, lambda resource=resource: roles.get(resource.id))  # type: ignore[misc]
        }
        for action, permission in [(action, _get_permission(work, action)) for action in actions]
    }


def _roles_on_each(work: UnitOfWork, actor: Actor, resources: Sequence[Resource]) -> dict[int, Role]:
    if actor.limit is not None:
        own = [resource for resource in resources if actor.limit.covers(resource)]
        return {resource.id: role for resource in own if (role := role_on(work, actor, resource)) is not None}
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
    is_public = is_private.is_(False)
    who, limit = (actor, None) if actor.limit is None else (actor.limit.maker, actor.limit)
    if who.user_id is None or not _scope_allows(actor, CORE_PERMISSIONS[Action.REPOSITORY_READ]):
        return is_public
    of_member, of_grant = Member.user_id == who.user_id, Grant.user_id == who.user_id
    if limit is not None:
        roles = [role for role in Role if role.rank >= Role.ADMIN.rank]
        of_member, of_grant = of_member & Member.role.in_(roles), of_grant & Grant.role.in_(roles)
    organizations = (
        select(Organization.namespace_id).join(Member, Member.organization_id == Organization.id).where(of_member)
    )
    granted = select(Grant.resource_id).where(Grant.resource_type == resource_type, of_grant)
    by_role = (namespace_id == who.namespace_id, namespace_id.in_(organizations), id.in_(granted))
    if limit is None:
        return or_(is_public, *by_role)
    if limit.resource_type != resource_type:
        return is_public
    is_it = id == limit.resource_id
    return or_(is_public, is_it if who.is_admin else is_it & or_(*by_role))


def holders(resource: Resource, *, least: Role) -> ColumnElement[bool]:
    """Of ``User``: has at least this role on a resource, or administers the site; ``role_on`` asked of the users."""
    roles = [role for role in Role if role.rank >= least.rank]
    members = (
        select(Member.user_id)
        .join(Organization, Organization.id == Member.organization_id)
        .where(Organization.namespace_id == resource.namespace_id, Member.role.in_(roles))
    )
    granted = select(Grant.user_id).where(
        Grant.resource_type == resource.resource_type, Grant.resource_id == resource.id, Grant.role.in_(roles)
    )
    mine = User.namespace_id == resource.namespace_id
    return or_(User.is_admin, mine, User.id.in_(members), User.id.in_(granted))


def require(work: UnitOfWork, actor: Actor, action: str, resource: Resource, *, what: str = "repository") -> None:
    """Return when the actor may; raise what the actor may know otherwise.

    Raises NotFound when the actor may not even see the thing; NotSignedIn when an anonymous actor may see it but
    not do this; Denied (with the reason: archived, token scope, role) for the rest.
    """
    if can(work, actor, action, resource):
        return
    permission = _get_permission(work, action)
    is_hidden = _is_reading(permission) or (
        permission.on == Subject.REPOSITORY and not can(work, actor, Action.REPOSITORY_READ, resource)
    )
    if is_hidden:
        raise NotFound(f"There is no such {what}, or you may not see it.", code=f"{what}_not_found")
    if actor.is_anonymous and actor.limit is None:
        raise NotSignedIn("Sign in, or send an access token, to do this.")
    if not _scope_allows(actor, permission):
        raise Denied("This access token's scope does not allow this.", code="scope_insufficient")
    if _needs_thawed(permission) and resource.is_frozen:
        raise Denied(f"This {what} is archived and can only be read.", code="archived")
    if actor.limit is not None:
        raise Denied("This token is good for the content of one repository only.", code="token_limited")
    raise Denied("Your role does not allow this.")


def require_site_admin(work: UnitOfWork, actor: Actor) -> None:
    """Return for a site administrator. Raises NotSignedIn or Denied."""
    if can(work, actor, Action.SITE_ADMIN):
        return
    if actor.is_anonymous and actor.limit is None:
        raise NotSignedIn("Sign in to do this.")
    raise Denied("Only site administrators may do this.")
