"""From an armoured text to what it says, when one of the vendor's keys has signed it.

``cryptography`` is imported where it is used: a hub without a licence must not pay for it.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, NoReturn

from hub.base.errors import Invalid
from hub.licensing import payload
from hub.licensing.armour import Block, Kind, find_block, open_container
from hub.licensing.keys import ED25519, RSA, PublicKey
from hub.licensing.payload import License, RevocationList
from hub.licensing.trust import Keyring

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

# A hub has few licences in its life; the newest are asked for every few seconds.
_REMEMBERED = 128


class Verifier:
    """Reads signed texts with one keyring. What was good is remembered by the text itself, never by its source."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self._license: Callable[[str], License] = lru_cache(_REMEMBERED)(self._read_license)
        self._revocations: Callable[[str], RevocationList] = lru_cache(_REMEMBERED)(self._read_revocations)

    def read_license(self, text: str) -> License:
        """The licence that a text holds.

        Raises Invalid with a code of its own for each fault: ``license_malformed``, ``license_truncated``,
        ``license_too_large``, ``license_two``, ``license_kind``, ``license_key_unknown``, ``license_algorithm``,
        ``license_signature``, ``license_version``, ``license_product``, ``license_edition``.
        """
        return self._license(text)

    def read_revocations(self, text: str) -> RevocationList:
        """The revocation list that a text holds. Raises as ``read_license``."""
        return self._revocations(text)

    def _read_license(self, text: str) -> License:
        block = find_block(text)
        if block.kind is Kind.OLDER_LICENSE:
            data, kid = self._open_older(block)
            return payload.read_older_payload(data, kid=kid)
        data, kid = self._open(block, Kind.LICENSE)
        return payload.read_payload(data, kid=kid)

    def _read_revocations(self, text: str) -> RevocationList:
        data, _ = self._open(find_block(text), Kind.REVOCATIONS)
        return payload.read_revocations(data)

    def _open(self, block: Block, kind: Kind) -> tuple[bytes, str]:
        if block.kind is not kind:
            raise Invalid(f"This is a {block.kind.label.lower()}, not a {kind.label.lower()}.", code="license_kind")
        container = open_container(block.content)
        key = self._keyring.find(container.kid)
        if key is None:
            _refuse_key(container.kid)
        # The key says how it is used; what the file says must agree, and decides nothing.
        if container.algorithm != ED25519 or key.algorithm != ED25519:
            raise Invalid("The file is signed in a way that this hub does not accept.", code="license_algorithm")
        if not is_signed(key, kind.prefix + container.payload, container.signature):
            _refuse_signature()
        return container.payload, container.kid

    def _open_older(self, block: Block) -> tuple[bytes, str]:
        """The older armour names no key: each RSA key of the keyring is tried, and its size says where to cut."""
        keys = self._keyring.list_of(RSA)
        if not keys:
            _refuse_key("RSA")
        for kid, key in keys:
            public_key = _load_rsa(key)
            size_bytes = public_key.key_size // 8
            data, signature = block.content[:-size_bytes], block.content[-size_bytes:]
            if data and _is_signed_by_rsa(public_key, data, signature):
                return data, kid
        _refuse_signature()


def _refuse_key(kid: str) -> NoReturn:
    raise Invalid(
        f"This hub does not know the key {kid[:64]!r} that signed the file. Upgrade the hub, or ask the vendor.",
        code="license_key_unknown",
    )


def _refuse_signature() -> NoReturn:
    raise Invalid(
        "The signature does not fit: the file was changed or damaged. Use it exactly as the vendor sent it.",
        code="license_signature",
    )


def is_signed(key: PublicKey, message: bytes, signature: bytes) -> bool:
    """Whether an Ed25519 key has signed the message."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        public_key = load_der_public_key(base64.b64decode(key.content))
        assert isinstance(public_key, Ed25519PublicKey)
        public_key.verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _load_rsa(key: PublicKey) -> RSAPublicKey:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    public_key = load_der_public_key(base64.b64decode(key.content))
    assert isinstance(public_key, RSAPublicKey)
    return public_key


def _is_signed_by_rsa(public_key: RSAPublicKey, data: bytes, signature: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import padding
    from cryptography.hazmat.primitives.hashes import SHA256

    pss = padding.PSS(padding.MGF1(SHA256()), padding.PSS.AUTO)
    for scheme in (pss, padding.PKCS1v15()):
        try:
            public_key.verify(signature, data, scheme, SHA256())
        except InvalidSignature:
            continue
        return True
    return False
