"""Finding users and organisations by their names: exactly, by the beginning, by a part; of the name or as shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, func, select, true, union_all
from sqlalchemy.orm import InstrumentedAttribute, joinedload

from hub.accounts.models import Namespace, Organization, User
from hub.accounts.policy import Action, Actor, can
from hub.assets.search.grammar import Query
from hub.base.paging import Page, PageArgs
from hub.db.engine import PLANNED_EACH_TIME
from hub.db.uow import UnitOfWork
from hub.repos.searching import literal_pattern

# So many names are looked at.
MAX_LOOKED_AT = 200

Account = TypeVar("Account", User, Organization)


def find_users(work: UnitOfWork, actor: Actor, query: Query, page: PageArgs) -> Page[User]:
    """Users whose names hold every word; to be asked for who is signed in only. Three queries at most.

    Accounts that are switched off are shown to site administrators.
    """
    is_shown = true() if can(work, actor, Action.SITE_ADMIN) else User.is_active.is_(True)
    return _find(work, User, User.nickname, is_shown, query, page)


def find_organizations(work: UnitOfWork, query: Query, page: PageArgs) -> Page[Organization]:
    """Organisations whose names hold every word. Three queries at most."""
    return _find(work, Organization, Organization.display_name, true(), query, page)


def _find(
    work: UnitOfWork,
    model: type[Account],
    shown: InstrumentedAttribute[str],
    condition: ColumnElement[bool],
    query: Query,
    page: PageArgs,
) -> Page[Account]:
    words = [term.text.lower() for term in query.words]
    if not words or query.refused or query.filters:
        # Filters are of repositories.
        return Page((), 0)
    whole = "-".join(words)
    lower = func.lower(shown)
    key = Namespace.path_key
    chosen = select(model.id, key, lower.label("shown")).join(Namespace, Namespace.id == model.namespace_id)
    chosen = chosen.where(condition)
    arms = [
        chosen.where(*(column.like(f"%{literal_pattern(word)}%", escape="\\") for word in words)).limit(MAX_LOOKED_AT)
        for column in (key, lower)
    ]
    statement: Any = union_all(*(select(arm.subquery()) for arm in arms))
    rows = [*work.rows(statement.execution_options(**{PLANNED_EACH_TIME: True}))]
    if len(rows) >= MAX_LOOKED_AT:
        # Of many whichever were looked at: what is called so, or begins so, need not be among them.
        exact = select(chosen.where(key == whole).limit(1).subquery())
        begun = chosen.where(key.like(f"{literal_pattern(whole)}%", escape="\\")).limit(MAX_LOOKED_AT)
        first: Any = union_all(exact, select(begun.subquery()))
        rows += work.rows(first.execution_options(**{PLANNED_EACH_TIME: True}))
    names = {id: (path, name) for id, path, name in rows}
    ranked = sorted(names, key=lambda key: (_rank(*names[key], whole), len(names[key][0]), names[key][0]))
    ids = ranked[page.offset : page.offset + page.per]
    is_estimate = len(rows) >= MAX_LOOKED_AT
    return Page(_load(work, model, ids), len(ranked), is_estimate)


def _rank(path: str, shown: str, whole: str) -> int:
    if path == whole:
        return 0
    if path.startswith(whole):
        return 1
    return 2 if whole in path else 3


def _load(work: UnitOfWork, model: type[Account], ids: Sequence[int]) -> list[Account]:
    if not ids:
        return []
    query: Any = select(model).where(model.id.in_(ids)).options(joinedload(model.namespace))
    found = {account.id: account for account in work.session.scalars(query)}
    return [found[id] for id in ids if id in found]
