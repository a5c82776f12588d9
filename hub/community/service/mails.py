"""The e-mail that was sent, or waits to be, as site administrators see it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from hub.accounts.models import User
from hub.accounts.policy import Actor, require_site_admin
from hub.base.errors import Invalid
from hub.base.paging import Page, PageArgs
from hub.community.models import Notification
from hub.community.models_reviews import Mail, MailState
from hub.db.uow import UnitOfWork


@dataclass(frozen=True)
class ListedMail:
    """One message. title: of its notification; empty when that is gone."""

    id: int
    username: str
    email: str
    title: str
    state: MailState
    attempt: int
    error: str
    created_at: datetime
    sent_at: datetime | None


def list_mails(work: UnitOfWork, *, actor: Actor, state: str = "", page: PageArgs | None = None) -> Page[ListedMail]:
    """Messages, the newest first, those of a state or all. Two queries.

    Raises NotSignedIn, Denied; Invalid (``REQ-ERR-6``) for a state that there is not.
    """
    require_site_admin(work, actor)
    if state and state not in [*MailState]:
        allowed = [word.value for word in MailState]
        raise Invalid(f"'state' must be one of {', '.join(allowed)}.", code="REQ-ERR-6", query="state", allowed=allowed)
    page = page or PageArgs()
    conditions = [Mail.state == MailState(state)] if state else []
    [(total,)] = work.rows(select(func.count()).select_from(Mail).where(*conditions))
    rows = work.rows(
        select(Mail.id, User.name, User.email, Notification.title, Mail.state, Mail.attempt, Mail.error,
               Mail.created_at, Mail.sent_at)
        .join(User, User.id == Mail.user_id)
        .outerjoin(Notification, Notification.uuid == Mail.notification_uuid)
        .where(*conditions)
        .order_by(Mail.id.desc())
        .offset(page.offset)
        .limit(page.per)
    )  # fmt: skip
    return Page([ListedMail(id, name, email, title or "", *rest) for id, name, email, title, *rest in rows], total)
