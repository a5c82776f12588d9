"""When xorbs were last mentioned: clients rely on what they sent or were told of for weeks.

Source: Xet contract, section 8.4.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

from sqlalchemy import select, update

from hub.plugin import Context
from hub.plugin.db import UnitOfWork, reading, unit_of_work
from plugins.xnet.models import Xorb

# A mention is noted at most so often; it matters by the week.
_PRECISION = timedelta(hours=1)
_AT_ONCE = 1000


def note_mentions(work: UnitOfWork, xorb_hashes: Iterable[bytes]) -> None:
    """Note that xorbs were mentioned now. Two statements for a thousand; mostly the first finds nothing to do."""
    hashes = sorted({*xorb_hashes})
    now = work.now()
    for start in range(0, len(hashes), _AT_ONCE):
        is_due = (Xorb.hash.in_(hashes[start : start + _AT_ONCE]), Xorb.seen_at < now - _PRECISION)
        # Those that somebody else is noting at this moment are passed over: nobody waits for anybody.
        due = select(Xorb.hash).where(*is_due).order_by(Xorb.hash).with_for_update(key_share=True, skip_locked=True)
        if found := work.session.scalars(due).all():
            work.session.execute(update(Xorb).where(Xorb.hash.in_(found)).values(seen_at=now))


def refresh_mentions(context: Context, xorb_hashes: Sequence[bytes]) -> None:
    """As ``note_mentions``, in a unit of work of its own, and only when there is something to note."""
    is_due = (Xorb.hash.in_(xorb_hashes), Xorb.seen_at < context.clock.now() - _PRECISION)
    with reading(context) as work:
        found = work.session.scalar(select(Xorb.hash).where(*is_due).limit(1))
    if found is not None:
        with unit_of_work(context) as work:
            note_mentions(work, xorb_hashes)
