import threading
from datetime import timedelta

import pytest
from sqlalchemy import delete

from hub.accounts import service as accounts
from hub.accounts.models import Role
from hub.accounts.policy import ANONYMOUS, SYSTEM, Actor
from hub.assets import service
from hub.assets.events import CollectionCreated, CollectionDeleted, CollectionUpdated
from hub.assets.models import Collection, CollectionLike
from hub.base.errors import Conflict, Denied, HubError, Invalid, NotFound, NotSignedIn
from hub.base.topics import TOPICS
from hub.db.uow import reading, unit_of_work


@pytest.fixture
def ada(make_user):
    return make_user("ada")


def shown(work, collection, actor):
    return [
        item.repository.name
        for item in service.items_of(work, actor=actor, collection_ids=[collection.id])[collection.id]
    ]


def test_who_may_write_in_a_namespace_edits_its_collections_and_who_administers_it_deletes_them(
    work, make_user, actor_of, make_organization
):
    acme, users = make_organization("acme"), {}
    for role in ("read", "write", "admin"):
        users[role] = make_user(f"{role}-1")
        accounts.add_member(work, actor=SYSTEM, organization=acme, user=users[role], role=Role(role))
    reader, writer, admin = (actor_of(users[role]) for role in ("read", "write", "admin"))
    stranger = actor_of(make_user("stranger"))

    for actor, error in ((ANONYMOUS, NotSignedIn), (stranger, Denied), (reader, Denied)):
        with pytest.raises(error):
            service.create_collection(work, actor=actor, name="list", namespace="acme")
    made = service.create_collection(work, actor=writer, name="list", namespace="ACME", is_private=True)
    assert service.get_collection(work, actor=reader, collection_id=made.id).namespace.path == "acme"
    for actor in (stranger, ANONYMOUS):
        with pytest.raises(NotFound):
            service.get_collection(work, actor=actor, collection_id=made.id)
        with pytest.raises(NotFound):
            service.update_collection(work, actor=actor, collection_id=made.id, name="mine")
        assert service.list_collections(work, actor=actor, namespace="acme").total == 0
    with pytest.raises(Denied):
        service.update_collection(work, actor=reader, collection_id=made.id, name="mine")
    with pytest.raises(Denied):
        service.delete_collection(work, actor=writer, collection_id=made.id)
    with pytest.raises(Denied):
        service.update_collection(work, actor=writer, collection_id=made.id, is_private=False)
    service.update_collection(work, actor=writer, collection_id=made.id, is_private=True, theme="#ff00aa")
    assert service.list_collections(work, actor=stranger, namespace="acme").total == 0
    service.update_collection(work, actor=admin, collection_id=made.id, is_private=False)
    with pytest.raises(Denied):
        service.update_collection(work, actor=writer, collection_id=made.id, is_private=True)
    for actor, error in ((stranger, Denied), (ANONYMOUS, NotSignedIn)):
        with pytest.raises(error):
            service.update_collection(work, actor=actor, collection_id=made.id, name="mine")
    access = service.collection_access_of(work, actor=writer, collections=[made])[made.id]
    assert (access.can_write, access.can_manage) == (True, False)
    service.delete_collection(work, actor=admin, collection_id=made.id)
    assert service.list_collections(work, actor=admin).total == 0


def test_a_public_collection_shows_each_what_they_may_see(work, ada, actor_of, make_user, make_row):
    rows = [make_row(ada, name, is_private=name == "secret") for name in ("thing", "secret", "other")]
    actor, eve = actor_of(ada), actor_of(make_user("eve"))
    made = service.create_collection(work, actor=actor, name="list")
    ids = [row.id for row in rows]
    service.add_items(
        work, actor=actor, collection_id=made.id, repository_ids=ids, remarks={ids[0]: "good", ids[1]: "mine"}
    )
    assert shown(work, made, actor) == ["thing", "secret", "other"]
    assert shown(work, made, eve) == shown(work, made, ANONYMOUS) == ["thing", "other"]
    assert service.items_of(work, actor=eve, collection_ids=[made.id])[made.id][0].remark == "good"
    first = service.items_of(work, actor=eve, collection_ids=[made.id], most_each=1)
    assert [item.repository.name for item in first[made.id]] == ["thing"]

    service.update_item(work, actor=actor, collection_id=made.id, repository_id=ids[2], remark="late", position=1)
    assert shown(work, made, actor) == ["other", "thing", "secret"]
    service.update_item(work, actor=actor, collection_id=made.id, repository_id=ids[2], position=99)
    service.remove_items(work, actor=actor, collection_id=made.id, repository_ids=[ids[0], ids[0], 10**9])
    assert shown(work, made, actor) == ["secret", "other"]
    with pytest.raises(NotFound):
        service.update_item(work, actor=actor, collection_id=made.id, repository_id=ids[0], remark="gone")

    eves = service.create_collection(work, actor=eve, name="eves")
    with pytest.raises(NotFound):
        service.add_items(work, actor=eve, collection_id=eves.id, repository_ids=[ids[0], ids[1]])
    assert shown(work, eves, SYSTEM) == []
    with pytest.raises(Denied):
        service.add_items(work, actor=eve, collection_id=made.id, repository_ids=[ids[0]])


