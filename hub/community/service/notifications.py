"""Notifications: what single users are told, and what they want to be told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.exc import IntegrityError

from hub.accounts.models import User
from hub.accounts.policy import Action, Actor, can, require, require_site_admin
from hub.accounts.service import get_own_user
from hub.base.context import Context
from hub.base.errors import Invalid, NotFound
from hub.base.log import get_logger
from hub.base.names import is_harmless_url
from hub.base.paging import Page, PageArgs
from hub.community.models import Notification, NotificationEvent, NotificationSetting, NotificationType
from hub.community.models_reviews import Mail, MailState
from hub.community.service.channels import Channel, choose, open_email, wants
from hub.community.service.texts import check_content, check_line, check_title
from hub.db.base import new_uuid
from hub.db.insert import insert_new, insert_new_keys
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.jobs.service import enqueue

log = get_logger(__name__)

SEND_JOB = "community.send"
MAIL_JOB = "community.mail"

MAX_MESSAGE_CHARS = 10_000
MAX_SUMMARY_CHARS = 255  # the columns' widths
MAX_URL_CHARS = 512
MAX_SEARCH_CHARS = 200
MAX_POLLED = 100
MIN_KEPT, MAX_KEPT = timedelta(days=1), timedelta(days=365)  # contract of the pages, section 5

# How soon a client shall ask again. Source: csghub-server, PollNewNotifications.
_NEXT_POLL = timedelta(minutes=1)
_NEXT_POLL_WHEN_MORE = timedelta(seconds=10)


@dataclass(frozen=True)
class Notice:
    """A message that is to be told to several.

    key: a UUID; who is told twice under one key reads it once. url: where it leads: a path on this hub, or a link.
    sender_uuid: empty for the hub itself. event: a ``NotificationEvent``; empty: the one that is called as the type.
    """

    key: str
    type: NotificationType
    title: str
    summary: str = ""
    content: str = ""
    url: str = ""
    sender_uuid: str = ""
    event: str = ""


@dataclass(frozen=True)
class Inbox:
    """A page of a user's notifications, and how many unread ones there are in all, and by event.

    user_uuid: whose they are.
    """

    user_uuid: str
    page: Page[Notification]
    unread: int
    unread_by_event: Mapping[str, int]


@dataclass(frozen=True)
class Polled:
    """What a client that asks again and again has not been given yet, and when it shall ask again."""

    user_uuid: str
    items: Sequence[Notification]
    next_poll_at: datetime


# Reading.


def list_notifications(
    work: UnitOfWork,
    *,
    actor: Actor,
    type: str = "",
    event: str = "",
    is_unread_only: bool = False,
    is_archived: bool | None = None,
    title: str = "",
    page: PageArgs | None = None,
) -> Inbox:
    """The actor's notifications, the newest first. title: what the title must hold, in any case.

    is_archived: only those that are put away, or only the others; None: all. Raises NotSignedIn, Denied; Invalid
    (``REQ-ERR-6``) for an unknown type or event.
    """
    page = page or PageArgs()
    user = _reader(work, actor)
    conditions: list[ColumnElement[bool]] = [Notification.user_id == user.id]
    if type:
        conditions.append(Notification.type == _check_type(type))
    if event:
        conditions.append(Notification.event == _check_event(event))
    if is_archived is not None:
        conditions.append(Notification.archived_at.is_not(None) if is_archived else Notification.archived_at.is_(None))
    if is_unread_only:
        conditions.append(Notification.read_at.is_(None))
    if wanted := check_line(title, what="title", most=MAX_SEARCH_CHARS).lower():
        conditions.append(func.lower(Notification.title).contains(wanted, autoescape=True))
    total = work.session.scalar(select(func.count(Notification.id)).where(*conditions)) or 0
    rows = work.session.scalars(
        select(Notification).where(*conditions).order_by(Notification.id.desc()).offset(page.offset).limit(page.per)
    ).all()
    unread = select(Notification.event, func.count()).where(*_unread(user)).group_by(Notification.event)
    by_event = {row[0]: row[1] for row in work.session.execute(unread)}
    return Inbox(user.uuid, Page(rows, total), sum(by_event.values()), by_event)


def count_unread(work: UnitOfWork, *, actor: Actor) -> int:
    """How many of the actor's notifications are unread. Raises NotSignedIn, Denied."""
    return _count_unread(work, _reader(work, actor))


