import csv
import io
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text, update

from hub.accounts import service as accounts
from hub.accounts.events import MemberRemoved, OrganizationDeleted, UserDeleted, UserRenamed
from hub.accounts.jobs import drop_namespaces
from hub.accounts.models import Member, Namespace, Role
from hub.accounts.service.directory import export_users
from hub.assets.events import CollectionDeleted
from hub.assets.models import Collection, Like
from hub.community.models import Comment, Discussion
from hub.db.engine import DATABASE
from hub.db.uow import reading, unit_of_work
from hub.jobs.models import Job
from hub.jobs.run import run_due
from hub.repos.models import Repository, RepositoryState
from tests.support.api import data, refusal


def add_member(context, organization, user, role):
    with unit_of_work(context) as work:
        work.session.add(
            Member(organization_id=organization.id, user_id=user.id, role=Role(role), created_at=work.now())
        )


def heard(context, *classes):
    """The events of these classes, as they are told from now on."""
    events = []
    for cls in classes:
        context.events.subscribe(cls, events.append)
    return events


@pytest.mark.any_database
def test_an_account_that_must_stay_is_not_deleted_and_says_why(
    context, as_user, nobody, make_organization, make_repository
):
    ada, eve = as_user("ada"), as_user("eve")
    root, chief = as_user("root-1", admin=True), as_user("chief-1", admin=True)
    acme = make_organization("acme")
    add_member(context, acme, ada.user, "owner")
    make_repository(eve.user, "thing")
    assert refusal(nobody.delete("/user/ada"))[0] == 401
    assert refusal(ada.delete("/user/ada")) == (403, "AUTH-ERR-2")
    assert refusal(root.delete("/user/chief-1")) == (400, "USER-ERR-14")
    assert refusal(chief.delete("/user/chief-1/close_account")) == (400, "USER-ERR-14")
    assert refusal(root.delete("/user/ada")) == (400, "USER-ERR-15")
    assert refusal(ada.delete("/user/ada/close_account")) == (400, "USER-ERR-15")
    assert refusal(root.delete("/user/ada/close_account")) == (403, "AUTH-ERR-7")
    assert refusal(as_user("bob", scope="write").delete("/user/bob/close_account")) == (403, "AUTH-ERR-2")
    assert refusal(root.delete("/user/eve")) == (409, "user_has_repositories")
    assert refusal(root.delete("/user/none")) == (404, "AUTH-ERR-1")
    # Another owner, and the first may go.
    add_member(context, acme, eve.user, "owner")
    data(root.delete("/user/ada"))
    assert refusal(nobody.get("/user/ada"))[0] == 404


def test_an_account_is_closed_with_all_that_was_its_own(
    context, clock, as_user, nobody, make_user, make_organization, make_repository
):
    ada, eve, root = as_user("ada"), as_user("eve"), as_user("root-1", admin=True)
    mine, hers = make_repository(ada.user, "mine"), make_repository(eve.user, "hers")
    acme = make_organization("acme")
    add_member(context, acme, ada.user, "read")
    with unit_of_work(context) as work:
        now = work.now()
        times = {"created_at": now, "updated_at": now}
        work.session.add(Like(user_id=ada.user.id, repository_id=hers.id, created_at=now))
        work.session.get_one(Repository, hers.id).like_count = 2
        work.session.add(Collection(namespace_id=ada.user.namespace_id, name="list", **times))
        talk = Discussion(repository_id=hers.id, user_id=eve.user.id, number=1, title="x", comment_count=2, **times)
        own = Discussion(repository_id=hers.id, user_id=ada.user.id, number=2, title="y", comment_count=1, **times)
        work.session.add_all([talk, own])
        work.session.flush()
        for thread, user in ((talk, ada.user), (talk, eve.user), (own, eve.user)):
            work.session.add(Comment(discussion_id=thread.id, user_id=user.id, content="x", **times))
    events = heard(context, UserDeleted, MemberRemoved, CollectionDeleted)

    data(ada.delete("/user/ada/close_account?repository=true&discussion=true"))

    assert [type(event) for event in events] == [CollectionDeleted, MemberRemoved, UserDeleted]
    assert ada.get("/whoami").status_code == 401
    for path in ("/user/ada", "/namespaces/ada", f"/namespaces/{ada.user.namespace.uuid}", "/models/ada/mine"):
        assert nobody.get(path).status_code == 404
    with reading(context) as work:
        assert work.session.get_one(Repository, hers.id).like_count == 1
        assert work.session.query(Collection).count() == 0
        assert [(d.title, d.comment_count) for d in work.session.query(Discussion)] == [("x", 1)]
        assert work.session.query(Comment).one().user_id == eve.user.id

    # The name is held, and nothing new comes to it, until the repository cannot be brought back any more.
    taken = {"username": "ada", "email": "ada@example.org", "password": "correct-horse"}
    assert refusal(nobody.post("/users", taken)) == (409, "USER-ERR-12")
    assert root.post("/models", {"namespace": "ada", "name": "more"}).status_code == 404
    drop_namespaces(RunOf(context))
    with reading(context) as work:
        assert work.session.get(Namespace, ada.user.namespace_id) is not None
    clock.advance(context.settings.undelete_ttl_s + 1)
    run_due(context)
    drop_namespaces(RunOf(context))
    with reading(context) as work:
        assert work.session.get(Repository, mine.id) is None
        assert work.session.get(Namespace, ada.user.namespace_id) is None
    assert data(nobody.post("/users", taken))["username"] == "ada"


