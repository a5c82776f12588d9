"""Seats: one more active user, or not."""

from __future__ import annotations

from hub.base.errors import Denied
from hub.db.engine import advisory_lock
from hub.db.uow import UnitOfWork
from hub.licensing.service.face import LICENSING
from hub.licensing.usage import USAGE

# Two who take the last seat at once must count one after the other; any fixed number serves.
_LOCK_KEY = 0x68756201


def check_seat(work: UnitOfWork) -> None:
    """Return when one more user may become active; the lock on the count is held until the transaction ends.

    Without a limit nothing is counted. Raises Denied (``license_seats``). Nobody is ever logged out.
    """
    most = work.context[LICENSING].seat_limit()
    if most is None:
        return
    advisory_lock(work.session.connection(), _LOCK_KEY)
    if work.context[USAGE]["users"](work) >= most:
        raise Denied(
            f"All {most} seats of this hub are taken. Switch an account off, or ask an administrator for more seats.",
            code="license_seats",
            seats=most,
        )
