"""Conditions on repositories out of what a search's filters say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, SQLColumnExpression, and_, bindparam, false, or_, select, true

from hub.accounts.models import Grant, Member, Namespace, Organization, Role
from hub.accounts.policy import Actor
from hub.assets.models_indexing import ModelMetadata
from hub.assets.search.choices import Narrowing, find_choices
from hub.assets.search.fulltext import has_trigrams
from hub.assets.search.grammar import Filter, Span
from hub.base.context import Context, Key
from hub.base.registry import Registry
from hub.db.uow import UnitOfWork
from hub.repos.kinds import KINDS
from hub.repos.models import GateRequest, Repository, RequestState

# What filters of numbers measure, by the filter's name.
MEASURES: Key[Registry[Callable[[Span], ColumnElement[bool]]]] = Key("assets.search_measures")

# ``kinds_asked`` and the search in code see to these.
_NOT_OF_ROWS = ("kind", "path")
# Of readers, what they may see is not built anew for each search.
_MAX_READERS = 1000
_WRITERS = tuple(role for role in Role if role.rank >= Role.WRITE.rank)
_OWNERS = select(Namespace.id).where(Namespace.path_key.in_(bindparam("keys", expanding=True)))


def create_measures() -> Registry[Callable[[Span], ColumnElement[bool]]]:
    """A registry holding what repositories have, and models in particular."""
    measures: Registry[Callable[[Span], ColumnElement[bool]]] = Registry("measures of the search")
    size = Repository.git_size_bytes + Repository.lfs_size_bytes
    for name, column in (("size", size), ("likes", Repository.like_count), ("downloads", Repository.download_count)):
        measures.add(name, _measure(column))
    measures.add("params", _has_parameters)
    return measures


def _has_parameters(span: Span) -> ColumnElement[bool]:
    counted = select(ModelMetadata.repository_id).where(within(ModelMetadata.parameters, span))
    return Repository.id.in_(counted)


def _measure(column: SQLColumnExpression[Any]) -> Callable[[Span], ColumnElement[bool]]:
    return lambda span: within(column, span)


def within(column: SQLColumnExpression[Any], span: Span) -> ColumnElement[bool]:
    """The condition that a number or moment is within a span."""
    bounds = [column >= span.low] if span.low is not None else []
    # A moment's span ends before the day after.
    is_number = isinstance(span.high, float | int)
    bounds += [column <= span.high if is_number else column < span.high] if span.high is not None else []
    return and_(true(), *bounds)


def kinds_asked(context: Context, filters: Sequence[Filter], kinds: Sequence[str]) -> list[str]:
    """Those of the kinds that the filters ``kind:`` leave."""
    for wanted in filters:
        if wanted.key == "kind":
            kinds = [kind for kind in kinds if (kind in _kinds_named(context, wanted.values)) != wanted.is_negated]
    return [*kinds]


def _kinds_named(context: Context, values: Sequence[str]) -> set[str]:
    return {kind.name for kind in context[KINDS].values() if {kind.name, *kind.segments} & set(values)}


def conditions_of(work: UnitOfWork, filters: Sequence[Filter], kinds: Sequence[str]) -> list[Narrowing]:
    """For each filter its condition on ``Repository``; ``true`` for what is no matter of its row. Two queries."""
    labels = [wanted for wanted in filters if wanted.key.startswith("label:")]
    choices = [(wanted.key.removeprefix("label:"), wanted.values) for wanted in labels]
    chosen = dict(zip(labels, find_choices(work, scopes=kinds, choices=choices), strict=True))
    owners = _owners_in(work, filters)
    # Of no use without the index that finds words and labels together.
    are_kept = bool(labels) and has_trigrams(work.context)
    found: list[Narrowing] = []
    for wanted in filters:
        if wanted not in chosen:
            narrowing = Narrowing.of(_condition_of(work, wanted, owners))
        else:
            narrowing = chosen[wanted].narrowing() if are_kept else Narrowing.of(chosen[wanted].condition())
        found.append(narrowing.inverted() if wanted.is_negated and wanted.key not in _NOT_OF_ROWS else narrowing)
    return found


def _owners_in(work: UnitOfWork, filters: Sequence[Filter]) -> dict[str, int]:
    keys = [value for wanted in filters if wanted.key == "owner" for value in wanted.values]
    if not keys:
        return {}
    rows = work.rows(_OWNERS.add_columns(Namespace.path_key), {"keys": keys})
    return {key: id for id, key in rows}


def _condition_of(work: UnitOfWork, wanted: Filter, owners: dict[str, int]) -> ColumnElement[bool]:
    if wanted.key == "owner":
        ids = [owners[value] for value in wanted.values if value in owners]
        return Repository.namespace_id.in_(ids) if ids else false()
    if wanted.key == "is":
        return or_(*(_STATES[value] for value in wanted.values))
    span = wanted.span
    if span is None:
        return true()
    if wanted.key == "updated":
        return within(Repository.updated_at, span)
    if wanted.key == "created":
        return within(Repository.created_at, span)
    measure = work.context[MEASURES].find(wanted.key)
    return measure(span) if measure is not None else false()


_STATES: dict[str, ColumnElement[bool]] = {
    "public": Repository.is_private.is_(False),
    "private": Repository.is_private.is_(True),
    "archived": Repository.archived_at.is_not(None),
    "gated": Repository.gate != "",
    "mirror": Repository.source != "local",
}


@lru_cache(maxsize=_MAX_READERS)
def may_read_content(actor: Actor) -> ColumnElement[bool]:
    """The condition on ``Repository`` that an actor who may read it gets its content: ``repos.gates`` as one."""
    is_open = Repository.gate == ""
    if actor.is_system or actor.is_admin:
        return true()
    if actor.user_id is None:
        return is_open
    organizations = (
        select(Organization.namespace_id)
        .join(Member, Member.organization_id == Organization.id)
        .where(Member.user_id == actor.user_id, Member.role.in_(_WRITERS))
    )
    granted = select(Grant.resource_id).where(
        Grant.resource_type == Repository.resource_type, Grant.user_id == actor.user_id, Grant.role.in_(_WRITERS)
    )
    accepted = select(GateRequest.repository_id).where(
        GateRequest.user_id == actor.user_id, GateRequest.state == RequestState.ACCEPTED
    )
    return or_(
        is_open,
        Repository.namespace_id == actor.namespace_id,
        Repository.namespace_id.in_(organizations),
        Repository.id.in_(granted),
        Repository.id.in_(accepted),
    )