@pytest.mark.any_database
def test_an_organisation_takes_its_collections_and_members_along_and_says_so(context, as_user, make_repository):
    ada, eve = as_user("ada"), as_user("eve")
    data(ada.post("/organizations", {"name": "acme"}))
    data(ada.post("/organization/acme/members", {"users": "eve", "role": "read"}))
    kept = data(ada.post("/collections", {"name": "list", "namespace": "acme"}))
    data(eve.put(f"/user/eve/likes/collections/{kept['id']}"))
    data(ada.post("/models", {"name": "thing", "namespace": "acme"}))
    events = heard(context, CollectionDeleted, MemberRemoved, OrganizationDeleted)
    assert refusal(ada.delete("/organization/acme")) == (409, "REQ-ERR-0")
    assert events == []
    assert data(ada.get(f"/collections/{kept['id']}"))["name"] == "list"
    data(ada.post("/models/acme/thing/transfer", {"new_namespace": "ada"}))
    data(ada.delete("/organization/acme"))
    assert [type(event) for event in events] == [CollectionDeleted, MemberRemoved, MemberRemoved, OrganizationDeleted]
    assert eve.get(f"/collections/{kept['id']}").status_code == 404


@pytest.mark.any_database
def test_a_name_whose_repositories_can_come_back_keeps_no_later_one(context, as_user, make_repository, monkeypatch):
    monkeypatch.setattr("hub.accounts.service.departures._NAMESPACES_AT_ONCE", 1)
    ada, eve, root = as_user("ada"), as_user("eve"), as_user("root-1", admin=True)
    for caller in (ada, eve):
        make_repository(caller.user)
        data(root.delete(f"/user/{caller.user.name}?repository=true"))
    with unit_of_work(context) as work:
        work.session.delete(work.session.query(Repository).filter_by(namespace_id=eve.user.namespace_id).one())
    drop_namespaces(RunOf(context))
    with reading(context) as work:
        paths = {path for (path,) in work.session.query(Namespace.path)}
    assert paths == {"ada", "root-1"}


