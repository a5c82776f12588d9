"""What an ONNX file says besides its weights: operator sets, inputs, outputs, the shapes of its initialisers.

The file is one protobuf message; its fields are walked by their lengths, so that weights are stepped over and not
read. Sources: protobuf's wire format; onnx.proto of ONNX 1.17, whose field numbers stand here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from hub.assets.heads.source import Source
from hub.assets.heads.types import MAX_KEYS, MAX_NAME_CHARS, MAX_TENSORS, Head, HeadError, Tensor, shown_text
from hub.assets.service.tensors import MAX_DIMENSIONS, product_of

MAX_FIELDS = 1_000_000
MAX_PORTS = 200
_MAX_TEXT_BYTES = 8 * 1024
_MAX_DIMS_BYTES = 1024

# TensorProto.DataType, name, bits of one number.
_TYPES = """
    1 F32 32, 2 U8 8, 3 I8 8, 4 U16 16, 5 I16 16, 6 I32 32, 7 I64 64, 8 STRING 0, 9 BOOL 8, 10 F16 16, 11 F64 64,
    12 U32 32, 13 U64 64, 14 C64 64, 15 C128 128, 16 BF16 16, 17 F8_E4M3 8, 18 F8_E4M3FNUZ 8, 19 F8_E5M2 8,
    20 F8_E5M2FNUZ 8, 21 U4 4, 22 I4 4, 23 F4_E2M1 4
