"""The installation's secret and what is derived from it: signatures and their check."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from hub.base.context import Key
from hub.base.errors import Failed
from hub.base.settings import Settings

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

# The installation's secret, as ``load_secret`` gave it.
SECRET: Key[bytes] = Key("base.secret")


def load_secret(settings: Settings) -> bytes:
    """The installation's secret: from the settings, else from ``secret.key`` in the home, made on first use.

    Two processes that start at once agree: the file is linked into place, and the one that loses reads the other's.
    """
    if settings.secret_key:
        return settings.secret_key.encode()
    path = settings.home / "secret.key"
    if not path.exists():
        settings.home.mkdir(parents=True, exist_ok=True)
        draft = Path(f"{path}.{os.getpid()}.{secrets.token_hex(4)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            stream.write(secrets.token_urlsafe(48))
            stream.flush()
            os.fsync(stream.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_bytes()


# The code by which a new hub is set up; `hub serve` prints it.
SET_UP_PURPOSE = "set-up"
# Neither 0 and O nor 1, I and L: people type it off a screen.
_LETTERS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
_GROUPS, _GROUP = 4, 4  # 79 bits


def spell_code(secret: bytes, purpose: str) -> str:
    """The code of the installation for one purpose, for people to type: ``ABCD-EFGH-JKMN-PQRS``."""
    number = int.from_bytes(hmac.new(secret, f"hub:code:{purpose}".encode(), hashlib.sha256).digest())
    letters = []
    for _ in range(_GROUPS * _GROUP):
        number, at = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[at])
    text = "".join(letters)
    return "-".join(text[start : start + _GROUP] for start in range(0, len(text), _GROUP))


class Sealer:
    """Encrypts texts that must be read again, for one purpose; nothing sealed for another purpose opens."""

    def __init__(self, secret: bytes, purpose: str) -> None:
        self._key = base64.urlsafe_b64encode(hmac.new(secret, f"hub:seal:{purpose}".encode(), hashlib.sha256).digest())

    def seal(self, text: str) -> str:
        """The text encrypted and authenticated, as URL-safe ASCII; each time another one."""
        return self._fernet().encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        """The text. Raises Failed (``seal_broken``): altered, or sealed under another secret."""
        from cryptography.fernet import InvalidToken

        try:
            return self._fernet().decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise Failed(
                "A stored secret cannot be read: this hub's secret key is not the one it was stored under.",
                code="seal_broken",
            ) from None

    def _fernet(self) -> Fernet:
        # Deliberately late: few processes ever seal, and the library takes some megabytes.
        from cryptography.fernet import Fernet

        return Fernet(self._key)


class Signer:
    """Signs short texts for one purpose; a signature made for another purpose never passes."""

    def __init__(self, secret: bytes, purpose: str) -> None:
        self._key = hmac.new(secret, f"hub:{purpose}".encode(), hashlib.sha256).digest()

    def sign(self, text: str) -> str:
        """43 URL-safe characters: HMAC-SHA-256 of the text."""
        digest = hmac.new(self._key, text.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")

    def verify(self, text: str, signature: str) -> bool:
        """Whether the signature is this signer's of this text; compared in constant time."""
        return hmac.compare_digest(self.sign(text).encode(), signature.encode(errors="replace"))
