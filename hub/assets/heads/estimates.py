"""How much memory of a GPU a model takes: estimates by rules of thumb, named so that they can be judged.

To run it: its weights and a fifth more. Source: EleutherAI, "Transformer Math 101" (2023): total memory for inference
is about 1.2 times the model's memory.
To fine-tune all of it: 16 bytes for each parameter (weights and gradients in 16 bits, AdamW's copies in 32), without
activations, which depend on the batch. Source: Rajbhandari et al., "ZeRO" (2020), section 3.1.
"""

from __future__ import annotations

from collections.abc import Mapping

GIB = 1024**3
RUN_NUMERATOR, RUN_DENOMINATOR = 6, 5
FINETUNE_BYTES_PER_PARAMETER = 16

# Bits of one number, by the names that files have for it; what is not here has 16.
_BITS = {
    **dict.fromkeys(("F64", "I64", "U64", "C64"), 64),
    **dict.fromkeys(("F32", "I32", "U32"), 32),
    **dict.fromkeys(("I8", "U8", "BOOL", "F8_E4M3", "F8_E5M2", "F8_E8M0"), 8),
    **dict.fromkeys(("F4", "I4", "U4", "F4_E2M1"), 4),
}
_USUAL_BITS = 16


def weight_bytes_of(counts: Mapping[str, int]) -> int:
    """The bytes of so many numbers of each type."""
    return sum(count * _BITS.get(dtype, _USUAL_BITS) for dtype, count in counts.items()) // 8


def bytes_to_run(weight_bytes: int) -> int:
    """The memory that it takes to run a model with weights of so many bytes."""
    return weight_bytes * RUN_NUMERATOR // RUN_DENOMINATOR


def bytes_to_finetune(parameters: int) -> int:
    """The memory that it takes to fine-tune all parameters."""
    return parameters * FINETUNE_BYTES_PER_PARAMETER


def gib(size_bytes: int | None) -> float:
    """Bytes in GiB, to two places; 0 for what is not known."""
    return round((size_bytes or 0) / GIB, 2)
