"""Who follows what, what people did and who sees it, and downloads by day."""

import threading
from datetime import date

import pytest
from sqlalchemy import func, select

from hub.accounts.models import Member, Role
from hub.accounts.policy import ANONYMOUS, SYSTEM
from hub.accounts.service.departures import delete_user
from hub.assets import service
from hub.assets.service import feed, follows
from hub.base.errors import Conflict, Invalid, NotFound, NotSignedIn
from hub.base.paging import PageArgs
from hub.db.uow import reading, unit_of_work
from hub.repos.activities import ActivityType, note_activity, prune_activities
from hub.repos.branches import create_tag
from hub.repos.downloads import (
    DOWNLOADS,
    DownloadCounter,
    list_days,
    list_top_files,
    prune_downloads,
    set_day_downloads,
)
from hub.repos.files import FileEdit, commit_files
from hub.repos.models import Repository
from hub.repos.models_activities import Activity, DownloadMark, FileDownloads
from hub.repos.service import update_settings


@pytest.fixture
def people(make_user):
    return {name: make_user(name) for name in ("ada", "bob", "cyd")}


def seen(context, actor, user):
    with reading(context) as work:
        page = feed.list_activities(work, actor=actor, user=user, per=50)
        return [(one.type, one.repository.path if one.repository else None) for one in page.items]


def fed(context, actor, per=50):
    """Every activity of the feed, page by page."""
    found, cursor = [], 0
    while True:
        with reading(context) as work:
            page = feed.read_feed(work, actor=actor, cursor=cursor, per=per)
        assert len(page.items) <= per
        found += [(one.type, one.actor.name) for one in page.items]
        cursor = page.next_cursor
        if not cursor:
            return found


def test_what_people_do_is_noted_once_a_day_and_seen_as_far_as_its_repository_is(
    context, clock, people, actor_of, make_repository, count_queries
):
    ada, bob = people["ada"], people["bob"]
    thing = make_repository(ada, "thing")
    secret = make_repository(ada, "secret", private=True)

    def push(repository, number, **where):
        edits = [FileEdit("a.txt", content=b"%d" % number)]
        commit_files(
            context, actor=actor_of(ada), repository_id=repository.id, message="M", branch="main", edits=edits, **where
        )

    for number in range(3):
        push(thing, number)
    push(secret, 1)
    create_tag(context, actor=actor_of(ada), repository_id=thing.id, name="v1", revision="main")
    with unit_of_work(context) as work:
        service.like_repository(work, actor=actor_of(bob), user=bob, repository_id=thing.id)
    mine = seen(context, actor_of(ada), ada)
    assert set(mine) >= {("pushed", "ada/thing"), ("released", "ada/thing"), ("pushed", "ada/secret")}
    public = [one for one in mine if one[1] == "ada/thing"]
    assert seen(context, ANONYMOUS, ada) == seen(context, actor_of(bob), ada) == public
    with reading(context) as work:
        [pushed] = work.session.scalars(
            select(Activity).where(Activity.type == "pushed", Activity.repository_id == thing.id)
        )
        assert (pushed.count, pushed.data) == (3, {"branch": "main"})
        mine_by_day = feed.count_by_day(work, actor=actor_of(ada), user=ada)
        theirs_by_day = feed.count_by_day(work, actor=ANONYMOUS, user=ada)
    today = clock.now().date()
    assert mine_by_day[today] > theirs_by_day[today] >= 4

    # Likes are told to people only; one that is taken back is gone.
    assert (seen(context, actor_of(ada), bob), seen(context, ANONYMOUS, bob)) == ([("liked", "ada/thing")], [])
    with unit_of_work(context) as work:
        service.unlike_repository(work, actor=actor_of(bob), user=bob, repository_id=thing.id)
    assert seen(context, actor_of(ada), bob) == []

    # What becomes private takes its activities along, and what becomes public brings them.
    with unit_of_work(context) as work:
        update_settings(work, actor=actor_of(ada), repository_id=thing.id, private=True)
        update_settings(work, actor=actor_of(ada), repository_id=secret.id, private=False)
    assert ("repository_published", "ada/secret") in seen(context, ANONYMOUS, ada)
    assert {path for _, path in seen(context, ANONYMOUS, ada)} == {"ada/secret"}

    # The next day is another row; what is too old goes.
    clock.advance(86400)
    push(secret, 2)
    with reading(context) as work:
        pushes = (Activity.type == "pushed", Activity.repository_id == secret.id)
        assert work.session.scalar(select(func.count()).select_from(Activity).where(*pushes)) == 2
    clock.advance(context.settings.activity_ttl_s)
    assert prune_activities(context) >= 5
    clock.advance(86400)
    assert prune_activities(context) == 1
    assert seen(context, actor_of(ada), ada) == []


