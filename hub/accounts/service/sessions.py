"""Browser sessions: a random key in a cookie, its hash in a row, good until left unused for too long."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import delete, select

from hub.accounts.models import User, WebSession
from hub.accounts.models_factors import RememberedDevice
from hub.accounts.policy import Action, Actor, require
from hub.base.errors import NotFound
from hub.base.log import get_logger
from hub.db.uow import UnitOfWork

log = get_logger(__name__)

MAX_KEY_LENGTH = 128
# More browsers nobody looks through; the others end with the password, or all at once.
MAX_LISTED = 200


def hash_session_key(key: str) -> str:
    """What is stored of a session's key, which has 256 random bits."""
    return hashlib.sha256(key.encode(errors="replace")).hexdigest()


def csrf_token_of(key: str) -> str:
    """The word that a page of this session sends along with writes; it cannot be worked out without the key."""
    return hmac.new(key.encode(errors="replace"), b"hub:csrf", hashlib.sha256).hexdigest()


def open_session(work: UnitOfWork, *, user: User, address: str = "", user_agent: str = "") -> tuple[WebSession, str]:
    """A new session of the user and its key, 43 characters. The caller has checked who it is.

    Expired sessions of the user go on this occasion.
    """
    now = work.now()
    work.session.execute(delete(WebSession).where(WebSession.user_id == user.id, WebSession.expires_at <= now))
    key = secrets.token_urlsafe(32)
    session = WebSession(
        user_id=user.id,
        user=user,
        key_hash=hash_session_key(key),
        user_agent=user_agent[:255],
        address=address[:64],
        created_at=now,
        last_seen_at=now,
        expires_at=now + timedelta(seconds=work.settings.session_ttl_s),
    )
    work.session.add(session)
    work.session.flush()
    return session, key


def find_session(work: UnitOfWork, key: str) -> WebSession | None:
    """The good session of that key with its user, in one query; None when unknown, expired or its user is off."""
    if not 0 < len(key) <= MAX_KEY_LENGTH:
        return None
    session = work.session.scalar(select(WebSession).where(WebSession.key_hash == hash_session_key(key)))
    if session is None or session.expires_at <= work.now() or not session.user.is_active:
        return None
    return session


def close_session(work: UnitOfWork, key: str) -> None:
    """Sign out: the key is good no more. Harmless when it was not."""
    work.session.execute(delete(WebSession).where(WebSession.key_hash == hash_session_key(key)))


def list_sessions(work: UnitOfWork, *, actor: Actor, user: User) -> Sequence[WebSession]:
    """The user's sessions that are good, the one used last first. Raises NotSignedIn, Denied."""
    require(work, actor, Action.ACCOUNT_READ, user, what="user")
    return work.session.scalars(
        select(WebSession)
        .where(WebSession.user_id == user.id, WebSession.expires_at > work.now())
        .order_by(WebSession.last_seen_at.desc(), WebSession.id.desc())
        .limit(MAX_LISTED)
    ).all()


def end_session(work: UnitOfWork, *, actor: Actor, user: User, session_id: int) -> None:
    """Sign the user out of one browser. Raises NotSignedIn, Denied; NotFound (``session_not_found``)."""
    require(work, actor, Action.ACCOUNT_CREDENTIALS, user, what="user")
    ended = delete(WebSession).where(WebSession.user_id == user.id, WebSession.id == session_id)
    if work.session.scalar(ended.returning(WebSession.id)) is None:
        raise NotFound("This session has ended already.", code="session_not_found")
    log.info("session_ended", user_id=user.id, session_id=session_id, actor_id=actor.user_id)


def end_other_sessions(work: UnitOfWork, *, actor: Actor, user: User, key: str) -> int:
    """Sign the user out of every browser but the one with this key; how many there were. Raises NotSignedIn, Denied."""
    require(work, actor, Action.ACCOUNT_CREDENTIALS, user, what="user")
    ended = delete(WebSession).where(WebSession.user_id == user.id, WebSession.key_hash != hash_session_key(key))
    count = len(work.session.scalars(ended.returning(WebSession.id)).all())
    log.info("other_sessions_ended", user_id=user.id, count=count, actor_id=actor.user_id)
    return count


def close_all_sessions(work: UnitOfWork, *, actor: Actor, user: User) -> None:
    """Sign the user out everywhere: browsers, and signed session tokens (JWT). No device is remembered any more.

    Raises NotSignedIn, Denied.
    """
    require(work, actor, Action.ACCOUNT_CREDENTIALS, user, what="user")
    user.signed_out_at = work.now()
    work.session.execute(delete(WebSession).where(WebSession.user_id == user.id))
    work.session.execute(delete(RememberedDevice).where(RememberedDevice.user_id == user.id))


def delete_expired_sessions(work: UnitOfWork) -> int:
    """Remove sessions that ended by themselves and say how many there were; for ``hub gc`` and the schedule."""
    ended = work.session.scalars(
        delete(WebSession).where(WebSession.expires_at <= work.now()).returning(WebSession.id)
    ).all()
    return len(ended)
