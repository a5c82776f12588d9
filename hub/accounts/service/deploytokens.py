"""Deploy tokens: for programs that need one repository. Made, listed, revoked, and looked up by their value.

Whoever administers the repository makes them. A token is good for as long as its maker administers it; what it allows
is judged by the policy like everything else (``Actor.limit``). Its bearer is no user.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Executable, Row, bindparam, delete, func, select
from sqlalchemy.exc import IntegrityError

from hub.accounts.models import DeployToken, Role, TokenScope, User
from hub.accounts.policy import Action, Actor, Limit, Resource, holders, require
from hub.accounts.service import fields
from hub.accounts.service.tokens import hash_token, is_token_shaped
from hub.base.errors import Conflict, Denied, Invalid, NotFound
from hub.base.log import get_logger
from hub.base.paging import Page
from hub.db.uow import UnitOfWork

log = get_logger(__name__)

# Of one repository; those that have expired go when there is no room for another.
MAX_TOKENS = 100
SCOPES = (TokenScope.READ, TokenScope.WRITE)


def create_deploy_token(
    work: UnitOfWork,
    *,
    actor: Actor,
    resource: Resource,
    name: str,
    scope: TokenScope,
    expires_at: datetime | None = None,
) -> tuple[DeployToken, str]:
    """A new token of the resource and its value, which cannot be had again.

    scope: read or write. expires_at: None for never.
    Raises Invalid; Conflict (``token_exists``, ``too_many_tokens``); Denied for who is no user; and what
    ``policy.require`` does.
    """
    require(work, actor, Action.REPOSITORY_ADMIN, resource, what=resource.resource_type)
    if actor.user_id is None:
        raise Denied("Only a user can make a token: it is good by their right.", code="token_maker_missing")
    name = fields.validate_label(name, what="token name")
    if scope not in SCOPES:
        raise Invalid("A deploy token's scope is read or write.", code="token_scope_invalid")
    if expires_at is not None and expires_at <= work.now():
        raise Invalid("The token would already have expired; choose a later end.", code="token_expiry_invalid")
    _make_room(work, resource)
    value = uuid.uuid4().hex
    token = DeployToken(
        resource_type=resource.resource_type,
        resource_id=resource.id,
        user_id=actor.user_id,
        name=name,
        token_hash=hash_token(value),
        hint=value[:4],
        scope=scope,
        expires_at=expires_at,
        created_at=work.now(),
    )
    try:
        with work.session.begin_nested():
            work.session.add(token)
    except IntegrityError:
        raise Conflict(f"There is already a token named {name!r}.", code="token_exists") from None
    log.info("deploy_token_created", token_id=token.id, resource_id=resource.id, scope=scope, actor_id=actor.user_id)
    return token, value


def _make_room(work: UnitOfWork, resource: Resource) -> None:
    own = _of(resource)
    count = select(func.count(DeployToken.id)).where(*own)
    if (work.session.scalar(count) or 0) < MAX_TOKENS:
        return
    work.session.execute(delete(DeployToken).where(*own, DeployToken.expires_at <= work.now()))
    if (work.session.scalar(count) or 0) >= MAX_TOKENS:
        raise Conflict(f"There are {MAX_TOKENS} tokens already; delete some first.", code="too_many_tokens")


@dataclass(frozen=True)
class ListedToken:
    """A token and whether it is good. is_orphaned: its maker no longer administers the resource, or is off."""

    token: DeployToken
    is_expired: bool
    is_orphaned: bool

    @property
    def state(self) -> str:
        """In one word: "good", "expired" or "orphaned"."""
        if self.is_expired:
            return "expired"
        return "orphaned" if self.is_orphaned else "good"


def list_deploy_tokens(work: UnitOfWork, *, actor: Actor, resource: Resource) -> Page[ListedToken]:
    """The resource's tokens, newest first. Raises what ``policy.require`` does."""
    require(work, actor, Action.REPOSITORY_ADMIN, resource, what=resource.resource_type)
    query = select(DeployToken).where(*_of(resource)).order_by(DeployToken.id.desc()).limit(MAX_TOKENS)
    tokens = work.session.scalars(query).all()
    makers = _makers(work, resource, {token.user_id for token in tokens})
    now = work.now()
    listed = [
        ListedToken(
            token,
            is_expired=token.expires_at is not None and token.expires_at <= now,
            is_orphaned=token.user_id not in makers,
        )
        for token in tokens
    ]
    return Page(listed, len(listed))


