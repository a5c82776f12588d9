"""What the head of a file of weights says: its tensors' names, types and shapes. No weight is read.

Sources: the safetensors format (8 bytes of length, then JSON); the GGUF format, version 2 and 3.
"""

from __future__ import annotations

import json
import struct
from array import array
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

# Source: the safetensors format allows 100 MB; the longest of well-known models are a tenth of this.
MAX_SAFETENSORS_HEAD_BYTES = 16 * 1024 * 1024
# Most of it are the words of the model's vocabulary.
MAX_GGUF_HEAD_BYTES = 24 * 1024 * 1024
LENGTH_BYTES = 8

# Of a head's JSON: what it becomes in memory is bounded by its values, not by its length. 100,000 tensors have as many.
MAX_HEAD_PARTS = 1_000_000
MAX_DIMENSIONS = 32

_MOST_PARAMETERS = 2**63 - 1
_MAX_TYPES = 64
_MAX_GGUF_ITEMS = 2_000_000
# Each takes some 200 bytes of memory.
_MAX_GGUF_TENSORS = 100_000
# Source: llama.cpp's converter writes about a hundred.
_MAX_GGUF_MEMBERS = 10_000
_MAX_TEXT_CHARS = 16 * 1024


def length_of_head(start: bytes) -> int | None:
    """How long the JSON at the head of a safetensors file is, from its first 8 bytes; None where it cannot be one."""
    if len(start) < LENGTH_BYTES:
        return None
    (length,) = struct.unpack("<Q", start[:LENGTH_BYTES])
    return length if 2 <= length <= MAX_SAFETENSORS_HEAD_BYTES else None


def parts_of(head: bytes) -> int:
    """About how many values a text of JSON has, without reading it; never fewer than it has lists and members."""
    return sum(map(head.count, (b",", b"{", b"[")))


def read_head(head: bytes) -> dict[str, Any] | None:
    """The members of a safetensors file's head, by tensor; None where it is none, or has too many parts."""
    if parts_of(head) > MAX_HEAD_PARTS:
        return None
    try:
        found = json.loads(head)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def count_parameters(head: bytes) -> dict[str, int] | None:
    """How many numbers of each type ("F32", "BF16") a safetensors file's tensors have, from its head.

    None for what is no head, and for one that lies: with more than 32 dimensions or 2**63 numbers.
    """
    members = read_head(head)
    if members is None:
        return None
    counts: Counter[str] = Counter()
    for name, tensor in members.items():
        if name == "__metadata__":
            continue
        dtype, shape = (tensor.get("dtype"), tensor.get("shape")) if isinstance(tensor, dict) else (None, None)
        if not isinstance(dtype, str) or not isinstance(shape, list) or len(dtype) > 32:
            return None
        numbers = product_of(shape)
        if numbers is None:
            return None
        counts[dtype] += numbers
        if counts[dtype] > _MOST_PARAMETERS or len(counts) > _MAX_TYPES:
            return None
    return dict(counts)


def product_of(shape: list[Any]) -> int | None:
    """How many numbers a tensor has; None for a shape that is none. No product grows beyond the limit on its way."""
    if len(shape) > MAX_DIMENSIONS or not all(type(size) is int and 0 <= size <= _MOST_PARAMETERS for size in shape):
        return None
    product = 0 if 0 in shape else 1
    for size in shape:
        product *= size
        if product > _MOST_PARAMETERS:
            return None
    return product


def read_gguf(head: bytes) -> dict[str, Any] | None:
    """What the hub's clients are told of a GGUF file, from its first bytes; None where it is none, or goes on.

    ``total`` parameters, ``architecture``, ``context_length``, ``chat_template``, ``bos_token`` and ``eos_token``,
    as far as the file says.
    """
    try:
        return _tell_gguf(parse_gguf(head))
    except (struct.error, IndexError, KeyError, ValueError, RecursionError):
        return None


@dataclass(frozen=True)
class GGUF:
    """A GGUF file's head. members: its metadata; of lists of texts their places. tensors: (name, shape, type)."""

    reader: Reader
    members: dict[str, Any]
    tensors: list[tuple[str, list[int], int]]


