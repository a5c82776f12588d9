"""Labels: which repositories carry which."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from operator import attrgetter

from sqlalchemy import ColumnElement, String, and_, bindparam, cast, delete, false, func, or_, select, update

from hub.accounts.policy import Action, Actor, require
from hub.assets.models import RepositoryTag, Tag, TagCategory, TagOrigin, TagState
from hub.assets.service.catalogue import check_label_name, list_categories
from hub.assets.service.known import KNOWN_LABELS, KnownLabel
from hub.assets.service.rows import hold
from hub.assets.service.words import drop_words, judge_words
from hub.base.errors import Conflict, Invalid
from hub.base.events import publish
from hub.base.log import get_logger
from hub.db.insert import insert_new
from hub.db.uow import UnitOfWork
from hub.repos.events import RepositoryUpdated
from hub.repos.kinds import KINDS
from hub.repos.models import Repository
from hub.repos.rows import RepositoryRow, Shown

log = get_logger(__name__)

# Of one question; each is one more table to join.
MAX_LABELS_ASKED = 20
# Of one category that a person sets, and of all that one reading of a repository's files brings.
MAX_OF_CATEGORY = 50
# That people brought and no administrator made, on one repository.
MAX_WORDS = 100
MAX_FOUND = 200

# What a list by one category finds in others, too: CSGHub has all of a card's ``tags`` among the tasks.
# Source: CSGHub contract, section 7, step 9a.
_ALSO: Mapping[str, tuple[str, ...]] = {"task": ("task", "other")}

Name = tuple[str, str]  # (category, name)
_RANKS = {origin: rank for rank, origin in enumerate(TagOrigin)}
_BY_CATEGORY = attrgetter("category", "name")


Label = Tag | KnownLabel

# Built once: every page of repositories asks it, and building a query takes longer than running it.
_CARRIED = select(RepositoryTag.repository_id, RepositoryTag.tag_id).where(
    RepositoryTag.repository_id.in_(bindparam("repository_ids", expanding=True))
)

# One more column for lists of repositories: with the ids of their labels, their page is one query.
LABEL_IDS = (
    select(func.aggregate_strings(cast(RepositoryTag.tag_id, String), ","))
    .where(RepositoryTag.repository_id == Repository.id)
    .correlate(Repository)
    .scalar_subquery()
)


def labels_shown(work: UnitOfWork, repositories: Sequence[Shown]) -> dict[int, list[KnownLabel]]:
    """As ``labels_of``, for repositories that were read with ``LABEL_IDS`` as well as for others."""
    if not all(isinstance(repository, RepositoryRow) and repository.has_also for repository in repositories):
        return labels_of(work, [repository.id for repository in repositories])
    # Behind the ids, what else a list has read with each row; see ``modelmetadata.ALSO``.
    ids_of = {row.id: row.also.partition(";")[0] for row in repositories if row.also}  # type: ignore[union-attr]
    carried = {id: [int(tag_id) for tag_id in ids.split(",")] for id, ids in ids_of.items() if ids}
    return _known(work, carried)


def labels_of(work: UnitOfWork, repository_ids: Sequence[int]) -> dict[int, list[KnownLabel]]:
    """For each repository its labels, by category and name; repositories without labels are absent.

    Two queries at most, most often one.
    """
    carried: dict[int, list[int]] = defaultdict(list)
    if repository_ids:
        for id, tag_id in work.rows(_CARRIED, {"repository_ids": repository_ids}):
            carried[id].append(tag_id)
    return _known(work, carried)


def _known(work: UnitOfWork, carried: Mapping[int, Sequence[int]]) -> dict[int, list[KnownLabel]]:
    known = work.context[KNOWN_LABELS].get(work, {id for ids in carried.values() for id in ids})
    return {
        repository_id: sorted((known[id] for id in ids if id in known), key=_BY_CATEGORY)
        for repository_id, ids in carried.items()
    }


def with_labels(work: UnitOfWork, *, scope: str, labels: Sequence[tuple[str, str, str]]) -> list[ColumnElement[bool]]:
    """Conditions on ``Repository``: that it carries each of the labels, in any case of letters.

    scope: the kind of asset. labels: (category, name, group) each, the group empty for any. A label that is not known
    gives a condition that nothing meets. One query at most, for the labels' ids: with them the database's statistics
    say how many repositories each has. Raises Invalid (``REQ-ERR-6``) for more than ``MAX_LABELS_ASKED``.
    """
    wanted = list(dict.fromkeys((category.lower(), name.lower(), group.lower()) for category, name, group in labels))
    if not wanted:
        return []
    if len(wanted) > MAX_LABELS_ASKED:
        raise Invalid(f"More than {MAX_LABELS_ASKED} labels at once.", code="REQ-ERR-6", query="tag_name")
    named = [(category, name) for category, name, _group in wanted]
    also = [(of, name) for category, name in named for of in _ALSO.get(category, ()) if of != category]
    known = work.context[KNOWN_LABELS].find(work, scope, named, also=also)
    conditions: list[ColumnElement[bool]] = []
    for category, name, group in wanted:
        found = [known[of, name] for of in _ALSO.get(category, (category,)) if (of, name) in known]
        ids = tuple(label.id for label in found if group in ("", label.group.lower()))
        if not ids:
            return [false()]
        conditions.append(_carries(ids))
    return conditions


@lru_cache(maxsize=1000)
def _carries(tag_ids: tuple[int, ...]) -> ColumnElement[bool]:
    # Not IN for one: a comparison lets the database use what it knows of that very value.
    is_such = RepositoryTag.tag_id == tag_ids[0] if len(tag_ids) == 1 else RepositoryTag.tag_id.in_(tag_ids)
    return Repository.id.in_(select(RepositoryTag.repository_id).where(is_such))


def set_labels(work: UnitOfWork, *, actor: Actor, repository: Repository, category: str, names: Sequence[str]) -> None:
    """Let the labels that people put on a repository, of one category, be these; names that are new become labels.

    Labels that its files brought stay. category: one that the catalogue has for this kind, switched on.
    Raises NotFound, NotSignedIn, Denied; Invalid (``REQ-ERR-6``, ``text_invalid``); Conflict (``too_many_labels``:
    more than ``MAX_WORDS`` of the repository's are not the catalogue's own).
    """
    require(work, actor, Action.REPOSITORY_WRITE, repository)
    if category not in _category_names(work, repository):
        raise Invalid(f"A {repository.kind} has no labels of category {category!r}.", code="REQ-ERR-6", path="category")
    if len(names) > MAX_OF_CATEGORY:
        raise Invalid(f"More than {MAX_OF_CATEGORY} labels of one category.", code="REQ-ERR-6", member="names")
    wanted = [(category, name) for name in map(check_label_name, names) if name]
    _replace(work, repository, wanted, origin=TagOrigin.PERSON, within=category)
    _refuse_many_words(work, repository)
    publish(work, RepositoryUpdated(repository.id, actor.user_id, ("tags",)))
    log.info("labels_set", repository_id=repository.id, category=category, actor_id=actor.user_id)


def _refuse_many_words(work: UnitOfWork, repository: Repository) -> None:
    of_people = (RepositoryTag.repository_id == repository.id, RepositoryTag.origin == TagOrigin.PERSON)
    words = select(func.count()).select_from(RepositoryTag).join(Tag, Tag.id == RepositoryTag.tag_id)
    if (work.session.scalar(words.where(*of_people, Tag.state != TagState.KEPT)) or 0) > MAX_WORDS:
        raise Conflict(
            f"{repository.path} would have more than {MAX_WORDS} labels that are not in the catalogue.",
            code="too_many_labels",
        )


def set_card_labels(work: UnitOfWork, *, repository: Repository, labels: Iterable[Name], origin: TagOrigin) -> None:
    """Let the labels that a reading of a repository's files found be these. For jobs: nobody's rights are asked.

    labels: (category, name), at most ``MAX_FOUND``; what is over, is no label or is of an unknown category is passed
    over. origin: what was read; labels of other origins stay, and a person's counts as the person's.
    """
    categories = _category_names(work, repository)
    wanted = [found for found in map(_tidied, labels) if found is not None and found[0] in categories]
    _replace(work, repository, wanted[:MAX_FOUND], origin=origin)


def set_platform_labels(work: UnitOfWork, *, repository: Repository, category: str, names: Iterable[str]) -> None:
    """Let the labels of one category that the platform puts on a repository be these.

    For jobs, and as ``set_card_labels``.
    """
    if category in _category_names(work, repository):
        wanted = [found for found in (_tidied((category, name)) for name in names) if found is not None]
        _replace(work, repository, wanted[:MAX_FOUND], origin=TagOrigin.PLATFORM, within=category)


def _tidied(label: Name) -> Name | None:
    category, name = label
    try:
        name = check_label_name(name)
    except Invalid:
        return None
    return (category.lower(), name) if name else None


def _category_names(work: UnitOfWork, repository: Repository) -> set[str]:
    found = {category.name for category in list_categories(work, scope=repository.kind, is_enabled=True)}
    return found or _first_categories(work, repository.kind)


def _first_categories(work: UnitOfWork, scope: str) -> set[str]:
    """The categories of a kind that has none, as a plugin's when its first repository is read: those of its card."""
    kind = work.context[KINDS].find(scope)
    if kind is None or list_categories(work, scope=scope):
        return set()
    names = {key.category for key in kind.card if key.category}
    rows = [{"scope": scope, "name": name, "show_name": name.replace("_", " ").capitalize()} for name in sorted(names)]
    insert_new(work.session, TagCategory, rows)
    return names