def poll(context: Context, *, actor: Actor, limit: int, timezone: str = "", is_look: bool = False) -> Polled:
    """At most ``limit`` unread notifications that no poll has given yet, the oldest first; they count as given now.

    is_look: they do not, and no more do they for an actor who may only read the account.
    timezone: by which the user's quiet hours are read; empty: the one of the setting. In quiet hours nothing is given.
    Two polls at the same moment may give the same. Raises NotSignedIn, Denied; Invalid (``REQ-ERR-6``).
    """
    if limit < 1:
        raise Invalid("The limit must be 1 or more.", code="REQ-ERR-6", member="limit")
    limit = min(limit, MAX_POLLED)
    is_new = (
        *(Notification.read_at.is_(None), Notification.notified_at.is_(None)),
        Notification.archived_at.is_(None),
    )
    # Most polls find nothing: those must not wait for the one who writes.
    with reading(context) as work:
        user, now = _reader(work, actor), work.now()
        if is_quiet(_find_setting(work, user), now, timezone):
            return Polled(user.uuid, [], now + _NEXT_POLL)
        rows = work.session.scalars(
            select(Notification)
            .where(Notification.user_id == user.id, *is_new)
            .order_by(Notification.id)
            .limit(limit + 1)
        ).all()
        is_note = not is_look and can(work, actor, Action.ACCOUNT_WRITE, user)
    given = rows[:limit]
    if given and is_note:
        with unit_of_work(context) as work:
            work.session.execute(
                update(Notification)
                .where(Notification.id.in_([row.id for row in given]))
                .values(notified_at=now)
                .execution_options(synchronize_session=False)
            )
    return Polled(user.uuid, given, now + (_NEXT_POLL_WHEN_MORE if len(rows) > limit else _NEXT_POLL))


# Changing.


def mark(work: UnitOfWork, *, actor: Actor, ids: Sequence[int] | None, is_read: bool) -> None:
    """Make the actor's notifications of those ids (None: all) read or unread; others' ids change nothing.

    Raises NotSignedIn, Denied.
    """
    user = _writer(work, actor)
    was = Notification.read_at.is_(None) if is_read else Notification.read_at.is_not(None)
    work.session.execute(
        update(Notification)
        .where(_chosen(user, ids), was)
        .values(read_at=work.now() if is_read else None)
        .execution_options(synchronize_session=False)
    )


def archive(work: UnitOfWork, *, actor: Actor, ids: Sequence[int] | None, is_archived: bool) -> None:
    """Put the actor's notifications of those ids (None: all that are read) away, read as they are then, or take them
    back; others' ids change nothing. Raises NotSignedIn, Denied.
    """
    user = _writer(work, actor)
    was = [Notification.archived_at.is_(None) if is_archived else Notification.archived_at.is_not(None)]
    if ids is None and is_archived:
        was.append(Notification.read_at.is_not(None))
    read_at = func.coalesce(Notification.read_at, work.now())
    values = {"archived_at": work.now(), "read_at": read_at} if is_archived else {"archived_at": None}
    work.session.execute(
        update(Notification)
        .where(_chosen(user, ids), *was)
        .values(**values)
        .execution_options(synchronize_session=False)
    )


def remove(work: UnitOfWork, *, actor: Actor, ids: Sequence[int] | None) -> None:
    """Forget the actor's notifications of those ids (None: all). Raises NotSignedIn, Denied."""
    user = _writer(work, actor)
    work.session.execute(delete(Notification).where(_chosen(user, ids)).execution_options(synchronize_session=False))


def _chosen(user: User, ids: Sequence[int] | None) -> ColumnElement[bool]:
    own = Notification.user_id == user.id
    return own if ids is None else own & Notification.id.in_(ids)


# Settings.


def get_setting(work: UnitOfWork, *, actor: Actor) -> tuple[User, NotificationSetting]:
    """The actor's account and what they want to be told: everything, if they never said.

    Raises NotSignedIn, Denied.
    """
    user = _reader(work, actor)
    return user, _find_setting(work, user) or _new_setting(user)


