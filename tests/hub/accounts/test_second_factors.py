from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pyotp
import pytest
from sqlalchemy import select

from hub.accounts import service
from hub.accounts.models_factors import RecoveryCode, RememberedDevice, SecondFactor
from hub.accounts.passwords import hash_password
from hub.accounts.policy import SYSTEM, Actor
from hub.accounts.second_factor import MAX_CODE_ATTEMPTS, SecondFactorNeeded, check_code, renew_codes, switch_on
from hub.accounts.service import second_factors
from hub.accounts.signing_in import finish_sign_in, make_half, sign_in, switch_off
from hub.base.errors import Conflict, Denied, HubError, Invalid, NotSignedIn, RateLimited
from hub.base.mail import MAILER, create_mailer
from hub.community.models import Notification
from hub.db.uow import reading, unit_of_work
from hub.jobs.run import run_due
from tests.support.smtp import PostOffice

WORD = "correct-horse"


@pytest.fixture
def ada(context, clock):
    with unit_of_work(context) as work:
        password = hash_password(context, WORD)
        return service.create_user(work, actor=SYSTEM, name="ada", email="ada@example.org", password=password)


@pytest.fixture
def app(context, ada):
    """Ada's authenticator, whose second factor is on; ``app.codes``: her recovery codes."""
    actor = Actor.of_user(ada, via="session")
    with unit_of_work(context) as work:
        begun = second_factors.begin(work, actor=actor, user=service.get_user(work, "ada"))
        again = second_factors.begin(work, actor=actor, user=service.get_user(work, "ada"))
    assert begun == again
    assert begun.uri.startswith("otpauth://totp/Hub%20127.0.0.1:ada?secret=" + begun.secret)
    return App(context, ada, actor, begun.secret)


class App:
    def __init__(self, context, user, actor, secret):
        self.context, self.user, self.actor, self.secret = context, user, actor, secret
        with pytest.raises(Invalid, match="wrong"):
            switch_on(context, actor=actor, name="ada", code="000000")
        self.codes = switch_on(context, actor=actor, name="ada", code=self.code())
        with reading(context) as work:
            self.user = service.get_user(work, "ada")
        # The code that has switched it on is used.
        assert self.refusal(self.code()) == "second_factor_wrong"
        context.clock.advance(60)

    def code(self, drift_s=0):
        return pyotp.TOTP(self.secret).at(self.context.clock.now().timestamp() + drift_s)

    def refusal(self, code):
        """What the code is refused with; empty for a good one."""
        try:
            check_code(self.context, self.user, code)
        except HubError as error:
            return error.code
        return ""


def test_a_code_is_good_once_and_a_step_early_or_late(context, clock, app):
    for drift_s, is_good in ((-60, False), (60, False), (-30, True), (0, True), (30, True)):
        assert (app.refusal(app.code(drift_s)) == "") is is_good, drift_s
    # All up to the newest one are used: also one that was never given.
    for drift_s in (-30, 0, 30):
        assert app.refusal(app.code(drift_s)) == "second_factor_wrong"
    clock.advance(30)
    code = app.code(30)
    assert app.refusal(f" {code[:3]} {code[3:]} ") == ""
    assert app.refusal(app.code()) == "second_factor_wrong"
    for odd in (
        "",
        "12345",
        "1234567",
        "\u0661\u0662\u0663\u0664\u0665\u0666",
        "ä" * 12,
        "\ud800" * 12,
        "\ud800" * 6,
        "\0" * 6,
        "x" * 10_000,
    ):
        assert app.refusal(odd) == "second_factor_wrong"


def test_guessing_ends_after_ten_codes_whatever_the_address(context, clock, app):
    assert app.refusal(app.code()) == ""
    clock.advance(60)
    for number in range(MAX_CODE_ATTEMPTS):
        with pytest.raises(NotSignedIn):
            check_code(context, app.user, "000000", address=f"10.0.0.{number}")
    with pytest.raises(RateLimited) as refused:
        check_code(context, app.user, app.code(), address="10.1.0.1")
    assert refused.value.details["retry_after_s"] > 0
    assert "address" not in str(refused.value)
    # It is counted apart from the passwords, and for each account.
    with pytest.raises(SecondFactorNeeded):
        sign_in(context, login="ada", password=WORD)


def test_recovery_codes_are_good_once_and_replaced_by_ten_new_ones(context, app):
    assert len(set(app.codes)) == second_factors.RECOVERY_CODES
    assert app.refusal(app.codes[0].lower().replace("-", " ")) == ""
    assert app.refusal(app.codes[0]) == "second_factor_wrong"
    with reading(context) as work:
        assert second_factors.find_state(work, actor=app.actor, user=app.user).recovery_codes_left == 9
    fresh = renew_codes(context, actor=app.actor, name="ada", code=app.codes[1])
    assert app.refusal(app.codes[2]) == "second_factor_wrong"
    assert app.refusal(fresh[0]) == ""


@pytest.mark.parametrize("kind", ["recovery", "app"])
def test_of_two_who_give_one_code_at_once_one_is_let_in(context, app, kind):
    code, both = app.codes[0] if kind == "recovery" else app.code(), Barrier(2)

    def give():
        both.wait()
        return app.refusal(code)

    with ThreadPoolExecutor(2) as pool:
        answers = [given.result() for given in [pool.submit(give), pool.submit(give)]]
    assert sorted(answers) == ["", "second_factor_wrong"]


