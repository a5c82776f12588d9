import threading

import pytest
from sqlalchemy import func, select

from hub.accounts import service
from hub.accounts.models import User
from hub.accounts.policy import ANONYMOUS, SYSTEM
from hub.accounts.service import licenses
from hub.base.errors import Denied, HubError, NotSignedIn
from hub.db.uow import reading, unit_of_work
from hub.licensing.service import LICENSING
from tests.support.licenses import install, make_license


@pytest.fixture(autouse=True)
def still(clock):
    """Licences are judged at a moment that stands still."""


def create(context, name):
    with unit_of_work(context) as work:
        return service.create_user(work, actor=SYSTEM, name=name, email=f"{name}@example.org")


def refused(context, name):
    with pytest.raises(Denied) as caught:
        create(context, name)
    return caught.value.code


def count(context):
    with reading(context) as work:
        return work.session.scalar(select(func.count(User.id)).where(User.is_active))


def test_of_ten_seats_eleven_are_given_and_the_twelfth_is_refused(context, make_user):
    install(context, make_license(max_user=10))
    for number in range(11):
        create(context, f"user-{number}")
    assert refused(context, "one-too-many") == "license_seats"
    assert count(context) == 11
    with reading(context) as work:
        assert context[LICENSING].standing(work).state == "valid"


def test_over_the_seats_nobody_is_logged_out_and_nobody_comes_in(context, make_user, make_token):
    users = [make_user(f"user-{number}") for number in range(3)]
    tokens = [make_token(user) for user in users]
    install(context, make_license(max_user=1))
    with reading(context) as work:
        assert context[LICENSING].standing(work).state == "over_seats"
        assert all(service.find_token(work, value).user.is_active for value in tokens)
    assert refused(context, "another") == "license_seats"


def test_who_is_switched_off_takes_no_seat_and_needs_one_to_come_back(context, make_user):
    install(context, make_license(max_user=2, overage_pct=0))
    ada, eve = create(context, "ada"), create(context, "eve")
    with unit_of_work(context) as work:
        service.deactivate_user(work, actor=SYSTEM, user=service.get_user(work, "ada"))
    create(context, "bob")
    with pytest.raises(Denied, match="seats"), unit_of_work(context) as work:
        service.reactivate_user(work, actor=SYSTEM, user=service.get_user(work, "ada"))
    with unit_of_work(context) as work:
        service.reactivate_user(work, actor=SYSTEM, user=service.get_user(work, "eve"))
    assert (ada.name, eve.name, count(context)) == ("ada", "eve", 2)


def test_two_who_take_the_last_seat_at_once_do_not_both_get_it(context):
    install(context, make_license(max_user=3, overage_pct=0))
    create(context, "ada")
    outcomes = []

    def take(name):
        try:
            outcomes.append(create(context, name).name)
        except HubError as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=take, args=(f"user-{number}",)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("license_seats") == 3
    assert count(context) == 3


@pytest.mark.settings(edition="lite")
def test_lite_has_one_seat(context):
    create(context, "ada")
    assert refused(context, "eve") == "license_seats"


def test_without_a_limit_nobody_is_counted(context, count_queries):
    context[LICENSING].refresh()
    with count_queries() as queries:
        create(context, "ada")
    assert not any("count(" in statement.lower() for statement in queries)


def test_only_site_administrators_touch_the_licence_and_others_leave_no_trace(context, make_user, actor_of):
    ada, root = actor_of(make_user("ada")), actor_of(make_user("root-1", admin=True))
    text = make_license()
    for actor, error in ((ada, Denied), (ANONYMOUS, NotSignedIn)):
        for act in (
            lambda work, actor=actor: licenses.import_license(work, actor=actor, text=text),
            lambda work, actor=actor: licenses.verify_license(work, actor=actor, text=text),
            lambda work, actor=actor: licenses.remove_license(work, actor=actor),
            lambda work, actor=actor: licenses.list_licenses(work, actor=actor),
            lambda work, actor=actor: licenses.get_license(work, actor=actor, license_id=1),
            lambda work, actor=actor: licenses.make_request(work, actor=actor),
        ):
            with pytest.raises(error), unit_of_work(context) as work:
                act(work)
    with unit_of_work(context) as work:
        assert licenses.list_licenses(work, actor=root).total == 0
        stored = licenses.import_license(work, actor=root, text=text).stored
    assert stored.actor_id == root.user_id
    with unit_of_work(context) as work:
        assert licenses.get_license_status(work, actor=ada).state == "valid"
        with pytest.raises(NotSignedIn):
            licenses.get_license_status(work, actor=ANONYMOUS)
        assert licenses.get_license(work, actor=root, license_id=stored.id).id == stored.id
        assert licenses.verify_license(work, actor=root, text=text).state == "valid"
        assert licenses.remove_license(work, actor=root).id == stored.id
        assert "LICENSE REQUEST" in licenses.make_request(work, actor=root)
