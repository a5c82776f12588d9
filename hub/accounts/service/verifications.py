"""Verifications: users and organisations ask to be confirmed, site administrators decide.

What they hand in (names, papers) is encrypted where it is stored, and shown to nobody but them and site
administrators. A subject has one request under way at most; the newest one tells how it stands.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, SQLColumnExpression, delete, func, select

from hub.accounts.models import Organization, User, Verification
from hub.accounts.policy import Action, Actor, require, require_site_admin
from hub.accounts.service import fields
from hub.base.context import Context
from hub.base.errors import Conflict, Invalid, NotFound, NotSignedIn
from hub.base.log import get_logger
from hub.base.paging import Page, PageArgs
from hub.base.secrets import SECRET, Sealer
from hub.db.uow import UnitOfWork

log = get_logger(__name__)

NONE, PENDING, APPROVED, REJECTED = "none", "pending", "approved", "rejected"
STATUSES = (NONE, PENDING, APPROVED, REJECTED)
# Source of the members: CSGHub contract, section 4.6. Images are given by their addresses.
USER_MEMBERS = ("real_name", "id_card_front", "id_card_back")
ORGANIZATION_MEMBERS = (
    *("company_name", "unified_credit_code", "contact_name", "contact_email"),
    "business_license_img",
)
MAX_MEMBER_LENGTH = 1024
MAX_REASON_LENGTH = 255


@dataclass(frozen=True)
class OpenedVerification:
    """A request for confirmation with what was handed in. name, uuid: of the user or organisation."""

    id: int
    name: str
    uuid: str
    details: Mapping[str, str]
    status: str
    reason: str
    created_at: datetime
    updated_at: datetime


def ask_for_verification(
    work: UnitOfWork, *, actor: Actor, subject: User | Organization, details: Mapping[str, str]
) -> OpenedVerification:
    """Hand in what confirms a user (their own account) or an organisation; it replaces what is under way.

    Raises Invalid, NotSignedIn, Denied; Conflict (``verified``) when the subject is confirmed already.
    """
    _require_own(work, actor, subject)
    members = USER_MEMBERS if isinstance(subject, User) else ORGANIZATION_MEMBERS
    texts = {name: fields.validate_text(details[name], what=name, most=MAX_MEMBER_LENGTH) for name in members}
    if missing := [name for name, text in texts.items() if not text]:
        raise Invalid(f"{', '.join(missing)} must be given.", code="REQ-ERR-4")
    sealed = _sealer(work.context).seal(json.dumps(texts))
    # The subject is locked, so that two requests at once are one after the other.
    work.session.execute(select(type(subject).id).where(type(subject).id == subject.id).with_for_update())
    row = _find_newest(work, subject)
    now = work.now()
    if row is not None and row.status == APPROVED:
        raise Conflict("This account or organisation is verified already.", code="verified")
    if row is None or row.status != PENDING:
        row = Verification(subject_type=subject.resource_type, subject_id=subject.id, created_at=now)
        work.session.add(row)
    row.user_id, row.sealed_details, row.status, row.reason, row.updated_at = actor.user_id, sealed, PENDING, "", now
    work.session.flush()
    log.info("verification_asked", verification_id=row.id, subject_type=row.subject_type, actor_id=actor.user_id)
    return _opened(work, row, subject)


def decide_verification(
    work: UnitOfWork, *, actor: Actor, subject_type: str, verification_id: int, status: str, reason: str = ""
) -> OpenedVerification:
    """Approve or reject a request; a decision may be changed. For site administrators.

    subject_type: "user" or "organization". An organisation that is approved is shown as verified.
    Raises Invalid, NotSignedIn, Denied; NotFound (``verification_not_found``).
    """
    require_site_admin(work, actor)
    if status not in (APPROVED, REJECTED):
        raise Invalid(f"'status' must be {APPROVED} or {REJECTED}.", code="REQ-ERR-6")
    row = work.session.scalar(
        select(Verification)
        .where(Verification.id == verification_id, Verification.subject_type == subject_type)
        .with_for_update()
    )
    subject = _find_subject(work, row) if row is not None else None
    if row is None or subject is None:
        raise _missing()
    row.status, row.updated_at = status, work.now()
    row.reason = fields.validate_text(reason, what="reason", most=MAX_REASON_LENGTH)
    if isinstance(subject, Organization):
        subject.is_verified = status == APPROVED
    work.session.flush()
    log.info("verification_decided", verification_id=row.id, status=status, actor_id=actor.user_id)
    return _opened(work, row, subject)


def get_verification(work: UnitOfWork, *, actor: Actor, subject: User | Organization) -> OpenedVerification:
    """The newest request of a user or organisation; for them and for site administrators.

    Raises NotSignedIn, Denied; NotFound (``verification_not_found``).
    """
    _require_own(work, actor, subject)
    row = _find_newest(work, subject)
    if row is None:
        raise _missing()
    return _opened(work, row, subject)


def list_verifications(
    work: UnitOfWork, *, actor: Actor, status: str = PENDING, page: PageArgs | None = None
) -> Page[tuple[str, OpenedVerification]]:
    """The requests of one status, the oldest first while they wait and the newest first else, each after its
    subject's type. Two queries, and one for each type of subject. Raises Invalid (``REQ-ERR-6``), NotSignedIn, Denied.
    """
    require_site_admin(work, actor)
    if status not in (PENDING, APPROVED, REJECTED):
        raise Invalid(f"'status' must be {PENDING}, {APPROVED} or {REJECTED}.", code="REQ-ERR-6", query="status")
    page = page or PageArgs()
    query = select(Verification).where(Verification.status == status)
    total = work.session.scalar(query.with_only_columns(func.count())) or 0
    order = Verification.id if status == PENDING else Verification.updated_at.desc()
    rows = work.session.scalars(query.order_by(order, Verification.id).offset(page.offset).limit(page.per)).all()
    users = [row.subject_id for row in rows if row.subject_type == User.resource_type]
    organizations = [row.subject_id for row in rows if row.subject_type == Organization.resource_type]
    subjects: dict[tuple[str, int], User | Organization] = {}
    for user in work.session.scalars(select(User).where(User.id.in_(users))) if users else ():
        subjects[User.resource_type, user.id] = user
    of_ids = select(Organization).where(Organization.id.in_(organizations))
    for organization in work.session.scalars(of_ids) if organizations else ():
        subjects[Organization.resource_type, organization.id] = organization
    opened = [
        (row.subject_type, _opened(work, row, subjects[row.subject_type, row.subject_id]))
        for row in rows
        if (row.subject_type, row.subject_id) in subjects
    ]
    return Page(opened, total)


def get_own_verification(work: UnitOfWork, *, actor: Actor, verification_id: int) -> OpenedVerification:
    """A user's request by its number. Raises as ``get_verification``."""
    if actor.is_anonymous:
        raise NotSignedIn("Sign in to see your verification.")
    row = work.session.get(Verification, verification_id)
    subject = _find_subject(work, row) if row is not None and row.subject_type == "user" else None
    if row is None or subject is None or not (actor.is_admin or actor.user_id == subject.id):
        raise _missing()
    _require_own(work, actor, subject)
    return _opened(work, row, subject)


