"""Tables of workloads and of what they can be run on."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from hub.accounts.models import Namespace, User
from hub.compute.spec import WorkloadSpec, parse_spec
from hub.compute.states import WORDS, Code
from hub.db.base import Model, RowId, new_uuid

# The secure levels of the compute contract, 1.6.
PUBLIC, PRIVATE = 1, 2


class Desired(StrEnum):
    """What its owner wants of a workload."""

    RUNNING = "running"
    STOPPED = "stopped"
    DELETED = "deleted"


class TaskType(StrEnum):
    """What a task does: make the image, or run the workload."""

    BUILD = "build"
    RUN = "run"


class TaskState(StrEnum):
    """How far a task is. Both families of the contract's codes, 1.3, in one."""

    PENDING = "pending"
    WORKING = "working"  # building; deploying
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Sku(Model):
    """Something that workloads can be run on, as it is offered. resources: the contract's hardware JSON, 11.1."""

    __tablename__ = "skus"
    __table_args__ = (
        # One that was removed does not hold its name.
        Index(
            "uq_skus_cluster_id_name",
            *("cluster_id", "name"),
            unique=True,
            sqlite_where=text("deleted_at IS NULL"),
            postgresql_where=text("deleted_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    name: Mapped[str] = mapped_column(String(128))
    cluster_id: Mapped[str] = mapped_column(String(64))
    resources: Mapped[dict[str, Any]]
    scenarios: Mapped[int] = mapped_column(RowId, default=-1)  # bits; -1: all
    deleted_at: Mapped[datetime | None]  # workloads that were made on it still name it
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Workload(Model):
    """Something that runs for somebody, ran, or will. Its row is kept when it is deleted."""

    __tablename__ = "workloads"
    __table_args__ = (
        Index(None, "namespace_id", "id"),
        Index(None, "purpose", "id"),
        # Of the reconciler: what should run, and what may not have been stopped yet.
        Index(
            "ix_workloads_kept_true",
            "id",
            sqlite_where=text("desired = 'running' OR released_at IS NULL"),
            postgresql_where=text("desired = 'running' OR released_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True, default=new_uuid)
    svc_name: Mapped[str] = mapped_column(String(63), unique=True)
    kind: Mapped[str] = mapped_column(String(16))
    purpose: Mapped[str] = mapped_column(String(32))  # the word of whoever made it: "inference"
    title: Mapped[str] = mapped_column(String(128), default="")
    # Who is billed, and in whose lists it shows.
    namespace_id: Mapped[int] = mapped_column(ForeignKey("namespaces.id", ondelete="CASCADE"))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    # No foreign key: what runs goes on when the repository is gone.
    repository_id: Mapped[int | None] = mapped_column(RowId, index=True)
    commit_id: Mapped[str] = mapped_column(String(64), default="")
    spec: Mapped[dict[str, Any]]
    sealed_secrets: Mapped[str] = mapped_column(Text, default="")
    sku_id: Mapped[int | None] = mapped_column(ForeignKey("skus.id", ondelete="SET NULL"), index=True)
    sku_name: Mapped[str] = mapped_column(String(128), default="")
    hardware: Mapped[dict[str, Any]] = mapped_column(default=dict)  # of the SKU, as it was then
    driver: Mapped[str] = mapped_column(String(32))
    is_private: Mapped[bool] = mapped_column(default=True)
    desired: Mapped[Desired] = mapped_column(default=Desired.STOPPED)
    task_number: Mapped[int] = mapped_column(default=0)  # of the newest run task; only its news count
    # What is true, as far as the hub knows; ``service.applying`` alone writes it.
    code: Mapped[int] = mapped_column(default=int(Code.PENDING))
    reason: Mapped[str] = mapped_column(String(128), default="")
    message: Mapped[str] = mapped_column(Text, default="")
    endpoint: Mapped[str] = mapped_column(Text, default="")  # of several instances: with commas between
    instances: Mapped[list[Any]] = mapped_column(default=list)
    actual_replicas: Mapped[int] = mapped_column(default=0)
    desired_replicas: Mapped[int] = mapped_column(default=0)
    has_run: Mapped[bool] = mapped_column(default=False)  # since its last start
    # What it takes while it is not stopped, all instances together: for admission.
    cpu_millis: Mapped[int] = mapped_column(RowId, default=0)
    memory_bytes: Mapped[int] = mapped_column(RowId, default=0)
    gpu_count: Mapped[int] = mapped_column(default=0)
    status_at: Mapped[datetime]  # when the hub last heard something new
    started_at: Mapped[datetime | None]
    released_at: Mapped[datetime | None]  # the driver was told to stop it and did
    deleted_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    namespace: Mapped[Namespace] = relationship(lazy="joined")
    user: Mapped[User | None] = relationship()

    # What ``accounts.policy.can`` asks of a resource.
    resource_type = "workload"
    is_frozen = False

    @property
    def is_public(self) -> bool:
        return not self.is_private

    @property
    def secure_level(self) -> int:
        """1: anybody may call it, 2: who may see it."""
        return PRIVATE if self.is_private else PUBLIC

    @property
    def state(self) -> Code:
        """The code as its word."""
        return Code(self.code)

    @property
    def word(self) -> str:
        """The state as the API spells it: "Running"."""
        return WORDS[self.state]

    @property
    def parsed_spec(self) -> WorkloadSpec:
        """What the driver is told, for the newest task."""
        return parse_spec(self.spec).with_task(max(self.task_number, 1))


class WorkloadTask(Model):
    """One start of a workload, or one build of its image. Only the newest of a type may change the workload."""

    __tablename__ = "workload_tasks"
    __table_args__ = (UniqueConstraint("workload_id", "type", "number"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    workload_id: Mapped[int] = mapped_column(ForeignKey("workloads.id", ondelete="CASCADE"))
    type: Mapped[TaskType]
    number: Mapped[int]
    state: Mapped[TaskState] = mapped_column(default=TaskState.PENDING)
    message: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
