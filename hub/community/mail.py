"""Notifications by e-mail, for those who asked for it.

A row of ``Mail`` is written in the transaction that writes its notification, so none is forgotten. A job sends them:
before each one its row is claimed, in a transaction of its own, and after it its end is noted. So no two jobs send the
same, and only when a process, or the connection, dies between the two is a message sent once more, under the same
Message-ID.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape

from sqlalchemy import ColumnElement, delete, func, or_, select, update

from hub.accounts.models import User
from hub.base.context import Context
from hub.base.errors import Unavailable
from hub.base.log import get_logger
from hub.base.mail import MAILER, Letter, MailRefused, Send
from hub.community.models import Notification, NotificationSetting
from hub.community.models_reviews import Mail, MailState
from hub.community.service.channels import Channel, wants
from hub.community.service.discussions import count_of
from hub.community.service.notifications import MAIL_JOB, is_quiet
from hub.db.uow import reading, unit_of_work
from hub.jobs.run import JobRun
from hub.jobs.service import JobSpec, enqueue, register

log = get_logger(__name__)

LATER_KEY = f"{MAIL_JOB}.later"
# The pauses between the tries of one message, a little over a day in all. Each is longer than a try can take.
PAUSES_S = (600.0, 1800.0, 7200.0, 21_600.0, 64_800.0)
MAX_TRIES = len(PAUSES_S) + 1
# What waits for a server that is away, or for the end of quiet hours, is looked at so often.
_LOOK_AGAIN = timedelta(minutes=15)
# Older ones are news no more.
_MAX_AGE = timedelta(days=3)
_BATCH = 100
# By one run of the job, so that it ends long before its time is over.
MAX_SENT = 1000
MAX_CONTENT_CHARS = 10_000


def install(context: Context) -> None:
    """Register the job; done once, by ``build_context``."""
    register(context, JobSpec(MAIL_JOB, "hub.community.mail:send_job", queue="webhooks", timeout_s=3600))


def send_job(run: JobRun) -> None:
    """Send what is due; see ``send_mails``."""
    done = send_mails(run.context, check=run.check_cancelled)
    run.log(f"Sent {done.sent} messages, {done.failed} were refused. {done.trouble}".rstrip())


@dataclass
class Done:
    """What one run did. trouble: why it stopped early; empty: it did not."""

    sent: int = 0
    failed: int = 0
    trouble: str = ""


@dataclass(frozen=True)
class _Due:
    """A message whose turn it is. is_wanted: there still is something to tell, and somebody who wants to be told."""

    id: int
    attempt: int
    is_wanted: bool
    is_quiet: bool
    letter: Letter | None


def send_mails(context: Context, *, check: Callable[[], None] | None = None) -> Done:
    """Send the messages that are due, and ask for another run where some wait. check: called between them."""
    done = Done()
    with ExitStack() as stack:
        send: Send | None = None
        for due in _iterate_due(context):
            if check is not None:
                check()
            if not due.is_wanted:
                _drop(context, due)
            elif not due.is_quiet and due.letter is not None:
                try:
                    send = send or stack.enter_context(context[MAILER].session())
                    _send(context, send, due, due.letter, done)
                    if done.sent + done.failed >= MAX_SENT:
                        break
                except Unavailable as error:
                    done.trouble = str(error)
                    log.warning("mail_unavailable", reason=str(error))
                    break
    _ask_again(context, at_once=done.sent + done.failed >= MAX_SENT)
    return done


def _send(context: Context, send: Send, due: _Due, letter: Letter, done: Done) -> None:
    """Claim a message, send it, and note what became of it. Raises Unavailable."""
    with unit_of_work(context) as work:
        claimed = update(Mail).where(Mail.id == due.id, Mail.state == MailState.PENDING, Mail.attempt == due.attempt)
        if not count_of(work, claimed.values(attempt=due.attempt + 1, sent_at=work.now())):
            return  # another job was faster
    error = ""
    state = MailState.SENT
    try:
        send(letter)
        done.sent += 1
    except Unavailable as broken:
        is_over = due.attempt + 1 >= MAX_TRIES
        _note(context, due, MailState.FAILED if is_over else MailState.PENDING, str(broken))
        raise
    except MailRefused as refused:
        error = str(refused)
        is_over = refused.is_final or due.attempt + 1 >= MAX_TRIES
        state = MailState.FAILED if is_over else MailState.PENDING
        done.failed += 1
        log.info("mail_refused", mail_id=due.id, reason=error, is_final=is_over)
    _note(context, due, state, error)


def _note(context: Context, due: _Due, state: MailState, error: str) -> None:
    with unit_of_work(context) as work:
        mine = update(Mail).where(Mail.id == due.id, Mail.attempt == due.attempt + 1)
        count_of(work, mine.values(state=state, error=error[:255]))


def _drop(context: Context, due: _Due) -> None:
    """Forget a message that there is no reason to send; one whose last try nobody knows the end of has failed."""
    with unit_of_work(context) as work:
        mine = (Mail.id == due.id, Mail.attempt == due.attempt)
        if due.attempt < MAX_TRIES:
            count_of(work, delete(Mail).where(*mine))
        else:
            count_of(work, update(Mail).where(*mine).values(state=MailState.FAILED, error="Nobody knows its end."))


def _is_due(now: datetime) -> ColumnElement[bool]:
    tries = [
        (Mail.attempt == tried) & (Mail.sent_at <= now - timedelta(seconds=pause))
        for tried, pause in enumerate((*PAUSES_S, PAUSES_S[0]), start=1)
    ]
    return (Mail.state == MailState.PENDING) & or_(Mail.attempt == 0, *tries)


def _iterate_due(context: Context) -> Iterator[_Due]:
    """The messages that are due, in their order."""
    last_id = 0
    while True:
        with reading(context) as work:
            now = work.now()
            rows = work.session.execute(
                select(Mail, User, Notification, NotificationSetting)
                .join(User, User.id == Mail.user_id)
                .outerjoin(Notification, Notification.uuid == Mail.notification_uuid)
                .outerjoin(NotificationSetting, NotificationSetting.user_id == Mail.user_id)
                .where(_is_due(now), Mail.id > last_id)
                .order_by(Mail.id)
                .limit(_BATCH)
            ).all()
        for mail, user, notification, setting in rows:
            yield _look_at(context, mail, user, notification, setting, now)
        if len(rows) < _BATCH:
            return
        last_id = rows[-1][0].id


def _look_at(
    context: Context,
    mail: Mail,
    user: User,
    notification: Notification | None,
    setting: NotificationSetting | None,
    now: datetime,
) -> _Due:
    is_wanted = (
        notification is not None
        and notification.read_at is None
        and user.is_active
        and setting is not None
        and wants(setting, Channel.EMAIL, notification.event or notification.type)
        and mail.created_at > now - _MAX_AGE
        and mail.attempt < MAX_TRIES
    )
    letter = None
    if notification is not None and setting is not None and is_wanted:
        letter = write_letter(context, notification, str(setting.options.get("email_address") or user.email))
    return _Due(mail.id, mail.attempt, is_wanted, is_quiet(setting, now), letter)


def write_letter(context: Context, notification: Notification, address: str) -> Letter:
    """A notification as a message: plain text, and HTML without anything that a reader would load from elsewhere."""
    base = context.settings.effective_base_url
    link = f"{base}{notification.url}" if notification.url.startswith("/") else notification.url
    settings_url = f"{base}/settings/notifications"
    said = (notification.content or notification.summary)[:MAX_CONTENT_CHARS]
    why = "You asked to be told by e-mail. Change that here:"
    parts = [notification.title, said, link, f"-- \n{why} {settings_url}"]
    html = [
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"></head><body>',
        f"<p><strong>{escape(notification.title)}</strong></p>",
        f'<div style="white-space: pre-wrap">{escape(said)}</div>' if said else "",
        f'<p><a href="{escape(link)}">{escape(link)}</a></p>' if link else "",
        f'<hr><p><small>{escape(why)} <a href="{escape(settings_url)}">{escape(settings_url)}</a></small></p>',
        "</body></html>",
    ]
    return Letter(
        to=address,
        subject=notification.title,
        text="\n\n".join(part for part in parts if part) + "\n",
        html="\n".join(part for part in html if part) + "\n",
        message_id=context[MAILER].message_id(notification.uuid),
        unsubscribe_url=settings_url,
    )


def _ask_again(context: Context, *, at_once: bool = False) -> None:
    """Ask for the next run, where messages wait for one."""
    with reading(context) as work:
        pending = Mail.state == MailState.PENDING
        tried = select(func.min(Mail.sent_at)).where(pending, Mail.attempt > 0)
        is_waiting = work.session.scalar(select(Mail.id).where(pending).limit(1)) is not None
        oldest, now = work.session.scalar(tried), work.now()
    if not is_waiting:
        return
    if at_once:
        with unit_of_work(context) as work:
            enqueue(work, MAIL_JOB, unique_key=MAIL_JOB)
        return
    soonest = now + _LOOK_AGAIN
    if oldest is not None:
        soonest = max(min(soonest, oldest + timedelta(seconds=PAUSES_S[0])), now + timedelta(minutes=1))
    with unit_of_work(context) as work:
        enqueue(work, MAIL_JOB, unique_key=LATER_KEY, run_after=soonest)


def prune_mails(context: Context, *, batch: int = 500) -> int:
    """Forget the messages that are older than ``mail_ttl_s``, whatever became of them; how many. Batch by batch."""
    removed = 0
    while True:
        with unit_of_work(context) as work:
            oldest = work.now() - timedelta(seconds=context.settings.mail_ttl_s)
            ids: Sequence[int] = work.session.scalars(
                select(Mail.id).where(Mail.created_at < oldest).limit(batch)
            ).all()
            if ids:
                count_of(work, delete(Mail).where(Mail.id.in_(ids)))
        removed += len(ids)
        if len(ids) < batch:
            break
    _ask_again(context)  # what a lost job has left
    return removed
