import pytest

from hub.accounts.models import Verification
from hub.db.uow import reading
from tests.support.api import data, refusal

PAPERS = {"real_name": "Ada Lovelace", "id_card_front": "https://i.example/f", "id_card_back": "https://i.example/b"}
COMPANY = {
    "path": "acme",
    "company_name": "Acme Inc.",
    "unified_credit_code": "91-x",
    "contact_name": "Ada",
    "contact_email": "ada@acme.example",
    "business_license_img": "https://i.example/l",
}


def test_a_user_asks_and_an_administrator_decides(context, as_user, nobody):
    ada, eve, root = as_user("ada"), as_user("eve"), as_user("root-1", admin=True)
    own = f"/user/verify/{ada.user.uuid}"
    assert nobody.post("/user/verify", PAPERS).status_code == 401
    assert ada.post("/user/verify", PAPERS | {"real_name": " "}).status_code == 400
    assert ada.get(own).status_code == 404
    asked = data(ada.post("/user/verify", PAPERS))
    assert (asked["status"], asked["username"], asked["real_name"]) == ("pending", "ada", "Ada Lovelace")
    again = data(ada.post("/user/verify", PAPERS | {"real_name": "A. Lovelace"}))
    assert again["id"] == asked["id"]  # one is under way at most
    decision = f"/user/verify/{asked['id']}"
    for path in (own, decision):
        assert data(ada.get(path))["real_name"] == data(root.get(path))["real_name"] == "A. Lovelace"
        assert (nobody.get(path).status_code, eve.get(path).status_code) in ((401, 403), (401, 404))
    with reading(context) as work:
        assert "Lovelace" not in work.session.query(Verification).one().sealed_details
    assert ada.put(decision, {"status": "approved"}).status_code == 403
    assert root.put(decision, {"status": "perhaps"}).status_code == 400
    for missing in ("/user/verify/99", "/user/verify/9223372036854775808", f"/organization/verify/{asked['id']}"):
        assert root.put(missing, {"status": "approved"}).status_code == 404
    assert data(root.put(decision, {"status": "rejected", "reason": "unreadable"}))["reason"] == "unreadable"
    assert data(ada.get("/user/ada"))["verify_status"] == "rejected"
    newer = data(ada.post("/user/verify", PAPERS))
    assert newer["id"] != asked["id"]
    data(root.put(f"/user/verify/{newer['id']}", {"status": "approved"}))
    assert refusal(ada.post("/user/verify", PAPERS)) == (409, "verified")
    found = data(root.get("/users?verify_status=approved"))["data"]
    assert [(user["username"], user["verify_status"]) for user in found] == [("ada", "approved")]


@pytest.mark.any_database
def test_an_organisation_that_is_approved_is_shown_as_verified(as_user, nobody):
    ada, eve, root = as_user("ada"), as_user("eve"), as_user("root-1", admin=True)
    data(ada.post("/organizations", {"name": "acme", "org_type": "enterprise"}))
    data(ada.post("/organizations", {"name": "beta"}))
    assert eve.post("/organization/verify", COMPANY).status_code == 403
    assert ada.post("/organization/verify", COMPANY | {"path": "none"}).status_code == 404
    asked = data(ada.post("/organization/verify", COMPANY))
    assert (asked["path"], asked["company_name"], asked["status"]) == ("acme", "Acme Inc.", "pending")
    assert eve.get("/organization/verify/acme").status_code == 403
    # That a request is under way is for the organisation and for site administrators to know.
    assert data(ada.get("/organization/acme"))["verify_status"] == "pending"
    assert data(eve.get("/organization/acme"))["verify_status"] == "none"
    assert eve.get("/organizations?verify_status=pending").status_code == 403
    assert data(root.get("/organizations?verify_status=pending"))["total"] == 1
    data(root.put(f"/organization/verify/{asked['id']}", {"status": "approved"}))
    shown = data(nobody.get("/organizations?verify_status=approved&org_type=enterprise"))["data"]
    assert [(one["path"], one["verified"], one["verify_status"]) for one in shown] == [("acme", True, "approved")]
    assert [one["path"] for one in data(nobody.get("/organizations?verify_status=none"))["data"]] == ["beta"]
    assert ada.put("/organization/acme", {"verified": False}).status_code == 403
    assert data(root.put("/organization/acme", {"verified": False, "org_type": "school"}))["verified"] is False


@pytest.mark.any_database
def test_what_was_handed_in_goes_with_the_account_or_organisation(context, as_user):
    ada, root = as_user("ada"), as_user("root-1", admin=True)
    data(ada.post("/organizations", {"name": "acme"}))
    data(ada.post("/organization/verify", COMPANY))
    data(ada.post("/user/verify", PAPERS))
    data(ada.delete("/organization/acme"))
    with reading(context) as work:
        assert work.session.query(Verification).one().subject_type == "user"
    data(root.delete("/user/ada"))
    with reading(context) as work:
        assert not work.session.query(Verification).count()
