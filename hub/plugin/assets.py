"""The seam: what the hub has read of models' files, and the labels that the platform puts on repositories."""

from __future__ import annotations

from hub.accounts.policy import SYSTEM
from hub.assets.indexing import find_head
from hub.assets.models_indexing import ModelMetadata, RepositoryCard
from hub.assets.service.labels import set_platform_labels
from hub.assets.service.modelmetadata import find_known_metadata
from hub.base.context import Context
from hub.base.errors import Invalid, NotFound
from hub.db.uow import UnitOfWork
from hub.repos.contents import read_file
from hub.repos.rows import Shown

__all__ = [
    "ModelMetadata",
    "find_head",
    "find_known_metadata",
    "find_task",
    "read_model_at",
    "read_small_file",
    "set_platform_labels",
]


def read_model_at(context: Context, repository: Shown, *, commit_id: str) -> ModelMetadata:
    """What a model's files say at any commit, as a row that belongs to no session; nobody's rights are asked."""
    # Only those who read heads of files carry what reads them.
    from hub.assets.heads.models import read_model_at

    return read_model_at(context, repository, commit_id=commit_id)


def find_task(work: UnitOfWork, repository_id: int) -> str:
    """What a model is for, as its card says; empty: it does not, or was not read yet."""
    card = work.session.get(RepositoryCard, repository_id)
    task = card.card.get("pipeline_tag") if card is not None else None
    return task if isinstance(task, str) else ""


def read_small_file(
    context: Context, repository: Shown, *, commit_id: str, path: str, limit_bytes: int
) -> bytes | None:
    """The beginning of a file at a commit, as Git holds it (an LFS pointer stays one); None without one.

    Nobody's rights are asked.
    """
    try:
        found = read_file(context, repository, actor=SYSTEM, path=path, revision=commit_id, limit_bytes=limit_bytes)
    except (NotFound, Invalid):  # no such file, or a folder, or a submodule
        return None
    return found.blob.data
