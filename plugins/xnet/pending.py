"""Xorbs that somebody has sent and that no file has paid for: no quota counts them, so an account has only so many.

A xorb is paid for by the files that have chunks of it and count as their repositories' contents. Its row goes when they
are as large as it is: a byte of a xorb of 64 MiB does not pay for the rest. Who sends what the hub has already gets
a row all the same, or it would tell them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import cast

from sqlalchemy import Table, bindparam, delete, func, select, update
from sqlalchemy.exc import IntegrityError

from hub.plugin import Context
from hub.plugin.db import UnitOfWork, insert_new, reading, unit_of_work
from hub.plugin.errors import QuotaExceeded
from hub.plugin.settings import settings_of
from plugins.xnet.formats.xorbs import Xorb
from plugins.xnet.models import Pending
from plugins.xnet.settings import XnetSettings

_AT_ONCE = 1000
# A row takes room, too, however small its xorb is.
_LEAST_BYTES = 16 * 1024


def check_pending(work: UnitOfWork, user_id: int, xorb: Xorb) -> None:
    """Return when the account may send one more xorb that no file has paid for. Raises QuotaExceeded.

    Several that come at once may pass the limit by as many.
    """
    limit = settings_of(work.context, XnetSettings).max_unused_bytes
    if not limit:
        return
    # Who sends one again, after a failure, has it once.
    total = select(func.coalesce(func.sum(Pending.size_bytes), 0))
    used = work.session.scalar(total.where(Pending.user_id == user_id, Pending.xorb_hash != xorb.hash)) or 0
    if used + _size_of(xorb) > limit:
        raise QuotaExceeded(
            f"You have sent {used} bytes of chunks that no file uses, and may send {limit}. "
            "Finish the uploads that you have begun, or wait until what was given up is forgotten.",
            quota_bytes=limit,
            used_bytes=int(used),
        )


def add_pending(work: UnitOfWork, user_id: int, xorb: Xorb) -> None:
    """Note that the account sent a xorb. In the transaction that keeps it, or as ``note_pending``."""
    row = {
        "xorb_hash": xorb.hash,
        "user_id": user_id,
        "size_bytes": _size_of(xorb),
        "unpaid_bytes": xorb.raw_bytes,
        "created_at": work.now(),
    }
    insert_new(work.session, Pending, [row])


def note_pending(context: Context, user_id: int, xorb: Xorb) -> None:
    """The same of a xorb that the hub has, in a unit of work of its own, and only when it is not noted yet."""
    is_noted = select(Pending.user_id).where(Pending.xorb_hash == xorb.hash, Pending.user_id == user_id)
    with reading(context) as work:
        if work.session.scalar(is_noted) is not None:
            return
    try:
        with unit_of_work(context) as work:
            add_pending(work, user_id, xorb)
    except IntegrityError:
        # The collector has just taken the xorb, or somebody the account.
        return


def pay(work: UnitOfWork, amounts: Mapping[bytes, int]) -> None:
    """Let files pay for xorbs: by hash, how many bytes of each they have, repeated ones as often.

    It comes last in a transaction, when the xorbs are kept by its files: the collector locks a xorb before its rows.
    """
    hashes = sorted(amounts)
    # On the table: the ORM takes no list of values with a condition of its own.
    table = cast(Table, Pending.__table__)
    paid = (
        update(table)
        .where(table.c.xorb_hash == bindparam("xorb"))
        .values(unpaid_bytes=table.c.unpaid_bytes - bindparam("amount"))
    )
    for start in range(0, len(hashes), _AT_ONCE):
        named = Pending.xorb_hash.in_(hashes[start : start + _AT_ONCE])
        found = work.session.scalars(select(Pending.xorb_hash).where(named).distinct()).all()
        if found:
            work.session.execute(paid, [{"xorb": xorb, "amount": amounts[xorb]} for xorb in sorted(found)])
            work.session.execute(delete(Pending).where(named, Pending.unpaid_bytes <= 0))


def forget_pending(context: Context, sent_before: datetime) -> None:
    """Forget what was sent long ago: unless somebody else needs such a xorb, it has been collected."""
    with unit_of_work(context) as work:
        work.session.execute(delete(Pending).where(Pending.created_at < sent_before))


def _size_of(xorb: Xorb) -> int:
    return max(xorb.raw_bytes, xorb.stored_bytes, _LEAST_BYTES)
