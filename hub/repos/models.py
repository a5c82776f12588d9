"""Tables of repositories, pushes and LFS."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Computed, ForeignKey, Index, String, Text, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from hub.accounts.models import Namespace, Role, User
from hub.db.base import Model, RowId, new_uuid
from hub.repos import models_activities, models_upkeep  # noqa: F401 - their tables are this room's


class RepositoryState(StrEnum):
    """Life of a repository: row ``creating`` -> git on disk -> ``ready`` -> ``deleting`` -> row gone.

    ``ready`` with ``deleted_at`` set is deleted for its users and can be brought back.
    """

    CREATING = "creating"
    READY = "ready"
    DELETING = "deleting"


# What can be seen at all; written out, as an index that holds only these is used where a query says the same.
LIVE = "state = 'ready' AND deleted_at IS NULL"


def _listed_by(*columns: str) -> Index:
    # With what decides who sees a row, so that rows are passed over without being looked at.
    return Index(
        None,
        *("kind", *columns, "id"),
        sqlite_where=text(LIVE),
        postgresql_where=text(LIVE),
        postgresql_include=["is_private", "namespace_id"],
    )


class Repository(Model):
    """An asset: a bare Git repository of one kind."""

    __tablename__ = "repositories"
    __table_args__ = (
        # A deleted repository does not hold its name.
        Index(
            "uq_repositories_kind_namespace_id_name_key",
            "kind",
            "namespace_id",
            "name_key",
            unique=True,
            sqlite_where=text("deleted_at IS NULL"),
            postgresql_where=text("deleted_at IS NULL"),
        ),
        # One for each order in which lists are read, so that a page is read from the index and not sorted.
        _listed_by("updated_at"),
        _listed_by("download_count", "updated_at"),
        _listed_by("like_count", "updated_at"),
        # On PostgreSQL with names and labels, too, for the search: migration 0021.
        _listed_by("trending_score", "updated_at"),
        _listed_by("recent_like_count", "updated_at"),
        _listed_by("size_bytes", "updated_at"),
        _listed_by("name_key"),
        _listed_by(),
        Index(None, "namespace_id", "kind", "updated_at", "id"),
        Index(None, "kind", "hf_path"),
        Index(None, "kind", "ms_path"),
        Index(None, "deleted_at"),
        # By its beginning, too.
        Index(None, "name_key", postgresql_ops={"name_key": "text_pattern_ops"}),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True, default=new_uuid)  # also its directory on disk
    kind: Mapped[str] = mapped_column(String(32))  # a name in the registry of kinds
    namespace_id: Mapped[int] = mapped_column(ForeignKey("namespaces.id"))
    name: Mapped[str] = mapped_column(String(64))
    name_key: Mapped[str] = mapped_column(String(64))  # fold_name(name)
    nickname: Mapped[str] = mapped_column(String(64), default="")
    description: Mapped[str] = mapped_column(Text, default="")
    license: Mapped[str] = mapped_column(String(100), default="")
    is_private: Mapped[bool] = mapped_column(default=False)
    # Whether content is given on request only: a ``repos.gates.Gate``.
    gate: Mapped[str] = mapped_column(String(8), default="", server_default="")
    default_branch: Mapped[str] = mapped_column(String(255), default="main")
    storage: Mapped[str] = mapped_column(String(32), default="default")  # name of the volume
    state: Mapped[RepositoryState] = mapped_column(default=RepositoryState.CREATING)
    forked_from_id: Mapped[int | None] = mapped_column(ForeignKey("repositories.id", ondelete="SET NULL"))
    # The gated repository that its content was first copied from; no foreign key: it is kept when that one is gone.
    gate_source_id: Mapped[int | None] = mapped_column(RowId)
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    git_size_bytes: Mapped[int] = mapped_column(RowId, default=0)  # packs and loose objects, after the last push
    lfs_size_bytes: Mapped[int] = mapped_column(RowId, default=0)  # sum of the linked objects
    size_bytes: Mapped[int] = mapped_column(RowId, Computed("git_size_bytes + lfs_size_bytes"))  # by the database
    download_count: Mapped[int] = mapped_column(RowId, default=0)
    like_count: Mapped[int] = mapped_column(RowId, default=0)
    # Those of the last seven days, as of their last count: hourly, with the score.
    recent_like_count: Mapped[int] = mapped_column(RowId, default=0, server_default="0")
    trending_score: Mapped[float] = mapped_column(default=0.0)
    # ``repos.searching.search_text``
    search_text: Mapped[str] = mapped_column(Text, default="")
    # What only its kind has, by the names that the kind declares; secret members are sealed.
    details: Mapped[dict[str, Any]] = mapped_column(default=dict)
    # Where it comes from, as far as it is a mirror: "local", "opencsg" or "huggingface", and its path there.
    source: Mapped[str] = mapped_column(String(16), default="local")
    sync_status: Mapped[str] = mapped_column(String(16), default="")
    hf_path: Mapped[str] = mapped_column(String(255), default="")
    ms_path: Mapped[str] = mapped_column(String(255), default="")
    csg_path: Mapped[str] = mapped_column(String(255), default="")
    archived_at: Mapped[datetime | None]  # set: readable, not writable
    deleted_at: Mapped[datetime | None]
    pushed_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    namespace: Mapped[Namespace] = relationship(lazy="joined")
    created_by: Mapped[User | None] = relationship()

    @property
    def path(self) -> str:
        """``namespace/name``."""
        return f"{self.namespace.path}/{self.name}"

    # What ``accounts.policy.can`` asks of a resource.
    resource_type = "repository"

    @property
    def is_public(self) -> bool:
        return not self.is_private

    @property
    def is_frozen(self) -> bool:
        """Archived: it may be read and administered, not written."""
        return self.archived_at is not None


class RequestState(StrEnum):
    """What became of a request for a gated repository's content."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


