"""Organisations and their members."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, false, func, or_, select
from sqlalchemy.exc import IntegrityError

from hub.accounts.events import (
    MemberAdded,
    MemberChanged,
    MemberRemoved,
    OrganizationCreated,
)
from hub.accounts.models import Member, Namespace, NamespaceKind, Organization, Role, User
from hub.accounts.policy import Action, Actor, can, require, require_site_admin
from hub.accounts.service import fields
from hub.accounts.service.avatars import keep_own
from hub.accounts.service.namespaces import find_taken, new_namespace, refuse_taken_path
from hub.accounts.service.users import get_own_user, get_user
from hub.accounts.service.verifications import APPROVED, NONE, STATUSES, status_column
from hub.base.errors import Conflict, Denied, Invalid, NotFound, PreconditionFailed
from hub.base.events import publish
from hub.base.log import get_logger
from hub.base.names import fold_name, validate_namespace
from hub.base.paging import Page, PageArgs
from hub.db.uow import UnitOfWork

log = get_logger(__name__)


@dataclass(frozen=True)
class OrganizationFilter:
    """Which organisations are asked for; empty members ask for all.

    search: in the name and the display name. kind: as ``Organization.type``. verify_status: of
    ``verifications.STATUSES``; requests under way or rejected are for site administrators to know of. tag: a label;
    organisations carry none yet, so none has it.
    """

    search: str = ""
    kind: str = ""
    verify_status: str = ""
    tag: str = ""


@dataclass(frozen=True)
class MemberView:
    """A member as the viewer may see them. role and the moments: None for those outside the organisation."""

    name: str
    nickname: str
    uuid: str
    avatar: str
    role: Role | None
    last_login_at: datetime | None
    joined_at: datetime | None = None


def find_organization(work: UnitOfWork, name: str) -> Organization | None:
    """The organisation of that name in any spelling of case, or None."""
    return work.session.scalar(
        select(Organization).join(Organization.namespace).where(Namespace.path_key == fold_name(name))
    )


def get_organization(work: UnitOfWork, name: str) -> Organization:
    """As ``find_organization``. Raises NotFound (code ``organization_not_found``)."""
    organization = find_organization(work, name)
    if organization is None:
        raise NotFound(f"There is no organisation {name!r}.", code="organization_not_found")
    return organization


def create_organization(
    work: UnitOfWork,
    *,
    actor: Actor,
    name: str,
    owner: User | None = None,
    display_name: str = "",
    description: str = "",
    homepage: str = "",
    logo: str = "",
    kind: str = "",
) -> Organization:
    """A new organisation with its namespace and one owner.

    owner: None for the actor; only site administrators name somebody else.
    Raises Invalid, NotSignedIn, Denied; Conflict: USER-ERR-20 (the name is taken by a user or an organisation).
    """
    owner = owner or get_own_user(work, actor=actor)
    if actor.user_id != owner.id:
        require_site_admin(work, actor)
    else:
        require(work, actor, Action.ACCOUNT_WRITE, owner, what="user")
    name = validate_namespace(name)
    if len(name) > fields.MAX_ORGANIZATION_NAME_LENGTH:
        raise Invalid(
            f"An organisation's name has at most {fields.MAX_ORGANIZATION_NAME_LENGTH} characters.", code="name_invalid"
        )
    taken = find_taken(work, name)
    if taken is not None:
        refuse_taken_path(taken, NamespaceKind.ORGANIZATION)
    now = work.now()
    organization = Organization(name=name, created_at=now, updated_at=now)
    _set_texts(organization, display_name, description, homepage, logo, kind)
    try:
        with work.session.begin_nested():
            organization.namespace = new_namespace(work, name, NamespaceKind.ORGANIZATION)
            work.session.add(organization)
            work.session.flush()
            work.session.add(Member(organization_id=organization.id, user_id=owner.id, role=Role.OWNER, created_at=now))
    except IntegrityError:
        taken = find_taken(work, name)
        if taken is None:
            raise
        refuse_taken_path(taken, NamespaceKind.ORGANIZATION)
    namespace_id = organization.namespace_id
    publish(work, OrganizationCreated(organization.id, name, namespace_id, owner.id, actor.user_id))
    publish(work, MemberAdded(organization.id, namespace_id, owner.id, Role.OWNER, actor.user_id))
    log.info("organization_created", organization_id=organization.id, actor_id=actor.user_id)
    return organization


def _set_texts(
    organization: Organization,
    display_name: str | None,
    description: str | None,
    homepage: str | None,
    logo: str | None,
    kind: str | None,
) -> None:
    if display_name is not None:
        organization.display_name = fields.validate_text(
            display_name, what="display name", most=fields.MAX_NICKNAME_LENGTH
        )
    if description is not None:
        organization.description = fields.validate_text(
            description, what="description", most=fields.MAX_DESCRIPTION_LENGTH, has_lines=True
        )
    if homepage is not None:
        organization.homepage = fields.validate_link(homepage, what="homepage", most=fields.MAX_HOMEPAGE_LENGTH)
    if logo is not None and keep_own(logo, organization.logo or "") != organization.logo:
        organization.logo = fields.validate_link(logo, what="logo", most=fields.MAX_IMAGE_URL_LENGTH)
    if kind is not None:
        organization.type = fields.validate_text(kind, what="type", most=fields.MAX_ORGANIZATION_TYPE_LENGTH)


def update_organization(
    work: UnitOfWork,
    *,
    actor: Actor,
    organization: Organization,
    display_name: str | None = None,
    description: str | None = None,
    homepage: str | None = None,
    logo: str | None = None,
    kind: str | None = None,
    is_verified: bool | None = None,
    time_zone: str | None = None,
) -> Organization:
    """Change the members that are not None. kind: "enterprise", "school" and the like. time_zone: "" for UTC.

    Only site administrators change ``is_verified``. Raises Invalid, NotSignedIn, Denied.
    """
    require(work, actor, Action.ORGANIZATION_ADMIN, organization, what="organization")
    if is_verified is not None and is_verified != organization.is_verified:
        require_site_admin(work, actor)
        organization.is_verified = is_verified
    _set_texts(organization, display_name, description, homepage, logo, kind)
    if time_zone is not None:
        organization.namespace.time_zone = fields.validate_zone(time_zone)
    organization.updated_at = work.now()
    work.session.flush()
    log.info("organization_updated", organization_id=organization.id, actor_id=actor.user_id)
    return organization


def list_organizations(
    work: UnitOfWork, *, actor: Actor, wanted: OrganizationFilter | None = None, page: PageArgs | None = None
) -> Page[Organization]:
    """Organisations by name; anybody may see that they exist. Raises Invalid (``REQ-ERR-6``), Denied."""
    page = page or PageArgs()
    conditions = _conditions(work, actor, wanted or OrganizationFilter())
    query = select(Organization).join(Organization.namespace).where(*conditions)
    total = work.session.scalar(query.with_only_columns(func.count())) or 0
    rows = work.session.scalars(query.order_by(Namespace.path_key).offset(page.offset).limit(page.per)).all()
    return Page(rows, total)


def list_user_organizations(
    work: UnitOfWork,
    *,
    actor: Actor,
    user: User,
    wanted: OrganizationFilter | None = None,
    role: str = "",
    page: PageArgs | None = None,
) -> Page[tuple[Organization, Role | None]]:
    """The organisations that a user belongs to, by name, with the user's role for those who may know it.

    role: only those where the user has it, ADMIN or more for "admin"; "" or "all": any. Raises Invalid
    (``REQ-ERR-6``); Denied for a role that is not the asker's to know.
    """
    page = page or PageArgs()
    sees_roles = can(work, actor, Action.ACCOUNT_READ, user)
    conditions = [Member.user_id == user.id, *_conditions(work, actor, wanted or OrganizationFilter())]
    if role not in ("", "all"):
        if role not in set(Role):
            raise Invalid("'role' must be all, owner, admin, write or read.", code="REQ-ERR-6", query="role")
        require(work, actor, Action.ACCOUNT_READ, user, what="user")
        conditions.append(Member.role.in_(_as_good_as(Role(role))))
    query = (
        select(Organization, Member.role)
        .join(Member, Member.organization_id == Organization.id)
        .join(Organization.namespace)
        .where(*conditions)
    )
    total = work.session.scalar(query.with_only_columns(func.count())) or 0
    rows = work.session.execute(query.order_by(Namespace.path_key).offset(page.offset).limit(page.per)).all()
    return Page([(organization, found if sees_roles else None) for organization, found in rows], total)


def _conditions(work: UnitOfWork, actor: Actor, wanted: OrganizationFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    text = wanted.search.strip().lower()
    if text:
        columns = (Namespace.path_key, func.lower(Organization.display_name))
        conditions.append(or_(*(column.contains(text, autoescape=True) for column in columns)))
    if wanted.tag:
        conditions.append(false())
    if wanted.kind:
        conditions.append(Organization.type == wanted.kind)
    if wanted.verify_status in (NONE, APPROVED):
        conditions.append(Organization.is_verified.is_(wanted.verify_status == APPROVED))
    elif wanted.verify_status:
        if wanted.verify_status not in STATUSES:
            raise Invalid(f"'verify_status' must be one of {', '.join(STATUSES)}.", code="REQ-ERR-6")
        require_site_admin(work, actor)
        conditions.append(status_column(Organization.resource_type, Organization.id) == wanted.verify_status)
    return conditions


def _as_good_as(role: Role) -> tuple[Role, ...]:
    """The roles that are meant by one: whoever knows no owners calls them admins (CSGHub contract, section 1.9)."""
    return (Role.ADMIN, Role.OWNER) if role == Role.ADMIN else (role,)


def find_member(work: UnitOfWork, *, organization: Organization, user: User) -> Member | None:
    """The user's membership, or None."""
    return work.session.scalar(
        select(Member).where(Member.organization_id == organization.id, Member.user_id == user.id)
    )


