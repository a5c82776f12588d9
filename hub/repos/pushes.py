"""The record of what moved a repository's branches and tags."""

from __future__ import annotations

from sqlalchemy import func, select

from hub.accounts.models import User
from hub.accounts.policy import Action, Actor
from hub.base.paging import Page, PageArgs
from hub.db.uow import UnitOfWork
from hub.repos.lookup import get_for
from hub.repos.models import Push, PushState


def list_pushes(
    work: UnitOfWork, *, actor: Actor, repository_id: int, page: PageArgs | None = None
) -> Page[tuple[Push, str]]:
    """The pushes that moved refs, newest first, each with the name of who pushed ("": the hub, or nobody any more).

    Raises NotFound when the actor may not read the repository.
    """
    get_for(work, actor=actor, action=Action.REPOSITORY_READ, repository_id=repository_id)
    page = page or PageArgs()
    of_repository = (Push.repository_id == repository_id, Push.state == PushState.APPLIED)
    total = work.session.scalar(select(func.count(Push.id)).where(*of_repository)) or 0
    rows = work.session.execute(
        select(Push, User.name)
        .outerjoin(User, User.id == Push.actor_id)
        .where(*of_repository)
        .order_by(Push.id.desc())
        .offset(page.offset)
        .limit(page.per)
    )
    return Page([(push, name or "") for push, name in rows], total)
