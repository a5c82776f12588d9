import re
from datetime import date

import pytest

from hub.accounts.models import Member, Role
from hub.accounts.service import get_user
from hub.accounts.service.resets import token_for
from hub.base.mail import MAILER, Sender, SMTPMailer
from hub.community.models import Notification
from hub.db.uow import reading, unit_of_work
from hub.jobs.run import run_due
from hub.web.account_settings import name_browser
from hub.web.heatmap import make_heat_map
from hub.web.views.sign_in import blueprint  # noqa: F401 - the room under test is mounted

pytestmark = pytest.mark.any_database

HTML = {"Accept": "text/html"}
PASSWORD = "correct-horse-battery"


@pytest.fixture
def ada(client):
    """An account with a password, made as people make one."""
    form = {"username": "ada", "email": "ada@example.org", "password": PASSWORD}
    assert client.post("/api/v1/users", json=form).status_code == 200
    return "ada"


def sign_in(client, *, next="/", password=PASSWORD, **options):
    return client.post("/login", data={"username": "ada", "password": password, "next": next}, **options)


# Signing in.


def test_a_form_signs_in_without_scripts_and_leads_to_what_was_asked_for(client, ada):
    asked = client.get("/settings/sessions?x=1", headers=HTML)
    assert asked.location == "/login?next=/settings/sessions?x%3D1"
    assert client.get("/settings/sessions").status_code == 401
    page = client.get(asked.location, headers=HTML)
    assert 'value="/settings/sessions?x=1"' in page.text
    answer = sign_in(client, next="/settings/sessions?x=1")
    assert (answer.status_code, answer.location) == (303, "/settings/sessions?x=1")
    assert client.get("/settings/sessions", headers=HTML).status_code == 200
    assert client.get("/login?next=/notifications").location == "/notifications"