def test_a_repository_is_in_a_collection_once_and_a_collection_is_bounded(
    context, ada, actor_of, make_row, monkeypatch
):
    monkeypatch.setattr("hub.assets.service.items.MAX_ITEMS", 3)
    rows = [make_row(ada, f"thing{number}") for number in range(6)]
    with unit_of_work(context) as work:
        made = service.create_collection(work, actor=actor_of(ada), name="list")
    codes = []

    def add(ids):
        try:
            with unit_of_work(context) as work:
                service.add_items(work, actor=actor_of(ada), collection_id=made.id, repository_ids=ids)
        except HubError as error:
            codes.append(error.code)

    add([rows[0].id])
    add([rows[1].id, rows[0].id])
    assert codes == ["COLL-ERR-0"]
    threads = [threading.Thread(target=add, args=[[row.id]]) for row in rows[1:]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == ["COLL-ERR-0", *["collection_full"] * 3]
    with reading(context) as work:
        assert len(shown(work, made, SYSTEM)) == 3


def test_what_does_not_fit_is_refused(work, ada, actor_of, make_row, monkeypatch):
    actor, thing = actor_of(ada), make_row(ada)
    good = service.create_collection(work, actor=actor, name="list")
    for wrong in ({"name": " "}, {"name": "x" * 65}, {"name": "a\0"}, {"theme": "red"}, {"description": "\ud800"}):
        with pytest.raises(Invalid):
            service.create_collection(work, actor=actor, **{"name": "list"} | wrong)
        with pytest.raises(Invalid):
            service.update_collection(work, actor=actor, collection_id=good.id, **wrong)
    work.session.expire_all()
    with pytest.raises(Invalid):
        service.add_items(
            work, actor=actor, collection_id=good.id, repository_ids=[thing.id], remarks={thing.id: "x" * 501}
        )
    with pytest.raises(Invalid):
        service.add_items(work, actor=actor, collection_id=good.id, repository_ids=range(101))
    with pytest.raises(NotFound):
        service.create_collection(work, actor=actor, name="list", namespace="nobody")
    monkeypatch.setattr("hub.assets.service.collections.MAX_OF_NAMESPACE", 1)
    with pytest.raises(Conflict):
        service.create_collection(work, actor=actor, name="list")


def test_lists_are_searched_sorted_and_paged(work, ada, clock, actor_of, make_user, count_queries):
    actor = actor_of(ada)
    made = {}
    for name in ("old favourite", "trending", "new"):
        made[name] = service.create_collection(work, actor=actor, name=name, description=f"about {name} 100%")
        clock.advance(60)
    fans = [make_user(f"fan-{number}") for number in range(3)]
    for name, user, days in (
        *(("old favourite", fans[0], 60), ("old favourite", fans[1], 60)),
        ("trending", fans[2], 1),
    ):
        service.like_collection(work, actor=actor_of(user), user=user, collection_id=made[name].id)
        like = work.session.get(CollectionLike, (user.id, made[name].id))
        like.created_at -= timedelta(days=days)
    work.session.flush()

    def names(**query):
        return [row.name for row in service.list_collections(work, actor=ANONYMOUS, **query).items]

    assert names() == ["new", "trending", "old favourite"]
    assert names(sort="most_favorite") == ["old favourite", "trending", "new"]
    assert names(sort="trending") == ["trending", "new", "old favourite"]
    assert names(search="OLD fav") == ["old favourite"]
    assert names(search="100%") == ["new", "trending", "old favourite"]
    assert names(search="1%0") == []
    with pytest.raises(Invalid):
        names(sort="oldest")
    with count_queries() as queries:
        for row in service.list_collections(work, actor=actor).items:
            assert row.namespace.user.avatar == row.created_by.avatar
    assert len(queries) == 1


def test_what_happens_to_a_collection_is_told(context, ada, make_user, actor_of):
    told, topics = [], {topic.event_class: topic for topic in context[TOPICS].values()}

    def record(work, event):
        if type(event) in (CollectionCreated, CollectionUpdated, CollectionDeleted):
            topic = topics[type(event)]
            told.append((topic.name, topic.describe(work, event)))

    context.events.record_with(record)
    actor: Actor = actor_of(ada)
    with unit_of_work(context) as work:
        made = service.create_collection(work, actor=actor, name="list")
        service.update_collection(work, actor=actor, collection_id=made.id, is_private=True)
        service.delete_collection(work, actor=actor, collection_id=made.id)
    assert [name for name, _told in told] == ["collection.created", "collection.updated", "collection.deleted"]
    assert {message.namespace_id for _name, message in told} == {ada.namespace_id}
    assert told[2][1].data["collection"]["name"] == "list"


def test_what_somebody_else_deletes_meanwhile_is_not_found(work, ada, actor_of, make_row):
    actor, thing = actor_of(ada), make_row(ada)
    for change in (
        lambda made_id: service.update_collection(work, actor=actor, collection_id=made_id, name="new"),
        lambda made_id: service.add_items(work, actor=actor, collection_id=made_id, repository_ids=[thing.id]),
        lambda made_id: service.delete_collection(work, actor=actor, collection_id=made_id),
    ):
        made = service.create_collection(work, actor=actor, name="list")
        # As another's transaction would: what this one has loaded knows nothing of it.
        gone = delete(Collection).where(Collection.id == made.id)
        work.session.execute(gone.execution_options(synchronize_session=False))
        with pytest.raises(NotFound):
            change(made.id)
        work.session.expunge(made)


def test_collections_go_with_their_organisation(work, make_user, make_organization, actor_of):
    acme, owner = make_organization("acme"), make_user("owner-1")
    accounts.add_member(work, actor=SYSTEM, organization=acme, user=owner, role=Role.OWNER)
    made_id = service.create_collection(work, actor=actor_of(owner), name="list", namespace="acme").id
    accounts.delete_organization(work, actor=actor_of(owner), organization=acme)
    work.session.expire_all()
    with pytest.raises(NotFound):
        service.get_collection(work, actor=SYSTEM, collection_id=made_id)
