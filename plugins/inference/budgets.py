"""What was spent, as the table of calls tells, and Redis put right by it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import bindparam, func, select

from hub.plugin import Context
from hub.plugin.db import UTCDateTime, reading
from plugins.inference.models import Call

# Built once each.
_OF_KEY = select(func.coalesce(func.sum(Call.cost_nano), 0)).where(
    Call.key_id == bindparam("id"), Call.started_at >= bindparam("since", type_=UTCDateTime())
)
_OF_OWNER = select(func.coalesce(func.sum(Call.cost_nano), 0)).where(
    Call.owner_uuid == bindparam("id"), Call.started_at >= bindparam("since", type_=UTCDateTime())
)


def spent_since(context: Context, kind: str, id: int | str, since: datetime) -> int:
    """What a key (kind "key", its id) or an account ("owner", its UUID) has spent since a moment, in billionths."""
    with reading(context) as work:
        [(spent,)] = work.rows(_OF_KEY if kind == "key" else _OF_OWNER, {"id": id, "since": since})
        return int(spent)
