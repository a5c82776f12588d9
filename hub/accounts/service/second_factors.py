"""The second factor: one-time codes of an authenticator app (TOTP, RFC 6238), recovery codes, remembered devices.

``User.second_factor_at`` says whether an account has one, so that nothing else is asked where passwords are checked.
Codes are checked, and taken, inside a unit of work: rows decide when one is given twice at the same moment.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError

from hub.accounts.events import SecondFactorChange, SecondFactorChanged
from hub.accounts.models import User, WebSession
from hub.accounts.models_factors import RecoveryCode, RememberedDevice, SecondFactor
from hub.accounts.policy import Action, Actor, require, require_site_admin
from hub.accounts.service.sessions import hash_session_key
from hub.base.context import Context
from hub.base.errors import Conflict, Denied, Invalid, NotFound
from hub.base.events import publish
from hub.base.log import get_logger
from hub.base.secrets import SECRET, Sealer, Signer
from hub.base.settings import Settings
from hub.db.uow import UnitOfWork

log = get_logger(__name__)

NOBODY, ADMINISTRATORS, EVERYBODY = REQUIREMENTS = ("nobody", "administrators", "everybody")

STEP_S = 30
DIGITS = 6
# A clock that is off by up to a step, and a code that is typed as it changes (RFC 6238, section 5.2).
_DRIFT_STEPS = 1
# A set-up that was begun shows the same secret again for so long: a picture that was scanned stays good.
_BEGUN_FOR = timedelta(hours=1)

RECOVERY_CODES = 10
# Neither 0 and O nor 1, I and L: people copy them by hand.
_LETTERS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
_GROUPS, _GROUP = 3, 4  # 59 bits
MAX_CODE_CHARS = 32

REMEMBER_FOR = timedelta(days=30)
MAX_DEVICES = 50  # of one account; the one used longest ago goes
_MAX_KEY_CHARS = 128


@dataclass(frozen=True)
class FactorState:
    """How an account stands. is_required: it must have a second factor before it may do anything else."""

    is_on: bool
    is_required: bool
    recovery_codes_left: int


@dataclass(frozen=True)
class Begun:
    """What an authenticator app is told. uri: the secret with the account's name, which the QR code holds."""

    secret: str
    uri: str


def must_set_up(settings: Settings, user: User) -> bool:
    """Whether the account must have a second factor and has none.

    Who signs in by other means than a password is that provider's to ask.
    """
    if user.second_factor_at is not None or user.password_hash is None:
        return False
    required = settings.second_factor_required
    return required == EVERYBODY or (required == ADMINISTRATORS and user.is_admin)


def find_state(work: UnitOfWork, *, actor: Actor, user: User) -> FactorState:
    """How the account stands. Raises NotSignedIn, Denied."""
    require(work, actor, Action.ACCOUNT_READ, user, what="user")
    left = select(func.count(RecoveryCode.id)).where(RecoveryCode.user_id == user.id)
    is_on = user.second_factor_at is not None
    return FactorState(is_on, must_set_up(work.settings, user), (work.session.scalar(left) or 0) if is_on else 0)


# Switching on.


def begin(work: UnitOfWork, *, actor: Actor, user: User) -> Begun:
    """A secret for the account's app; nothing changes until ``confirm`` is given a code of it.

    Raises NotSignedIn, Denied; Conflict: ``second_factor_on``, ``password_missing`` for an account without one.
    """
    require_own(work, actor, user)
    if user.password_hash is None:
        raise Conflict("This account does not sign in by a password.", code="password_missing")
    factor = _lock(work, user)
    now = work.now()
    if factor is None:
        try:
            with work.session.begin_nested():
                factor = SecondFactor(user_id=user.id, sealed_secret=_new_secret(work), last_step=0, created_at=now)
                work.session.add(factor)
        except IntegrityError:  # begun in another window at the same moment
            factor = _lock(work, user)
            assert factor is not None
    if factor.confirmed_at is not None:
        raise Conflict("The second factor is on already.", code="second_factor_on")
    if factor.created_at <= now - _BEGUN_FOR:
        factor.sealed_secret, factor.created_at, factor.last_step = _new_secret(work), now, 0
    secret = _sealer(work.context).open(factor.sealed_secret)
    return Begun(secret, _uri(work.settings, user, secret))


