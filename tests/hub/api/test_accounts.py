from datetime import timedelta

import pytest

from hub.accounts import service
from hub.accounts.attempts import MAX_ATTEMPTS
from hub.accounts.models import Role
from hub.accounts.passwords import hash_password
from hub.accounts.policy import SYSTEM
from hub.db.uow import unit_of_work
from tests.hub.accounts.test_keys import ed25519_line
from tests.support.api import Caller, data, refusal

WORD = "correct-horse"


PUBLIC = {"username", "nickname", "avatar", "orgs", "tags", "namespaces"}


def test_whoami_says_who_and_by_what(as_user, nobody):
    ada = as_user("ada", scope="read")
    me = data(ada.get("/whoami"))
    assert (me["username"], me["email"], me["uuid"]) == ("ada", "ada@example.org", ada.user.uuid)
    assert me["auth"] == {"type": "token", "scope": "read"}
    space = {"path": "ada", "type": "user", "uuid": ada.user.namespace.uuid, "avatar": ""}
    assert me["namespaces"] == [space | {"Path": "ada", "Type": "user", "UUID": space["uuid"], "Avatar": ""}]
    assert refusal(nobody.get("/whoami")) == (401, "AUTH-ERR-0")


def test_a_user_shows_others_little_and_themselves_all(as_user, nobody):
    ada, eve, root = as_user("ada", scope="read"), as_user("eve"), as_user("root-1", admin=True)
    for caller, is_full in ((nobody, False), (eve, False), (ada, True), (root, True)):
        shown = data(caller.get("/user/ADA"))
        assert set(shown) >= PUBLIC
        assert (set(shown) == PUBLIC) == (not is_full)
        assert ("email" in shown) == is_full
    assert data(nobody.get(f"/user/{ada.user.uuid}?type=uuid"))["username"] == "ada"
    for path in ("/user/none", "/user/none?type=uuid", "/user/a%00b"):
        assert nobody.get(path).status_code in (400, 404)


def test_a_user_is_changed_by_uuid_by_themselves_or_an_administrator(as_user, nobody):
    ada, eve, root = as_user("ada"), as_user("eve"), as_user("root-1", admin=True)
    path = f"/user/{ada.user.uuid}"
    body = {"nickname": "Countess", "bio": "x", "homepage": "https://a.example", "phone": "ignored"}
    changed = data(ada.put(path, body))
    assert (changed["nickname"], changed["bio"], changed["homepage"]) == ("Countess", "x", "https://a.example")
    for zone in ("Asia/Shanghai", ""):
        assert data(ada.put(path, {"time_zone": zone}))["time_zone"] == zone
    assert refusal(ada.put(path, {"time_zone": "../etc/passwd"})) == (400, "time_zone_unknown")
    assert refusal(eve.put(path, body))[0] == 403
    assert refusal(nobody.put(path, body))[0] == 401
    assert refusal(ada.put(path, {"roles": ["admin"]}))[0] == 403
    assert data(root.put(path, {"roles": ["admin"]}))["roles"] == ["admin"]
    assert refusal(ada.put(path, {"email": "eve@example.org"})) == (409, "USER-ERR-13")
    assert ada.put(path, {"homepage": "javascript:1"}).status_code == 400
    assert ada.put(path, {"nickname": 5}).status_code == 400
    assert ada.put("/user/ada", body).status_code == 404


def test_users_are_listed_for_those_who_are_signed_in(as_user, nobody):
    ada, root = as_user("ada", scope="read"), as_user("root-1", admin=True)
    page = data(ada.get("/users?per=1"))
    assert page["total"] == 2
    assert [set(user) & {"username", "email"} for user in page["data"]] == [{"username"}]
    assert "email" in data(root.get("/users?search=ada&exact_match=true"))["data"][0]
    assert nobody.get("/users").status_code == 401
    assert refusal(ada.get("/users?per=101")) == (400, "REQ-ERR-6")


def test_people_register_sign_in_work_and_sign_out(client, nobody):
    body = {"username": "ada", "email": "ada@example.org", "password": WORD}
    assert data(nobody.post("/users", body))["username"] == "ada"
    assert refusal(nobody.post("/users", body)) == (409, "USER-ERR-12")
    answer = nobody.post("/session", {"username": "ada@example.org", "password": WORD})
    me = data(answer)
    assert "HttpOnly" in answer.headers["Set-Cookie"]
    word = me["auth"]["csrf_token"]
    assert data(nobody.get("/whoami"))["auth"] == {"type": "session", "csrf_token": word}
    assert refusal(nobody.put(f"/user/{me['uuid']}", {"bio": "x"})) == (403, "csrf_failed")
    nobody.headers = {"X-CSRF-Token": word}
    assert data(nobody.put(f"/user/{me['uuid']}", {"bio": "x"}))["bio"] == "x"
    key = client.get_cookie("hub_session").value
    data(nobody.delete("/session"))
    assert client.get_cookie("hub_session") is None
    client.set_cookie("hub_session", key)
    assert nobody.get("/whoami").status_code == 401
    data(nobody.delete("/session"))


