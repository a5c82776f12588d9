import pytest
from sqlalchemy import select

from hub.accounts.policy import ANONYMOUS, SYSTEM
from hub.assets import service
from hub.assets.models_lineage import Relation, RelationType
from hub.assets.service.claims import Claim, set_read_relations
from hub.base.errors import Conflict, Denied, Invalid, NotFound, NotSignedIn


@pytest.fixture
def ada(make_user):
    return make_user("ada")


@pytest.fixture
def model(ada, make_row):
    return make_row(ada, "model")


def related(work, repository, actor=SYSTEM):
    return sorted(row.path for row in service.list_related(work, actor=actor, repository=repository))


def test_relations_are_shown_from_both_ends_to_those_who_see_both(work, ada, model, actor_of, make_row, make_user):
    data, secret = make_row(ada, "data", "dataset"), make_row(ada, "secret", "dataset", is_private=True)
    actor, eve = actor_of(ada), actor_of(make_user("eve"))
    service.set_relations(
        work, actor=actor, repository=model, kind="dataset", paths=["ADA/data", "ada/Secret", "ada/data"]
    )
    assert related(work, model, actor) == ["ada/data", "ada/secret"]
    assert related(work, data, actor) == related(work, secret, actor) == ["ada/model"]
    assert related(work, model, eve) == related(work, model, ANONYMOUS) == ["ada/data"]
    with pytest.raises(NotFound):
        related(work, secret, eve)

    service.set_relations(work, actor=actor, repository=model, kind="code", paths=[])
    service.remove_relation(work, actor=actor, repository=model, kind="dataset", path="ada/secret")
    assert related(work, model, actor) == ["ada/data"]
    with pytest.raises(NotFound):
        service.remove_relation(work, actor=actor, repository=model, kind="dataset", path="ada/secret")
    service.set_relations(work, actor=actor, repository=model, kind="dataset", paths=[])
    assert related(work, model, actor) == []


def test_who_may_write_relates_to_what_they_may_read(work, ada, model, actor_of, make_row, make_user):
    eve = make_user("eve")
    secret, mine = make_row(ada, "secret", is_private=True), make_row(eve, "mine")

    def add(actor, path, kind="model", repository=model):
        service.add_relation(work, actor=actor, repository=repository, kind=kind, path=path)

    with pytest.raises(NotSignedIn):
        add(ANONYMOUS, "eve/mine")
    with pytest.raises(Denied):
        add(actor_of(eve), "eve/mine")
    for path in (secret.path, "eve/none", "", "eve", "eve/mine/x", "\ud800/x"):
        with pytest.raises((NotFound, Invalid)):
            add(actor_of(eve), path, repository=mine)
    with pytest.raises(NotFound):
        add(actor_of(eve), model.path, kind="dataset", repository=mine)
    with pytest.raises(Invalid):
        add(actor_of(ada), model.path)
    add(actor_of(eve), model.path, repository=mine)
    add(actor_of(eve), model.path, repository=mine)
    assert related(work, model) == ["eve/mine"]


def test_a_card_keeps_its_own_relations_and_a_persons_outlive_them(work, ada, model, actor_of, make_row):
    for name in ("one", "two", "three"):
        make_row(ada, name, "dataset")
    named = [("dataset", "ada/one"), ("dataset", "ada/two"), ("dataset", "ada/none"), ("model", model.path)]
    card = [Claim(RelationType.USES, kind, path) for kind, path in named]
    set_read_relations(work, repository=model, claims=card)
    assert related(work, model) == ["ada/one", "ada/two"]
    service.set_relations(work, actor=actor_of(ada), repository=model, kind="dataset", paths=["ada/two", "ada/three"])
    assert related(work, model) == ["ada/one", "ada/three", "ada/two"]
    set_read_relations(work, repository=model, claims=[])
    assert related(work, model) == ["ada/three", "ada/two"]


def test_a_repository_has_a_bounded_number_of_relations(work, ada, model, actor_of, make_row, monkeypatch):
    monkeypatch.setattr("hub.assets.service.relations.MAX_RELATIONS", 2)
    rows = [make_row(ada, f"data{number}", "dataset") for number in range(3)]
    with pytest.raises(Invalid):
        service.set_relations(
            work, actor=actor_of(ada), repository=model, kind="dataset", paths=[row.path for row in rows]
        )
    for row in rows[:2]:
        service.add_relation(work, actor=actor_of(ada), repository=model, kind="dataset", path=row.path)
    with pytest.raises(Conflict), work.session.begin_nested():
        service.add_relation(work, actor=actor_of(ada), repository=model, kind="dataset", path=rows[2].path)
    assert len(work.session.scalars(select(Relation.target_id)).all()) == 2
