"""As much of Thrift's compact protocol as the heads of Parquet's pages take. Source: its specification.

What is read is bounded: a number has at most ten bytes, and structures lie at most eight deep in each other.
"""

from __future__ import annotations

from typing import Any

TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(1, 13)
_MAX_DEPTH = 8
_MAX_ITEMS = 100_000


class Malformed(ValueError):
    """The bytes are none of the protocol's."""


class Short(Malformed):
    """There are not enough bytes."""


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """A number and the place after it."""
    value = shift = 0
    while True:
        if at >= len(data):
            raise Short("The bytes end within a number.")
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
        if shift > 63:
            raise Malformed("A number has more than ten bytes.")


def read_signed(data: bytes, at: int) -> tuple[int, int]:
    """A signed number and the place after it."""
    value, at = read_varint(data, at)
    return (value >> 1) ^ -(value & 1), at


def read_struct(data: bytes, at: int, depth: int = 0) -> tuple[dict[int, Any], int]:
    """The members of a structure by their numbers, and the place after it."""
    if depth > _MAX_DEPTH:
        raise Malformed("Structures lie too deep in each other.")
    members: dict[int, Any] = {}
    number = 0
    while True:
        if at >= len(data):
            raise Short("The bytes end within a structure.")
        head = data[at]
        at += 1
        if head == 0:
            return members, at
        if head >> 4:
            number += head >> 4
        else:
            number, at = read_signed(data, at)
        members[number], at = _read(data, at, head & 15, depth)


def _read(data: bytes, at: int, kind: int, depth: int, *, in_list: bool = False) -> tuple[Any, int]:
    if kind in (TRUE, FALSE):
        return (data[at] == TRUE, at + 1) if in_list else (kind == TRUE, at)
    if kind == BYTE:
        return data[at], at + 1
    if kind in (I16, I32, I64):
        return read_signed(data, at)
    if kind == DOUBLE:
        return None, at + 8
    if kind == BINARY:
        length, at = read_varint(data, at)
        if at + length > len(data):
            raise Short("The bytes end within a text.")
        return data[at : at + length], at + length
    if kind in (LIST, SET):
        if at >= len(data):
            raise Short("The bytes end within a list.")
        count, inner = data[at] >> 4, data[at] & 15
        at += 1
        if count == 15:
            count, at = read_varint(data, at)
        if count > _MAX_ITEMS:
            raise Malformed("A list is too long.")
        items = []
        for _ in range(count):
            item, at = _read(data, at, inner, depth, in_list=True)
            items.append(item)
        return items, at
    if kind == STRUCT:
        return read_struct(data, at, depth + 1)
    raise Malformed(f"There is no kind {kind}.")


def varint(value: int) -> bytes:
    """A number as bytes."""
    written = bytearray()
    while value > 127:
        written.append((value & 127) | 128)
        value >>= 7
    written.append(value)
    return bytes(written)


def signed(value: int) -> bytes:
    """A signed number as bytes."""
    return varint((value << 1) ^ (value >> 63))


def text(value: str) -> bytes:
    """A text as bytes."""
    data = value.encode()
    return varint(len(data)) + data


def list_of(kind: int, items: list[bytes]) -> bytes:
    """A list of what is bytes already."""
    head = bytes([len(items) << 4 | kind]) if len(items) < 15 else bytes([0xF0 | kind]) + varint(len(items))
    return head + b"".join(items)


def struct(members: list[tuple[int, int, bytes]]) -> bytes:
    """A structure of members: number, kind, bytes; in the order of their numbers."""
    written, before = bytearray(), 0
    for number, kind, data in members:
        written.append((number - before) << 4 | kind)
        written += data
        before = number
    written.append(0)
    return bytes(written)
