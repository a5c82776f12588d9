"""Signing a browser in: by a password, and where the account has a second factor by a code or a remembered device.

Between the two a browser holds a half: a signed text that says whose password was right, good for ten minutes and for
nothing but to give the code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hub.accounts.authentication import check_password
from hub.accounts.browsers import is_known
from hub.accounts.events import SignedInAnew
from hub.accounts.models import User, WebSession
from hub.accounts.policy import Actor
from hub.accounts.second_factor import SecondFactorNeeded, check_code, clear_codes, count_code
from hub.accounts.service import second_factors
from hub.accounts.service.sessions import open_session
from hub.accounts.service.users import find_user_by_uuid, get_user
from hub.base.context import Context
from hub.base.errors import Denied, NotSignedIn
from hub.base.events import publish
from hub.base.log import get_logger
from hub.base.secrets import SECRET, Signer
from hub.db.uow import UnitOfWork, reading, unit_of_work

log = get_logger(__name__)

HALF_TTL_S = 600
_MAX_HALF_CHARS = 200


def sign_in(
    context: Context,
    *,
    login: str,
    password: str,
    code: str = "",
    devices: Sequence[str] = (),
    marks: Sequence[str] = (),
    address: str = "",
    user_agent: str = "",
) -> tuple[WebSession, str]:
    """A new browser session for a name (or e-mail address) and password, with its key.

    code: of the second factor, or a recovery code. devices: the keys of remembered devices that the browser has.
    marks: those of ``browsers.mark_of`` that it has; the account is told of a browser without its own.
    Opens its own short units of work. Raises NotSignedIn (AUTH-ERR-0, whatever was wrong; ``second_factor_wrong``),
    SecondFactorNeeded, RateLimited.
    """
    user = check_password(context, login, password, address=address)
    if user is None:
        raise NotSignedIn("The name or the password is wrong.", code="AUTH-ERR-0")
    if user.second_factor_at is not None:
        if code:
            check_code(context, user, code, address=address)
        elif not _is_remembered(context, user, devices, address):
            raise SecondFactorNeeded(user)
    return _open(context, user, marks, address, user_agent)


def _is_remembered(context: Context, user: User, devices: Sequence[str], address: str) -> bool:
    if not devices:
        return False
    with unit_of_work(context) as work:
        return second_factors.use_device(work, user=user, keys=devices, address=address)


def _open(context: Context, user: User, marks: Sequence[str], address: str, user_agent: str) -> tuple[WebSession, str]:
    with unit_of_work(context) as work:
        user = work.session.get_one(User, user.id)  # the one that was checked belongs to a session that has ended
        # Nobody is told of the first time that they sign in.
        if user.last_login_at is not None and not is_known(context, user, marks):
            publish(work, SignedInAnew(user.id, address, user_agent))
        user.last_login_at = work.now()
        return open_session(work, user=user, address=address, user_agent=user_agent)


@dataclass(frozen=True)
class Half:
    """A sign-in of which the code is missing. is_kept: the session is to outlive the browser's end."""

    user: User
    is_kept: bool


def make_half(context: Context, user: User, *, is_kept: bool) -> str:
    """What a browser holds whose password was right: ``UUID.END.KEPT.SIGNATURE``."""
    end = int(context.clock.now().timestamp()) + HALF_TTL_S
    kept = int(is_kept)
    return f"{user.uuid}.{end}.{kept}.{_signer(context).sign(_signed(user, end, kept))}"


def read_half(work: UnitOfWork, text: str) -> Half | None:
    """What a half says; None when it is forged, too old, or the password or the second factor changed since."""
    uuid, end, kept, signature = [*text[:_MAX_HALF_CHARS].split("."), "", "", ""][:4]
    if not (uuid.isascii() and uuid.isprintable() and end.isascii() and end.isdigit() and kept in ("0", "1")):
        return None
    user = find_user_by_uuid(work, uuid)
    if user is None or not user.is_active or user.second_factor_at is None or int(end) <= work.now().timestamp():
        return None
    is_good = _signer(work.context).verify(_signed(user, int(end), int(kept)), signature)
    return Half(user, kept == "1") if is_good else None


def _signer(context: Context) -> Signer:
    return Signer(context[SECRET], "half-signed-in")


def _signed(user: User, end: int, kept: int) -> str:
    return f"{user.uuid}\0{end}\0{kept}\0{user.password_hash}\0{user.second_factor_at}"


def finish_sign_in(
    context: Context, *, half: str, code: str, marks: Sequence[str] = (), address: str = "", user_agent: str = ""
) -> tuple[WebSession, str, bool]:
    """A new browser session for a half and a code, its key, and whether it is kept. marks: as for ``sign_in``.

    Opens its own short units of work. Raises NotSignedIn (AUTH-ERR-0: begin anew; ``second_factor_wrong``),
    RateLimited.
    """
    with reading(context) as work:
        found = read_half(work, half)
    if found is None:
        raise NotSignedIn("Sign in again.", code="AUTH-ERR-0")
    check_code(context, found.user, code, address=address)
    session, key = _open(context, found.user, marks, address, user_agent)
    return session, key, found.is_kept


def switch_off(context: Context, *, actor: Actor, name: str, password: str, code: str, address: str = "") -> None:
    """Switch one's own second factor off, by the password and a code.

    Opens its own short units of work. Raises NotSignedIn, Denied (``password_wrong``), RateLimited; and as
    ``second_factors.switch_off``.
    """
    with reading(context) as work:
        user = get_user(work, name)
        second_factors.require_own(work, actor, user)
        second_factors.require_on(user)
    if check_password(context, user.name, password, address=address) is None:
        raise Denied("The password is wrong.", code="password_wrong", member="password")
    count_code(context, user)
    with unit_of_work(context) as work:
        second_factors.switch_off(work, actor=actor, user=get_user(work, name), code=code)
    clear_codes(context, user)
