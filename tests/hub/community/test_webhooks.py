"""Webhooks below the API: what is recorded with an event, what is sent, and when it is given up."""

import json

import pytest
from sqlalchemy import delete, select, text, update

from hub.accounts.models import Member, Role, User
from hub.app import build_context
from hub.base.errors import Conflict, Denied, Invalid, NotFound, NotSignedIn
from hub.base.events import publish
from hub.base.topics import TOPICS, Told, Topic, add_topic
from hub.community.deliveries import MAX_FAILURES, MAX_TRIES, PAUSES_S, PRUNE_JOB
from hub.community.events import WebhookDisabled
from hub.community.models import DeliveryState, Webhook, WebhookDelivery
from hub.community.outbox import MAX_PAYLOAD_BYTES
from hub.community.service import webhooks as service
from hub.community.service.webhooks import Place
from hub.db.engine import DATABASE
from hub.db.uow import reading, unit_of_work
from hub.jobs.models import Job, JobState
from hub.jobs.run import run_due
from hub.jobs.service import enqueue
from hub.repos.events import RepositoryUpdated
from hub.repos.models import Repository
from hub.repos.service import delete_repository, rename_repository
from tests.support.receiver import Receiver

pytestmark = pytest.mark.settings(outgoing_allowed_hosts="127.0.0.1")

SECRET = "correct-horse-battery"


@pytest.fixture
def receiver():
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def ada(make_user, actor_of):
    return actor_of(make_user("ada"))


@pytest.fixture
def thing(ada, context, make_repository):
    """A private repository of ada's, with nothing left to do."""
    with reading(context) as work:
        owner = work.session.get(User, ada.user_id)
    repository = make_repository(owner, "thing", private=True)
    run_due(context)
    return repository


@pytest.fixture
def hook(context, receiver):
    """``hook(actor, place, topics=[...])``: a webhook that tells the receiver."""

    def create(actor, place, **fields):
        return service.create_webhook(context, actor=actor, place=place, url=receiver.url, **fields)

    return create


@pytest.fixture
def happen(context, ada):
    """``happen(repository)``: an event of the repository, committed."""

    def publish_event(repository, *fields):
        with unit_of_work(context) as work:
            publish(work, RepositoryUpdated(repository.id, ada.user_id, fields or ("description",)))

    return publish_event


def log_of(context, webhook):
    with reading(context) as work:
        rows = select(WebhookDelivery).where(WebhookDelivery.webhook_id == webhook.id).order_by(WebhookDelivery.id)
        return list(work.session.scalars(rows))


def reload(context, webhook):
    with reading(context) as work:
        return work.session.get_one(Webhook, webhook.id)


