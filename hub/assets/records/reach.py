"""Whose content lists over many repositories may tell, and how words are looked for in it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, SQLColumnExpression, and_, or_, select, true

from hub.accounts.models import Grant, Member, Organization, Role
from hub.accounts.policy import Actor
from hub.assets.service.rows import may_read
from hub.repos.lookup import is_live
from hub.repos.models import GateRequest, Repository, RequestState

MAX_WORDS = 8
MAX_SEARCH_CHARS = 200
_WRITERS = tuple(role for role in Role if role.rank >= Role.WRITE.rank)


def tells_content(actor: Actor) -> ColumnElement[bool]:
    """The condition on ``Repository`` that the actor sees it and gets its content, as ``repos.gates`` judges one."""
    return and_(is_live(), may_read(actor), _passes_gate(actor))


def _passes_gate(actor: Actor) -> ColumnElement[bool]:
    if actor.is_system or actor.is_admin:
        return true()
    is_open = Repository.gate == ""
    if actor.user_id is None:
        return is_open
    accepted = select(GateRequest.repository_id).where(
        GateRequest.user_id == actor.user_id, GateRequest.state == RequestState.ACCEPTED
    )
    organizations = (
        select(Organization.namespace_id)
        .join(Member, Member.organization_id == Organization.id)
        .where(Member.user_id == actor.user_id, Member.role.in_(_WRITERS))
    )
    granted = select(Grant.resource_id).where(
        Grant.resource_type == Repository.resource_type, Grant.user_id == actor.user_id, Grant.role.in_(_WRITERS)
    )
    return or_(
        is_open,
        Repository.namespace_id == actor.namespace_id,
        Repository.namespace_id.in_(organizations),
        Repository.id.in_(granted),
        Repository.id.in_(accepted),
    )


def holds_words(column: SQLColumnExpression[str], search: str) -> list[ColumnElement[bool]]:
    """Conditions that each of the words stands somewhere in the column, which is in lower case."""
    words = dict.fromkeys(search[:MAX_SEARCH_CHARS].lower().split()[:MAX_WORDS])
    return [column.like(f"%{_literal(word)}%", escape="\\") for word in words]


def _literal(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def clipped(text: Any, most: int) -> str:
    """The beginning of a text, to be stored in a column of so many characters."""
    return str(text)[:most]
