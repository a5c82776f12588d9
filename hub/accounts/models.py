"""Tables of accounts. Passwords, tokens and session keys are stored as hashes only."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from hub.accounts import models_factors, models_invitations  # noqa: F401 - their tables are this room's
from hub.db.base import Model, RowId, new_uuid


class NamespaceKind(StrEnum):
    """Whose namespace it is. Source: CSGHub contract, section 1.10."""

    USER = "user"
    ORGANIZATION = "organization"


class Role(StrEnum):
    """What a member of an organisation or a collaborator of a repository may do, weakest first."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"
    OWNER = "owner"

    @property
    def rank(self) -> int:
        """0 (read) to 3 (owner), for comparison."""
        return list(Role).index(self)


class TokenScope(StrEnum):
    """The most that a token lets its bearer do, weakest first."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"

    @property
    def rank(self) -> int:
        """0 (read) to 2 (admin), for comparison."""
        return list(TokenScope).index(self)


class Namespace(Model):
    """The first part of a repository's path; one set of names for users and organisations."""

    __tablename__ = "namespaces"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True, default=new_uuid)
    path: Mapped[str] = mapped_column(String(64))
    path_key: Mapped[str] = mapped_column(String(64), unique=True)  # fold_name(path)
    kind: Mapped[NamespaceKind]
    quota_bytes: Mapped[int | None] = mapped_column(RowId)  # None: the setting of that name
    time_zone: Mapped[str] = mapped_column(String(64), default="")  # in which its days begin, by IANA's name; "": UTC
    created_at: Mapped[datetime]

    user: Mapped[User | None] = relationship(back_populates="namespace", uselist=False)
    organization: Mapped[Organization | None] = relationship(back_populates="namespace", uselist=False)

    # What ``policy.can`` asks of a resource; likewise in User and Organization.
    resource_type = "namespace"
    is_public = True
    is_frozen = False

    @property
    def namespace_id(self) -> int:
        return self.id