def test_the_repositories_of_an_account_move_and_go_in_a_few_statements(
    context, as_user, count_queries, make_token, monkeypatch
):
    root = as_user("root-1", admin=True)
    data(root.post("/admin/webhooks", {"url": "https://8.8.8.8/x", "topics": ["collection.deleted"]}))

    def move_and_delete(name, count):
        user = as_user(name).user
        with unit_of_work(context) as work:
            values = {"namespace_id": user.namespace_id, "state": RepositoryState.READY, "is_private": True}
            values |= {"created_at": work.now(), "updated_at": work.now()}
            for number in range(count):
                one = f"r{number}"
                row = Repository(kind="model", name=one, name_key=one, search_text=f"{name}/{one}", **values)
                work.session.add(row)
        with count_queries() as moving:
            data(root.put(f"/user/{user.uuid}", {"new_username": f"{name}-2"}))
        with count_queries() as going:
            data(root.delete(f"/user/{name}-2?repository=true"))
        with reading(context) as work:
            jobs = [job.name for job in work.session.query(Job).order_by(Job.id)]
        return len(moving), len(going), jobs

    few, more = move_and_delete("ada", 2), move_and_delete("eve", 20)
    assert few[:2] == more[:2]
    # One job removes them all when their time is over; nobody is told, as the one whose they were has gone.
    assert more[2] == ["repos.purge_repositories"] * 2
    monkeypatch.setattr("hub.repos.departures.MAX_REPOSITORIES", 1)
    ida = as_user("ida")
    for name in ("one", "two"):
        data(ida.post("/models", {"name": name}))
    assert refusal(root.put(f"/user/{ida.user.uuid}", {"new_username": "other"})) == (409, "user_has_repositories")
    assert refusal(root.delete("/user/ida?repository=true")) == (409, "user_has_repositories")
    assert data(root.get("/models/ida/two"))["path"] == "ida/two"


def test_an_account_that_likes_something_while_it_goes_does_both(context, make_user, make_repository, actor_of):
    """On PostgreSQL: the like is written, its counter not yet, when the departure begins."""
    if context[DATABASE].is_sqlite:
        pytest.skip("one transaction at a time")
    ada, thing = make_user("ada"), make_repository(make_user("eve"))
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND pid <> pg_backend_pid()")

    def depart():
        with unit_of_work(context) as work:
            accounts.close_account(work, actor=actor_of(ada), name="ada")

    with ThreadPoolExecutor(1) as pool:
        with unit_of_work(context) as work:
            work.session.add(Like(user_id=ada.id, repository_id=thing.id, created_at=work.now()))
            work.session.flush()
            departure = pool.submit(depart)
            with reading(context) as other:
                while not other.session.scalar(waiting):
                    assert not departure.done(), departure.exception()
            work.session.execute(update(Repository).values(like_count=Repository.like_count + 1))
        departure.result()
    with reading(context) as work:
        assert work.session.get_one(Repository, thing.id).like_count == 0


class RunOf:
    """As much of a job's run as these jobs ask of it."""

    def __init__(self, context):
        self.context = context

    def log(self, text):
        """What a job says, which nobody reads here."""


@pytest.mark.any_database
def test_what_was_said_stays_without_its_author_unless_asked(context, as_user, make_repository):
    ada, eve, root = as_user("ada"), as_user("eve"), as_user("root-1", admin=True)
    hers = make_repository(eve.user, "hers")
    with unit_of_work(context) as work:
        times = {"created_at": work.now(), "updated_at": work.now()}
        work.session.add(Discussion(repository_id=hers.id, user_id=ada.user.id, number=1, title="y", **times))
    data(root.delete("/user/ada"))
    with reading(context) as work:
        assert work.session.query(Discussion).one().user_id is None


