"""How a deployment serves: what the calls of a time have taken, as far as they were made on one account."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select

from hub.plugin.db import UnitOfWork
from plugins.inference.models import Call

# What is looked at: the newest ones.
MAX_CALLS = 2000
_BARS = 48


@dataclass(frozen=True)
class Spread:
    """Of ten numbers five are below the first, nine below the second; of a hundred all but one below the third."""

    half: float
    most: float
    nearly_all: float


@dataclass(frozen=True)
class Figures:
    """latency_ms, first_ms, tokens_s: None where no call tells. bars: calls in equal parts of the time. is_cut: there
    were more calls, which are not in it."""

    calls: int
    failed: int
    tokens: int
    latency_ms: Spread | None
    first_ms: Spread | None
    tokens_s: Spread | None
    bars: Sequence[int]
    is_cut: bool


def find_figures(work: UnitOfWork, *, owner_uuid: str, model: str, period: timedelta) -> Figures:
    """Of the last calls of a model on an account, which the actor was allowed to see."""
    now = work.now()
    since = now - period
    query = (
        select(Call.started_at, Call.status, Call.latency_ms, Call.first_byte_ms, Call.completion_tokens)
        .where(Call.owner_uuid == owner_uuid, Call.started_at >= since, Call.model == model)
        .order_by(Call.started_at.desc())
        .limit(MAX_CALLS)
    )
    rows = work.session.execute(query).all()
    good = [row for row in rows if row.status == 200]
    speeds = [
        row.completion_tokens * 1000 / (row.latency_ms - (row.first_byte_ms or 0))
        for row in good
        if row.completion_tokens and row.latency_ms > (row.first_byte_ms or 0)
    ]
    return Figures(
        len(rows),
        len(rows) - len(good),
        sum(row.completion_tokens for row in rows),
        _spread([row.latency_ms for row in good]),
        _spread([row.first_byte_ms for row in good if row.first_byte_ms is not None]),
        _spread(speeds),
        _bars([row.started_at for row in rows], since, period),
        len(rows) == MAX_CALLS,
    )


def _spread(numbers: Sequence[float]) -> Spread | None:
    if not numbers:
        return None
    ordered = sorted(numbers)

    def at(share: float) -> float:
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)]

    return Spread(at(0.5), at(0.9), at(0.99))


def _bars(moments: Sequence[datetime], since: datetime, period: timedelta) -> list[int]:
    bars = [0] * _BARS
    for moment in moments:
        bars[min(int((moment - since) / period * _BARS), _BARS - 1)] += 1
    return bars
