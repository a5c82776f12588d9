"""What a head is, whatever the format of its file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

from hub.base.texts import is_storable

# Source: the largest of well-known models has 90,000 tensors in all of its files.
MAX_TENSORS = 100_000
MAX_KEYS = 2_000
MAX_NAME_CHARS = 300
# Of a value of metadata that is shown; a vocabulary is not.
MAX_VALUE_CHARS = 2_000
MAX_PARAMETERS = 2**63 - 1


class HeadError(Exception):
    """Why a file's head cannot be read, in words for people."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor, or one member of an archive. size_bytes: None where the head does not say."""

    name: str
    dtype: str
    shape: Sequence[int]
    size_bytes: int | None = None

    @property
    def parameters(self) -> int:
        """How many numbers it has; of no shape, none: a member of an archive."""
        return prod(self.shape) if self.dtype else 0


@dataclass
class Head:
    """What a file's head says. format: "safetensors", "gguf", "onnx" or "zip". facts: what models' pages are told.

    note: what is not told of it, and why.
    """

    format: str
    tensors: list[Tensor] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    note: str = ""

    def counts(self) -> dict[str, int]:
        """How many numbers of each type there are. Raises HeadError for more than a file can hold."""
        counts: Counter[str] = Counter()
        for tensor in self.tensors:
            if tensor.dtype:
                counts[tensor.dtype] += tensor.parameters
        if sum(counts.values()) > MAX_PARAMETERS:
            raise HeadError("Its tensors have more numbers than any file can hold.")
        return dict(counts)

    def weight_bytes(self) -> int:
        """The bytes of the tensors whose size is known."""
        return sum(tensor.size_bytes or 0 for tensor in self.tensors)

    def check_room(self, weight_bytes: int, size_bytes: int) -> None:
        """Return when so many bytes of weights fit into the file. Raises HeadError."""
        if weight_bytes > size_bytes:
            raise HeadError(f"Its tensors would have {weight_bytes:,} bytes; the file has {size_bytes:,}.")

    def view(self) -> dict[str, Any]:
        """As JSON says it."""
        rows = [
            {"name": each.name, "dtype": each.dtype, "shape": each.shape, "size_bytes": each.size_bytes}
            for each in self.tensors
        ]
        return {
            "format": self.format,
            "tensors": rows,
            "metadata": self.metadata,
            "facts": self.facts,
            "note": self.note,
        }


def shown_text(text: str, limit: int = MAX_VALUE_CHARS) -> str:
    """A text that a file holds, as it can be stored and shown."""
    short = text if len(text) <= limit else f"{text[:limit]}…"
    is_plain = short.isascii() and "\0" not in short  # most are, and it is seen at once
    return short if is_plain or is_storable(short) else short.replace("\0", "�").encode(errors="replace").decode()


def shown_value(value: Any) -> Any:
    """A value of metadata as JSON can say it."""
    if isinstance(value, str):
        return shown_text(value)
    if isinstance(value, bool | int) and abs(value) < 2**63:
        return value
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else str(value)
    return shown_text(str(value))
