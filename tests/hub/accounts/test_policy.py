"""Every role, action and resource of ``can``, written out as tables."""

from dataclasses import dataclass

import pytest
from sqlalchemy import select

from hub.accounts import service
from hub.accounts.models import Role, TokenScope
from hub.accounts.policy import (
    ANONYMOUS,
    SYSTEM,
    Action,
    Actor,
    can,
    can_each,
    readable,
    require,
    require_site_admin,
)
from hub.base.errors import Denied, HubError, NotFound, NotSignedIn
from hub.repos.models import Repository


@dataclass(frozen=True)
class Thing:
    """A repository as the policy sees one."""

    namespace_id: int
    is_public: bool = False
    is_frozen: bool = False
    id: int = 7
    resource_type: str = "repository"


READ, WRITE, ADMIN = Action.REPOSITORY_READ, Action.REPOSITORY_WRITE, Action.REPOSITORY_ADMIN
PROPOSE = Action.REPOSITORY_PROPOSE
CONTENT_ACTIONS = (READ, WRITE, ADMIN)
NAMESPACE_ACTIONS = (
    Action.NAMESPACE_READ,
    Action.NAMESPACE_CREATE,
    Action.ORGANIZATION_ADMIN,
    Action.ORGANIZATION_OWN,
)
ACCOUNT_ACTIONS = (Action.ACCOUNT_READ, Action.ACCOUNT_WRITE, Action.ACCOUNT_CREDENTIALS)


@pytest.fixture
def people(work, make_user, make_organization):
    """Actors by what they are to the organisation "acme" and to thing 7 in it, and that organisation."""
    acme = make_organization("acme")
    actors = {"anonymous": ANONYMOUS, "system": SYSTEM}
    for role in Role:
        user = make_user(f"org-{role}")
        service.add_member(work, actor=SYSTEM, organization=acme, user=user, role=role)
        actors[f"org {role}"] = Actor.of_user(user, via="session")
    for role in (Role.READ, Role.WRITE, Role.ADMIN):
        user = make_user(f"grant-{role}")
        service.set_grant(work, actor=SYSTEM, resource=Thing(acme.namespace_id), user=user, role=role)
        actors[f"grant {role}"] = Actor.of_user(user, via="session")
    actors["stranger"] = Actor.of_user(make_user("stranger"), via="session")
    actors["site admin"] = Actor.of_user(make_user("root-1", admin=True), via="session")
    return actors, acme


def allowed(work, actor, actions, resource):
    return {action for action in actions if can(work, actor, action, resource)}


ROWS = [
    # who, on a private thing, on a public one, on an archived private one, on the organisation
    ("anonymous", set(), {READ}, set(), 0),
    ("stranger", set(), {READ}, set(), 0),
    ("org read", {READ}, {READ}, {READ}, 1),
    ("org write", {READ, WRITE}, {READ, WRITE}, {READ}, 2),
    ("org admin", {READ, WRITE, ADMIN}, {READ, WRITE, ADMIN}, {READ, ADMIN}, 3),
    ("org owner", {READ, WRITE, ADMIN}, {READ, WRITE, ADMIN}, {READ, ADMIN}, 4),
    ("grant read", {READ}, {READ}, {READ}, 0),
    ("grant write", {READ, WRITE}, {READ, WRITE}, {READ}, 0),
    ("grant admin", {READ, WRITE, ADMIN}, {READ, WRITE, ADMIN}, {READ, ADMIN}, 0),
    ("site admin", {READ, WRITE, ADMIN}, {READ, WRITE, ADMIN}, {READ, ADMIN}, 4),
    ("system", {READ, WRITE, ADMIN}, {READ, WRITE, ADMIN}, {READ, WRITE, ADMIN}, 4),
]


def test_each_role_may_do_exactly_what_the_table_says(work, people):
    actors, acme = people
    for who, private, public, archived, namespace_rights in ROWS:
        actor, place = actors[who], acme.namespace_id
        assert allowed(work, actor, CONTENT_ACTIONS, Thing(place)) == private, who
        assert allowed(work, actor, CONTENT_ACTIONS, Thing(place, is_public=True)) == public, who
        assert allowed(work, actor, CONTENT_ACTIONS, Thing(place, is_frozen=True)) == archived, who
        rights = set(NAMESPACE_ACTIONS[:namespace_rights])
        assert allowed(work, actor, NAMESPACE_ACTIONS, acme) == rights, who
        assert allowed(work, actor, NAMESPACE_ACTIONS, acme.namespace) == rights, who
        assert can(work, actor, Action.SITE_ADMIN) == (who in ("site admin", "system")), who
    assert {row[0] for row in ROWS} == set(actors)


