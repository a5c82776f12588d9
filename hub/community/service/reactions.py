"""Reactions: signs by which readers answer a comment without words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import case, delete, func, select

from hub.accounts.policy import Actor
from hub.base.errors import Invalid
from hub.community.models_people import Reaction
from hub.community.service.discussions import (
    count_of,
    get_comment,
    get_discussion,
    require_unlocked,
    require_voice,
)
from hub.db.insert import insert_new
from hub.db.uow import UnitOfWork

SIGNS = ("+1", "-1", "laugh", "hooray", "confused", "heart", "rocket", "eyes")


@dataclass
class Reactions:
    """How many gave each sign, in the order of ``SIGNS``, and which ones the one who asks gave."""

    counts: dict[str, int] = field(default_factory=dict)
    mine: list[str] = field(default_factory=list)


def react(
    work: UnitOfWork, *, actor: Actor, discussion_id: int, comment_id: int, sign: str, is_given: bool = True
) -> Reactions:
    """Give a comment a sign, or take it back; what it has by then. May be repeated.

    Raises NotFound, NotSignedIn; Denied, also where the discussion is locked; Invalid (``REQ-ERR-6``).
    """
    discussion = get_discussion(work, actor=actor, discussion_id=discussion_id)
    comment = get_comment(work, discussion, comment_id)
    if sign not in SIGNS:
        message = f"The sign must be one of {', '.join(SIGNS)}."
        raise Invalid(message, code="REQ-ERR-6", member="sign", allowed=list(SIGNS))
    user = require_voice(work, actor, discussion.repository)
    require_unlocked(work, actor, discussion)
    if is_given:
        row = {"comment_id": comment.id, "user_id": user.id, "sign": sign, "created_at": work.now()}
        insert_new(work.session, Reaction, [row])
    else:
        own = (Reaction.comment_id == comment.id, Reaction.user_id == user.id, Reaction.sign == sign)
        count_of(work, delete(Reaction).where(*own))
    return reactions_of(work, [comment.id], actor=actor)[comment.id]


def reactions_of(work: UnitOfWork, comment_ids: Sequence[int], *, actor: Actor) -> dict[int, Reactions]:
    """What comments have, by their ids. One query."""
    found: dict[int, Reactions] = defaultdict(Reactions)
    if not comment_ids:
        return found
    is_mine = case((Reaction.user_id == actor.user_id, 1), else_=0) if actor.user_id is not None else 0
    rows = work.session.execute(
        select(Reaction.comment_id, Reaction.sign, func.count(), func.max(is_mine))
        .where(Reaction.comment_id.in_(comment_ids))
        .group_by(Reaction.comment_id, Reaction.sign)
    ).all()
    for comment_id, sign, count, mine in sorted(rows, key=lambda row: SIGNS.index(row[1])):
        found[comment_id].counts[sign] = count
        if mine:
            found[comment_id].mine.append(sign)
    return found