def _replace(
    work: UnitOfWork, repository: Repository, wanted: Sequence[Name], *, origin: TagOrigin, within: str | None = None
) -> None:
    """Let the labels of one origin be these. within: of this category only."""
    is_private = hold(work, repository)
    wanted_ids = _ids_of(work, repository.kind, [*dict.fromkeys(wanted)])
    query = select(RepositoryTag.tag_id, RepositoryTag.origin).where(RepositoryTag.repository_id == repository.id)
    if within is not None:
        query = query.join(Tag, Tag.id == RepositoryTag.tag_id).where(Tag.category == within)
    there: dict[int, TagOrigin] = dict(work.session.execute(query).all())
    is_of_repository = RepositoryTag.repository_id == repository.id
    gone = [tag_id for tag_id, of in there.items() if of == origin and tag_id not in wanted_ids]
    if gone:
        work.session.execute(delete(RepositoryTag).where(is_of_repository, RepositoryTag.tag_id.in_(gone)))
    # What a person says counts more than what is read, and a card more than files: it outlives their saying so.
    taken_over = [tag_id for tag_id in wanted_ids if _RANKS[there.get(tag_id, origin)] > _RANKS[origin]]
    if taken_over:
        over = update(RepositoryTag).where(is_of_repository, RepositoryTag.tag_id.in_(taken_over))
        work.session.execute(over.values(origin=origin))
    new = [tag_id for tag_id in sorted(wanted_ids) if tag_id not in there]
    rows = [{"repository_id": repository.id, "tag_id": tag_id, "origin": origin} for tag_id in new]
    insert_new(work.session, RepositoryTag, rows)
    drop_words(work, gone)
    # What only private ones say is hidden, and stays so.
    if not is_private:
        judge_words(work, [*gone, *new])


