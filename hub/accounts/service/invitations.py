"""Invitations: a link by which one person makes one account, also where registration is closed.

A link holds a code of which the hub keeps a hash; it is good until it is used, taken back, or its time is over. Sent by
e-mail, it is made by the job that sends it, so that no code waits in a queue.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from urllib.parse import quote
from uuid import uuid4

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import aliased

from hub.accounts.models import User
from hub.accounts.models_invitations import Invitation
from hub.accounts.passwords import hash_password
from hub.accounts.policy import SYSTEM, Actor, require_site_admin
from hub.accounts.service import fields
from hub.accounts.service.users import create_user
from hub.base.context import Context
from hub.base.errors import Conflict, Invalid, NotFound
from hub.base.log import get_logger
from hub.base.mail import MAILER, Letter, LogMailer, MailRefused
from hub.base.paging import Page, PageArgs
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.jobs.run import JobRun
from hub.jobs.service import JobSpec, enqueue, register

log = get_logger(__name__)

JOB = "accounts.mail_invitation"
MAX_DAYS = 30
DEFAULT_DAYS = 7
MAX_OPEN = 1000
MAX_NOTE_CHARS = 255
_MAX_CODE_CHARS = 64


def install(context: Context) -> None:
    """Register the job that sends invitations; done once, by the room's own ``install``."""
    register(context, JobSpec(JOB, "hub.accounts.service.invitations:send_job", queue="webhooks"))


def invite(
    work: UnitOfWork, *, actor: Actor, email: str = "", note: str = "", days: int = DEFAULT_DAYS, sends: bool = False
) -> tuple[Invitation, str]:
    """A new invitation and the address of its link, which cannot be had again; "" when it goes by e-mail.

    email: the only address that it is good for. note: whom it is for, to know it again. days: for how long it is good.
    sends: send it there. Raises NotSignedIn, Denied, Invalid (``email_invalid``, ``days_invalid``, ``text_invalid``);
    Conflict (``mail``: this hub sends no e-mail; ``too_many_invitations``; USER-ERR-13: who has this address has an
    account).
    """
    require_site_admin(work, actor)
    if not 1 <= days <= MAX_DAYS:
        raise Invalid(f"An invitation is good for 1 to {MAX_DAYS} days.", code="days_invalid")
    if email or sends:
        email = fields.validate_email(email)
    if sends and isinstance(work.context[MAILER], LogMailer):
        raise Conflict("This hub sends no e-mail; hand the link over yourself.", code="mail")
    if email and work.session.scalar(select(User.id).where(User.email_key == fields.email_key(email))):
        raise Conflict("This e-mail address belongs to an account.", code="USER-ERR-13")
    if (work.session.scalar(select(func.count(Invitation.id)).where(*_is_open(work))) or 0) >= MAX_OPEN:
        raise Conflict(f"There are {MAX_OPEN} open invitations already.", code="too_many_invitations")
    code = _new_code()
    invitation = Invitation(
        code_hash=_hash(code),
        email=email,
        note=fields.validate_text(note, what="note", most=MAX_NOTE_CHARS),
        invited_by_id=actor.user_id,
        created_at=work.now(),
        expires_at=work.now() + timedelta(days=days),
    )
    work.session.add(invitation)
    work.session.flush()
    if sends:
        enqueue(work, JOB, args={"uuid": invitation.uuid}, actor_id=actor.user_id)
    log.info("invitation_made", invitation=invitation.uuid, actor_id=actor.user_id)
    return invitation, "" if sends else invitation_url(work.context, code)


def invitation_url(context: Context, code: str) -> str:
    """The page on which the code makes an account."""
    return f"{context.settings.effective_base_url}/signup?invitation={quote(code)}"


def list_invitations(
    work: UnitOfWork, *, actor: Actor, page: PageArgs | None = None
) -> Page[tuple[Invitation, str, str]]:
    """Invitations, newest first, each with the names of who made and who used it. Raises NotSignedIn, Denied."""
    require_site_admin(work, actor)
    page = page or PageArgs()
    maker, guest = aliased(User), aliased(User)
    rows = work.session.execute(
        select(Invitation, maker.name, guest.name)
        .outerjoin(maker, maker.id == Invitation.invited_by_id)
        .outerjoin(guest, guest.id == Invitation.used_by_id)
        .order_by(Invitation.id.desc())
        .offset(page.offset)
        .limit(page.per)
    )
    total = work.session.scalar(select(func.count(Invitation.id))) or 0
    return Page([(row, made or "", used or "") for row, made, used in rows], total)


