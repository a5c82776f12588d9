"""What reviewers have said of a pull request, as far as a merge depends on it."""

from __future__ import annotations

from hub.community.models import PullRequest
from hub.db.uow import UnitOfWork


def count_approvals(work: UnitOfWork, pull: PullRequest) -> int:
    """How many reviewers approve of a pull request as it is now."""
    return 0


def count_unresolved(work: UnitOfWork, pull: PullRequest) -> int:
    """How many of its conversations are not resolved."""
    return 0