def get_member_role(work: UnitOfWork, *, actor: Actor, organization: Organization, user: User) -> Role | None:
    """The user's role, or None; people may ask for themselves, members for everybody.

    Raises NotSignedIn, Denied.
    """
    if actor.user_id != user.id:
        require(work, actor, Action.NAMESPACE_READ, organization, what="organization")
    member = find_member(work, organization=organization, user=user)
    return member.role if member else None


def list_members(
    work: UnitOfWork, *, actor: Actor, organization: Organization, page: PageArgs | None = None
) -> Page[MemberView]:
    """The members by name. Anybody sees who they are; roles and last sign-ins are for members."""
    page = page or PageArgs()
    is_inside = can(work, actor, Action.NAMESPACE_READ, organization)
    matches = (Member.organization_id == organization.id, User.is_active)
    total = work.session.scalar(select(func.count(Member.id)).join(Member.user).where(*matches)) or 0
    members = work.session.scalars(
        select(Member)
        .join(Member.user)
        .where(*matches)
        .order_by(func.lower(User.name))
        .offset(page.offset)
        .limit(page.per)
    ).all()
    return Page([_view(member, is_inside) for member in members], total)


def count_members(work: UnitOfWork, organization_ids: Sequence[int]) -> dict[int, int]:
    """How many active members each of the organisations has, in one query; without any: absent."""
    if not organization_ids:
        return {}
    rows = work.session.execute(
        select(Member.organization_id, func.count(Member.id))
        .join(User, User.id == Member.user_id)
        .where(Member.organization_id.in_(organization_ids), User.is_active)
        .group_by(Member.organization_id)
    )
    return dict(rows.all())


