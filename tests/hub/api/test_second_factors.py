import pyotp
import pytest

from hub.accounts import service
from hub.accounts.models import TokenScope
from hub.accounts.passwords import hash_password
from hub.accounts.policy import SYSTEM, Actor
from hub.accounts.second_factor import switch_on
from hub.accounts.service import second_factors
from hub.base.settings import SettingsError
from hub.db.uow import unit_of_work
from hub.http.actor import check_settings
from hub.jobs.run import run_due
from tests.support.api import Caller, data, refusal
from tests.support.http import basic

WORD = "correct-horse"
HTML = {"Accept": "text/html"}

pytestmark = pytest.mark.any_database


@pytest.fixture
def make_person(context, clock):
    """``make_person("ada", admin=False)``: an account with a password, and an access token of it."""

    def make(name="ada", *, admin=False):
        with unit_of_work(context) as work:
            password = hash_password(context, WORD)
            email = f"{name}@example.org"
            user = service.create_user(work, actor=SYSTEM, name=name, email=email, password=password, is_admin=admin)
            _, token = service.create_token(work, actor=SYSTEM, user=user, name="laptop", scope=TokenScope.ADMIN)
        return user, token

    return make


@pytest.fixture
def guard(context, clock):
    """``guard(user)``: the account has a second factor; returns what gives a code of the next half minute."""

    def switch(user):
        actor = Actor.of_user(user, via="session")
        with unit_of_work(context) as work:
            secret = second_factors.begin(work, actor=actor, user=service.get_user(work, user.name)).secret

        def code():
            clock.advance(30)
            return pyotp.TOTP(secret).at(clock.now())

        switch_on(context, actor=actor, name=user.name, code=code())
        return code

    return switch


def test_a_password_alone_is_taken_nowhere_and_a_token_everywhere(client, make_person, guard, make_repository):
    user, token = make_person(admin=True)
    make_repository(user, "thing", private=True)
    code = guard(user)
    git = "/models/ada/thing.git"
    places = [
        ("GET", "/api/v1/whoami", None),
        ("GET", "/api/v1/models/ada/thing", None),
        ("POST", "/api/v1/token/git/fresh", {"permission": "read"}),
        ("POST", "/api/v1/jwt/token", {"uuid": user.uuid}),
        ("GET", "/api/v1/admin/users", None),
        ("GET", "/api/whoami-v2", None),
        ("GET", "/hf/api/whoami-v2", None),
        ("GET", "/models/ada/thing/resolve/main/README.md", None),
        ("GET", f"{git}/info/refs?service=git-upload-pack", None),
        ("GET", f"{git}/info/refs?service=git-receive-pack", None),
        ("POST", f"{git}/info/lfs/objects/batch", {"operation": "download", "objects": []}),
    ]
    for method, path, body in places:
        with_password = {"Authorization": basic("ada", WORD)}
        refused = client.open(path, method=method, json=body, headers=with_password)
        assert refused.status_code == 401, (path, refused.text)
        assert "second factor" in refused.text or "second_factor" in str(refused.headers), path
        for credential in (basic("ada", token), f"Bearer {token}"):
            allowed = client.open(path, method=method, json=body, headers={"Authorization": credential})
            # The token's name is taken the second time; an empty batch is no batch.
            assert allowed.status_code in (200, 302, 307, 409, 422), (path, allowed.text)
            allowed.close()
    refused = client.get(f"{git}/info/refs?service=git-upload-pack", headers={"Authorization": basic("ada", WORD)})
    assert "/settings/access-token" in refused.text
    assert refused.headers["WWW-Authenticate"].startswith("Basic")
    # The API takes a code beside the password, once; Git has no use for one.
    both = {"Authorization": basic("ada", WORD), "X-Second-Factor": code()}
    assert client.get("/api/v1/whoami", headers=both).json["data"]["auth"]["type"] == "password"
    assert refusal(client.get("/api/v1/whoami", headers=both)) == (401, "second_factor_wrong")
    both["X-Second-Factor"] = code()
    assert client.get(f"{git}/info/refs?service=git-upload-pack", headers=both).status_code == 401


def test_a_session_is_opened_by_password_and_code(client, make_person, guard, clock):
    user, _ = make_person()
    code, caller = guard(user), Caller(client)
    body = {"username": "ada", "password": WORD}
    refused = caller.post("/session", body)
    assert refusal(refused) == (401, "second_factor_needed")
    assert "Set-Cookie" not in refused.headers
    assert refusal(caller.post("/session", body | {"password": "wrong", "code": code()})) == (401, "AUTH-ERR-0")
    assert refusal(caller.post("/session", body | {"code": "000000"})) == (401, "second_factor_wrong")
    data(caller.post("/session", body | {"code": code(), "remember_device": True}))
    assert client.get_cookie(f"hub_device_{user.id}").http_only
    word = data(caller.get("/whoami"))["auth"]["csrf_token"]
    caller.headers = {"X-CSRF-Token": word}
    (device,) = data(caller.get("/user/ada/second_factor/devices"))
    # This browser needs no code the next time; forgotten, it does.
    word = data(caller.post("/session", body))["auth"]["csrf_token"]
    caller.headers = {"X-CSRF-Token": word}
    data(caller.delete(f"/user/ada/second_factor/devices/{device['id']}"))
    assert refusal(caller.delete(f"/user/ada/second_factor/devices/{device['id']}"))[0] == 404
    assert refusal(caller.post("/session", body)) == (401, "second_factor_needed")
    # By the header as well, and by a recovery code.
    (recovery, *_) = data(caller.post("/user/ada/second_factor/recovery_codes", {"code": code()}))["recovery_codes"]
    caller.headers["X-Second-Factor"] = code()
    assert caller.post("/session", body).status_code == 200
    caller.headers = {}
    assert caller.post("/session", body | {"code": recovery}).status_code == 200
    assert refusal(caller.post("/session", body | {"code": recovery})) == (401, "second_factor_wrong")


