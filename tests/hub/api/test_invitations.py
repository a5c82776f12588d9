"""How accounts come to be by an administrator's doing: a link for one of them, a table for many."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest

from hub.accounts import service
from hub.accounts.policy import SYSTEM
from hub.base.mail import MAILER, create_mailer
from hub.base.settings import Settings
from hub.db.uow import reading, unit_of_work
from hub.jobs.run import run_due
from tests.support.api import Caller, data, refusal
from tests.support.smtp import PostOffice

PASSWORD = "correct-horse-battery"


@pytest.fixture
def root(as_user):
    return as_user("root-1", admin=True)


def code_of(url):
    return parse_qs(urlsplit(url).query)["invitation"][0]


def join(client, code, name="guest", email="guest@example.org"):
    body = {"username": name, "email": email, "password": PASSWORD, "invitation": code}
    return Caller(client).post("/users", body)


@pytest.mark.settings(registration=False)
def test_a_link_makes_one_account_where_registration_is_closed(client, root, nobody, clock):
    body = {"username": "guest", "email": "guest@example.org", "password": PASSWORD}
    assert refusal(nobody.post("/users", body)) == (403, "registration_closed")
    made = data(root.post("/admin/invitations", {"email": "Guest@Example.org", "note": "the new colleague", "days": 7}))
    code = code_of(made["url"])
    page = client.get(f"/signup?invitation={code}").text
    assert "Guest@Example.org" in page
    assert refusal(join(client, code, email="other@example.org")) == (400, "invitation_email")
    assert refusal(join(client, "no-such-code")) == (400, "invitation_invalid")
    assert data(join(client, code))["username"] == "guest"
    assert refusal(join(client, code, name="again", email="guest@example.org")) == (400, "invitation_invalid")
    [listed] = data(root.get("/admin/invitations"))
    assert (listed["state"], listed["used_by"], listed["invited_by"]) == ("used", "guest", "root-1")
    assert "url" not in listed
    assert refusal(root.post("/admin/invitations", {"email": "guest@example.org"})) == (409, "USER-ERR-13")
    # One that was taken back, and one whose time is over.
    back, late = (data(root.post("/admin/invitations", {})) for _ in range(2))
    data(root.delete(f"/admin/invitations/{back['uuid']}"))
    clock.advance(8 * 86400)
    for one in (back, late):
        assert refusal(join(client, code_of(one["url"]), name="late")) == (400, "invitation_invalid")
    assert data(root.get("/admin/invitations"))[0]["state"] == "expired"


def test_an_invitation_by_mail_tells_its_code_to_nobody_else(context, client, root, monkeypatch):
    assert refusal(root.post("/admin/invitations", {"email": "guest@example.org", "send": True})) == (409, "mail")
    with PostOffice() as office:
        settings = Settings(home=context.settings.home, mail_url=f"smtp://127.0.0.1:{office.port}")
        monkeypatch.setitem(context._values, MAILER.name, create_mailer(settings))
        made = data(root.post("/admin/invitations", {"email": "guest@example.org", "send": True}))
        assert "url" not in made
        run_due(context)
        [post] = office.posts
    url = re.search(r"http\S+invitation=\S+", post.message.get_body(("plain",)).get_content())[0]
    assert data(join(client, code_of(url)))["username"] == "guest"


def test_many_accounts_are_looked_over_and_made_together(context, root, nobody):
    table = "\ufeffusername,email,nickname,role,phone\nann,ann@example.org,Ann,,1\n\nben,ben@example.org,,admin,2\n"
    looked = data(root.post("/admin/users/import", {"csv": table}))
    assert looked == {"rows": 2, "created": 0, "findings": []}
    done = data(root.post("/admin/users/import", {"csv": table, "dry_run": False}))
    assert done["created"] == 2
    with reading(context) as work:
        ann, ben = (service.get_user(work, name) for name in ("ann", "ben"))
        assert (ann.nickname, ann.is_admin, ben.is_admin) == ("Ann", False, True)
        # Nobody knows it; a link gives another.
        assert ann.password_hash
    lines = ("ann,new@example.org,", "cat,ann@example.org,king", "dan,no-address,", "dan,d@example.org,")
    bad = "\n".join(("username,email,role", *lines, "Dan,e@example.org,", "x y,f@example.org,", ""))
    refused = data(root.post("/admin/users/import", {"csv": bad, "dry_run": False}))
    found = {(one["line"], one["column"], one["code"]) for one in refused["findings"]}
    assert found >= {
        (2, "username", "USER-ERR-12"),
        (3, "role", "role_invalid"),
        (4, "email", "email_invalid"),
        (6, "username", "csv_double"),
    }
    assert {line for line, _, _ in found} == {2, 3, 4, 6, 7}
    assert refused["created"] == 0
    with reading(context) as work:
        assert service.find_user(work, "dan") is None
    for text in (
        "",
        "name,mail\na,b\n",
        "username,email\n",
        'username,email\n"a,b\n',
        "username,email\n" + "a,b\n" * 1001,
    ):
        assert refusal(root.post("/admin/users/import", {"csv": text}))[0] == 400, text[:40]
    assert nobody.post("/admin/users/import", {"csv": table}).status_code == 401


def test_an_import_that_meets_a_new_account_makes_none(context, root, monkeypatch):
    from hub.accounts.service import importing

    looking = importing._look_for_taken

    def look_and_be_overtaken(work, result):
        looking(work, result)
        with unit_of_work(context) as other:
            service.create_user(other, actor=SYSTEM, name="ben", email="ben2@example.org")

    monkeypatch.setattr(importing, "_look_for_taken", look_and_be_overtaken)
    table = "username,email\nann,ann@example.org\nben,ben@example.org\n"
    done = data(root.post("/admin/users/import", {"csv": table, "dry_run": False}))
    assert (done["created"], done["findings"][0]["line"]) == (0, 3)
    with reading(context) as work:
        assert service.find_user(work, "ann") is None
