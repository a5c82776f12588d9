"""Filters by labels, each with several values of which one is enough: ``task=translation,summarization``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from sqlalchemy import ColumnElement, bindparam, false, select

from hub.assets.models import RepositoryTag, Tag
from hub.base.errors import Invalid
from hub.base.texts import is_storable
from hub.db.uow import UnitOfWork
from hub.repos.models import Repository

# Of one list or search, over all categories.
MAX_CHOICES = 50
# What lists by one category find in others, too; as ``service.labels`` has it.
_ALSO: Mapping[str, tuple[str, ...]] = {"task": ("task", "other")}
# Of a licence: that there is none.
NONE = "none"

# What queries of lists call a category -> the category. Source: web UI contract, section 6.1.
SHORT_KEYS: Mapping[str, str] = {
    "task": "task",
    "framework": "framework",
    "language": "language",
    "programlanguage": "program_language",
    "license": "license",
    "industry": "industry",
    "size_cat": "size",
    "modality": "modality",
    "format": "format",
    "runtime_framework": "runtime_framework",
    "category": "category",
    "runmode": "runmode",
}

Choice = tuple[str, tuple[str, ...]]  # a category ("" for any), and the names of which one is enough

_FOUND = select(Tag.category, Tag.name, Tag.id).where(
    Tag.scope.in_(bindparam("scopes", expanding=True)), Tag.name.in_(bindparam("names", expanding=True))
)


def choices_asked(query: Mapping[str, object], taken: Sequence[str] = ()) -> list[Choice]:
    """The choices that a list's query makes by the short keys. taken: keys that mean something else for the kind."""
    found = [
        (category, values_of(str(query[key])))
        for key, category in SHORT_KEYS.items()
        if key not in taken and query.get(key)
    ]
    return [(category, names) for category, names in found if names]


def values_of(text: str) -> tuple[str, ...]:
    """The alternatives that a text names, with commas between them."""
    return tuple(dict.fromkeys(name for part in text.split(",") if (name := part.strip().lower())))


def with_choices(work: UnitOfWork, *, scopes: Sequence[str], choices: Sequence[Choice]) -> list[ColumnElement[bool]]:
    """For each choice the condition on ``Repository`` that it carries one of the labels. One query at most.

    scopes: the kinds of asset. A word that nothing carries gives a condition that nothing meets.
    Raises Invalid (``REQ-ERR-6``) for more than ``MAX_CHOICES`` words in all.
    """
    names = {name for _category, wanted in choices for name in wanted if is_storable(name)}
    if sum(len(wanted) for _category, wanted in choices) > MAX_CHOICES:
        raise Invalid(f"More than {MAX_CHOICES} values of filters at once.", code="REQ-ERR-6", query="filter")
    rows = work.rows(_FOUND, {"scopes": [*scopes], "names": [*names]}) if names else ()
    conditions: list[ColumnElement[bool]] = []
    for category, wanted in choices:
        within = _ALSO.get(category, (category,)) if category else ()
        ids = tuple(sorted(id for of, name, id in rows if name in wanted and (not within or of in within)))
        condition = carries(ids) if ids else false()
        if category == "license" and NONE in wanted:
            condition = (Repository.license == "") | condition if ids else Repository.license == ""
        conditions.append(condition)
    return conditions


@lru_cache(maxsize=1000)
def carries(tag_ids: tuple[int, ...]) -> ColumnElement[bool]:
    """The condition that a repository carries one of the labels of these ids."""
    # Not IN for one: a comparison lets the database use what it knows of that very value.
    is_such = RepositoryTag.tag_id == tag_ids[0] if len(tag_ids) == 1 else RepositoryTag.tag_id.in_(tag_ids)
    return Repository.id.in_(select(RepositoryTag.repository_id).where(is_such))
