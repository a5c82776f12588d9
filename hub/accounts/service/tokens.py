"""Access tokens: made, listed, renewed, revoked, and looked up by their value."""

from __future__ import annotations

import hashlib
import re
import uuid
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import bindparam, delete, func, select
from sqlalchemy.exc import IntegrityError

from hub.accounts.models import AccessToken, TokenScope, User
from hub.accounts.policy import Action, Actor, require
from hub.accounts.service import fields
from hub.base.errors import Conflict, Invalid, NotFound
from hub.base.log import get_logger
from hub.base.paging import Page
from hub.db.uow import UnitOfWork

log = get_logger(__name__)

# Source: CSGHub contract, section 1.2. "git" is for the API, git and LFS; "mirror" for reading only.
APPS = ("git", "mirror")
# Of one account and app; those that have expired go when there is no room for another.
MAX_TOKENS = 100
_VALUE = re.compile(r"[0-9a-f]{32}\Z")


def is_token_shaped(text: str) -> bool:
    """Whether the text could be a token: 32 hexadecimal digits, a UUID without dashes (CSGHub contract, 1.2)."""
    return _VALUE.match(text) is not None


def hash_token(value: str) -> str:
    """What is stored of a token. It has 122 random bits, so a plain SHA-256 cannot be searched."""
    return hashlib.sha256(value.encode(errors="replace")).hexdigest()


def create_token(
    work: UnitOfWork,
    *,
    actor: Actor,
    user: User,
    name: str,
    scope: TokenScope,
    app: str = "git",
    expires_at: datetime | None = None,
    value: str = "",
) -> tuple[AccessToken, str]:
    """A new token and its value, which cannot be had again.

    scope: a token of app "mirror" gets READ whatever is asked. expires_at: None for never. value: as
    ``device_logins.value_to_give`` has it; "": a new one.
    Raises Invalid, NotSignedIn, Denied (needs a token of scope admin, or a session); Conflict (``token_exists``;
    ``too_many_tokens``: the account has ``MAX_TOKENS`` good ones for this app).
    """
    require(work, actor, Action.ACCOUNT_CREDENTIALS, user, what="user")
    name = fields.validate_label(name, what="token name")
    if app not in APPS:
        raise Invalid(f"There are tokens for {' and '.join(APPS)} only.", code="token_app_invalid")
    _refuse_past(work, expires_at)
    _make_room(work, user, app)
    value = value or uuid.uuid4().hex
    token = AccessToken(
        user_id=user.id,
        user=user,
        app=app,
        name=name,
        token_hash=hash_token(value),
        hint=value[:4],
        scope=TokenScope.READ if app == "mirror" else TokenScope(scope),
        expires_at=expires_at,
        created_at=work.now(),
    )
    try:
        with work.session.begin_nested():
            work.session.add(token)
    except IntegrityError:
        raise Conflict(f"There is already a token named {name!r}.", code="token_exists") from None
    log.info("token_created", token_id=token.id, user_id=user.id, scope=token.scope, actor_id=actor.user_id)
    return token, value


def _make_room(work: UnitOfWork, user: User, app: str) -> None:
    # One after the other, so that two at once do not both take the last place.
    work.session.execute(select(User.id).where(User.id == user.id).with_for_update(key_share=True))
    own = (AccessToken.user_id == user.id, AccessToken.app == app)
    count = select(func.count(AccessToken.id)).where(*own)
    if (work.session.scalar(count) or 0) < MAX_TOKENS:
        return
    work.session.execute(delete(AccessToken).where(*own, AccessToken.expires_at <= work.now()))
    if (work.session.scalar(count) or 0) >= MAX_TOKENS:
        raise Conflict(f"There are {MAX_TOKENS} tokens already; delete some first.", code="too_many_tokens")


def _refuse_past(work: UnitOfWork, expires_at: datetime | None) -> None:
    if expires_at is not None and expires_at <= work.now():
        raise Invalid("The token would already have expired; choose a later end.", code="token_expiry_invalid")


