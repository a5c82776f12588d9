"""Tags as the Hugging Face hub has them: one list of words for labels, licences, languages and related repositories.

``license:mit``, ``language:en``, ``task_categories:translation``, ``dataset:ada/corpus``, ``base_model:ada/base``, or
a word alone, which is a label of any category. Source: Hugging Face contract, section 5.2.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, ColumnElement, and_, bindparam, false, func, literal, select, union_all

from hub.accounts.models import Namespace
from hub.accounts.policy import Actor
from hub.assets.models import Relation, RepositoryTag, Tag
from hub.assets.models_lineage import RelationType
from hub.assets.service.labels import Label
from hub.assets.service.relations import BASE_TYPES, MAX_SHOWN, Target, find_readable, is_shown, paths_of
from hub.base.context import Context
from hub.base.errors import Invalid
from hub.base.names import fold_name
from hub.base.texts import is_storable
from hub.db.uow import UnitOfWork
from hub.repos.filters import has_detail
from hub.repos.kinds import get_kind
from hub.repos.lookup import is_live, may_read
from hub.repos.models import Repository
from hub.repos.starters import DEFAULT_SPACE_SDK

MAX_TAGS_ASKED = 20
# Of models that come from one.
MAX_COUNTED = 10_000

# What stands before the colon -> the category of labels.
CATEGORIES: Mapping[str, str] = {
    "license": "license",
    "language": "language",
    "task_categories": "task",
    "pipeline_tag": "task",
    "library": "framework",
    "size_categories": "size",
    "apps": "runtime_framework",
}
# What stands before the colon -> the kind of the repository that is named behind it.
_KINDS = {"dataset": "dataset", "model": "model", "base_model": "model"}
# base_model:finetune:ada/base says how it was made from it; without a way any of them is meant.
_WAYS = {f"{type.value}:": type for type in BASE_TYPES}
# What a model is to the base models and the data sets that its tags name.
_CHILD_TYPES = (*BASE_TYPES, RelationType.DISTILLED, RelationType.DERIVED_FROM)
_DATA_TYPES = (RelationType.TRAINED_ON, RelationType.USES, RelationType.DERIVED_FROM)
_TYPES = {"dataset": _DATA_TYPES, "base_model": _CHILD_TYPES, "model": tuple(RelationType)}

# How a model's, a data set's and any other's labels are spelled; without a word before it a label stands alone.
_SPELLED: Mapping[str, Mapping[str, str]] = {
    "dataset": {
        "license": "license:",
        "language": "language:",
        "task": "task_categories:",
        "size": "size_categories:",
        "framework": "library:",
    },
}
_USUALLY_SPELLED = {"license": "license:"}


_SIZE = re.compile(r"[0-9]*[kmbt]?<?n[<>][0-9]+[kmbt]?")
# The Hugging Face hub's names of spaces' SDKs -> what they are called here.
OUR_SDKS: Mapping[str, str] = {"static": "nginx"}


class Related(NamedTuple):
    """A repository that another one names (``is_named``), or that names it. is_here: on this hub."""

    kind: str
    path: str
    is_named: bool
    type: RelationType
    is_here: bool


def with_tags(work: UnitOfWork, *, actor: Actor, scope: str, tags: Sequence[str]) -> list[ColumnElement[bool]]:
    """Conditions on ``Repository``: that it has each of the tags. scope: the kind of asset.

    What no repository can have gives a condition that nothing meets. Two queries at most.
    Raises Invalid (``REQ-ERR-6``) for more than ``MAX_TAGS_ASKED``.
    """
    wanted = list(dict.fromkeys(tags))
    if not wanted:
        return []
    if len(wanted) > MAX_TAGS_ASKED:
        raise Invalid(f"More than {MAX_TAGS_ASKED} tags at once.", code="REQ-ERR-6", query="filter")
    if not all(is_storable(tag) for tag in wanted):
        return [false()]
    named = {tag: target for tag in wanted if (target := _target_of(tag)) is not None}
    targets = {tag: target for tag, (target, _types) in named.items()}
    labels = {tag: _label_of(tag) for tag in wanted if tag not in targets}
    ids = _label_ids(work, scope, labels)
    found = find_readable(work, actor, list(targets.values()))
    conditions: list[ColumnElement[bool]] = []
    for tag in wanted:
        if tag in targets:
            named_target, types = named[tag]
            naming = select(Relation.source_id).where(_leads_to(named_target, found.get(named_target)), is_shown())
            conditions.append(Repository.id.in_(naming.where(Relation.type.in_(types))))
        else:
            carrying = select(RepositoryTag.repository_id).where(RepositoryTag.tag_id.in_(ids[tag]))
            condition = Repository.id.in_(carrying) if ids[tag] else false()
            is_of_sdk = _is_of_sdk(work.context, scope, tag)
            conditions.append(condition if is_of_sdk is None else is_of_sdk | condition)
    return conditions


def _target_of(tag: str) -> tuple[Target, Sequence[RelationType]] | None:
    """The repository that a tag names, and what who carries the tag may be to it."""
    word, colon, path = tag.partition(":")
    kind = _KINDS.get(word) if colon else None
    if kind is None:
        return None
    for way, type in _WAYS.items():
        if path.startswith(way):
            return (kind, fold_name(path.removeprefix(way))), (type,)
    return (kind, fold_name(path)), _TYPES[word]


def _leads_to(target: Target, target_id: int | None) -> ColumnElement[bool]:
    """The condition on ``Relation`` that it leads there; where the actor knows no such repository, that it names it.

    What a card says of one that the actor may not see is answered like what it says of one that is not there.
    """
    if target_id is not None:
        return Relation.target_id == target_id
    return and_(Relation.named_kind == target[0], Relation.named_key == target[1])


def _label_of(tag: str) -> tuple[str, str]:
    """(category, name); the category is empty for any."""
    word, colon, name = tag.lower().partition(":")
    if not colon:
        return "", word
    return (CATEGORIES[word], name) if word in CATEGORIES else ("", tag.lower())


def _label_ids(work: UnitOfWork, scope: str, labels: Mapping[str, tuple[str, str]]) -> dict[str, list[int]]:
    if not labels:
        return {}
    names = {name for _, name in labels.values()}
    query = select(Tag.category, Tag.name, Tag.id).where(Tag.scope == scope, Tag.name.in_(names)).order_by(Tag.id)
    rows = work.session.execute(query).all()
    return {
        tag: [id for of, called, id in rows if called == name and category in ("", of)]
        for tag, (category, name) in labels.items()
    }


def word_of(label: Label) -> str:
    """A label's name as the Hugging Face hub spells it: of sizes, ``n<1K`` and ``1M<n<10M``."""
    is_size = label.category == "size" and _SIZE.fullmatch(label.name) is not None
    return label.name.upper().replace("N", "n") if is_size else label.name