def confirm(work: UnitOfWork, *, actor: Actor, user: User, code: str, session_key: str = "") -> list[str]:
    """Switch the second factor on by a code of the app, end the account's other browser sessions, give recovery codes.

    session_key: of the browser that asks, which stays. The caller has counted the attempt.
    Raises NotSignedIn, Denied; Invalid (``second_factor_wrong``); Conflict: ``second_factor_on``,
    ``second_factor_not_begun``.
    """
    require_own(work, actor, user)
    factor = _lock(work, user)
    if factor is None:
        raise Conflict("Nothing was begun: ask for a secret first.", code="second_factor_not_begun")
    if factor.confirmed_at is not None:
        raise Conflict("The second factor is on already.", code="second_factor_on")
    if not _take_step(work, factor, code):
        raise wrong_code()
    factor.confirmed_at = user.second_factor_at = work.now()
    others = delete(WebSession).where(
        WebSession.user_id == user.id, WebSession.key_hash != hash_session_key(session_key)
    )
    work.session.execute(others)
    codes = _replace_recovery_codes(work, user)
    _tell(work, user, SecondFactorChange.ON, actor)
    return codes


def wrong_code() -> Invalid:
    """What to raise for a code that is not good, where somebody who is signed in gave it."""
    return Invalid(
        "The code is wrong, or was used before. Wait for the next one.", code="second_factor_wrong", member="code"
    )


def require_own(work: UnitOfWork, actor: Actor, user: User) -> None:
    """Return for the account's own. Raises NotSignedIn, Denied; for site administrators, too."""
    require(work, actor, Action.ACCOUNT_CREDENTIALS, user, what="user")
    if actor.user_id != user.id:
        raise Denied("Nobody sets up another's second factor; an administrator can only take it off.")


def _lock(work: UnitOfWork, user: User) -> SecondFactor | None:
    found = select(SecondFactor).where(SecondFactor.user_id == user.id).with_for_update()
    return work.session.scalar(found.execution_options(populate_existing=True))


def _new_secret(work: UnitOfWork) -> str:
    import pyotp  # deliberately late: few requests need it

    return _sealer(work.context).seal(pyotp.random_base32())


def _uri(settings: Settings, user: User, secret: str) -> str:
    import pyotp

    issuer = urlsplit(settings.effective_base_url).hostname or "hub"
    return pyotp.TOTP(secret, digits=DIGITS, interval=STEP_S).provisioning_uri(
        name=user.name, issuer_name=f"Hub {issuer}"
    )


def draw(uri: str) -> str:
    """The QR code of an address as a ``data:`` address of an SVG picture, black on white with its margin."""
    import segno

    return str(segno.make(uri, error="m").svg_data_uri(scale=5, border=4, light="#fff"))


def _sealer(context: Context) -> Sealer:
    return Sealer(context[SECRET], "second-factor")


# Codes.


def take_code(work: UnitOfWork, *, user: User, code: str) -> bool:
    """Whether the code is good now; it is good no more afterwards. The caller has counted the attempt.

    code: of the app, or a recovery code, in any spelling.
    """
    plain = "".join(code[:MAX_CODE_CHARS].split()).replace("-", "").upper()
    if plain.isascii() and plain.isdigit() and len(plain) == DIGITS:
        factor = _lock(work, user)
        return factor is not None and factor.confirmed_at is not None and _take_step(work, factor, plain)
    if not plain.isascii() or len(plain) != _GROUPS * _GROUP or user.second_factor_at is None:
        return False
    used = delete(RecoveryCode).where(
        RecoveryCode.user_id == user.id, RecoveryCode.code_hash == _hash_code(work.context, user, plain)
    )
    if work.session.scalar(used.returning(RecoveryCode.id)) is None:
        return False
    _tell(work, user, SecondFactorChange.RECOVERED, None)
    return True


