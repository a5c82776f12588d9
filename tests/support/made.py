"""Files for the journeys of assets, made here: good ones, and such as nobody honest sends."""

from __future__ import annotations

import io
import json
import struct
import zlib
from typing import Any

import pyarrow as pa
from pyarrow import parquet


def png() -> bytes:
    """A picture of one pixel."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0\xff\0\0")) + chunk(b"IEND", b"")


def safetensors(**shapes: list[int]) -> bytes:
    """Weights of zeros."""
    head, start = {}, 0
    for name, shape in shapes.items():
        size = 4 * shape[0] * shape[1]
        head[name] = {"dtype": "F32", "shape": shape, "data_offsets": [start, start + size]}
        start += size
    text = json.dumps(head).encode()
    return struct.pack("<Q", len(text)) + text + bytes(start)


def table(count: int, *, first: int = 0) -> bytes:
    """Rows of Parquet, in row groups as writers make them."""
    numbers = range(first, first + count)
    columns = {
        "id": pa.array(numbers, pa.int64()),
        "word": pa.array([f"word{number % 97}" for number in numbers]),
        "share": pa.array([number / 7 for number in numbers]),
    }
    sink = io.BytesIO()
    parquet.write_table(pa.table(columns), sink, row_group_size=20_000)
    return sink.getvalue()


def zip_bomb() -> bytes:
    """Some megabytes that claim to be four gigabytes of one line, and are."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = 1 << 24
    # After a full flush a piece stands by itself, so the same one can come again and again.
    piece = packer.compress(b"1" * block) + packer.flush(zlib.Z_FULL_FLUSH)
    count = (1 << 32) // block - 1
    body = piece * count + packer.flush()
    sizes = struct.pack("<III", 0, len(body), count * block)
    name = b"bomb.csv"
    local = struct.pack("<4s5H", b"PK\3\4", 20, 0, 8, 0, 33) + sizes + struct.pack("<2H", len(name), 0) + name + body
    entry = struct.pack("<4s6H", b"PK\1\2", 20, 20, 0, 8, 0, 33) + sizes
    entry += struct.pack("<5H2I", len(name), 0, 0, 0, 0, 0, 0) + name
    return local + entry + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, len(entry), len(local), 0)


class Harmful:
    """What runs a program when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        import os

        return os.system, ("echo harmed",)