def _view(member: Member, is_inside: bool) -> MemberView:
    user = member.user
    private = (member.role, user.last_login_at, member.created_at) if is_inside else (None, None, None)
    return MemberView(user.name, user.nickname, user.uuid, user.avatar, *private)


def get_person(
    work: UnitOfWork,
    *,
    actor: Actor,
    organization: Organization,
    name: str,
    action: Action = Action.ORGANIZATION_ADMIN,
) -> User:
    """The user of that name, for those who may do this to the organisation, and for that user.

    So nobody is told whether there is such a user before they are told that they have no right to ask. Raises
    NotSignedIn, Denied; NotFound (``user_not_found``).
    """
    if actor.user_id is None or fold_name(actor.name) != fold_name(name):
        require(work, actor, action, organization, what="organization")
    return get_user(work, name)


def add_member(work: UnitOfWork, *, actor: Actor, organization: Organization, user: User, role: Role) -> Member:
    """Make the user a member. Raises NotSignedIn, Denied (also SYS-ERR-7); Conflict (``member_exists``)."""
    _require_to_give(work, actor, organization, role)
    _refuse_self_promotion(actor, user, None, role)
    member = Member(organization_id=organization.id, user_id=user.id, user=user, role=Role(role), created_at=work.now())
    try:
        with work.session.begin_nested():
            work.session.add(member)
    except IntegrityError:
        raise Conflict(f"{user.name!r} is a member already.", code="member_exists") from None
    publish(work, MemberAdded(organization.id, organization.namespace_id, user.id, member.role, actor.user_id))
    log.info("member_added", organization_id=organization.id, user_id=user.id, role=role, actor_id=actor.user_id)
    return member