class GateRequest(Model):
    """That a user asked for a gated repository's content, or was given it unasked."""

    __tablename__ = "gate_requests"
    __table_args__ = (UniqueConstraint("repository_id", "user_id"), Index(None, "repository_id", "state", "id"))

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True, default=new_uuid)
    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id", ondelete="CASCADE"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    state: Mapped[RequestState] = mapped_column(default=RequestState.PENDING)
    fields: Mapped[dict[str, Any]]  # what the asker says of themselves, name to text
    reason: Mapped[str] = mapped_column(String(500), default="")  # why it was rejected
    decided_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]

    user: Mapped[User] = relationship(foreign_keys=[user_id])


class RepositoryRedirect(Model):
    """A former path of a repository that was renamed or transferred; a new repository there wins."""

    __tablename__ = "repository_redirects"
    __table_args__ = (UniqueConstraint("kind", "path_key"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    path_key: Mapped[str] = mapped_column(String(129))  # fold_name("namespace/name")
    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime]


class DayDownloads(Model):
    """What an administrator's program said of the downloads of one day, so that saying it again adds nothing."""

    __tablename__ = "repository_day_downloads"

    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id", ondelete="CASCADE"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    count: Mapped[int] = mapped_column(RowId, default=0)


class ProtectedBranch(Model):
    """A rule for branches whose short name matches a pattern (``*`` and ``?``; the longest pattern wins)."""

    __tablename__ = "protected_branches"
    __table_args__ = (UniqueConstraint("repository_id", "pattern"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id", ondelete="CASCADE"))
    pattern: Mapped[str] = mapped_column(String(255))
    push_role: Mapped[Role] = mapped_column(default=Role.WRITE)  # weakest role that may push
    allow_force_push: Mapped[bool] = mapped_column(default=False)
    allow_deletion: Mapped[bool] = mapped_column(default=False)
    # It changes by merges of pull requests only. allow_admins: administrators may push all the same, and merge what
    # lacks approvals.
    require_pull: Mapped[bool] = mapped_column(default=False, server_default=false())
    allow_admins: Mapped[bool] = mapped_column(default=False, server_default=false())
    required_approvals: Mapped[int] = mapped_column(default=0, server_default="0")
    dismiss_stale: Mapped[bool] = mapped_column(default=False, server_default=false())  # new commits end approvals
    require_resolved: Mapped[bool] = mapped_column(default=False, server_default=false())  # of its conversations
    created_at: Mapped[datetime]


class DeletedBranch(Model):
    """A branch that was deleted and can be brought back for a while; see ``repos.deleted_branches``.

    kept_ref: the hidden ref by which its commits stay.
    """

    __tablename__ = "deleted_branches"
    __table_args__ = (Index(None, "repository_id", "id"), Index(None, "deleted_at"))

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True, default=new_uuid)
    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(255))
    commit_id: Mapped[str] = mapped_column(String(40))
    kept_ref: Mapped[str] = mapped_column(String(100), unique=True)
    deleted_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    deleted_at: Mapped[datetime]


class PushState(StrEnum):
    """``pending``: allowed, the refs are about to move. ``applied``: they moved. ``abandoned``: they did not."""

    PENDING = "pending"
    APPLIED = "applied"
    ABANDONED = "abandoned"


class Push(Model):
    """One change of refs, written before the refs move (the intent) and settled after.

    A crash in between leaves a pending row; ``refs.reconcile`` looks at the refs and settles it either way.
    """

    __tablename__ = "pushes"
    __table_args__ = (Index(None, "state", "created_at"), Index(None, "repository_id", "id"))

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True, default=new_uuid)
    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id", ondelete="CASCADE"))
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    via: Mapped[str] = mapped_column(String(16))  # http, ssh, web, api, mirror, reconcile
    state: Mapped[PushState] = mapped_column(default=PushState.PENDING)
    changes: Mapped[list[Any]]  # [{"ref": ..., "old": 40 hex, "new": 40 hex}], zeros: absent
    created_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]


