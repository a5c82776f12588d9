"""Browser sessions: a random key in a cookie, its hash in a row, good until left unused for too long."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import timedelta

from sqlalchemy import delete, select

from hub.accounts.models import User, WebSession
from hub.accounts.policy import Action, Actor, require
from hub.db.uow import UnitOfWork

MAX_KEY_LENGTH = 128


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


def close_all_sessions(work: UnitOfWork, *, actor: Actor, user: User) -> None:
    """Sign the user out everywhere: browsers, and signed session tokens (JWT). Raises NotSignedIn, Denied."""
    require(work, actor, Action.ACCOUNT_CREDENTIALS, user, what="user")
    user.signed_out_at = work.now()
    work.session.execute(delete(WebSession).where(WebSession.user_id == user.id))


def delete_expired_sessions(work: UnitOfWork) -> int:
    """Remove sessions that ended by themselves and say how many there were; for ``hub gc`` and the schedule."""
    ended = work.session.scalars(
        delete(WebSession).where(WebSession.expires_at <= work.now()).returning(WebSession.id)
    ).all()
    return len(ended)