def change_member(
    work: UnitOfWork, *, actor: Actor, organization: Organization, user: User, role: Role, old_role: Role | None = None
) -> Member:
    """Give the member another role.

    old_role: the role that the caller believes the member to have; None: whatever it is; ADMIN is right for an owner,
    too, who stays one when an admin is to be an admin.
    Raises NotSignedIn, Denied (also SYS-ERR-7: nobody promotes themselves); NotFound (``member_not_found``);
    Conflict (SYS-ERR-6: the last owner stays); PreconditionFailed (``role_changed``).
    """
    _require_to_give(work, actor, organization, role)
    _lock_members(work, organization)
    member = _get_member(work, organization, user, old_role)
    if member.role == Role.OWNER and old_role == Role.ADMIN == role:
        return member
    _refuse_self_promotion(actor, user, member.role, role)
    if member.role == Role.OWNER != role:
        _require_to_give(work, actor, organization, Role.OWNER)
        _refuse_last_owner(work, organization, user)
    old, member.role = member.role, Role(role)
    work.session.flush()
    if old != member.role:
        ids = (organization.id, organization.namespace_id, user.id)
        publish(work, MemberChanged(*ids, member.role, old, actor.user_id))
    log.info("member_changed", organization_id=organization.id, user_id=user.id, role=role, actor_id=actor.user_id)
    return member


def remove_member(
    work: UnitOfWork, *, actor: Actor, organization: Organization, user: User, old_role: Role | None = None
) -> None:
    """End a membership; members may always leave, the last owner excepted.

    old_role: as for ``change_member``. Raises NotSignedIn, Denied; NotFound (``member_not_found``); Conflict
    (SYS-ERR-6); PreconditionFailed (``role_changed``).
    """
    if actor.user_id != user.id:
        require(work, actor, Action.ORGANIZATION_ADMIN, organization, what="organization")
    else:
        require(work, actor, Action.ACCOUNT_WRITE, user, what="user")
    _lock_members(work, organization)
    member = _get_member(work, organization, user, old_role)
    if member.role == Role.OWNER:
        if actor.user_id != user.id:
            _require_to_give(work, actor, organization, Role.OWNER)
        _refuse_last_owner(work, organization, user)
    work.session.delete(member)
    work.session.flush()
    publish(work, MemberRemoved(organization.id, organization.namespace_id, user.id, member.role, actor.user_id))
    log.info("member_removed", organization_id=organization.id, user_id=user.id, actor_id=actor.user_id)


def _require_to_give(work: UnitOfWork, actor: Actor, organization: Organization, role: Role) -> None:
    if role not in set(Role):
        raise Invalid("A member's role is owner, admin, write or read.", code="role_invalid")
    action = Action.ORGANIZATION_OWN if role == Role.OWNER else Action.ORGANIZATION_ADMIN
    require(work, actor, action, organization, what="organization")


def _refuse_self_promotion(actor: Actor, user: User, old: Role | None, new: Role) -> None:
    if actor.user_id == user.id and (old is None or Role(new).rank > old.rank):
        raise Denied("Nobody may promote themselves; ask another owner.", code="SYS-ERR-7")


def _lock_members(work: UnitOfWork, organization: Organization) -> None:
    # Two owners who go at the same moment must not leave an organisation without any.
    work.session.execute(select(Organization.id).where(Organization.id == organization.id).with_for_update())


def _get_member(work: UnitOfWork, organization: Organization, user: User, old_role: Role | None) -> Member:
    # Read again after the lock: what the session remembers may be older than the lock.
    member = work.session.scalar(
        select(Member)
        .where(Member.organization_id == organization.id, Member.user_id == user.id)
        .execution_options(populate_existing=True)
    )
    if member is None:
        raise NotFound(f"{user.name!r} is no member.", code="member_not_found")
    if old_role is not None and member.role not in _as_good_as(old_role):
        raise PreconditionFailed(f"The member's role is {member.role.value} now.", code="role_changed")
    return member


def count_owners(work: UnitOfWork, organization: Organization) -> int:
    """How many active members own it."""
    return (
        work.session.scalar(
            select(func.count(Member.id))
            .join(Member.user)
            .where(Member.organization_id == organization.id, Member.role == Role.OWNER, User.is_active)
        )
        or 0
    )


def _refuse_last_owner(work: UnitOfWork, organization: Organization, user: User) -> None:
    others = work.session.scalar(
        select(func.count(Member.id))
        .join(Member.user)
        .where(
            Member.organization_id == organization.id,
            Member.role == Role.OWNER,
            Member.user_id != user.id,
            User.is_active,
        )
    )
    if not others:
        raise Conflict("This is the last owner; make another member an owner first.", code="SYS-ERR-6")