def things_of(namespace_id):
    """Private, public and archived things; the grants of ``people`` are on the first."""
    return [
        Thing(namespace_id),
        Thing(namespace_id, id=8, is_public=True),
        Thing(namespace_id, id=9, is_frozen=True),
        Thing(namespace_id, id=10, is_public=True, is_frozen=True),
    ]


def test_many_things_are_judged_at_once_as_each_is_by_itself(work, people, make_user, count_queries):
    actors, acme = people
    stranger = service.get_user(work, "stranger")
    things = [*things_of(acme.namespace_id), Thing(stranger.namespace_id, id=11)]
    for who, actor in actors.items():
        with count_queries() as queries:
            allowed_ids = can_each(work, actor, CONTENT_ACTIONS, things)
        assert len(queries) <= 2
        for action in CONTENT_ACTIONS:
            assert allowed_ids[action] == {thing.id for thing in things if can(work, actor, action, thing)}, who
    assert can_each(work, actors["stranger"], [READ], []) == {READ: set()}


def test_a_list_holds_what_each_may_read_and_nothing_else(work, people):
    actors, acme = people
    for thing in things_of(acme.namespace_id):
        work.session.add(
            Repository(
                id=thing.id,
                kind="model",
                namespace_id=thing.namespace_id,
                name=f"thing-{thing.id}",
                name_key=f"thing-{thing.id}",
                is_private=not thing.is_public,
                created_at=work.now(),
                updated_at=work.now(),
            )
        )
    work.session.flush()
    rows = work.session.scalars(select(Repository)).all()
    for who, actor in actors.items():
        condition = readable(
            actor,
            resource_type=Repository.resource_type,
            id=Repository.id,
            namespace_id=Repository.namespace_id,
            is_private=Repository.is_private,
        )
        listed = set(work.session.scalars(select(Repository.id).where(condition)))
        assert listed == {row.id for row in rows if can(work, actor, READ, row)}, who


def test_a_grant_reaches_one_resource_and_no_other(work, people):
    actors, acme = people
    assert not can(work, actors["grant admin"], READ, Thing(acme.namespace_id, id=8))
    assert not can(work, actors["grant admin"], READ, Thing(acme.namespace_id, resource_type="space"))


def test_the_stronger_of_membership_and_grant_counts(work, people, make_user):
    actors, acme = people
    reader = service.get_user(work, "org-read")
    service.set_grant(work, actor=SYSTEM, resource=Thing(acme.namespace_id), user=reader, role=Role.WRITE)
    assert can(work, actors["org read"], WRITE, Thing(acme.namespace_id))
    assert not can(work, actors["org read"], WRITE, Thing(acme.namespace_id, id=8))


def test_people_own_their_namespace_and_account_and_nobody_elses(work, make_user):
    ada, eve, root = make_user("ada"), make_user("eve"), make_user("root-1", admin=True)
    own, other, admin = (Actor.of_user(user, via="session") for user in (ada, eve, root))
    assert allowed(work, own, CONTENT_ACTIONS, Thing(ada.namespace_id)) == set(CONTENT_ACTIONS)
    assert allowed(work, other, CONTENT_ACTIONS, Thing(ada.namespace_id)) == set()
    assert allowed(work, own, NAMESPACE_ACTIONS, ada.namespace) == set(NAMESPACE_ACTIONS)
    assert allowed(work, other, NAMESPACE_ACTIONS, ada.namespace) == set()
    assert allowed(work, own, ACCOUNT_ACTIONS, ada) == set(ACCOUNT_ACTIONS)
    assert allowed(work, other, ACCOUNT_ACTIONS, ada) == set()
    assert allowed(work, admin, ACCOUNT_ACTIONS, ada) == set(ACCOUNT_ACTIONS)
    assert allowed(work, ANONYMOUS, ACCOUNT_ACTIONS, ada) == set()


def test_an_organisation_whose_id_is_the_users_is_not_the_users_account(work, make_user, make_organization):
    user, organization = make_user("ada"), make_organization("acme")
    assert user.id == organization.id
    assert not can(work, Actor.of_user(user, via="session"), Action.ACCOUNT_WRITE, organization)


