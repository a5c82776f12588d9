"""What models' objects say of their files. Source: CSGHub contract, section 5.3."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hub.assets.heads.estimates import gib
from hub.assets.service.modelmetadata import BILLION, Brief, briefs_shown
from hub.db.uow import UnitOfWork
from hub.repos.rows import Shown


def model_members(work: UnitOfWork, repositories: Sequence[Shown]) -> dict[int, dict[str, Any]]:
    """For each model whose files were read, by its id, its member ``metadata``. One query at most."""
    return {id: {"metadata": metadata_view(brief)} for id, brief in briefs_shown(work, repositories).items()}


def metadata_view(row: Brief) -> dict[str, Any]:
    """A model's metadata as lists tell it. Memory in GiB."""
    return {
        "model_params": round((row.parameters or 0) / BILLION, 6),
        "tensor_type": row.tensor_type,
        "architecture": row.architecture,
        "mini_gpu_memory_gb": gib(row.run_bytes),
        "mini_gpu_finetune_gb": gib(row.finetune_bytes),
        "model_type": row.model_type,
        "class_name": row.class_name,
        "quantizations": list(row.quantizations),
    }