def test_it_is_switched_on_and_off_over_rest(client, make_person, clock):
    _, token = make_person()
    _, foreign = make_person("root-1", admin=True)
    ada, root, path = Caller(client, token), Caller(client, foreign), "/user/ada/second_factor"
    assert data(ada.get(path)) == {"is_on": False, "is_required": False, "recovery_codes_left": 0}
    assert refusal(ada.put(path, {"code": "123456"})) == (409, "second_factor_not_begun")
    assert refusal(root.post(path))[0] == 403
    begun = data(ada.post(path))
    assert begun["qr"].startswith("data:image/svg+xml")
    assert ada.put(path, {"code": "x" * 33}).status_code == 400
    assert refusal(ada.put(path, {"code": "000000"})) == (400, "second_factor_wrong")
    # Other browsers are signed out by it.
    browser = client.application.test_client()
    browser.post("/api/v1/session", json={"username": "ada", "password": WORD})
    assert browser.get("/api/v1/whoami").status_code == 200
    codes = data(ada.put(path, {"code": pyotp.TOTP(begun["secret"]).at(clock.now())}))["recovery_codes"]
    assert browser.get("/api/v1/whoami").status_code == 401
    assert data(root.get(path)) == {"is_on": True, "is_required": False, "recovery_codes_left": 10}
    assert refusal(ada.post(path)) == (409, "second_factor_on")
    assert refusal(ada.delete(path, {"password": "wrong", "code": codes[0]})) == (403, "password_wrong")
    assert refusal(root.delete(path, {"password": WORD, "code": codes[0]}))[0] == 403
    data(ada.delete(path, {"password": WORD, "code": codes[0]}))
    assert refusal(root.delete("/admin/users/ada/second_factor")) == (409, "second_factor_off")
    assert refusal(root.delete("/admin/users/root-1/second_factor")) == (403, "second_factor_own")
    assert refusal(ada.delete("/admin/users/ada/second_factor"))[0] == 403


@pytest.mark.settings(second_factor_required="everybody")
def test_who_must_have_one_sets_it_up_and_does_nothing_else_before(client, make_person, make_repository, clock):
    user, token = make_person()
    make_repository(user, "thing", private=True)
    ada = Caller(client)
    ada.headers = {
        "X-CSRF-Token": data(ada.post("/session", {"username": "ada", "password": WORD}))["auth"]["csrf_token"]
    }
    for method, path in (("GET", "/users"), ("GET", "/models/ada/thing"), ("POST", "/token/git/fresh")):
        assert refusal(ada.call(method, path, {"permission": "read"})) == (403, "second_factor_missing"), path
    with_password = {"Authorization": basic("ada", WORD)}
    assert (
        client.get("/models/ada/thing.git/info/refs?service=git-upload-pack", headers=with_password).status_code == 403
    )
    for path in ("/", "/models/ada/thing", "/settings/account?x=1", "/login"):
        led = client.get(path, headers=HTML)
        assert (led.status_code, led.location.split("?")[0]) == (303, "/login/second-factor"), path
    page = client.get("/login/second-factor?next=/models", headers=HTML)
    assert page.status_code == 200
    assert 'data-testid="factor.begin"' in page.text
    # A token is not asked for it.
    bearer = Caller(client, token)
    assert bearer.get("/models/ada/thing").status_code == 200
    assert data(ada.get("/user/ada/second_factor"))["is_required"] is True
    secret = data(ada.post("/user/ada/second_factor"))["secret"]
    data(ada.put("/user/ada/second_factor", {"code": pyotp.TOTP(secret).at(clock.now())}))
    assert ada.get("/models/ada/thing").status_code == 200
    assert client.get("/", headers=HTML).status_code == 200
    assert client.get("/login/second-factor?next=/models", headers=HTML).location == "/models"


@pytest.mark.settings(second_factor_required="administrators")
def test_only_administrators_must_have_one_where_that_is_said(client, make_person, settings):
    make_person()
    make_person("root-1", admin=True)
    for name, status in (("ada", 200), ("root-1", 403)):
        caller = Caller(client)
        data(caller.post("/session", {"username": name, "password": WORD}))
        assert caller.get("/users").status_code == status, name
        assert client.post("/logout").status_code == 303
    with pytest.raises(SettingsError, match="second_factor_required"):
        check_settings(settings.__class__(home=settings.home, second_factor_required="all"))


def test_the_account_is_told_of_a_browser_that_it_does_not_know(client, context, make_person, clock):
    _, token = make_person()
    body, firefox = {"username": "ada", "password": WORD}, {"User-Agent": "Mozilla/5.0 (X11; Linux) Firefox/140.0"}
    for browser in (client, client, client.application.test_client(), client.application.test_client()):
        assert browser.post("/api/v1/session", json=body, headers=firefox).status_code == 200
    run_due(context)
    # Not of the first sign-in, nor of one more of the same browser; of the same strangeness once a day.
    titles = [told["title"] for told in data(Caller(client, token).get("/notifications"))["messages"]]
    assert titles == ["Your account was signed in to from Firefox, Linux at 127.0.0.1"]
