"""What an account is told of how it signs in: as a notification, and in any case by e-mail where the hub sends some.

Somebody who got hold of an account could have switched its notifications off; the e-mail goes out all the same.
"""

from __future__ import annotations

from html import escape

from hub.accounts.events import SecondFactorChange, SecondFactorChanged
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
URL = "/settings/account"

_TITLES = {
    SecondFactorChange.ON: "The second factor of your account is on",
    SecondFactorChange.OFF: "The second factor of your account is off",
    SecondFactorChange.RESET: "An administrator took the second factor off your account",
    SecondFactorChange.RECOVERED: "A recovery code of your account was used",
    SecondFactorChange.RENEWED: "Your account has new recovery codes",
}
_ADVICE = "If it was not you, change your password at once and tell an administrator of the hub."


def install(context: Context) -> None:
    """Register the job and listen; done once, by ``build_context``."""
    register(context, JobSpec(JOB, "hub.community.security:tell_job", queue="webhooks"))
    context.events.record_with(_record)


def _record(work: UnitOfWork, event: object) -> None:
    if isinstance(event, SecondFactorChanged):
        args = {"user_id": event.user_id, "change": event.change.value}
        enqueue(work, JOB, args=args, actor_id=event.actor_id)


def tell_job(run: JobRun, *, user_id: int, change: str) -> None:
    """Tell the account. May be repeated: the notification is written once."""
    context, title = run.context, _TITLES[SecondFactorChange(change)]
    with unit_of_work(context) as work:
        user = work.session.get(User, user_id)
        if user is None or not user.is_active:
            return
        tell(work, Notice(run.uuid, NotificationType.SYSTEM, title, _ADVICE, url=URL), [user_id])
        letter = None if _is_mailed(work, user_id) else write_letter(context, user, title, key=run.uuid)
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


def write_letter(context: Context, user: User, title: str, *, key: str) -> Letter:
    """The message to the account's own address."""
    url = f"{context.settings.effective_base_url}{URL}"
    text = f"{title} ({user.name}).\n\n{_ADVICE}\n\n{url}\n"
    html = (
        '<!DOCTYPE html><html lang="en"><body>'
        f"<p><b>{escape(title)}</b> ({escape(user.name)}).</p><p>{escape(_ADVICE)}</p>"
        f'<p><a href="{escape(url)}">{escape(url)}</a></p></body></html>\n'
    )
    return Letter(
        to=user.email, subject=title, text=text, html=html, message_id=context[MAILER].message_id(f"security-{key}")
    )
