"""Tokens that are good for one repository: what the policy gives their bearers, and when they end."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from hub.accounts import service
from hub.accounts.models import DeployToken, Role, TokenScope
from hub.accounts.policy import SYSTEM, Action, can, can_each, readable, require
from hub.accounts.service import deploytokens
from hub.base.errors import Conflict, Denied, Invalid, NotFound
from hub.db.uow import reading, unit_of_work
from hub.repos.models import Repository
from hub.repos.service import delete_repository
from hub.repos.service.removal import purge_repository

READ, WRITE, ADMIN = Action.REPOSITORY_READ, Action.REPOSITORY_WRITE, Action.REPOSITORY_ADMIN


@pytest.fixture
def acme(context, make_user, make_organization, make_repository):
    """Of an organisation that ada administers: the repositories "own", "other" and the public "open"."""
    acme, ada = make_organization("acme"), make_user("ada")
    with unit_of_work(context) as work:
        service.add_member(work, actor=SYSTEM, organization=acme, user=ada, role=Role.ADMIN)
    return {name: make_repository(acme, name, private=name != "open") for name in ("own", "other", "open")}


@pytest.fixture
def make_bearer(context, acme, make_user, actor_of):
    """``make_bearer("write", maker=ada)``: whoever shows a fresh token of the repository "own"."""

    def make(scope="read", *, maker=None, name="ci", **options):
        with unit_of_work(context) as work:
            actor = actor_of(maker or service.get_user(work, "ada"))
            options = {"resource": acme["own"], "name": name, "scope": TokenScope(scope), **options}
            _, value = deploytokens.create_deploy_token(work, actor=actor, **options)
            return value, deploytokens.find_bearer(work, value).actor

    return make


def allowed(context, actor, repositories):
    """Each repository's name with what the actor may do, by all three ways of asking."""
    names = {READ: "read", Action.REPOSITORY_PROPOSE: "propose", WRITE: "write", ADMIN: "admin"}
    columns = {column: getattr(Repository, column) for column in ("id", "namespace_id", "is_private")}
    with reading(context) as work:
        found = {
            name: {word for action, word in names.items() if can(work, actor, action, row)}
            for name, row in repositories.items()
        }
        each = can_each(work, actor, list(names), list(repositories.values()))
        listed = set(
            work.session.scalars(select(Repository.id).where(readable(actor, resource_type="repository", **columns)))
        )
    for name, row in repositories.items():
        assert found[name] == {word for action, word in names.items() if row.id in each[action]}
        assert ("read" in found[name]) == (row.id in listed)
    return found


def test_a_token_is_good_for_its_repository_and_nothing_else(context, acme, make_bearer, make_user):
    rights = {"own": {"read"}, "other": set(), "open": {"read"}}
    _, reader = make_bearer("read")
    assert allowed(context, reader, acme) == rights
    _, writer = make_bearer("write", name="push")
    assert allowed(context, writer, acme) == rights | {"own": {"read", "propose", "write"}}
    # An administrator's token is no stronger.
    root = make_user("root", admin=True)
    _, strong = make_bearer("write", maker=root, name="root")
    assert allowed(context, strong, acme) == rights | {"own": {"read", "propose", "write"}}
    with reading(context) as work:
        ada = service.get_user(work, "ada")
        for actor in (writer, strong):
            assert actor.is_anonymous
            assert not can(work, actor, Action.SITE_ADMIN)
            assert not any(can(work, actor, action, ada) for action in Action if action.startswith("account:"))
            assert not can(work, actor, Action.NAMESPACE_READ, acme["own"].namespace)
            with pytest.raises(Denied) as caught:
                require(work, actor, ADMIN, acme["own"])
            assert caught.value.code == "token_limited"
            with pytest.raises(NotFound):
                require(work, actor, WRITE, acme["other"])
            with pytest.raises(Denied):
                service.get_own_user(work, actor=actor)


def test_a_token_ends_with_its_time_its_maker_and_its_repository(
    context, acme, make_bearer, clock, make_user, actor_of
):
    value, actor = make_bearer("write", expires_at=clock.now() + timedelta(hours=1))
    with unit_of_work(context) as work:
        ada = service.get_user(work, "ada")
        organization = service.get_organization(work, "acme")
        service.change_member(work, actor=SYSTEM, organization=organization, user=ada, role=Role.WRITE)
    # Of who made it, the right to give rights away is asked for; one who only writes has it not.
    assert allowed(context, actor, acme)["own"] == set()
    root = actor_of(make_user("root", admin=True))
    with unit_of_work(context) as work:
        [listed] = deploytokens.list_deploy_tokens(work, actor=root, resource=acme["own"]).items
        assert listed.state == "orphaned"
        service.change_member(work, actor=SYSTEM, organization=organization, user=ada, role=Role.ADMIN)
    assert allowed(context, actor, acme)["own"] == {"read", "propose", "write"}
    clock.advance(7200)
    forever, _ = make_bearer(name="forever")
    with unit_of_work(context) as work:
        assert deploytokens.find_bearer(work, value) is None
        states = {
            one.token.name: one.state
            for one in deploytokens.list_deploy_tokens(work, actor=root, resource=acme["own"]).items
        }
        assert states == {"ci": "expired", "forever": "good"}
        service.deactivate_user(work, actor=SYSTEM, user=service.get_user(work, "ada"))
    with unit_of_work(context) as work:
        assert deploytokens.find_bearer(work, forever) is None
        service.reactivate_user(work, actor=SYSTEM, user=service.get_user(work, "ada"))
    with unit_of_work(context) as work:
        assert deploytokens.find_bearer(work, forever) is not None
        delete_repository(work, actor=SYSTEM, repository_id=acme["own"].id)
    clock.advance(90 * 86400)
    assert purge_repository(context, repository_id=acme["own"].id)
    with reading(context) as work:
        assert work.session.scalars(select(DeployToken)).all() == []


def test_what_no_token_can_be(context, acme, make_bearer, make_user, actor_of, clock):
    make_bearer()
    for options, error, code in (
        ({}, Conflict, "token_exists"),
        ({"name": "late", "expires_at": clock.now()}, Invalid, "token_expiry_invalid"),
        ({"name": "all", "scope": "admin"}, Invalid, "token_scope_invalid"),
        ({"name": ""}, Invalid, "text_invalid"),
    ):
        with pytest.raises(error) as caught:
            make_bearer(**options)
        assert caught.value.code == code
    _, bearer = make_bearer("write", name="push")
    with unit_of_work(context) as work:
        for actor in (bearer, SYSTEM):
            with pytest.raises(Denied):
                deploytokens.create_deploy_token(
                    work, actor=actor, resource=acme["own"], name="more", scope=TokenScope.READ
                )
