"""The text in which licences travel: armour around base64, and the container inside.

Source: gateways contract, section 5.3. What is read here is decided by nobody yet: ``verify.py`` judges signatures.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from enum import Enum
from typing import Any, NoReturn

from hub.base.errors import Invalid

# A licence has some 2 KiB; a revocation list of a hundred entries has 15.
MAX_TEXT_BYTES = 64 * 1024
_COLUMNS = 64


class Kind(Enum):
    """What an armoured block is. label: in its first and last line. prefix: what is signed before the payload."""

    LICENSE = ("HUB LICENSE", b"hub-license-v1\n")
    REVOCATIONS = ("HUB LICENSE REVOCATIONS", b"hub-revocations-v1\n")
    REQUEST = ("HUB LICENSE REQUEST", b"hub-license-request-v1\n")
    OLDER_LICENSE = ("LICENSE KEY", b"")

    @property
    def label(self) -> str:
        return self.value[0]

    @property
    def prefix(self) -> bytes:
        return self.value[1]


@dataclass(frozen=True)
class Block:
    """One armoured block: its kind and the bytes that its base64 stands for."""

    kind: Kind
    content: bytes


@dataclass(frozen=True)
class Container:
    """What a block of ours holds: a payload and its signature, nothing of it checked."""

    algorithm: str
    kid: str
    payload: bytes
    signature: bytes


_KINDS = {kind.label: kind for kind in Kind}
_BEGIN = re.compile(rf"-----BEGIN ({'|'.join(_KINDS)})-----")


def refuse_malformed(what: str = "The text is damaged") -> NoReturn:
    """Raise Invalid (``license_malformed``) with what is wrong and what to do."""
    raise Invalid(f"{what}. Use the file exactly as the vendor sent it, or ask for it again.", code="license_malformed")


def _refuse_truncated() -> NoReturn:
    raise Invalid(
        "The file is cut off: its end is missing. Copy it whole, or ask the vendor for it again.",
        code="license_truncated",
    )


def find_block(text: str) -> Block:
    """The one block in a text. Line ends of any kind, blanks, and other text around the block do no harm.

    Raises Invalid: ``license_too_large``, ``license_malformed``, ``license_truncated``, ``license_two``.
    """
    if len(text) > MAX_TEXT_BYTES:
        raise Invalid("A licence file has 64 KiB at most; this is another file.", code="license_too_large")
    begins = list(_BEGIN.finditer(text))
    if not begins:
        refuse_malformed("There is no licence in this text: the line -----BEGIN HUB LICENSE----- is missing")
    if len(begins) > 1:
        raise Invalid("The file holds two licences; import them one by one.", code="license_two")
    kind = _KINDS[begins[0][1]]
    body, end, _ = text[begins[0].end() :].partition(f"-----END {kind.label}-----")
    if not end:
        _refuse_truncated()
    return Block(kind, _decode(body))


def _decode(body: str) -> bytes:
    packed = re.sub(r"[ \t\r\n]", "", body)
    if not re.fullmatch(r"[A-Za-z0-9+/]*={0,2}", packed):
        refuse_malformed()
    if not packed or len(packed) % 4:
        _refuse_truncated()
    content = base64.b64decode(packed)
    # Bits that base64 leaves unused must be zero, so that no two texts stand for one licence.
    if base64.b64encode(content).decode() != packed:
        refuse_malformed()
    return content


def wrap(kind: Kind, content: bytes) -> str:
    """The armoured text of a content, 64 columns wide."""
    packed = base64.b64encode(content).decode()
    lines = [packed[start : start + _COLUMNS] for start in range(0, len(packed), _COLUMNS)]
    return "\n".join([f"-----BEGIN {kind.label}-----", *lines, f"-----END {kind.label}-----", ""])


def open_container(content: bytes) -> Container:
    """The container in a block's content. Raises Invalid (``license_malformed``, ``license_truncated``)."""
    if not content.endswith(b"}"):
        _refuse_truncated()
    members = parse_json(content)
    if set(members) != {"alg", "kid", "payload", "sig"} or not all(isinstance(m, str) for m in members.values()):
        refuse_malformed()
    if dump_canonical(members) != content:
        refuse_malformed()
    return Container(
        members["alg"], members["kid"], _from_base64url(members["payload"]), _from_base64url(members["sig"])
    )


def close_container(container: Container) -> bytes:
    """The canonical JSON of a container."""
    return dump_canonical(
        {
            "alg": container.algorithm,
            "kid": container.kid,
            "payload": _to_base64url(container.payload),
            "sig": _to_base64url(container.signature),
        }
    )


def dump_canonical(value: dict[str, Any]) -> bytes:
    """JSON with sorted keys and no blanks, in UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode(errors="replace")


def parse_json(data: bytes) -> dict[str, Any]:
    """A JSON object in which no key comes twice. Raises Invalid (``license_malformed``)."""
    try:
        value = json.loads(data.decode(), object_pairs_hook=_refuse_twice, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        refuse_malformed()
    if not isinstance(value, dict):
        refuse_malformed()
    return value


def _refuse_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Readers differ in which of two wins: what one shows and what another believes must not.
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("a key comes twice")
    return dict(pairs)


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")


def _to_base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _from_base64url(text: str) -> bytes:
    if not re.fullmatch(r"[A-Za-z0-9_-]+", text):
        refuse_malformed()
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        refuse_malformed()
    if _to_base64url(data) != text:
        refuse_malformed()
    return data
