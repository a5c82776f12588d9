"""Passwords: the rules for choosing one, and argon2id hashes made and checked off the event loop."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import NewType

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import Type

from hub.base.context import Context, Key
from hub.base.errors import Invalid
from hub.base.names import fold_name
from hub.base.offload import offload

MIN_PASSWORD_LENGTH = 8
MAX_PASSWORD_LENGTH = 256
MAX_PASSWORD_BYTES = 1024  # 256 characters of four bytes each

# Each hash takes 64 MiB while it is worked out; more at once would only make each of them slower.
MAX_PARALLEL_HASHES = 4

# A git client sends the password with each of its requests; within this time it is not worked out again.
REMEMBER_S = 60.0
REMEMBER_ENTRIES = 1000

# What is stored of a password, so that no clear one is stored by mistake. Made by ``hash_password``.
PasswordHash = NewType("PasswordHash", str)


@dataclass(frozen=True)
class HashCost:
    """What one argon2id hash costs. The defaults are RFC 9106's second recommended option, section 4."""

    passes: int = 3
    memory_kib: int = 65_536
    lanes: int = 4


class Passwords:
    """Makes and checks password hashes at one cost.

    A check that succeeded is remembered for a minute, keyed by the stored hash, so a changed password is forgotten
    at once. What is remembered is a keyed digest, not the password.
    """

    def __init__(self, cost: HashCost | None = None) -> None:
        cost = cost or HashCost()
        self._hasher = PasswordHasher(cost.passes, cost.memory_kib, cost.lanes, type=Type.ID)
        self._slots = threading.BoundedSemaphore(MAX_PARALLEL_HASHES)
        self._digest_key = secrets.token_bytes(32)
        self._remembered: OrderedDict[bytes, float] = OrderedDict()
        self._decoy = self._make_decoy(cost)

    @staticmethod
    def _make_decoy(cost: HashCost) -> PasswordHash:
        # Well formed, and of no known password: working it out takes as long as a real one.
        salt, digest = (base64.b64encode(secrets.token_bytes(n)).decode().rstrip("=") for n in (16, 32))
        return PasswordHash(f"$argon2id$v=19$m={cost.memory_kib},t={cost.passes},p={cost.lanes}${salt}${digest}")

    def hash(self, password: str) -> PasswordHash:
        """The hash to store. Takes tens of milliseconds: call it outside units of work."""
        with self._slots:
            return PasswordHash(offload(self._hasher.hash, password))

    def verify(self, stored: str | None, password: str) -> bool:
        """Whether the password is the one that was stored.

        stored: None when there is no such account or it has no password; that takes as long as a wrong password.
        """
        if not _is_hashable(password):
            password, stored = "", None
        with self._slots:
            is_right = offload(self._matches, stored or self._decoy, password)
        if is_right and stored:
            self._remembered[self._digest(stored, password)] = time.monotonic()
            while len(self._remembered) > REMEMBER_ENTRIES:
                self._remembered.popitem(last=False)
        return is_right

    def is_remembered(self, stored: str, password: str) -> bool:
        """Whether ``verify`` said yes to this very pair within the last minute. Takes no time."""
        moment = self._remembered.get(self._digest(stored, password))
        return moment is not None and time.monotonic() - moment < REMEMBER_S

    def _digest(self, stored: str, password: str) -> bytes:
        text = f"{stored}\0{password}".encode(errors="replace")
        return hmac.new(self._digest_key, text, hashlib.sha256).digest()

    def _matches(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False

    def needs_rehash(self, stored: str) -> bool:
        """Whether the hash was made at another cost than today's."""
        return self._hasher.check_needs_rehash(stored)


def _is_hashable(password: str) -> bool:
    try:
        return len(password.encode()) <= MAX_PASSWORD_BYTES
    except UnicodeEncodeError:
        return False


PASSWORDS: Key[Passwords] = Key("accounts.passwords")


def validate_password(password: str, *, name: str = "", email: str = "") -> str:
    """The password itself when it may be chosen: 8 to 256 characters, and neither the account's name nor address.

    Raises Invalid (code ``password_invalid``).
    """
    if not MIN_PASSWORD_LENGTH <= len(password) <= MAX_PASSWORD_LENGTH:
        raise Invalid(
            f"A password has {MIN_PASSWORD_LENGTH} to {MAX_PASSWORD_LENGTH} characters.", code="password_invalid"
        )
    if not _is_hashable(password):
        raise Invalid("The password is not valid Unicode.", code="password_invalid")
    if fold_name(password) in (fold_name(name), email.lower()):
        raise Invalid("The password must not be the account's name or e-mail address.", code="password_invalid")
    return password


def hash_password(context: Context, password: str, *, name: str = "", email: str = "") -> PasswordHash:
    """The hash of a newly chosen password, for ``create_user`` and ``set_password``.

    Call it before the unit of work begins: it takes tens of milliseconds. Raises Invalid (``password_invalid``).
    """
    return context[PASSWORDS].hash(validate_password(password, name=name, email=email))
