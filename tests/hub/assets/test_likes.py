import threading

import pytest
from sqlalchemy import delete

from hub.accounts.models import User
from hub.accounts.policy import ANONYMOUS, SYSTEM
from hub.assets import service
from hub.base.errors import Denied, HubError, NotFound, NotSignedIn
from hub.db.uow import reading, unit_of_work
from hub.repos.models import Repository
from hub.repos.service import list_repositories
from tests.support.jobs import run_now


@pytest.fixture
def users(make_user):
    return [make_user(name) for name in ("ada", "bob", "cyd")]


def count_of(context, row):
    with reading(context) as work:
        return work.session.get(type(row), row.id).like_count


def test_likes_are_counted_exactly_whoever_clicks_at_once_and_how_often(context, users, actor_of, make_row):
    thing = make_row(users[0])
    errors = []

    def click(user):
        try:
            for act in [service.like_repository, service.unlike_repository] * 2 + [service.like_repository] * 2:
                with unit_of_work(context) as work:
                    act(work, actor=actor_of(user), user=user, repository_id=thing.id)
        except HubError as error:
            errors.append(error)

    threads = [threading.Thread(target=click, args=[user]) for user in users * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with reading(context) as work:
        liked = sum(thing.id in service.liked_by(work, actor=actor_of(u), repository_ids=[thing.id]) for u in users)
    assert count_of(context, thing) == liked
    with reading(context) as work:
        assert work.session.get_one(Repository, thing.id).recent_like_count == liked


def test_one_likes_for_oneself_and_only_what_one_sees(work, users, actor_of, make_user, make_row):
    ada, bob, _cyd = users
    secret, root = make_row(ada, "secret", is_private=True), make_user("root", admin=True)

    def like(actor, user, repository=secret, act=service.like_repository):
        act(work, actor=actor, user=user, repository_id=repository.id)

    with pytest.raises(NotFound):
        like(actor_of(bob), bob)
    with pytest.raises(NotSignedIn):
        like(ANONYMOUS, ada)
    for actor in (actor_of(bob), actor_of(root), SYSTEM):
        with pytest.raises(Denied):
            like(actor, ada)
    like(actor_of(ada), ada)

    # Bob liked it while it was public: it is in his list for those only who see it.
    thing = make_row(ada, "thing")
    like(actor_of(bob), bob, thing)
    thing.is_private = True
    work.session.flush()

    def listed(actor):
        where = [service.is_liked_by(work, actor=actor, user=bob)]
        return [row.name for row in list_repositories(work, actor=actor, where=where).items]

    assert (listed(actor_of(bob)), listed(actor_of(ada))) == ([], ["thing"])
    with pytest.raises(NotSignedIn):
        listed(ANONYMOUS)
    like(actor_of(bob), bob, thing, act=service.unlike_repository)
    work.session.refresh(thing)
    assert thing.like_count == 0


def test_collections_are_liked_alike(context, users, actor_of):
    ada, bob, _cyd = users
    with unit_of_work(context) as work:
        shown, hidden = (
            service.create_collection(work, actor=actor_of(ada), name="list", is_private=is_private)
            for is_private in (False, True)
        )
        with pytest.raises(NotFound):
            service.like_collection(work, actor=actor_of(bob), user=bob, collection_id=hidden.id)
        for _twice in range(2):
            service.like_collection(work, actor=actor_of(bob), user=bob, collection_id=shown.id)
        listed = service.list_collections(work, actor=actor_of(ada), liked_by=bob).items
        assert [row.id for row in listed] == [shown.id]
        assert service.collections_liked_by(work, actor=actor_of(bob), collection_ids=[shown.id]) == {shown.id}
    assert count_of(context, shown) == 1
    with unit_of_work(context) as work:
        for _twice in range(2):
            service.unlike_collection(work, actor=actor_of(bob), user=bob, collection_id=shown.id)
    assert count_of(context, shown) == 0


def test_what_the_end_of_an_account_leaves_wrong_is_counted_again(context, users, actor_of, make_row):
    ada, bob, _cyd = users
    thing, other = make_row(ada), make_row(ada, "other")
    for row, user in ((thing, ada), (thing, bob), (other, ada)):
        with unit_of_work(context) as work:
            service.like_repository(work, actor=actor_of(user), user=user, repository_id=row.id)
    with unit_of_work(context) as work:
        work.session.execute(delete(User).where(User.id == bob.id))
    assert count_of(context, thing) == 2
    run_now(context, "assets.recount_likes")
    assert (count_of(context, thing), count_of(context, other)) == (1, 1)
    assert service.recount_likes(context) == 0
    with reading(context) as work:
        assert work.session.get(Repository, thing.id).updated_at == thing.updated_at