class User(Model):
    """A person or machine account."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True, default=new_uuid)
    namespace_id: Mapped[int] = mapped_column(ForeignKey("namespaces.id"), unique=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)  # as the namespace's path
    email: Mapped[str] = mapped_column(String(254))
    email_key: Mapped[str] = mapped_column(String(254), unique=True)  # lower case
    nickname: Mapped[str] = mapped_column(String(64), default="")
    bio: Mapped[str] = mapped_column(Text, default="")
    homepage: Mapped[str] = mapped_column(String(255), default="")
    avatar: Mapped[str] = mapped_column(String(255), default="")
    password_hash: Mapped[str | None] = mapped_column(String(255))  # None: no password sign-in
    is_admin: Mapped[bool] = mapped_column(default=False)
    is_active: Mapped[bool] = mapped_column(default=True)
    labels: Mapped[list[Any]] = mapped_column(default=list)  # words of the administrators: "vip", "blacklist" ...
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    last_login_at: Mapped[datetime | None]
    signed_out_at: Mapped[datetime | None]  # everywhere: signed session tokens from before are good no more
    second_factor_at: Mapped[datetime | None]  # since when a password alone does not sign in

    namespace: Mapped[Namespace] = relationship(back_populates="user", lazy="joined")

    resource_type = "user"
    is_public = True
    is_frozen = False


class Organization(Model):
    """A group of people that owns a namespace."""

    __tablename__ = "organizations"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36), unique=True, default=new_uuid)
    namespace_id: Mapped[int] = mapped_column(ForeignKey("namespaces.id"), unique=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)  # as the namespace's path
    display_name: Mapped[str] = mapped_column(String(64), default="")
    description: Mapped[str] = mapped_column(Text, default="")
    homepage: Mapped[str] = mapped_column(String(255), default="")
    logo: Mapped[str] = mapped_column(String(255), default="")
    type: Mapped[str] = mapped_column(String(32), default="")  # "enterprise", "school" ...
    is_verified: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    namespace: Mapped[Namespace] = relationship(back_populates="organization", lazy="joined")

    resource_type = "organization"
    is_public = True
    is_frozen = False


class Member(Model):
    """A user's role in an organisation."""

    __tablename__ = "members"
    __table_args__ = (UniqueConstraint("organization_id", "user_id"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    organization_id: Mapped[int] = mapped_column(ForeignKey("organizations.id", ondelete="CASCADE"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    role: Mapped[Role]
    created_at: Mapped[datetime]

    user: Mapped[User] = relationship(lazy="joined")
    organization: Mapped[Organization] = relationship()


class Grant(Model):
    """A role given to one user on one resource: a collaborator.

    ``resource_type`` and ``resource_id`` name a row of a higher room ("repository", its id), so this room needs not
    know that room's tables; the room deletes the grants together with the resource.
    """

    __tablename__ = "grants"
    __table_args__ = (UniqueConstraint("resource_type", "resource_id", "user_id"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    resource_type: Mapped[str] = mapped_column(String(32))
    resource_id: Mapped[int] = mapped_column(RowId)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    role: Mapped[Role]
    created_at: Mapped[datetime]

    user: Mapped[User] = relationship(lazy="joined")


class AccessToken(Model):
    """A token for programs. Only its SHA-256 is kept: tokens are random, so no slow hash is needed."""

    __tablename__ = "access_tokens"
    __table_args__ = (UniqueConstraint("user_id", "app", "name"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    app: Mapped[str] = mapped_column(String(16), default="git")  # CSGHub contract 1.2
    name: Mapped[str] = mapped_column(String(64))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    hint: Mapped[str] = mapped_column(String(8))  # the first four characters, to tell tokens apart
    scope: Mapped[TokenScope]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    created_at: Mapped[datetime]

    user: Mapped[User] = relationship(lazy="joined")


class DeployToken(Model):
    """A token for programs that is good for one thing only, by the right of the user who made it.

    resource_type, resource_id: as of a ``Grant``; the room of that thing deletes its tokens with it. scope: read or
    write.
    """

    __tablename__ = "deploy_tokens"
    __table_args__ = (UniqueConstraint("resource_type", "resource_id", "name"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    resource_type: Mapped[str] = mapped_column(String(32))
    resource_id: Mapped[int] = mapped_column(RowId)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(64))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    hint: Mapped[str] = mapped_column(String(8))  # as of an ``AccessToken``
    scope: Mapped[TokenScope]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    created_at: Mapped[datetime]

    user: Mapped[User] = relationship(lazy="joined")


class SSHKey(Model):
    """A public key by which an account signs in over SSH."""

    __tablename__ = "ssh_keys"
    __table_args__ = (UniqueConstraint("user_id", "name"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(64))
    public_key: Mapped[str] = mapped_column(Text)  # "type base64", no comment
    fingerprint_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    last_used_at: Mapped[datetime | None]
    created_at: Mapped[datetime]

    user: Mapped[User] = relationship(lazy="joined")


class WebSession(Model):
    """A browser's session. The cookie holds a random key; the row holds its SHA-256."""

    __tablename__ = "web_sessions"
    __table_args__ = (Index(None, "expires_at"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    key_hash: Mapped[str] = mapped_column(String(64), unique=True)
    user_agent: Mapped[str] = mapped_column(String(255), default="")
    address: Mapped[str] = mapped_column(String(64), default="")
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]

    user: Mapped[User] = relationship(lazy="joined")


class Verification(Model):
    """A user's or an organisation's request to be confirmed as whom they say they are."""

    __tablename__ = "verifications"
    __table_args__ = (Index(None, "subject_type", "subject_id"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    subject_type: Mapped[str] = mapped_column(String(32))  # "user" or "organization"
    subject_id: Mapped[int] = mapped_column(RowId)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))  # who asked
    sealed_details: Mapped[str] = mapped_column(Text)  # what they handed in, as JSON, encrypted
    status: Mapped[str] = mapped_column(String(16), default="pending")  # or approved, rejected
    reason: Mapped[str] = mapped_column(String(255), default="")
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class RevokedJWT(Model):
    """A signed session token that is good no more although its time is not over."""

    __tablename__ = "revoked_jwts"
    __table_args__ = (Index(None, "expires_at"),)

    jti: Mapped[str] = mapped_column(String(36), primary_key=True)
    expires_at: Mapped[datetime]