@pytest.mark.parametrize(
    "change,status",
    [
        ({"username": "a"}, 400),
        ({"username": "models"}, 400),
        ({"email": "x"}, 400),
        ({"password": "short"}, 400),
        ({"password": "x" * 257}, 400),
        ({"password": "ada@example.org"}, 400),
        ({"password": "\ud800" * 9}, 400),
        ({"nickname": "x" * 30}, 400),
        ({"username": None}, 400),
        ({"password": 5}, 400),
    ],
)
def test_a_registration_that_breaks_a_rule_makes_no_account(nobody, client, change, status):
    body = {"username": "ada", "email": "ada@example.org", "password": WORD} | change
    assert nobody.post("/users", body).status_code == status
    assert nobody.get("/user/ada").status_code == 404


@pytest.mark.settings(registration=False)
def test_where_registration_is_closed_administrators_make_the_accounts(nobody, as_user):
    body = {"username": "ada", "email": "ada@example.org", "password": WORD}
    assert refusal(nobody.post("/users", body)) == (403, "registration_closed")
    assert as_user("eve").post("/users", body).status_code == 403
    assert data(as_user("root-1", admin=True).post("/users", body))["username"] == "ada"


def test_registrations_of_one_address_are_limited(nobody):
    for number in range(MAX_ATTEMPTS):
        nobody.post("/users", {"username": f"user-{number}", "email": "x", "password": WORD})
    answer = nobody.post("/users", {"username": "ada", "email": "ada@example.org", "password": WORD})
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0


def test_a_wrong_password_says_no_more_than_that(nobody, context):
    with unit_of_work(context) as work:
        password = hash_password(context, WORD)
        service.create_user(work, actor=SYSTEM, name="ada", email="ada@example.org", password=password)
    wrong = nobody.post("/session", {"username": "ada", "password": "wrong"})
    unknown = nobody.post("/session", {"username": "eve", "password": "wrong"})
    assert refusal(wrong) == refusal(unknown) == (401, "AUTH-ERR-0")
    assert wrong.json["msg"] == unknown.json["msg"]
    assert "Set-Cookie" not in wrong.headers
    for login in ("a\0b", "\ud800", "x" * 10_000):
        assert nobody.post("/session", {"username": login, "password": WORD}).status_code == 401
    assert nobody.post("/session", {"username": "ada"}).status_code == 400
    for _ in range(MAX_ATTEMPTS):
        answer = nobody.post("/session", {"username": "ada", "password": "wrong"})
    assert answer.status_code == 429


def test_a_password_is_changed_by_one_who_knows_it(context, client, nobody, as_user):
    with unit_of_work(context) as work:
        password = hash_password(context, WORD)
        user = service.create_user(work, actor=SYSTEM, name="ada", email="ada@example.org", password=password)
        _, value = service.create_token(work, actor=SYSTEM, user=user, name="t", scope="admin")
    ada, eve = Caller(client, value), as_user("eve")
    path = "/user/ada/password"
    assert refusal(ada.put(path, {"old_password": "no", "new_password": "a new word"})) == (403, "password_wrong")
    assert eve.put(path, {"old_password": WORD, "new_password": "a new word"}).status_code == 403
    data(ada.put(path, {"old_password": WORD, "new_password": "a new word"}))
    data(nobody.post("/session", {"username": "ada", "password": "a new word"}))


