"""Accounts that go: deleted by a site administrator, or closed by their owner.

How it is done. Everything happens in one transaction, so a crash leaves the account as it was or gone. First the
user's row is locked, so that what the account itself is writing ends before, and the namespace's, so that nothing new
comes into it; then every room and plugin takes its step in the order
of the registry ``DEPARTURES``: it refuses by raising, or takes back what it counts and holds for the user. Then the
memberships end, and the user's row is deleted; the database takes its tokens, keys, sessions, grants and likes
along, and leaves what the user wrote elsewhere (commits, comments) without an author.

The namespace goes with the user when it holds nothing. Repositories that are deleted with the account can be brought
back by site administrators until their time is over (``undelete_ttl_s``); so long the namespace stays without an
owner. No new repository is made in it, and its name cannot be taken; a daily job removes it when it is empty.

Organisations go likewise, by the steps of the registry ``ORGANIZATION_DEPARTURES``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import aliased

from hub.accounts.events import MemberRemoved, OrganizationDeleted, UserDeleted
from hub.accounts.models import Member, Namespace, Organization, Role, User
from hub.accounts.policy import Action, Actor, require, require_site_admin
from hub.accounts.service.users import get_own_user, get_user
from hub.accounts.service.verifications import forget_verifications
from hub.base.context import Context, Key
from hub.base.errors import Conflict, Denied
from hub.base.events import publish
from hub.base.log import get_logger
from hub.base.names import fold_name
from hub.base.registry import Registry
from hub.db.uow import UnitOfWork, unit_of_work

log = get_logger(__name__)

_NAMED = 5
_NAMESPACES_AT_ONCE = 200


@dataclass(frozen=True)
class Departure:
    """An account that is about to go. with_repositories, with_discussions: whether these go as well."""

    user: User
    actor: Actor
    with_repositories: bool = False
    with_discussions: bool = False


# ``step(work, departure)``, of a plugin by its ``checks()``: raises a HubError to refuse, else takes back what the room
# holds for the user. Codes of the contract: USER-ERR-16 for deployments, USER-ERR-17 for bills.
DepartureStep = Callable[[UnitOfWork, Departure], None]
DEPARTURES: Key[Registry[DepartureStep]] = Key("accounts.departures")

# ``step(work, organization, actor)``: as ``DepartureStep``, for an organisation that is about to go.
OrganizationStep = Callable[[UnitOfWork, Organization, Actor], None]
ORGANIZATION_DEPARTURES: Key[Registry[OrganizationStep]] = Key("accounts.organization_departures")


def create_departures() -> Registry[DepartureStep]:
    """A registry holding the room's own refusals; other rooms and plugins add their steps before it is frozen."""
    steps: Registry[DepartureStep] = Registry("departures")
    steps.add("accounts.site_admins", refuse_site_admin)
    steps.add("accounts.last_owners", refuse_last_owner)
    return steps


def delete_user(
    work: UnitOfWork, *, actor: Actor, name: str, with_repositories: bool = False, with_discussions: bool = False
) -> User:
    """Remove an account for good, and say whose it was; for site administrators.

    Raises NotSignedIn, Denied; NotFound (``user_not_found``); Conflict: USER-ERR-14 (a site administrator),
    USER-ERR-15 (the last owner of an organisation), ``user_has_repositories`` (unless they are to go,
    too), and what a plugin's step refuses with.
    """
    require_site_admin(work, actor)
    user = get_user(work, name)
    _remove(work, Departure(user, actor, with_repositories, with_discussions))
    return user


def close_account(
    work: UnitOfWork, *, actor: Actor, name: str, with_repositories: bool = False, with_discussions: bool = False
) -> None:
    """As ``delete_user``, by the users themselves. Raises Denied (AUTH-ERR-7) for everybody else, too."""
    user = get_own_user(work, actor=actor)
    if fold_name(name) != fold_name(user.name):
        raise Denied("An account is closed by its owner.", code="AUTH-ERR-7")
    require(work, actor, Action.ACCOUNT_CREDENTIALS, user, what="user")
    _remove(work, Departure(user, actor, with_repositories, with_discussions))


def _remove(work: UnitOfWork, departure: Departure) -> None:
    user, actor = departure.user, departure.actor
    # The user's row first: every row that the account writes (a like, a comment) refers to it, and waits or is waited
    # for here, before any other row is held.
    work.session.execute(select(User.id).where(User.id == user.id).with_for_update())
    work.session.execute(select(Namespace.id).where(Namespace.id == user.namespace_id).with_for_update())
    for step in work.context[DEPARTURES].values():
        step(work, departure)
    _end_memberships(work, departure)
    forget_verifications(work, user.resource_type, user.id)
    user_id, namespace_id = user.id, user.namespace_id
    publish(work, UserDeleted(user_id, user.uuid, user.name, namespace_id, actor.user_id))
    work.session.flush()
    work.session.expunge(user)
    work.session.execute(delete(User).where(User.id == user_id).execution_options(synchronize_session=False))
    is_empty = _drop_namespace(work, namespace_id)
    log.info("user_deleted", user_id=user_id, namespace_id=namespace_id, is_empty=is_empty, actor_id=actor.user_id)