def test_a_feed_has_what_one_follows_ones_organisations_and_ones_own(
    context, people, actor_of, make_organization, make_row, count_queries, monkeypatch
):
    ada, bob, cyd = people.values()
    acme, other = make_organization("acme"), make_organization("other")
    with unit_of_work(context) as work:
        work.session.add(Member(organization_id=acme.id, user_id=ada.id, role=Role.READ, created_at=work.now()))
    rows = {name: make_row(owner, name) for name, owner in
            (("hers", ada), ("ours", acme), ("theirs", other), ("cyds", cyd))}  # fmt: skip
    hidden = make_row(other, "hidden", is_private=True)
    with unit_of_work(context) as work:
        collection = service.create_collection(work, actor=actor_of(cyd), namespace="cyd", name="picks")

    def note(user, row, type="pushed", **more):
        with unit_of_work(context) as work:
            args = {"namespace_id": row.namespace_id, "repository_id": row.id} | more
            note_activity(work, type=type, actor_id=user.id, **args)

    for row in (*rows.values(), hidden):
        note(bob, row)
    note(ada, rows["ours"])
    assert fed(context, actor_of(ada)) == [("pushed", "bob")] * 2

    with unit_of_work(context) as work:
        follows.follow_namespace(work, actor=actor_of(ada), namespace=other.namespace)
        follows.follow_namespace(work, actor=actor_of(ada), namespace=other.namespace)
        with pytest.raises(Invalid):
            follows.follow_namespace(work, actor=actor_of(ada), namespace=ada.namespace)
        with pytest.raises(NotSignedIn):
            follows.follow_namespace(work, actor=ANONYMOUS, namespace=ada.namespace)
    assert fed(context, actor_of(ada)) == [("pushed", "bob")] * 3  # without what is hidden
    with unit_of_work(context) as work:
        follows.follow_namespace(work, actor=actor_of(ada), namespace=bob.namespace)
        follows.follow_namespace(work, actor=actor_of(bob), namespace=ada.namespace)
    assert fed(context, actor_of(ada)) == [("followed", "bob")] + [("pushed", "bob")] * 4
    with unit_of_work(context) as work:
        follows.follow_collection(work, actor=actor_of(ada), collection_id=collection.id)
        service.add_items(work, actor=actor_of(cyd), collection_id=collection.id, repository_ids=[rows["ours"].id])
    with unit_of_work(context) as work:
        assert service.items.count_kinds(work, actor=actor_of(ada), collection_ids=[collection.id]) == {
            collection.id: {"model": 1}
        }
    whole = fed(context, actor_of(ada))
    assert whole[0] == ("collection_updated", "cyd")
    assert fed(context, actor_of(ada), per=2) == whole
    # A page of few candidates ends early, and the next one goes on.
    monkeypatch.setattr(feed, "MAX_LOOKED_AT", 2)
    assert fed(context, actor_of(ada), per=50) == whole
    monkeypatch.undo()
    with reading(context) as work, count_queries() as queries:
        feed.read_feed(work, actor=actor_of(ada), per=50)
    assert len(queries) == 4

    with unit_of_work(context) as work:
        service.update_collection(work, actor=actor_of(cyd), collection_id=collection.id, is_private=True)
        with pytest.raises(NotFound):
            follows.follow_collection(work, actor=actor_of(bob), collection_id=collection.id)
        follows.unfollow_namespace(work, actor=actor_of(bob), namespace=ada.namespace)
    assert fed(context, actor_of(ada)) == [("pushed", "bob")] * 4
    with reading(context) as work:
        assert follows.follow_state(work, actor=actor_of(ada), namespace=bob.namespace) == (1, True)
        assert follows.follow_state(work, actor=ANONYMOUS, namespace=ada.namespace) == (0, False)
        [follower] = follows.list_followers(work, namespace=bob.namespace, page=PageArgs()).items
        assert follower.name == "ada"
        followed = follows.list_followed(work, user=ada, page=PageArgs())
        assert ({one.path for one in followed.items}, followed.total) == ({"other", "bob"}, 2)
    monkeypatch.setattr(follows, "MAX_FOLLOWED", 2)
    with unit_of_work(context) as work, pytest.raises(Conflict):
        follows.follow_namespace(work, actor=actor_of(ada), namespace=cyd.namespace)
    with unit_of_work(context) as work:
        delete_user(work, actor=SYSTEM, name="bob")
    with reading(context) as work:
        assert follows.list_followed(work, user=ada, page=PageArgs()).total == 1
    assert fed(context, actor_of(ada)) == []