def status_column(subject_type: str, subject_id: SQLColumnExpression[int]) -> ColumnElement[str]:
    """How a subject's newest request stands ("none" without any), as an expression for lists and their conditions."""
    newest = (
        select(Verification.status)
        .where(Verification.subject_type == subject_type, Verification.subject_id == subject_id)
        .order_by(Verification.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    return func.coalesce(newest, NONE)


def statuses_of(work: UnitOfWork, subject_type: str, ids: Sequence[int]) -> dict[int, str]:
    """How the newest requests of these subjects stand, in one query; without any: absent."""
    if not ids:
        return {}
    rows = work.session.execute(
        select(Verification.subject_id, Verification.status)
        .where(Verification.subject_type == subject_type, Verification.subject_id.in_(ids))
        .order_by(Verification.id)
    )
    return dict(rows.all())


def forget_verifications(work: UnitOfWork, subject_type: str, subject_id: int) -> None:
    """Delete all that a user or organisation has handed in; it is going away. The caller has judged that."""
    statement = delete(Verification).where(
        Verification.subject_type == subject_type, Verification.subject_id == subject_id
    )
    work.session.execute(statement.execution_options(synchronize_session=False))


def _require_own(work: UnitOfWork, actor: Actor, subject: User | Organization) -> None:
    action = Action.ACCOUNT_WRITE if isinstance(subject, User) else Action.ORGANIZATION_ADMIN
    require(work, actor, action, subject, what=subject.resource_type)


def _find_newest(work: UnitOfWork, subject: User | Organization) -> Verification | None:
    return work.session.scalar(
        select(Verification)
        .where(Verification.subject_type == subject.resource_type, Verification.subject_id == subject.id)
        .order_by(Verification.id.desc())
        .limit(1)
        .execution_options(populate_existing=True)
    )


def _find_subject(work: UnitOfWork, row: Verification) -> User | Organization | None:
    if row.subject_type == User.resource_type:
        return work.session.get(User, row.subject_id)
    return work.session.get(Organization, row.subject_id)


def _opened(work: UnitOfWork, row: Verification, subject: User | Organization) -> OpenedVerification:
    details = json.loads(_sealer(work.context).open(row.sealed_details))
    return OpenedVerification(
        row.id, subject.name, subject.uuid, details, row.status, row.reason, row.created_at, row.updated_at
    )


def _sealer(context: Context) -> Sealer:
    return Sealer(context[SECRET], "verification")


def _missing() -> NotFound:
    return NotFound("No verification was asked for, or you may not see it.", code="verification_not_found")
