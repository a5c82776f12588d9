"""Requests for the content of gated repositories, below the APIs."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import update

from hub.accounts.models import Role, TokenScope, User
from hub.accounts.policy import ANONYMOUS, SYSTEM, Actor
from hub.accounts.service import create_organization, set_grant
from hub.base.context import Context
from hub.base.errors import Conflict, Denied, HubError, Invalid, NotFound, NotSignedIn
from hub.db.uow import reading, unit_of_work
from hub.repos.gates import check_content, may_read_content
from hub.repos.models import Repository, RequestState
from hub.repos.service import (
    archive_repository,
    decide_request,
    find_own_request,
    fork_repository,
    grant_access,
    request_access,
    transfer_repository,
    update_repository,
    update_settings,
)


@pytest.fixture
def people(make_user: Callable[..., User], actor_of: Callable[..., Actor]) -> dict[str, Actor]:
    return {name: actor_of(make_user(name)) for name in ("ada", "bob", "eve")}


@pytest.fixture
def thing(context: Context, people: dict[str, Actor], make_repository: Callable[..., Repository]) -> Repository:
    with reading(context) as work:
        owner = work.session.get_one(User, people["ada"].user_id)
    repository = make_repository(owner, "thing")
    with unit_of_work(context) as work:
        return update_settings(work, actor=people["ada"], repository_id=repository.id, gate="manual")


def test_content_is_for_roles_that_write_whatever_the_credential(
    context: Context, people: dict[str, Actor], thing: Repository, count_queries: Callable[..., object]
) -> None:
    ada, bob = people["ada"], people["bob"]
    reading_only = Actor(ada.user_id, ada.name, namespace_id=ada.namespace_id, scope=TokenScope.READ, via="token")
    with unit_of_work(context) as work:
        archive_repository(work, actor=ada, repository_id=thing.id)
        assert may_read_content(work, reading_only, thing)
        assert may_read_content(work, SYSTEM, thing)
        for role, wanted in ((Role.READ, False), (Role.WRITE, True)):
            set_grant(work, actor=ada, resource=thing, user=work.session.get_one(User, bob.user_id), role=role)
            work.session.flush()
            assert may_read_content(work, bob, thing) is wanted
    with pytest.raises(NotSignedIn):
        check_content(context, ANONYMOUS, thing)
    with unit_of_work(context) as work:
        update_settings(work, actor=ada, repository_id=thing.id, gate="")
    with reading(context) as work, count_queries() as queries:
        assert may_read_content(work, ANONYMOUS, work.session.get_one(Repository, thing.id))
    assert len(queries) == 1  # none but the row's


def test_settings_and_decisions_are_for_who_administers(
    context: Context, people: dict[str, Actor], thing: Repository
) -> None:
    ada, bob, eve = people["ada"], people["bob"], people["eve"]
    with unit_of_work(context) as work:
        set_grant(work, actor=ada, resource=thing, user=work.session.get_one(User, bob.user_id), role=Role.WRITE)
        request_access(work, actor=eve, repository_id=thing.id)
    for actor in (bob, eve):
        for step in (
            lambda work, actor=actor: update_repository(work, actor=actor, repository_id=thing.id, gate="auto"),
            lambda work, actor=actor: update_settings(work, actor=actor, repository_id=thing.id),
            lambda work, actor=actor: grant_access(work, actor=actor, repository_id=thing.id, user="eve"),
            lambda work, actor=actor: decide_request(
                work, actor=actor, repository_id=thing.id, user="eve", state=RequestState.ACCEPTED
            ),
        ):
            with pytest.raises(Denied), unit_of_work(context) as work:
                step(work)
    with pytest.raises(Invalid), unit_of_work(context) as work:
        update_repository(work, actor=ada, repository_id=thing.id, gate="shut")
    with pytest.raises(Denied) as refused:
        fork_repository(context, actor=eve, source_id=thing.id)
    assert refused.value.code == "gated_repository"


def test_a_request_of_another_repository_is_not_found(
    context: Context, people: dict[str, Actor], thing: Repository, make_repository: Callable[..., Repository]
) -> None:
    ada, eve = people["ada"], people["eve"]
    with reading(context) as work:
        owner = work.session.get_one(User, ada.user_id)
    other = make_repository(owner, "other")
    with unit_of_work(context) as work:
        update_settings(work, actor=ada, repository_id=other.id, gate="manual")
        uuid = request_access(work, actor=eve, repository_id=thing.id).uuid
    with pytest.raises(NotFound), unit_of_work(context) as work:
        decide_request(work, actor=ada, repository_id=other.id, request_uuid=uuid, state=RequestState.ACCEPTED)
    with reading(context) as work:
        own = find_own_request(work, actor=eve, repository_id=thing.id)
        assert own is not None
        assert own.state is RequestState.PENDING
        assert find_own_request(work, actor=eve, repository_id=other.id) is None


def test_of_two_that_ask_or_decide_at_once_one_is_told_so(
    context: Context, people: dict[str, Actor], thing: Repository
) -> None:
    def ask() -> str:
        try:
            with unit_of_work(context) as work:
                return request_access(work, actor=people["eve"], repository_id=thing.id).state.value
        except HubError as error:
            return error.code

    def accept() -> str:
        try:
            with unit_of_work(context) as work:
                return decide_request(
                    work, actor=people["ada"], repository_id=thing.id, user="eve", state=RequestState.ACCEPTED
                ).state.value
        except Conflict as error:
            return error.code

    with ThreadPoolExecutor(2) as pool:
        asked = sorted(pool.map(lambda _: ask(), range(2)))
        accepted = sorted(pool.map(lambda _: accept(), range(2)))
    assert asked == ["access_requested", "pending"]
    assert accepted == ["accepted", "access_request_settled"]


@pytest.mark.any_database
def test_the_gate_of_a_copy_is_the_sources_to_open(
    context: Context, people: dict[str, Actor], thing: Repository, make_user: Callable[..., User]
) -> None:
    ada, bob, eve = (people[name] for name in ("ada", "bob", "eve"))
    with unit_of_work(context) as work:
        for actor in (bob, eve):
            grant_access(work, actor=ada, repository_id=thing.id, user=actor.name)
    copy = fork_repository(context, actor=bob, source_id=thing.id, name="copy")
    # Nor by a copy of one's own copy, whatever becomes of the one between, nor under another's name.
    second = fork_repository(context, actor=bob, source_id=copy.id, name="second")
    with unit_of_work(context) as work:
        organization = create_organization(work, actor=bob, name="acme")
        transfer_repository(work, actor=bob, repository_id=second.id, namespace=organization.name)
        work.session.execute(update(Repository).where(Repository.id == second.id).values(forked_from_id=None))

    def set_gate(actor: Actor, repository: Repository, gate: str) -> str:
        try:
            with unit_of_work(context) as work:
                return update_settings(work, actor=actor, repository_id=repository.id, gate=gate).gate
        except Denied as error:
            return error.code

    for repository in (copy, second):
        for gate in ("", "auto"):
            assert set_gate(bob, repository, gate) == "gate_of_source"
        assert set_gate(bob, repository, "manual") == "manual"
    with unit_of_work(context) as work:
        set_grant(work, actor=bob, resource=copy, user=work.session.get_one(User, ada.user_id), role=Role.ADMIN)
    assert set_gate(ada, copy, "auto") == "auto"
    # When the source is for everybody, so may its copies be.
    assert set_gate(ada, thing, "") == ""
    assert [set_gate(bob, repository, "") for repository in (copy, second)] == ["", ""]
