"""What a PyTorch archive lists: the members of its central directory. Nothing is unpacked, nothing unpickled.

Source: PKWARE's APPNOTE, sections 4.3.12 to 4.3.16.
"""

from __future__ import annotations

import struct

from hub.assets.heads.source import Source
from hub.assets.heads.types import MAX_NAME_CHARS, MAX_TENSORS, Head, HeadError, Tensor, shown_text

MAX_DIRECTORY_BYTES = 32 * 1024 * 1024
_END = b"PK\x05\x06"
_END_BYTES = 22
_END64_BYTES = 56
_LOCATOR_BYTES = 20
_ENTRY_BYTES = 46
_MOST = 0xFFFFFFFF
_ENCRYPTED = 1
_HARMLESS_BYTES = 10 * 1024 * 1024


def is_zip(start: bytes) -> bool:
    """Whether a file that begins so may be a zip archive."""
    return start[:4] in (b"PK\x03\x04", _END)


def read_zip(source: Source) -> Head:
    """The members that the archive lists, with their sizes when unpacked. Raises HeadError."""
    start, length, count = _find_directory(source)
    if length > MAX_DIRECTORY_BYTES or count > MAX_TENSORS:
        raise HeadError(f"The archive lists {count:,} members in {length:,} bytes; so long a list is not read.")
    data = source.read(start, length)
    head = Head("zip")
    at = packed = unpacked = 0
    while at + _ENTRY_BYTES <= len(data) and data[at : at + 4] == b"PK\x01\x02":
        flags, method = struct.unpack_from("<HH", data, at + 8)
        small, large, name_length, extra_length, comment_length = struct.unpack_from("<IIHHH", data, at + 20)
        extra_at = at + _ENTRY_BYTES + name_length
        name, extra = data[at + _ENTRY_BYTES : extra_at], data[extra_at : extra_at + extra_length]
        if _MOST in (small, large):
            small, large = _long_sizes(extra, small, large)
        if len(head.tensors) >= MAX_TENSORS:
            raise HeadError(f"The archive lists more than {MAX_TENSORS:,} members.")
        head.tensors.append(Tensor(shown_text(name.decode("utf-8", "replace"), MAX_NAME_CHARS), "", (), large))
        packed, unpacked = packed + small, unpacked + large
        if flags & _ENCRYPTED:
            head.note = "Some members are encrypted."
        if method not in (0, 8):
            head.note = "Some members are packed in a way that PyTorch does not use."
        at += _ENTRY_BYTES + name_length + extra_length + comment_length
    if len(head.tensors) != count and count != 0xFFFF:
        head.note = f"The archive says that it has {count:,} members, and lists {len(head.tensors):,}."
    if unpacked > max(100 * packed, _HARMLESS_BYTES):
        head.note = f"Unpacked, it would have {unpacked:,} bytes, a hundred times its size or more."
    names = {tensor.name.rpartition("/")[2] for tensor in head.tensors}
    head.metadata = {"members": len(head.tensors), "packed_bytes": packed, "unpacked_bytes": min(unpacked, 2**63 - 1)}
    head.facts = {"is_pytorch": "data.pkl" in names}
    return head


def _find_directory(source: Source) -> tuple[int, int, int]:
    """Where the central directory begins, its bytes, and its members."""
    tail_bytes = min(source.size_bytes, _END_BYTES + 0xFFFF)
    tail_start = source.size_bytes - tail_bytes
    tail = source.read(tail_start, tail_bytes)
    at = tail.rfind(_END)
    if at < 0 or at + _END_BYTES > len(tail):
        raise HeadError("The file is no zip archive: it has no directory at its end.")
    count, length, start = struct.unpack_from("<HII", tail, at + 10)
    locator = at - _LOCATOR_BYTES
    if _MOST in (length, start) or count == 0xFFFF:
        if locator < 0 or tail[locator : locator + 4] != b"PK\x06\x07":
            return start, length, count
        (place,) = struct.unpack_from("<Q", tail, locator + 8)
        end = source.read(place, _END64_BYTES)
        if end[:4] != b"PK\x06\x06":
            raise HeadError("The archive's directory is not where the file says.")
        count, length, start = struct.unpack_from("<QQQ", end, 32)
    return start, length, count


def _long_sizes(extra: bytes, small: int, large: int) -> tuple[int, int]:
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == 1:
            said = extra[at + 4 : at + 4 + length]
            numbers = [*struct.unpack_from(f"<{len(said) // 8}Q", said)]
            if large == _MOST and numbers:
                large = numbers.pop(0)
            if small == _MOST and numbers:
                small = numbers.pop(0)
            break
        at += 4 + length
    return min(small, 2**63 - 1), min(large, 2**63 - 1)
