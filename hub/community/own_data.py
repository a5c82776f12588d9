"""What somebody said here, for the copy of their own data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, case, select

from hub.accounts.models import Namespace, User
from hub.accounts.policy import Actor
from hub.accounts.service.own_data import OWN_DATA, iterate_rows
from hub.base.context import Context
from hub.community.models import Comment, Discussion, NotificationSetting
from hub.community.models_people import RepositoryWatch
from hub.community.models_reviews import Review
from hub.db.uow import UnitOfWork
from hub.repos.lookup import may_read
from hub.repos.models import Repository


def install(context: Context) -> None:
    """Add it; done once, by ``build_context``."""
    for name, table in (
        ("discussions", _discussions),
        ("comments", _comments),
        ("reviews", _reviews),
        ("watched_repositories", _watches),
        ("notification_settings", _settings),
    ):
        context[OWN_DATA].add(name, table)


def _place(user: User) -> tuple[ColumnElement[Any], ...]:
    """Where something was said; what they may read no more has no name."""
    is_seen = may_read(Actor.of_user(user, via="session"))
    path = case((is_seen, Namespace.path + "/" + Repository.name), else_="")
    return Repository.kind.label("repository_kind"), path.label("repository")


def _discussions(work: UnitOfWork, user: User) -> Iterator[dict[str, Any]]:
    own = (Discussion.number, Discussion.title, Discussion.is_pull_request, Discussion.status, Discussion.created_at)
    query = (
        select(*_place(user), *own)
        .join(Repository, Repository.id == Discussion.repository_id)
        .join(Namespace, Namespace.id == Repository.namespace_id)
        .where(Discussion.user_id == user.id)
    )
    return iterate_rows(work, query.order_by(Discussion.id))


def _comments(work: UnitOfWork, user: User) -> Iterator[dict[str, Any]]:
    own = (Comment.content, Comment.created_at, Comment.updated_at, Comment.hidden_at)
    query = (
        select(*_place(user), Discussion.number, *own)
        .join(Discussion, Discussion.id == Comment.discussion_id)
        .join(Repository, Repository.id == Discussion.repository_id)
        .join(Namespace, Namespace.id == Repository.namespace_id)
        .where(Comment.user_id == user.id)
    )
    return iterate_rows(work, query.order_by(Comment.id))


def _reviews(work: UnitOfWork, user: User) -> Iterator[dict[str, Any]]:
    query = (
        select(*_place(user), Discussion.number, Review.state, Review.content, Review.commit_id, Review.created_at)
        .join(Discussion, Discussion.id == Review.discussion_id)
        .join(Repository, Repository.id == Discussion.repository_id)
        .join(Namespace, Namespace.id == Repository.namespace_id)
        .where(Review.user_id == user.id)
    )
    return iterate_rows(work, query.order_by(Review.id))


def _watches(work: UnitOfWork, user: User) -> Iterator[dict[str, Any]]:
    query = (
        select(*_place(user), RepositoryWatch.level, RepositoryWatch.created_at)
        .join(Repository, Repository.id == RepositoryWatch.repository_id)
        .join(Namespace, Namespace.id == Repository.namespace_id)
        .where(RepositoryWatch.user_id == user.id)
    )
    return iterate_rows(work, query.order_by(RepositoryWatch.created_at))


def _settings(work: UnitOfWork, user: User) -> Iterator[dict[str, Any]]:
    own = (NotificationSetting.types, NotificationSetting.wants_email, NotificationSetting.options)
    return iterate_rows(work, select(*own).where(NotificationSetting.user_id == user.id))
