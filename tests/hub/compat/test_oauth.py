"""Sign-in of a program by a code: what the program is told, and who may agree."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hub.accounts.service.device_logins import LIFE_S

GRANT = "urn:ietf:params:oauth:grant-type:device_code"


@pytest.fixture
def login(call):
    """What a program is given to begin with."""
    return call("POST", "/hf/oauth/device", None, data={"client_id": "any"}).json


@pytest.fixture
def ask(call):
    """``ask(device_code)``: status, and the token or the error."""

    def run(device_code, grant=GRANT):
        answer = call("POST", "/hf/oauth/token", None, data={"grant_type": grant, "device_code": device_code})
        assert answer.headers["Cache-Control"] == "no-store"
        return answer.status_code, answer.json.get("access_token") or answer.json["error"]

    return run


@pytest.fixture
def own(call, people, make_token):
    """``own("DELETE", path)``: a call of ada's with all of her rights, as her browser has them."""
    token = make_token(people["ada"], "admin")
    return lambda method, path, **request: call(method, path, token, **request)


@pytest.fixture
def agree(own):
    """``agree(user_code, name="hf")``: the answer to the page's form."""

    def run(user_code, name="hf", **more):
        return own("POST", f"/api/v1/token/git/{name}", json={"user_code": user_code, **more})

    return run


@pytest.mark.any_database
def test_a_program_has_its_token_once_its_user_agreed(call, login, ask, agree):
    assert login["verification_uri_complete"].endswith(f"/settings/access-token?device={login['user_code']}")
    assert ask(login["device_code"]) == (400, "authorization_pending")
    typed = login["user_code"].lower().replace("-", " ")
    assert agree(typed, permission="read").status_code == 200
    status, token = ask(login["device_code"])
    assert status == 200
    told = call("GET", "/hf/api/whoami-v2", token).json
    assert (told["name"], told["auth"]["accessToken"]["role"]) == ("ada", "read")
    # A program that lost the answer asks again; nobody agrees twice.
    assert ask(login["device_code"]) == (200, token)
    again = agree(login["user_code"], name="second")
    assert (again.status_code, again.json["code"]) == (409, "device_code_used")
    # Another program has another code.
    other = call("POST", "/oauth/device", None).json
    assert ask(other["device_code"]) == (400, "authorization_pending")


@pytest.mark.any_database
def test_codes_that_are_old_mistyped_or_forged_are_good_for_nothing(login, ask, agree, clock):
    code, device_code = login["user_code"], login["device_code"]
    wrong = code[:-1] + ("B" if code[-1] != "B" else "C")
    for typed in (wrong, code[:-1], code + "B", "1234-5678-9012", "\N{PILE OF POO}"):
        refused = agree(typed)
        assert (refused.status_code, refused.json["code"]) == (400, "device_code_invalid"), typed
    text, _, signature = device_code.rpartition(".")
    later = f"{text.partition('.')[0]}.{int(text.partition('.')[2]) + 9}"
    for forged in ("", ".", "x", text, f"{later}.{signature}", f"{text}.{signature[:-1]}"):
        assert ask(forged) == (400, "invalid_grant"), forged
    assert ask(device_code, "refresh_token") == (400, "invalid_grant")
    assert ask(device_code, "password") == (400, "unsupported_grant_type")
    clock.advance(LIFE_S)
    assert ask(device_code) == (400, "expired_token")
    clock.advance(LIFE_S)
    assert agree(code).json["code"] == "device_code_invalid"


@pytest.mark.any_database
def test_a_token_says_when_it_ends_and_is_not_given_once_it_was_deleted(login, ask, agree, own, call, clock):
    agree(login["user_code"], expired_at=(clock.now() + timedelta(hours=1)).isoformat())
    data = {"grant_type": GRANT, "device_code": login["device_code"]}
    assert call("POST", "/hf/oauth/token", None, data=data).json["expires_in"] == 3600
    assert own("DELETE", "/api/v1/token/git/hf").status_code == 200
    assert ask(login["device_code"]) == (400, "authorization_pending")
