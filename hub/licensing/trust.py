"""Which of the compiled keys may speak for the vendor: the second list, held apart from the keys themselves."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from hub.licensing.keys import KEYS, PublicKey

# Key id -> SHA-256 of the key's base64 text.
ALLOWED = {
    "hub-evaluation-2026": "b34c371f2f34d4047a153ed293cd16a6a7a486101e63c93544667e598093e16d",
}


def digest_key(key: PublicKey) -> str:
    """What the list of allowed keys holds of a key: SHA-256 of its base64 text, 64 hexadecimal digits."""
    return hashlib.sha256(key.content.encode()).hexdigest()


@dataclass(frozen=True)
class Keyring:
    """Keys by id, and the digests that allow them."""

    keys: Mapping[str, PublicKey]
    allowed: Mapping[str, str]

    def find(self, kid: str) -> PublicKey | None:
        """The key of that id when both lists agree on it, else None."""
        key = self.keys.get(kid)
        return key if key is not None and self.allowed.get(kid) == digest_key(key) else None

    def list_of(self, algorithm: str) -> list[tuple[str, PublicKey]]:
        """The allowed keys of one algorithm with their ids."""
        found = [(kid, self.find(kid)) for kid in self.keys]
        return [(kid, key) for kid, key in found if key is not None and key.algorithm == algorithm]


VENDOR_KEYS = Keyring(KEYS, ALLOWED)
