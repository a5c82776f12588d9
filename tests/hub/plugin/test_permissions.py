"""A plugin's permissions are judged by the hub's one policy."""

from dataclasses import replace

import pytest

from hub.accounts.models import Grant, Member
from hub.base.errors import Denied, NotFound, NotSignedIn
from hub.db.uow import reading, unit_of_work
from hub.plugin import Permission, Role, Subject, TokenScope
from hub.plugin.policy import ANONYMOUS, SYSTEM, can, can_each, require
from hub.repos.models import Repository
from tests.support.plugins import make_plugin, start_host

pytestmark = pytest.mark.any_database

READ, WRITE, MANAGE = "alpha:note:read", "alpha:note:write", "alpha:note:manage"
OPEN_TEAM, RUN_SITE, SEE_ACCOUNT = "alpha:team:open", "alpha:site:run", "alpha:account:see"
PERMISSIONS = (
    Permission(READ, "read notes", role=Role.READ, scope=TokenScope.READ),
    Permission(WRITE, "write notes"),
    Permission(MANAGE, "manage notes", role=Role.ADMIN, scope=TokenScope.ADMIN),
    Permission(OPEN_TEAM, "open a team's notes", on=Subject.NAMESPACE, role=Role.ADMIN),
    Permission(RUN_SITE, "run all notes", on=Subject.SITE, scope=TokenScope.ADMIN),
    Permission(SEE_ACCOUNT, "see somebody's notes", on=Subject.ACCOUNT),
)


@pytest.fixture(autouse=True)
def alpha(context, bring):
    """The plugin whose permissions these are."""
    bring(make_plugin("alpha", permissions=PERMISSIONS))
    start_host(context, plugins="alpha")


@pytest.fixture
def may(context):
    """``may(actor, thing)``: which of the permissions on repositories the actor has."""

    def ask(actor, thing):
        with reading(context) as work:
            return {word.rpartition(":")[2] for word in (READ, WRITE, MANAGE) if can(work, actor, word, thing)}

    return ask


@pytest.fixture
def refusal(context):
    """``refusal(actor, action, thing)``: the error that the actor gets."""

    def ask(actor, action, thing):
        with reading(context) as work, pytest.raises((Denied, NotFound, NotSignedIn)) as raised:
            require(work, actor, action, thing)
        return type(raised.value), raised.value.code

    return ask


@pytest.fixture
def join(context):
    """``join(user, organization, role)``."""

    def add(user, organization, role):
        with unit_of_work(context) as work:
            member = Member(organization_id=organization.id, user_id=user.id, role=role, created_at=work.now())
            work.session.add(member)

    return add


@pytest.mark.parametrize(
    "role, words",
    [
        (Role.READ, {"read"}),
        (Role.WRITE, {"read", "write"}),
        (Role.ADMIN, {"read", "write", "manage"}),
        (Role.OWNER, {"read", "write", "manage"}),
    ],
)
def test_the_role_in_an_organisation_decides(
    may, join, make_user, make_organization, make_repository, actor_of, role, words
):
    user, organization = make_user(), make_organization()
    join(user, organization, role)
    thing = make_repository(organization, private=True)
    assert may(actor_of(user), thing) == words
    assert may(actor_of(make_user("stranger")), thing) == set()


def test_a_grant_on_the_repository_counts(context, may, make_user, make_repository, actor_of):
    thing, friend = make_repository(make_user(), private=True), make_user("friend")
    with unit_of_work(context) as work:
        grant = Grant(
            resource_type=thing.resource_type,
            resource_id=thing.id,
            user_id=friend.id,
            role=Role.WRITE,
            created_at=work.now(),
        )
        work.session.add(grant)
    assert may(actor_of(friend), thing) == {"read", "write"}


def test_owners_have_all_of_it_and_everybody_reads_what_is_public(may, make_user, make_repository, actor_of):
    owner = make_user()
    public, private = make_repository(owner), make_repository(owner, "secret", private=True)
    assert may(actor_of(owner), private) == {"read", "write", "manage"}
    for viewer in (ANONYMOUS, actor_of(make_user("stranger"))):
        assert may(viewer, public) == {"read"}
        assert may(viewer, private) == set()


