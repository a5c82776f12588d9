"""Filters by labels, each with several values of which one is enough: ``task=translation,summarization``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    SQLColumnExpression,
    bindparam,
    false,
    func,
    literal,
    literal_column,
    not_,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY

from hub.assets.models import RepositoryTag, Tag
from hub.assets.service.known import KNOWN_LABELS
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

Sample = Callable[[SQLColumnExpression[int]], ColumnElement[bool]]
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


# Source of both: migration 0021. PostgreSQL alone has the column.
_LABEL_IDS = literal_column("repositories.label_ids", ARRAY(BigInteger))
_LABEL_BITS = 62


@dataclass(frozen=True)
class Narrowing:
    """What a filter leaves, as conditions on ``Repository``.

    by_index: finds what is left. by_row: says the same of a row that was found another way, and tempts no planner to
    look for all of them. bits: what is left has one of these in its ``label_bits``; 0 where nothing is known.
    """

    by_index: ColumnElement[bool]
    by_row: ColumnElement[bool]
    bits: int = 0

    @classmethod
    def of(cls, condition: ColumnElement[bool]) -> Narrowing:
        """A condition that serves both ways."""
        return cls(condition, condition)

    def inverted(self) -> Narrowing:
        """What leaves the others."""
        return Narrowing(not_(self.by_index), not_(self.by_row))


@dataclass(frozen=True)
class Chosen:
    """The labels of a choice, by their ids. or_none: a repository without a licence has it, too."""

    tag_ids: tuple[int, ...]
    or_none: bool = False

    def condition(self, sample: Sample | None = None) -> ColumnElement[bool]:
        """The condition on ``Repository``. sample: a condition on ids that is sure to hold besides."""
        found: list[ColumnElement[bool]] = []
        if self.tag_ids:
            found.append(carries(self.tag_ids) if sample is None else carries_within(self.tag_ids, sample))
        if self.or_none:
            found.append(Repository.license == "")
        return or_(*found) if found else false()

    def narrowing(self) -> Narrowing:
        """As ``condition``, by the labels that PostgreSQL keeps beside the repositories."""
        if not self.tag_ids:
            return Narrowing.of(self.condition())
        by_index, by_row, bits = _kept(self.tag_ids)
        if self.or_none:
            is_free = Repository.license == ""
            return Narrowing(or_(by_index, is_free), or_(by_row, is_free))
        return Narrowing(by_index, by_row, bits)


def find_choices(work: UnitOfWork, *, scopes: Sequence[str], choices: Sequence[Choice]) -> list[Chosen]:
    """For each choice the labels that there are. scopes: the kinds of asset. One query at most.

    Raises Invalid (``REQ-ERR-6``) for more than ``MAX_CHOICES`` words in all.
    """
    names = {name for _category, wanted in choices for name in wanted if is_storable(name)}
    if sum(len(wanted) for _category, wanted in choices) > MAX_CHOICES:
        raise Invalid(f"More than {MAX_CHOICES} values of filters at once.", code="REQ-ERR-6", query="filter")
    rows = _find(work, scopes, choices, names) if names else ()
    found: list[Chosen] = []
    for category, wanted in choices:
        within = _ALSO.get(category, (category,)) if category else ()
        ids = tuple(sorted(id for of, name, id in rows if name in wanted and (not within or of in within)))
        found.append(Chosen(ids, category == "license" and NONE in wanted))
    return found


def _find(
    work: UnitOfWork, scopes: Sequence[str], choices: Sequence[Choice], names: Collection[str]
) -> Sequence[tuple[str, str, int]]:
    """The labels of these names: category, name and id of each, of other categories as well."""
    if len(scopes) > 1 or not all(category for category, _wanted in choices):
        return work.rows(_FOUND, {"scopes": [*scopes], "names": [*names]})
    asked = [(category, name) for category, wanted in choices for name in wanted if name in names]
    also = [(of, name) for category, name in asked for of in _ALSO.get(category, ()) if of != category]
    # What lists and searches ask for is asked again, and known for moments.
    known = work.context[KNOWN_LABELS].find(work, scopes[0], asked, also=also)
    return [(category, name, label.id) for (category, name), label in known.items()]


def with_choices(work: UnitOfWork, *, scopes: Sequence[str], choices: Sequence[Choice]) -> list[ColumnElement[bool]]:
    """For each choice the condition on ``Repository`` that it carries one of the labels. As ``find_choices``.

    A word that nothing carries gives a condition that nothing meets.
    """
    return [chosen.condition() for chosen in find_choices(work, scopes=scopes, choices=choices)]


@lru_cache(maxsize=1000)
def carries(tag_ids: tuple[int, ...]) -> ColumnElement[bool]:
    """The condition that a repository carries one of the labels of these ids."""
    # Not IN for one: a comparison lets the database use what it knows of that very value.
    is_such = RepositoryTag.tag_id == tag_ids[0] if len(tag_ids) == 1 else RepositoryTag.tag_id.in_(tag_ids)
    return Repository.id.in_(select(RepositoryTag.repository_id).where(is_such))


@lru_cache(maxsize=1000)
def _kept(tag_ids: tuple[int, ...]) -> tuple[ColumnElement[bool], ColumnElement[bool], int]:
    asked = literal([*tag_ids], ARRAY(BigInteger))
    by_index = _LABEL_IDS.op("&&", is_comparison=True)(asked)
    by_row = or_(*(func.array_position(_LABEL_IDS, literal(tag_id, BigInteger)).is_not(None) for tag_id in tag_ids))
    bits = 0
    for tag_id in tag_ids:
        bits |= 1 << tag_id % _LABEL_BITS
    return by_index, by_row, bits


def carries_within(tag_ids: tuple[int, ...], sample: Sample) -> ColumnElement[bool]:
    """As ``carries``, of repositories of a sample only, so that no other row of the labels' is followed."""
    is_such = RepositoryTag.tag_id.in_(tag_ids) & sample(RepositoryTag.repository_id)
    return Repository.id.in_(select(RepositoryTag.repository_id).where(is_such))
