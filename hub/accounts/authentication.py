"""From a credential to an actor. A bad credential is None, whatever is wrong with it.

When a credential was last used is written apart from the request that used it, by ``record_use``, and at most once
a minute.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.orm import InstrumentedAttribute

from hub.accounts.attempts import ATTEMPTS, attempt_key, count_attempt
from hub.accounts.models import AccessToken, DeployToken, Namespace, SSHKey, User, WebSession
from hub.accounts.passwords import PASSWORDS, hash_password
from hub.accounts.policy import SERVICE, Action, Actor, require
from hub.accounts.second_factor import SecondFactorNeeded, check_code
from hub.accounts.service.deploytokens import find_bearer
from hub.accounts.service.fields import email_key
from hub.accounts.service.jwts import find_jwt_user, looks_like_jwt
from hub.accounts.service.keys import InvalidKey, parse_public_key
from hub.accounts.service.second_factors import must_set_up
from hub.accounts.service.sessions import find_session
from hub.accounts.service.tokens import find_holder, is_token_shaped
from hub.accounts.service.users import find_user, find_user_by_uuid, get_user, set_password
from hub.base.context import Context
from hub.base.errors import Denied, NotSignedIn
from hub.base.log import get_logger
from hub.base.names import fold_name
from hub.db.uow import UnitOfWork, reading, unit_of_work

log = get_logger(__name__)

USE_INTERVAL_S = 60

# Where each kind of credential keeps the time of its last use.
_LAST_USED: dict[type, InstrumentedAttribute[Any]] = {
    AccessToken: AccessToken.last_used_at,
    DeployToken: DeployToken.last_used_at,
    SSHKey: SSHKey.last_used_at,
    WebSession: WebSession.last_seen_at,
}


_Credential = type[AccessToken] | type[DeployToken] | type[SSHKey] | type[WebSession]


@dataclass(frozen=True)
class Use:
    """That a credential was used and its row should be told: pass it to ``record_use`` after the answer is sent."""

    model: _Credential
    row_id: int


@dataclass(frozen=True)
class Identity:
    """Who a credential stands for.

    use: None when the row was told less than a minute ago, or there is none. is_mirror: a token that other hubs copy
    with, good for reading only (CSGHub contract, section 1.2). must_set_up: of a session or password: the account must
    have a second factor, has none, and may do nothing else before that.
    """

    actor: Actor
    use: Use | None = None
    is_mirror: bool = False
    must_set_up: bool = False


def authenticate_token(work: UnitOfWork, value: str) -> Actor | None:
    """The actor of an access token or of a deploy token."""
    identity = identify_token(work, value)
    return identity.actor if identity else None


def identify_token(work: UnitOfWork, value: str) -> Identity | None:
    """As ``authenticate_token``, with the use to record. One query for an access token, two for a deploy token."""
    found = find_holder(work, value)
    if found is None:
        bearer = find_bearer(work, value)
        if bearer is None:
            return None
        return Identity(bearer.actor, _use_of(work, DeployToken, bearer.token_id, bearer.last_used_at))
    actor = Actor(
        found.user_id,
        found.name,
        found.email,
        found.namespace_id,
        found.is_admin,
        found.scope,
        via="token",
        token_id=found.token_id,
    )
    use = _use_of(work, AccessToken, found.token_id, found.last_used_at)
    return Identity(actor, use, is_mirror=found.app == "mirror")


def identify_bearer(
    work: UnitOfWork, value: str, *, current_user: str = "", current_user_uuid: str = ""
) -> Identity | None:
    """Who the text of a Bearer header stands for: the hub's own API token, a JWT or an access token, in this order.

    current_user, current_user_uuid: the user whom the bearer of the API token acts for; for all others they count
    for nothing. Raises NotSignedIn (AUTH-ERR-1) when the API token comes with a user that there is not.
    """
    if is_api_token(work.context, value):
        return Identity(_find_represented(work, current_user, current_user_uuid))
    if looks_like_jwt(value):
        user = find_jwt_user(work, value)
        return Identity(Actor.of_user(user, via="jwt")) if user else None
    return identify_token(work, value)


def is_api_token(context: Context, value: str) -> bool:
    """Whether the text is the hub's own API token (setting ``api_token``); compared in constant time."""
    wanted = context.settings.api_token
    return bool(wanted) and hmac.compare_digest(wanted.encode(), value.encode(errors="replace"))


def _find_represented(work: UnitOfWork, name: str, uuid: str) -> Actor:
    if not name and not uuid:
        return SERVICE
    user = find_user_by_uuid(work, uuid) if uuid and uuid.isprintable() else None
    if not uuid and name.isprintable():
        user = find_user(work, name)
    if user is None or not user.is_active or (name and fold_name(name) != fold_name(user.name)):
        raise NotSignedIn("There is no such user as current_user names, or the account is off.", code="AUTH-ERR-1")
    return Actor.of_user(user, via="api_key")


def identify_session(work: UnitOfWork, key: str) -> Identity | None:
    """Who a browser's session key stands for, in one query."""
    session = find_session(work, key)
    if session is None:
        return None
    use = _use_of(work, WebSession, session.id, session.last_seen_at)
    actor = Actor.of_user(session.user, via="session")
    return Identity(actor, use, must_set_up=must_set_up(work.settings, session.user))


def authenticate_session(work: UnitOfWork, key: str) -> Actor | None:
    """The actor of a browser's session key, in one query."""
    identity = identify_session(work, key)
    return identity.actor if identity else None


