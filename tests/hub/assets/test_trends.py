from datetime import timedelta

import pytest

from hub.accounts.policy import SYSTEM
from hub.assets import service
from hub.assets.models import Like
from hub.base.errors import Denied, Invalid
from hub.db.uow import reading, unit_of_work
from hub.repos.models import Repository
from hub.repos.service import list_repositories
from tests.support.jobs import run_now


@pytest.fixture
def ada(make_user):
    return make_user("ada")


def scores(context):
    with reading(context) as work:
        return {row.name: round(row.trending_score, 2) for row in list_repositories(work, actor=SYSTEM).items}


def download(context, row, count):
    with unit_of_work(context) as work:
        work.session.get(Repository, row.id).download_count += count


def like(context, row, user, days):
    with unit_of_work(context) as work:
        created_at = work.now() - timedelta(days=days)
        work.session.add(Like(user_id=user.id, repository_id=row.id, created_at=created_at))


def test_a_score_is_made_of_fresh_likes_downloads_and_pushes_and_sinks(
    context, clock, ada, make_user, make_row, monkeypatch
):
    monkeypatch.setattr("hub.assets.service.trends.BATCH", 2)
    now = clock.now()
    fans = [make_user(f"fan-{number}") for number in range(4)]
    liked, downloaded, clicked, pushed = (
        make_row(ada, "liked"),
        make_row(ada, "downloaded"),
        make_row(ada, "clicked"),
        make_row(ada, "pushed", pushed_at=now - timedelta(hours=1)),
    )
    make_row(ada, "quiet", pushed_at=now - timedelta(days=400))
    for fan, days in zip(fans, (0, 2, 6, 60), strict=True):
        like(context, liked, fan, days)
    download(context, downloaded, 100)
    download(context, clicked, 1_000_000)
    run_now(context, "assets.update_trends")
    assert scores(context) == {"liked": 18, "downloaded": 10, "clicked": 20, "pushed": 3, "quiet": 0}
    assert service.update_trends(context) == 0

    # Two weeks later the downloads of the first are forgotten, and new ones count.
    clock.advance(8 * 86400)
    assert service.update_trends(context) == 4
    assert scores(context) == {"liked": 5, "downloaded": 6.67, "clicked": 20, "pushed": 1, "quiet": 0}
    download(context, pushed, 50)
    clock.advance(8 * 86400)
    service.update_trends(context)
    assert scores(context) == {"liked": 3, "downloaded": 0, "clicked": 0, "pushed": 7.67, "quiet": 0}
    with reading(context) as work:
        assert work.session.get(Repository, liked.id).updated_at == now


def test_a_count_that_is_corrected_downwards_costs_no_points(context, clock, ada, make_row):
    thing = make_row(ada)
    download(context, thing, 1000)
    service.update_trends(context)
    clock.advance(8 * 86400)
    service.update_trends(context)
    # With half of the week before, 100 downloads less than none would divide by zero.
    download(context, thing, -600)
    service.update_trends(context)
    assert scores(context) == {"thing": 16.67}
    clock.advance(8 * 86400)
    service.update_trends(context)
    assert scores(context) == {"thing": 0}


def test_administrators_give_points_that_count_at_once(context, ada, make_row, actor_of):
    thing = make_row(ada, download_count=7)
    with unit_of_work(context) as work:
        with pytest.raises(Denied):
            service.set_weight(work, actor=actor_of(ada), repository_id=thing.id, weight=5)
        with pytest.raises(Invalid):
            service.set_weight(work, actor=SYSTEM, repository_id=thing.id, weight=10**9)
        service.set_weight(work, actor=SYSTEM, repository_id=thing.id, weight=5)
    assert scores(context) == {"thing": 5}
    service.update_trends(context)
    with unit_of_work(context) as work:
        assert service.weights_of(work, [thing.id, 10**9]) == {thing.id: 5}
        service.set_weight(work, actor=SYSTEM, repository_id=thing.id, weight=-2)
    assert scores(context) == {"thing": -2}