@pytest.mark.parametrize("next", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:1", ""])
def test_nobody_is_led_elsewhere(client, ada, next):
    assert sign_in(client, next=next).location == "/"


def test_a_wrong_password_keeps_the_name_and_says_no_more(client, ada):
    wrong = sign_in(client, password="wrong", headers=HTML)
    unknown = client.post("/login", data={"username": "<b>nobody", "password": "wrong"}, headers=HTML)
    assert (wrong.status_code, unknown.status_code) == (401, 401)
    assert 'value="ada"' in wrong.text
    assert "&lt;b&gt;nobody" in unknown.text
    fault = 'data-testid="login.fault"'
    assert [re.search(rf"{fault}.*", page.text)[0] for page in (wrong, unknown)] == [
        re.search(rf"{fault}.*", wrong.text)[0]
    ] * 2


def test_another_sites_page_signs_nobody_in_or_out(client, ada):
    foreign = {"Origin": "http://evil.example"}
    assert sign_in(client, headers=foreign).status_code == 403
    sign_in(client)
    assert client.post("/logout", headers=foreign).status_code == 403
    assert client.get("/api/v1/whoami").status_code == 200
    assert client.post("/logout").location == "/"
    assert client.get("/api/v1/whoami").status_code == 401


def test_attempts_are_counted_and_the_page_says_when_to_go_on(client, ada):
    for _ in range(20):
        sign_in(client, password="wrong")
    answer = sign_in(client, headers=HTML)
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0


# A lost password.


@pytest.fixture
def letters(context, monkeypatch):
    """What would have been sent."""
    sent = []
    mailer = SMTPMailer(Sender("Hub", "hub@example.org"), server="mail.invalid", port=25)
    monkeypatch.setattr(mailer, "_connect", lambda: type("Client", (), {"quit": int, "close": int})())
    monkeypatch.setattr(mailer, "_send", lambda _client, letter: sent.append(letter))
    context._values[MAILER.name] = mailer
    return sent


def test_a_lost_password_is_replaced_by_a_link_that_is_good_once(context, client, ada, letters):
    sign_in(client)
    for login in ("ADA@example.org", "nobody@example.org"):
        assert client.post("/api/v1/password_resets", json={"login": login}).json == {"msg": "OK"}
    run_due(context)
    [letter] = letters
    assert letter.to == "ada@example.org"
    link = re.search(r"http\S+", letter.text)[0]
    token = link.partition("token=")[2]
    assert 'name="new_password"' in client.get(f"/login/reset?token={token}").text
    body = {"token": token, "new_password": "battery-horse-correct"}
    assert client.put("/api/v1/password_resets", json=body).status_code == 200
    assert client.get("/api/v1/whoami").status_code == 401
    assert client.put("/api/v1/password_resets", json=body).json["code"] == "reset_expired"
    assert "good no more" in client.get(f"/login/reset?token={token}").text
    assert sign_in(client, password="battery-horse-correct").status_code == 303


def test_a_link_ends_after_an_hour_and_cannot_be_made_up(context, client, ada):
    with reading(context) as work:
        user = get_user(work, "ada")
        token = token_for(context, user, now_s=int(work.now().timestamp()) - 3601)
    for odd in (token, token[:-1] + "x", f"{user.uuid}.9999999999.x", "..", "\x00", "x" * 9999):
        body = {"token": odd, "new_password": "battery-horse-correct"}
        assert client.put("/api/v1/password_resets", json=body).status_code == 400


def test_a_hub_without_mail_says_how_else(client):
    assert "hub user password" in client.get("/login/reset").text
    assert client.post("/api/v1/password_resets", json={"login": "ada"}).status_code == 409


# Profiles.


@pytest.fixture
def bearer(make_token):
    """``bearer(user)``: a browser's headers with somebody's token."""
    return lambda user: {**HTML, "Authorization": f"Bearer {make_token(user, 'admin')}"}


def test_a_profile_shows_what_the_viewer_may_see(client, bearer, make_user, make_repository, count_queries):
    ada, bob = make_user("ada"), make_user("bob")
    make_repository(ada, "open")
    make_repository(ada, "wombat", private=True)
    mine, others = bearer(ada), bearer(bob)
    assert "wombat" in client.get("/profile/ada", headers=mine).text
    with count_queries() as queries:
        page = client.get("/profile/ada", headers=others)
    assert (page.status_code, "wombat" in page.text, "/models/ada/open" in page.text) == (200, False, True)
    assert len(queries) <= 22, len(queries)
    for tab in ("models", "datasets", "collections", "followers", "following"):
        assert client.get(f"/profile/ada?tab={tab}", headers=others).status_code == 200
    assert client.get("/profile/ada?tab=nonsense", headers=others).status_code == 404
    assert client.get("/profile/nobody", headers=others).status_code == 404
    assert client.get("/profile/likes/ada", headers=others).status_code == 200
    assert client.get("/ADA").location == "/profile/ada"


def test_what_people_write_of_themselves_is_no_markup(client, bearer, make_user):
    ada = make_user("ada")
    headers = bearer(ada)
    body = {"nickname": "<script>1</script>", "bio": "<img src=x onerror=alert(1)> **bold**"}
    assert client.put(f"/api/v1/user/{ada.uuid}", json=body, headers=headers).status_code == 200
    page = client.get("/profile/ada").text
    assert "<script>1" not in page
    assert "onerror" not in page
    assert "<strong>bold</strong>" in page


def test_who_was_renamed_is_found_by_the_old_name(client, bearer, make_user, make_repository):
    ada = make_user("ada")
    make_repository(ada, "thing")
    answer = client.put(f"/api/v1/user/{ada.uuid}", json={"new_username": "countess"}, headers=bearer(ada))
    assert answer.status_code == 200
    assert client.get("/profile/ada?tab=models").location == "/profile/countess?tab=models"


def test_a_year_is_drawn_by_weeks_and_the_busiest_day_is_the_darkest():
    today = date(2026, 11, 27)
    found = make_heat_map({date(2026, 11, 27): 8, date(2026, 11, 26): 1, date(2020, 1, 1): 99}, today)
    assert (found.cells[-1].day, found.cells[-1].count, found.total) == (today, 8, 9)
    assert [cell.level for cell in found.busy] == [1, 1]
    assert found.cells[0].day.weekday() == 0
    assert make_heat_map({}, today).busy == []


# Settings.


def test_a_new_address_is_taken_with_the_code_that_was_sent_to_it(context, client, bearer, make_user, letters):
    ada, root = bearer(make_user("ada")), bearer(make_user("root", admin=True))
    uuid = client.get("/api/v1/user/ada", headers=ada).json["data"]["uuid"]
    new = "countess@example.org"

    def change(code, who=ada, email=new):
        body = {"email": email, "email_verification_code": code}
        answer = client.put(f"/api/v1/user/{uuid}", json=body, headers=who)
        return answer.json.get("code") or answer.json["data"]["email"]

    assert change("") == "email_code_invalid"
    assert change("", email="ada@example.org") == "ada@example.org"
    assert client.post("/api/v1/user/email-verification-code/nonsense", headers=ada).status_code == 400
    assert client.post(f"/api/v1/user/email-verification-code/{new}", headers=ada).json["data"] == {"email": new}
    run_due(context)
    [letter] = letters
    code = re.search(r"\b[0-9]{8}\b", letter.text)[0]
    assert letter.to == new
    assert change(code, email="other@example.org") == "email_code_invalid"
    assert change(code) == new
    assert change("", who=root, email="ada@example.net") == "ada@example.net"
    assert 'data-testid="settings.send_code"' in client.get("/settings/profile", headers=ada).text


def test_every_section_stands_and_browsers_are_told_apart(client, ada):
    sign_in(client, headers={"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"})
    for section in ("profile", "account", "access-token", "ssh-keys", "notifications", "appearance", "language-region"):
        assert client.get(f"/settings/{section}").status_code == 200
    assert "Firefox, Linux" in client.get("/settings/sessions").text
    assert client.get("/settings/nonsense").status_code == 404
    assert name_browser("git/2.39") == "git"
    assert name_browser("") == "Unknown"


def test_another_browser_is_signed_out_from_here(client, ada):
    sign_in(client)
    elsewhere = client.application.test_client()
    sign_in(elsewhere)
    word = {"X-CSRF-Token": client.get("/api/v1/whoami").json["data"]["auth"]["csrf_token"]}
    sessions = client.get("/api/v1/user/ada/sessions").json["data"]
    assert [session["is_current"] for session in sessions].count(True) == 1
    [other] = [session["id"] for session in sessions if not session["is_current"]]
    assert client.delete(f"/api/v1/user/ada/sessions/{other}", headers=word).status_code == 200
    assert elsewhere.get("/api/v1/whoami").status_code == 401
    sign_in(elsewhere)
    assert client.delete("/api/v1/user/ada/sessions", headers=word).json["data"] == {"ended": 1}
    assert client.get("/api/v1/whoami").status_code == 200


def test_choices_are_kept_by_the_browser_and_odd_ones_refused(client, ada):
    chosen = {"density": "compact", "code_size": "16", "zone": "Asia/Shanghai", "back": "/settings/appearance"}
    chosen |= {"contrast": "high", "code_theme": "plain", "text_size": "14", "first_day": "sunday"}
    assert client.post("/-/choices", data=chosen).location == "/settings/appearance"
    page = client.get("/").text
    assert 'data-density="compact"' in page
    assert 'data-code-size="16" data-code-theme="plain"' in page
    assert 'data-contrast="high"' in page
    assert "data-text-size" not in page, "that is how it is for everybody"
    sign_in(client)
    assert '<option value="sunday" selected>' in client.get("/settings/language-region").text
    for odd in (
        {"density": "huge"},
        {"contrast": "x"},
        {"first_day": "noday"},
        {"code_size": "99"},
        {"zone": "../../etc/passwd"},
    ):
        assert client.post("/-/choices", data=odd).status_code == 400


# Organisations.


def test_members_are_shown_and_changed_by_those_who_may(context, client, bearer, make_user, make_organization):
    ada, bob, eve = make_user("ada"), make_user("bob"), make_user("eve")
    acme = make_organization("acme")
    with unit_of_work(context) as work:
        for user, role in ((ada, Role.OWNER), (bob, Role.READ)):
            work.session.add(Member(organization_id=acme.id, user_id=user.id, role=role, created_at=work.now()))
    owner, member, stranger = bearer(ada), bearer(bob), bearer(eve)
    page = client.get("/organizations/acme/members", headers=owner).text
    assert "members.add" in page
    assert "This is the last owner" in page
    page = client.get("/organizations/acme/members", headers=member).text
    assert "Administrators of the organisation do this." in page
    assert "members.leave" in page
    assert "owner" not in client.get("/organizations/acme/members", headers=stranger).text.split("<main")[1]
    assert client.get("/organizations/acme/edit", headers=owner).status_code == 200
    assert client.get("/organizations/acme/edit", headers=member).status_code == 403
    assert client.get("/organizations/ACME?tab=models", headers=member).location == "/organizations/acme?tab=models"
    assert client.get("/organizations/nowhere").status_code == 404
    # Who is the last owner reads why the account stays, and where to mend it.
    page = client.get("/settings/account", headers=owner).text
    assert "settings.delete" not in page
    assert 'href="/organizations/acme/members"' in page
    assert "settings.delete" in client.get("/settings/account", headers=member).text


# Notifications.


def test_notifications_stand_by_repository_and_are_escaped(context, client, bearer, make_user):
    ada = make_user("ada")
    with unit_of_work(context) as work:
        for number, (title, url) in enumerate(
            (("<b>First", "/models/x/y/community/3"), ("Second", "/models/x/y"), ("Third", "https://evil.example/"))
        ):
            work.session.add(
                Notification(
                    type="comment",
                    event="comment",
                    title=title,
                    url=url,
                    user_id=ada.id,
                    uuid=f"n{number}",
                    created_at=work.now(),
                )
            )
    headers = bearer(ada)
    page = client.get("/notifications", headers=headers).text
    assert "&lt;b&gt;First" in page
    assert page.count(">x/y</a>") == 1
    assert "/api/v1/models/x/y/community/3/subscription" in page
    assert "inbox-row unread" in page
    assert 'data-state="empty"' in client.get("/notifications?type=system", headers=headers).text
    assert 'data-state="ready"' in client.get("/notifications?event=comment&by=repository", headers=headers).text
    assert 'data-state="empty"' in client.get("/notifications?archived=1", headers=headers).text
    drawer = client.get("/notifications", headers={**headers, "HX-Request": "true"}).text
    assert "<html" not in drawer
    assert "drawer.read_all" in drawer
    assert client.put("/api/v1/notifications/read", json={"mark_all": True}, headers=headers).status_code == 200
    page = client.get("/notifications?unread=1", headers=headers).text
    assert 'data-state="empty"' in page
    assert client.get("/notifications?type=odd", headers=headers).status_code == 400


# Errors and the status.


def test_a_page_that_is_not_there_names_those_that_are_meant(client, bearer, make_user, make_repository):
    ada = make_user("ada")
    make_repository(ada, "wombat")
    make_repository(ada, "wombat-secret", private=True)
    page = client.get("/models/ada/wombta", headers=HTML)
    assert page.status_code == 404
    assert 'href="/models/ada/wombat"' in page.text
    assert "wombat-secret" not in page.text
    assert "wombat-secret" in client.get("/models/ada/wombat-secrte", headers=bearer(ada)).text


def test_the_status_tells_everybody_what_is_up_and_no_more(client):
    page = client.get("/-/status", headers=HTML)
    assert page.status_code == 200
    assert "database" in page.text
    assert "sqlite" not in page.text.lower()
