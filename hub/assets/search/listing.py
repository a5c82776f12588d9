"""What narrows a list of repositories: the members of its query, as REST routes and pages take them alike.

Source: CSGHub contract, section 5.2; web UI contract, section 6.1. A query holds texts by their names; what it lacks is
not asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import zip_longest
from typing import Any

from sqlalchemy import ColumnElement, false, select

from hub.accounts.models import Namespace
from hub.accounts.policy import Actor
from hub.assets.models_indexing import ModelMetadata
from hub.assets.search.choices import Choice, choices_asked, with_choices
from hub.assets.service.labels import with_labels
from hub.assets.service.modelmetadata import with_parameters
from hub.assets.service.tags import in_tree
from hub.base.errors import Invalid
from hub.base.names import fold_name
from hub.db.uow import UnitOfWork
from hub.repos.filters import has_detail, has_size
from hub.repos.kinds import RepositoryKind
from hub.repos.models import Repository

SOURCES = ("opencsg", "huggingface", "local")
VISIBILITIES = ("public", "private")
_DEPRECATED_CATEGORIES = ("task", "framework", "license", "language", "industry")
_GIB = 1024**3
_MAX_GIB = 1_000_000

Query = Mapping[str, Any]


def conditions_of(
    work: UnitOfWork, *, actor: Actor, kind: RepositoryKind, query: Query, with_short_keys: bool = True
) -> list[ColumnElement[bool]]:
    """The conditions of a query on a kind's repositories: labels, sizes and the members of the kind's own.

    with_short_keys: also what ``choices_of`` tells. Raises Invalid (``REQ-ERR-6``).
    """
    return [
        *_tree_asked(work, actor, kind, query.get("model_tree", "")),
        *(_sizes_asked(query) if kind.name == "model" else ()),
        *with_labels(work, scope=kind.name, labels=labels_asked(query)),
        *(with_choices(work, scopes=[kind.name], choices=choices_of(kind, query)) if with_short_keys else ()),
        *has_size(at_least=query.get("repo_size_min"), at_most=query.get("repo_size_max")),
        *_visibility_asked(query),
        *(
            has_detail(field, query[field.name])
            for field in kind.details
            if field.is_filter and query.get(field.name) not in (None, "")
        ),
    ]


def _sizes_asked(query: Query) -> list[ColumnElement[bool]]:
    found = with_parameters(at_least=query.get("model_params_min"), at_most=query.get("model_params_max"))
    if fits := query.get("fits"):
        enough = int(min(fits, _MAX_GIB) * _GIB)
        found.append(Repository.id.in_(select(ModelMetadata.repository_id).where(ModelMetadata.run_bytes <= enough)))
    return found


def _visibility_asked(query: Query) -> list[ColumnElement[bool]]:
    asked = query.get("visibility") or ""
    if asked not in ("", *VISIBILITIES):
        reason = f"'visibility' must be one of {', '.join(VISIBILITIES)}."
        raise Invalid(reason, code="REQ-ERR-6", query="visibility", allowed=[*VISIBILITIES])
    return [Repository.is_private.is_(asked == "private")] if asked else []


def _tree_asked(work: UnitOfWork, actor: Actor, kind: RepositoryKind, text: str) -> list[ColumnElement[bool]]:
    """That a model is to another one what ``<any>:<relation>:<repository id>`` says. Raises Invalid."""
    if kind.name != "model" or not text:
        return []
    parts = text.split(":")
    if len(parts) != 3:
        raise Invalid("'model_tree' is '<model>:<relation>:<id>'.", code="REQ-ERR-6", query="model_tree")
    is_id = parts[2].isascii() and parts[2].isdigit() and len(parts[2]) < 19
    if not is_id:
        return [false()]
    return [in_tree(work, actor=actor, relation=parts[1], repository_id=int(parts[2]))]


def has_owner(name: str) -> list[ColumnElement[bool]]:
    """That a user or organisation of this name owns it; none for "": anybody."""
    owner = select(Namespace.id).where(Namespace.path_key == fold_name(name)).scalar_subquery()
    return [Repository.namespace_id == owner] if name else []


def choices_of(kind: RepositoryKind, query: Query) -> list[Choice]:
    """The labels that a query chooses by the short keys: ``task=translation,summarization``.

    A key that is a member of the kind's own means that one.
    """
    return choices_asked(query, [field.name for field in kind.details if field.is_filter])


def labels_asked(query: Query) -> list[tuple[str, str, str]]:
    """(category, name, group) of each label that is asked for; the first category goes with the first name.

    Raises Invalid (``REQ-ERR-6``) for a name without a category or the other way round.
    """
    columns = (query.get(name) or () for name in ("tag_category", "tag_name", "tag_group"))
    triples = zip_longest(*columns, fillvalue="")
    asked = [triple for triple in triples if triple[0] or triple[1]]
    if any(not category or not name for category, name, _group in asked):
        raise Invalid("Each 'tag_name' needs its 'tag_category'.", code="REQ-ERR-6", query="tag_name")
    asked += [(category, query.get(f"{category}_tag", ""), "") for category in _DEPRECATED_CATEGORIES]
    return [triple for triple in asked if triple[1]]


def source_asked(query: Query) -> str | None:
    """The source that is asked for; None: any. Raises Invalid (``REQ-ERR-6``)."""
    source: str = query.get("source") or ""
    if source and source not in SOURCES:
        raise Invalid(
            f"'source' must be one of {', '.join(SOURCES)}.", code="REQ-ERR-6", query="source", allowed=list(SOURCES)
        )
    return source or None
