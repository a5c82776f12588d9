"""What a repository's card, its ``README.md``, says at its head: labels, licence.

Source of the names: CSGHub contract, section 7, steps 3 and 9a.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import select, update

from hub.accounts.policy import SYSTEM
from hub.assets.indexing import IndexRun
from hub.assets.models import Tag, TagOrigin, TagState
from hub.assets.service.cardcheck import MAX_HEAD_BYTES as MAX_HEAD_BYTES
from hub.assets.service.cardcheck import decode_card
from hub.assets.service.labels import MAX_FOUND, Name, set_card_labels
from hub.base.errors import Invalid, NotFound
from hub.base.frontmatter import UnreadableError, find_head, load_yaml, text_of_key
from hub.base.texts import is_storable
from hub.db.uow import UnitOfWork, unit_of_work
from hub.repos.cardkeys import MODEL_KEYS, OTHER
from hub.repos.contents import read_file
from hub.repos.kinds import get_kind
from hub.repos.lookup import is_live
from hub.repos.models import Repository
from hub.repos.service.naming import MAX_CHARS

CARD_PATH = "README.md"

# What a card's members mean where no kind says otherwise.
_CATEGORIES = {key.name: key.category for key in MODEL_KEYS if key.category}


def read_metadata(text: str) -> dict[str, Any]:
    """The YAML members at the head of a card; none where there is no such head, or it cannot be read."""
    head = find_head(text)
    try:
        found = None if head is None else load_yaml(head)
    except UnreadableError:
        found = None
    members = found.items() if isinstance(found, dict) else ()
    return {name: value for key, value in members if (name := text_of_key(key)) is not None}


def labels_in(
    metadata: Mapping[str, Any],
    *,
    kind: str = "model",
    tasks: Collection[str] = (),
    categories: Mapping[str, str] = _CATEGORIES,
) -> list[Name]:
    """(category, name) of each label that a card names.

    categories: the categories that its members mean; others that are called like a category mean it.
    tasks: the words, in lower case, that are known as tasks of the kind. A data set is for all the tasks that it
    names. Anything else is for one, its ``pipeline_tag``, where it has such a member, and whatever it calls a task
    beside that is a word like any other; without it the first of its ``tags`` that is known as a task is one.
    """
    labels = [(categories.get(member, member), word) for member, value in metadata.items() for word in words_in(value)]
    if kind == "dataset":
        return labels
    if said := words_in(metadata.get("pipeline_tag"))[:1]:
        labels = [(OTHER if category == "task" else category, word) for category, word in labels]
        return [("task", said[0]), *((category, word) for category, word in labels if word.lower() != said[0].lower())]
    if not any(category == "task" for category, _word in labels):
        tags = words_in(metadata.get("tags"))
        first = next((word for word in tags if word.lower() in tasks), None)
        labels = [("task" if category == OTHER and word == first else category, word) for category, word in labels]
    return labels


def words_in(value: Any) -> list[str]:
    """A text, or those of a list that are texts. YAML reads Norwegian's "no" as a boolean."""
    values = value if isinstance(value, list) else [value]
    return ["no" if word is False else word for word in values if isinstance(word, str) or word is False]


def read_card(run: IndexRun) -> None:
    """The indexer: let labels and licence be what the card at the commit says.

    Without a card there are none; a card that names no licence leaves the repository's as it is.
    """
    metadata: dict[str, Any] = {}
    if run.commit_id:
        try:
            read = read_file(
                *(run.context, run.repository),
                actor=SYSTEM,
                path=CARD_PATH,
                revision=run.commit_id,
                limit_bytes=MAX_HEAD_BYTES,
            )
            metadata = read_metadata(decode_card(read.blob.data)[0])
        except (NotFound, Invalid):  # no such file; a folder or a submodule of that name
            pass
    with unit_of_work(run.context) as work:
        _write(work, run.repository.id, metadata)
        run.finish(work)


def _known_tasks(work: UnitOfWork, kind: str, metadata: Mapping[str, Any]) -> set[str]:
    """Those of a card's ``tags``, in lower case, that the catalogue has as tasks of its own."""
    names = {word.lower() for word in words_in(metadata.get("tags"))[:MAX_FOUND] if is_storable(word)}
    is_known = (Tag.scope == kind, Tag.category == "task", Tag.state == TagState.KEPT, Tag.name.in_(names))
    return set(work.session.scalars(select(Tag.name).where(*is_known))) if names else set()


def _write(work: UnitOfWork, repository_id: int, metadata: Mapping[str, Any]) -> None:
    repository = work.session.get(Repository, repository_id)
    if repository is None:
        return
    categories = {key.name: key.category for key in get_kind(work.context, repository.kind).card if key.category}
    tasks = _known_tasks(work, repository.kind, metadata)
    labels = labels_in(metadata, kind=repository.kind, tasks=tasks, categories=categories)
    set_card_labels(work, repository=repository, labels=labels, origin=TagOrigin.CARD)
    licences = [word for word in words_in(metadata.get("license")) if word.isprintable()]
    if licences and len(licences[0]) <= MAX_CHARS["license"]:
        # Not through the row: its updated_at is the time of its last change by a person.
        work.session.execute(
            update(Repository).where(Repository.id == repository_id, is_live()).values(license=licences[0])
        )