def test_the_database_alone_lets_nobody_in(context, app):
    with unit_of_work(context) as work:
        key = second_factors.remember_device(work, user=service.get_user(work, "ada"))
    with reading(context) as work:
        kept = [str(work.session.execute(select(table.__table__)).all()) for table in (SecondFactor, RecoveryCode)]
        kept.append(str(work.session.execute(select(RememberedDevice.__table__)).all()))
    words = [app.secret, key, *app.codes, *(code.replace("-", "") for code in app.codes)]
    assert [word for word in words if any(word in text for text in kept)] == []


def test_a_password_alone_signs_nobody_in_but_on_a_remembered_device(context, clock, app):
    with pytest.raises(SecondFactorNeeded):
        sign_in(context, login="ada", password=WORD)
    with pytest.raises(NotSignedIn) as wrong:  # and the code alone nobody, either
        sign_in(context, login="ada", password="wrong", code=app.code())
    assert wrong.value.code == "AUTH-ERR-0"
    sign_in(context, login="ada", password=WORD, code=app.code())
    with unit_of_work(context) as work:
        key = second_factors.remember_device(work, user=service.get_user(work, "ada"), user_agent="Firefox")
    sign_in(context, login="ada", password=WORD, devices=["x" * 43, key], address="10.0.0.1")
    with reading(context) as work:
        (device,) = second_factors.list_devices(work, actor=app.actor, user=app.user)
    assert (device.user_agent, device.address) == ("Firefox", "10.0.0.1")
    clock.advance(second_factors.REMEMBER_FOR.total_seconds())
    with pytest.raises(SecondFactorNeeded):
        sign_in(context, login="ada", password=WORD, devices=[key])
    with unit_of_work(context) as work:
        assert second_factors.delete_expired_devices(work) == 1


def test_a_half_is_good_for_ten_minutes_and_until_the_password_changes(context, clock, app):
    with reading(context) as work:
        user = service.get_user(work, "ada")
    half = make_half(context, user, is_kept=True)

    def finish(half):
        return finish_sign_in(context, half=half, code=app.code(), user_agent="x")

    for forged in ("", "...", half[:-1], half.replace(".1.", ".0."), f"{user.uuid}.99999999999.1.x", "\0.1.1.x"):
        with pytest.raises(NotSignedIn) as refused:
            finish(forged)
        assert refused.value.code == "AUTH-ERR-0"
    assert finish(half)[2] is True
    clock.advance(600)
    with pytest.raises(NotSignedIn):
        finish(half)
    half = make_half(context, user, is_kept=False)
    with unit_of_work(context) as work:
        user = service.get_user(work, "ada")
        key = second_factors.remember_device(work, user=user)
        service.set_password(work, actor=SYSTEM, user=user, password=hash_password(context, "another-horse"))
    with pytest.raises(NotSignedIn):
        finish(half)
    # Nor is any device remembered after that.
    with pytest.raises(SecondFactorNeeded):
        sign_in(context, login="ada", password="another-horse", devices=[key])


def test_it_is_switched_off_by_password_and_code_and_by_administrators(context, clock, app):
    off = {"actor": app.actor, "name": "ada"}
    with pytest.raises(Denied) as wrong:
        switch_off(context, password="wrong", code=app.code(), **off)
    assert wrong.value.code == "password_wrong"
    with pytest.raises(Invalid):
        switch_off(context, password=WORD, code="000000", **off)
    with unit_of_work(context) as work:
        root = service.create_user(work, actor=SYSTEM, name="root-1", email="r@example.org", is_admin=True)
    admin = Actor.of_user(root, via="session")
    with pytest.raises(Denied):  # whoever administers may only take it off
        renew_codes(context, actor=admin, name="ada", code=app.code())
    with unit_of_work(context) as work, pytest.raises(Denied):
        second_factors.reset(work, actor=app.actor, user=service.get_user(work, "ada"))
    switch_off(context, password=WORD, code=app.code(), **off)
    sign_in(context, login="ada", password=WORD)
    with pytest.raises(Conflict):
        switch_off(context, password=WORD, code=app.code(), **off)
    with reading(context) as work:
        assert work.session.scalars(select(SecondFactor)).all() + work.session.scalars(select(RecoveryCode)).all() == []
    with unit_of_work(context) as work:
        begun = second_factors.begin(work, actor=app.actor, user=service.get_user(work, "ada"))
    assert begun.secret != app.secret
    switch_on(context, actor=app.actor, name="ada", code=pyotp.TOTP(begun.secret).at(clock.now()))
    with unit_of_work(context) as work:
        second_factors.reset(work, actor=admin, user=service.get_user(work, "ada"))
    sign_in(context, login="ada", password=WORD)


@pytest.mark.any_database
def test_the_account_is_told_of_each_change_by_mail_too(context, app):
    with PostOffice() as office:
        context._values[MAILER.name] = create_mailer(
            context.settings.__class__(home=context.settings.home, mail_url=f"smtp://127.0.0.1:{office.port}")
        )
        app.refusal(app.codes[0])
        renew_codes(context, actor=app.actor, name="ada", code=app.code())
        with unit_of_work(context) as work:
            second_factors.reset(work, actor=SYSTEM, user=service.get_user(work, "ada"))
        run_due(context)
        subjects = {post.message["subject"] for post in office.posts}
    with reading(context) as work:
        titles = set(work.session.scalars(select(Notification.title).where(Notification.user_id == app.user.id)))
    assert (
        titles
        == subjects
        == {
            "The second factor of your account is on",
            "A recovery code of your account was used",
            "Your account has new recovery codes",
            "An administrator took the second factor off your account",
        }
    )
