"""Which of the people and discussions that texts name there are, for the one who reads them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import select, tuple_

from hub.accounts.models import Namespace, User
from hub.accounts.policy import Actor
from hub.community.models import Discussion
from hub.community.service.marks import find_mentions, find_references
from hub.db.uow import UnitOfWork
from hub.repos.kinds import KINDS, find_kind
from hub.repos.lookup import is_live, may_read
from hub.repos.models import Repository
from hub.repos.rows import Shown

# Of all texts of a page together; more are shown as they were written.
_MAX_PEOPLE = 200
_MAX_THREADS = 200


class ThreadPlace(NamedTuple):
    """Where a discussion is: the kind and the path of its repository, and its number."""

    kind: str
    path: str
    number: int


@dataclass(frozen=True)
class Named:
    """Who and what is there. people: names by what ``marks`` calls them; threads: places by path and number."""

    people: Mapping[str, str] = field(default_factory=dict)
    threads: Mapping[tuple[str, int], ThreadPlace] = field(default_factory=dict)


def find_named(work: UnitOfWork, repository: Shown, texts: Iterable[str], *, actor: Actor) -> Named:
    """What texts about a repository name, of what the actor may see. Three queries at most, none where nothing is."""
    names: dict[str, None] = {}
    references: dict[tuple[str, int], None] = {}
    for text in texts:
        names.update(dict.fromkeys(find_mentions(text)))
        references.update(dict.fromkeys(find_references(text)))
    people = [*names][:_MAX_PEOPLE]
    wanted = [*references][:_MAX_THREADS]
    return Named(_find_people(work, people), _find_threads(work, repository, wanted, actor))


def _find_people(work: UnitOfWork, names: list[str]) -> dict[str, str]:
    if not names:
        return {}
    rows = work.session.execute(
        select(Namespace.path_key, User.name)
        .join(User, User.namespace_id == Namespace.id)
        .where(Namespace.path_key.in_(names))
    )
    return dict(rows.all())


def _find_threads(
    work: UnitOfWork, repository: Shown, wanted: list[tuple[str, int]], actor: Actor
) -> dict[tuple[str, int], ThreadPlace]:
    found: dict[tuple[str, int], ThreadPlace] = {}
    if own := [number for path, number in wanted if not path]:
        here = (Discussion.repository_id == repository.id, Discussion.number.in_(own))
        for number in work.session.scalars(select(Discussion.number).where(*here)):
            found["", number] = ThreadPlace(repository.kind, repository.path, number)
    if others := [(path, number) for path, number in wanted if path]:
        keys = {(*path.split("/")[-2:], number) for path, number in others}
        rows = work.session.execute(
            select(Repository.kind, Namespace.path_key, Namespace.path, Repository.name_key, Repository.name)
            .add_columns(Discussion.number)
            .join(Namespace, Namespace.id == Repository.namespace_id)
            .join(Discussion, Discussion.repository_id == Repository.id)
            .where(tuple_(Namespace.path_key, Repository.name_key, Discussion.number).in_(sorted(keys)))
            .where(is_live(), may_read(actor), Repository.kind.in_([*work.context[KINDS]]))
            # Where things of several kinds have a path, the one of the text's kind is meant.
            .order_by(Repository.kind != repository.kind, Repository.id)
        ).all()
        for path, number in others:
            *collection, namespace, name = path.split("/")
            kind = find_kind(work.context, collection[0]) if collection else None
            if collection and kind is None:
                continue
            for row in rows:
                is_it = (row.path_key, row.name_key, row.number) == (namespace, name, number)
                if is_it and (kind is None or row.kind == kind.name):
                    found[path, number] = ThreadPlace(row.kind, f"{row.path}/{row.name}", number)
                    break
    return found
