from datetime import timedelta

import pytest

from hub.licensing.request import read_request
from tests.support.api import data, refusal
from tests.support.licenses import NOW, install, make_license, make_revocations

ONE = "6f1c7e0e-0000-4000-8000-000000000001"


@pytest.fixture(autouse=True)
def still(clock):
    """Licences are judged at a moment that stands still."""


@pytest.fixture
def root(as_user):
    return as_user("root-1", admin=True)


@pytest.fixture
def ada(as_user):
    return as_user("ada", scope="read")


def test_the_status_of_a_hub_without_a_licence(ada, nobody):
    status = data(ada.get("/licenses/status"))
    assert (status["state"], status["active_edition"], status["users"], status["id"]) == ("none", "ce", 1, None)
    assert (status["features"], status["notices"], status["limits"]["clusters"]) == ([], [], 1)
    assert nobody.get("/licenses/status").status_code == 401


def test_a_licence_is_imported_shown_downloaded_and_removed(root, ada):
    text = make_license(id=ONE, features=["audit"], extra={"a": 1})
    done = data(root.put("/licenses/import", {"data": text, "remark": "order 12"}))
    assert (done["state"], done["license_id"], done["revoked"]) == ("valid", ONE, 0)
    status = data(ada.get("/licenses/status"))
    assert (status["company"], status["email"], status["product"]) == ("Acme", "it@acme.example", "hub")
    assert (status["edition"], status["max_user"], status["users"], status["version"]) == ("ee", 10, 2, "1")
    assert (status["extra"], status["features"], status["limits"]["users"]) == ({"a": 1}, ["audit"], 10)
    assert status["expire_time"].startswith("2028-01-01")
    [stored] = data(root.get("/licenses?search=acme&edition=ee&product=hub&per=10&page=1"))
    assert (stored["id"], stored["status"], stored["remark"]) == (status["id"], "active", "order 12")
    assert data(root.get(f"/licenses/management/{stored['id']}"))["license_id"] == ONE
    file = root.get(f"/licenses/management/{stored['id']}?create_license_file=true")
    assert (file.text, file.mimetype) == (text, "text/plain")
    assert "attachment" in file.headers["Content-Disposition"]
    assert data(root.delete(f"/licenses/{stored['id']}"))["status"] == "inactive"
    assert data(ada.get("/licenses/status"))["state"] == "none"
    assert refusal(root.delete("/licenses/999")) == (404, "license_not_found")
    assert refusal(root.get("/licenses/management/999")) == (404, "license_not_found")


def test_a_licence_is_verified_without_being_installed(root):
    standing = data(root.post("/licenses/verify", {"data": make_license(fingerprint="ab" * 32)}))
    assert (standing["state"], standing["reason"], standing["id"]) == ("invalid", "fingerprint", None)
    assert data(root.get("/licenses/status"))["state"] == "none"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("hello", "license_malformed"),
        (make_license()[:-100], "license_truncated"),
        (make_license() + make_license(), "license_two"),
        (make_license(product="other"), "license_product"),
        (make_license(version=2), "license_version"),
    ],
)
def test_a_bad_licence_is_refused_with_what_to_do(root, text, code):
    for answer in (root.put("/licenses/import", {"data": text}), root.post("/licenses/verify", {"data": text})):
        assert refusal(answer) == (400, code)
        assert "." in answer.json["msg"]


def test_a_body_that_does_not_fit_is_refused(root):
    for body in ({}, {"data": ""}, {"data": 5}, {"data": None}):
        assert root.put("/licenses/import", body).status_code == 400
    assert root.get("/licenses?page=0").status_code == 400


def test_a_revocation_list_is_imported_the_same_way(root):
    data(root.put("/licenses/import", {"data": make_license(id=ONE)}))
    done = data(root.put("/licenses/import", {"data": make_revocations(ONE)}))
    assert (done["revoked"], done["state"], done["reason"]) == (1, "invalid", "revoked")


def test_notices_for_administrators_are_theirs_alone(root, ada, context, clock):
    install(context, make_license(expire_time=NOW + timedelta(days=3)))
    [notice] = data(root.get("/licenses/status"))["notices"]
    assert notice["audience"] == "admin"
    assert data(ada.get("/licenses/status"))["notices"] == []
    clock.moment = NOW + timedelta(days=4)
    assert data(ada.get("/licenses/status"))["notices"][0]["audience"] == "everyone"


def test_a_request_is_text_for_the_vendor(root):
    answer = root.get("/licenses/request")
    assert answer.mimetype == "text/plain"
    assert read_request(answer.text).counts == {"users": 1}


def test_everything_but_the_status_is_for_administrators(as_user, ada, nobody):
    reader = as_user("root-2", admin=True, scope="read")
    for caller, status in ((ada, 403), (reader, 403), (nobody, 401)):
        answers = [
            caller.get("/licenses"),
            caller.get("/licenses/management/1"),
            caller.put("/licenses/import", {"data": make_license()}),
            caller.post("/licenses/verify", {"data": make_license()}),
            caller.delete("/licenses/1"),
            caller.get("/licenses/request"),
        ]
        assert {answer.status_code for answer in answers} == {status}


def test_a_customers_hub_issues_nothing(root):
    assert root.post("/licenses/management", {}).status_code == 404
    assert root.put("/licenses/management/1", {}).status_code == 405


def test_when_all_seats_are_taken_registration_says_so(root, nobody, context):
    install(context, make_license(max_user=1))
    body = {"username": "eve", "email": "eve@example.org", "password": "correct-horse"}
    assert refusal(nobody.post("/users", body)) == (403, "license_seats")
