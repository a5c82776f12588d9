import threading

import pytest
from sqlalchemy import func, select

from hub.accounts import service
from hub.accounts.models import Namespace, User
from hub.accounts.policy import ANONYMOUS, SYSTEM, Actor
from hub.base.errors import Conflict, Denied, HubError, Invalid, NotFound, NotSignedIn
from hub.base.paging import PageArgs
from hub.db.uow import reading, unit_of_work


def create(work, name="ada", email=None, actor=SYSTEM, **fields):
    return service.create_user(work, actor=actor, name=name, email=email or f"{name.lower()}@example.org", **fields)


def code_of(function, *args, **kwargs):
    with pytest.raises(HubError) as caught:
        function(*args, **kwargs)
    return caught.value.code


def test_a_new_user_has_a_namespace_and_is_found_in_any_case(work):
    user = create(work, "Ada", nickname="Countess")
    assert service.get_user(work, "aDA") is user
    assert service.get_namespace(work, "ADA").user is user
    assert service.find_user_by_uuid(work, user.uuid) is user
    assert (user.is_active, user.is_admin, user.password_hash) == (True, False, None)


def test_a_missing_user_is_none_to_find_and_an_error_to_get(work):
    assert service.find_user(work, "nobody") is None
    with pytest.raises(NotFound):
        service.get_user(work, "nobody")
    with pytest.raises(NotFound):
        service.get_namespace(work, "nobody")


def test_names_and_addresses_are_unique_whatever_their_case(work):
    ada = create(work, "ada")
    service.create_organization(work, actor=SYSTEM, name="Acme", owner=ada)
    assert code_of(create, work, "ADA", "other@example.org") == "USER-ERR-12"
    assert code_of(create, work, "acme") == "USER-ERR-20"
    assert code_of(create, work, "eve", "ADA@Example.org") == "USER-ERR-13"
    for taken in ("Ada", "ACME"):
        assert code_of(service.create_organization, work, actor=SYSTEM, name=taken, owner=ada) == "USER-ERR-20"
    assert work.session.scalar(select(func.count(Namespace.id))) == 2


@pytest.mark.parametrize("name", ["a", "-ada", "ada.git", "a__b", "ada/eve", "api", "Admin", "a" * 65, "ada\n", "ädä"])
def test_a_name_that_could_not_stand_in_an_address_is_refused(work, name):
    with pytest.raises(Invalid):
        create(work, name, "a@example.org")


@pytest.mark.parametrize(
    "email", ["", "ada", "@example.org", "a b@example.org", "a@b@c", "a@" + "x" * 260, "a@b\u200b"]
)
def test_what_is_no_mail_address_is_refused(work, email):
    with pytest.raises(Invalid, match="e-mail"):
        service.create_user(work, actor=SYSTEM, name="ada", email=email)


def test_anybody_registers_themselves_while_registration_is_open_but_no_administrator(work):
    assert create(work, "ada", actor=ANONYMOUS).name == "ada"
    with pytest.raises(NotSignedIn):
        create(work, "eve", actor=ANONYMOUS, is_admin=True)
    with pytest.raises(Denied):
        create(work, "bob", actor=Actor.of_user(service.get_user(work, "ada"), via="session"))


@pytest.mark.settings(registration=False)
def test_only_administrators_create_accounts_where_registration_is_closed(work, make_user, actor_of):
    with pytest.raises(NotSignedIn):
        create(work, "ada", actor=ANONYMOUS)
    assert create(work, "ada", actor=actor_of(make_user("root-1", admin=True))).name == "ada"


