"""What an account is told of how it signs in: as a notification, and in any case by e-mail where the hub sends some.

Somebody who got hold of an account could have switched its notifications off; the e-mail goes out all the same.
"""

from __future__ import annotations

from html import escape
from uuid import UUID, uuid5

from hub.accounts.browsers import describe_browser
from hub.accounts.events import SecondFactorChange, SecondFactorChanged, SignedInAnew
from hub.accounts.models import User
from hub.accounts.service.resets import can_reset as sends_mail
from hub.base.context import Context
from hub.base.mail import MAILER, Letter, MailRefused
from hub.community.models import NotificationSetting, NotificationType
from hub.community.service.notifications import Notice, tell
from hub.db.uow import UnitOfWork, unit_of_work
from hub.jobs.run import JobRun
from hub.jobs.service import JobSpec, enqueue, register

JOB = "community.tell_security"
_SIGN_INS = UUID("6d0f3a52-6d8c-4b0e-9a0f-2f5f0a1d7c11")

_TITLES = {
    SecondFactorChange.ON: "The second factor of your account is on",
    SecondFactorChange.OFF: "The second factor of your account is off",
    SecondFactorChange.RESET: "An administrator took the second factor off your account",
    SecondFactorChange.RECOVERED: "A recovery code of your account was used",
    SecondFactorChange.RENEWED: "Your account has new recovery codes",
}
ADVICE = "If it was not you, change your password at once and tell an administrator of the hub."


def install(context: Context) -> None:
    """Register the job and listen; done once, by ``build_context``."""
    register(context, JobSpec(JOB, "hub.community.security:tell_job", queue="webhooks"))
    context.events.record_with(_record)


def _record(work: UnitOfWork, event: object) -> None:
    if isinstance(event, SecondFactorChanged):
        enqueue(work, JOB, args={"user_id": event.user_id, "title": _TITLES[event.change]}, actor_id=event.actor_id)
    elif isinstance(event, SignedInAnew):
        browser = describe_browser(event.user_agent) or "a browser that does not say its name"
        title = f"Your account was signed in to from {browser}"
        if event.address:
            title += f" at {event.address}"
        # A program that begins anew each time is told of once a day.
        key = uuid5(_SIGN_INS, f"{event.user_id} {work.now().date()} {title}")
        args = {"user_id": event.user_id, "title": title, "url": "/settings/sessions", "key": str(key)}
        enqueue(work, JOB, args=args, actor_id=event.user_id)


def tell_job(run: JobRun, *, user_id: int, title: str, url: str = "/settings/account", key: str = "") -> None:
    """Tell the account. May be repeated: the notification is written once. key: so is what has the same."""
    context = run.context
    with unit_of_work(context) as work:
        user = work.session.get(User, user_id)
        if user is None or not user.is_active:
            return
        told = tell(work, Notice(key or run.uuid, NotificationType.SYSTEM, title, ADVICE, url=url), [user_id])
        is_over = _is_mailed(work, user_id) or (key and not told)
        letter = None if is_over else write_letter(context, user, title, url=url, key=run.uuid)
    if letter is None or not sends_mail(context):
        return
    try:
        with context[MAILER].session() as send:
            send(letter)
    except MailRefused as error:
        run.log(f"The server refused it: {error}")


def _is_mailed(work: UnitOfWork, user_id: int) -> bool:
    """Whether the notification itself goes out by e-mail."""
    setting = work.session.get(NotificationSetting, user_id)
    return setting is not None and setting.wants_email and NotificationType.SYSTEM in setting.types


def write_letter(context: Context, user: User, title: str, *, url: str, key: str) -> Letter:
    """The message to the account's own address. url: a path on this hub."""
    url = f"{context.settings.effective_base_url}{url}"
    text = f"{title} ({user.name}).\n\n{ADVICE}\n\n{url}\n"
    html = (
        '<!DOCTYPE html><html lang="en"><body>'
        f"<p><b>{escape(title)}</b> ({escape(user.name)}).</p><p>{escape(ADVICE)}</p>"
        f'<p><a href="{escape(url)}">{escape(url)}</a></p></body></html>\n'
    )
    return Letter(
        to=user.email, subject=title, text=text, html=html, message_id=context[MAILER].message_id(f"security-{key}")
    )
