"""The tables of deployments and their versions. How one stands is said by its workload alone, in the core's table."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from hub.plugin.db import Model, RowId

# Types of deployment. Source: compute contract, section 1.1.
DEDICATED, SERVERLESS = 1, 3

_ACTIVE_DEDICATED = "deleted_at IS NULL AND type = 1"
_ACTIVE_SERVERLESS = "deleted_at IS NULL AND type = 3"


class Deployment(Model):
    """A model of the hub that it serves itself. Owner, SKU, state and who made it are its workload's.

    That is the workload of one of its versions: of one that answers, as long as any does.
    """

    __tablename__ = "inference_deployments"
    __table_args__ = (
        # What was deleted does not hold its name.
        Index(
            "uq_inference_deployments_namespace_id_name_key",
            *("namespace_id", "name_key"),
            unique=True,
            sqlite_where=text(_ACTIVE_DEDICATED),
            postgresql_where=text(_ACTIVE_DEDICATED),
        ),
        # The gateway knows a serverless one by its repository's path.
        Index(
            "uq_inference_deployments_repo_path",
            "repo_path",
            unique=True,
            sqlite_where=text(_ACTIVE_SERVERLESS),
            postgresql_where=text(_ACTIVE_SERVERLESS),
        ),
        Index(None, "repository_id", "type"),
        Index(None, "svc_name"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    workload_id: Mapped[int] = mapped_column(ForeignKey("workloads.id", ondelete="CASCADE"), unique=True)
    svc_name: Mapped[str] = mapped_column(String(63))  # of its first workload, for good: callers know it by that
    namespace_id: Mapped[int] = mapped_column(ForeignKey("namespaces.id", ondelete="CASCADE"))
    # No foreign key: what runs goes on, under the name that its callers know, when the repository is gone or renamed.
    repository_id: Mapped[int] = mapped_column(RowId)
    repo_path: Mapped[str] = mapped_column(String(255))
    type: Mapped[int]
    name: Mapped[str] = mapped_column(String(64))
    name_key: Mapped[str] = mapped_column(String(64))  # in lower case
    revision: Mapped[str] = mapped_column(String(255))  # as it was asked for; the commit is the workload's
    task: Mapped[str] = mapped_column(String(64))
    engine: Mapped[str] = mapped_column(String(64))
    framework_id: Mapped[int | None] = mapped_column(RowId)  # of the engine's image, where one was chosen
    engine_args: Mapped[dict[str, Any]]  # name to value, of those that were changed
    entrypoint: Mapped[str] = mapped_column(String(1024))
    environment: Mapped[dict[str, Any]]
    variables: Mapped[dict[str, Any]]
    sealed_key: Mapped[str] = mapped_column(Text)  # which the engine wants of its callers; empty: none
    # How the running engine is called, and what it answers.
    upstream_path: Mapped[str] = mapped_column(String(255))
    upstream_model: Mapped[str] = mapped_column(String(255))
    routes: Mapped[list[Any]]
    has_tools: Mapped[bool]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]

    @property
    def repo_name(self) -> str:
        """The last part of the repository's path."""
        return self.repo_path.rpartition("/")[2]


class DeploymentVersion(Model):
    """A commit of the model that a deployment serves, beside others or alone. Which one is its workload's to say."""

    __tablename__ = "inference_deployment_versions"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    deployment_id: Mapped[int] = mapped_column(ForeignKey("inference_deployments.id", ondelete="CASCADE"), index=True)
    workload_id: Mapped[int] = mapped_column(ForeignKey("workloads.id", ondelete="CASCADE"), unique=True)
    traffic_percent: Mapped[int]  # of the calls; of all versions together 100
    created_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]
