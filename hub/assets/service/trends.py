"""What is trending: a score of each repository, out of what happened to it lately; and how many likes it got lately.

The score is a sum of points, so that an administrator can say what one thing counts against another:

- each like of the last 30 days, 1 to 8 points, the fresher the more; a person has one like,
- who downloaded it, each account or address once a day, in the last seven days and, by half, in the seven before: up
  to 20 points, of which 100 bring half and no number brings more. One alone brings a tenth of that in two weeks,
  however often they click. What administrators' programs counted elsewhere is believed,
- its last push, 1 to 3 points within 30 days,
- what site administrators add or take (``set_weight``).

Points go down in steps of days: a score changes seldom, and a run writes only those that did.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Float,
    SQLColumnExpression,
    Subquery,
    case,
    cast,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.engine import CursorResult

from hub.accounts.policy import Actor, require_site_admin
from hub.assets.models import Like, Trend
from hub.assets.service.likes import RECENT
from hub.base.context import Context
from hub.base.errors import Invalid
from hub.base.log import get_logger
from hub.db.insert import insert_new
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.repos.lookup import get_readable
from hub.repos.models import DayDownloads, Repository
from hub.repos.models_activities import RepositoryDownloads

log = get_logger(__name__)

# (days, points): within so many days it counts so much; the first that fits.
LIKE_STEPS = ((1, 8), (3, 6), (7, 4), (14, 2), (30, 1))
PUSH_STEPS = ((1, 3), (7, 2), (30, 1))
DOWNLOAD_STEPS = ((7, 1.0), (14, 0.5))
MOST_OF_DOWNLOADS = 20
HALF_AT_DOWNLOADS = 100
MAX_WEIGHT = 1_000_000

# Of one transaction: on SQLite it holds the one write lock, for half a second where every score changes.
BATCH = 2_000
_SMALLEST_CHANGE = 0.001

Batch = tuple[int, int]  # the first and the last id


def set_weight(work: UnitOfWork, *, actor: Actor, repository_id: int, weight: int) -> None:
    """Add points to a repository's score, or take some; 0 for none. They count at once. For site administrators.

    Raises NotSignedIn, Denied, NotFound; Invalid (``REQ-ERR-7``: beyond ``MAX_WEIGHT`` either way).
    """
    require_site_admin(work, actor)
    if abs(weight) > MAX_WEIGHT:
        raise Invalid(f"The weight is between -{MAX_WEIGHT} and {MAX_WEIGHT}.", code="REQ-ERR-7", member="weight")
    repository = get_readable(work, actor=actor, repository_id=repository_id)
    row = {"repository_id": repository.id, "week_began_at": work.now()}
    insert_new(work.session, Trend, [row])
    work.session.execute(update(Trend).where(Trend.repository_id == repository.id).values(weight=weight))
    work.session.flush()
    _write_scores(work, (repository.id, repository.id))
    log.info("weight_set", repository_id=repository.id, weight=weight, actor_id=actor.user_id)


def weights_of(work: UnitOfWork, repository_ids: Sequence[int]) -> dict[int, int]:
    """For each repository the points that administrators gave it; those without any are absent. One query."""
    rows = work.session.execute(
        select(Trend.repository_id, Trend.weight).where(Trend.repository_id.in_(repository_ids), Trend.weight != 0)
    )
    return dict(rows.all())


def update_trends(context: Context, *, after_batch: Callable[[int, int], None] = lambda done, total: None) -> int:
    """Compute every score afresh, ``BATCH`` repositories at a time; returns how many changed.

    after_batch: told up to which of how many repositories it has come (by id); may raise to stop.
    """
    with reading(context) as work:
        last = work.session.scalar(select(func.max(Repository.id))) or 0
    changed = 0
    for start in range(1, last + 1, BATCH):
        batch = (start, start + BATCH - 1)
        with unit_of_work(context) as work:
            changed += _write_scores(work, batch)
        after_batch(min(start + BATCH - 1, last), last)
    return changed


def _write_scores(work: UnitOfWork, batch: Batch) -> int:
    now = work.now()
    liked = (
        select(
            Like.repository_id,
            func.sum(_points(Like.created_at, LIKE_STEPS, now)).label("points"),
            func.sum(case((Like.created_at > now - RECENT, 1), else_=0)).label("recent"),
        )
        .where(Like.repository_id.between(*batch), Like.created_at > now - timedelta(days=LIKE_STEPS[-1][0]))
        .group_by(Like.repository_id)
        .subquery()
    )
    clients = _fresh(
        RepositoryDownloads.repository_id, RepositoryDownloads.day, RepositoryDownloads.clients, batch, now
    )
    told = _fresh(DayDownloads.repository_id, DayDownloads.day, DayDownloads.count, batch, now)
    recent = func.coalesce(clients.c.fresh, 0.0) + func.coalesce(told.c.fresh, 0.0)
    score = (
        cast(func.coalesce(liked.c.points, 0), Float)
        + MOST_OF_DOWNLOADS * recent / (recent + HALF_AT_DOWNLOADS)
        + _points(Repository.pushed_at, PUSH_STEPS, now)
        + func.coalesce(Trend.weight, 0)
    )
    scores = (
        select(Repository.id, score.label("score"), func.coalesce(liked.c.recent, 0).label("likes"))
        .outerjoin(Trend, Trend.repository_id == Repository.id)
        .outerjoin(liked, liked.c.repository_id == Repository.id)
        .outerjoin(clients, clients.c.repository_id == Repository.id)
        .outerjoin(told, told.c.repository_id == Repository.id)
        .where(Repository.id.between(*batch))
        .subquery()
    )
    # Not through the rows: their updated_at is the time of their last change by a person.
    result = work.session.execute(
        update(Repository)
        .where(
            Repository.id == scores.c.id,
            or_(
                func.abs(Repository.trending_score - scores.c.score) > _SMALLEST_CHANGE,
                Repository.recent_like_count != scores.c.likes,
            ),
        )
        .values(trending_score=scores.c.score, recent_like_count=scores.c.likes)
        .execution_options(synchronize_session=False)
    )
    assert isinstance(result, CursorResult)
    return result.rowcount


def _fresh(
    repository_id: SQLColumnExpression[int],
    day: SQLColumnExpression[date],
    count: SQLColumnExpression[int],
    batch: Batch,
    now: datetime,
) -> Subquery:
    """The numbers of the last days by repository, the older ones by half; a number below none counts as none."""
    weight = case(*((day > (now - timedelta(days=days)).date(), weight) for days, weight in DOWNLOAD_STEPS), else_=0.0)
    oldest = (now - timedelta(days=DOWNLOAD_STEPS[-1][0])).date()
    return (
        select(
            repository_id.label("repository_id"), func.sum(case((count > 0, count), else_=0) * weight).label("fresh")
        )
        .where(repository_id.between(*batch), day > oldest)
        .group_by(repository_id)
        .subquery()
    )


def _points(moment: SQLColumnExpression[Any], steps: Sequence[tuple[int, int]], now: datetime) -> ColumnElement[int]:
    """The points for something of that moment; none when it is older than the last step, or never was."""
    return case(*((moment > now - timedelta(days=days), points) for days, points in steps), else_=0)