def test_a_client_counts_once_a_day_for_each_file_whoever_counts_and_in_whatever_ranges(
    context, clock, people, make_row
):
    ada = people["ada"]
    thing, other = make_row(ada, "thing"), make_row(ada, "other")
    counters = [DownloadCounter(context, write_after_s=3600) for _ in range(4)]
    for counter in counters:
        for client in ("address 10.0.0.1", "user 7"):
            counter.count(thing.id, path="model.bin", client=client)
            counter.count(thing.id, path="model.bin", client=client)
            counter.count(thing.id, path="\N{PILE OF POO}.txt", client=client)
        counter.count(thing.id, client="user 7")
        counter.count(4711, path="gone", client="user 7")
        counter.count(other.id)
    threads = [threading.Thread(target=counter.write) for counter in counters]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    clock.advance(86400)
    counters[0].count(thing.id, path="model.bin", client="user 7")
    counters[0].write()
    with unit_of_work(context) as work:
        set_day_downloads(work, actor=SYSTEM, repository_id=other.id, day=date(2026, 11, 24), count=9)
    with reading(context) as work:
        days = list_days(work, repository_ids=[thing.id, other.id], days=3)
        assert [(one.downloads, one.clients) for one in days[thing.id]] == [(0, 0), (5, 2), (1, 1)]
        assert [(one.downloads, one.clients) for one in days[other.id]] == [(0, 0), (0, 0), (9, 0)]
        assert list_top_files(work, repository_id=thing.id, days=3, limit=1) == [("model.bin", 3)]
        assert work.session.get(Repository, thing.id).download_count == 4 * 7 + 1
        assert not [key for key in work.session.scalars(select(DownloadMark.key)) if "10.0.0.1" in key]
    clock.advance(86400)
    assert prune_downloads(context) == 9  # two clients, seven downloads
    clock.advance(context.settings.file_downloads_ttl_s)
    prune_downloads(context)
    with reading(context) as work:
        assert work.session.scalar(select(func.count()).select_from(FileDownloads)) == 0
        assert sum(one.downloads for one in list_days(work, repository_ids=[thing.id], days=366)[thing.id]) == 6


@pytest.mark.any_database
def test_the_routes_of_follows_feeds_and_downloads(
    context, client, people, make_token, make_repository, make_organization
):
    ada, bob, _ = people.values()
    make_organization("acme")
    make_repository(ada, "thing")
    tokens = {user.name: make_token(user, "write") for user in (ada, bob)}

    def call(method, path, as_="bob", status=200):
        headers = {"Authorization": f"Bearer {tokens[as_]}"} if as_ else {}
        answer = client.open(path, method=method, headers=headers, buffered=True)
        assert answer.status_code == status, answer.text
        return answer.json if answer.is_json else None

    for path in ("users/ada", "organizations/acme"):
        call("POST", f"/api/v1/{path}/follow")
        assert call("GET", f"/api/v1/{path}/follow")["data"] == {"followers": 1, "following": True}
        assert call("GET", f"/api/v1/{path}/followers", None)["data"][0]["username"] == "bob"
    following = call("GET", "/api/v1/users/bob/following", None)
    assert {(one["path"], one["type"]) for one in following["data"]} == {("ada", "user"), ("acme", "organization")}
    assert [one["user"] for one in call("GET", "/api/users/bob/following", None)] == ["ada"]
    assert [one["user"] for one in call("GET", "/api/users/ada/followers", None)] == ["bob"]
    assert [one["user"] for one in call("GET", "/api/organizations/acme/followers", None)] == ["bob"]
    overview = call("GET", "/api/users/ada/overview")
    assert (overview["isFollowing"], overview["numFollowers"], overview["numFollowing"]) == (True, 1, 0)
    assert call("GET", "/api/organizations/acme/overview", None)["numFollowers"] == 1

    client.open(
        "/api/v1/models/ada/thing/discussions",
        method="POST",
        json={"title": "Hello", "content": "There"},
        headers={"Authorization": f"Bearer {tokens['ada']}"},
    )
    fed = call("GET", "/api/v1/feed")["data"]
    assert fed["next_cursor"] == 0
    assert {one["type"] for one in fed["activities"]} >= {"discussion_opened", "repository_created"}
    [opened] = [one for one in fed["activities"] if one["type"] == ActivityType.DISCUSSION_OPENED]
    assert (opened["data"], opened["repository"]["path"]) == ({"number": 1, "title": "Hello"}, "ada/thing")
    call("GET", "/api/v1/feed", None, 401)
    call("GET", "/api/v1/feed?cursor=-1", status=400)
    theirs = call("GET", "/api/v1/users/ada/activities?per=1", None)["data"]
    assert (len(theirs["activities"]), theirs["next_cursor"] > 0) == (1, True)
    days = call("GET", "/api/v1/users/ada/activity_map", None)["data"]
    assert days["total"] == sum(one["count"] for one in days["days"]) > 0

    # Eight ranges, one that is resumed, and the whole once more: one download.
    address = "/models/ada/thing/resolve/main/README.md"
    for start in (0, 0, 1, 2, 3):
        client.get(f"/hf{address}", headers={"Range": f"bytes={start}-{start}"}).close()
    client.get(f"/hf{address}").close()
    context[DOWNLOADS].write()
    found = call("GET", "/api/v1/models/ada/thing/downloads?days=2", None)["data"]
    assert found["days"][-1] | {"downloads": 1, "clients": 1} == found["days"][-1]
    assert (found["recent"], found["total"], len(found["days"])) == (1, 3, 2)
    assert found["files"] == [{"path": "README.md", "downloads": 1}]
    call("GET", "/api/v1/models/ada/thing/downloads?days=1000", None, 400)
    call("DELETE", "/api/v1/users/ada/follow")
    assert call("GET", "/api/v1/users/ada/follow")["data"]["followers"] == 0
