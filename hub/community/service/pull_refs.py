"""The refs of pull requests: which are those of open ones, and which belong to none."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from hub.accounts.policy import SYSTEM
from hub.base.context import Context
from hub.base.offload import offload
from hub.community.models import Discussion
from hub.community.service import discussions
from hub.db.uow import reading
from hub.git.repository import list_refs
from hub.git.types import ZERO_OID, RefChange
from hub.repos import refs
from hub.repos.lookup import repository_path
from hub.repos.models import Push, Repository
from hub.repos.proposals import PROPOSALS, proposal_ref


def open_refs_of(context: Context, repository_id: int) -> list[str]:
    """The refs of a repository's open pull requests."""
    with reading(context) as work:
        open_ones = select(Discussion.number).where(
            Discussion.repository_id == repository_id,
            Discussion.is_pull_request,
            Discussion.status.in_(discussions.OPEN),
        )
        return [proposal_ref(number) for number in work.session.scalars(open_ones)]


def remove_lost_refs(context: Context, repository: Repository, *, before: datetime) -> int:
    """Remove the refs, not moved since that time, that belong to no pull request; how many there were.

    A crash, or a refusal at the last moment, leaves such a one.
    """
    found = offload(list_refs, repository_path(context.settings, repository), prefix=PROPOSALS)
    if not found:
        return 0
    with reading(context) as work:
        pulls = select(Discussion.number).where(Discussion.repository_id == repository.id, Discussion.is_pull_request)
        known = {proposal_ref(number) for number in work.session.scalars(pulls)}
        recent = select(Push).where(Push.repository_id == repository.id, Push.created_at >= before)
        known.update(change.ref for push in work.session.scalars(recent) for change in refs.changes_of(push))
    lost = [RefChange(ref, tip, ZERO_OID) for ref, tip in found.items() if ref not in known]
    if lost:
        refs.receive(context, actor=SYSTEM, repository=repository, changes=lost, via="reconcile")
    return len(lost)