def _take_step(work: UnitOfWork, factor: SecondFactor, code: str) -> bool:
    import pyotp

    code = "".join(code[:MAX_CODE_CHARS].split())
    totp = pyotp.TOTP(_sealer(work.context).open(factor.sealed_secret), digits=DIGITS, interval=STEP_S)
    now = int(work.now().timestamp()) // STEP_S
    wanted = code.encode(errors="replace")
    steps = [
        step
        for step in range(now - _DRIFT_STEPS, now + _DRIFT_STEPS + 1)
        if step > factor.last_step and hmac.compare_digest(totp.generate_otp(step).encode(), wanted)
    ]
    if not steps:
        return False
    taken = (
        update(SecondFactor)
        .where(SecondFactor.user_id == factor.user_id, SecondFactor.last_step < steps[-1])
        .values(last_step=steps[-1])
    )
    return work.session.scalar(taken.returning(SecondFactor.user_id)) is not None


def renew_recovery_codes(work: UnitOfWork, *, actor: Actor, user: User, code: str) -> list[str]:
    """Ten new recovery codes in place of those that were; the only time that they are told.

    The caller has counted the attempt. Raises NotSignedIn, Denied; Conflict (``second_factor_off``);
    Invalid (``second_factor_wrong``).
    """
    require_own(work, actor, user)
    require_on(user)
    if not take_code(work, user=user, code=code):
        raise wrong_code()
    codes = _replace_recovery_codes(work, user)
    _tell(work, user, SecondFactorChange.RENEWED, actor)
    return codes


def require_on(user: User) -> None:
    """Return for an account that has a second factor. Raises Conflict (``second_factor_off``)."""
    if user.second_factor_at is None:
        raise Conflict("The second factor is off.", code="second_factor_off")


def _replace_recovery_codes(work: UnitOfWork, user: User) -> list[str]:
    work.session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))
    codes = ["".join(secrets.choice(_LETTERS) for _ in range(_GROUPS * _GROUP)) for _ in range(RECOVERY_CODES)]
    now = work.now()
    work.session.add_all(
        RecoveryCode(user_id=user.id, code_hash=_hash_code(work.context, user, code), created_at=now) for code in codes
    )
    work.session.flush()
    return ["-".join(code[at : at + _GROUP] for at in range(0, len(code), _GROUP)) for code in codes]


def _hash_code(context: Context, user: User, code: str) -> str:
    # Under the hub's secret: who has only the database cannot try all codes there are.
    return Signer(context[SECRET], "recovery-code").sign(f"{user.uuid}\0{code}")


# Switching off.


def remove(work: UnitOfWork, *, user: User) -> None:
    """Forget the secret, the recovery codes and the devices. The caller has asked whether that may be."""
    for table in (SecondFactor, RecoveryCode, RememberedDevice):
        work.session.execute(delete(table).where(table.user_id == user.id))
    user.second_factor_at = None
    user.updated_at = work.now()


def switch_off(work: UnitOfWork, *, actor: Actor, user: User, code: str) -> None:
    """Switch one's own second factor off by a code; the caller has checked the password and counted the attempt.

    Raises NotSignedIn, Denied; Conflict (``second_factor_off``); Invalid (``second_factor_wrong``).
    """
    require_own(work, actor, user)
    require_on(user)
    if not take_code(work, user=user, code=code):
        raise wrong_code()
    remove(work, user=user)
    _tell(work, user, SecondFactorChange.OFF, actor)


def reset(work: UnitOfWork, *, actor: Actor, user: User) -> None:
    """Take the second factor off another's account, who has lost it; for site administrators.

    Raises NotSignedIn, Denied; ``second_factor_own`` for one's own; Conflict (``second_factor_off``).
    """
    require_site_admin(work, actor)
    if actor.user_id == user.id:
        raise Denied("Switch your own off in your settings, by the password and a code.", code="second_factor_own")
    require_on(user)
    remove(work, user=user)
    _tell(work, user, SecondFactorChange.RESET, actor)