def identify_ssh_key(work: UnitOfWork, public_key: str) -> Identity | None:
    """Who an OpenSSH public key ("type base64 ...") stands for, in one query."""
    try:
        parsed = parse_public_key(public_key)
    except InvalidKey:
        return None
    key = work.session.scalar(select(SSHKey).where(SSHKey.fingerprint_sha256 == parsed.fingerprint))
    if key is None or not key.user.is_active or key.public_key != parsed.text:
        return None
    return Identity(Actor.of_user(key.user, via="ssh"), _use_of(work, SSHKey, key.id, key.last_used_at))


def authenticate_ssh_key(work: UnitOfWork, public_key: str) -> Actor | None:
    """The actor of an OpenSSH public key. SSH serves Git only, so the key carries no scope."""
    identity = identify_ssh_key(work, public_key)
    return identity.actor if identity else None


def identify_basic(context: Context, login: str, secret: str, *, code: str = "", address: str = "") -> Identity | None:
    """Who a user name and a token or password stand for.

    A token counts alone: clients send a repository's namespace as the user (CSGHub contract, section 1.2).
    code: of the second factor, which a password needs where the account has one.
    Opens its own short units of work, because a password takes tens of milliseconds.
    Raises SecondFactorNeeded, NotSignedIn (``second_factor_wrong``); RateLimited when the password of this account
    was tried too often from this address.
    """
    if is_token_shaped(secret):
        with reading(context) as work:
            identity = identify_token(work, secret)
        if identity is not None:
            return identity
    user = check_password(context, login, secret, address=address)
    if user is None:
        return None
    if user.second_factor_at is not None:
        if not code:
            raise SecondFactorNeeded(user)
        check_code(context, user, code, address=address)
    return Identity(Actor.of_user(user, via="password"), must_set_up=must_set_up(context.settings, user))


def authenticate_basic(context: Context, login: str, secret: str, *, address: str = "") -> Actor | None:
    """As ``identify_basic``, without the use."""
    identity = identify_basic(context, login, secret, address=address)
    return identity.actor if identity else None


def check_password(context: Context, login: str, password: str, *, address: str = "") -> User | None:
    """The active user of that name or e-mail address when the password is theirs.

    An unknown name takes as long as a wrong password. A hash made at a former cost is renewed.
    Opens its own short units of work. Raises RateLimited.
    """
    passwords = context[PASSWORDS]
    with reading(context) as work:
        user = _find_by_login(work, login)
    stored = user.password_hash if user is not None and user.is_active else None
    if user is not None and stored is not None and passwords.is_remembered(stored, password):
        return user
    count_attempt(context[ATTEMPTS], login, address)
    if not passwords.verify(stored, password) or user is None or stored is None:
        log.info("sign_in_failed", user_id=user.id if user else None, address=address)
        return None
    context[ATTEMPTS].clear(attempt_key(login, address))
    if passwords.needs_rehash(stored):
        renewed = passwords.hash(password)
        with unit_of_work(context) as work:
            # Not if the password was changed in the meantime.
            work.session.execute(
                update(User).where(User.id == user.id, User.password_hash == stored).values(password_hash=renewed)
            )
    return user


def _find_by_login(work: UnitOfWork, login: str) -> User | None:
    if not login.isprintable():
        return None
    column = User.email_key == email_key(login) if "@" in login else Namespace.path_key == fold_name(login)
    return work.session.scalar(select(User).join(User.namespace).where(column))


def _use_of(work: UnitOfWork, model: _Credential, row_id: int, last: datetime | None) -> Use | None:
    is_due = last is None or (work.now() - last).total_seconds() >= USE_INTERVAL_S
    return Use(model, row_id) if is_due else None


def record_use(context: Context, use: Use) -> None:
    """Write when a credential was last used, and put off a session's end.

    Opens its own short unit of work; call it when the answer has been sent. A failure is logged and goes no further.
    """
    try:
        with unit_of_work(context) as work:
            _write_use(work, use)
    except Exception:
        log.exception("use_not_recorded", kind=use.model.__name__, row_id=use.row_id)


def _write_use(work: UnitOfWork, use: Use) -> None:
    now, column = work.now(), _LAST_USED[use.model]
    values = {column: now}
    if use.model is WebSession:
        values[WebSession.expires_at] = now + timedelta(seconds=work.settings.session_ttl_s)
    # Requests side by side were told the same; only the first of them writes.
    is_due = or_(column.is_(None), column <= now - timedelta(seconds=USE_INTERVAL_S))
    work.session.execute(update(use.model).where(use.model.id == use.row_id, is_due).values(values))


def change_password(
    context: Context, *, actor: Actor, name: str, old_password: str, new_password: str, address: str = ""
) -> None:
    """Give the user a new password and end the user's browser sessions.

    old_password: what the password was; site administrators changing another's need not know it, nor does anybody
    whose account has none. Opens its own short units of work.
    Raises Invalid, NotSignedIn, Denied (``password_wrong``), RateLimited.
    """
    with reading(context) as work:
        user = get_user(work, name)
        require(work, actor, Action.ACCOUNT_CREDENTIALS, user, what="user")
    must_know = user.password_hash is not None and (actor.user_id == user.id or not actor.is_admin)
    if must_know and check_password(context, user.name, old_password, address=address) is None:
        raise Denied("The old password is wrong.", code="password_wrong")
    password = hash_password(context, new_password, name=user.name, email=user.email)
    with unit_of_work(context) as work:
        set_password(work, actor=actor, user=get_user(work, name), password=password)
