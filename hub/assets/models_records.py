"""Tables of what is read from the files of prompt, skill and MCP repositories, and of the versions of skills.

Rows that files brought are written anew by each indexing; ``commit_id`` says of which commit they are.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from hub.accounts.models import User
from hub.db.base import Model, RowId
from hub.repos.models import Repository


class PromptRecord(Model):
    """One prompt: a file of the default branch of a prompt repository."""

    __tablename__ = "prompts"
    __table_args__ = (
        UniqueConstraint("repository_id", "path"),
        Index(None, "updated_at"),
        Index(None, "like_count"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id", ondelete="CASCADE"))
    path: Mapped[str] = mapped_column(String(255))
    blob_id: Mapped[str] = mapped_column(String(64))
    title: Mapped[str] = mapped_column(String(255))
    excerpt: Mapped[str] = mapped_column(String(500), default="")  # the beginning of the content
    language: Mapped[str] = mapped_column(String(64), default="")
    type: Mapped[str] = mapped_column(String(16), default="text")
    source: Mapped[str] = mapped_column(String(255), default="")
    author: Mapped[str] = mapped_column(String(255), default="")
    model: Mapped[str] = mapped_column(String(255), default="")  # the linked model, ``namespace/name``
    variable_count: Mapped[int] = mapped_column(default=0)
    search_text: Mapped[str] = mapped_column(Text, default="")
    like_count: Mapped[int] = mapped_column(RowId, default=0)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]  # when another content was first seen

    repository: Mapped[Repository] = relationship()


class PromptWord(Model):
    """A tag or a category that a prompt says it has; both in lower case."""

    __tablename__ = "prompt_words"
    __table_args__ = (Index(None, "form", "word"),)

    prompt_id: Mapped[int] = mapped_column(ForeignKey("prompts.id", ondelete="CASCADE"), primary_key=True)
    form: Mapped[str] = mapped_column(String(16), primary_key=True)  # "tag" or "category"
    word: Mapped[str] = mapped_column(String(100), primary_key=True)


class PromptLike(Model):
    """That a user likes a prompt; ``PromptRecord.like_count`` counts them."""

    __tablename__ = "prompt_likes"
    __table_args__ = (Index(None, "prompt_id"),)

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    prompt_id: Mapped[int] = mapped_column(ForeignKey("prompts.id", ondelete="CASCADE"), primary_key=True)
    created_at: Mapped[datetime]


class SkillRecord(Model):
    """What the ``SKILL.md`` of a skill repository says, and what is wrong with it."""

    __tablename__ = "skills"
    __table_args__ = (Index(None, "updated_at"),)

    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), default="")
    description: Mapped[str] = mapped_column(Text, default="")
    license: Mapped[str] = mapped_column(String(255), default="")
    compatibility: Mapped[str] = mapped_column(Text, default="")
    allowed_tools: Mapped[list[Any]] = mapped_column(default=list)
    details: Mapped[dict[str, Any]] = mapped_column(default=dict)  # its member ``metadata``
    category: Mapped[str] = mapped_column(String(100), default="", index=True)  # in lower case
    search_text: Mapped[str] = mapped_column(Text, default="")
    is_valid: Mapped[bool] = mapped_column(default=False)
    problems: Mapped[list[Any]] = mapped_column(default=list)
    commit_id: Mapped[str] = mapped_column(String(64))
    updated_at: Mapped[datetime]


class SkillVersion(Model):
    """A version of a skill that somebody published: a number that stays bound to a commit."""

    __tablename__ = "skill_versions"
    __table_args__ = (UniqueConstraint("repository_id", "version"), Index(None, "repository_id", "sort_key"))

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id", ondelete="CASCADE"))
    version: Mapped[str] = mapped_column(String(64))
    sort_key: Mapped[str] = mapped_column(String(1024))  # in whose order versions follow each other
    commit_id: Mapped[str] = mapped_column(String(64))
    changelog: Mapped[str] = mapped_column(Text, default="")
    license: Mapped[str] = mapped_column(String(100), default="")
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime]

    created_by: Mapped[User | None] = relationship()


class McpServer(Model):
    """What the files of an MCP server's repository say of it, and how it would be started."""

    __tablename__ = "server_records"

    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id", ondelete="CASCADE"), primary_key=True)
    title: Mapped[str] = mapped_column(String(255), default="")
    description: Mapped[str] = mapped_column(Text, default="")
    version: Mapped[str] = mapped_column(String(255), default="")
    transports: Mapped[list[Any]] = mapped_column(default=list)  # "stdio", "streamable-http", "sse"
    tools_num: Mapped[int] = mapped_column(default=0)
    prompts_num: Mapped[int] = mapped_column(default=0)
    resources_num: Mapped[int] = mapped_column(default=0)  # templates of resources among them
    launch: Mapped[dict[str, Any]] = mapped_column(default=dict)
    sources: Mapped[list[Any]] = mapped_column(default=list)  # the files that were read
    problems: Mapped[list[Any]] = mapped_column(default=list)
    commit_id: Mapped[str] = mapped_column(String(64))
    updated_at: Mapped[datetime]


class McpProperty(Model):
    """A tool, prompt or resource that an MCP server declares in its files. Source: CSGHub contract, section 5.3."""

    __tablename__ = "server_properties"
    __table_args__ = (UniqueConstraint("repository_id", "kind", "name"), Index(None, "kind", "id"))

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(32))  # "tool", "prompt", "resource" or "resource_template"
    name: Mapped[str] = mapped_column(String(255))
    description: Mapped[str] = mapped_column(Text, default="")
    schema: Mapped[str] = mapped_column(Text, default="")  # JSON
    search_text: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