def _tell(work: UnitOfWork, user: User, change: SecondFactorChange, actor: Actor | None) -> None:
    actor_id = actor.user_id if actor else None
    publish(work, SecondFactorChanged(user.id, change, actor_id))
    log.info("second_factor_changed", user_id=user.id, change=change.value, actor_id=actor_id)


# Devices.


def remember_device(work: UnitOfWork, *, user: User, address: str = "", user_agent: str = "") -> str:
    """The key of a browser that need not give a code for thirty days. The caller has taken one from it."""
    now = work.now()
    mine = RememberedDevice.user_id == user.id
    newest = (
        select(RememberedDevice.id)
        .where(mine)
        .order_by(RememberedDevice.last_used_at.desc(), RememberedDevice.id.desc())
        .limit(MAX_DEVICES - 1)
    )
    work.session.execute(
        delete(RememberedDevice).where(mine, RememberedDevice.id.not_in(newest) | (RememberedDevice.expires_at <= now))
    )
    key = secrets.token_urlsafe(32)
    device = RememberedDevice(
        user_id=user.id,
        key_hash=_hash_key(key),
        user_agent=user_agent[:255],
        address=address[:64],
        created_at=now,
        last_used_at=now,
        expires_at=now + REMEMBER_FOR,
    )
    work.session.add(device)
    work.session.flush()
    return key


def use_device(work: UnitOfWork, *, user: User, keys: Sequence[str], address: str = "") -> bool:
    """Whether one of the keys is of a device that the account remembers; notes that it was used."""
    hashes = [_hash_key(key) for key in keys[:MAX_DEVICES] if 0 < len(key) <= _MAX_KEY_CHARS]
    now = work.now()
    used = (
        update(RememberedDevice)
        .where(
            RememberedDevice.user_id == user.id,
            RememberedDevice.key_hash.in_(hashes),
            RememberedDevice.expires_at > now,
        )
        .values(last_used_at=now, address=address[:64])
    )
    return bool(hashes) and bool(work.session.scalars(used.returning(RememberedDevice.id)).all())


def list_devices(work: UnitOfWork, *, actor: Actor, user: User) -> Sequence[RememberedDevice]:
    """The devices that the account remembers, the one used last first. Raises NotSignedIn, Denied."""
    require(work, actor, Action.ACCOUNT_READ, user, what="user")
    return work.session.scalars(
        select(RememberedDevice)
        .where(RememberedDevice.user_id == user.id, RememberedDevice.expires_at > work.now())
        .order_by(RememberedDevice.last_used_at.desc(), RememberedDevice.id.desc())
    ).all()


def forget_device(work: UnitOfWork, *, actor: Actor, user: User, device_id: int) -> None:
    """Ask one device for a code again. Raises NotSignedIn, Denied; NotFound (``device_not_found``)."""
    require(work, actor, Action.ACCOUNT_CREDENTIALS, user, what="user")
    gone = delete(RememberedDevice).where(RememberedDevice.user_id == user.id, RememberedDevice.id == device_id)
    if work.session.scalar(gone.returning(RememberedDevice.id)) is None:
        raise NotFound("This device is not remembered any more.", code="device_not_found")
    log.info("device_forgotten", user_id=user.id, device_id=device_id, actor_id=actor.user_id)


def forget_devices(work: UnitOfWork, *, actor: Actor, user: User) -> int:
    """Ask every device for a code again; how many there were. Raises NotSignedIn, Denied."""
    require(work, actor, Action.ACCOUNT_CREDENTIALS, user, what="user")
    gone = delete(RememberedDevice).where(RememberedDevice.user_id == user.id).returning(RememberedDevice.id)
    count = len(work.session.scalars(gone).all())
    log.info("devices_forgotten", user_id=user.id, count=count, actor_id=actor.user_id)
    return count


def delete_expired_devices(work: UnitOfWork) -> int:
    """Forget devices whose thirty days are over, and say how many there were; for the schedule."""
    gone = delete(RememberedDevice).where(RememberedDevice.expires_at <= work.now()).returning(RememberedDevice.id)
    return len(work.session.scalars(gone).all())


def _hash_key(key: str) -> str:
    return hashlib.sha256(key.encode(errors="replace")).hexdigest()