def sdk_of(details: Mapping[str, Any]) -> str:
    """The SDK of a space by the Hugging Face hub's name for it. details: the members of the space's own."""
    sdk = details.get("sdk") or DEFAULT_SPACE_SDK
    return next((word for word, ours in OUR_SDKS.items() if ours == sdk), sdk)


def _is_of_sdk(context: Context, scope: str, tag: str) -> ColumnElement[bool] | None:
    """The condition that a space has the SDK that a tag names; None where it names none."""
    field = next((field for field in get_kind(context, scope).details if field.name == "sdk"), None)
    sdk = OUR_SDKS.get(tag.lower(), tag.lower())
    # Nothing is called by our word, as no tag says it.
    if field is None or sdk not in field.choices or tag.lower() in OUR_SDKS.values():
        return None
    return has_detail(field, sdk)


def tags_of(kind: str, labels: Iterable[Label], related: Iterable[Related] = ()) -> list[str]:
    """A repository's tags."""
    spelled = _SPELLED.get(kind, _USUALLY_SPELLED)
    tags = [f"{spelled.get(label.category, '')}{word_of(label)}" for label in labels]
    for other in related:
        if not other.is_named or kind != "model":
            continue
        if other.kind == "dataset" and other.type in _DATA_TYPES:
            tags.append(f"dataset:{other.path}")
        elif other.kind == "model" and other.type in _CHILD_TYPES:
            tags.append(f"base_model:{other.path}")
            tags += [f"base_model:{other.type.value}:{other.path}"] if other.type in BASE_TYPES else []
    return list(dict.fromkeys(tags))


_IS_SPACE = Repository.kind == "space"
_PATH = (Namespace.path + literal("/") + Repository.name).label("path")


