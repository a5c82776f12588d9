"""Whose content lists over many repositories may tell, and how words are looked for in it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, SQLColumnExpression, and_

from hub.accounts.policy import Actor
from hub.assets.search.filters import may_read_content
from hub.repos.lookup import is_live, may_read

MAX_WORDS = 8
MAX_SEARCH_CHARS = 200


def tells_content(actor: Actor) -> ColumnElement[bool]:
    """The condition on ``Repository`` that the actor sees it and gets its content, as ``repos.gates`` judges one."""
    return and_(is_live(), may_read(actor), may_read_content(actor))


def holds_words(column: SQLColumnExpression[str], search: str) -> list[ColumnElement[bool]]:
    """Conditions that each of the words stands somewhere in the column, which is in lower case."""
    words = dict.fromkeys(search[:MAX_SEARCH_CHARS].lower().split()[:MAX_WORDS])
    return [column.like(f"%{_literal(word)}%", escape="\\") for word in words]


def _literal(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def clipped(text: Any, most: int) -> str:
    """The beginning of a text, to be stored in a column of so many characters."""
    return str(text)[:most]
