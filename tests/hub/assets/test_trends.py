from datetime import timedelta

import pytest

from hub.accounts.policy import SYSTEM
from hub.assets import service
from hub.assets.models import Like
from hub.base.errors import Denied, Invalid
from hub.db.uow import reading, unit_of_work
from hub.repos.downloads import DownloadCounter, set_day_downloads
from hub.repos.models import Repository
from hub.repos.models_activities import RepositoryDownloads
from hub.repos.service import list_repositories
from tests.support.jobs import run_now


@pytest.fixture
def ada(make_user):
    return make_user("ada")


def scores(context):
    with reading(context) as work:
        return {row.name: round(row.trending_score, 2) for row in list_repositories(work, actor=SYSTEM).items}


def download(context, row, clients):
    """So many people download today; what they click besides makes no difference."""
    with unit_of_work(context) as work:
        work.session.get(Repository, row.id).download_count += 1_000_000
        day = work.now().date()
        work.session.add(RepositoryDownloads(repository_id=row.id, day=day, downloads=10**6, clients=clients))


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
    download(context, clicked, 1_000_000_000)
    run_now(context, "assets.update_trends")
    assert scores(context) == {"liked": 18, "downloaded": 10, "clicked": 20, "pushed": 3, "quiet": 0}
    assert service.update_trends(context) == 0
    with reading(context) as work:
        first = list_repositories(work, actor=SYSTEM, sort="most_likes7d").items[0]
        assert (first.name, work.session.get_one(Repository, first.id).recent_like_count) == ("liked", 3)
    # In the second week they count by half, then no more.
    clock.advance(8 * 86400)
    assert service.update_trends(context) == 3
    assert scores(context) == {"liked": 5, "downloaded": 6.67, "clicked": 20, "pushed": 1, "quiet": 0}
    with reading(context) as work:
        assert work.session.get_one(Repository, liked.id).recent_like_count == 0
    download(context, pushed, 50)
    clock.advance(8 * 86400)
    service.update_trends(context)
    assert scores(context) == {"liked": 3, "downloaded": 0, "clicked": 0, "pushed": 5, "quiet": 0}
    with reading(context) as work:
        assert work.session.get(Repository, liked.id).updated_at == now


def test_one_who_clicks_all_day_brings_little_and_what_was_counted_elsewhere_is_believed(context, clock, ada, make_row):
    clicked, told = make_row(ada, "clicked"), make_row(ada, "told")
    counter = DownloadCounter(context, write_after_s=3600)
    for _ in range(3):
        for number in range(50):
            for _ in range(20):
                counter.count(clicked.id, path=f"{number}.bin", client="user 7")
        counter.write()
        clock.advance(86400)
    with unit_of_work(context) as work:
        for day, count in ((1, 150), (2, -50)):
            day = work.now().date() - timedelta(days=day)
            set_day_downloads(work, actor=SYSTEM, repository_id=told.id, day=day, count=count)
    service.update_trends(context)
    assert scores(context) == {"clicked": 0.58, "told": 12}


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