def test_a_token_is_made_shown_once_listed_masked_renewed_and_ended(client, as_user, nobody):
    ada = as_user("ada")
    made = data(ada.post("/token/git/laptop", {"permission": "read", "expired_at": "2099-01-01T08:00:00+08:00"}))
    assert (made["git_id"], made["user"]["username"], made["user_id"]) == (made["id"], "ada", made["user"]["id"])
    assert (made["name"], made["application"], made["permission"]) == ("laptop", "git", "read")
    assert made["expired_at"].startswith("2099-01-01T00:00:00")
    assert refusal(ada.post("/token/git/laptop")) == (409, "SYS-ERR-4")
    listed = data(ada.get("/user/ada/tokens?app=git"))
    assert [token["token_name"] for token in listed] == ["laptop", "token-1"]
    assert made["token"] not in str(listed)
    assert data(Caller(client, made["token"]).get("/whoami"))["auth"]["scope"] == "read"
    assert data(nobody.get(f"/token/{made['token']}?app=git"))["user_name"] == "ada"
    assert nobody.get(f"/token/{made['token']}?app=mirror").status_code == 404
    renewed = data(ada.put("/token/git/laptop"))["token"]
    assert nobody.get(f"/token/{made['token']}").status_code == 404
    assert data(nobody.get(f"/token/{renewed}"))["token_name"] == "laptop"
    data(ada.delete("/token/git/laptop"))
    assert nobody.get(f"/token/{renewed}").status_code == 404
    assert refusal(ada.delete("/token/git/laptop")) == (404, "SYS-ERR-3")


