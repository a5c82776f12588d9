"""Tickets: who may read which file, and who may not send anything."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from hub.accounts.models import AccessToken, Grant, Role, TokenScope, User
from hub.accounts.policy import ANONYMOUS, SERVICE, SYSTEM, Actor
from hub.accounts.service.tokens import refresh_token, revoke_token
from hub.base.errors import NotSignedIn
from hub.db.uow import reading, unit_of_work
from hub.plugin.lfs import TicketRequest
from plugins.xnet.source import XnetSource
from plugins.xnet.tickets import LIFE_S, actor_of, read_ticket
from tests.support.xet import open_service, start_xnet, store_file, store_xorb

pytestmark = pytest.mark.any_database


@pytest.fixture
def xnet(context):
    return start_xnet(context)


@pytest.fixture
def client(xnet):
    return open_service(xnet)


@pytest.fixture
def ask(xnet):
    """``ask(actor, repository)``: the header that carries a ticket."""

    def issue(actor, repository, *, is_write=False):
        request = TicketRequest(actor, repository, "main", is_write, "http://localhost")
        return {"Authorization": f"Bearer {XnetSource().issue_ticket(xnet, request).token}"}

    return issue


@pytest.fixture
def people(make_user):
    return make_user("ada"), make_user("bob")


@pytest.fixture
def thing(xnet, people, make_repository):
    """Ada's private repository with one file."""
    repository = make_repository(people[0], private=True)
    return repository, store_file(xnet, repository.id, [(store_xorb(xnet, [b"one", b"two"]), 0, 2)])


def test_a_ticket_opens_the_files_of_its_own_repository_and_no_others(client, people, ask, thing, make_repository):
    ada, bob = people
    repository, file = thing
    address = f"/xet/v1/reconstructions/{file.hash}"
    assert client.get(address, headers=ask(Actor.of_user(ada, via="token"), repository)).status_code == 200
    other = make_repository(bob, "other")
    refused = client.get(address, headers=ask(Actor.of_user(bob, via="token"), other))
    unknown = client.get(f"/xet/v1/reconstructions/{'ab' * 32}", headers=ask(ANONYMOUS, other))
    assert (refused.status_code, refused.json) == (unknown.status_code, unknown.json)
    assert refused.status_code == 404
    # Nor by the route for several.
    several = client.get(
        f"/xet/v1/reconstructions?file_id={file.hash}", headers=ask(Actor.of_user(bob, via="token"), other)
    )
    assert several.json == {"files": {}, "fetch_info": {}}


def test_who_lost_the_right_to_read_has_no_use_for_the_ticket(client, xnet, people, ask, thing):
    repository, file = thing
    headers = ask(Actor.of_user(people[1], via="token"), repository)
    address = f"/xet/v2/reconstructions/{file.hash}"
    assert client.get(address, headers=headers).status_code == 404
    with unit_of_work(xnet) as work:
        grant = Grant(
            resource_type="repository",
            resource_id=repository.id,
            user_id=people[1].id,
            role=Role.READ,
            created_at=work.now(),
        )
        work.session.add(grant)
    assert client.get(address, headers=headers).status_code == 200
    with unit_of_work(xnet) as work:
        work.session.get(User, people[1].id).is_active = False
    assert client.get(address, headers=headers).status_code == 401


@pytest.mark.parametrize("end", ["revoked", "renewed", "expired"])
def test_a_ticket_ends_with_the_token_that_it_was_asked_for_by(
    clock, client, xnet, people, ask, thing, make_token, end
):
    make_token(people[0], "read")
    with unit_of_work(xnet) as work:
        token = work.session.scalars(select(AccessToken)).one()
        actor = Actor.of_user(people[0], via="token", scope=TokenScope.READ, token_id=token.id)
        token.expires_at = clock.now() + timedelta(seconds=60)
    headers, address = ask(actor, thing[0]), f"/xet/v1/reconstructions/{thing[1].hash}"
    assert client.get(address, headers=headers).status_code == 200
    clock.advance(30)
    owner = Actor.of_user(people[0], via="session")
    with unit_of_work(xnet) as work:
        if end == "revoked":
            revoke_token(work, actor=owner, user=people[0], name=token.name)
        elif end == "renewed":
            refresh_token(work, actor=owner, user=people[0], name=token.name)
        else:
            clock.advance(30)
    assert client.get(address, headers=headers).status_code == 401


def test_a_ticket_for_reading_sends_nothing(client, people, ask, thing):
    headers = ask(Actor.of_user(people[0], via="token"), thing[0])
    for address in ("/xet/v1/shards", f"/xet/v1/xorbs/default/{'ab' * 32}"):
        answer = client.post(address, data=b"bytes", headers=headers)
        assert answer.status_code == 403
        assert set(answer.json) >= {"error"}


@pytest.mark.parametrize("spoil", ["cut", "changed", "other_key", "no_scheme", "none", "hub_token", "endless", "odd"])
def test_what_is_no_ticket_of_ours_opens_nothing(client, people, ask, thing, make_token, spoil):
    repository, file = thing
    given = ask(Actor.of_user(people[0], via="token"), repository)["Authorization"]
    text, _, signature = given.removeprefix("Bearer ").rpartition(".")
    header = {
        "cut": given[:-1],
        "changed": f"Bearer {text[:-4]}AAAA.{signature}",
        "other_key": f"Bearer {text}.{'A' * 43}",
        "no_scheme": given.removeprefix("Bearer "),
        "none": "",
        "hub_token": f"Bearer {make_token(people[0], 'admin')}",
        "endless": f"Bearer {text * 100}.{signature}",
        "odd": f"Bearer é.{signature}",
    }[spoil]
    answer = client.get(f"/xet/v1/reconstructions/{file.hash}", headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer.headers["X-Request-Id"]
    assert answer.json["error"]


def test_a_ticket_is_good_to_its_last_second(clock, client, people, ask, thing):
    headers = ask(Actor.of_user(people[0], via="token"), thing[0])
    clock.advance(LIFE_S - 1)
    assert client.get(f"/xet/v1/reconstructions/{thing[1].hash}", headers=headers).status_code == 200
    clock.advance(1)
    assert client.get(f"/xet/v1/reconstructions/{thing[1].hash}", headers=headers).status_code == 401


def test_who_shows_a_ticket_is_who_asked_for_it_with_no_more_scope(xnet, people, ask, thing):
    for actor in (
        ANONYMOUS,
        SYSTEM,
        SERVICE,
        Actor.of_user(people[0], via="transfer", scope=TokenScope.READ),
        Actor.of_user(people[0], via="transfer"),
    ):
        claims = read_ticket(xnet, ask(actor, thing[0])["Authorization"])
        with reading(xnet) as work:
            assert actor_of(work, claims) == actor
        assert claims.is_system == (actor is SYSTEM)


def test_a_ticket_that_was_made_for_another_purpose_is_none(xnet, people, thing):
    from hub.plugin.signing import create_signer

    text = "e30"
    with pytest.raises(NotSignedIn):
        read_ticket(xnet, f"Bearer {text}.{create_signer(xnet, 'xnet-fetch').sign(text)}")