# The weakest scope that lets an owner, who is also a site administrator, do each thing.
SCOPE_ROWS = [
    (READ, TokenScope.READ),
    (PROPOSE, TokenScope.WRITE),
    (WRITE, TokenScope.WRITE),
    (ADMIN, TokenScope.WRITE),
    (Action.NAMESPACE_READ, TokenScope.READ),
    (Action.NAMESPACE_CREATE, TokenScope.WRITE),
    (Action.NAMESPACE_USAGE, TokenScope.READ),
    (Action.ORGANIZATION_ADMIN, TokenScope.WRITE),
    (Action.ORGANIZATION_OWN, TokenScope.ADMIN),
    (Action.ACCOUNT_READ, TokenScope.READ),
    (Action.ACCOUNT_WRITE, TokenScope.WRITE),
    (Action.ACCOUNT_CREDENTIALS, TokenScope.ADMIN),
    (Action.SITE_ADMIN, TokenScope.ADMIN),
]


def test_a_token_allows_no_more_than_its_scope(work, make_user):
    user = make_user("ada", admin=True)
    assert {action for action, _ in SCOPE_ROWS} == set(Action)
    for action, weakest in SCOPE_ROWS:
        if action in (*CONTENT_ACTIONS, PROPOSE):
            resource = Thing(user.namespace_id)
        else:
            resource = user if action in ACCOUNT_ACTIONS else user.namespace
        for scope in TokenScope:
            actor = Actor.of_user(user, via="token", scope=scope)
            expected = scope.rank >= weakest.rank
            assert can(work, actor, action, resource) == expected, (action, scope)


def test_whoever_may_read_and_has_an_account_may_propose(work, people):
    actors, acme = people
    public, private = Thing(acme.namespace_id, is_public=True), Thing(acme.namespace_id)
    assert can(work, actors["stranger"], PROPOSE, public)
    assert can(work, actors["org read"], PROPOSE, private)
    assert not can(work, ANONYMOUS, PROPOSE, public)
    assert not can(work, actors["stranger"], PROPOSE, private)
    assert not can(work, actors["org read"], PROPOSE, Thing(acme.namespace_id, is_public=True, is_frozen=True))


def refusal(work, actor, action, resource):
    with pytest.raises(HubError) as caught:
        require(work, actor, action, resource)
    return type(caught.value), caught.value.code


def test_a_private_thing_answers_like_a_missing_one_whatever_is_asked(work, people):
    actors, acme = people
    for who in ("anonymous", "stranger"):
        for action in CONTENT_ACTIONS:
            assert refusal(work, actors[who], action, Thing(acme.namespace_id)) == (
                NotFound,
                "repository_not_found",
            )


def test_a_refusal_says_as_much_as_the_asker_may_know(work, people):
    actors, acme = people
    public, private = Thing(acme.namespace_id, is_public=True), Thing(acme.namespace_id)
    assert refusal(work, ANONYMOUS, WRITE, public)[0] is NotSignedIn
    assert refusal(work, actors["stranger"], WRITE, public) == (Denied, "denied")
    assert refusal(work, actors["org read"], WRITE, private) == (Denied, "denied")
    archived = Thing(acme.namespace_id, is_frozen=True)
    assert refusal(work, actors["org owner"], WRITE, archived) == (Denied, "archived")
    writer = service.get_user(work, "org-write")
    token = Actor.of_user(writer, via="token", scope=TokenScope.READ)
    assert refusal(work, token, WRITE, private) == (Denied, "scope_insufficient")
    with pytest.raises(NotSignedIn):
        require_site_admin(work, ANONYMOUS)
    with pytest.raises(Denied):
        require_site_admin(work, actors["org owner"])


def test_a_decision_costs_one_query_and_a_refusal_of_reading_no_more(work, people, count_queries):
    actors, acme = people
    private = Thing(acme.namespace_id)
    with count_queries() as queries:
        assert can(work, actors["org write"], WRITE, private)
    assert len(queries) == 1
    with count_queries() as queries, pytest.raises(NotFound):
        require(work, actors["stranger"], READ, private)
    assert len(queries) == 1
    with count_queries() as queries:
        assert can(work, ANONYMOUS, READ, Thing(acme.namespace_id, is_public=True))
        assert not can(work, ANONYMOUS, READ, private)
    assert queries == []
