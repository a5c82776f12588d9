"""The room's figures. Names: deployment contract, section 19."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import func, select

from hub.accounts.models import User
from hub.base.context import Context
from hub.base.metrics import Metric, Sample, add_metric
from hub.db.uow import reading


def install(context: Context) -> None:
    """Add them; done once, by ``build_context``."""
    add_metric(
        context, Metric("hub_users", "User accounts, by whether they are active.", count_users, labels=("state",))
    )


def count_users(context: Context) -> Iterator[Sample]:
    """How many accounts are active, and how many are switched off."""
    with reading(context) as work:
        counts = dict(work.session.execute(select(User.is_active, func.count()).group_by(User.is_active)).all())
    return (Sample(counts.get(is_active, 0), {"state": word}) for is_active, word in ((True, "active"), (False, "off")))