@dataclass(frozen=True)
class GGUFList:
    """That a member is a list of so many numbers, which are not kept."""

    count: int

    @property
    def text(self) -> str:
        return f"[{self.count:,} numbers]"


# GGUF's types of values -> how Python unpacks them; 8 is a text, 9 a list.
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_TEXT, _LIST = 8, 9


class Reader:
    """Reads one value after the other; struct.error or IndexError where the bytes end."""

    def __init__(self, data: bytes) -> None:
        self.data = memoryview(data)
        self.at = 0
        self.items = 0

    def number(self, form: str) -> Any:
        (value,) = struct.unpack_from(f"<{form}", self.data, self.at)
        self.at += struct.calcsize(f"<{form}")
        return value

    def raw(self) -> memoryview:
        length = self.number("Q")
        if length > len(self.data) - self.at:
            raise IndexError("past the end")
        self.at += length
        return self.data[self.at - length : self.at]

    def text(self) -> str:
        return bytes(self.raw()).decode("utf-8", "replace")[:_MAX_TEXT_CHARS]

    def places(self, count: int) -> array[int]:
        """Where each of so many texts begins; a vocabulary's texts themselves would be a hundred megabytes."""
        places = array("Q")
        for _ in range(count):
            places.append(self.at)
            self.raw()
        return places

    def value(self, kind: int) -> Any:
        """The value; of a list that it is texts, of which some are names of tokens, and where they are."""
        if kind == _TEXT:
            return self.text()
        if kind != _LIST:
            return self.number(_SCALARS[kind])
        of, count = self.number("I"), self.number("Q")
        self.items += count
        if self.items > _MAX_GGUF_ITEMS:
            raise ValueError("too many items")
        if of == _TEXT:
            return self.places(count)
        if of == _LIST:
            raise ValueError("lists of lists are not read")
        self.at += struct.calcsize(f"<{_SCALARS[of]}") * count
        return GGUFList(count)


def parse_gguf(head: bytes) -> GGUF:
    """The head of a GGUF file, from the file's first bytes.

    Raises struct.error or IndexError where it goes on, ValueError or KeyError where it is none.
    """
    reader = Reader(head)
    if head[:4] != b"GGUF":
        raise ValueError("it is no GGUF file")
    reader.at = 4
    version = reader.number("I")
    if version not in (2, 3):
        raise ValueError(f"version {version} of the format is not read")
    count, members = reader.number("Q"), reader.number("Q")
    if count > _MAX_GGUF_TENSORS or members > _MAX_GGUF_MEMBERS:
        raise ValueError(f"it says that it has {count:,} tensors and {members:,} members")
    said = {}
    for _ in range(members):
        name = reader.text()
        said[name] = reader.value(reader.number("I"))
    tensors = []
    for _ in range(count):
        name = reader.text()
        dimensions = reader.number("I")
        if dimensions > 8:
            raise ValueError(f"a tensor has {dimensions:,} dimensions")
        shape = [reader.number("Q") for _ in range(dimensions)]
        kind = reader.number("I")
        reader.number("Q")
        tensors.append((name, shape, kind))
    return GGUF(reader, said, tensors)


def _tell_gguf(gguf: GGUF) -> dict[str, Any] | None:
    said = gguf.members
    total = sum(prod(shape) for _name, shape, _kind in gguf.tensors)
    if total > _MOST_PARAMETERS:
        return None
    architecture = said.get("general.architecture")
    found = {
        "total": total,
        "architecture": architecture,
        "context_length": said.get(f"{architecture}.context_length"),
        "chat_template": said.get("tokenizer.chat_template"),
        "bos_token": _token(gguf.reader, said, "tokenizer.ggml.bos_token_id"),
        "eos_token": _token(gguf.reader, said, "tokenizer.ggml.eos_token_id"),
    }
    return {name: value for name, value in found.items() if isinstance(value, str | int)}


def _token(reader: Reader, said: Mapping[str, Any], name: str) -> str | None:
    at, words = said.get(name), said.get("tokenizer.ggml.tokens")
    if not isinstance(at, int) or not isinstance(words, array) or not 0 <= at < len(words):
        return None
    reader.at = words[at]
    return reader.text()
