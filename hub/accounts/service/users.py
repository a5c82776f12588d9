"""Users: their life from creation to being switched off."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from hub.accounts.events import UserCreated
from hub.accounts.models import Namespace, NamespaceKind, User
from hub.accounts.passwords import PasswordHash
from hub.accounts.policy import Action, Actor, can, require, require_site_admin
from hub.accounts.service import fields
from hub.accounts.service.avatars import keep_own
from hub.accounts.service.email_codes import require_code
from hub.accounts.service.namespaces import find_taken, new_namespace, refuse_taken_path
from hub.accounts.service.sessions import close_all_sessions
from hub.base.errors import Conflict, Denied, Invalid, NotFound, NotSignedIn
from hub.base.events import publish
from hub.base.log import get_logger
from hub.base.names import fold_name, validate_namespace
from hub.db.uow import UnitOfWork
from hub.licensing.service import check_seat

log = get_logger(__name__)

# Source: CSGHub contract, section 4.6.
LABELS = ("basic", "advanced", "vip", "blacklist")


def find_user(work: UnitOfWork, name: str) -> User | None:
    """The user of that name in any spelling of case, active or not, or None."""
    return work.session.scalar(select(User).join(User.namespace).where(Namespace.path_key == fold_name(name)))


def find_user_by_uuid(work: UnitOfWork, uuid: str) -> User | None:
    """The user with that public identifier, or None."""
    return work.session.scalar(select(User).where(User.uuid == uuid))


def get_user(work: UnitOfWork, name: str) -> User:
    """As ``find_user``. Raises NotFound (code ``user_not_found``)."""
    user = find_user(work, name)
    if user is None:
        raise NotFound(f"There is no user {name!r}.", code="user_not_found")
    return user


def get_visible_user(work: UnitOfWork, *, actor: Actor, name: str = "", uuid: str = "") -> User:
    """The user of that name, or else of that uuid; one that is switched off for site administrators only.

    Raises NotFound (code ``user_not_found``).
    """
    user = find_user_by_uuid(work, uuid) if uuid else find_user(work, name)
    if user is None or not (user.is_active or can(work, actor, Action.SITE_ADMIN)):
        raise NotFound("There is no such user.", code="user_not_found")
    return user


def get_own_user(work: UnitOfWork, *, actor: Actor) -> User:
    """The actor's own account. Raises NotSignedIn (for the hub itself, too); Denied for a token without a user."""
    user = work.session.get(User, actor.user_id) if actor.user_id is not None else None
    if user is None and actor.is_service:
        raise NotSignedIn("Say for which user this is done: add current_user=NAME to the address.", code="AUTH-ERR-1")
    if user is None and actor.limit is not None:
        raise Denied("This token stands for no user: it is good for one repository only.", code="token_limited")
    if user is None:
        raise NotSignedIn("Sign in, or send an access token, to do this.")
    return user


def create_user(
    work: UnitOfWork,
    *,
    actor: Actor,
    name: str,
    email: str,
    password: PasswordHash | None = None,
    is_admin: bool = False,
    nickname: str = "",
) -> User:
    """A new account with its namespace.

    password: what ``hash_password`` made; None: the account signs in by other means only.
    Site administrators create any account; where registration is open, anonymous people create their own.
    Raises Invalid, NotSignedIn; Denied, with ``license_seats`` when all seats are taken; Conflict: USER-ERR-12 (a user
    has the name), USER-ERR-20 (an organisation has it), USER-ERR-13 (the e-mail address is in use).
    """
    if not (actor.is_anonymous and work.settings.registration and not is_admin):
        require_site_admin(work, actor)
    name = validate_namespace(name)
    email = fields.validate_email(email)
    _refuse_taken(work, name, email)
    check_seat(work)
    now = work.now()
    try:
        # The savepoint keeps the transaction usable when another process took the name a moment ago.
        with work.session.begin_nested():
            user = User(
                namespace=new_namespace(work, name, NamespaceKind.USER),
                name=name,
                email=email,
                email_key=fields.email_key(email),
                nickname=fields.validate_text(nickname, what="nickname", most=fields.MAX_NICKNAME_LENGTH),
                password_hash=password,
                is_admin=is_admin,
                created_at=now,
                updated_at=now,
            )
            work.session.add(user)
    except IntegrityError:
        _refuse_taken(work, name, email)
        raise
    publish(work, UserCreated(user.id, user.name, actor.user_id))
    log.info("user_created", user_id=user.id, is_admin=is_admin, actor_id=actor.user_id)
    return user


def _refuse_taken(work: UnitOfWork, name: str, email: str) -> None:
    namespace = find_taken(work, name)
    if namespace is not None:
        refuse_taken_path(namespace, NamespaceKind.USER)
    _refuse_taken_email(work, email)


def _refuse_taken_email(work: UnitOfWork, email: str) -> None:
    if work.session.scalar(select(User.id).where(User.email_key == fields.email_key(email))):
        raise Conflict("This e-mail address belongs to another account.", code="USER-ERR-13")


