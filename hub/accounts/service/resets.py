"""A new password for who has lost theirs: a link by e-mail, good for an hour and once.

Nothing is stored: the link's token is signed, and part of what is signed is the password that it replaces. Whoever
asks is told the same whether there is such an account or not, after the same work.
"""

from __future__ import annotations

from urllib.parse import quote
from uuid import uuid4

from sqlalchemy import select

from hub.accounts.attempts import ATTEMPTS, count_attempt
from hub.accounts.models import Namespace, User
from hub.accounts.passwords import hash_password
from hub.accounts.policy import SYSTEM, Actor, require_site_admin
from hub.accounts.service.fields import MAX_EMAIL_LENGTH, email_key
from hub.accounts.service.users import find_user_by_uuid, set_password
from hub.base.context import Context
from hub.base.errors import Conflict, Invalid
from hub.base.log import get_logger
from hub.base.mail import MAILER, Letter, LogMailer, MailRefused
from hub.base.names import fold_name
from hub.base.secrets import SECRET, Signer
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.jobs.run import JobRun
from hub.jobs.service import JobSpec, enqueue, register

log = get_logger(__name__)

JOB = "accounts.mail_reset"
TTL_S = 3600
_MAX_TOKEN_CHARS = 200


def install(context: Context) -> None:
    """Register the job that sends the links; done once, by ``build_context``."""
    register(context, JobSpec(JOB, "hub.accounts.service.resets:send_job", queue="webhooks"))


def can_reset(context: Context) -> bool:
    """Whether this hub sends e-mail, so that a lost password can be replaced by it."""
    return not isinstance(context[MAILER], LogMailer)


def ask_for_reset(context: Context, *, login: str, address: str) -> None:
    """Have a link sent to the account of that name or e-mail address, if there is one.

    Opens its own unit of work. Raises RateLimited; Conflict (``mail``) where this hub sends no e-mail.
    """
    if not can_reset(context):
        raise Conflict("This hub sends no e-mail; ask an administrator for a new password.", code="mail")
    login = login.strip()[:MAX_EMAIL_LENGTH]
    # By who asks and by who would get it: neither a list of names nor one mailbox can be worked through.
    count_attempt(context[ATTEMPTS], " reset", address)
    count_attempt(context[ATTEMPTS], f" reset {login}", "")
    with unit_of_work(context) as work:
        enqueue(work, JOB, args={"login": login})


def send_job(run: JobRun, *, login: str) -> None:
    """Send the link, if there is such an account and it signs in by a password."""
    context = run.context
    with reading(context) as work:
        user = _find(work, login)
        if user is None or user.password_hash is None:
            run.log("There is no such account.")
            return
        letter = _write(context, user, token_for(context, user, now_s=int(work.now().timestamp())))
    try:
        with context[MAILER].session() as send:
            send(letter)
    except MailRefused as error:
        run.log(f"The server refused it: {error}")
        return
    run.log("Sent.")


def token_for(context: Context, user: User, *, now_s: int) -> str:
    """The token of a link for this account: ``UUID.END.SIGNATURE``."""
    end = now_s + TTL_S
    return f"{user.uuid}.{end}.{_sign(context, user, end)}"


def make_reset_link(work: UnitOfWork, *, actor: Actor, user: User) -> str:
    """The address by which an account gets a new password, for an administrator to hand over; good for an hour, once.

    Raises NotSignedIn, Denied; Conflict (``reset_impossible``) for an account that is switched off or signs in by
    other means.
    """
    require_site_admin(work, actor)
    if not user.is_active or user.password_hash is None:
        raise Conflict("This account is switched off, or does not sign in by a password.", code="reset_impossible")
    log.info("reset_link_made", user_id=user.id, actor_id=actor.user_id)
    return reset_url(work.context, token_for(work.context, user, now_s=int(work.now().timestamp())))


def reset_url(context: Context, token: str) -> str:
    """The page on which the token gives a new password."""
    return f"{context.settings.effective_base_url}/login/reset?token={quote(token)}"


def check_reset_token(work: UnitOfWork, token: str) -> User:
    """The account that a link's token is for. Raises Invalid (``reset_expired``), whatever is wrong with it."""
    uuid, _, rest = token[:_MAX_TOKEN_CHARS].partition(".")
    end, _, signature = rest.partition(".")
    user = find_user_by_uuid(work, uuid) if uuid.isprintable() else None
    is_good = (
        user is not None
        and user.is_active
        and user.password_hash is not None
        and end.isascii()
        and end.isdigit()
        and int(end) > work.now().timestamp()
        and _signer(work.context).verify(_signed(user, int(end)), signature)
    )
    if user is None or not is_good:
        raise Invalid("This link is good no more: ask for a new one.", code="reset_expired")
    return user


def reset_password(context: Context, *, token: str, new_password: str) -> User:
    """Give the account of that token a new password; it is signed out everywhere, and the token is good no more.

    Opens its own units of work. Raises Invalid (``password_invalid``, ``reset_expired``).
    """
    with reading(context) as work:
        user = check_reset_token(work, token)
        name, email = user.name, user.email
    hashed = hash_password(context, new_password, name=name, email=email)
    with unit_of_work(context) as work:
        user = check_reset_token(work, token)
        set_password(work, actor=SYSTEM, user=user, password=hashed)
    log.info("password_reset", user_id=user.id)
    return user


def _find(work: UnitOfWork, login: str) -> User | None:
    if not login.isprintable():
        return None
    column = User.email_key == email_key(login) if "@" in login else Namespace.path_key == fold_name(login)
    return work.session.scalar(select(User).join(User.namespace).where(column, User.is_active))


def _signer(context: Context) -> Signer:
    return Signer(context[SECRET], "password-reset")


def _signed(user: User, end: int) -> str:
    return f"{user.uuid}\0{end}\0{user.password_hash}"


def _sign(context: Context, user: User, end: int) -> str:
    return _signer(context).sign(_signed(user, end))


def _write(context: Context, user: User, token: str) -> Letter:
    url = reset_url(context, token)
    text = (
        f"Somebody, hopefully you, wants a new password for the account {user.name}.\n\n"
        f"Choose it here within an hour:\n{url}\n\n"
        "If it was not you, nothing needs to be done: the password stays what it is.\n"
    )
    # The name is made of letters, digits and dashes, and the address is ours: there is nothing to escape.
    html = (
        '<!DOCTYPE html><html lang="en"><body>'
        f"<p>Somebody, hopefully you, wants a new password for the account <b>{user.name}</b>.</p>"
        f'<p><a href="{url}">Choose it here within an hour.</a></p>'
        "<p>If it was not you, nothing needs to be done: the password stays what it is.</p></body></html>\n"
    )
    message_id = context[MAILER].message_id(f"reset-{uuid4()}")
    return Letter(to=user.email, subject="A new password", text=text, html=html, message_id=message_id)