class TokenHolder(NamedTuple):
    """As much of a good token and of its user as serving a request takes."""

    token_id: int
    app: str
    scope: TokenScope
    expires_at: datetime | None
    last_used_at: datetime | None
    user_id: int
    name: str
    email: str
    namespace_id: int
    is_admin: bool


# Built once: nearly every request of a program asks it.
_HOLDER = (
    select(
        AccessToken.id,
        AccessToken.app,
        AccessToken.scope,
        AccessToken.expires_at,
        AccessToken.last_used_at,
        User.id,
        User.name,
        User.email,
        User.namespace_id,
        User.is_admin,
    )
    .join(User, User.id == AccessToken.user_id)
    .where(AccessToken.token_hash == bindparam("token_hash"), User.is_active)
)


def find_holder(work: UnitOfWork, value: str) -> TokenHolder | None:
    """The good token of that value with its user, in one query; None when unknown, expired or its user is off."""
    if not is_token_shaped(value):
        return None
    for row in work.rows(_HOLDER, {"token_hash": hash_token(value)}):
        holder = TokenHolder._make(row)
        if holder.expires_at is None or holder.expires_at > work.now():
            return holder
    return None


def find_token(work: UnitOfWork, value: str) -> AccessToken | None:
    """As ``find_holder``, as a row of the unit of work."""
    holder = find_holder(work, value)
    return work.session.get(AccessToken, holder.token_id) if holder else None


def list_tokens(work: UnitOfWork, *, actor: Actor, user: User, app: str | None = None) -> Page[AccessToken]:
    """All tokens of the user, newest first. app: None for every app. Raises NotSignedIn, Denied."""
    require(work, actor, Action.ACCOUNT_READ, user, what="user")
    query = select(AccessToken).where(AccessToken.user_id == user.id)
    if app is not None:
        query = query.where(AccessToken.app == app)
    most = MAX_TOKENS * len(APPS)
    tokens = work.session.scalars(query.order_by(AccessToken.id.desc()).limit(most)).all()
    return Page(tokens, len(tokens))


def revoke_token(work: UnitOfWork, *, actor: Actor, user: User, name: str, app: str = "git") -> None:
    """End the token at once. Raises NotSignedIn, Denied; NotFound (``token_not_found``)."""
    token = _get_own_token(work, actor=actor, user=user, name=name, app=app)
    work.session.delete(token)
    work.session.flush()
    log.info("token_revoked", token_id=token.id, user_id=user.id, actor_id=actor.user_id)


def refresh_token(
    work: UnitOfWork, *, actor: Actor, user: User, name: str, app: str = "git", expires_at: datetime | None = None
) -> tuple[AccessToken, str]:
    """Give the token a new value; the old one ends at once.

    expires_at: a new expiry; None keeps the old one, which must not have passed.
    Raises Invalid, NotSignedIn, Denied; NotFound (``token_not_found``).
    """
    token = _get_own_token(work, actor=actor, user=user, name=name, app=app)
    token.expires_at = expires_at or token.expires_at
    _refuse_past(work, token.expires_at)
    value = uuid.uuid4().hex
    token.token_hash, token.hint = hash_token(value), value[:4]
    token.created_at, token.last_used_at = work.now(), None
    work.session.flush()
    log.info("token_refreshed", token_id=token.id, user_id=user.id, actor_id=actor.user_id)
    return token, value


def _get_own_token(work: UnitOfWork, *, actor: Actor, user: User, name: str, app: str) -> AccessToken:
    require(work, actor, Action.ACCOUNT_CREDENTIALS, user, what="user")
    token = work.session.scalar(
        select(AccessToken).where(AccessToken.user_id == user.id, AccessToken.app == app, AccessToken.name == name)
    )
    if token is None:
        raise NotFound(f"There is no token named {name!r}.", code="token_not_found")
    return token
