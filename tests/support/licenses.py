"""Licences for tests, signed in process by a vendor of the tests' own; ``context`` accepts them.

install(context, make_license(features=["sso.saml"], max_user=10))
"""

from __future__ import annotations

import base64
import json
import uuid
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hub.base.context import Context
from hub.db.uow import unit_of_work
from hub.licensing.armour import Kind, wrap
from hub.licensing.keys import RSA, PublicKey
from hub.licensing.models import StoredLicense
from hub.licensing.service import LICENSING, Imported, import_license
from hub.licensing.sign import public_key_of, sign
from hub.licensing.trust import Keyring, digest_key

KID, OLDER_KID = "test-vendor", "test-vendor-older"
SIGNING_KEY = Ed25519PrivateKey.generate()
# Half the size of a real one: made in a moment at the start of every run, and nobody attacks it.
OLDER_SIGNING_KEY = rsa.generate_private_key(public_exponent=65537, key_size=1024)

# The moment at which the fixture ``clock`` stands still.
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def _older_public_key() -> PublicKey:
    content = OLDER_SIGNING_KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return PublicKey(RSA, base64.b64encode(content).decode())


def make_keyring(**keys: PublicKey) -> Keyring:
    """A keyring that allows these keys."""
    return Keyring(keys, {kid: digest_key(key) for kid, key in keys.items()})


KEYRING = make_keyring(**{KID: public_key_of(SIGNING_KEY), OLDER_KID: _older_public_key()})


def make_payload(**members: Any) -> dict[str, Any]:
    """The payload of an enterprise licence for 10 users, good in 2026 and 2027; a member given as ``...`` is left out.

    Times may be given as ``datetime``.
    """
    payload = {
        "id": str(uuid.uuid4()),
        "version": 1,
        "product": "hub",
        "edition": "ee",
        "company": "Acme",
        "email": "it@acme.example",
        "issued_at": "2026-01-01T00:00:00Z",
        "start_time": "2026-01-01T00:00:00Z",
        "expire_time": "2028-01-01T00:00:00Z",
        "max_user": 10,
        "features": ["*"],
    } | members
    return {name: _spell(value) for name, value in payload.items() if value is not ...}


def _spell(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def make_license(**members: Any) -> str:
    """The armoured text of a licence; see ``make_payload``."""
    return sign_payload(make_payload(**members))


def sign_payload(payload: dict[str, Any], *, kind: Kind = Kind.LICENSE, kid: str = KID) -> str:
    """Any payload under the tests' key."""
    return sign(kind, payload, kid=kid, key=SIGNING_KEY)


def make_older_license(*, scheme: str = "pss", **members: Any) -> str:
    """The text of a licence in the older armour. scheme: "pss" or "pkcs1"."""
    payload = {
        "key": "K-1",
        "company": "Acme",
        "email": "it@acme.example",
        "product": "hub",
        "edition": "ee",
        "max_user": 10,
        "start_time": "2026-01-01T00:00:00+08:00",
        "expire_time": "2028-01-01T00:00:00.123456789+08:00",
        "extra": "",
        "version": "v1.0",
    } | members
    data = json.dumps({name: value for name, value in payload.items() if value is not ...}).encode()
    pad = padding.PSS(padding.MGF1(SHA256()), 32) if scheme == "pss" else padding.PKCS1v15()
    return wrap(Kind.OLDER_LICENSE, data + OLDER_SIGNING_KEY.sign(data, pad, SHA256()))


def make_revocations(*ids: str, issued_at: datetime = NOW, reason: str = "lost") -> str:
    """The armoured text of a revocation list."""
    moment = issued_at.isoformat()
    revoked = [{"id": id, "reason": reason, "revoked_at": moment} for id in ids]
    return sign_payload({"version": 1, "issued_at": moment, "revoked": revoked}, kind=Kind.REVOCATIONS)


def install(context: Context, text: str) -> Imported:
    """Import a text as the command line does."""
    with unit_of_work(context) as work:
        return import_license(work, text, actor_id=None)


def plant(context: Context, text: str) -> None:
    """Put a text into the database as the licence in force, past every check: what one who edits rows can do."""
    with unit_of_work(context) as work:
        columns = {"license_id": "", "company": "Acme", "product": "hub", "edition": "ee", "max_user": 10_000}
        times = dict.fromkeys(("issued_at", "start_time", "created_at", "updated_at"), work.now())
        work.session.add(StoredLicense(text=text, **columns, **times))
    context[LICENSING].refresh()
