"""On whose account somebody who is signed in calls."""

from __future__ import annotations

from hub.plugin import Actor
from hub.plugin.db import UnitOfWork
from hub.plugin.errors import NotSignedIn
from hub.plugin.policy import Namespace, User


def own_namespace(work: UnitOfWork, actor: Actor) -> Namespace:
    """The namespace of who is signed in. Raises NotSignedIn."""
    user = work.session.get(User, actor.user_id) if actor.user_id is not None else None
    if user is None:
        raise NotSignedIn("Sign in to see this page.")
    return user.namespace
