"""What the search gives where many repositories hold its words, and the labels that PostgreSQL keeps beside them."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, insert, select, text, update

from hub.accounts.policy import ANONYMOUS
from hub.assets.models import RepositoryTag, Tag, TagState
from hub.assets.search.service import search
from hub.base.paging import PageArgs
from hub.db import migrate
from hub.db.engine import DATABASE
from hub.db.totals import COUNT_LIMIT
from hub.db.uow import reading, unit_of_work
from hub.repos.models import Repository, RepositoryState
from hub.repos.searching import search_text
from tests.support.migrating import go_back

_NOW = datetime(2026, 11, 1, tzinfo=UTC)
_LABELS = {"mit": "license", "apache-2.0": "license", "fr": "language", "translation": "task"}
_COUNT = 3 * COUNT_LIMIT


def _carried(number):
    """The labels of the repository of that number; the last hundred have none."""
    if number > _COUNT - 100:
        return set()
    return {
        "mit" if number % 2 else "apache-2.0",
        *(["fr"] if number % 3 else []),
        *(["translation"] * (not number % 50)),
    }


def _name(number):
    return f"{('llama', 'tiny-llama', 'wombat', 'llamas')[number % 4]}-{number}"


def _score(number):
    return float(number * 7919 % 1009)


@pytest.fixture
def crowd(context, make_user):
    """Three thousand models of Ada's, of which every tenth is private; every name ends with its number, from 1."""
    ada = make_user("ada")
    with unit_of_work(context) as work:
        rows = [
            {
                "kind": "model",
                "namespace_id": ada.namespace_id,
                "name": _name(number),
                "name_key": _name(number),
                "state": RepositoryState.READY,
                "is_private": number % 10 == 9,
                "trending_score": _score(number),
                "license": "mit" if "mit" in _carried(number) else "",
                "details": {},
                "search_text": search_text(f"ada/{_name(number)}", "", "the model" if number % 5 else "a llama"),
                "created_at": _NOW,
                "updated_at": _NOW + timedelta(seconds=number),
            }
            for number in range(1, _COUNT + 1)
        ]
        work.session.execute(insert(Repository), rows)
        ids = {
            int(name.rpartition("-")[2]): id
            for id, name in work.session.execute(select(Repository.id, Repository.name))
        }
        known = dict(
            work.session.execute(select(Tag.name, Tag.id).where(Tag.scope == "model", Tag.name.in_(_LABELS))).all()
        )
        for name in _LABELS.keys() - known.keys():
            moments = {"created_at": _NOW, "updated_at": _NOW}
            tag = Tag(scope="model", category=_LABELS[name], name=name, state=TagState.KEPT, **moments)
            work.session.add(tag)
            work.session.flush()
            known[name] = tag.id
        carried = [{"repository_id": ids[n], "tag_id": known[name]} for n in ids for name in _carried(n)]
        work.session.execute(insert(RepositoryTag), carried)
    return ada, ids, known


def _expected(word, holds, sees):
    """The numbers of what is found, in order: as the documentation tells it, in plain words."""

    def rank(number):
        name = _name(number)
        tiers = (name == word, name.startswith(word), word in name, True)
        return tiers.index(True), -_score(number), -number

    said = [n for n in range(1, _COUNT + 1) if word in f"ada/{_name(n)}\n\n{'the model' if n % 5 else 'a llama'}"]
    return sorted((n for n in said if holds(_carried(n)) and sees(n)), key=rank)


def test_what_many_hold_is_ranked_as_what_few_hold_is(context, crowd, actor_of):
    ada, _ids, _known = crowd
    queries = {
        "llama": ("llama", lambda labels: True),
        "llama license:mit,apache-2.0": ("llama", lambda labels: labels & {"mit", "apache-2.0"}),
        "llama license:mit": ("llama", lambda labels: "mit" in labels),
        "model license:mit,apache-2.0 lang:fr": ("model", lambda labels: "fr" in labels),
        "llama task:translation": ("llama", lambda labels: "translation" in labels),
        "llama -license:mit": ("llama", lambda labels: "mit" not in labels),
        "model lang:fr -task:translation": ("model", lambda labels: "fr" in labels and "translation" not in labels),
        "llama license:none": ("llama", lambda labels: "mit" not in labels),
        "llama license:none,mit -lang:fr": ("llama", lambda labels: "fr" not in labels),
        "wombat-2 license:apache-2.0": ("wombat-2", lambda labels: "apache-2.0" in labels),
        "lang:fr": ("", lambda labels: "fr" in labels),
    }
    sizes = set()
    for actor, sees in ((ANONYMOUS, lambda number: number % 10 != 9), (actor_of(ada), lambda number: True)):
        for asked, (word, holds) in queries.items():
            numbers = _expected(word, holds, sees)
            for page in (PageArgs(1, 20), PageArgs(3, 20), PageArgs(2, 150)):
                with reading(context) as work:
                    [section] = search(work, actor=actor, text=asked, type="models", page=page).sections
                place = slice(page.offset, page.offset + page.per)
                assert [row.name for row in section.items] == [_name(number) for number in numbers[place]], (
                    asked,
                    page,
                )
                if len(numbers) <= COUNT_LIMIT:
                    assert (section.total, section.is_estimate) == (len(numbers), False), asked
                else:
                    assert section.total >= COUNT_LIMIT, asked
            sizes.add(len(numbers) > COUNT_LIMIT)
    assert sizes == {True, False}


def test_postgresql_keeps_the_labels_beside_the_repositories(context, crowd):
    database = context[DATABASE]
    if database.is_sqlite:
        pytest.skip("about PostgreSQL's triggers")
    _ada, ids, known = crowd

    def check():
        with database.engine.connect() as connection:
            rows = connection.execute(text("SELECT id, label_ids, label_bits FROM repositories")).all()
            pairs = connection.execute(select(RepositoryTag.repository_id, RepositoryTag.tag_id)).all()
        carried = {id: set() for id, *_ in rows}
        for id, tag_id in pairs:
            carried[id].add(tag_id)
        for id, label_ids, bits in rows:
            assert sorted(label_ids) == sorted(carried[id])
            assert bits == sum({1 << label % 62 for label in label_ids})
        return carried

    first = check()
    assert first[ids[50]] == {known["apache-2.0"], known["fr"], known["translation"]}
    with unit_of_work(context) as work:
        of = RepositoryTag.repository_id
        work.session.execute(delete(RepositoryTag).where(of.in_([ids[n] for n in range(1, 20)])))
        work.session.execute(delete(RepositoryTag).where(RepositoryTag.tag_id == known["fr"], of > ids[2000]))
        work.session.execute(
            update(RepositoryTag).where(of == ids[50], RepositoryTag.tag_id == known["fr"]).values(tag_id=known["mit"])
        )
        work.session.execute(delete(Repository).where(Repository.id == ids[60]))
    assert check()[ids[50]] == {known["apache-2.0"], known["mit"], known["translation"]}
    # As they are when the columns come.
    go_back(database, "0020_reviews")
    assert migrate.upgrade(database)
    assert check()[ids[100]] == first[ids[100]]