def update_setting(
    work: UnitOfWork,
    *,
    actor: Actor,
    types: Sequence[str] | None = None,
    wants_email: bool | None = None,
    channels: Sequence[str] | None = None,
    options: Mapping[str, Any] | None = None,
) -> tuple[User, NotificationSetting]:
    """What the actor wants to be told from now on. None, and options that are not named, stay as they are.

    wants_email: also by e-mail, outside of the quiet hours, at ``email_address`` of the options or else the account's;
    it goes where the setting ``mail_url`` says. channels: as ``service.channels`` has them; they say the two before
    more finely, and count more. options: as ``get_setting`` gives them; ``timezone`` is one of the
    IANA database. Raises NotSignedIn, Denied; Invalid (``REQ-ERR-6``).
    """
    user = _writer(work, actor)
    if types is not None:
        types = [_check_type(type) for type in dict.fromkeys(types)]
    if options and options.get("timezone"):
        _zone(options["timezone"])
    setting = _find_setting(work, user)
    if setting is None:
        try:
            with work.session.begin_nested():
                setting = _new_setting(user)
                work.session.add(setting)
        except IntegrityError:
            # Somebody else said something for this account at the same moment; the later word counts.
            setting = work.session.scalars(
                select(NotificationSetting).where(NotificationSetting.user_id == user.id)
            ).one()
    if types is not None:
        setting.types = list(types)
    if wants_email is not None:
        if wants_email and not setting.wants_email:
            open_email(setting)
        setting.wants_email = wants_email
    setting.options = {**setting.options, **(options or {})}
    if channels is not None:
        choose(setting, channels)
    setting.updated_at = work.now()
    work.session.flush()
    return user, setting


def _find_setting(work: UnitOfWork, user: User) -> NotificationSetting | None:
    return work.session.get(NotificationSetting, user.id)


def _new_setting(user: User) -> NotificationSetting:
    return NotificationSetting(
        user_id=user.id,
        types=[type.value for type in NotificationType],
        wants_email=False,
        options={},
        updated_at=user.created_at,
    )


def kept_for(setting: NotificationSetting) -> timedelta | None:
    """How long the user wants to keep notifications, a day to a year; None: as the hub keeps them."""
    seconds = int(setting.options.get("message_ttl") or 0)
    return max(MIN_KEPT, min(timedelta(seconds=min(seconds, 10**9)), MAX_KEPT)) if seconds > 0 else None


def is_quiet(setting: NotificationSetting | None, now: datetime, timezone: str = "") -> bool:
    """Whether a client shall not disturb the user now. The hours are [start, end), over midnight or not."""
    zone = _zone(timezone) if timezone else None
    options = setting.options if setting else {}
    start, end = options.get("do_not_disturb_start"), options.get("do_not_disturb_end")
    if not (options.get("is_do_not_disturb_enabled") and start and end):
        return False
    local = now.astimezone(zone or _zone(options.get("timezone") or "UTC")).time()
    first, last = time.fromisoformat(start), time.fromisoformat(end)
    return first <= local < last if first <= last else local >= first or local < last


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # what zoneinfo raises for unknown, odd and forbidden names
        raise Invalid("There is no such time zone.", code="REQ-ERR-6", member="timezone") from None


# Sending.


def send(
    work: UnitOfWork,
    *,
    actor: Actor,
    title: str,
    content: str,
    summary: str = "",
    url: str = "",
    type: str = NotificationType.SYSTEM,
    user_uuids: Sequence[str] | None = None,
) -> Notice:
    """Tell something to those users (None: to all), by a job that takes them batch by batch. For site administrators.

    Raises NotSignedIn, Denied; Invalid (``REQ-ERR-6``); NotFound (``user_not_found``) when one does not exist.
    """
    require_site_admin(work, actor)
    notice = Notice(
        key=new_uuid(),
        type=_check_type(type),
        title=check_title(title),
        summary=check_line(summary, what="summary", most=MAX_SUMMARY_CHARS),
        content=check_content(content, most=MAX_MESSAGE_CHARS),
        url=_check_url(url),
        sender_uuid=get_own_user(work, actor=actor).uuid if actor.user_id is not None else "",
    )
    user_ids: list[int] | None = None
    if user_uuids is not None:
        wanted = set(user_uuids)
        user_ids = list(work.session.scalars(select(User.id).where(User.uuid.in_(wanted)).order_by(User.id)))
        if len(user_ids) != len(wanted):
            raise NotFound("One of these users does not exist.", code="user_not_found")
    enqueue(work, SEND_JOB, args={"notice": asdict(notice), "user_ids": user_ids}, actor_id=actor.user_id)
    log.info("notification_sent", key=notice.key, to_all=user_ids is None, actor_id=actor.user_id)
    return notice