def update_user(
    work: UnitOfWork,
    *,
    actor: Actor,
    user: User,
    email: str | None = None,
    nickname: str | None = None,
    bio: str | None = None,
    homepage: str | None = None,
    avatar: str | None = None,
    is_admin: bool | None = None,
    email_code: str = "",
    time_zone: str | None = None,
) -> User:
    """Change the members that are not None. Only site administrators change ``is_admin``.

    email_code: what was sent to a new address, where the hub sends e-mail (``service.email_codes``). time_zone: in
    which the account's days begin; "" for UTC.

    Raises Invalid, NotSignedIn, Denied; Conflict: USER-ERR-13 (e-mail address), ``last_site_admin``.
    """
    require(work, actor, Action.ACCOUNT_WRITE, user, what="user")
    if is_admin is not None and is_admin != user.is_admin:
        require_site_admin(work, actor)
        if not is_admin:
            _refuse_last_site_admin(work, user)
        user.is_admin = is_admin
    if nickname is not None:
        user.nickname = fields.validate_text(nickname, what="nickname", most=fields.MAX_NICKNAME_LENGTH)
    if bio is not None:
        user.bio = fields.validate_text(bio, what="bio", most=fields.MAX_DESCRIPTION_LENGTH, has_lines=True)
    if homepage is not None:
        user.homepage = fields.validate_link(homepage, what="homepage", most=fields.MAX_HOMEPAGE_LENGTH)
    if avatar is not None and keep_own(avatar, user.avatar) != user.avatar:
        user.avatar = fields.validate_link(avatar, what="avatar", most=fields.MAX_IMAGE_URL_LENGTH)
    if time_zone is not None:
        user.namespace.time_zone = fields.validate_zone(time_zone)
    user.updated_at = work.now()
    work.session.flush()
    if email is not None:
        email = fields.validate_email(email)
        require_code(work, actor=actor, user=user, email=email, code=email_code)
        _change_email(work, user, email)
    log.info("user_updated", user_id=user.id, actor_id=actor.user_id)
    return user


def _change_email(work: UnitOfWork, user: User, email: str) -> None:
    if fields.email_key(email) != user.email_key:
        _refuse_taken_email(work, email)
    try:
        with work.session.begin_nested():
            user.email, user.email_key = email, fields.email_key(email)
    except IntegrityError:
        _refuse_taken_email(work, email)
        raise


def set_password(work: UnitOfWork, *, actor: Actor, user: User, password: PasswordHash) -> None:
    """Give the account a new password (made by ``hash_password``) and end its browser sessions.

    Access tokens and SSH keys stay. Raises NotSignedIn, Denied.
    """
    require(work, actor, Action.ACCOUNT_CREDENTIALS, user, what="user")
    user.password_hash = password
    user.updated_at = work.now()
    close_all_sessions(work, actor=actor, user=user)
    log.info("password_changed", user_id=user.id, actor_id=actor.user_id)


def deactivate_user(work: UnitOfWork, *, actor: Actor, user: User) -> None:
    """Switch the account off: no credential of it is good any more, at once; what it owns stays.

    Harmless when it is off already. Raises NotSignedIn, Denied; Conflict (``last_site_admin``).
    """
    require_site_admin(work, actor)
    if user.is_active and user.is_admin:
        _refuse_last_site_admin(work, user)
    user.is_active = False
    user.updated_at = work.now()
    close_all_sessions(work, actor=actor, user=user)
    log.info("user_deactivated", user_id=user.id, actor_id=actor.user_id)


def reactivate_user(work: UnitOfWork, *, actor: Actor, user: User) -> None:
    """Switch the account on again; its tokens and keys are good again.

    Harmless when it is on already. Raises NotSignedIn; Denied, with ``license_seats`` when all seats are taken.
    """
    require_site_admin(work, actor)
    if not user.is_active:
        check_seat(work)
    user.is_active = True
    user.updated_at = work.now()
    log.info("user_reactivated", user_id=user.id, actor_id=actor.user_id)


def _refuse_last_site_admin(work: UnitOfWork, user: User) -> None:
    # The rows are locked, so that two administrators cannot switch each other off at the same moment.
    admins = work.session.scalars(
        select(User.id).where(User.is_admin, User.is_active).order_by(User.id).with_for_update()
    ).all()
    if set(admins) <= {user.id}:
        raise Conflict("This is the last site administrator; make another one first.", code="last_site_admin")


def count_active_users(work: UnitOfWork) -> int:
    """How many accounts are switched on: the seats that a licence counts."""
    return work.session.scalar(select(func.count()).select_from(User).where(User.is_active)) or 0


def set_labels(work: UnitOfWork, *, actor: Actor, user: User, labels: Sequence[str]) -> User:
    """Give the account these of the ``LABELS`` and no others; for site administrators.

    Raises Invalid (``REQ-ERR-6``), NotSignedIn, Denied.
    """
    require_site_admin(work, actor)
    unique = list(dict.fromkeys(labels))
    if not set(unique) <= set(LABELS):
        raise Invalid(f"A label is one of {', '.join(LABELS)}.", code="REQ-ERR-6", member="labels")
    user.labels, user.updated_at = unique, work.now()
    work.session.flush()
    log.info("user_labelled", user_id=user.id, actor_id=actor.user_id)
    return user
