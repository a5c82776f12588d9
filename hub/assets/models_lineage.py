"""Tables of lineage: which repository was made from which, and the runs that made them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from hub.accounts.models import Namespace, User
from hub.db.base import Model, RowId, new_uuid
from hub.repos.models import Repository


class RelationType(StrEnum):
    """What the source of a relation is to its target. Source: web UI contract, section 9, and the card's new_version.

    The first four are what the Hugging Face hub's model tree knows.
    """

    FINETUNE = "finetune"
    ADAPTER = "adapter"
    QUANTIZED = "quantized"
    MERGE = "merge"
    DISTILLED = "distilled"
    TRAINED_ON = "trained_on"
    EVALUATED_ON = "evaluated_on"
    GENERATED_BY = "generated_by"
    USES = "uses"
    DERIVED_FROM = "derived_from"
    DEPLOYED_AS = "deployed_as"
    MIRRORED_FROM = "mirrored_from"
    NEW_VERSION = "new_version"


class RelationOrigin(StrEnum):
    """Who said that two repositories belong together."""

    PERSON = "person"
    CARD = "card"
    RUN = "run"
    INFERRED = "inferred"  # from the files, or from a fork


# Written out, as an index that holds only these is used where a query says the same.
UNRESOLVED = "target_id IS NULL"


class Relation(Model):
    """That one repository was made from, or uses, another: a model its data set, a space its model.

    Stored by id, so that it follows both through renames. Whose card names what is not here has no target, but the
    name; it gets its target when there is such a repository, and loses it when that one is gone for good.
    Several may say the same; the row is there as long as one does. Whoever writes these rows holds the source
    (``rows.hold``): of what has no target nothing else keeps two alike away.
    """

    __tablename__ = "repository_relations"
    __table_args__ = (
        UniqueConstraint("source_id", "target_id", "type"),
        # The children of one repository, by type; a popular one has a million.
        Index(None, "target_id", "type", "source_id"),
        Index(None, "named_kind", "named_key"),
        Index(
            "ix_repository_relations_unresolved",
            *("named_kind", "named_key"),
            sqlite_where=text(UNRESOLVED),
            postgresql_where=text(UNRESOLVED),
        ),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    source_id: Mapped[int] = mapped_column(ForeignKey("repositories.id", ondelete="CASCADE"))
    target_id: Mapped[int | None] = mapped_column(ForeignKey("repositories.id", ondelete="SET NULL"))
    type: Mapped[RelationType] = mapped_column(default=RelationType.USES)
    # The kind and the name, "ada/base" or "squad", by which a card or a person names what need not be here; else "".
    named_kind: Mapped[str] = mapped_column(String(32), default="")
    named: Mapped[str] = mapped_column(String(129), default="")
    named_key: Mapped[str] = mapped_column(String(129), default="")  # fold_name(named)
    # Who says so: a person; what is read ("card" or "inferred"; "": nothing there says it now); a run.
    is_said: Mapped[bool] = mapped_column(default=True)
    read_as: Mapped[str] = mapped_column(String(16), default="")
    run_id: Mapped[int | None] = mapped_column(ForeignKey("runs.id", ondelete="SET NULL"), index=True)
    # The run was recorded by the platform itself, not reported by somebody.
    is_trusted: Mapped[bool] = mapped_column(default=False)
    # A writer says that it is not so. Nobody sees it then, and it stays, whatever is read later.
    is_denied: Mapped[bool] = mapped_column(default=False)
    source_commit: Mapped[str] = mapped_column(String(64), default="")
    target_commit: Mapped[str] = mapped_column(String(64), default="")
    note: Mapped[str] = mapped_column(String(500), default="")
    created_at: Mapped[datetime]

    @property
    def origin(self) -> RelationOrigin:
        """Who says so; of several the one that counts most: a run, a person, a card."""
        return origin_of(self.run_id, self.is_said, self.read_as)


def origin_of(run_id: int | None, is_said: bool, read_as: str) -> RelationOrigin:
    """As ``Relation.origin``, of a row's columns."""
    if run_id is not None:
        return RelationOrigin.RUN
    return RelationOrigin.PERSON if is_said or not read_as else RelationOrigin(read_as)


class RunState(StrEnum):
    """Life of a run: queued -> running -> one of the others, which are final."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Run(Model):
    """Something that was done with repositories at pinned commits: a training, an evaluation, a deployment ..."""

    __tablename__ = "runs"
    __table_args__ = (
        # Who sends a run twice under an id of their own made one.
        UniqueConstraint("namespace_id", "client_id"),
        Index(None, "namespace_id", "id"),
        Index(None, "type", "state", "id"),
        Index(None, "created_by_id", "id"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True, default=new_uuid)
    client_id: Mapped[str | None] = mapped_column(String(64))
    type: Mapped[str] = mapped_column(String(32))  # a name in the registry of types
    title: Mapped[str] = mapped_column(String(200), default="")
    namespace_id: Mapped[int] = mapped_column(ForeignKey("namespaces.id", ondelete="CASCADE"))
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    is_private: Mapped[bool] = mapped_column(default=True)
    is_trusted: Mapped[bool] = mapped_column(default=False)  # recorded by the platform itself
    state: Mapped[RunState] = mapped_column(default=RunState.QUEUED)
    parameters: Mapped[dict[str, Any]] = mapped_column(default=dict)
    environment: Mapped[dict[str, Any]] = mapped_column(default=dict)  # image, packages, hardware
    metrics: Mapped[dict[str, Any]] = mapped_column(default=dict)
    log_url: Mapped[str] = mapped_column(String(2000), default="")
    error: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    updated_at: Mapped[datetime]

    namespace: Mapped[Namespace] = relationship(lazy="joined")
    created_by: Mapped[User | None] = relationship()

    # What ``accounts.policy.can`` asks of a resource.
    resource_type = "run"
    is_frozen = False

    @property
    def is_public(self) -> bool:
        return not self.is_private


class RunLink(Model):
    """What a run took or gave: a repository at a commit, or the name of what is not here."""

    __tablename__ = "run_links"
    __table_args__ = (Index(None, "run_id"), Index(None, "repository_id", "run_id"))

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"))
    is_output: Mapped[bool]
    role: Mapped[str] = mapped_column(String(32), default="")  # "base", "train", "report": the type's own words
    repository_id: Mapped[int | None] = mapped_column(ForeignKey("repositories.id", ondelete="SET NULL"))
    commit_id: Mapped[str] = mapped_column(String(64), default="")
    path: Mapped[str] = mapped_column(String(1024), default="")
    name: Mapped[str] = mapped_column(String(255), default="")  # of what is not on this hub
    # Who recorded it could write there, so that a relation of that repository may follow.
    is_own: Mapped[bool] = mapped_column(default=False)

    repository: Mapped[Repository | None] = relationship()


class RunRelation(Model):
    """That a run recorded a relation, and the commits at which it did."""

    __tablename__ = "run_relations"
    __table_args__ = (Index(None, "relation_id", "run_id"),)

    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    relation_id: Mapped[int] = mapped_column(
        ForeignKey("repository_relations.id", ondelete="CASCADE"), primary_key=True
    )
    source_commit: Mapped[str] = mapped_column(String(64), default="")
    target_commit: Mapped[str] = mapped_column(String(64), default="")
