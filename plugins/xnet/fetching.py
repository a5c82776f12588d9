"""Addresses by which anyone may fetch certain bytes of one xorb for a while, and nothing else of it.

A xorb may hold chunks of files that the bearer may not read: so the bytes are signed, too.
Source: Xet contract, section 7.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import urlencode

from hub.plugin import Context
from hub.plugin.errors import Denied, RangeNotSatisfiable
from hub.plugin.objects import get_store
from hub.plugin.signing import Signer, create_signer
from plugins.xnet.formats.hashes import hash_to_text
from plugins.xnet.reconstruction import Piece
from plugins.xnet.storage import xorb_key

# The life of an address lies between one and two of these: large files are fetched slowly.
_LIFE_S = 4 * 3600
# Ranges of one xorb that one address allows: they are part of it.
_PIECES_AT_ONCE = 16
# More than any address allows; what a client may ask for at once.
MAX_RANGES = 64
_MAX_TEXT_CHARS = 2048
_RANGE = re.compile(r"(\d{1,10})-(\d{1,10})", re.ASCII)
_EXPIRY = re.compile(r"\d{1,12}\Z", re.ASCII)

# First and last byte, both inclusive.
Span = tuple[int, int]


@dataclass(frozen=True)
class AddressMaker:
    """Makes the addresses of one answer. base_url: the hub as the client reached it."""

    context: Context
    base_url: str

    @property
    def pieces_at_once(self) -> int:
        """How many pieces of a xorb one address may allow: an object store signs for one range at a time."""
        return 1 if get_store(self.context).is_direct else _PIECES_AT_ONCE

    def __call__(self, xorb: bytes, pieces: Sequence[Piece]) -> str:
        """The address that allows these pieces of a xorb, and nothing else of it."""
        # Rounded, so that an answer that is asked for twice is mostly the same, and caches between can help.
        now = int(self.context.clock.now().timestamp())
        expires_at_s = (now // _LIFE_S + 2) * _LIFE_S
        store = get_store(self.context)
        if store.is_direct:
            [piece] = pieces
            url = store.presign_range(xorb_key(xorb), piece.first, piece.last, expires_s=expires_at_s - now)
            if url is not None:
                return url
        text = ",".join(f"{piece.first}-{piece.last}" for piece in pieces)
        name = hash_to_text(xorb)
        signature = _signer(self.context).sign(_signed_text(name, text, str(expires_at_s)))
        query = urlencode({"bytes": text, "expires": expires_at_s, "signature": signature}, safe=",")
        return f"{self.base_url}/xet/v1/fetch/{name}?{query}"


def read_address(context: Context, name: str, query: Mapping[str, str]) -> list[Span]:
    """The bytes of a xorb that an address allows. Raises Denied: ``url_invalid``, ``url_expired``.

    Clients take that for "ask for the reconstruction again".
    """
    text, expires = query.get("bytes", ""), query.get("expires", "")
    if len(text) > _MAX_TEXT_CHARS or not _EXPIRY.match(expires):
        raise _edited()
    if not _signer(context).verify(_signed_text(name, text, expires), query.get("signature", "")):
        raise _edited()
    if int(expires) <= context.clock.now().timestamp():
        raise Denied("This address has expired; ask for the reconstruction again.", code="url_expired")
    return _parse_spans(text)


def asked_spans(header: str, allowed: Sequence[Span], size_bytes: int) -> list[Span]:
    """What a ``Range`` header asks for, in its order; without one, what the address allows.

    Raises Denied when that is more than is allowed; RangeNotSatisfiable for a header that cannot be read, and for
    one that asks for a byte twice, or an address would be good for many times its bytes (RFC 9110, section 14.2).
    """
    unit, equals, text = header.replace(" ", "").partition("=")
    asked = list(allowed) if not header else _parse_spans(text) if unit == "bytes" and equals else []
    if not 0 < len(asked) <= MAX_RANGES or any(last < first for first, last in asked):
        raise RangeNotSatisfiable("Ask for ranges of bytes with both ends.", size_bytes=size_bytes)
    for first, last in asked:
        if not any(lower <= first and last <= upper for lower, upper in allowed):
            raise Denied("This address does not allow these bytes.", code="url_range")
    if any(following[0] <= before[1] for before, following in pairwise(sorted(asked))):
        raise RangeNotSatisfiable("Ask for each byte once.", size_bytes=size_bytes)
    return asked


def _parse_spans(text: str) -> list[Span]:
    """The ranges of a list; none when it is malformed."""
    found = [_RANGE.fullmatch(part) for part in text.split(",", MAX_RANGES + 1)]
    spans = [(int(match[1]), int(match[2])) for match in found if match]
    return spans if len(spans) == len(found) else []


def _signed_text(name: str, spans: str, expires: str) -> str:
    return f"{name}\n{spans}\n{expires}"


def _signer(context: Context) -> Signer:
    return create_signer(context, "xnet-fetch")


def _edited() -> Denied:
    return Denied("This address is not one of this hub's, or was changed.", code="url_invalid")