@pytest.mark.parametrize(
    "scope, words", [("read", {"read"}), ("write", {"read", "write"}), ("admin", {"read", "write", "manage"})]
)
def test_the_scope_of_a_token_limits_even_an_owner(may, make_user, make_repository, actor_of, scope, words):
    owner = make_user()
    thing = make_repository(owner, private=True)
    assert may(replace(actor_of(owner), scope=TokenScope(scope), via="token"), thing) == words


def test_what_is_archived_is_written_by_nobody_but_the_hub(context, may, refusal, make_user, make_repository, actor_of):
    owner, admin = make_user(), make_user("root", admin=True)
    thing = make_repository(owner)
    with unit_of_work(context) as work:
        thing = work.session.get(Repository, thing.id)
        thing.archived_at = work.now()
    assert may(actor_of(owner), thing) == {"read", "manage"}
    assert may(actor_of(admin), thing) == {"read", "manage"}
    assert may(SYSTEM, thing) == {"read", "write", "manage"}
    assert refusal(actor_of(owner), WRITE, thing) == (Denied, "archived")


def test_administrators_and_the_hub_itself_have_all_of_it(may, make_user, make_repository, actor_of):
    thing = make_repository(make_user(), private=True)
    assert may(actor_of(make_user("root", admin=True)), thing) == {"read", "write", "manage"}
    assert may(SYSTEM, thing) == {"read", "write", "manage"}


def test_a_refusal_says_no_more_than_the_actor_may_know(refusal, make_user, make_repository, actor_of):
    owner, stranger = make_user(), actor_of(make_user("stranger"))
    public, private = make_repository(owner), make_repository(owner, "secret", private=True)
    for action in (READ, WRITE, MANAGE):
        assert refusal(stranger, action, private) == (NotFound, "repository_not_found")
        assert refusal(ANONYMOUS, action, private) == (NotFound, "repository_not_found")
    assert refusal(ANONYMOUS, WRITE, public)[0] is NotSignedIn
    assert refusal(stranger, WRITE, public) == (Denied, "denied")
    weak = replace(actor_of(owner), scope=TokenScope.READ, via="token")
    assert refusal(weak, WRITE, public) == (Denied, "scope_insufficient")


def test_many_repositories_are_judged_as_each_by_itself(context, make_user, make_repository, actor_of):
    owner, stranger = make_user(), actor_of(make_user("stranger"))
    things = [make_repository(owner), make_repository(owner, "secret", private=True)]
    with reading(context) as work:
        for actor in (ANONYMOUS, stranger, actor_of(owner), SYSTEM):
            found = can_each(work, actor, [READ, WRITE], things)
            assert found == {
                action: {thing.id for thing in things if can(work, actor, action, thing)} for action in (READ, WRITE)
            }


def test_a_permission_on_namespaces_asks_for_the_role_there(context, join, make_user, make_organization, actor_of):
    chief, member, organization = make_user(), make_user("member"), make_organization()
    join(chief, organization, Role.ADMIN)
    join(member, organization, Role.WRITE)
    with reading(context) as work:
        assert can(work, actor_of(chief), OPEN_TEAM, organization)
        assert not can(work, actor_of(member), OPEN_TEAM, organization)
        assert not can(work, ANONYMOUS, OPEN_TEAM, organization)
        assert can(work, actor_of(member), OPEN_TEAM, member)


def test_a_permission_on_the_site_is_its_administrators(context, make_user, actor_of):
    root, user = actor_of(make_user("root", admin=True)), actor_of(make_user())
    with reading(context) as work:
        assert can(work, root, RUN_SITE)
        assert not can(work, user, RUN_SITE)
        assert not can(work, replace(root, scope=TokenScope.WRITE), RUN_SITE)
        assert not can(work, ANONYMOUS, RUN_SITE)


def test_a_permission_on_accounts_is_the_accounts_own(context, make_user, actor_of):
    ada, bob = make_user(), make_user("bob")
    with reading(context) as work:
        assert can(work, actor_of(ada), SEE_ACCOUNT, ada)
        assert not can(work, actor_of(bob), SEE_ACCOUNT, ada)
        assert can(work, replace(actor_of(bob), is_admin=True), SEE_ACCOUNT, ada)


def test_a_permission_that_nobody_has_declared_is_a_mistake_of_the_programmers(context, make_user, make_repository):
    thing = make_repository(make_user())
    with reading(context) as work, pytest.raises(KeyError, match="alpha:note:sing"):
        can(work, SYSTEM, "alpha:note:sing", thing)
