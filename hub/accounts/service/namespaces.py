"""Namespaces: one set of names for users and organisations."""

from __future__ import annotations

from typing import NoReturn

from sqlalchemy import or_, select

from hub.accounts.models import Member, Namespace, NamespaceKind, Organization, Role, User
from hub.accounts.policy import Actor, require_site_admin
from hub.base.context import Key
from hub.base.errors import Conflict, Invalid, NotFound
from hub.base.log import get_logger
from hub.base.names import fold_name
from hub.base.registry import Registry
from hub.db.uow import UnitOfWork

log = get_logger(__name__)

# More than anybody would look through in a list.
MAX_NAMESPACES = 200


def find_namespace(work: UnitOfWork, path: str) -> Namespace | None:
    """The namespace of that path in any spelling of case, or None.

    One whose owner's account is gone is none any more, although its path is still taken; see ``find_taken``.
    """
    has_owner = or_(
        select(User.id).where(User.namespace_id == Namespace.id).exists(),
        select(Organization.id).where(Organization.namespace_id == Namespace.id).exists(),
    )
    return work.session.scalar(select(Namespace).where(Namespace.path_key == fold_name(path), has_owner))


def find_taken(work: UnitOfWork, path: str) -> Namespace | None:
    """The namespace that stands against giving this path to another one, or None."""
    return work.session.scalar(select(Namespace).where(Namespace.path_key == fold_name(path)))


def find_namespace_by_uuid(work: UnitOfWork, uuid: str) -> Namespace | None:
    """The namespace with that public identifier, or None."""
    return work.session.scalar(select(Namespace).where(Namespace.uuid == uuid))


def get_namespace(work: UnitOfWork, path: str) -> Namespace:
    """As ``find_namespace``. Raises NotFound (code ``namespace_not_found``)."""
    namespace = find_namespace(work, path)
    if namespace is None:
        raise NotFound(f"There is no namespace {path!r}.", code="namespace_not_found")
    return namespace


def list_namespaces_for_new(work: UnitOfWork, *, actor: Actor) -> list[Namespace]:
    """Where the actor may put something new: their own namespace, then those of organisations by name."""
    if actor.user_id is None:
        return []
    own = work.session.scalars(select(Namespace).join(User).where(User.id == actor.user_id)).all()
    may_write = Member.role.in_([role for role in Role if role.rank >= Role.WRITE.rank])
    others = (
        select(Namespace)
        .join(Organization, Organization.namespace_id == Namespace.id)
        .join(Member, Member.organization_id == Organization.id)
        .where(Member.user_id == actor.user_id, may_write)
        .order_by(Namespace.path_key)
        .limit(MAX_NAMESPACES)
    )
    return [*own, *work.session.scalars(others)]


# First segments of plugins' pages, in lower case: a namespace of that name would be hidden by them.
RESERVED_PATHS: Key[Registry[str]] = Key("accounts.reserved_paths")


def set_quota(work: UnitOfWork, *, actor: Actor, namespace: Namespace, quota_bytes: int | None) -> None:
    """How much a user or organisation may store; 0: no limit, None: what the hub's setting says.

    Raises Invalid (``REQ-ERR-6``), NotSignedIn, Denied.
    """
    require_site_admin(work, actor)
    if quota_bytes is not None and not 0 <= quota_bytes < 2**63:
        raise Invalid("A quota is a number of bytes, or 0 for no limit.", code="REQ-ERR-6", member="quota_bytes")
    namespace.quota_bytes = quota_bytes
    work.session.flush()
    log.info("quota_set", namespace_id=namespace.id, quota_bytes=quota_bytes, actor_id=actor.user_id)


def new_namespace(work: UnitOfWork, path: str, kind: NamespaceKind) -> Namespace:
    """A namespace added to the session, its path already validated. Raises Invalid (``name_reserved``)."""
    refuse_reserved_path(work, path)
    namespace = Namespace(path=path, path_key=fold_name(path), kind=kind, created_at=work.now())
    work.session.add(namespace)
    return namespace


def refuse_reserved_path(work: UnitOfWork, path: str) -> None:
    """Return when no plugin's pages have this path. Raises Invalid (``name_reserved``)."""
    if fold_name(path) in work.context[RESERVED_PATHS]:
        raise Invalid(f"The name {path!r} is reserved.", code="name_reserved")


def refuse_taken_path(namespace: Namespace, wanted: NamespaceKind) -> NoReturn:
    """Raise Conflict: USER-ERR-12 when a user is to get another user's name, USER-ERR-20 otherwise.

    Source: CSGHub contract, sections 1.6 and 1.8.
    """
    if wanted == NamespaceKind.USER == namespace.kind:
        raise Conflict(f"The user name {namespace.path!r} is taken.", code="USER-ERR-12")
    raise Conflict(f"The name {namespace.path!r} is taken.", code="USER-ERR-20")