def test_events_are_told_signed_to_those_who_want_them(
    context, ada, thing, make_user, actor_of, make_repository, hook, receiver
):
    bob, root = make_user("bob"), make_user("root", admin=True)
    of_thing = hook(
        ada, Place(repository_id=thing.id), topics=["repository.deleted", "repository.moved"], secret=SECRET
    )
    of_ada = hook(ada, Place(namespace_id=ada.namespace_id))
    of_bob = hook(actor_of(bob), Place(namespace_id=bob.namespace_id))
    of_hub = hook(actor_of(root), Place(), topics=["repository.created"])
    off = hook(ada, Place(repository_id=thing.id), is_active=False)

    with unit_of_work(context) as work:
        rename_repository(work, actor=ada, repository_id=thing.id, name="thing-2")
    make_repository(bob, "other")
    with unit_of_work(context) as work:
        delete_repository(work, actor=ada, repository_id=thing.id)
    assert receiver.received == []  # nothing is sent by whoever made it happen
    run_due(context)

    told = {
        name: [d.topic for d in log_of(context, hook)]
        for name, hook in {"thing": of_thing, "ada": of_ada, "bob": of_bob, "hub": of_hub, "off": off}.items()
    }
    assert told == {
        "thing": ["repository.moved", "repository.deleted"],
        "ada": ["repository.moved", "repository.deleted"],
        "bob": ["push", "repository.created"],
        "hub": ["repository.created"],
        "off": [],
    }
    assert len(receiver.received) == 7
    [moved] = [
        r for r in receiver.received if r.is_signed_with(SECRET) and r.headers["X-Hub-Event"] == "repository.moved"
    ]
    [delivery, _] = log_of(context, of_thing)
    assert moved.body.decode() == delivery.payload
    assert moved.headers["X-Hub-Delivery"] == delivery.uuid
    assert moved.headers["X-Hub-Timestamp"].isdigit()
    assert moved.headers["Content-Type"] == "application/json"
    message = moved.json
    assert message["event_id"] == delivery.event_id == log_of(context, of_ada)[0].event_id
    assert message | {"event_id": "", "created_at": ""} == {
        "event_id": "",
        "topic": "repository.moved",
        "created_at": "",
        "hub": "http://127.0.0.1:8080",
        "repository": {
            "id": thing.id,
            "type": "model",
            "path": "ada/thing-2",
            "private": True,
            "url": "http://127.0.0.1:8080/models/ada/thing-2",
        },
        "namespace": {"path": "ada", "type": "user"},
        "sender": {"username": "ada"},
        "data": {"old_path": "ada/thing", "new_path": "ada/thing-2"},
    }
    assert (delivery.state, delivery.attempt, delivery.status) == (DeliveryState.DELIVERED, 1, 200)
    assert (delivery.response_headers["X-Answer"], delivery.response_body) == ("yes", "thank you")
    assert delivery.duration_ms is not None
    # Who has no secret gets no signature, rather than one that anybody can make.
    unsigned = [r for r in receiver.received if "X-Hub-Signature-256" not in r.headers]
    assert len(unsigned) == 5
    push = next(r.json["data"] for r in receiver.received if r.headers["X-Hub-Event"] == "push")
    assert push["total_changes"] == len(push["changes"]) == 1
    assert push["changes"][0] | {"new": ""} == {"ref": "refs/heads/main", "kind": "created", "old": "0" * 40, "new": ""}


def test_an_event_costs_one_query_where_nobody_listens(context, thing, happen, hook, ada, count_queries):
    with count_queries() as queries:
        happen(thing)
    assert len(queries) == 1
    hook(ada, Place(repository_id=thing.id))
    with count_queries() as queries:
        happen(thing)
    # Whether anybody listens; the repository for the topic and for the message, the webhooks, the watches of those of
    # another form, the sender; two rows.
    assert len(queries) == 8, queries


def test_what_is_committed_is_told_by_whoever_is_left_and_what_is_undone_by_nobody(
    context, settings, thing, happen, hook, ada, receiver
):
    webhook = hook(ada, Place(repository_id=thing.id), secret=SECRET)
    with pytest.raises(RuntimeError), unit_of_work(context) as work:
        publish(work, RepositoryUpdated(thing.id, ada.user_id, ("nickname",)))
        raise RuntimeError("undone")
    assert log_of(context, webhook) == []
    happen(thing)  # the process dies right after the commit: here its context goes
    with reading(context) as work:
        [job] = work.session.scalars(select(Job).where(Job.state == JobState.QUEUED))
    assert (job.name, job.args) == ("community.deliver_webhook", {"delivery_id": log_of(context, webhook)[0].id})
    after_restart = build_context(context.settings)
    try:
        run_due(after_restart)
    finally:
        after_restart[DATABASE].dispose()
    assert [r.json["data"] for r in receiver.received if r.is_signed_with(SECRET)] == [{"fields": ["description"]}]


def test_a_topic_that_fails_costs_its_author_the_message_and_nobody_the_change(
    context, thing, happen, hook, ada, caplog
):
    def fail_in_sql(work, _event):
        work.session.execute(text("SELECT * FROM no_such_table"))

    def fail_in_json(_work, event):
        return Told({"event": {1, 2}, (1, 2): event}, repository_id=thing.id)

    def tell_much(_work, _event):
        return Told({"text": "x" * MAX_PAYLOAD_BYTES}, repository_id=thing.id)

    for name, describe in {"a": fail_in_sql, "b": fail_in_json, "c": lambda *_: None, "d": tell_much}.items():
        add_topic(context[TOPICS], Topic(f"test.{name}", "Of this test.", RepositoryUpdated, describe))
    webhook = hook(ada, Place(repository_id=thing.id))
    with unit_of_work(context) as work:
        work.session.get_one(Repository, thing.id).description = "new"
        publish(work, RepositoryUpdated(thing.id, ada.user_id, ("description",)))
    assert [record.message for record in caplog.records].count("webhook_event_not_recorded") == 2
    with reading(context) as work:
        assert work.session.get_one(Repository, thing.id).description == "new"
    told, much = log_of(context, webhook)
    assert (told.topic, much.topic) == ("repository.updated", "test.d")
    message = json.loads(much.payload)
    assert (message["data"], message["is_cut"], message["repository"]["id"]) == (None, True, thing.id)


