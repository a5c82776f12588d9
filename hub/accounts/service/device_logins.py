"""A program that has no browser is given a token: it shows a code, and its user agrees to it on a page of the hub.

Nothing is stored before somebody agrees. A code carries letters by which a mistyped or an old one is known, and the
token that it leads to is derived from it under the installation's secret; the program proves with its device code,
which is signed, that the code was given to it. Source: RFC 8628; Hugging Face contract, section 3.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass

from sqlalchemy import select

from hub.accounts.attempts import ATTEMPTS, count_attempt
from hub.accounts.models import AccessToken, User
from hub.accounts.service.tokens import find_token, hash_token
from hub.base.context import Context
from hub.base.errors import Conflict, Invalid
from hub.base.secrets import SECRET, Signer
from hub.db.uow import UnitOfWork

# How long a code is good for at least; twice as long at most.
LIFE_S = 900
# How often a program may ask whether its user has agreed.
INTERVAL_S = 3
# No vowels, so that no word comes out, and nothing that looks like a digit. Source: RFC 8628, section 6.1.
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
_GROUP = 4
# 34 bits of chance, so that nobody is given the code of another one, and 17 by which it is known.
_CHANCE, _CHECK = 8, 4
_CODE = re.compile(rf"[{_LETTERS}]{{{_CHANCE + _CHECK}}}\Z")


@dataclass(frozen=True)
class DeviceLogin:
    """What a program is given: device_code is its own secret, user_code is what it shows."""

    device_code: str
    user_code: str


def begin(context: Context) -> DeviceLogin:
    """A new code. Whoever asks may have one: it is good for nothing before somebody agrees to it."""
    chance = "".join(secrets.choice(_LETTERS) for _ in range(_CHANCE))
    code = chance + _check_letters(context, chance, _window(context))
    text = f"{code}.{int(context.clock.now().timestamp()) + LIFE_S}"
    return DeviceLogin(f"{text}.{_signer(context, 'device-code').sign(text)}", spell(code))


def spell(code: str) -> str:
    """A code as people read it: ``BCDF-GHJK-LMNP``."""
    return "-".join(code[start : start + _GROUP] for start in range(0, len(code), _GROUP))


def parse(context: Context, typed: str) -> str:
    """The code that somebody typed, in its plain form. Raises Invalid (``device_code_invalid``): mistyped, or old."""
    code = re.sub(r"[\s-]", "", typed.upper())
    window = _window(context)
    if _CODE.match(code):
        chance, check = code[:_CHANCE], code[_CHANCE:]
        for each in (window, window - 1):
            if secrets.compare_digest(_check_letters(context, chance, each), check):
                return code
    raise Invalid(
        "This is not the code that the program shows, or it has ended; start the sign-in there again.",
        code="device_code_invalid",
        member="user_code",
    )


def value_to_give(work: UnitOfWork, *, user: User, typed: str) -> str:
    """The value of the token that is to be made for whoever shows this code, once its user has agreed.

    Raises Invalid (``device_code_invalid``), RateLimited; Conflict (``device_code_used``).
    """
    count_attempt(work.context[ATTEMPTS], f" device code told by {user.id}", "")
    value = _value_of(work.context, parse(work.context, typed))
    is_used = select(AccessToken.id).where(AccessToken.token_hash == hash_token(value))
    if work.session.scalar(is_used) is not None:
        raise Conflict("The program with this code has been given its token.", code="device_code_used")
    return value


def find_given(work: UnitOfWork, device_code: str) -> tuple[AccessToken, str] | None:
    """The token that a program was given, and its value; None: nobody has agreed yet.

    Raises Invalid: ``invalid_grant``: this is no device code of this hub's; ``expired_token``.
    """
    text, _, signature = device_code.rpartition(".")
    if not _signer(work.context, "device-code").verify(text, signature):
        raise Invalid("This hub has not given out such a device code.", code="invalid_grant")
    code, _, expires_at_s = text.partition(".")
    if work.now().timestamp() >= int(expires_at_s):
        raise Invalid("The code has ended; begin again.", code="expired_token")
    value = _value_of(work.context, code)
    token = find_token(work, value)
    return (token, value) if token is not None else None


def _window(context: Context) -> int:
    return int(context.clock.now().timestamp()) // LIFE_S


def _check_letters(context: Context, chance: str, window: int) -> str:
    signed = _signer(context, "device-check").sign(f"{chance}\n{window}")
    number, letters = int.from_bytes(hashlib.sha256(signed.encode()).digest()), ""
    for _ in range(_CHECK):
        number, at = divmod(number, len(_LETTERS))
        letters += _LETTERS[at]
    return letters


def _value_of(context: Context, code: str) -> str:
    """In the form of every token: 32 hexadecimal digits."""
    return hashlib.sha256(_signer(context, "device-token").sign(code).encode()).hexdigest()[:32]


def _signer(context: Context, purpose: str) -> Signer:
    return Signer(context[SECRET], purpose)
