"""Another e-mail address, where the hub sends e-mail: it is taken when its owner tells the code that was sent to it.

Nothing is stored: a code is derived from the account, its address of today, the new one and the time, so it is good
for a quarter to half an hour and once. Site administrators change addresses without.
"""

from __future__ import annotations

from hashlib import sha256
from hmac import compare_digest
from uuid import uuid4

from hub.accounts.attempts import ATTEMPTS, count_attempt
from hub.accounts.models import User
from hub.accounts.policy import Action, Actor, can, require
from hub.accounts.service.fields import email_key, validate_email
from hub.base.context import Context
from hub.base.errors import Conflict, Invalid
from hub.base.mail import MAILER, Letter, LogMailer, MailRefused
from hub.base.secrets import SECRET, Signer
from hub.db.uow import UnitOfWork, reading
from hub.jobs.run import JobRun
from hub.jobs.service import JobSpec, enqueue, register

JOB = "accounts.mail_code"
_WINDOW_S = 900
_DIGITS = 8
MAX_EMAIL_CODE_CHARS = 32
# Letters that one account may have sent in the counter's window.
_MAX_SENT = 5


def install(context: Context) -> None:
    """Register the job that sends the codes; done once, by ``build_context``."""
    register(context, JobSpec(JOB, "hub.accounts.service.email_codes:send_job", queue="webhooks"))


def sends_mail(context: Context) -> bool:
    """Whether this hub sends e-mail, so that an address can be confirmed by it."""
    return not isinstance(context[MAILER], LogMailer)


def ask_for_code(work: UnitOfWork, *, actor: Actor, user: User, email: str) -> str:
    """Have a code sent to an address that the account wants to have; the address as it will be written.

    Raises Invalid (``email_invalid``), NotSignedIn, Denied, RateLimited; Conflict (``mail``) where no e-mail is sent.
    """
    require(work, actor, Action.ACCOUNT_WRITE, user, what="user")
    email = validate_email(email)
    if not sends_mail(work.context):
        raise Conflict("This hub sends no e-mail, and asks for no code.", code="mail")
    # By who asks and by who would get it.
    count_attempt(work.context[ATTEMPTS], f" code of {user.id}", "", most=_MAX_SENT)
    count_attempt(work.context[ATTEMPTS], f" code {email_key(email)}", "", most=_MAX_SENT)
    enqueue(work, JOB, args={"user_id": user.id, "email": email})
    return email


def require_code(work: UnitOfWork, *, actor: Actor, user: User, email: str, code: str) -> None:
    """Return if the account may have that address now. Raises Invalid (``email_code_invalid``), RateLimited."""
    if email_key(email) == user.email_key or not sends_mail(work.context) or can(work, actor, Action.SITE_ADMIN):
        return
    count_attempt(work.context[ATTEMPTS], f" code told by {user.id}", "")
    window = int(work.now().timestamp()) // _WINDOW_S
    told = code.strip().encode("ascii", "replace")
    if not any(
        compare_digest(code_for(work.context, user, email, each).encode(), told) for each in (window, window - 1)
    ):
        raise Invalid(
            "This address needs the code that was sent to it; the one that you told is wrong or too old.",
            code="email_code_invalid",
            member="email_verification_code",
        )


def code_for(context: Context, user: User, email: str, window: int) -> str:
    """The code of an address in one quarter of an hour, counted from the epoch."""
    signed = Signer(context[SECRET], "email-code").sign(f"{user.uuid}\0{user.email_key}\0{email_key(email)}\0{window}")
    return f"{int.from_bytes(sha256(signed.encode()).digest()[:8]) % 10**_DIGITS:0{_DIGITS}}"


def send_job(run: JobRun, *, user_id: int, email: str) -> None:
    """Send the code to the address."""
    context = run.context
    with reading(context) as work:
        user = work.session.get(User, user_id)
        if user is None or not user.is_active:
            run.log("The account is gone.")
            return
        code, name = code_for(context, user, email, int(work.now().timestamp()) // _WINDOW_S), user.name
    text = (
        f"Somebody, hopefully you, wants this to be the address of the account {name}.\n\n"
        f"Type this code there within a quarter of an hour: {code}\n\n"
        "If it was not you, nothing needs to be done.\n"
    )
    html = (
        '<!DOCTYPE html><html lang="en"><body>'
        f"<p>Somebody, hopefully you, wants this to be the address of the account <b>{name}</b>.</p>"
        f"<p>Type this code there within a quarter of an hour: <b>{code}</b></p>"
        "<p>If it was not you, nothing needs to be done.</p></body></html>\n"
    )
    letter = Letter(
        to=email,
        subject="The code for your address",
        text=text,
        html=html,
        message_id=context[MAILER].message_id(f"code-{uuid4()}"),
    )
    try:
        with context[MAILER].session() as send:
            send(letter)
    except MailRefused as error:
        run.log(f"The server refused it: {error}")
        return
    run.log("Sent.")
