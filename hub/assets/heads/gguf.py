"""The head of a GGUF file. Sources: the GGUF specification; llama.cpp's ``ggml_type`` and ``llama_ftype``."""

from __future__ import annotations

import struct
from array import array
from typing import Any

from hub.assets.heads.source import Source
from hub.assets.heads.types import (
    MAX_KEYS,
    MAX_NAME_CHARS,
    Head,
    HeadError,
    Tensor,
    shown_text,
    shown_value,
)
from hub.assets.service.tensors import MAX_GGUF_HEAD_BYTES, GGUFList, parse_gguf, product_of

# ggml_type, name, numbers of one block, its bytes.
_TYPES = """
    0 F32 1 4, 1 F16 1 2, 24 I8 1 1, 25 I16 1 2, 26 I32 1 4, 27 I64 1 8, 28 F64 1 8, 30 BF16 1 2,
    2 Q4_0 32 18, 3 Q4_1 32 20, 6 Q5_0 32 22, 7 Q5_1 32 24, 8 Q8_0 32 34, 9 Q8_1 32 36,
    10 Q2_K 256 84, 11 Q3_K 256 110, 12 Q4_K 256 144, 13 Q5_K 256 176, 14 Q6_K 256 210, 15 Q8_K 256 292,
    16 IQ2_XXS 256 66, 17 IQ2_XS 256 74, 18 IQ3_XXS 256 98, 19 IQ1_S 256 50, 20 IQ4_NL 32 18, 21 IQ3_S 256 110,
    22 IQ2_S 256 82, 23 IQ4_XS 256 136, 29 IQ1_M 256 56, 34 TQ1_0 256 54, 35 TQ2_0 256 66, 39 MXFP4 32 17
"""
TYPES = {
    int(kind): (name, int(numbers), int(size))
    for kind, name, numbers, size in (row.split() for row in _TYPES.split(","))
}
# general.file_type, how the file is quantised as a whole.
_FILE_TYPES = """
    0 F32, 1 F16, 2 Q4_0, 3 Q4_1, 7 Q8_0, 8 Q5_0, 9 Q5_1, 10 Q2_K, 11 Q3_K_S, 12 Q3_K_M, 13 Q3_K_L, 14 Q4_K_S,
    15 Q4_K_M, 16 Q5_K_S, 17 Q5_K_M, 18 Q6_K, 19 IQ2_XXS, 20 IQ2_XS, 21 Q2_K_S, 22 IQ3_XS, 23 IQ3_XXS, 24 IQ1_S,
    25 IQ4_NL, 26 IQ3_S, 27 IQ3_M, 28 IQ2_S, 29 IQ2_M, 30 IQ4_XS, 31 IQ1_M, 32 BF16, 36 TQ1_0, 37 TQ2_0, 38 MXFP4_MOE
"""
FILE_TYPES = {int(kind): name for kind, name in (row.split() for row in _FILE_TYPES.split(","))}


def read_gguf_head(source: Source) -> Head:
    """What the head says. Raises HeadError."""
    raw = source.read(0, min(source.size_bytes, MAX_GGUF_HEAD_BYTES))
    try:
        parsed = parse_gguf(raw)
    except (struct.error, IndexError):
        if source.size_bytes > MAX_GGUF_HEAD_BYTES:
            limit = MAX_GGUF_HEAD_BYTES // 1024**2
            raise HeadError(f"The head says that it has more in it than {limit} MiB hold; that is not read.") from None
        raise HeadError("The head says that it has more in it than the file holds.") from None
    except (KeyError, ValueError, RecursionError) as error:
        raise HeadError(f"The head cannot be read: {shown_text(str(error), 200)}.") from None
    head = Head("gguf", tensors=[_tensor(*tensor) for tensor in parsed.tensors])
    pairs = list(parsed.members.items())[:MAX_KEYS]
    head.metadata = {shown_text(name, MAX_NAME_CHARS): _shown(value) for name, value in pairs}
    counts = head.counts()
    head.check_room(head.weight_bytes(), source.size_bytes)
    architecture = parsed.members.get("general.architecture")
    tokens = parsed.members.get("tokenizer.ggml.tokens")
    said = parsed.members.get("general.file_type")
    file_type = FILE_TYPES.get(said, "") if isinstance(said, int) else ""
    largest = max(counts, key=lambda dtype: counts[dtype], default="")
    head.facts = {
        "architecture": shown_text(architecture, 100) if isinstance(architecture, str) else "",
        "context_length": _number(parsed.members.get(f"{architecture}.context_length")),
        "quantization": file_type or largest,
        "vocabulary_size": len(tokens) if isinstance(tokens, array) else None,
        "tokenizer": _text(parsed.members.get("tokenizer.ggml.model")),
    }
    return head


def _tensor(name: str, shape: list[int], kind: int) -> Tensor:
    numbers = product_of(shape)
    if numbers is None:
        raise HeadError(f"The tensor {shown_text(name, 100)!r} has more numbers than any file can hold.")
    title, per_block, block_bytes = TYPES.get(kind, (f"type {kind}", 1, 0))
    size_bytes = -(-numbers // per_block) * block_bytes if block_bytes else None
    return Tensor(shown_text(name, MAX_NAME_CHARS), title, shape, size_bytes)


def _shown(value: Any) -> Any:
    if isinstance(value, GGUFList):
        return value.text
    return f"[{len(value):,} texts]" if isinstance(value, array) else shown_value(value)


def _number(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value < 2**63 else None


def _text(value: Any) -> str:
    return shown_text(value, 100) if isinstance(value, str) else ""
