"""What was downloaded and liked most in a day, a week or a month, among what is trending."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, select, union_all

from hub.accounts.policy import Actor
from hub.assets.models import Like
from hub.base.errors import Invalid
from hub.base.paging import PageArgs
from hub.db.uow import UnitOfWork
from hub.repos.models import DayDownloads
from hub.repos.models_activities import RepositoryDownloads
from hub.repos.rows import RepositoryRow
from hub.repos.service.listing import list_repositories

PERIODS = {"day": 1, "week": 7, "month": 30}
# As many of each kind are looked at as one page holds: what is used much is among what is trending.
LOOKED_AT = 100
# One who likes something says more than one who downloads it.
LIKE_POINTS = 10


def list_rising(
    work: UnitOfWork, *, actor: Actor, kinds: Sequence[str], period: str, per: int, also: object = None
) -> dict[str, list[RepositoryRow]]:
    """For each kind at most ``per`` repositories, those first that had most in the period; by trend where equal.

    period: of ``PERIODS``. Two queries a kind, and one for all. Raises Invalid (``REQ-ERR-6``).
    """
    if period not in PERIODS:
        raise Invalid(f"'period' must be one of {', '.join(PERIODS)}.", code="REQ-ERR-6", query="period")
    page = PageArgs(per=LOOKED_AT)
    rows = {
        kind: list_repositories(work, actor=actor, kind=kind, sort="trending", also=also, page=page).items  # type: ignore[arg-type]
        for kind in kinds
    }
    points = _points(work, [row.id for found in rows.values() for row in found], PERIODS[period])
    return {
        kind: sorted(found, key=lambda row: (-points.get(row.id, 0), -row.trending_score))[:per]
        for kind, found in rows.items()
    }


def _points(work: UnitOfWork, ids: Sequence[int], days: int) -> dict[int, int]:
    if not ids:
        return {}
    now: datetime = work.now()
    first = now.date() - timedelta(days=days - 1)
    downloads = (
        select(table.repository_id, func.sum(column))
        .where(table.repository_id.in_(ids), table.day >= first)
        .group_by(table.repository_id)
        for table, column in (
            (RepositoryDownloads, RepositoryDownloads.downloads),
            (DayDownloads, DayDownloads.count),
        )
    )
    likes = (
        select(Like.repository_id, func.count() * LIKE_POINTS)
        .where(Like.repository_id.in_(ids), Like.created_at > now - timedelta(days=days))
        .group_by(Like.repository_id)
    )
    found: dict[int, int] = defaultdict(int)
    for id, number in work.rows(union_all(*downloads, likes)):
        found[id] += int(number or 0)
    return found
