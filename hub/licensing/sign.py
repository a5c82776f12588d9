"""Signing: what the vendor's command does with a private key that the hub never has."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hub.licensing.armour import Container, Kind, close_container, dump_canonical, wrap
from hub.licensing.keys import ED25519, PublicKey

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def sign(kind: Kind, payload: Mapping[str, Any], *, kid: str, key: Ed25519PrivateKey) -> str:
    """The armoured text of a payload signed by a key."""
    data = dump_canonical(dict(payload))
    return wrap(kind, close_container(Container(ED25519, kid, data, key.sign(kind.prefix + data))))


def public_key_of(key: Ed25519PrivateKey) -> PublicKey:
    """The public half as ``keys.py`` holds it."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    content = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return PublicKey(ED25519, base64.b64encode(content).decode())
