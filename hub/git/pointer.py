"""LFS pointer files: read and written.

Source: git-lfs, docs/spec.md, section "The Pointer". The reader takes exactly what the git-lfs client takes for a
pointer (``git lfs pointer --check``), also when it is not in canonical form: what the client would download for a
user, the hub must have checked and shown as LFS content.
"""

from __future__ import annotations

import re

from hub.base.errors import Invalid
from hub.git.types import LFSPointer

MAX_POINTER_SIZE_BYTES = 1024
MAX_CONTENT_SIZE_BYTES = 2**63 - 1

_VERSION = b"https://git-lfs.github.com/spec/v1"
# Names that the specification had before its first release; the client still reads them.
_VERSIONS = (_VERSION, b"http://git-media.io/v/2", b"https://hawser.github.com/spec/v1")
_OID = re.compile(rb"sha256:([0-9a-f]{64})\Z")
_SIZE = re.compile(rb"[+-]?[0-9]{1,40}\Z")
_EXTENSION_KEY = re.compile(rb"ext-[0-9]-[A-Za-z0-9_]")
_EXTENSION_VALUE = re.compile(rb"sha256:[0-9a-f]{64}\Z")
_WORDS = (b"git-lfs", b"hawser", b"git-media")  # every version holds one of them
_KEYS = (b"version", b"oid", b"size")
_SPACE = b"\t\n\v\f\r "


def parse_pointer(data: bytes) -> LFSPointer | None:
    """The pointer that this file content is, or None when it is ordinary content. Never raises."""
    if len(data) > MAX_POINTER_SIZE_BYTES or not any(word in data for word in _WORDS):
        return None
    values: list[bytes] = []
    extensions: dict[bytes, bytes] = {}  # priority -> key
    for line in data.strip(_SPACE).split(b"\n"):
        line = line.removesuffix(b"\r")
        if not line:
            continue
        key, space, value = line.partition(b" ")
        if not space or len(values) == len(_KEYS):
            return None
        if key == _KEYS[len(values)]:
            values.append(value)
            continue
        if not _EXTENSION_KEY.match(key) or not _EXTENSION_VALUE.match(value):
            return None
        if extensions.setdefault(key[4:5], key) != key:
            return None
    if len(values) != len(_KEYS) or values[0] not in _VERSIONS:
        return None
    oid = _OID.match(values[1])
    if not oid or not _SIZE.match(values[2]) or not 0 <= int(values[2]) <= MAX_CONTENT_SIZE_BYTES:
        return None
    return LFSPointer(oid[1].decode(), int(values[2]), len(data))


def format_pointer(oid: str, size_bytes: int) -> bytes:
    """The canonical pointer file of a content. Raises Invalid (code ``pointer_invalid``)."""
    if not _OID.match(b"sha256:" + oid.encode(errors="replace")) or not 0 <= size_bytes <= MAX_CONTENT_SIZE_BYTES:
        raise Invalid("An LFS pointer needs a SHA-256 and a size that is not negative.", code="pointer_invalid")
    return b"version %s\noid sha256:%s\nsize %d\n" % (_VERSION, oid.encode(), size_bytes)
