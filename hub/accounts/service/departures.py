"""Accounts that go: deleted by a site administrator, or closed by their owner.

How it is done. Everything happens in one transaction, so a crash leaves the account as it was or gone. First the
namespace's row is locked, so that nothing new comes into it; then every room and plugin takes its step in the order
of the registry ``DEPARTURES``: it refuses by raising, or takes back what it counts and holds for the user. Then the
memberships end, and the user's row is deleted; the database takes its tokens, keys, sessions, grants and likes
along, and leaves what the user wrote elsewhere (commits, comments) without an author.

The namespace goes with the user when it holds nothing. Repositories that are deleted with the account can be brought
back by site administrators until their time is over (``undelete_ttl_s``); so long the namespace stays without an
owner. No new repository is made in it, and its name cannot be taken; a daily job removes it when it is empty.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import aliased

from hub.accounts.events import MemberRemoved, UserDeleted
from hub.accounts.models import Member, Namespace, Organization, Role, User
from hub.accounts.policy import Action, Actor, require, require_site_admin
from hub.accounts.service.verifications import forget_verifications
from hub.base.context import Key
from hub.base.errors import Conflict, Denied
from hub.base.events import publish
from hub.base.log import get_logger
from hub.base.registry import Registry
from hub.db.uow import UnitOfWork

log = get_logger(__name__)

_NAMED = 5
_NAMESPACES_AT_ONCE = 1000


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


def create_departures() -> Registry[DepartureStep]:
    """A registry holding the room's own refusals; other rooms and plugins add their steps before it is frozen."""
    steps: Registry[DepartureStep] = Registry("departures")
    steps.add("accounts.site_admins", refuse_site_admin)
    steps.add("accounts.last_owners", refuse_last_owner)
    return steps


def delete_user(
    work: UnitOfWork, *, actor: Actor, user: User, with_repositories: bool = False, with_discussions: bool = False
) -> None:
    """Remove an account for good; for site administrators.

    Raises NotSignedIn, Denied; Conflict: USER-ERR-14 (a site administrator), USER-ERR-15 (the last owner of an
    organisation), ``user_has_repositories`` (unless they are to go, too), and what a plugin's step refuses with.
    """
    require_site_admin(work, actor)
    _remove(work, Departure(user, actor, with_repositories, with_discussions))


def close_account(
    work: UnitOfWork, *, actor: Actor, user: User, with_repositories: bool = False, with_discussions: bool = False
) -> None:
    """As ``delete_user``, by the users themselves. Raises Denied (AUTH-ERR-7) for everybody else, too."""
    require(work, actor, Action.ACCOUNT_CREDENTIALS, user, what="user")
    if actor.user_id != user.id:
        raise Denied("An account is closed by its owner.", code="AUTH-ERR-7")
    _remove(work, Departure(user, actor, with_repositories, with_discussions))


def _remove(work: UnitOfWork, departure: Departure) -> None:
    user, actor = departure.user, departure.actor
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
    other = aliased(Member)
    others = (
        select(other.id)
        .join(User, User.id == other.user_id)
        .where(
            other.organization_id == Organization.id,
            other.role == Role.OWNER,
            other.user_id != departure.user.id,
            User.is_active,
        )
    )
    names = work.session.scalars(
        select(Organization.name)
        .where(Organization.id.in_(own), ~others.exists())
        .order_by(Organization.name)
        .limit(_NAMED)
    ).all()
    if names:
        raise Conflict(
            f"The account is the last owner of {', '.join(names)}; make another member an owner, "
            "or delete the organisation.",
            code="USER-ERR-15",
            organizations=list(names),
        )


def _end_memberships(work: UnitOfWork, departure: Departure) -> None:
    memberships = work.session.execute(
        select(Member, Organization.namespace_id)
        .join(Organization, Organization.id == Member.organization_id)
        .where(Member.user_id == departure.user.id)
        .order_by(Member.id)
    ).all()
    for member, namespace_id in memberships:
        ids = (member.organization_id, namespace_id, member.user_id)
        publish(work, MemberRemoved(*ids, member.role, departure.actor.user_id))
        work.session.delete(member)


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


def drop_ownerless_namespaces(work: UnitOfWork) -> int:
    """Remove the namespaces of accounts that went, as far as they are empty by now, and say how many that were."""
    ownerless = work.session.scalars(
        select(Namespace.id)
        .outerjoin(User, User.namespace_id == Namespace.id)
        .outerjoin(Organization, Organization.namespace_id == Namespace.id)
        .where(User.id.is_(None), Organization.id.is_(None))
        .limit(_NAMESPACES_AT_ONCE)
    ).all()
    return sum(_drop_namespace(work, namespace_id) for namespace_id in ownerless)
