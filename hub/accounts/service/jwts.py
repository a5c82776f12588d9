"""Signed session tokens (JWT): made for a user by the system or a site administrator, checked without a row of theirs.

They carry no rights of their own: each request looks the user up, and whether the token was revoked.
Source of the claims: CSGHub contract, section 1.2.
"""

from __future__ import annotations

import hashlib
import hmac
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete, or_, select

from hub.accounts.models import RevokedJWT, User
from hub.accounts.policy import Actor, require_site_admin
from hub.accounts.service.users import find_user_by_uuid
from hub.base.context import Context
from hub.base.errors import Invalid, NotFound
from hub.base.log import get_logger
from hub.base.secrets import SECRET
from hub.db.insert import insert_new
from hub.db.uow import UnitOfWork

if TYPE_CHECKING:
    from joserfc.jwk import OctKey

log = get_logger(__name__)

ISSUER = "hub"
MAX_LENGTH = 2048  # ours have about 330 characters


@dataclass(frozen=True)
class Claims:
    """What a token of ours says. jti: its own name, by which it is revoked."""

    uuid: str
    jti: str
    issued_at: datetime
    expires_at: datetime


def looks_like_jwt(text: str) -> bool:
    """Whether a bearer's text should be tried as one: three parts with dots between. Access tokens have no dots."""
    return text.count(".") == 2


def create_jwt(work: UnitOfWork, *, actor: Actor, user_uuid: str, old_token: str = "") -> tuple[str, datetime]:
    """A token that stands for the user, and when it ends: ``session_ttl_s`` from now.

    old_token: a token of the same user that is revoked in the same step; one that has expired by itself may be given.
    Raises NotSignedIn, Denied; NotFound (``user_not_found``: no such user, or switched off); Invalid (AUTH-ERR-4: the
    old token is none of ours, of somebody else, or revoked already).
    """
    require_site_admin(work, actor)
    user = find_user_by_uuid(work, user_uuid)
    if user is None or not user.is_active:
        raise NotFound("There is no such user, or the account is switched off.", code="user_not_found")
    if old_token:
        _revoke(work, old_token, user)
    expires_at = work.now().replace(microsecond=0) + timedelta(seconds=work.settings.session_ttl_s)
    claims = {
        "iss": ISSUER,
        "jti": str(uuid.uuid4()),
        "uuid": user.uuid,
        "current_user": user.name,
        "iat": work.now().timestamp(),  # with its fraction: it is compared with when the user was signed out
        "exp": int(expires_at.timestamp()),
    }
    # Deliberately late: few hubs use these, and the library takes some megabytes.
    from joserfc import jwt

    value = jwt.encode({"alg": "HS256"}, claims, _key(work.context))
    log.info("jwt_created", user_id=user.id, jti=claims["jti"], actor_id=actor.user_id)
    return value, expires_at


def find_jwt_user(work: UnitOfWork, value: str) -> User | None:
    """The user that a good token stands for, in one query.

    None when it is forged, expired or revoked, when the user was signed out everywhere since, or is switched off.
    """
    claims = _read(work.context, value)
    if claims is None or claims.expires_at <= work.now():
        return None
    user = work.session.scalar(
        select(User).where(
            User.uuid == claims.uuid,
            User.is_active,
            or_(User.signed_out_at.is_(None), User.signed_out_at <= claims.issued_at),
            ~select(RevokedJWT.jti).where(RevokedJWT.jti == claims.jti).exists(),
        )
    )
    return user


def get_jwt_user(work: UnitOfWork, *, actor: Actor, value: str) -> User:
    """As ``find_jwt_user``, for site administrators. Raises NotSignedIn, Denied; NotFound (AUTH-ERR-4)."""
    require_site_admin(work, actor)
    user = find_jwt_user(work, value)
    if user is None:
        raise NotFound("The token is not valid, or not any more.", code="AUTH-ERR-4")
    return user


def delete_expired_jwts(work: UnitOfWork) -> int:
    """Forget revocations of tokens that have ended by themselves since, and say how many there were."""
    ended = delete(RevokedJWT).where(RevokedJWT.expires_at <= work.now()).returning(RevokedJWT.jti)
    return len(work.session.scalars(ended).all())


def _revoke(work: UnitOfWork, value: str, user: User) -> None:
    claims = _read(work.context, value)
    if claims is None or claims.uuid != user.uuid:
        raise Invalid("The old token is none of this user's.", code="AUTH-ERR-4")
    if claims.expires_at <= work.now():
        return
    # The row decides: of two that renew the same token at once, one is told that it is too late.
    if not insert_new(work.session, RevokedJWT, [{"jti": claims.jti, "expires_at": claims.expires_at}]):
        raise Invalid("The old token was revoked before.", code="AUTH-ERR-4")
    log.info("jwt_revoked", user_id=user.id, jti=claims.jti)


def _read(context: Context, value: str) -> Claims | None:
    """The claims of a token that this hub has signed, expired or not; None for anything else."""
    if len(value) > MAX_LENGTH or not looks_like_jwt(value):
        return None
    from joserfc import jwt
    from joserfc.errors import JoseError

    try:
        claims = jwt.decode(value, _key(context), algorithms=["HS256"]).claims
        if claims["iss"] != ISSUER:
            return None
        issued_at, expires_at = (datetime.fromtimestamp(claims[name], UTC) for name in ("iat", "exp"))
        return Claims(str(claims["uuid"]), str(claims["jti"]), issued_at, expires_at)
    except (JoseError, ValueError, KeyError, TypeError, OverflowError):
        return None


def _key(context: Context) -> OctKey:
    from joserfc.jwk import OctKey

    return OctKey.import_key(hmac.new(context[SECRET], b"hub:jwt", hashlib.sha256).digest())
