"""Watched repositories: who is told of what."""

import pytest
from sqlalchemy import select

from hub.accounts.models import Role, User
from hub.accounts.policy import SYSTEM
from hub.accounts.service import remove_grant, set_grant
from hub.community.models import Notification
from hub.community.service import discussions, people
from hub.db.uow import unit_of_work
from hub.jobs.run import run_due
from tests.support.api import data, refusal


@pytest.fixture
def told(context):
    """``told()``: who was told what since the last time."""

    def empty():
        run_due(context)
        with unit_of_work(context) as work:
            rows = work.session.execute(
                select(User.name, Notification.title).join(User, User.id == Notification.user_id).order_by(User.name)
            ).all()
            for row in work.session.scalars(select(Notification)):
                work.session.delete(row)
        return [(name, title.partition(":")[0]) for name, title in rows]

    return empty


def test_who_watches_all_hears_of_everything_and_who_ignores_of_nothing(
    context, as_user, nobody, make_repository, actor_of, told
):
    ada, bob, eve = (as_user(name) for name in ("ada", "bob", "eve"))
    thing = make_repository(ada.user, "thing")
    path = "/models/ada/thing/watch"
    assert data(nobody.get(path)) == {"level": "participating", "watchers": 0}
    assert nobody.put(path, {"level": "all"}).status_code == 401
    assert eve.put(path, {"level": "loud"}).status_code == 400
    for _ in range(2):
        assert data(eve.put(path, {"level": "all"})) == {"level": "all", "watchers": 1}
    assert data(ada.put(path, {"level": "ignore"}))["level"] == "ignore"

    with unit_of_work(context) as work:
        issue = discussions.create_discussion(work, actor=actor_of(bob.user), repository_id=thing.id, title="Why?").id
    assert told() == [("eve", "bob opened an issue on ada/thing")]

    def say(words):
        with unit_of_work(context) as work:
            discussions.create_comment(work, actor=actor_of(bob.user), discussion_id=issue, content=words)
        return told()

    # The owner takes part, and is named, and ignores it all the same: until they ask to hear of this one.
    assert say("@ada?") == [("eve", "bob commented on ada/thing")]
    with unit_of_work(context) as work:
        assert not people.find_telling(work, discussion(work, issue), actor=actor_of(ada.user)).is_told
        people.subscribe(work, actor=actor_of(ada.user), discussion_id=issue, is_wanted=True)
        # And who watches all can still put a single discussion out of the way.
        people.subscribe(work, actor=actor_of(eve.user), discussion_id=issue, is_wanted=False)
    assert say("So?") == [("ada", "bob commented on ada/thing")]

    listed = data(eve.get("/notifications/watches"))
    assert listed == {"data": [{"type": "model", "path": "ada/thing", "level": "all"}], "total": 1}
    page = eve.client.get("/settings/notifications", headers={**eve.headers, "Accept": "text/html"}).text
    assert 'data-testid="watched.row"' in page
    head = eve.client.get("/models/ada/thing", headers={**eve.headers, "Accept": "text/html"}).text
    assert 'data-level="all"' in head
    assert data(eve.put(path, {"level": "participating"})) == {"level": "participating", "watchers": 0}
    assert data(eve.get("/notifications/watches"))["total"] == 0


def test_a_watched_repository_that_one_may_read_no_more_is_not_told_of(
    context, as_user, make_repository, actor_of, told
):
    ada, eve = as_user("ada"), as_user("eve")
    thing = make_repository(ada.user, "thing", private=True)
    assert refusal(eve.put("/models/ada/thing/watch", {"level": "all"}))[0] == 404
    with unit_of_work(context) as work:
        set_grant(work, actor=SYSTEM, resource=thing, user=eve.user, role=Role.READ)
    assert data(eve.put("/models/ada/thing/watch", {"level": "all"}))["watchers"] == 1
    with unit_of_work(context) as work:
        remove_grant(work, actor=SYSTEM, resource=thing, user=eve.user)
        discussions.create_discussion(work, actor=actor_of(ada.user), repository_id=thing.id, title="Secret")
    assert told() == []
    assert data(eve.get("/notifications/watches")) == {"data": [], "total": 0}


def discussion(work, id):
    return discussions.get_discussion(work, actor=SYSTEM, discussion_id=id)