class LFSObject(Model):
    """One stored content, whoever uploaded it. The row exists only when the bytes are whole and were hashed."""

    __tablename__ = "lfs_objects"

    oid: Mapped[str] = mapped_column(String(64), primary_key=True)  # SHA-256 of the content
    size_bytes: Mapped[int] = mapped_column(RowId)
    # Who keeps the bytes (``repos.lfs.sources``); empty: they are whole in the object store.
    source: Mapped[str] = mapped_column(String(32), default="", server_default="")
    created_at: Mapped[datetime]


class LFSLink(Model):
    """That a repository holds an object. Without a link, the object does not exist for that repository's readers."""

    __tablename__ = "lfs_links"

    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id", ondelete="CASCADE"), primary_key=True)
    oid: Mapped[str] = mapped_column(ForeignKey("lfs_objects.oid"), primary_key=True, index=True)
    # Who brought it here; None: the hub did, or it is not known any more.
    pushed_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime]


class LFSProposal(Model):
    """That somebody who may not write brought an object for a pull request; see ``repos.lfs.proposed``.

    user_id: who; None when the account is gone. is_in_pull: commits of a pull request have named it.
    """

    __tablename__ = "lfs_proposals"
    __table_args__ = (UniqueConstraint("repository_id", "oid", "user_id"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id", ondelete="CASCADE"))
    oid: Mapped[str] = mapped_column(ForeignKey("lfs_objects.oid"), index=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    is_in_pull: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(index=True)


class LFSUpload(Model):
    """A multipart upload under way."""

    __tablename__ = "lfs_uploads"
    __table_args__ = (UniqueConstraint("repository_id", "oid"), Index(None, "expires_at"))

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id", ondelete="CASCADE"))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    oid: Mapped[str] = mapped_column(String(64))
    size_bytes: Mapped[int] = mapped_column(RowId)
    part_size_bytes: Mapped[int] = mapped_column(RowId)
    object_key: Mapped[str] = mapped_column(String(255))  # where the parts are put together, not yet visible
    upload_id: Mapped[str] = mapped_column(String(255))  # the store's own
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class LFSLock(Model):
    """A file that one user has locked. Source: git-lfs' locking API."""

    __tablename__ = "lfs_locks"
    __table_args__ = (UniqueConstraint("repository_id", "path"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id", ondelete="CASCADE"))
    path: Mapped[str] = mapped_column(String(1024))
    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    locked_at: Mapped[datetime]

    owner: Mapped[User] = relationship(lazy="joined")
