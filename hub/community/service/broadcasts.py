"""Broadcasts: what the administrators have to say to everybody who opens a page. One is active at a time."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, not_, or_, select, update

from hub.accounts.policy import Action, Actor, can, require_site_admin
from hub.base.errors import Invalid, NotFound
from hub.base.log import get_logger
from hub.base.paging import Page, PageArgs
from hub.community.models import Broadcast
from hub.community.service.texts import check_content
from hub.db.moments import remembered
from hub.db.uow import UnitOfWork

log = get_logger(__name__)

# Source: CSGHub contract, section 4.7.
FORMS = ("banner", "message")
THEMES = ("light", "dark")
MAX_BROADCAST_CHARS = 10_000
# So much later it may begin to be shown by a process in which it was not made.
KNOWN_FOR_S = 3.0


def find_active_broadcast(work: UnitOfWork) -> Broadcast | None:
    """The broadcast that everybody shall see now, or None. It is for reading: no session knows it."""
    now = work.now()
    # Every page asks.
    broadcast = remembered(work, "broadcast", lambda: _find_begun(work, now), for_s=KNOWN_FOR_S)
    return broadcast if broadcast is not None and broadcast.is_shown(now) else None


def _find_begun(work: UnitOfWork, now: datetime) -> Broadcast | None:
    found = work.rows(_BEGUN, {"now": now})
    return Broadcast(**found[0]._mapping) if found else None


# The one that began last: it ends those before, also when its own end comes. Two that were activated at the very same
# moment are possible; then the later word counts.
_BEGUN = (
    select(*Broadcast.__table__.columns)
    .where(Broadcast.is_active, func.coalesce(Broadcast.starts_at, Broadcast.updated_at) <= bindparam("now"))
    .order_by(func.coalesce(Broadcast.starts_at, Broadcast.updated_at).desc(), Broadcast.id.desc())
    .limit(1)
)


def get_broadcast(work: UnitOfWork, *, actor: Actor, broadcast_id: int) -> Broadcast:
    """One broadcast; one that is not shown now, for site administrators. Raises NotFound (``broadcast_not_found``)."""
    broadcast = work.session.get(Broadcast, broadcast_id)
    if broadcast is None or not (broadcast.is_shown(work.now()) or can(work, actor, Action.SITE_ADMIN)):
        raise NotFound("There is no such broadcast.", code="broadcast_not_found")
    return broadcast


def list_broadcasts(work: UnitOfWork, *, actor: Actor, page: PageArgs | None = None) -> Page[Broadcast]:
    """All broadcasts, the newest first. Raises NotSignedIn, Denied."""
    require_site_admin(work, actor)
    page = page or PageArgs()
    total = work.session.scalar(select(func.count(Broadcast.id))) or 0
    rows = work.session.scalars(
        select(Broadcast).order_by(Broadcast.id.desc()).offset(page.offset).limit(page.per)
    ).all()
    return Page(rows, total)


def create_broadcast(
    work: UnitOfWork,
    *,
    actor: Actor,
    content: str,
    form: str = FORMS[0],
    theme: str = THEMES[0],
    is_active: bool = True,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
) -> Broadcast:
    """A new broadcast; when it is active, the one that was so ends, now or when this one begins.

    starts_at, ends_at: when it is shown; None: at once, and until somebody ends it.
    Raises Invalid (``broadcast_times``: it would end before it begins), NotSignedIn, Denied.
    """
    require_site_admin(work, actor)
    now = work.now()
    broadcast = Broadcast(created_at=now)
    times = {"starts_at": starts_at, "ends_at": ends_at}
    _change(work, broadcast, content=content, form=form, theme=theme, is_active=is_active, **times)
    work.session.add(broadcast)
    work.session.flush()
    log.info("broadcast_created", broadcast_id=broadcast.id, actor_id=actor.user_id)
    return broadcast


def update_broadcast(work: UnitOfWork, *, actor: Actor, broadcast_id: int, **changes: Any) -> Broadcast:
    """The broadcast with some of what ``create_broadcast`` takes changed; see ``create_broadcast``.

    Raises Invalid (``REQ-ERR-6``), NotFound (``broadcast_not_found``), NotSignedIn, Denied.
    """
    require_site_admin(work, actor)
    broadcast = get_broadcast(work, actor=actor, broadcast_id=broadcast_id)
    _change(work, broadcast, **changes)
    work.session.flush()
    log.info("broadcast_updated", broadcast_id=broadcast.id, actor_id=actor.user_id)
    return broadcast


def delete_broadcast(work: UnitOfWork, *, actor: Actor, broadcast_id: int) -> None:
    """Remove a broadcast. Raises NotFound (``broadcast_not_found``), NotSignedIn, Denied."""
    require_site_admin(work, actor)
    work.session.delete(get_broadcast(work, actor=actor, broadcast_id=broadcast_id))
    work.session.flush()
    log.info("broadcast_deleted", broadcast_id=broadcast_id, actor_id=actor.user_id)


def _change(
    work: UnitOfWork,
    broadcast: Broadcast,
    *,
    content: str | None = None,
    form: str | None = None,
    theme: str | None = None,
    is_active: bool | None = None,
    **times: datetime | None,
) -> None:
    for name, moment in times.items():
        setattr(broadcast, name, moment)
    begins, ends = broadcast.starts_at, broadcast.ends_at
    if ends is not None and ends <= (begins or work.now()) and times:
        raise Invalid("It would end before it begins.", code="broadcast_times", member="ends_at")
    if content is not None:
        broadcast.content = check_content(content, most=MAX_BROADCAST_CHARS)
    if form is not None:
        broadcast.form = _one_of(form, FORMS, "bc_type")
    if theme is not None:
        broadcast.theme = _one_of(theme, THEMES, "theme")
    if is_active is not None:
        broadcast.is_active = is_active
        # One that comes later ends the others when it begins: it is the one that began last.
        if is_active and (begins is None or begins <= work.now()):
            _end_others(work, broadcast)
    broadcast.updated_at = work.now()


def _end_others(work: UnitOfWork, broadcast: Broadcast) -> None:
    is_later = Broadcast.starts_at > work.now()
    others = update(Broadcast).where(Broadcast.is_active, or_(Broadcast.starts_at.is_(None), not_(is_later)))
    if broadcast.id is not None:
        others = others.where(Broadcast.id != broadcast.id)
    work.session.execute(others.values(is_active=False).execution_options(synchronize_session=False))


def _one_of(word: str, words: tuple[str, ...], what: str) -> str:
    if word not in words:
        raise Invalid(f"'{what}' must be one of {', '.join(words)}.", code="REQ-ERR-6", member=what, allowed=words)
    return word
