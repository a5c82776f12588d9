"""The directory of users: searched, narrowed, sorted and exported."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, SQLColumnExpression, String, cast, func, or_, select

from hub.accounts.models import Namespace, User
from hub.accounts.policy import Action, Actor, can, require_site_admin
from hub.accounts.service.verifications import STATUSES, status_column, statuses_of
from hub.base.context import Context
from hub.base.errors import Denied, Invalid, NotSignedIn
from hub.base.paging import Page, PageArgs
from hub.db.uow import UnitOfWork, reading

SORTS = {
    "username": Namespace.path_key,
    "created_at": User.created_at,
    "last_login_at": User.last_login_at,
    "updated_at": User.updated_at,
}
_EXPORT_BATCH = 500


@dataclass(frozen=True)
class UserFilter:
    """Which users are asked for; empty members ask for all.

    search: in names, for site administrators in e-mail addresses, too; is_exact: all of it, not a part. labels: any
    of them. verify_status: of ``verifications.STATUSES``. sort_by: a key of ``SORTS``.
    """

    search: str = ""
    is_exact: bool = False
    verify_status: str = ""
    labels: Sequence[str] = ()
    is_active: bool | None = None
    is_admin: bool | None = None
    sort_by: str = ""
    is_descending: bool = False

    @property
    def is_for_administrators(self) -> bool:
        """Whether it asks for what others may not know of a user."""
        asks_private = bool(self.verify_status or self.labels)
        asks_private = asks_private or self.is_active is not None or self.is_admin is not None
        return asks_private or self.sort_by not in ("", "username")


def list_users(
    work: UnitOfWork, *, actor: Actor, wanted: UserFilter | None = None, page: PageArgs | None = None
) -> Page[User]:
    """Users, by name unless asked otherwise. Switched-off accounts are shown to site administrators only.

    Raises NotSignedIn; Denied when others ask by what is private; Invalid (``REQ-ERR-6``).
    """
    if actor.is_anonymous:
        raise NotSignedIn("Sign in to see the users.")
    wanted, page = wanted or UserFilter(), page or PageArgs()
    sees_all = can(work, actor, Action.SITE_ADMIN)
    if wanted.is_for_administrators and not sees_all:
        raise Denied("Only site administrators may sort and narrow the users by this.")
    conditions = _conditions(wanted, with_emails=sees_all)
    if not sees_all:
        conditions.append(User.is_active.is_(True))
    if wanted.sort_by and wanted.sort_by not in SORTS:
        raise Invalid(f"'sort_by' must be one of {', '.join(SORTS)}.", code="REQ-ERR-6", query="sort_by")
    column = SORTS[wanted.sort_by or "username"]
    order = (column.desc() if wanted.is_descending else column.asc()).nulls_last()
    query = select(User).join(User.namespace).where(*conditions)
    total = work.session.scalar(query.with_only_columns(func.count())) or 0
    users = work.session.scalars(query.order_by(order, User.id).offset(page.offset).limit(page.per)).all()
    return Page(users, total)


def _conditions(wanted: UserFilter, *, with_emails: bool) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    text = wanted.search.strip().lower()
    if text:
        columns = [Namespace.path_key, func.lower(User.nickname)] + ([User.email_key] if with_emails else [])
        conditions.append(or_(*(_matches(column, text, wanted.is_exact) for column in columns)))
    if wanted.verify_status:
        if wanted.verify_status not in STATUSES:
            raise Invalid(f"'verify_status' must be one of {', '.join(STATUSES)}.", code="REQ-ERR-6")
        conditions.append(status_column(User.resource_type, User.id) == wanted.verify_status)
    if wanted.labels:
        # Labels hold neither quotes nor backslashes, so that one is found in the list's own text.
        words = cast(User.labels, String)
        conditions.append(or_(*(words.contains(f'"{label}"', autoescape=True) for label in wanted.labels)))
    if wanted.is_active is not None:
        conditions.append(User.is_active.is_(wanted.is_active))
    if wanted.is_admin is not None:
        conditions.append(User.is_admin.is_(wanted.is_admin))
    return conditions


def _matches(column: SQLColumnExpression[str], text: str, is_exact: bool) -> ColumnElement[bool]:
    return column == text if is_exact else column.contains(text, autoescape=True)


def export_users(context: Context, *, actor: Actor) -> Iterator[Sequence[tuple[User, str]]]:
    """All users in the order of their making, each with the status of their verification, a few hundred at a time.

    Nothing is held but one portion. For site administrators. Raises NotSignedIn, Denied (at once, not when it is
    first asked for users).
    """
    with reading(context) as work:
        require_site_admin(work, actor)
    return _portions(context)


def _portions(context: Context) -> Iterator[Sequence[tuple[User, str]]]:
    last_id = 0
    while True:
        with reading(context) as work:
            users = work.session.scalars(
                select(User).where(User.id > last_id).order_by(User.id).limit(_EXPORT_BATCH)
            ).all()
            statuses = statuses_of(work, User.resource_type, [user.id for user in users])
        if not users:
            return
        last_id = users[-1].id
        yield [(user, statuses.get(user.id, "none")) for user in users]
