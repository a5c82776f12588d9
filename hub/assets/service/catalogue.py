"""The catalogue of labels: which there are, by kind of asset and category. Site administrators keep it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from hub.accounts.policy import Action, Actor, can, require_site_admin
from hub.accounts.service.fields import validate_text
from hub.assets.models import Tag, TagCategory, TagState
from hub.assets.service.known import KNOWN_LABELS
from hub.assets.service.words import is_seen_by_all
from hub.base.errors import Conflict, Invalid, NotFound
from hub.base.log import get_logger
from hub.base.paging import Page, PageArgs
from hub.db.totals import total_of
from hub.db.uow import UnitOfWork
from hub.repos.kinds import KINDS

log = get_logger(__name__)

# Labels are put on repositories, and on organisations.
ORGANIZATION_SCOPE = "organization"
# The most labels of a list that is asked for without pages, and the most categories there can be.
MAX_LABELS = 5_000
MAX_CATEGORIES = 1_000
MAX_SEARCH_CHARS = 100
TRIGRAM = 3
_MAX_CHARS = {"category": 32, "group": 64, "name": 100, "show_name": 100, "i18n_key": 100}


def check_label_name(text: str, *, what: str = "name") -> str:
    """The name of a label, a category or a group as it is stored: in lower case, without surrounding space.

    Raises Invalid (``text_invalid``) when it is too long or holds control characters.
    """
    return validate_text(text.lower(), what=what, most=_MAX_CHARS[what])


def _required(text: str, *, what: str) -> str:
    name = check_label_name(text, what=what)
    if not name:
        raise Invalid(f"The {what} is empty.", code="text_invalid", field=what)
    return name


def list_labels(
    work: UnitOfWork,
    *,
    actor: Actor,
    scopes: Sequence[str] = (),
    categories: Sequence[str] = (),
    is_builtin: bool | None = None,
    search: str = "",
    page: PageArgs | None = None,
) -> Page[Tag]:
    """Labels by category; those that the hub and its administrators made come first, then what repositories brought.

    A word that private repositories alone carry is seen by site administrators only.
    scopes, categories: none for all. search: a part of the name, in any case; of one or two letters, its beginning.
    page: None for the first ``MAX_LABELS``.
    """
    page = page or PageArgs(per=MAX_LABELS)
    query = select(Tag)
    if not can(work, actor, Action.SITE_ADMIN):
        query = query.where(is_seen_by_all())
    if scopes:
        query = query.where(Tag.scope.in_(scopes))
    if categories:
        query = query.where(Tag.category.in_([category.lower() for category in categories]))
    if is_builtin is not None:
        query = query.where(Tag.is_builtin.is_(is_builtin))
    if is_builtin:
        # No word is: told so, the database looks at none.
        query = query.where(Tag.state == TagState.KEPT)
    if wanted := search.strip().lower()[:MAX_SEARCH_CHARS]:
        columns = (Tag.name, func.lower(Tag.show_name))
        # What is shorter than a trigram is found by an index at the beginning of a text only; Chinese words are short.
        is_begun = wanted.isascii() and len(wanted) < TRIGRAM
        finds = [column.startswith if is_begun else column.contains for column in columns]
        query = query.where(or_(*(find(wanted, autoescape=True) for find in finds)))
    order = (Tag.scope, Tag.category, Tag.state, Tag.name)
    labels = work.session.scalars(query.order_by(*order).offset(page.offset).limit(page.per)).all()
    total, is_estimate = total_of(work, query.with_only_columns(Tag.id), page, len(labels))
    return Page(labels, total, is_estimate)


def get_label(work: UnitOfWork, *, actor: Actor, label_id: int) -> Tag:
    """The label of that id, when ``list_labels`` would tell of it. Raises NotFound (``label_not_found``)."""
    label = work.session.get(Tag, label_id)
    if label is None or (label.state == TagState.UNSEEN and not can(work, actor, Action.SITE_ADMIN)):
        raise NotFound("There is no such label.", code="label_not_found")
    return label


def create_label(
    work: UnitOfWork,
    *,
    actor: Actor,
    scope: str,
    category: str,
    name: str,
    group: str = "",
    show_name: str = "",
    i18n_key: str = "",
    is_builtin: bool = False,
) -> Tag:
    """A new label of a category that is known. For site administrators.

    Raises NotSignedIn, Denied, Invalid; Conflict (``SYS-ERR-4``) when there is one of that name.
    """
    require_site_admin(work, actor)
    now = work.now()
    label = Tag(
        scope=scope,
        category=_require_category(work, scope, category).name,
        name=_required(name, what="name"),
        group=validate_text(group, what="group", most=_MAX_CHARS["group"]),
        show_name=validate_text(show_name, what="show_name", most=_MAX_CHARS["show_name"]),
        i18n_key=validate_text(i18n_key, what="i18n_key", most=_MAX_CHARS["i18n_key"]),
        is_builtin=is_builtin,
        created_at=now,
        updated_at=now,
    )
    with _unless_taken(work, label.name):
        work.session.add(label)
    work.after_commit(work.context[KNOWN_LABELS].forget)
    log.info("label_created", label_id=label.id, actor_id=actor.user_id)
    return label


def update_label(
    work: UnitOfWork,
    *,
    actor: Actor,
    label_id: int,
    category: str | None = None,
    name: str | None = None,
    group: str | None = None,
    show_name: str | None = None,
    i18n_key: str | None = None,
    is_builtin: bool | None = None,
) -> Tag:
    """Change the members that are not None; repositories keep the label. For site administrators.

    A word that repositories brought is theirs no longer: everybody sees it, and it stays when nobody carries it.
    Raises NotSignedIn, Denied, NotFound, Invalid; Conflict (``SYS-ERR-4``).
    """
    require_site_admin(work, actor)
    label = get_label(work, actor=actor, label_id=label_id)
    changes: dict[str, Any] = {"state": TagState.KEPT, "updated_at": work.now()}
    if category is not None:
        changes["category"] = _require_category(work, label.scope, category).name
    if name is not None:
        changes["name"] = _required(name, what="name")
    texts = {"group": group, "show_name": show_name, "i18n_key": i18n_key}
    for member, text in texts.items():
        if text is not None:
            changes[member] = validate_text(text, what=member, most=_MAX_CHARS[member])
    if is_builtin is not None:
        changes["is_builtin"] = is_builtin
    with _unless_taken(work, changes.get("name", label.name)):
        _change(label, changes)
    work.after_commit(work.context[KNOWN_LABELS].forget)
    log.info("label_updated", label_id=label.id, actor_id=actor.user_id)
    return label


def delete_label(work: UnitOfWork, *, actor: Actor, label_id: int) -> None:
    """Remove a label from the catalogue and from every repository. Raises NotSignedIn, Denied, NotFound."""
    require_site_admin(work, actor)
    label = get_label(work, actor=actor, label_id=label_id)
    work.session.execute(delete(Tag).where(Tag.id == label.id))
    work.after_commit(work.context[KNOWN_LABELS].forget)
    log.info("label_deleted", label_id=label_id, actor_id=actor.user_id)


def list_categories(work: UnitOfWork, *, scope: str | None = None, is_enabled: bool | None = None) -> list[TagCategory]:
    """The categories, at most ``MAX_CATEGORIES``, in the order in which they were made. scope: None for all."""
    query = select(TagCategory).order_by(TagCategory.id).limit(MAX_CATEGORIES)
    if scope is not None:
        query = query.where(TagCategory.scope == scope)
    if is_enabled is not None:
        query = query.where(TagCategory.is_enabled.is_(is_enabled))
    return [*work.session.scalars(query)]


def create_category(
    work: UnitOfWork,
    *,
    actor: Actor,
    scope: str,
    name: str,
    show_name: str = "",
    is_enabled: bool = True,
    is_automatic: bool = False,
) -> TagCategory:
    """A new category. scope: a kind of asset, or ``ORGANIZATION_SCOPE``. For site administrators.

    Raises NotSignedIn, Denied, Invalid; Conflict (``SYS-ERR-4``: there is one of that name; ``too_many_categories``).
    """
    require_site_admin(work, actor)
    if scope != ORGANIZATION_SCOPE and scope not in work.context[KINDS]:
        raise Invalid(f"There are no assets of kind {scope!r}.", code="REQ-ERR-6", member="scope")
    if (work.session.scalar(select(func.count(TagCategory.id))) or 0) >= MAX_CATEGORIES:
        raise Conflict(f"There are already {MAX_CATEGORIES} categories.", code="too_many_categories")
    category = TagCategory(
        scope=scope,
        name=_required(name, what="category"),
        show_name=validate_text(show_name, what="show_name", most=64),
        is_enabled=is_enabled,
        is_automatic=is_automatic,
    )
    with _unless_taken(work, category.name):
        work.session.add(category)
    log.info("label_category_created", category_id=category.id, actor_id=actor.user_id)
    return category


def update_category(
    work: UnitOfWork,
    *,
    actor: Actor,
    category_id: int,
    name: str | None = None,
    show_name: str | None = None,
    is_enabled: bool | None = None,
    is_automatic: bool | None = None,
) -> TagCategory:
    """Change the members that are not None; the category's labels follow its name. For site administrators.

    Raises NotSignedIn, Denied, NotFound, Invalid; Conflict (``SYS-ERR-4``).
    """
    require_site_admin(work, actor)
    category = _get_category(work, category_id)
    changes: dict[str, Any] = {}
    if show_name is not None:
        changes["show_name"] = validate_text(show_name, what="show_name", most=64)
    if is_enabled is not None:
        changes["is_enabled"] = is_enabled
    if is_automatic is not None:
        changes["is_automatic"] = is_automatic
    if name is not None:
        changes["name"] = _required(name, what="category")
    labels = update(Tag).where(Tag.scope == category.scope, Tag.category == category.name)
    with _unless_taken(work, changes.get("name", category.name)):
        _change(category, changes)
        if name is not None:
            work.session.execute(labels.values(category=changes["name"]))
    work.after_commit(work.context[KNOWN_LABELS].forget)
    log.info("label_category_updated", category_id=category.id, actor_id=actor.user_id)
    return category


def delete_category(work: UnitOfWork, *, actor: Actor, category_id: int) -> None:
    """Remove a category with its labels. Raises NotSignedIn, Denied, NotFound."""
    require_site_admin(work, actor)
    category = _get_category(work, category_id)
    work.session.execute(delete(Tag).where(Tag.scope == category.scope, Tag.category == category.name))
    work.session.execute(delete(TagCategory).where(TagCategory.id == category_id))
    work.after_commit(work.context[KNOWN_LABELS].forget)
    log.info("label_category_deleted", category_id=category_id, actor_id=actor.user_id)


def _get_category(work: UnitOfWork, category_id: int) -> TagCategory:
    category = work.session.get(TagCategory, category_id)
    if category is None:
        raise NotFound("There is no such category of labels.", code="category_not_found")
    return category


def _require_category(work: UnitOfWork, scope: str, name: str) -> TagCategory:
    category = work.session.scalar(
        select(TagCategory).where(
            TagCategory.scope == scope, TagCategory.name == check_label_name(name, what="category")
        )
    )
    if category is None:
        raise Invalid(f"{scope!r} has no category of labels {name!r}.", code="REQ-ERR-6", member="category")
    return category


@contextmanager
def _unless_taken(work: UnitOfWork, name: str) -> Iterator[None]:
    """Write what is done inside. Raises Conflict (``SYS-ERR-4``) when the name is taken.

    Rows are changed inside, too: those that a failed savepoint leaves can no longer be asked.
    """
    try:
        with work.session.begin_nested():
            yield
    except IntegrityError:
        raise Conflict(f"There is already one named {name!r}.", code="SYS-ERR-4") from None


def _change(row: Tag | TagCategory, changes: Mapping[str, Any]) -> None:
    for member, value in changes.items():
        setattr(row, member, value)