def test_tokens_are_made_by_their_owner_with_enough_rights_only(as_user, nobody):
    ada, eve = as_user("ada", scope="write"), as_user("eve")
    assert refusal(ada.post("/token/git/more")) == (403, "AUTH-ERR-2")
    assert nobody.post("/token/git/more").status_code == 401
    assert eve.get("/user/ada/tokens").status_code == 403
    assert nobody.get("/user/ada/tokens").status_code == 401
    for path, body in (
        ("/token/other/x", {}),
        ("/token/git/x", {"expired_at": "2020-01-01T00:00:00Z"}),
        ("/token/git/" + "x" * 65, {}),
    ):
        assert eve.post(path, body).status_code == 400
    data(eve.post("/token/git/x"))
    for moment in ("soon", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"):
        assert eve.post("/token/git/y", {"expired_at": moment}).status_code == 400
        assert eve.put("/token/git/x", {"expired_at": moment}).status_code == 400
    assert eve.post("/token/git/x", {"permission": "all"}).status_code == 400


def test_ssh_keys_are_added_listed_and_removed(as_user, nobody):
    ada, eve, line = as_user("ada"), as_user("eve"), ed25519_line()
    made = data(ada.post("/user/ada/ssh_keys", {"name": "laptop", "content": f"{line} me@home"}))
    assert (made["name"], made["content"]) == ("laptop", line)
    assert made["fingerprint_sha256"].startswith("SHA256:")
    assert data(ada.get("/user/ada/ssh_keys")) == [made]
    assert refusal(eve.post("/user/eve/ssh_keys", {"name": "x", "content": line})) == (409, "SYS-ERR-4")
    assert refusal(ada.post("/user/ada/ssh_keys", {"content": "nonsense"})) == (400, "REQ-ERR-6")
    assert eve.post("/user/ada/ssh_keys", {"content": ed25519_line()}).status_code == 403
    assert eve.get("/user/ada/ssh_keys").status_code == 403
    assert nobody.get("/user/ada/ssh_keys").status_code == 401
    data(ada.delete("/user/ada/ssh_key/laptop"))
    assert data(ada.get("/user/ada/ssh_keys")) == []
    assert ada.delete("/user/ada/ssh_key/laptop").status_code == 404


def test_an_organisation_lives_from_its_creation_to_its_end(as_user, nobody):
    ada, eve = as_user("ada"), as_user("eve")
    body = {"name": "acme", "nickname": "Acme Inc.", "description": "We make it.", "org_type": "school"}
    made = data(ada.post("/organizations", body))
    # The creator is an owner, whom the platform's clients know as an admin.
    assert (made["path"], made["name"], made["role"], made["is_owner"]) == ("acme", "Acme Inc.", "admin", True)
    assert made["namespace"]["Path"] == made["namespace"]["path"] == "acme"
    assert refusal(ada.post("/organizations", {"name": "a" * 30})) == (400, "REPO-ERR-1")
    assert data(eve.post("/organizations", {"name": "a" * 29}))["path"] == "a" * 29
    assert made["org_type"] == "school"
    assert refusal(eve.post("/organizations", {"name": "ACME"})) == (409, "USER-ERR-20")
    assert nobody.post("/organizations", body).status_code == 401
    assert "role" not in data(nobody.get("/organization/acme"))
    assert "role" not in data(eve.get("/organization/acme"))
    assert data(ada.get("/organization/ACME"))["role"] == "admin"
    assert data(ada.put("/organization/acme", {"nickname": "Acme"}))["name"] == "Acme"
    assert data(ada.put("/organization/acme", {"time_zone": "Europe/Berlin"}))["time_zone"] == "Europe/Berlin"
    assert ada.put("/organization/acme", {"time_zone": "Mars/Olympus"}).status_code == 400
    assert eve.put("/organization/acme", {"nickname": "Eve"}).status_code == 403
    page = data(nobody.get("/organizations?search=acm"))
    assert ([organization["path"] for organization in page["data"]], page["total"]) == (["acme"], 1)
    assert data(nobody.get("/organizations?tag=robotics")) == {"data": [], "total": 0}
    assert "role" not in data(nobody.get("/user/ada/organizations"))["data"][0]
    assert nobody.get("/user/ada/organizations?role=owner").status_code == 401
    for role in ("owner", "admin"):
        [mine] = data(ada.get(f"/user/ada/organizations?role={role}&search=acm"))["data"]
        assert (mine["role"], mine["is_owner"]) == ("admin", True)
    assert data(ada.get("/user/ada/organizations?role=read"))["total"] == 0
    uuid = made["namespace"]["uuid"]
    for reference in ("ACME", uuid):
        found = data(nobody.get(f"/namespaces/{reference}"))
        assert found == {"Path": "acme", "Type": "organization", "UUID": uuid, "Avatar": ""}
    assert eve.delete("/organization/acme").status_code == 403
    data(ada.delete("/organization/acme"))
    assert nobody.get("/organization/acme").status_code == 404


def test_members_come_change_and_go(as_user, nobody):
    ada, eve, bob = as_user("ada"), as_user("eve"), as_user("bob")
    data(ada.post("/organizations", {"name": "acme"}))
    members = "/organization/acme/members"
    data(ada.post(members, {"users": "eve, bob", "role": "read"}))
    assert refusal(ada.post(members, {"users": "eve", "role": "read"})) == (409, "SYS-ERR-4")
    assert ada.post(members, {"users": " , ", "role": "read"}).status_code == 400
    assert ada.post(members, {"users": "eve", "role": "chief"}).status_code == 400
    # Who has no right is not told first whether there is such a user.
    for caller, status in ((nobody, 401), (bob, 403)):
        for name in ("none", "ada"):
            assert caller.post(members, {"users": name, "role": "read"}).status_code == status
            assert caller.put(f"{members}/{name}", {"new_role": "read"}).status_code == status
            assert caller.delete(f"{members}/{name}").status_code == status
            assert caller.delete(f"/user/{name}").status_code == status
    assert as_user("stranger").get(f"{members}/none").status_code == 403
    inside, outside = data(eve.get(members)), data(nobody.get(members))
    assert [(member["role"], member["is_owner"]) for member in inside["data"]] == [
        ("admin", True),
        ("read", False),
        ("read", False),
    ]
    assert data(eve.get(f"{members}/ada")) == "admin"
    assert all("role" not in member for member in outside["data"])
    assert inside["total"] == outside["total"] == 3
    assert data(eve.get(f"{members}/eve")) == "read"
    assert nobody.get(f"{members}/eve").status_code == 401
    data(ada.put(f"{members}/eve", {"old_role": "read", "new_role": "admin"}))
    assert refusal(ada.put(f"{members}/eve", {"old_role": "read", "new_role": "write"})) == (412, "REQ-ERR-0")
    assert refusal(eve.put(f"{members}/eve", {"new_role": "owner"}))[0] == 403
    # An owner is removed and changed by the role that is shown, and an admin who is to be an admin stays an owner.
    assert refusal(ada.put(f"{members}/ada", {"new_role": "read"})) == (409, "SYS-ERR-6")
    assert refusal(ada.put(f"{members}/ada", {"old_role": "admin", "new_role": "read"})) == (409, "SYS-ERR-6")
    data(ada.put(f"{members}/ada", {"old_role": "admin", "new_role": "admin"}))
    assert refusal(ada.delete(f"{members}/ada", {"role": "admin"})) == (409, "SYS-ERR-6")
    assert data(ada.get("/organization/acme"))["is_owner"] is True
    assert bob.delete(f"{members}/eve").status_code == 403
    assert refusal(bob.delete(f"{members}/bob", {"role": "write"})) == (412, "REQ-ERR-0")
    data(bob.delete(f"{members}/bob", {"role": "read"}))
    data(eve.delete(f"{members}/eve"))
    assert data(eve.get(f"{members}/eve")) == ""


def test_adding_several_members_adds_all_or_none(context, as_user, make_user, nobody):
    ada = as_user("ada")
    make_user("eve")
    data(ada.post("/organizations", {"name": "acme"}))
    assert ada.post("/organization/acme/members", {"users": "eve,none", "role": "read"}).status_code == 404
    assert data(nobody.get("/organization/acme/members"))["total"] == 1


def test_nobody_promotes_themselves_through_the_api(context, as_user):
    ada, root = as_user("ada"), as_user("root-1", admin=True)
    data(ada.post("/organizations", {"name": "acme"}))
    body = {"users": "root-1", "role": "owner"}
    assert refusal(root.post("/organization/acme/members", body)) == (403, "SYS-ERR-7")
    with unit_of_work(context) as work:
        organization, user = service.get_organization(work, "acme"), service.get_user(work, "root-1")
        service.add_member(work, actor=SYSTEM, organization=organization, user=user, role=Role.READ)
    assert refusal(root.put("/organization/acme/members/root-1", {"new_role": "admin"})) == (403, "SYS-ERR-7")


@pytest.mark.parametrize(
    "method,path",
    [("POST", "/users"), ("POST", "/session"), ("POST", "/organizations"), ("POST", "/user/ada/ssh_keys")],
)
@pytest.mark.parametrize("body", [b"{", b"[]", b"null", b"\xff", b'"x"', b""])
def test_a_body_that_is_no_object_is_refused(as_user, client, method, path, body):
    ada = as_user("ada")
    answer = client.open(
        f"/api/v1{path}", method=method, data=body, headers=ada.headers, content_type="application/json"
    )
    assert answer.status_code == 400
    assert set(answer.json) >= {"code", "msg"}


@pytest.mark.settings(api_token="k" * 64)
def test_session_tokens_are_made_by_the_system_and_sign_in(client, as_user, nobody):
    ada, system = as_user("ada"), Caller(client, "k" * 64)
    for caller, status in ((nobody, 401), (ada, 403)):
        assert caller.post("/jwt/token", {"uuid": ada.user.uuid}).status_code == status
        assert caller.get("/jwt/a.b.c").status_code == status
    made = data(system.post("/jwt/token", {"uuid": ada.user.uuid}))
    assert made["expire_at"]
    assert data(system.get(f"/jwt/{made['token']}"))["username"] == "ada"
    assert data(Caller(client, made["token"]).get("/whoami"))["auth"] == {"type": "jwt"}
    renewed = data(system.post("/jwt/token", {"uuid": ada.user.uuid, "old_token": made["token"]}))
    assert refusal(Caller(client, made["token"]).get("/whoami")) == (401, "AUTH-ERR-5")
    assert refusal(system.get(f"/jwt/{made['token']}")) == (404, "AUTH-ERR-4")
    assert data(Caller(client, renewed["token"]).get("/user/ada"))["email"] == "ada@example.org"
    assert system.post("/jwt/token", {"uuid": "none"}).status_code == 404
    assert refusal(system.get("/whoami")) == (401, "AUTH-ERR-1")
    assert data(system.get("/whoami?current_user=ada"))["username"] == "ada"


@pytest.mark.any_database
def test_an_account_has_so_many_good_tokens_and_no_more(context, clock, as_user, monkeypatch):
    monkeypatch.setattr("hub.accounts.service.tokens.MAX_TOKENS", 3)
    ada = as_user("ada")  # by a token, which counts
    data(ada.post("/token/git/one", {"expired_at": (clock.now() + timedelta(hours=1)).isoformat()}))
    data(ada.post("/token/git/two"))
    assert refusal(ada.post("/token/git/three")) == (409, "too_many_tokens")
    data(ada.post("/token/mirror/three"))
    # What has expired makes room.
    clock.advance(3601)
    data(ada.post("/token/git/three"))
    assert {token["token_name"] for token in data(ada.get("/user/ada/tokens?app=git"))} == {"token-1", "two", "three"}


@pytest.mark.any_database
def test_an_account_that_is_off_is_shown_to_administrators_only(as_user, nobody, make_repository):
    ada, root = as_user("ada"), as_user("root-1", admin=True)
    make_repository(ada.user)
    data(root.post("/admin/users/ada/deactivate"))
    for path in ("/user/ada", f"/user/{ada.user.uuid}?type=uuid", "/user/ada/organizations"):
        assert refusal(nobody.get(path)) == (404, "AUTH-ERR-1")
        data(root.get(path))
    # What it made stays in reach.
    assert data(nobody.get("/models/ada/thing"))["path"] == "ada/thing"
