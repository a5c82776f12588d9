import pyotp
import pytest

from hub.accounts import service
from hub.accounts.passwords import hash_password
from hub.accounts.policy import SYSTEM, Actor
from hub.accounts.second_factor import MAX_CODE_ATTEMPTS, switch_on
from hub.accounts.service import second_factors
from hub.db.uow import unit_of_work

pytestmark = pytest.mark.any_database

HTML = {"Accept": "text/html"}
WORD = "correct-horse"


@pytest.fixture
def app(context, clock):
    """Ada's authenticator, as pyotp has it; ``app.recovery``: her recovery codes."""
    with unit_of_work(context) as work:
        word = hash_password(context, WORD)
        user = service.create_user(work, actor=SYSTEM, name="ada", email="ada@example.org", password=word)
        actor = Actor.of_user(user, via="session")
        secret = second_factors.begin(work, actor=actor, user=user).secret
    app = pyotp.TOTP(secret)
    app.recovery = switch_on(context, actor=actor, name="ada", code=app.at(clock.now()))
    clock.advance(60)
    return app


def give_password(client, **form):
    return client.post("/login", data={"username": "ada", "password": WORD, "next": "/settings/account", **form})


def give_code(client, code, **form):
    return client.post("/login/code", data={"code": code, "next": "/settings/account", **form}, headers=HTML)


def test_one_signs_in_by_two_forms_without_scripts_and_comes_to_the_page_asked_for(client, app, clock):
    step = give_password(client, remember="on")
    assert (step.status_code, step.location) == (303, "/login/code?next=/settings/account")
    assert client.get_cookie("hub_session") is None
    assert client.get_cookie("hub_half", path="/login").http_only
    assert client.get("/settings/account", headers=HTML).status_code == 303  # the half opens nothing
    page = client.get(step.location, headers=HTML).text
    assert 'autocomplete="one-time-code" inputmode="numeric"' in page
    wrong = give_code(client, "<b>0000")
    assert (wrong.status_code, 'data-testid="code.fault"' in wrong.text, "<b>0000" in wrong.text) == (401, True, False)
    done = give_code(client, app.at(clock.now()), remember_device="on")
    assert (done.status_code, done.location) == (303, "/settings/account")
    assert client.get_cookie("hub_half", path="/login") is None
    shown = client.get("/settings/account", headers={**HTML, "User-Agent": "Mozilla/5.0 Firefox/140.0"}).text
    assert 'data-testid="factor.device"' in shown
    client.post("/logout")
    # A browser that is remembered is not asked again.
    assert give_password(client).location == "/settings/account"


def test_a_half_is_needed_and_a_recovery_code_does_once(client, app):
    for answer in (client.get("/login/code?next=/models", headers=HTML), give_code(client, "000000", next="/models")):
        assert (answer.status_code, answer.location) == (303, "/login?next=/models")
    for status in (303, 401):
        give_password(client)
        page = client.get("/login/code?recovery=1", headers=HTML).text
        assert 'name="recovery"' in page
        assert give_code(client, app.recovery[0], recovery="1").status_code == status
    assert client.post("/login/code", headers={"Origin": "https://evil.example"}).status_code == 403
    assert give_code(client, app.recovery[1], next="//evil.example").location == "/"


def test_too_many_codes_are_answered_with_when_to_come_back(client, app, clock):
    give_password(client)
    for _ in range(MAX_CODE_ATTEMPTS):
        assert give_code(client, "000000").status_code == 401
    answer = give_code(client, app.at(clock.now()))
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0
    assert "Too many attempts" in answer.text


def test_administrators_see_and_take_off_what_others_have(client, app, make_user, make_token):
    root = {**HTML, "Authorization": f"Bearer {make_token(make_user('root-1', admin=True), 'admin')}"}
    assert 'data-testid="user.factor"' in client.get("/admin_panel/users/ada", headers=root).text
    assert client.delete("/api/v1/admin/users/ada/second_factor", headers=root).status_code == 200
    page = client.get("/admin_panel/users/ada", headers=root).text
    assert 'data-testid="user.factor"' not in page
    assert "This account has none." in page
    assert give_password(client).location == "/settings/account"
