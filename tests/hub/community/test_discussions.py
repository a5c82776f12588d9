"""Discussions, as services and listeners see them."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import delete, select

from hub.accounts.models import User
from hub.base.errors import NotFound
from hub.base.paging import PageArgs
from hub.base.topics import TOPICS
from hub.community.models import Comment, Discussion
from hub.community.service import discussions as service
from hub.db.uow import reading, unit_of_work


@pytest.fixture
def ada(make_user):
    return make_user("ada")


@pytest.fixture
def thing(ada, make_repository):
    return make_repository(ada, "thing", private=True)


def test_each_event_is_told_in_the_words_of_its_topic(context, ada, thing, actor_of):
    """What webhooks will send: recorded in the transaction, when the rows are as the event says."""
    told = []
    topics = {topic.event_class: topic for topic in context[TOPICS].values()}

    def record(work, event):
        topic = topics.get(type(event))
        if topic is not None:
            told.append((topic.name, topic.describe(work, event)))

    context.events.record_with(record)
    actor = actor_of(ada)
    with unit_of_work(context) as work:
        number = service.create_discussion(work, actor=actor, repository_id=thing.id, title="One").id
        comment = service.create_comment(work, actor=actor, discussion_id=number, content="Said").id
    for step in (
        lambda work: service.update_discussion(work, actor=actor, discussion_id=number, title="Two"),
        # The same again is no change, so nothing is told.
        lambda work: service.update_discussion(work, actor=actor, discussion_id=number, title="Two"),
        lambda work: service.update_comment(
            work, actor=actor, discussion_id=number, comment_id=comment, content="Meant"
        ),
        lambda work: service.delete_comment(work, actor=actor, discussion_id=number, comment_id=comment),
        lambda work: service.delete_discussion(work, actor=actor, discussion_id=number),
    ):
        with unit_of_work(context) as work:
            step(work)
    user = {"username": "ada", "uuid": ada.uuid}
    one, two = ({"id": number, "number": 1, "title": title, "user": user} for title in ("One", "Two"))
    assert [(name, dict(what.data)) for name, what in told] == [
        ("discussion.created", {"discussion": one}),
        ("comment.created", {"discussion": one, "comment": {"id": comment, "content": "Said", "user": user}}),
        ("discussion.updated", {"discussion": two}),
        ("comment.updated", {"discussion": two, "comment": {"id": comment, "content": "Meant", "user": user}}),
        ("comment.deleted", {"discussion": two, "comment": {"id": comment}}),
        ("discussion.deleted", {"discussion": {"id": number, "title": "Two"}}),
    ]
    assert {(what.repository_id, what.namespace_id) for _, what in told} == {(thing.id, thing.namespace_id)}


def test_a_list_takes_the_same_queries_however_long_it_is(context, ada, thing, actor_of, make_user, count_queries):
    names = ("bob", "eve", "dan", "kim")
    with unit_of_work(context) as work:
        number = service.create_discussion(work, actor=actor_of(ada), repository_id=thing.id, title="One").id

    def count():
        seen = []
        with reading(context) as work, count_queries() as queries:
            page = service.list_discussions(work, actor=actor_of(ada), repository_id=thing.id)
            seen += [discussion.user.name for discussion in page.items]
        with reading(context) as work, count_queries() as more:
            _, comments = service.show_discussion(work, actor=actor_of(ada), discussion_id=number)
            seen += [comment.user.name for comment in comments.items]
        return len(queries), len(more)

    alone = count()
    now = context.clock.now()
    users = [make_user(name) for name in names]
    with unit_of_work(context) as work:
        for place, user in enumerate(users, start=2):
            times = {"created_at": now, "updated_at": now}
            row = {"repository_id": thing.id, "number": place, "user_id": user.id, "title": user.name, **times}
            work.session.add(Discussion(**row))
            work.session.add(Comment(discussion_id=number, user_id=user.id, content="x", **times))
    assert count() == alone == (3, 2)


def test_what_is_left_when_somebody_goes(context, ada, make_user, make_repository, actor_of):
    """An account's words stay, without a name; a discussion takes its comments with it."""
    bob = make_user("bob")
    public = make_repository(ada, "public")
    with unit_of_work(context) as work:
        number = service.create_discussion(work, actor=actor_of(bob), repository_id=public.id, title="One").id
        service.create_comment(work, actor=actor_of(bob), discussion_id=number, content="Said")
    with unit_of_work(context) as work:
        work.session.execute(delete(User).where(User.id == bob.id))
    with reading(context) as work:
        discussion, page = service.show_discussion(
            work, actor=actor_of(ada), discussion_id=number, page=PageArgs(per=1)
        )
        assert (discussion.user, page.items[0].user, page.total) == (None, None, 1)
    with unit_of_work(context) as work:
        service.delete_discussion(work, actor=actor_of(ada), discussion_id=number)
        assert work.session.scalars(select(Comment.id)).all() == []


def test_comments_are_counted_whoever_else_comes_and_goes(context, ada, thing, actor_of):
    actor = actor_of(ada)
    with unit_of_work(context) as work:
        number = service.create_discussion(work, actor=actor, repository_id=thing.id, title="One").id

    def say(_number):
        with unit_of_work(context) as work:
            return service.create_comment(work, actor=actor, discussion_id=number, content="x").id

    def unsay(comment_id):
        try:
            with unit_of_work(context) as work:
                service.delete_comment(work, actor=actor, discussion_id=number, comment_id=comment_id)
        except NotFound:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        comments = list(pool.map(say, range(8)))
        gone = list(pool.map(unsay, [comments[0], comments[0], comments[1], comments[1]]))
    assert sorted(gone) == [False, False, True, True]
    with reading(context) as work:
        assert service.get_discussion(work, actor=actor, discussion_id=number).comment_count == 6
