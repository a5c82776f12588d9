"""What clients report of their own use: pages seen, buttons pressed. Kept for a while, then pruned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import insert

from hub.accounts.policy import Action, Actor, require
from hub.accounts.service import get_own_user
from hub.base.errors import Invalid, TooLarge
from hub.base.texts import is_storable
from hub.community.models import ClientEvent
from hub.db.uow import UnitOfWork

# Source: CSGHub contract, section 4.7; the other limits are the columns' widths.
MAX_EVENTS = 300
MAX_EXTENSION_CHARS = 4096
MAX_NAME_CHARS = 64
MAX_VALUE_CHARS = 255


@dataclass(frozen=True)
class Report:
    """One thing that happened in a client: which part of it, what, a value, and whatever else the client has to say."""

    module: str
    event: str
    value: str = ""
    extension: str = ""


_LIMITS = {
    "module": MAX_NAME_CHARS,
    "event": MAX_NAME_CHARS,
    "value": MAX_VALUE_CHARS,
    "extension": MAX_EXTENSION_CHARS,
}


def record_events(work: UnitOfWork, *, actor: Actor, reports: Sequence[Report], address: str) -> None:
    """Keep what a client of the actor reports. address: the network address that it was sent from.

    Raises NotSignedIn, Denied, TooLarge; Invalid (``REQ-ERR-6``), and then nothing is kept.
    """
    user = get_own_user(work, actor=actor)
    require(work, actor, Action.ACCOUNT_READ, user, what="user")
    if len(reports) > MAX_EVENTS:
        raise TooLarge(f"At most {MAX_EVENTS} events fit into one request.")
    for report in reports:
        for name, most in _LIMITS.items():
            text: str = getattr(report, name)
            if len(text) > most or not is_storable(text):
                raise Invalid(f"An event's {name} is longer than {most} characters, or no text.", code="REQ-ERR-6")
    if not reports:
        return
    now = work.now()
    sent = {"user_id": user.id, "address": address[:64], "created_at": now}
    rows = [
        sent | {"module": one.module, "event": one.event, "value": one.value, "extension": one.extension}
        for one in reports
    ]
    work.session.execute(insert(ClientEvent), rows)
