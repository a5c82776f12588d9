"""SSH public keys: judged, kept in one form, tied to one account each."""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_ssh_public_key
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from hub.accounts.models import SSHKey, User
from hub.accounts.policy import Action, Actor, require
from hub.accounts.service import fields
from hub.base.errors import Conflict, Invalid, NotFound
from hub.base.log import get_logger
from hub.base.paging import Page
from hub.db.uow import UnitOfWork

log = get_logger(__name__)

KEY_TYPES = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "ssh-rsa",
)
MIN_RSA_BITS = 2048
MAX_RSA_BITS = 16_384  # what OpenSSH takes
MAX_KEY_TEXT_LENGTH = 8192


class InvalidKey(Invalid):
    """The text is no public key that the hub takes; the message says why."""

    code = "ssh_key_invalid"


@dataclass(frozen=True)
class PublicKey:
    """A public key in its one form. text: "type base64". fingerprint: "SHA256:..." as ``ssh-keygen -l`` prints it."""

    text: str
    fingerprint: str
    comment: str


def parse_public_key(text: str) -> PublicKey:
    """The key of one line of OpenSSH's ``authorized_keys`` format without options.

    Ed25519, ECDSA, their hardware-bound (sk-) forms, and RSA of 2,048 bits or more. Raises InvalidKey.
    """
    text = text.strip()
    if len(text) > MAX_KEY_TEXT_LENGTH or "\n" in text or "\r" in text:
        raise InvalidKey("Send one public key, on one line.")
    if "PRIVATE KEY" in text:
        raise InvalidKey("This is a private key. Keep it secret, and send the public one (the file ending in .pub).")
    kind, _, rest = text.partition(" ")
    encoded, _, comment = rest.strip().partition(" ")
    if kind == "ssh-dss":
        raise InvalidKey("DSA keys are too weak; make a new one with `ssh-keygen -t ed25519`.")
    if kind not in KEY_TYPES:
        raise InvalidKey("This is no OpenSSH public key; it begins with a type such as ssh-ed25519 or ssh-rsa.")
    try:
        blob = base64.b64decode(encoded, validate=True)
        if blob[4 : 4 + int.from_bytes(blob[:4], "big")].decode("ascii") != kind:
            raise InvalidKey("The key's type and its content differ.")
        key = load_ssh_public_key(f"{kind} {encoded}".encode())
    except (ValueError, binascii.Error, UnsupportedAlgorithm):
        raise InvalidKey("The public key is damaged; copy the whole line again.") from None
    if isinstance(key, RSAPublicKey) and not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
        raise InvalidKey(f"RSA keys must have {MIN_RSA_BITS} to {MAX_RSA_BITS} bits; this one has {key.key_size}.")
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    return PublicKey(f"{kind} {base64.b64encode(blob).decode()}", f"SHA256:{digest}", comment.strip())


def add_ssh_key(work: UnitOfWork, *, actor: Actor, user: User, name: str, public_key: str) -> SSHKey:
    """Let the holder of the key act as the user over SSH.

    name: "" takes the key's comment. Raises Invalid, NotSignedIn, Denied; Conflict (``ssh_key_exists``) when the key
    or its name is in use, be it by another account.
    """
    require(work, actor, Action.ACCOUNT_CREDENTIALS, user, what="user")
    parsed = parse_public_key(public_key)
    name = fields.validate_label(name or parsed.comment or parsed.fingerprint[7:23], what="key name")
    key = SSHKey(
        user_id=user.id,
        user=user,
        name=name,
        public_key=parsed.text,
        fingerprint_sha256=parsed.fingerprint,
        created_at=work.now(),
    )
    try:
        with work.session.begin_nested():
            work.session.add(key)
    except IntegrityError:
        is_known = work.session.scalar(select(SSHKey.id).where(SSHKey.fingerprint_sha256 == parsed.fingerprint))
        message = "This key is in use already." if is_known else f"There is already a key named {name!r}."
        raise Conflict(message, code="ssh_key_exists") from None
    log.info("ssh_key_added", key_id=key.id, user_id=user.id, actor_id=actor.user_id)
    return key


def list_ssh_keys(work: UnitOfWork, *, actor: Actor, user: User) -> Page[SSHKey]:
    """All keys of the user, newest first. Raises NotSignedIn, Denied."""
    require(work, actor, Action.ACCOUNT_READ, user, what="user")
    keys = work.session.scalars(select(SSHKey).where(SSHKey.user_id == user.id).order_by(SSHKey.id.desc())).all()
    return Page(keys, len(keys))


def remove_ssh_key(work: UnitOfWork, *, actor: Actor, user: User, name: str) -> None:
    """End the key at once. Raises NotSignedIn, Denied; NotFound (``ssh_key_not_found``)."""
    require(work, actor, Action.ACCOUNT_CREDENTIALS, user, what="user")
    key = work.session.scalar(select(SSHKey).where(SSHKey.user_id == user.id, SSHKey.name == name))
    if key is None:
        raise NotFound(f"There is no SSH key named {name!r}.", code="ssh_key_not_found")
    work.session.delete(key)
    work.session.flush()
    log.info("ssh_key_removed", key_id=key.id, user_id=user.id, actor_id=actor.user_id)