def run_at_once(*functions):
    """Run the functions in threads that start together; their results or HubErrors, in order."""
    results = [None] * len(functions)
    barrier = threading.Barrier(len(functions))

    def run(index, function):
        barrier.wait()
        try:
            results[index] = function()
        except HubError as error:
            results[index] = error

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(functions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_of_many_who_want_one_name_at_once_exactly_one_gets_it(context, make_user):
    owner = make_user("owner-1")

    def as_user(name, email):
        def attempt():
            with unit_of_work(context) as work:
                return create(work, name, email)

        return attempt

    def as_organization():
        with unit_of_work(context) as work:
            return service.create_organization(
                work, actor=SYSTEM, name="Wanted", owner=service.get_user(work, owner.name)
            )

    attempts = [as_user(name, f"{name}{i}@example.org") for i, name in enumerate(["wanted", "WANTED", "Wanted"])]
    results = run_at_once(*attempts, as_organization, as_organization)
    losers = [result for result in results if isinstance(result, HubError)]
    assert len(losers) == 4
    assert all(isinstance(loser, Conflict) and loser.code in ("USER-ERR-12", "USER-ERR-20") for loser in losers)
    with reading(context) as work:
        assert work.session.scalar(select(func.count(Namespace.id)).where(Namespace.path_key == "wanted")) == 1


def test_of_two_who_want_one_mail_address_at_once_exactly_one_gets_it(context):
    def attempt(name):
        def run():
            with unit_of_work(context) as work:
                return create(work, name, "same@example.org")

        return run

    results = run_at_once(attempt("ada"), attempt("eve"))
    assert [result.code for result in results if isinstance(result, HubError)] == ["USER-ERR-13"]


def test_people_change_their_own_record_and_only_that(work, make_user, actor_of):
    ada, eve = make_user("ada"), make_user("eve")
    service.update_user(
        work, actor=actor_of(ada), user=ada, nickname=" Countess ", bio="One\nTwo", homepage="https://ada.example"
    )
    assert (ada.nickname, ada.bio, ada.homepage) == ("Countess", "One\nTwo", "https://ada.example")
    with pytest.raises(Denied):
        service.update_user(work, actor=actor_of(eve), user=ada, nickname="x")
    with pytest.raises(Denied):
        service.update_user(work, actor=actor_of(ada), user=ada, is_admin=True)
    with pytest.raises(Conflict, match="e-mail"):
        service.update_user(work, actor=actor_of(ada), user=ada, email="EVE@example.org")
    service.update_user(work, actor=actor_of(ada), user=ada, email="ADA@example.org")
    assert ada.email == "ADA@example.org"


@pytest.mark.parametrize(
    "field,value",
    [
        ("homepage", "javascript:alert(1)"),
        ("homepage", "https://"),
        ("avatar", "data:image/svg+xml,x"),
        ("nickname", "x" * 30),
        ("nickname", "a\x00b"),
        ("nickname", "a\nb"),
        ("bio", "\ud800"),
        ("homepage", "http://[bad"),
    ],
)
def test_texts_that_could_harm_a_page_are_refused(work, make_user, actor_of, field, value):
    ada = make_user("ada")
    with pytest.raises(Invalid):
        service.update_user(work, actor=actor_of(ada), user=ada, **{field: value})


def test_the_last_site_administrator_stays(work, make_user, actor_of):
    root = make_user("root-1", admin=True)
    actor = actor_of(root)
    assert code_of(service.deactivate_user, work, actor=actor, user=root) == "last_site_admin"
    assert code_of(service.update_user, work, actor=actor, user=root, is_admin=False) == "last_site_admin"
    make_user("root-2", admin=True)
    service.deactivate_user(work, actor=actor, user=root)
    assert not root.is_active


def test_two_administrators_who_switch_each_other_off_at_once_leave_one(context, make_user):
    first, second = make_user("root-1", admin=True), make_user("root-2", admin=True)

    def switch_off(actor_user, target):
        def run():
            with unit_of_work(context) as work:
                actor = Actor.of_user(actor_user, via="session")
                service.deactivate_user(work, actor=actor, user=service.get_user(work, target.name))

        return run

    results = run_at_once(switch_off(first, second), switch_off(second, first))
    assert [result.code for result in results if result] == ["last_site_admin"]
    with reading(context) as work:
        assert work.session.scalar(select(func.count(User.id)).where(User.is_active)) == 1


def test_only_administrators_switch_accounts_off_and_on(work, make_user, actor_of):
    ada, root = make_user("ada"), make_user("root-1", admin=True)
    with pytest.raises(Denied):
        service.deactivate_user(work, actor=actor_of(ada), user=ada)
    service.deactivate_user(work, actor=actor_of(root), user=ada)
    service.deactivate_user(work, actor=actor_of(root), user=ada)
    assert not ada.is_active
    service.reactivate_user(work, actor=actor_of(root), user=ada)
    assert ada.is_active


def test_users_are_listed_by_name_and_searched_without_wildcards(work, make_user, actor_of):
    actor = actor_of(make_user("ada"))
    for name in ("bob", "b_b", "eve"):
        make_user(name)
    root = actor_of(make_user("root-1", admin=True))
    service.deactivate_user(work, actor=root, user=service.get_user(work, "eve"))

    def names(actor, **args):
        return [user.name for user in service.list_users(work, actor=actor, wanted=service.UserFilter(**args)).items]

    assert names(actor) == ["ada", "b_b", "bob", "root-1"]
    assert names(actor, search="B_") == ["b_b"]
    assert names(actor, search="bob@example.org") == []
    assert names(root, search="bob@example.org") == ["bob"]
    assert names(root, search="ev") == ["eve"]
    assert names(actor, search="bo", is_exact=True) == []
    page = service.list_users(work, actor=actor, page=PageArgs(page=2, per=3))
    assert ([user.name for user in page.items], page.total) == (["root-1"], 4)
    with pytest.raises(NotSignedIn):
        service.list_users(work, actor=ANONYMOUS)


@pytest.mark.parametrize("name", ["a\0b", "\ud800", "x" * 10_000])
def test_a_name_that_no_database_can_hold_is_the_askers_fault(context, name):
    with pytest.raises((NotFound, Invalid)), reading(context) as work:
        service.get_user(work, name)
    with pytest.raises((NotFound, Invalid)), unit_of_work(context) as work:
        service.get_namespace(work, name)
