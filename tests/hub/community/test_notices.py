"""What the hub tells people by itself, and how messages reach many."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from hub.accounts import service as accounts
from hub.accounts.models import Role, User
from hub.accounts.policy import SYSTEM
from hub.base.errors import Conflict
from hub.base.events import publish
from hub.community import jobs
from hub.community.events import WebhookDisabled
from hub.community.models import ClientEvent, DiscussionStatus, Notification, Webhook
from hub.community.service import discussions, merging, notifications, people, pulls, timeline
from hub.db.uow import reading, unit_of_work
from hub.jobs.models import Job, JobState
from hub.jobs.run import execute, run_due
from hub.jobs.service import enqueue
from hub.repos.files import FileEdit, commit_files
from hub.repos.models import RequestState
from hub.repos.service import (
    create_repository,
    decide_request,
    delete_repository,
    grant_access,
    rename_repository,
    request_access,
    transfer_repository,
    update_settings,
)


@pytest.fixture
def inbox(context):
    """``inbox()`` runs what was asked for and empties all boxes: who was told what."""

    def empty():
        run_due(context)
        with unit_of_work(context) as work:
            rows = work.session.execute(
                select(User.name, Notification.title).join(User, User.id == Notification.user_id).order_by(User.name)
            ).all()
            for row in work.session.scalars(select(Notification)):
                work.session.delete(row)
            assert not work.session.scalars(select(Job.error).where(Job.state == JobState.FAILED)).all()
        return [tuple(row) for row in rows]

    return empty


@pytest.fixture
def team(context, make_user, actor_of, inbox):
    """The organisation "acme" with ada (owner), bob (writes) and dan (reads); eve is outside."""
    users = {name: make_user(name) for name in ("ada", "bob", "dan", "eve")}
    with unit_of_work(context) as work:
        acme = accounts.create_organization(work, actor=actor_of(users["ada"]), name="acme")
        for name, role in (("bob", Role.WRITE), ("dan", Role.READ)):
            accounts.add_member(work, actor=actor_of(users["ada"]), organization=acme, user=users[name], role=role)
    assert inbox() == [
        ("bob", "ada made you a member of acme, with the role write"),
        ("dan", "ada made you a member of acme, with the role read"),
    ]
    return acme, users, {name: actor_of(user) for name, user in users.items()}


def test_colleagues_are_told_of_repositories_and_members_of_their_roles(context, team, make_repository, inbox):
    acme, users, actors = team
    make_repository(users["ada"], "own")
    assert inbox() == []
    thing = create_repository(context, actor=actors["bob"], namespace="acme", name="thing", kind="model", private=True)
    assert inbox() == [("ada", "bob created the model acme/thing"), ("dan", "bob created the model acme/thing")]
    with unit_of_work(context) as work:
        accounts.change_member(work, actor=actors["ada"], organization=acme, user=users["bob"], role=Role.ADMIN)
    assert inbox() == [("bob", "ada gave you the role admin in acme")]
    with unit_of_work(context) as work:
        rename_repository(work, actor=actors["bob"], repository_id=thing.id, name="other")
    assert inbox() == []
    with unit_of_work(context) as work:
        transfer_repository(work, actor=actors["bob"], repository_id=thing.id, namespace="bob")
    # Where a private thing went is not for those it went from.
    gone = "bob transferred the model acme/other to another owner"
    assert inbox() == [("ada", gone), ("dan", gone)]
    with unit_of_work(context) as work:
        transfer_repository(work, actor=actors["bob"], repository_id=thing.id, namespace="acme")
    back = "bob transferred the model bob/other to acme/other"
    assert inbox() == [("ada", back), ("dan", back)]
    with unit_of_work(context) as work:
        delete_repository(work, actor=actors["bob"], repository_id=thing.id)
        accounts.remove_member(work, actor=actors["ada"], organization=acme, user=users["dan"])
    # Who is no member any more when it is told is told nothing of the repository.
    assert inbox() == [("ada", "bob deleted the model acme/other"), ("dan", "ada ended your membership in acme")]


def test_names_of_private_things_are_told_to_nobody_who_has_come_since(
    context, team, make_user, make_organization, make_repository, actor_of, inbox
):
    _acme, users, _actors = team
    root, other = make_user("root", admin=True), make_organization("other")
    make_organization("hidden")
    thing = make_repository(users["ada"], "secret", private=True)
    with unit_of_work(context) as work:
        accounts.add_member(work, actor=SYSTEM, organization=other, user=users["eve"], role=Role.READ)
    inbox()
    # A renamed account's things stay its own, and its old name is somebody else's before anybody would be told.
    with unit_of_work(context) as work:
        ada = work.session.get_one(User, users["ada"].id)
        accounts.rename_user(work, actor=actor_of(root), user=ada, new_name="lovelace")
        accounts.create_user(work, actor=SYSTEM, name="ada", email="new@example.org")
        assert not work.session.scalars(select(Job).where(Job.state == JobState.QUEUED)).all()
    # By the time that eve would be told the thing has gone on to where she may see nothing.
    for namespace in ("other", "hidden"):
        with unit_of_work(context) as work:
            transfer_repository(work, actor=actor_of(root), repository_id=thing.id, namespace=namespace)
    assert inbox() == [
        ("eve", "root transferred the model other/secret to another owner"),
        ("lovelace", "root transferred the model lovelace/secret to another owner"),
    ]
    with unit_of_work(context) as work:
        transfer_repository(work, actor=actor_of(root), repository_id=thing.id, namespace="lovelace")
    assert inbox() == [("lovelace", "root transferred the model hidden/secret to lovelace/secret")]


def test_those_who_take_part_are_told_of_comments_while_they_may_read_them(context, team, make_repository, inbox):
    acme, users, actors = team
    thing = make_repository(acme, "thing", private=True)
    inbox()
    with unit_of_work(context) as work:
        accounts.set_grant(work, actor=SYSTEM, resource=thing, user=users["eve"], role=Role.READ)
        opened = discussions.create_discussion(work, actor=actors["eve"], repository_id=thing.id, title="Why?")
        number = opened.id

    def say(name, content="Because"):
        with unit_of_work(context) as work:
            return discussions.create_comment(work, actor=actors[name], discussion_id=number, content=content).id

    inbox()
    say("bob", "One\n\ntwo")
    run_due(context)
    with reading(context) as work:
        told = work.session.scalars(select(Notification)).one()
        assert (told.user_id, told.type, told.title) == (
            users["eve"].id,
            "comment",
            "bob commented on acme/thing: Why?",
        )
        assert (told.summary, told.content, told.url) == (
            "One two",
            "One\n\ntwo",
            "/models/acme/thing/community/1",
        )
        assert told.sender_uuid == users["bob"].uuid
    inbox()
    say("eve")
    assert inbox() == [("bob", "eve commented on acme/thing: Why?")]
    # Of what is deleted before it was told nobody hears; nor those who have lost sight of it, or do not want it.
    comment = say("dan")
    with unit_of_work(context) as work:
        discussions.delete_comment(work, actor=actors["dan"], discussion_id=number, comment_id=comment)
    assert inbox() == []
    with unit_of_work(context) as work:
        accounts.remove_grant(work, actor=SYSTEM, resource=thing, user=users["eve"])
        notifications.update_setting(work, actor=actors["bob"], types=["system", "organization"])
    say("dan")
    assert inbox() == []
    with unit_of_work(context) as work:
        notifications.update_setting(work, actor=actors["bob"], types=["comment"])
    say("dan")
    assert inbox() == [("bob", "dan commented on acme/thing: Why?")]


def test_owner_and_author_are_told_what_becomes_of_a_pull_request(context, make_user, make_repository, actor_of, inbox):
    ada, bob = make_user("ada"), make_user("bob")
    thing = make_repository(ada, "thing")
    where = {"repository_id": thing.id}
    pull = pulls.open_pull(context, actor=actor_of(bob), **where, title="Better", description="See.")
    assert inbox() == [("ada", "bob opened a pull request on ada/thing: Better")]
    with unit_of_work(context) as work:
        comment = discussions.create_comment(
            work, actor=actor_of(ada), discussion_id=pull.discussion_id, content="Rude"
        )
        timeline.hide_comment(work, actor=actor_of(ada), discussion_id=pull.discussion_id, comment_id=comment.id)
    assert inbox() == []
    for actor, status in ((ada, "closed"), (bob, "open")):
        with unit_of_work(context) as work:
            timeline.set_status(
                work,
                actor=actor_of(actor),
                discussion_id=pull.discussion_id,
                status=DiscussionStatus(status),
            )
    edits = [FileEdit("a.txt", content=b"1")]
    commit_files(context, actor=actor_of(bob), **where, message="x", edits=edits, proposal=1)
    merging.merge_pull(context, actor=actor_of(ada), **where, number=1)
    assert inbox() == [
        ("ada", "bob opened again a pull request on ada/thing: Better"),
        ("bob", "ada closed a pull request on ada/thing: Better"),
        ("bob", "ada merged a pull request on ada/thing: Better"),
    ]


def test_the_owner_of_a_repository_is_told_of_issues_and_comments(context, make_user, make_repository, actor_of, inbox):
    ada, bob = make_user("ada"), make_user("bob")
    thing = make_repository(ada, "thing")
    with unit_of_work(context) as work:
        number = discussions.create_discussion(work, actor=actor_of(bob), repository_id=thing.id, title="x" * 255).id
    assert [name for name, _ in inbox()] == ["ada"]
    with unit_of_work(context) as work:
        discussions.create_comment(work, actor=actor_of(bob), discussion_id=number, content="x" * 65_536)
    [(name, title)] = inbox()
    assert (name, len(title), title[-1]) == ("ada", 255, "…")


def test_who_set_a_webhook_up_is_told_that_it_was_switched_off(context, make_user, inbox):
    ada = make_user("ada")
    with unit_of_work(context) as work:
        values = {"name": "ci", "url": "https://ci.example.org", "created_by_id": ada.id, "topics": []}
        webhook = Webhook(**values, is_active=False, created_at=work.now(), updated_at=work.now())
        work.session.add(webhook)
        work.session.flush()
        publish(work, WebhookDisabled(webhook.id, webhook.uuid, webhook.name, ada.id))
        publish(work, WebhookDisabled(webhook.id + 1, webhook.uuid, "gone", ada.id))
    assert inbox() == [("ada", "The hub switched off your webhook ci")]


def test_a_message_to_all_reaches_each_once_though_its_job_runs_twice(context, make_user, actor_of, monkeypatch, inbox):
    monkeypatch.setattr(jobs, "_RECEIVERS_AT_ONCE", 2)
    users = [make_user(f"user-{number}") for number in range(5)]
    root = make_user("root", admin=True)
    with unit_of_work(context) as work:
        accounts.deactivate_user(work, actor=SYSTEM, user=work.session.get(User, users[4].id))
        notifications.send(work, actor=actor_of(root), title="Maintenance", content="On Sunday")
        uuid = work.session.scalars(select(Job.uuid).where(Job.name == "community.send")).one()
    run_due(context)
    # As if the first run's process had died right before it settled.
    with unit_of_work(context) as work:
        work.session.scalars(select(Job).where(Job.uuid == uuid)).one().state = JobState.QUEUED
    assert execute(context, uuid) == JobState.SUCCEEDED
    assert inbox() == [(name, "Maintenance") for name in ("root", "user-0", "user-1", "user-2", "user-3")]


@pytest.mark.settings(notification_ttl_s=3600, client_event_ttl_s=7200)
def test_what_is_old_is_forgotten_and_what_is_unread_is_kept(context, make_user, monkeypatch, clock):
    monkeypatch.setattr(jobs, "_PRUNE_BATCH", 2)
    ada, now = make_user("ada"), clock.now()
    hour = timedelta(hours=1)
    with unit_of_work(context) as work:
        for number, read_at in enumerate([None, now, *[now - hour - timedelta(seconds=1)] * 3]):
            work.session.add(
                Notification(
                    user_id=ada.id, type="system", title=str(number), read_at=read_at, created_at=now - 9 * hour
                )
            )
        for age in (hour, 3 * hour):
            work.session.add(ClientEvent(user_id=ada.id, module="m", event="e", created_at=now - age))
        enqueue(work, "community.prune")
    run_due(context)
    with reading(context) as work:
        assert work.session.scalars(select(Notification.title).order_by(Notification.id)).all() == ["0", "1"]
        assert work.session.scalars(select(ClientEvent.created_at)).all() == [now - hour]


def test_who_administers_hears_of_requests_for_access_and_who_asked_of_the_decision(
    context, team, make_repository, inbox
):
    acme, _, actors = team
    thing = make_repository(acme, "thing")
    inbox()
    with unit_of_work(context) as work:
        update_settings(work, actor=actors["ada"], repository_id=thing.id, gate="manual")
        request_access(work, actor=actors["eve"], repository_id=thing.id)
        with pytest.raises(Conflict):  # who may write has access
            request_access(work, actor=actors["bob"], repository_id=thing.id)
    assert inbox() == [("ada", "eve asks for access to the model acme/thing")]
    with unit_of_work(context) as work:
        decide_request(
            work, actor=actors["ada"], repository_id=thing.id, user="eve", state=RequestState.REJECTED, reason="Why?"
        )
    assert inbox() == [("eve", "ada rejected your request for access to the model acme/thing")]
    with unit_of_work(context) as work:
        grant_access(work, actor=actors["ada"], repository_id=thing.id, user="eve")
        update_settings(work, actor=actors["ada"], repository_id=thing.id, gate="auto")
        request_access(work, actor=actors["dan"], repository_id=thing.id)  # to read is not to have the content
    assert inbox() == [
        ("ada", "dan asked for access to the model acme/thing, and has it"),
        ("eve", "ada gave you access to the model acme/thing"),
    ]


def test_who_is_named_assigned_or_asked_to_be_told_is_told_once_and_who_declined_is_not(
    context, team, make_repository, inbox
):
    acme, users, actors = team
    thing = make_repository(acme, "thing", private=True)
    inbox()
    with unit_of_work(context) as work:
        number = discussions.create_discussion(work, actor=actors["bob"], repository_id=thing.id, title="Why?").id

    def say(name, content):
        with unit_of_work(context) as work:
            return discussions.create_comment(work, actor=actors[name], discussion_id=number, content=content).id

    assert inbox() == []  # of an organisation's repository nobody is told who neither made nor watches it
    comment = say("ada", "@bob: ask @dan, not @eve or `@root`")  # eve may not read it
    named, said = "ada mentioned you on acme/thing: Why?", "ada commented on acme/thing: Why?"
    assert inbox() == [("bob", named), ("dan", named)]
    say("ada", "So?")
    assert inbox() == [("bob", said), ("dan", said)]  # who was named takes part
    # A changed comment tells those whom it did not name before; eve has come to read it since.
    with unit_of_work(context) as work:
        accounts.set_grant(work, actor=SYSTEM, resource=thing, user=users["eve"], role=Role.READ)
        text = "@bob: ask @dan and @eve"
        discussions.update_comment(work, actor=actors["ada"], discussion_id=number, comment_id=comment, content=text)
    assert inbox() == [("eve", named)]
    with unit_of_work(context) as work:
        people.assign(work, actor=actors["ada"], discussion_id=number, names=["dan", "bob", "ada"])
        people.unassign(work, actor=actors["ada"], discussion_id=number, name="bob")
    assert inbox() == [("dan", "ada assigned you on acme/thing: Why?")]
    for name, is_wanted in (("dan", False), ("bob", False), ("ada", True)):
        with unit_of_work(context) as work:
            telling = people.subscribe(work, actor=actors[name], discussion_id=number, is_wanted=is_wanted)
            assert (telling.is_told, telling.choice) == (is_wanted, is_wanted)
    say("eve", "@dan?")
    assert inbox() == [("ada", "eve commented on acme/thing: Why?")]
    with unit_of_work(context) as work:
        telling = people.subscribe(work, actor=actors["dan"], discussion_id=number, is_wanted=None)
        assert (telling.is_told, telling.choice) == (True, None)
        accounts.remove_grant(work, actor=SYSTEM, resource=thing, user=users["eve"])
        people.subscribe(work, actor=actors["bob"], discussion_id=number, is_wanted=True)
    say("ada", "Well.")
    assert inbox() == [("bob", said), ("dan", said)]
    pulls.open_pull(context, actor=actors["bob"], repository_id=thing.id, title="Mend", description="For @dan.")
    opened = inbox()
    assert ("dan", "bob mentioned you on acme/thing: Mend") in opened
    assert [name for name, _ in opened].count("dan") == 1