"""
TYPES = {int(kind): (name, int(bits)) for kind, name, bits in (row.split() for row in _TYPES.split(","))}
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class _Walk:
    """Walks messages of one file; counts what it has seen, as a false file can hold a billion fields."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.left = MAX_FIELDS

    def fields(self, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
        """(number, wire type, value or start, end) of each field between two places."""
        at = start
        while at < end:
            self.left -= 1
            if self.left < 0:
                raise HeadError(f"The file has more than {MAX_FIELDS:,} fields.")
            tag, at = self.varint(at, end)
            number, kind = tag >> 3, tag & 7
            if kind == _VARINT:
                value, at = self.varint(at, end)
                yield number, kind, value, at
            elif kind == _BYTES:
                length, at = self.varint(at, end)
                if at + length > end:
                    raise HeadError("A field is longer than the message that holds it: this is no ONNX file.")
                yield number, kind, at, at + length
                at += length
            elif kind in (_FIXED64, _FIXED32):
                at += 8 if kind == _FIXED64 else 4
                if at > end:
                    raise HeadError("A field is longer than the message that holds it: this is no ONNX file.")
                yield number, kind, 0, at
            else:
                raise HeadError("This is no ONNX file.")

    def varint(self, at: int, end: int) -> tuple[int, int]:
        """The number that begins at a place, and where it ends."""
        data = self.source.read(at, min(10, end - at))
        value = 0
        for place, byte in enumerate(data):
            value |= (byte & 0x7F) << (7 * place)
            if byte < 0x80:
                return value & 0xFFFFFFFFFFFFFFFF, at + place + 1
        raise HeadError("A number has no end: this is no ONNX file.")

    def text(self, start: int, end: int, limit: int = _MAX_TEXT_BYTES) -> str:
        """A text, its beginning only where it is long."""
        return shown_text(self.source.read(start, min(end - start, limit)).decode("utf-8", "replace"))


def read_onnx(source: Source) -> Head:
    """What the file says. Raises HeadError."""
    walk, head = _Walk(source), Head("onnx")
    opsets: dict[str, int] = {}
    props: dict[str, str] = {}
    has_graph = False
    for number, kind, value, end in walk.fields(0, source.size_bytes):
        if kind == _VARINT and number == 1:
            head.metadata["ir_version"] = value
        elif kind == _VARINT and number == 5:
            head.metadata["model_version"] = min(value, 2**63 - 1)
        elif kind == _BYTES and number in (2, 3, 4, 6):
            name = {2: "producer_name", 3: "producer_version", 4: "domain", 6: "doc_string"}[number]
            head.metadata[name] = walk.text(value, end)
        elif kind == _BYTES and number == 7:
            has_graph = True
            _read_graph(walk, value, end, head)
        elif kind == _BYTES and number == 8 and len(opsets) < MAX_KEYS:
            domain, version = _members(walk, value, end)
            opsets[domain or "ai.onnx"] = version
        elif kind == _BYTES and number == 14 and len(props) < MAX_KEYS:
            texts = {n: walk.text(v, e) for n, k, v, e in walk.fields(value, end) if k == _BYTES and n in (1, 2)}
            props[texts.get(1, "")[:MAX_NAME_CHARS]] = texts.get(2, "")
    if not has_graph or "ir_version" not in head.metadata:
        raise HeadError("This is no ONNX file: it has no graph.")
    head.metadata |= {"opset": opsets, "properties": props}
    head.facts["opset"] = opsets.get("ai.onnx")
    head.counts()
    return head


def _members(walk: _Walk, start: int, end: int) -> tuple[str, int]:
    domain, version = "", 0
    for number, kind, value, stop in walk.fields(start, end):
        if number == 1 and kind == _BYTES:
            domain = walk.text(value, stop, MAX_NAME_CHARS)
        elif number == 2 and kind == _VARINT:
            version = min(value, 2**63 - 1)
    return domain, version


def _read_graph(walk: _Walk, start: int, end: int, head: Head) -> None:
    operators: Counter[str] = Counter()
    ports: dict[str, list[dict[str, Any]]] = {"inputs": [], "outputs": []}
    for number, kind, value, stop in walk.fields(start, end):
        if kind != _BYTES:
            continue
        if number == 1:
            operator = next(
                (walk.text(v, e, 100) for n, k, v, e in walk.fields(value, stop) if (n, k) == (4, _BYTES)), ""
            )
            if operator in operators or len(operators) < MAX_KEYS:
                operators[operator] += 1
        elif number == 2:
            head.metadata["graph"] = walk.text(value, stop, MAX_NAME_CHARS)
        elif number == 5:
            if len(head.tensors) >= MAX_TENSORS:
                raise HeadError(f"The file has more than {MAX_TENSORS:,} initialisers.")
            head.tensors.append(_tensor(walk, value, stop))
        elif number in (11, 12):
            listed = ports["inputs" if number == 11 else "outputs"]
            if len(listed) < MAX_PORTS:
                listed.append(_port(walk, value, stop))
    head.metadata |= ports
    head.metadata["operators"] = dict(operators.most_common(MAX_PORTS))


def _tensor(walk: _Walk, start: int, end: int) -> Tensor:
    name, kind_of_number = "", 0
    shape: list[int] = []
    for number, kind, value, stop in walk.fields(start, end):
        if number == 1 and kind == _VARINT:
            shape.append(value)
        elif number == 1 and kind == _BYTES:
            shape += _packed(walk, value, stop)
        elif number == 2 and kind == _VARINT:
            kind_of_number = value
        elif number == 8 and kind == _BYTES:
            name = walk.text(value, stop, MAX_NAME_CHARS)
        if len(shape) > MAX_DIMENSIONS:
            break
    numbers = product_of(shape)
    if numbers is None:
        raise HeadError(f"The initialiser {name[:100]!r} has more numbers than any file can hold.")
    title, bits = TYPES.get(kind_of_number, (f"type {kind_of_number}", 0))
    return Tensor(name, title, shape, (numbers * bits + 7) // 8 if bits else None)


def _packed(walk: _Walk, start: int, end: int) -> list[int]:
    if end - start > _MAX_DIMS_BYTES:
        raise HeadError("An initialiser has too many dimensions.")
    found, at = [], start
    while at < end:
        value, at = walk.varint(at, end)
        found.append(value)
    return found


def _port(walk: _Walk, start: int, end: int) -> dict[str, Any]:
    """An input or output: its name, type and shape; a dimension is a number, or the name of one that varies."""
    port: dict[str, Any] = {"name": "", "dtype": "", "shape": []}
    for number, kind, value, stop in walk.fields(start, end):
        if (number, kind) == (1, _BYTES):
            port["name"] = walk.text(value, stop, MAX_NAME_CHARS)
        elif (number, kind) == (2, _BYTES):
            for inner, inner_kind, at, until in walk.fields(value, stop):
                if (inner, inner_kind) == (1, _BYTES):
                    _read_tensor_type(walk, at, until, port)
    return port


def _read_tensor_type(walk: _Walk, start: int, end: int, port: dict[str, Any]) -> None:
    for number, kind, value, stop in walk.fields(start, end):
        if (number, kind) == (1, _VARINT):
            port["dtype"] = TYPES.get(value, (f"type {value}", 0))[0]
        elif (number, kind) == (2, _BYTES):
            for inner, inner_kind, at, until in walk.fields(value, stop):
                if (inner, inner_kind) == (1, _BYTES) and len(port["shape"]) < MAX_DIMENSIONS:
                    port["shape"].append(_dimension(walk, at, until))


def _dimension(walk: _Walk, start: int, end: int) -> int | str:
    for number, kind, value, stop in walk.fields(start, end):
        if (number, kind) == (1, _VARINT):
            return min(value, 2**63 - 1)
        if (number, kind) == (2, _BYTES):
            return walk.text(value, stop, 100)
    return "?"
