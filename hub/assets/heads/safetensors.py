"""The head of a safetensors file: 8 bytes of length, then JSON. Source: the safetensors format."""

from __future__ import annotations

import struct
from typing import Any

from hub.assets.heads.estimates import weight_bytes_of
from hub.assets.heads.source import Source
from hub.assets.heads.types import MAX_KEYS, MAX_NAME_CHARS, MAX_TENSORS, Head, HeadError, Tensor, shown_text
from hub.assets.service.tensors import (
    LENGTH_BYTES,
    MAX_HEAD_PARTS,
    MAX_SAFETENSORS_HEAD_BYTES,
    parts_of,
    product_of,
    read_head,
)


def read_safetensors(source: Source) -> Head:
    """What the head says. Raises HeadError."""
    if source.size_bytes < LENGTH_BYTES:
        raise HeadError("The file is too short to be a safetensors file.")
    (length,) = struct.unpack("<Q", source.read(0, LENGTH_BYTES))
    if length > MAX_SAFETENSORS_HEAD_BYTES:
        limit = MAX_SAFETENSORS_HEAD_BYTES // 1024**2
        raise HeadError(f"The file says that its head has {length:,} bytes; more than {limit} MiB are not read.")
    if length < 2 or LENGTH_BYTES + length > source.size_bytes:
        raise HeadError(f"The file says that its head has {length:,} bytes, which it has not.")
    raw = source.read(LENGTH_BYTES, length)
    if parts_of(raw) > MAX_HEAD_PARTS:
        raise HeadError(f"The head has more than {MAX_HEAD_PARTS:,} values.")
    members = read_head(raw)
    if members is None:
        raise HeadError("The head is no JSON object.")
    said = members.pop("__metadata__", None)
    if len(members) > MAX_TENSORS:
        raise HeadError(f"The file has more than {MAX_TENSORS:,} tensors.")
    head = Head("safetensors", tensors=[_tensor(name, member) for name, member in members.items()])
    if isinstance(said, dict):
        pairs = list(said.items())[:MAX_KEYS]
        head.metadata = {shown_text(str(name), MAX_NAME_CHARS): _shown(value) for name, value in pairs}
    head.check_room(weight_bytes_of(head.counts()), source.size_bytes)
    return head


def _shown(value: Any) -> Any:
    # The format has texts only; what others have put there instead is not written out, however deep and long it is.
    return f"[{len(value):,} values]" if isinstance(value, list | dict) else shown_text(str(value))


def _tensor(name: str, member: Any) -> Tensor:
    dtype, shape = (member.get("dtype"), member.get("shape")) if isinstance(member, dict) else (None, None)
    offsets = member.get("data_offsets") if isinstance(member, dict) else None
    if not isinstance(dtype, str) or len(dtype) > 32 or not isinstance(shape, list) or product_of(shape) is None:
        raise HeadError(f"The tensor {shown_text(name, 100)!r} has no type and shape that can be.")
    size_bytes = None
    if isinstance(offsets, list) and len(offsets) == 2 and all(type(offset) is int for offset in offsets):
        size_bytes = offsets[1] - offsets[0] if 0 <= offsets[0] <= offsets[1] < 2**63 else None
    return Tensor(shown_text(name, MAX_NAME_CHARS), shown_text(dtype), shape, size_bytes)
