import re

import pytest

from hub.accounts.models import User
from hub.accounts.service.setup import SET_UP
from hub.base.secrets import SECRET, SET_UP_PURPOSE, spell_code
from hub.db.uow import unit_of_work
from hub.jobs.run import run_due

pytestmark = pytest.mark.any_database

HTML = {"Accept": "text/html"}
ELSEWHERE = {"REMOTE_ADDR": "192.0.2.7"}
ADMINISTRATOR = {"username": "ada", "email": "ada@example.org", "password": "correct-horse-battery"}


@pytest.fixture(autouse=True)
def _is_open(context):
    context[SET_UP].is_done = False


@pytest.fixture
def code(context):
    return spell_code(context[SECRET], SET_UP_PURPOSE)


def create(client, **changes):
    return client.post("/api/v1/setup/administrator", json={**ADMINISTRATOR, **changes})


def test_a_hub_without_an_administrator_leads_there_until_it_has_one(client):
    for path in ("/", "/login", "/signup"):
        assert client.get(path, headers=HTML).location == "/setup"
    assert client.get("/setup").location == "/setup/language"
    assert client.get("/setup/edition").location == "/setup/administrator"
    answer = create(client)
    assert answer.status_code == 200, answer.text
    # Signed in at once, and led no more.
    assert client.get("/api/v1/whoami").json["data"]["roles"] == ["admin"]
    assert client.get("/", headers=HTML).status_code == 200
    assert client.get("/setup/language").location == "/setup/edition"
    assert create(client, username="eve", email="eve@example.org").json["code"] == "set_up_done"
    client.delete_cookie("hub_session")
    for path in ("/setup", "/setup/language", "/setup/edition", "/setup/hub.toml", "/setup/environment/checks"):
        assert client.get(path, headers=HTML).status_code == 404


def test_who_is_elsewhere_needs_the_code(client, code):
    assert 'name="code"' in client.get("/setup", environ_overrides=ELSEWHERE).text
    assert client.get("/setup/environment/checks", environ_overrides=ELSEWHERE).location == "/setup"
    refused = client.post("/setup", data={"code": "AAAA"}, environ_overrides=ELSEWHERE)
    assert (refused.status_code, "not the code" in refused.text) == (403, True)
    answer = client.post("/api/v1/setup/administrator", json=ADMINISTRATOR, environ_overrides=ELSEWHERE)
    assert answer.json["code"] == "set_up_code_wrong"
    assert client.post("/setup", data={"code": code.lower()}, environ_overrides=ELSEWHERE).location == "/setup"
    assert client.get("/setup", environ_overrides=ELSEWHERE).location == "/setup/language"
    answer = client.post("/api/v1/setup/administrator", json=ADMINISTRATOR, environ_overrides=ELSEWHERE)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    "options",
    [
        {"headers": {"X-Forwarded-For": "192.0.2.7"}},  # a proxy on the same machine, of which the hub knows nothing
        {"headers": {"X-Real-IP": "192.0.2.7"}},
        {"environ_overrides": {"SERVER_PROTOCOL": "HTTP/1.0"}},  # nginx, when it was told nothing
        {"base_url": "http://evil.example"},  # a name that was made to lead here
    ],
)
def test_what_only_seems_to_come_from_the_machine_itself_needs_it_too(client, options):
    assert 'name="code"' in client.get("/setup", **options).text
    answer = client.post("/api/v1/setup/administrator", json=ADMINISTRATOR, **options)
    assert answer.json["code"] == "set_up_code_wrong"


def test_a_page_of_another_site_sets_nothing_up(client):
    answer = client.post("/api/v1/setup/administrator", json=ADMINISTRATOR, headers={"Origin": "http://evil.example"})
    assert answer.json["code"] == "origin_foreign"


def test_codes_cannot_be_tried_for_long(client, code):
    for _ in range(20):
        client.post("/setup", data={"code": "AAAA"}, environ_overrides=ELSEWHERE)
    assert client.post("/setup", data={"code": code}, environ_overrides=ELSEWHERE).status_code == 429


def test_the_address_is_checked_before_it_gets_into_a_policy(client):
    for odd in ("javascript:x", "http://a b", "http://a;script-src *", "https://hub.example/path"):
        assert client.post("/setup/address", data={"base_url": odd}).status_code == 400
    client.post("/setup/address", data={"base_url": "https://hub.example:8443"})
    page = client.get("/setup/address")
    assert "connect-src 'self' https://hub.example:8443;" in page.headers["Content-Security-Policy"]
    assert "base_url = &#34;https://hub.example:8443&#34;" in page.text


def test_all_steps_after_the_administrator_stand_and_the_file_has_no_secret(context, client):
    create(client)
    for step in ("edition", "storage", "mail", "content", "finish"):
        assert client.get(f"/setup/{step}").status_code == 200
    assert "HUB" not in client.get("/setup/hub.toml").text.replace("HUB_*", "")
    word = client.get("/api/v1/whoami").json["data"]["auth"]["csrf_token"]
    asked = client.post("/api/v1/setup/samples", headers={"X-CSRF-Token": word})
    assert asked.status_code == 200
    assert "every 1s" in client.get("/setup/content").text
    run_due(context)
    page = client.get("/setup/content/progress", headers={"HX-Request": "true"}).text
    assert re.search(r'data-job="succeeded"', page)
    card = client.get("/api/v1/models/ada/iris-classifier/raw/README.md").json["data"]
    assert "[ada/iris](/datasets/ada/iris)" in card
    # Asked again, what is there stays.
    client.post("/api/v1/setup/samples", headers={"X-CSRF-Token": word})
    run_due(context)
    assert 'data-job="succeeded"' in client.get("/setup/content").text


def test_the_first_administrator_may_be_made_by_command_instead(context, client, make_user):
    make_user("root", admin=True)
    assert client.get("/", headers=HTML).status_code == 200
    assert create(client).json["code"] == "set_up_done"
    with unit_of_work(context) as work:
        assert work.session.query(User).count() == 1