def refuse_site_admin(work: UnitOfWork, departure: Departure) -> None:
    """A site administrator becomes an ordinary user first. Raises Conflict (USER-ERR-14)."""
    if departure.user.is_admin:
        raise Conflict(
            "This is a site administrator; take that from the account before it is deleted.", code="USER-ERR-14"
        )


def refuse_last_owner(work: UnitOfWork, departure: Departure) -> None:
    """No organisation is left without an owner. Raises Conflict (USER-ERR-15)."""
    own = select(Member.organization_id).where(Member.user_id == departure.user.id, Member.role == Role.OWNER)
    # Two owners who go at the same moment must not leave an organisation without any.
    work.session.execute(
        select(Organization.id).where(Organization.id.in_(own)).order_by(Organization.id).with_for_update()
    )
    names = sole_owner_of(work, departure.user)
    if names:
        raise Conflict(
            f"The account is the last owner of {', '.join(names)}; make another member an owner, "
            "or delete the organisation.",
            code="USER-ERR-15",
            organizations=names,
        )


def sole_owner_of(work: UnitOfWork, user: User) -> list[str]:
    """The first few organisations that would be without an owner if the account went."""
    own = select(Member.organization_id).where(Member.user_id == user.id, Member.role == Role.OWNER)
    other = aliased(Member)
    others = (
        select(other.id)
        .join(User, User.id == other.user_id)
        .where(
            other.organization_id == Organization.id,
            other.role == Role.OWNER,
            other.user_id != user.id,
            User.is_active,
        )
    )
    names = work.session.scalars(
        select(Organization.name)
        .where(Organization.id.in_(own), ~others.exists())
        .order_by(Organization.name)
        .limit(_NAMED)
    ).all()
    return list(names)


def _end_memberships(work: UnitOfWork, departure: Departure) -> None:
    memberships = work.session.execute(
        select(Member, Organization.namespace_id)
        .join(Organization, Organization.id == Member.organization_id)
        .where(Member.user_id == departure.user.id)
        .order_by(Member.id)
    ).all()
    publish(work, *(_removed(member, namespace_id, departure.actor) for member, namespace_id in memberships))
    for member, _namespace_id in memberships:
        work.session.delete(member)


def _removed(member: Member, namespace_id: int, actor: Actor) -> MemberRemoved:
    ids = (member.organization_id, namespace_id, member.user_id)
    return MemberRemoved(*ids, member.role, actor.user_id, is_by_departure=True)


def delete_organization(work: UnitOfWork, *, actor: Actor, organization: Organization) -> None:
    """Remove an organisation that holds nothing, with its members, its collections and its name.

    Raises NotSignedIn, Denied; Conflict (``organization_not_empty``), and what a step refuses with.
    """
    require(work, actor, Action.ORGANIZATION_OWN, organization, what="organization")
    id, namespace_id = organization.id, organization.namespace_id
    # Nothing new comes into the namespace while it goes.
    work.session.execute(select(Namespace.id).where(Namespace.id == namespace_id).with_for_update())
    for step in work.context[ORGANIZATION_DEPARTURES].values():
        step(work, organization, actor)
    members = work.session.scalars(select(Member).where(Member.organization_id == id).order_by(Member.id)).all()
    publish(work, *(_removed(member, namespace_id, actor) for member in members))
    try:
        with work.session.begin_nested():
            forget_verifications(work, organization.resource_type, id)
            for statement in (
                delete(Member).where(Member.organization_id == id),
                delete(Organization).where(Organization.id == id),
                # What higher rooms keep in a namespace refers to it, so the database itself refuses.
                delete(Namespace).where(Namespace.id == namespace_id),
            ):
                work.session.execute(statement)
    except IntegrityError:
        raise Conflict(
            "Something still belongs to the organisation; delete or transfer it.", code="organization_not_empty"
        ) from None
    publish(work, OrganizationDeleted(id, organization.name, namespace_id, actor.user_id))
    log.info("organization_deleted", organization_id=id, actor_id=actor.user_id)


def _drop_namespace(work: UnitOfWork, namespace_id: int) -> bool:
    """Remove a namespace that nobody owns, if nothing is in it: what is refers to it, so the database decides."""
    namespace = work.session.get(Namespace, namespace_id)
    if namespace is not None:
        work.session.expunge(namespace)
    try:
        with work.session.begin_nested():
            statement = delete(Namespace).where(Namespace.id == namespace_id)
            work.session.execute(statement.execution_options(synchronize_session=False))
    except IntegrityError:
        return False
    return True


def drop_ownerless_namespaces(context: Context) -> int:
    """Remove the namespaces of accounts that went, as far as they are empty by now, and say how many that were."""
    last_id = dropped = 0
    while True:
        with unit_of_work(context) as work:
            ownerless = work.session.scalars(
                select(Namespace.id)
                .outerjoin(User, User.namespace_id == Namespace.id)
                .outerjoin(Organization, Organization.namespace_id == Namespace.id)
                .where(User.id.is_(None), Organization.id.is_(None), Namespace.id > last_id)
                .order_by(Namespace.id)
                .limit(_NAMESPACES_AT_ONCE)
            ).all()
            dropped += sum(_drop_namespace(work, namespace_id) for namespace_id in ownerless)
        if len(ownerless) < _NAMESPACES_AT_ONCE:
            return dropped
        last_id = ownerless[-1]
