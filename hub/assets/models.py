"""Tables of labels, likes and collections; those of relations and runs are ``models_lineage``'s."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from hub.accounts.models import Namespace, User
from hub.assets import (  # noqa: F401 - their tables are this room's
    models_follows,
    models_indexing,
    models_records,
    models_search,
    models_security,
    models_statistics,
    models_viewer,
)
from hub.assets.models_lineage import Relation as Relation
from hub.db.base import Model, RowId
from hub.repos.models import Repository


class TagCategory(Model):
    """A group of labels of one kind of asset: the tasks of models, their licences, languages ..."""

    __tablename__ = "tag_categories"
    __table_args__ = (UniqueConstraint("scope", "name"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    scope: Mapped[str] = mapped_column(String(32))  # a name in the registry of kinds, or "organization"
    name: Mapped[str] = mapped_column(String(32))
    show_name: Mapped[str] = mapped_column(String(64), default="")
    is_enabled: Mapped[bool] = mapped_column(default=True)
    is_automatic: Mapped[bool] = mapped_column(default=False)  # read from files, not set by people


class TagState(StrEnum):
    """Who sees a label in the catalogue, and how long it is there.

    ``kept``: the hub or its administrators made it. The others are words that repositories brought, there as long as
    one carries them: ``shown`` when one of those is public, else ``unseen``. Lists are in the order of these words.
    """

    KEPT = "kept"
    SHOWN = "shown"
    UNSEEN = "unseen"


# Written out, as an index that holds only these is used where a query says the same.
SEEN_BY_ALL = "state <> 'unseen'"


class Tag(Model):
    """A label. Git's tags are something else."""

    __tablename__ = "tags"
    __table_args__ = (
        UniqueConstraint("scope", "category", "name"),
        # In the order of the catalogue.
        Index(
            "ix_tags_seen_by_all",
            *("scope", "category", "state", "name"),
            sqlite_where=text(SEEN_BY_ALL),
            postgresql_where=text(SEEN_BY_ALL),
        ),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    scope: Mapped[str] = mapped_column(String(32))  # as of its category
    category: Mapped[str] = mapped_column(String(32))
    group: Mapped[str] = mapped_column(String(64), default="")
    name: Mapped[str] = mapped_column(String(100))  # lower case
    show_name: Mapped[str] = mapped_column(String(100), default="")
    i18n_key: Mapped[str] = mapped_column(String(100), default="")
    is_builtin: Mapped[bool] = mapped_column(default=False)
    state: Mapped[TagState] = mapped_column(default=TagState.KEPT)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class TagOrigin(StrEnum):
    """Who put a label on a repository; a new reading of the files replaces only what files brought."""

    PERSON = "person"
    CARD = "card"
    FILES = "files"
    PLATFORM = "platform"  # a part of the hub that says it of all of them, such as which engines serve a model


class RepositoryTag(Model):
    """That a repository carries a label."""

    __tablename__ = "repository_tags"
    __table_args__ = (Index(None, "tag_id", "repository_id"),)

    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id", ondelete="CASCADE"), primary_key=True)
    tag_id: Mapped[int] = mapped_column(ForeignKey("tags.id", ondelete="CASCADE"), primary_key=True)
    origin: Mapped[TagOrigin] = mapped_column(default=TagOrigin.PERSON)


class Like(Model):
    """That a user likes a repository; ``Repository.like_count`` counts them."""

    __tablename__ = "likes"
    __table_args__ = (Index(None, "repository_id"),)

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id", ondelete="CASCADE"), primary_key=True)
    created_at: Mapped[datetime]


class Collection(Model):
    """A list of repositories of any kinds that somebody made."""

    __tablename__ = "collections"
    __table_args__ = (Index(None, "is_private", "updated_at"),)

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    # Lists go with the namespace that owns them; repositories hold it.
    namespace_id: Mapped[int] = mapped_column(ForeignKey("namespaces.id", ondelete="CASCADE"), index=True)
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    name: Mapped[str] = mapped_column(String(64))
    nickname: Mapped[str] = mapped_column(String(64), default="")
    description: Mapped[str] = mapped_column(Text, default="")
    theme: Mapped[str] = mapped_column(String(16), default="")  # a colour, "#fff000"
    is_private: Mapped[bool] = mapped_column(default=False)
    # Where its owner wants it among the others of the namespace; smaller ones first.
    position: Mapped[int] = mapped_column(RowId, default=0, server_default="0")
    like_count: Mapped[int] = mapped_column(RowId, default=0)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    namespace: Mapped[Namespace] = relationship(lazy="joined")
    created_by: Mapped[User | None] = relationship()

    # What ``accounts.policy.can`` asks of a resource.
    resource_type = "collection"
    is_frozen = False

    @property
    def is_public(self) -> bool:
        return not self.is_private


class CollectionItem(Model):
    """A repository in a collection."""

    __tablename__ = "collection_items"
    __table_args__ = (Index(None, "repository_id"),)

    collection_id: Mapped[int] = mapped_column(ForeignKey("collections.id", ondelete="CASCADE"), primary_key=True)
    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(RowId)
    remark: Mapped[str] = mapped_column(String(500), default="")
    created_at: Mapped[datetime]

    repository: Mapped[Repository] = relationship()


class CollectionLike(Model):
    """That a user likes a collection; ``Collection.like_count`` counts them."""

    __tablename__ = "collection_likes"
    __table_args__ = (Index(None, "collection_id"),)

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    collection_id: Mapped[int] = mapped_column(ForeignKey("collections.id", ondelete="CASCADE"), primary_key=True)
    created_at: Mapped[datetime]


class Trend(Model):
    """What ``Repository.trending_score`` is made of besides what other tables hold; absent: nothing yet."""

    __tablename__ = "repository_trends"

    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id", ondelete="CASCADE"), primary_key=True)
    weight: Mapped[int] = mapped_column(default=0)  # points that site administrators give or take
    # Of the release before this one, which counted downloads by weeks and may still run beside it; the next drops them.
    week_began_at: Mapped[datetime]
    downloads_at_week_began: Mapped[int] = mapped_column(RowId, default=0)
    downloads_of_last_week: Mapped[int] = mapped_column(RowId, default=0)
