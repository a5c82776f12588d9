"""Finding users and organisations by their names: exactly, by the beginning, by a part; of the name or as shown."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, func, select, true, union_all
from sqlalchemy.orm import InstrumentedAttribute, joinedload

from hub.accounts.models import Namespace, Organization, User
from hub.accounts.policy import Action, Actor, can
from hub.assets.search.grammar import Query
from hub.base.paging import Page, PageArgs
from hub.db.engine import PLANNED_EACH_TIME
from hub.db.shapes import Shape, shape_of
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
    arms: list[Shape] = []
    values: dict[str, Any] = {}
    for at, named in enumerate((key, lower)):
        parts: list[ColumnElement[bool]] = [named.like(f"%{literal_pattern(word)}%", escape="\\") for word in words]
        shape, more = shape_of([condition, *parts], f"a{at}_")
        arms.append(shape)
        values |= more
    rows = [*work.rows(_statement(shown, tuple(arms)), values)]
    if len(rows) >= MAX_LOOKED_AT:
        # Of many whichever were looked at: what is called so, or begins so, need not be among them.
        chosen = _chosen(shown).where(condition)
        exact = select(chosen.where(key == whole).limit(1).subquery())
        begun = chosen.where(key.like(f"{literal_pattern(whole)}%", escape="\\")).limit(MAX_LOOKED_AT)
        first: Any = union_all(exact, select(begun.subquery()))
        rows += work.rows(first.execution_options(**{PLANNED_EACH_TIME: True}))
    names = {id: (path, name) for id, path, name in rows}
    ranked = sorted(names, key=lambda key: (_rank(*names[key], whole), len(names[key][0]), names[key][0]))
    ids = ranked[page.offset : page.offset + page.per]
    is_estimate = len(rows) >= MAX_LOOKED_AT
    return Page(_load(work, model, ids), len(ranked), is_estimate)


def _chosen(shown: InstrumentedAttribute[str]) -> Select[Any]:
    """Of users or organisations the id and what is looked into: the name, and the one that is shown."""
    model = shown.class_
    names = select(model.id, Namespace.path_key, func.lower(shown).label("shown"))
    return names.join(Namespace, Namespace.id == model.namespace_id)


# Of searches that differ in the values only, the statement is built once.
@lru_cache(maxsize=200)
def _statement(shown: InstrumentedAttribute[str], arms: tuple[Shape, ...]) -> Any:
    chosen = _chosen(shown)
    found = [chosen.where(arm.condition(f"a{at}_")).limit(MAX_LOOKED_AT) for at, arm in enumerate(arms)]
    statement = union_all(*(select(arm.subquery()) for arm in found))
    return statement.execution_options(**{PLANNED_EACH_TIME: True})


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