def related_of(work: UnitOfWork, *, actor: Actor, repository_ids: Sequence[int]) -> dict[int, list[Related]]:
    """For each repository those that it names and the spaces that use it, as far as the actor may see them.

    What its card names and the actor does not see here is told by that name. Of all together at most ``MAX_SHOWN`` of
    each sort, the newest first; repositories without any are absent. Once for each type of relation. One query.
    """
    found: dict[int, list[Related]] = defaultdict(list)
    if not repository_ids:
        return {}
    ids: BindParameter[int] = bindparam("ids", repository_ids, expanding=True)
    parts = []
    # By an index in this order, whose end is the newest: a popular one is named by a million.
    of_users = (Relation.target_id.desc(), Relation.source_id.desc())
    for own, other, is_named, order, where in (
        (Relation.source_id, Relation.target_id, True, (Repository.id.desc(),), ()),
        (Relation.target_id, Relation.source_id, False, of_users, (Relation.type == RelationType.USES, _IS_SPACE)),
    ):
        part = (
            select(
                own.label("own"),
                Repository.id.label("id"),
                Repository.kind.label("kind"),
                _PATH,
                Relation.type.label("type"),
                literal(is_named).label("named"),
                literal(True).label("here"),
            )
            .join(Repository, Repository.id == other)
            .join(Namespace, Namespace.id == Repository.namespace_id)
            .where(own.in_(ids), is_shown(), is_live(), may_read(actor), *where)
        )
        parts.append(select(part.order_by(*order).limit(MAX_SHOWN).subquery()))
    elsewhere = (
        select(
            Relation.source_id,
            Relation.id,
            Relation.named_kind,
            Relation.named,
            Relation.type,
            literal(True),
            literal(False),
        )
        .outerjoin(Repository, and_(Repository.id == Relation.target_id, is_live(), may_read(actor)))
        .where(Relation.source_id.in_(ids), Repository.id.is_(None), Relation.named != "", is_shown())
    )
    parts.append(select(elsewhere.order_by(Relation.id.desc()).limit(MAX_SHOWN).subquery()))
    work.session.flush()
    for own_id, _id, kind, path, type, is_named, is_here in work.session.connection().execute(union_all(*parts)).all():
        found[own_id].append(Related(kind, path, bool(is_named), RelationType(type), bool(is_here)))
    return dict(found)


def names_one_of(work: UnitOfWork, *, actor: Actor, targets: Sequence[Target]) -> ColumnElement[bool]:
    """The condition on ``Repository`` that it names one of these, of those that the actor may read. One query.

    Raises Invalid (``REQ-ERR-6``) for more than ``MAX_TAGS_ASKED``.
    """
    if len(targets) > MAX_TAGS_ASKED:
        raise Invalid(f"More than {MAX_TAGS_ASKED} repositories at once.", code="REQ-ERR-6", query="filter")
    storable = [(kind, fold_name(path)) for kind, path in targets if is_storable(path)]
    ids = list(find_readable(work, actor, storable).values())
    naming = select(Relation.source_id).where(Relation.target_id.in_(ids), is_shown())
    return Repository.id.in_(naming) if ids else false()


def in_tree(work: UnitOfWork, *, actor: Actor, relation: str, repository_id: int) -> ColumnElement[bool]:
    """The condition on ``Repository`` that it is this to the other one, which the actor may read. One query.

    relation: a ``RelationType``; nothing is to another one what no type is called.
    """
    if relation not in [type.value for type in RelationType] or not paths_of(
        work, actor=actor, repository_ids=[repository_id]
    ):
        return false()
    is_such = (Relation.target_id == repository_id, Relation.type == RelationType(relation), is_shown())
    return Repository.id.in_(select(Relation.source_id).where(*is_such))


def names_any(kinds: Sequence[str]) -> ColumnElement[bool]:
    """The condition on ``Repository`` that it names some repository of these kinds."""
    of_kinds = select(Repository.id).where(Repository.kind.in_(kinds))
    return Repository.id.in_(select(Relation.source_id).where(Relation.target_id.in_(of_kinds), is_shown()))


def count_children(work: UnitOfWork, *, actor: Actor, repository_id: int) -> int:
    """How many models, of those that the actor may read, come from this one; ``MAX_COUNTED`` are looked at."""
    is_such = (Relation.target_id == repository_id, Relation.type.in_(_CHILD_TYPES), is_shown())
    first = select(Relation.source_id).where(*is_such).limit(MAX_COUNTED).subquery()
    query = select(func.count(first.c.source_id.distinct())).join(Repository, Repository.id == first.c.source_id)
    return work.session.scalar(query.where(Repository.kind == "model", is_live(), may_read(actor))) or 0
