"""What an installation sends to the vendor to have a licence bound to it: who it is, signed, without any network."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hub import __version__
from hub.base.errors import Invalid
from hub.base.secrets import SECRET
from hub.db.uow import UnitOfWork
from hub.licensing.armour import Kind, find_block, open_container, parse_json, refuse_malformed
from hub.licensing.installation import renew
from hub.licensing.keys import ED25519, PublicKey
from hub.licensing.payload import PRODUCT
from hub.licensing.sign import public_key_of, sign
from hub.licensing.usage import count_usage
from hub.licensing.verify import is_signed

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

VERSION = 1
_KID = "installation"


@dataclass(frozen=True)
class InstallationRequest:
    """A request that is whole. fingerprint: what the licence is to be bound to. counts: such as "users"."""

    fingerprint: str
    product: str
    release: str
    created_at: str
    counts: Mapping[str, Any]


def make_request(work: UnitOfWork) -> str:
    """The armoured request of this installation.

    A hub whose database came from another installation becomes one of its own by this.
    """
    key = _derive_key(work.context[SECRET])
    payload = {
        "version": VERSION,
        "product": PRODUCT,
        "release": __version__,
        "fingerprint": renew(work).fingerprint,
        "counts": count_usage(work),
        "nonce": secrets.token_hex(16),
        "created_at": work.now().isoformat(),
        "public_key": public_key_of(key).content,
    }
    return sign(Kind.REQUEST, payload, kid=_KID, key=key)


def read_request(text: str) -> InstallationRequest:
    """The request in a text, when the key that it names has signed it: it was neither changed nor cut.

    Raises Invalid: ``license_kind``, ``license_signature``, ``license_malformed``, ``license_truncated``.
    """
    block = find_block(text)
    if block.kind is not Kind.REQUEST:
        raise Invalid("This is no request; `hub license request` on the customer's hub makes one.", code="license_kind")
    container = open_container(block.content)
    members = parse_json(container.payload)
    names = ("fingerprint", "product", "release", "created_at", "public_key")
    if container.algorithm != ED25519 or not all(isinstance(members.get(name), str) for name in names):
        refuse_malformed()
    if not isinstance(members.get("counts"), dict):
        refuse_malformed()
    try:
        is_whole = is_signed(
            PublicKey(ED25519, members["public_key"]), Kind.REQUEST.prefix + container.payload, container.signature
        )
    except ValueError:
        refuse_malformed()
    if not is_whole:
        raise Invalid("The request was changed or damaged; ask the customer for it again.", code="license_signature")
    return InstallationRequest(
        members["fingerprint"], members["product"], members["release"], members["created_at"], members["counts"]
    )


def _derive_key(secret: bytes) -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(hmac.new(secret, b"hub:licensing.request", hashlib.sha256).digest())
