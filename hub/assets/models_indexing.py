"""Tables of what is read from the files of repositories after each push."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hub.db.base import Model


class RepositoryCard(Model):
    """What the card of a repository's default branch says, and what is wrong with it."""

    __tablename__ = "repository_cards"

    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id", ondelete="CASCADE"), primary_key=True)
    commit_id: Mapped[str] = mapped_column(String(64), default="")
    card: Mapped[dict[str, Any]] = mapped_column(default=dict)
    problems: Mapped[list[Any]] = mapped_column(default=list)
    problem_count: Mapped[int] = mapped_column(default=0)  # without those that are notes only
    description: Mapped[str] = mapped_column(Text, default="")  # that its text gives


class ModelMetadata(Model):
    """What a model's files say of it. Nulls and empty texts: not known."""

    __tablename__ = "model_metadata"
    __table_args__ = (Index(None, "parameters", "repository_id"),)

    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id", ondelete="CASCADE"), primary_key=True)
    commit_id: Mapped[str] = mapped_column(String(64), default="")
    parameters: Mapped[int | None] = mapped_column(BigInteger)
    tensor_type: Mapped[str] = mapped_column(String(32), default="")  # that most parameters have
    architecture: Mapped[str] = mapped_column(String(128), default="")
    model_type: Mapped[str] = mapped_column(String(64), default="")
    class_name: Mapped[str] = mapped_column(String(128), default="")
    context_length: Mapped[int | None] = mapped_column(BigInteger)
    tokenizer_class: Mapped[str] = mapped_column(String(128), default="")
    vocabulary_size: Mapped[int | None] = mapped_column(BigInteger)
    quantization_method: Mapped[str] = mapped_column(String(32), default="")  # of safetensors: gptq, awq ...
    weight_bytes: Mapped[int | None] = mapped_column(BigInteger)
    # Estimates of ``hub.assets.heads.estimates``.
    run_bytes: Mapped[int | None] = mapped_column(BigInteger)
    finetune_bytes: Mapped[int | None] = mapped_column(BigInteger)
    quantizations: Mapped[list[Any]] = mapped_column(default=list)  # GGUF variants, the smallest first
    files: Mapped[list[Any]] = mapped_column(default=list)  # each with why it was not read
    # What lists tell of it once more, as one text that a list's page is read with; see ``modelmetadata.Brief``.
    brief: Mapped[str] = mapped_column(Text, default="")


class StepState(StrEnum):
    """How far one indexer is with the commit that its step names."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class IndexStep(Model):
    """What one indexer has last done with a repository.

    Who runs it holds it by ``token``: of two runs at once, the one that came first cannot write any more.
    """

    __tablename__ = "index_steps"

    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), primary_key=True)  # of the indexer
    state: Mapped[StepState]
    commit_id: Mapped[str] = mapped_column(String(64))  # empty: the branch was gone
    # At which commit, and by which version of itself, it was last done; None: never.
    done_commit_id: Mapped[str | None] = mapped_column(String(64))
    done_version: Mapped[int] = mapped_column(default=0)
    token: Mapped[str] = mapped_column(String(64), default="")  # the job's run
    starts: Mapped[int] = mapped_column(default=0)  # at this commit, of which none came to an end
    error: Mapped[str] = mapped_column(Text, default="")
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
