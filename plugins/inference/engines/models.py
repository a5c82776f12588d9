"""Tables of engines: the ways in which each comes, and what is known of models' files."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hub.plugin.db import Model, RowId

# Type of deployment. Source: compute contract, section 1.1.
INFERENCE = 1


class RuntimeFramework(Model):
    """One way in which an engine comes: an image for a kind of processor, or what runs on this machine.

    Source: compute contract, section 2.1.
    """

    __tablename__ = "inference_frameworks"
    __table_args__ = (
        Index(
            "uq_inference_frameworks_engine_image",
            *("deploy_type", "engine", "compute_type", "image"),
            unique=True,
        ),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    deploy_type: Mapped[int]
    engine: Mapped[str] = mapped_column(String(64))
    version: Mapped[str] = mapped_column(String(64))
    image: Mapped[str] = mapped_column(String(255))  # empty: runs on this machine only
    compute_type: Mapped[str] = mapped_column(String(16))
    driver_version: Mapped[str] = mapped_column(String(64))
    container_port: Mapped[int]
    description: Mapped[str] = mapped_column(Text)
    is_enabled: Mapped[bool]
    is_catalogued: Mapped[bool]  # it came with the engine, and goes when the engine has it no more
    # What administrators say beyond the engine, or against it.
    added_archs: Mapped[list[Any]]
    removed_archs: Mapped[list[Any]]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class EngineCatalogue(Model):
    """A state of the declarations that was taken over into the table, so that it is done once."""

    __tablename__ = "inference_catalogues"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    loaded_at: Mapped[datetime]


class ModelScan(Model):
    """What is known of a model's files at the commit that was read last.

    facts: see ``ModelFacts``. engines: those that served it then.
    """

    __tablename__ = "inference_scans"

    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id", ondelete="CASCADE"), primary_key=True)
    commit_id: Mapped[str] = mapped_column(String(64))
    facts: Mapped[dict[str, Any]]
    engines: Mapped[list[Any]]
    is_fit: Mapped[bool]
    scanned_at: Mapped[datetime]
