"""On whose account somebody who is signed in calls."""

from __future__ import annotations

from sqlalchemy import select

from hub.plugin import Actor
from hub.plugin.db import UnitOfWork
from hub.plugin.errors import NotSignedIn
from hub.plugin.policy import Namespace, User
from plugins.inference.models import ApiKey


def own_namespace(work: UnitOfWork, actor: Actor) -> Namespace:
    """The namespace of who is signed in. Raises NotSignedIn."""
    user = work.session.get(User, actor.user_id) if actor.user_id is not None else None
    if user is None:
        raise NotSignedIn("Sign in to see this page.")
    return user.namespace


def find_builtin_key(work: UnitOfWork, namespace: Namespace) -> ApiKey | None:
    """The built-in key of a namespace, when there is one already."""
    return work.session.scalar(select(ApiKey).where(ApiKey.namespace_id == namespace.id, ApiKey.is_builtin))
