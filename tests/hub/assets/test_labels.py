import threading

import pytest
from sqlalchemy import select

from hub.accounts.policy import ANONYMOUS, SYSTEM
from hub.assets import service
from hub.assets.models import Tag, TagOrigin
from hub.base.errors import Conflict, Denied, HubError, Invalid, NotSignedIn
from hub.base.paging import PageArgs
from hub.db.uow import reading, unit_of_work
from hub.repos.models import Repository
from hub.repos.service import list_repositories


@pytest.fixture
def ada(make_user):
    return make_user("ada")


def names_on(work, repository):
    return [(tag.category, tag.name) for tag in service.labels_of(work, [repository.id]).get(repository.id, [])]


def found(work, *labels, scope="model"):
    where = service.with_labels(work, scope=scope, labels=labels)
    return [row.name for row in list_repositories(work, actor=SYSTEM, kind=scope, where=where).items]


def test_people_and_files_set_their_own_labels_and_a_persons_word_outlives_the_files(work, ada, actor_of, make_row):
    thing, actor = make_row(ada), actor_of(ada)
    service.set_labels(
        work, actor=actor, repository=thing, category="task", names=["Text-Generation", "my own", "text-generation"]
    )
    assert names_on(work, thing) == [("task", "my own"), ("task", "text-generation")]
    [known, own] = work.session.scalars(
        select(Tag).where(Tag.scope == "model", Tag.name.in_(["text-generation", "my own"])).order_by(Tag.id)
    )
    assert (known.is_builtin, own.is_builtin) == (True, False)

    card = [("task", "fill-mask"), ("task", "text-generation"), ("license", "MIT"), ("nonsense", "x"), ("task", "a\0b")]
    service.set_card_labels(work, repository=thing, labels=card, origin=TagOrigin.CARD)
    service.set_card_labels(work, repository=thing, labels=[("framework", "gguf")], origin=TagOrigin.FILES)
    service.set_labels(work, actor=actor, repository=thing, category="license", names=["mit"])
    service.set_card_labels(work, repository=thing, labels=[], origin=TagOrigin.CARD)
    assert names_on(work, thing) == [
        *(("framework", "gguf"), ("license", "mit"), ("task", "my own"), ("task", "text-generation")),
    ]
    service.set_labels(work, actor=actor, repository=thing, category="task", names=[])
    assert names_on(work, thing) == [("framework", "gguf"), ("license", "mit")]


def test_labels_are_set_by_those_who_may_write_and_within_bounds(work, ada, make_user, actor_of, make_row):
    thing, eve = make_row(ada), make_user("eve")

    def put(actor, category="task", names=("x",)):
        service.set_labels(work, actor=actor, repository=thing, category=category, names=names)

    for actor, error in ((ANONYMOUS, NotSignedIn), (actor_of(eve), Denied)):
        with pytest.raises(error):
            put(actor)
    for wrong in ({"category": "colour"}, {"names": ["x" * 101]}, {"names": ["a\nb"]}, {"names": ["\ud800"]}):
        with pytest.raises(Invalid):
            put(actor_of(ada), **wrong)
    with pytest.raises(Invalid):
        put(actor_of(ada), names=[f"label {number}" for number in range(51)])
    assert names_on(work, thing) == []


def test_lists_are_narrowed_by_all_labels_asked_for(work, ada, make_row, count_queries):
    for name, labels in (("both", ["fill-mask", "translation"]), ("one", ["fill-mask"]), ("none", [])):
        row = make_row(ada, name)
        wanted = [("task", label) for label in labels]
        service.set_card_labels(work, repository=row, labels=wanted, origin=TagOrigin.CARD)
    mask, translation = ("task", "Fill-Mask", ""), ("task", "translation", "natural_language_processing")
    assert sorted(found(work, mask)) == ["both", "one"]
    assert found(work, mask, translation) == ["both"]
    assert found(work, mask, ("task", "no such label", "")) == []
    assert found(work, ("task", "translation", "audio")) == []
    assert found(work, mask, scope="dataset") == []
    assert len(found(work)) == 3
    with count_queries() as queries:
        assert len(service.with_labels(work, scope="model", labels=[mask, translation, mask])) == 2
    assert len(queries) == 1
    with pytest.raises(Invalid):
        found(work, *[("task", str(number), "") for number in range(21)])


def test_two_who_use_the_same_new_words_at_once_both_succeed(context, ada, actor_of, make_row):
    rows = [make_row(ada, name) for name in ("first", "second")]
    errors = []

    def put(row, names):
        try:
            with unit_of_work(context) as work:
                repository = work.session.get(Repository, row.id)
                service.set_labels(work, actor=actor_of(ada), repository=repository, category="task", names=names)
        except HubError as error:
            errors.append(error)

    words = ["new a", "new b", "new c"]
    threads = [threading.Thread(target=put, args=args) for args in zip(rows, (words, words[::-1]), strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with reading(context) as work:
        assert [len(names_on(work, row)) for row in rows] == [3, 3]


def test_the_catalogue_has_what_people_look_for_and_site_administrators_keep_it(work, ada, make_row, actor_of):
    builtin = service.list_labels(work, scopes=["model"], categories=["task"], is_builtin=True)
    assert builtin.total == len(builtin.items) > 40
    assert {"text-generation", "automatic-speech-recognition"} <= {label.name for label in builtin.items}
    assert {category.name for category in service.list_categories(work, scope="mcpserver")} == {
        *("task", "license", "framework", "language", "industry", "evaluation", "size", "runtime_framework")
    }
    assert [label.name for label in service.list_labels(work, scopes=["dataset"], search="GERMAN").items] == ["de"]
    assert len(service.list_labels(work, page=PageArgs(page=2, per=7)).items) == 7

    new = {"scope": "model", "category": "colour", "name": "Red"}
    with pytest.raises(Denied):
        service.create_category(work, actor=actor_of(ada), scope="model", name="colour")
    with pytest.raises(Invalid):
        service.create_label(work, actor=SYSTEM, **new)
    category = service.create_category(work, actor=SYSTEM, scope="model", name="Colour")
    label = service.create_label(work, actor=SYSTEM, **new)
    for again in (
        lambda: service.create_label(work, actor=SYSTEM, **new),
        lambda: service.create_category(work, actor=SYSTEM, scope="model", name="colour"),
    ):
        with pytest.raises(Conflict):
            again()
    thing = make_row(ada)
    service.set_card_labels(work, repository=thing, labels=[("colour", "red")], origin=TagOrigin.CARD)
    service.update_category(work, actor=SYSTEM, category_id=category.id, name="hue", is_enabled=False)
    service.update_label(work, actor=SYSTEM, label_id=label.id, name="crimson", show_name="Crimson")
    work.session.expire_all()
    assert names_on(work, thing) == [("hue", "crimson")]
    with pytest.raises(Invalid):
        service.set_labels(work, actor=SYSTEM, repository=thing, category="hue", names=["blue"])
    service.delete_category(work, actor=SYSTEM, category_id=category.id)
    assert names_on(work, thing) == []