def test_what_is_not_taken_is_sent_again_after_growing_pauses(context, clock, thing, happen, hook, ada, receiver):
    webhook = hook(ada, Place(repository_id=thing.id), secret=SECRET)
    receiver.answers.extend([500, lambda _handler: None, 302, 404, 204])
    happen(thing)
    tries = []
    for pause_s in (*PAUSES_S, 0):
        assert run_due(context) == 1
        assert run_due(context) == 0
        [delivery] = log_of(context, webhook)
        tries.append((delivery.attempt, delivery.status, delivery.state.value, bool(delivery.error)))
        clock.advance(pause_s)
    assert tries == [
        (1, 500, "pending", False),
        (2, None, "pending", True),
        (3, 302, "pending", False),
        (4, 404, "pending", False),
        (5, 204, "delivered", False),
    ]
    assert len({(r.body, r.headers["X-Hub-Delivery"]) for r in receiver.received}) == 1
    assert len({r.headers["X-Hub-Timestamp"] for r in receiver.received}) == 5
    assert reload(context, webhook).failure_count == 0

    receiver.answers.extend([503] * MAX_TRIES)
    happen(thing)
    for pause_s in (*PAUSES_S, 0):
        run_due(context)
        clock.advance(pause_s)
    assert (log_of(context, webhook)[-1].state, log_of(context, webhook)[-1].attempt) == (DeliveryState.FAILED, 5)
    assert reload(context, webhook).failure_count == 1
    assert run_due(context) == 0
    # What is asked for again is the same message in a delivery of its own, and counts as no failure.
    with unit_of_work(context) as work:
        first = log_of(context, webhook)[-1]
        again = service.redeliver(work, actor=ada, uuid=webhook.uuid, delivery_uuid=first.uuid)
    run_due(context)
    [*_, last] = log_of(context, webhook)
    assert (last.uuid, last.is_redelivery, last.state) == (again.uuid, True, DeliveryState.DELIVERED)
    assert (last.event_id, last.payload) == (first.event_id, first.payload)
    assert receiver.received[-1].body == receiver.received[-2].body
    assert reload(context, webhook).failure_count == 0


def test_who_lost_the_right_is_told_nothing_and_the_webhook_goes_off_in_the_end(
    context, make_user, make_organization, make_repository, actor_of, hook, happen, receiver
):
    acme, bob = make_organization("acme"), make_user("bob")
    with unit_of_work(context) as work:
        work.session.add(Member(organization_id=acme.id, user_id=bob.id, role=Role.ADMIN, created_at=work.now()))
    repository = make_repository(acme, "secret-thing", private=True)
    run_due(context)
    disabled = []
    context.events.subscribe(WebhookDisabled, disabled.append)
    webhook = hook(actor_of(bob), Place(namespace_id=acme.namespace_id), name="CI")

    happen(repository)
    with unit_of_work(context) as work:  # between the event and its sending
        work.session.execute(delete(Member).where(Member.user_id == bob.id))
    run_due(context)
    [delivery] = log_of(context, webhook)
    assert (delivery.state, delivery.attempt) == (DeliveryState.FAILED, 0)
    assert "no right" in delivery.error

    for _ in range(MAX_FAILURES):
        happen(repository)
    run_due(context)
    found = reload(context, webhook)
    assert (found.is_active, disabled) == (False, [WebhookDisabled(webhook.id, webhook.uuid, "CI", bob.id)])
    happen(repository)
    assert len(log_of(context, webhook)) == MAX_FAILURES + 1
    assert receiver.received == []

    # An administrator who saves it answers for it from then on; one whose account is off does not.
    root = make_user("root", admin=True)
    service.update_webhook(context, actor=actor_of(root), uuid=webhook.uuid, is_active=True)
    assert reload(context, webhook).failure_count == 0
    happen(repository)
    run_due(context)
    assert len(receiver.received) == 1
    happen(repository)
    with unit_of_work(context) as work:
        work.session.execute(update(User).where(User.id == root.id).values(is_active=False))
    run_due(context)
    assert len(receiver.received) == 1


