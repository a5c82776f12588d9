"""Conditions told apart into their shape and the values in them, so that a statement is built once for each shape.

To build a list's statement takes SQLAlchemy longer than the list takes the database.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, and_, bindparam, true
from sqlalchemy.sql.visitors import replacement_traverse

_MAX_KNOWN = 1000


@dataclass(frozen=True)
class Shape:
    """What conditions have in common with others that differ in their values only: those are equal.

    key: what SQLAlchemy itself remembers compiled statements by.
    """

    key: Hashable
    _condition: ColumnElement[bool] = field(compare=False)
    _places: Sequence[BindParameter[Any]] = field(compare=False)

    def condition(self, prefix: str = "value") -> ColumnElement[bool]:
        """The conditions, with parameters ``value_0``, ``value_1`` ... where the values go.

        prefix: another word than "value", for a statement of several shapes.
        """
        named = {
            id(place): bindparam(
                _name(at, prefix), type_=place.type, expanding=place.expanding, literal_execute=place.literal_execute
            )
            for at, place in enumerate(self._places)
        }
        replaced: ColumnElement[bool] = replacement_traverse(
            self._condition, {}, lambda element, **_: named.get(id(element))
        )
        return replaced


def shape_of(conditions: Sequence[ColumnElement[bool]], prefix: str = "value") -> tuple[Shape, dict[str, Any]]:
    """The shape of conditions, all of which must hold, and the values by the names of its parameters."""
    shape, values = _shape_of(tuple(conditions))
    if prefix != "value":
        return shape, {_name(at, prefix): value for at, value in enumerate(values.values())}
    return shape, dict(values)


# Conditions that are built once, such as those on one label, are told apart once.
@lru_cache(maxsize=_MAX_KNOWN)
def _shape_of(conditions: tuple[ColumnElement[bool], ...]) -> tuple[Shape, dict[str, Any]]:
    condition = and_(true(), *conditions)
    key = condition._generate_cache_key()
    if key is None:
        # Something in it is like nothing else.
        return Shape(object(), condition, ()), {}
    values = {_name(at): place.effective_value for at, place in enumerate(key.bindparams)}
    return Shape(key.key, condition, key.bindparams), values


def _name(at: int, prefix: str = "value") -> str:
    return f"{prefix}_{at}"