def _makers(work: UnitOfWork, resource: Resource, user_ids: Collection[int]) -> set[int]:
    if not user_ids:
        return set()
    query = select(User.id).where(User.id.in_(user_ids), User.is_active, holders(resource, least=Role.ADMIN))
    return set(work.session.scalars(query))


def revoke_deploy_token(work: UnitOfWork, *, actor: Actor, resource: Resource, token_id: int) -> None:
    """End the token at once. Raises NotFound (``token_not_found``), and what ``policy.require`` does."""
    require(work, actor, Action.REPOSITORY_ADMIN, resource, what=resource.resource_type)
    token = work.session.scalar(select(DeployToken).where(*_of(resource), DeployToken.id == token_id))
    if token is None:
        raise NotFound("There is no such token.", code="token_not_found")
    work.session.delete(token)
    work.session.flush()
    log.info("deploy_token_revoked", token_id=token_id, resource_id=resource.id, actor_id=actor.user_id)


def remove_all_deploy_tokens(work: UnitOfWork, *, resource_type: str, resource_id: int) -> None:
    """Remove every token of a resource that is going away. The caller has judged that."""
    own = (DeployToken.resource_type == resource_type, DeployToken.resource_id == resource_id)
    work.session.execute(delete(DeployToken).where(*own))


@dataclass(frozen=True)
class Bearer:
    """Whoever shows a good deploy token."""

    actor: Actor
    token_id: int
    last_used_at: datetime | None


# Built once, as of access tokens.
_BEARER = (
    select(
        DeployToken.id,
        DeployToken.name,
        DeployToken.scope,
        DeployToken.expires_at,
        DeployToken.last_used_at,
        DeployToken.resource_type,
        DeployToken.resource_id,
        User.id.label("user_id"),
        User.name.label("user_name"),
        User.namespace_id,
        User.is_admin,
    )
    .join(User, User.id == DeployToken.user_id)
    .where(User.is_active)
)
_BY_VALUE = _BEARER.where(DeployToken.token_hash == bindparam("token_hash"))
_BY_ID = _BEARER.where(DeployToken.id == bindparam("token_id"))


def find_bearer(work: UnitOfWork, value: str) -> Bearer | None:
    """Of the good token of that value; None when unknown, expired or its maker is off. One query."""
    if not is_token_shaped(value):
        return None
    return _find(work, _BY_VALUE, token_hash=hash_token(value))


def find_bearer_by_id(work: UnitOfWork, token_id: int) -> Bearer | None:
    """As ``find_bearer``, for tickets that were given out for a token."""
    return _find(work, _BY_ID, token_id=token_id)


def _find(work: UnitOfWork, query: Executable, **parameters: object) -> Bearer | None:
    row = work.session.execute(query, parameters).one_or_none()
    if row is None or (row.expires_at is not None and row.expires_at <= work.now()):
        return None
    return Bearer(_actor_of(row), row.id, row.last_used_at)


def _actor_of(row: Row[Any]) -> Actor:
    """No user has such a name; in a commit it tells which token made it."""
    maker = Actor(row.user_id, row.user_name, namespace_id=row.namespace_id, is_admin=row.is_admin, via="deploy")
    return Actor(
        name=f"{row.name} (deploy token)",
        email=f"deploy-token-{row.id}@localhost",
        scope=row.scope,
        via="deploy",
        token_id=row.id,
        limit=Limit(row.resource_type, row.resource_id, maker),
    )


def _of(resource: Resource) -> tuple[Any, ...]:
    return (DeployToken.resource_type == resource.resource_type, DeployToken.resource_id == resource.id)
