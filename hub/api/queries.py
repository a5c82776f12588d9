"""What the queries of lists of repositories ask for. Source: CSGHub contract, section 5.2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

from sqlalchemy import ColumnElement, false

from hub.api.shapes import shape_of
from hub.assets.search.choices import Choice, choices_asked, with_choices
from hub.assets.service import with_labels
from hub.assets.service.modelmetadata import with_parameters
from hub.assets.service.tags import in_tree
from hub.base.errors import Invalid
from hub.db.uow import UnitOfWork
from hub.http.actor import current_actor
from hub.repos.filters import has_detail, has_size
from hub.repos.kinds import RepositoryKind

SOURCES = ("opencsg", "huggingface", "local")
_DEPRECATED_CATEGORIES = ("task", "framework", "license", "language", "industry")


def conditions_of(
    work: UnitOfWork, kind: RepositoryKind, query: Mapping[str, Any], *, with_short_keys: bool = True
) -> list[ColumnElement[bool]]:
    """The conditions of a query on a kind's repositories: labels, sizes and the members of the kind's own.

    with_short_keys: also what ``choices_of`` tells.

    Raises Invalid (``REQ-ERR-6``).
    """
    return [
        *_unmet(kind, query),
        *_tree_asked(work, kind, query["model_tree"]),
        *(_sizes_asked(query) if kind.name == "model" else ()),
        *with_labels(work, scope=kind.name, labels=labels_asked(query)),
        *(with_choices(work, scopes=[kind.name], choices=choices_of(kind, query)) if with_short_keys else ()),
        *has_size(at_least=query["repo_size_min"], at_most=query["repo_size_max"]),
        *(
            has_detail(field, query[field.name])
            for field in kind.details
            if field.is_filter and query.get(field.name) not in (None, "")
        ),
    ]


def _unmet(kind: RepositoryKind, query: Mapping[str, Any]) -> list[ColumnElement[bool]]:
    """That there is no such repository, when the query asks for what nothing on this hub has."""
    names = (*shape_of(kind.name).unmet, "xnet_migration_status")
    return [false()] if any(query[name] for name in names) else []


def _sizes_asked(query: Mapping[str, Any]) -> list[ColumnElement[bool]]:
    return with_parameters(at_least=query["model_params_min"], at_most=query["model_params_max"])


def _tree_asked(work: UnitOfWork, kind: RepositoryKind, text: str) -> list[ColumnElement[bool]]:
    """That a model is to another one what ``<any>:<relation>:<repository id>`` says. Raises Invalid."""
    if kind.name != "model" or not text:
        return []
    parts = text.split(":")
    if len(parts) != 3:
        raise Invalid("'model_tree' is '<model>:<relation>:<id>'.", code="REQ-ERR-6", query="model_tree")
    is_id = parts[2].isascii() and parts[2].isdigit() and len(parts[2]) < 19
    if not is_id:
        return [false()]
    return [in_tree(work, actor=current_actor(), relation=parts[1], repository_id=int(parts[2]))]


def choices_of(kind: RepositoryKind, query: Mapping[str, Any]) -> list[Choice]:
    """The labels that a query chooses by the short keys: ``task=translation,summarization``.

    A key that is a member of the kind's own means that one.
    """
    return choices_asked(query, [field.name for field in kind.details if field.is_filter])


def labels_asked(query: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(category, name, group) of each label that is asked for; the first category goes with the first name.

    Raises Invalid (``REQ-ERR-6``) for a name without a category or the other way round.
    """
    triples = zip_longest(query["tag_category"], query["tag_name"], query["tag_group"], fillvalue="")
    asked = [triple for triple in triples if triple[0] or triple[1]]
    if any(not category or not name for category, name, _group in asked):
        raise Invalid("Each 'tag_name' needs its 'tag_category'.", code="REQ-ERR-6", query="tag_name")
    asked += [(category, query[f"{category}_tag"], "") for category in _DEPRECATED_CATEGORIES]
    return [triple for triple in asked if triple[1]]


def check_count(member: str, items: Sequence[Any], *, most: int) -> None:
    """Return when the list that a request sends is not too long. Raises Invalid (``REQ-ERR-6``)."""
    if len(items) > most:
        raise Invalid(f"'{member}' holds more than {most} items.", code="REQ-ERR-6", member=member)


def source_asked(query: Mapping[str, Any]) -> str | None:
    """The source that is asked for; None: any. Raises Invalid (``REQ-ERR-6``)."""
    source: str = query["source"]
    if source and source not in SOURCES:
        raise Invalid(
            f"'source' must be one of {', '.join(SOURCES)}.", code="REQ-ERR-6", query="source", allowed=list(SOURCES)
        )
    return source or None
