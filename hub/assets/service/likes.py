"""Likes: who likes which repository."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from hub.accounts.policy import Actor
from hub.assets.models import Like
from hub.db.uow import UnitOfWork


def liked_by(work: UnitOfWork, *, actor: Actor, repository_ids: Sequence[int]) -> set[int]:
    """Those of the repositories that the actor likes. One query at most."""
    if actor.user_id is None or not repository_ids:
        return set()
    query = select(Like.repository_id).where(Like.user_id == actor.user_id, Like.repository_id.in_(repository_ids))
    return set(work.session.scalars(query))