def test_a_user_gets_another_name_and_the_old_addresses_lead_on(context, as_user, nobody, make_repository):
    ada, eve = as_user("ada"), as_user("eve")
    writer = as_user("writer", scope="write")
    make_repository(ada.user, "thing", description="of great use")
    gone = make_repository(ada.user, "gone")
    path = f"/user/{ada.user.uuid}"
    events = heard(context, UserRenamed)
    for name, status in (("eve", 409), ("EVE", 409), ("models", 400), ("a", 400)):
        assert ada.put(path, {"new_username": name}).status_code == status
    assert eve.put(path, {"new_username": "other"}).status_code == 403
    assert writer.put(f"/user/{writer.user.uuid}", {"new_username": "other"}).status_code == 403
    data(ada.delete("/models/ada/gone"))

    renamed = data(ada.put(path, {"new_username": "lovelace", "nickname": "Ada"}))

    assert (renamed["username"], renamed["nickname"]) == ("lovelace", "Ada")
    assert renamed["namespaces"][0]["path"] == "lovelace"
    assert len(events) == 1
    assert nobody.get("/user/ada").status_code == 404
    for place in ("ada/thing", "lovelace/thing", "ADA/thing"):
        assert data(nobody.get(f"/models/{place}"))["path"] == "lovelace/thing"
    assert [found["path"] for found in data(nobody.get("/models?search=lovelace"))] == ["lovelace/thing"]
    assert not data(nobody.get("/models?search=ada/"))
    # Whoever has the name now wins at its addresses; back at the old name there is no loop.
    data(eve.put(f"/user/{eve.user.uuid}", {"new_username": "ada"}))
    data(eve.post("/models", {"name": "thing"}))
    assert data(nobody.get("/models/ada/thing"))["path"] == "ada/thing"
    data(ada.put(path, {"new_username": "Lovelace"}))
    assert data(nobody.get("/models/lovelace/thing"))["path"] == "Lovelace/thing"
    data(ada.put(path, {"new_username": "countess"}))
    data(ada.put(path, {"new_username": "lovelace"}))
    for place in ("countess/thing", "lovelace/thing"):
        assert data(nobody.get(f"/models/{place}"))["path"] == "lovelace/thing"
    with reading(context) as work:
        assert work.session.get_one(Repository, gone.id).path == "lovelace/gone"


def test_administrators_narrow_sort_label_and_export_the_users(context, as_user, nobody, make_user, count_queries):
    root, ada = as_user("root-1", admin=True), as_user("ada")
    for name in ("bob", "carol"):
        make_user(name)
    with unit_of_work(context) as work:
        user = work.session.get_one(type(ada.user), ada.user.id)
        user.nickname = '=cmd|"/c calc"!A1'
        user.last_login_at = work.now()
    labels = {"id": ada.user.uuid, "labels": ["vip", "vip"]}
    assert data(root.put("/user/labels", labels))["labels"] == ["vip"]
    assert ada.put("/user/labels", labels).status_code == 403
    assert root.put("/user/labels", labels | {"labels": ["gold"]}).status_code == 400
    assert root.put("/user/labels", labels | {"id": "none"}).status_code == 404
    assert ada.put("/user/labels", labels | {"id": "none"}).status_code == 403
    assert nobody.put("/user/labels", labels).status_code == 401

    def names(query):
        return [user["username"] for user in data(root.get(f"/users?{query}"))["data"]]

    assert names("labels=vip") == names("labels=basic&labels=vip") == ["ada"]
    assert names("labels=vi") == names("verify_status=pending") == []
    assert names("verify_status=none&sort_order=desc") == ["root-1", "carol", "bob", "ada"]
    assert names("sort_by=last_login_at")[0] == "ada"
    for query in ("sort_by=password", "verify_status=some"):
        assert refusal(root.get(f"/users?{query}")) == (400, "REQ-ERR-6")
    assert ada.get("/users?labels=vip").status_code == 403
    with count_queries() as queries:
        root.get("/users?per=2")
    few = len(queries)
    with count_queries() as queries:
        root.get("/users?per=100")
    assert len(queries) == few

    answer = root.client.get("/api/v1/users/stream-export", headers=root.headers)
    assert answer.mimetype == "text/csv"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["username"] for row in rows] == ["root-1", "ada", "bob", "carol"]
    assert rows[1]["nickname"].startswith("'=cmd")
    assert (rows[1]["labels"], rows[1]["email"], rows[0]["roles"]) == ("vip", "ada@example.org", "admin")
    assert (ada.get("/users/stream-export").status_code, nobody.get("/users/stream-export").status_code) == (403, 401)


@pytest.mark.any_database
def test_an_export_holds_one_portion_at_a_time(context, make_user, actor_of, monkeypatch):
    monkeypatch.setattr("hub.accounts.service.directory._EXPORT_BATCH", 2)
    root = make_user("root-1", admin=True)
    for name in ("ada", "bob", "carol"):
        make_user(name)
    portions = [[user.name for user, _ in portion] for portion in export_users(context, actor=actor_of(root))]
    assert portions == [["root-1", "ada"], ["bob", "carol"]]
