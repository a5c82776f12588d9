import threading

import pytest
from sqlalchemy import delete, select, update

from hub.accounts.policy import ANONYMOUS, SYSTEM
from hub.assets import service
from hub.assets.models import Tag, TagOrigin, TagState
from hub.base.errors import Conflict, Denied, HubError, Invalid, NotFound, NotSignedIn
from hub.base.paging import PageArgs
from hub.db.uow import reading, unit_of_work
from hub.repos.models import Repository
from hub.repos.service import delete_repository, list_repositories, set_visibility, undelete_repository
from tests.support.jobs import run_now


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


def test_words_of_private_repositories_are_not_told_and_words_go_with_the_last_that_carries_them(
    context, ada, actor_of, make_row
):
    actor, (secret, other) = actor_of(ada), (make_row(ada, name, is_private=True) for name in ("secret", "other"))

    def put(row, *names):
        with unit_of_work(context) as work:
            repository = work.session.get(Repository, row.id)
            service.set_labels(work, actor=actor, repository=repository, category="task", names=names)

    def seen(reader=ANONYMOUS):
        with reading(context) as work:
            found = service.list_labels(work, actor=reader, scopes=["model"], search="merger").items
            return [label.name for label in found]

    def change(what, row, **values):
        with unit_of_work(context) as work:
            return what(work, actor=actor, repository_id=row.id, **values)

    put(secret, "merger-a", "merger-b", "fill-mask")
    put(other, "merger-b")
    assert (seen(), seen(actor), seen(SYSTEM)) == ([], [], ["merger-a", "merger-b"])
    with reading(context) as work:
        [word, _other] = service.list_labels(work, actor=SYSTEM, search="merger").items
        assert service.get_label(work, actor=SYSTEM, label_id=word.id).name == "merger-a"
        with pytest.raises(NotFound):
            service.get_label(work, actor=actor, label_id=word.id)
    change(set_visibility, other, private=False)
    assert seen() == ["merger-b"]
    put(other, "merger-b", "merger-c")
    assert seen() == ["merger-b", "merger-c"]
    change(delete_repository, other)
    assert (seen(), seen(SYSTEM)) == ([], ["merger-a", "merger-b", "merger-c"])
    with unit_of_work(context) as work:
        undelete_repository(work, actor=actor, kind="model", path="ada/other")
    assert seen() == ["merger-b", "merger-c"]
    # What an administrator has changed is the catalogue's own: seen, and kept.
    with unit_of_work(context) as work:
        service.update_label(work, actor=SYSTEM, label_id=word.id, show_name="A")
    put(secret)
    put(other)
    assert seen() == seen(SYSTEM) == ["merger-a"]

    # A word that went otherwise: with its repository's row, or one shown by two that hid at once.
    put(secret, "merger-x", "merger-y")
    put(other, "merger-z")
    with unit_of_work(context) as work:
        work.session.execute(update(Tag).where(Tag.name == "merger-x").values(state=TagState.SHOWN))
        work.session.execute(delete(Repository).where(Repository.id == other.id))
    assert seen() == ["merger-a", "merger-x", "merger-z"]
    run_now(context, "assets.sweep_words")
    assert (seen(), seen(SYSTEM)) == (["merger-a"], ["merger-a", "merger-x", "merger-y"])


def test_a_repository_brings_so_many_words(work, ada, actor_of, make_row, monkeypatch):
    monkeypatch.setattr("hub.assets.service.labels.MAX_WORDS", 3)
    thing = make_row(ada)

    def put(category, *names):
        service.set_labels(work, actor=actor_of(ada), repository=thing, category=category, names=names)

    put("task", "fill-mask", "a", "b")
    put("industry", "finance", "c")
    with pytest.raises(Conflict) as refused:
        put("license", "mit", "d")
    assert refused.value.code == "too_many_labels"


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
    builtin = service.list_labels(work, actor=ANONYMOUS, scopes=["model"], categories=["task"], is_builtin=True)
    assert builtin.total == len(builtin.items) > 40
    assert {"text-generation", "automatic-speech-recognition"} <= {label.name for label in builtin.items}
    assert {category.name for category in service.list_categories(work, scope="mcpserver")} == {
        *("task", "license", "framework", "language", "industry", "evaluation", "size", "runtime_framework", "other")
    }
    assert [
        label.name for label in service.list_labels(work, actor=ANONYMOUS, scopes=["dataset"], search="GERMAN").items
    ] == ["de"]
    assert len(service.list_labels(work, actor=ANONYMOUS, page=PageArgs(page=2, per=7)).items) == 7

    new = {"scope": "model", "category": "colour", "name": "Red"}
    with pytest.raises(Denied):
        service.create_category(work, actor=actor_of(ada), scope="model", name="colour")
    with pytest.raises(Invalid):
        service.create_label(work, actor=SYSTEM, **new)
    category = service.create_category(work, actor=SYSTEM, scope="model", name="Colour")
    label = service.create_label(work, actor=SYSTEM, **new)
    other = service.create_label(work, actor=SYSTEM, **new | {"name": "green"})
    for again in (
        lambda: service.create_label(work, actor=SYSTEM, **new),
        lambda: service.update_label(work, actor=SYSTEM, label_id=other.id, name="red", show_name="x"),
        lambda: service.create_category(work, actor=SYSTEM, scope="model", name="colour"),
        lambda: service.update_category(work, actor=SYSTEM, category_id=category.id, name="Task", is_enabled=False),
    ):
        with pytest.raises(Conflict) as refused:
            again()
        assert refused.value.code == "SYS-ERR-4"
    assert (other.name, other.show_name, category.name, category.is_enabled) == ("green", "", "colour", True)
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