def withdraw(work: UnitOfWork, *, actor: Actor, uuid: str) -> None:
    """Take an invitation back, or forget one that was used. Raises NotSignedIn, Denied; NotFound."""
    require_site_admin(work, actor)
    row = work.session.scalar(select(Invitation).where(Invitation.uuid == uuid))
    if row is None:
        raise NotFound("There is no such invitation.", code="invitation_not_found")
    work.session.delete(row)
    log.info("invitation_withdrawn", invitation=uuid, actor_id=actor.user_id)


def check_invitation(work: UnitOfWork, code: str) -> Invitation:
    """The open invitation of that code. Raises Invalid (``invitation_invalid``), whatever is wrong with it."""
    code = code[:_MAX_CODE_CHARS]
    row = work.session.scalar(select(Invitation).where(Invitation.code_hash == _hash(code), *_is_open(work)))
    if row is None:
        raise Invalid("This invitation is good no more: it was used, taken back, or is too old.", code=_CODE)
    return row


_CODE = "invitation_invalid"


def accept(context: Context, *, code: str, name: str, email: str, password: str, nickname: str = "") -> User:
    """Make the account that an invitation is for; of two at once one succeeds.

    Opens its own units of work. Raises Invalid (``invitation_invalid``, ``invitation_email``: it is for another
    address, ``password_invalid``), and what ``create_user`` does.
    """
    with reading(context) as work:
        _require_address(check_invitation(work, code), email)
    hashed = hash_password(context, password, name=name, email=email)
    with unit_of_work(context) as work:
        invitation = check_invitation(work, code)
        taken = update(Invitation).where(Invitation.id == invitation.id, Invitation.used_at.is_(None))
        if work.session.scalar(taken.values(used_at=work.now()).returning(Invitation.id)) is None:
            raise Invalid("This invitation was used a moment ago.", code=_CODE)
        user = create_user(work, actor=SYSTEM, name=name, email=email, password=hashed, nickname=nickname)
        work.session.execute(update(Invitation).where(Invitation.id == invitation.id).values(used_by_id=user.id))
        log.info("invitation_used", invitation=invitation.uuid, user_id=user.id)
        return user


def _require_address(invitation: Invitation, email: str) -> None:
    if invitation.email and fields.email_key(invitation.email) != fields.email_key(email):
        raise Invalid("The invitation is for another e-mail address.", code="invitation_email", member="email")


def send_job(run: JobRun, *, uuid: str) -> None:
    """Send an invitation, with a fresh code, unless it was used or taken back meanwhile."""
    context = run.context
    code = _new_code()
    with unit_of_work(context) as work:
        row = work.session.scalar(select(Invitation).where(Invitation.uuid == uuid, *_is_open(work)))
        if row is None:
            run.log("It was used or taken back.")
            return
        row.code_hash = _hash(code)
        letter = _write(context, row.email, invitation_url(context, code))
    try:
        with context[MAILER].session() as send:
            send(letter)
    except MailRefused as error:
        run.log(f"The server refused it: {error}")
        return
    run.log("Sent.")


def _write(context: Context, email: str, url: str) -> Letter:
    host = context.settings.effective_base_url
    text = f"You are invited to make an account at {host}.\n\nMake it here:\n{url}\n\nThe link is good once.\n"
    html = (
        '<!DOCTYPE html><html lang="en"><body>'
        f"<p>You are invited to make an account at {host}.</p>"
        f'<p><a href="{url}">Make it here.</a> The link is good once.</p></body></html>\n'
    )
    message_id = context[MAILER].message_id(f"invitation-{uuid4()}")
    return Letter(to=email, subject="You are invited", text=text, html=html, message_id=message_id)


def _is_open(work: UnitOfWork) -> tuple[ColumnElement[bool], ...]:
    return (Invitation.used_at.is_(None), Invitation.expires_at > work.now())


def _new_code() -> str:
    return secrets.token_urlsafe(24)


def _hash(code: str) -> str:
    """The code is random, so a plain SHA-256 cannot be searched."""
    return hashlib.sha256(code.encode(errors="replace")).hexdigest()