def _ids_of(work: UnitOfWork, scope: str, wanted: Sequence[Name]) -> set[int]:
    """The labels' ids; those that are not in the catalogue are added to it."""
    if not wanted:
        return set()
    known = _find(work, scope, wanted)
    now = work.now()
    # Once more where one was there and went while this one looked.
    for _try in range(3):
        # In one order, whoever asks: of two who add the same, one waits for the other and not each for each.
        missing = sorted(label for label in wanted if label not in known)
        if not missing:
            break
        moments = {"created_at": now, "updated_at": now}
        rows = [
            {"scope": scope, "category": category, "name": name, "state": TagState.UNSEEN} | moments
            for category, name in missing
        ]
        insert_new(work.session, Tag, rows)
        # Of some of them it may be known that they are not there.
        work.after_commit(work.context[KNOWN_LABELS].forget)
        known |= _find(work, scope, missing)
    if len(known) < len(wanted):
        raise Conflict("Others are changing these labels; try again.", code="labels_busy")
    return set(known.values())


def _find(work: UnitOfWork, scope: str, labels: Sequence[Name]) -> dict[Name, int]:
    names = or_(*(and_(Tag.category == category, Tag.name == name) for category, name in labels))
    found = select(Tag.category, Tag.name, Tag.id).where(Tag.scope == scope, names).order_by(Tag.id)
    # Held, so that none goes before it is put on; as a reference to it holds it.
    rows = work.session.execute(found.with_for_update(read=True, key_share=True))
    return {(category, name): id for category, name, id in rows}