def test_a_private_thing_is_told_only_to_who_may_still_see_it(
    context, make_user, make_repository, actor_of, thing, ada, happen, hook, receiver
):
    """It moved to somebody else's namespace between the event and the sending."""
    webhook = hook(ada, Place(namespace_id=ada.namespace_id))
    eve = make_user("eve")
    happen(thing)
    with unit_of_work(context) as work:
        work.session.get_one(Repository, thing.id).namespace_id = eve.namespace_id
    run_due(context)
    assert receiver.received == []
    assert [delivery.state for delivery in log_of(context, webhook)] == [DeliveryState.FAILED]


def test_an_address_that_became_private_gets_nothing(context, thing, happen, hook, ada, receiver):
    webhook = hook(ada, Place(repository_id=thing.id))
    with unit_of_work(context) as work:
        work.session.execute(update(Webhook).values(url=receiver.url.replace("127.0.0.1", "127.0.0.2")))
    happen(thing)
    run_due(context)
    [delivery] = log_of(context, webhook)
    assert (delivery.state, delivery.status) == (DeliveryState.FAILED, None)
    assert "not one of those" in delivery.error or "open internet" in delivery.error
    assert receiver.received == []


def test_the_log_is_kept_for_a_while_and_what_was_lost_is_given_up(context, clock, thing, happen, hook, ada, receiver):
    webhook = hook(ada, Place(repository_id=thing.id))
    happen(thing)
    with unit_of_work(context) as work:
        work.session.execute(delete(Job))
    clock.advance(2 * 24 * 3600)

    def tidy():
        with unit_of_work(context) as work:
            enqueue(work, PRUNE_JOB)
        run_due(context)

    tidy()
    [lost] = log_of(context, webhook)
    assert (lost.state, receiver.received) == (DeliveryState.FAILED, [])
    clock.advance(context.settings.webhook_log_ttl_s)
    tidy()
    assert log_of(context, webhook) == []


def test_what_a_webhook_may_be(context, ada, thing, make_user, actor_of, hook, receiver):
    place = Place(repository_id=thing.id)
    for fields, code in (
        ({"topics": ["push", "pull"]}, "topic_unknown"),
        ({"name": "a\nb"}, "text_invalid"),
        ({"name": "x" * 65}, "text_invalid"),
        ({"secret": "x\0"}, "text_invalid"),
    ):
        with pytest.raises(Invalid) as caught:
            hook(ada, place, **fields)
        assert caught.value.code == code
    for url in ("http://10.0.0.1/", "http://[::1]:6379/", "ftp://example.org/", "http://169.254.169.254/"):
        with pytest.raises(Invalid) as caught:
            service.create_webhook(context, actor=ada, place=place, url=url)
        assert caught.value.code == "outgoing_refused"
    eve = actor_of(make_user("eve"))
    for error, place_of_others in (
        (NotFound, place),
        (Denied, Place(namespace_id=ada.namespace_id)),
        (Denied, Place()),
    ):
        with pytest.raises(error):
            # The right comes first: where a host is, nobody learns who may not set up a webhook.
            service.create_webhook(context, actor=eve, place=place_of_others, url="http://10.0.0.1/")
    webhook = hook(ada, place, topics=["push", "push"], secret=SECRET)
    assert webhook.topics == ["push"]
    assert SECRET not in webhook.sealed_secret
    with reading(context) as work:
        with pytest.raises(NotFound):
            service.get_webhook(work, actor=eve, uuid=webhook.uuid)
        with pytest.raises(NotSignedIn):
            service.get_webhook(work, actor=type(eve)(), uuid=webhook.uuid)
    for _ in range(service.MAX_WEBHOOKS - 1):
        hook(ada, place)
    with pytest.raises(Conflict):
        hook(ada, place)