def tell(work: UnitOfWork, notice: Notice, user_ids: Sequence[int]) -> int:
    """Write a notice down for those of the users who want to be told such things; how many were not told before.

    For who wants it by e-mail only it is put away at once.
    """
    event = notice.event or notice.type.value
    settings = work.session.scalars(select(NotificationSetting).where(NotificationSetting.user_id.in_(user_ids))).all()
    unseen = {setting.user_id for setting in settings if not wants(setting, Channel.WEB, event)}
    written = {setting.user_id for setting in settings if wants(setting, Channel.EMAIL, event)}
    key, now = UUID(notice.key), work.now()
    message = asdict(notice)
    del message["key"]
    message["event"] = event
    rows = [
        message
        | {
            "uuid": str(uuid5(key, str(user_id))),
            "user_id": user_id,
            "notified_at": None,
            "read_at": None,
            "archived_at": now if user_id in unseen else None,
            "created_at": now,
        }
        for user_id in user_ids
        if user_id not in unseen or user_id in written
    ]
    fresh = [key.id for key in insert_new_keys(work.session, Notification, rows)]
    _mail(work, fresh, sorted(written))
    return len(fresh)


def _mail(work: UnitOfWork, notification_ids: Sequence[int], user_ids: Sequence[int]) -> None:
    """Have those of the new notifications sent by e-mail that are these users'; see ``hub.community.mail``."""
    if not notification_ids or not user_ids:
        return
    told = work.session.execute(
        select(Notification.uuid, Notification.user_id).where(
            Notification.id.in_(notification_ids), Notification.user_id.in_(user_ids)
        )
    )
    rows = [
        {"user_id": user_id, "notification_uuid": uuid, "state": MailState.PENDING, "attempt": 0, "error": ""}
        | {"created_at": work.now(), "sent_at": None}
        for uuid, user_id in told
    ]
    if insert_new(work.session, Mail, rows):
        enqueue(work, MAIL_JOB, unique_key=MAIL_JOB)


def _check_type(type: str) -> NotificationType:
    try:
        return NotificationType(type)
    except ValueError:
        allowed = [known.value for known in NotificationType]
        message = f"The type must be one of {', '.join(allowed)}."
        raise Invalid(message, code="REQ-ERR-6", member="notification_type", allowed=allowed) from None


def _check_event(event: str) -> NotificationEvent:
    try:
        return NotificationEvent(event)
    except ValueError:
        allowed = [known.value for known in NotificationEvent]
        message = f"The event must be one of {', '.join(allowed)}."
        raise Invalid(message, code="REQ-ERR-6", member="event", allowed=allowed) from None


def _check_url(url: str) -> str:
    """A path on this hub, an ``http`` or ``https`` address, or empty: anything else could run as a script in a page."""
    url = check_line(url, what="click_action_url", most=MAX_URL_CHARS)
    if url and not is_harmless_url(url):
        message = "'click_action_url' must be a path on this hub, or begin with http:// or https://."
        raise Invalid(message, code="REQ-ERR-6", member="click_action_url")
    return url


def _count_unread(work: UnitOfWork, user: User) -> int:
    return work.session.scalar(select(func.count(Notification.id)).where(*_unread(user))) or 0


def _unread(user: User) -> tuple[ColumnElement[bool], ...]:
    return Notification.user_id == user.id, Notification.read_at.is_(None), Notification.archived_at.is_(None)


def _reader(work: UnitOfWork, actor: Actor) -> User:
    user = get_own_user(work, actor=actor)
    require(work, actor, Action.ACCOUNT_READ, user, what="user")
    return user


def _writer(work: UnitOfWork, actor: Actor) -> User:
    user = get_own_user(work, actor=actor)
    require(work, actor, Action.ACCOUNT_WRITE, user, what="user")
    return user
