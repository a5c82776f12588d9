import base64
import dataclasses

import pytest
from flask import Flask, jsonify
from sqlalchemy import event, select

from hub.accounts import service
from hub.accounts.attempts import MAX_ATTEMPTS
from hub.accounts.models import AccessToken, WebSession
from hub.accounts.passwords import hash_password
from hub.accounts.policy import SYSTEM
from hub.accounts.signing_in import sign_in
from hub.app import create_app
from hub.base.settings import SettingsError
from hub.db.engine import DATABASE
from hub.db.uow import reading, unit_of_work
from hub.http import context as http_context
from hub.http import errors
from hub.http.actor import csrf_token, current_actor, git_actor, set_session_cookie

WORD = "correct-horse"


def describe(actor):
    return {"name": actor.name, "via": actor.via, "scope": actor.scope and actor.scope.value}


@pytest.fixture
def browser(context):
    """A client of an application with nothing but views that say who asks."""
    app = Flask("probe")
    app.testing = True
    http_context.install(app, context)
    errors.install(app)

    @app.route("/api", methods=["GET", "POST"])
    def api():
        assert current_actor() is current_actor()
        return jsonify(describe(current_actor()))

    @app.route("/git", methods=["GET", "POST"])
    def git():
        return jsonify(describe(git_actor()))

    @app.get("/word")
    def word():
        return jsonify(csrf_token())

    @app.get("/cookie")
    def cookie():
        response = jsonify(None)
        set_session_cookie(response, "key")
        return response

    return app.test_client()


@pytest.fixture
def ada(context):
    """A user with a password."""
    with unit_of_work(context) as work:
        password = hash_password(context, WORD)
        return service.create_user(work, actor=SYSTEM, name="ada", email="ada@example.org", password=password)


def basic(login, secret):
    return {"Authorization": "Basic " + base64.b64encode(f"{login}:{secret}".encode()).decode()}


@pytest.mark.parametrize("path", ["/api", "/git"])
def test_no_credential_is_anonymous(browser, path):
    assert browser.get(path).json == {"name": "", "via": "anonymous", "scope": None}


@pytest.mark.parametrize("path", ["/api", "/git"])
def test_a_token_is_taken_in_every_scheme_that_clients_use(browser, ada, make_token, path):
    value = make_token(ada, "read")
    for headers in (
        {"Authorization": f"Bearer {value}"},
        {"authorization": f"bearer  {value} "},
        {"Authorization": f"token {value}"},
        basic("ada", value),
        basic("some-organisation", value),
        basic("", value),
    ):
        assert browser.get(path, headers=headers).json == {"name": "ada", "via": "token", "scope": "read"}


@pytest.mark.parametrize("path", ["/api", "/git"])
def test_a_password_is_taken_by_basic_alone(browser, ada, path):
    assert browser.get(path, headers=basic("ada", WORD)).json == {"name": "ada", "via": "password", "scope": None}
    assert browser.get(path, headers={"Authorization": f"Bearer {WORD}"}).status_code == 401


@pytest.mark.parametrize("path", ["/api", "/git"])
@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer " + "0" * 32,
        "Bearer a.b.c",
        "Basic",
        "Basic !!!",
        "Basic " + base64.b64encode(b"no colon").decode(),
        "Basic " + base64.b64encode(b"ada:\xff\xfe").decode(),
        "Basic " + base64.b64encode(b"ada:wrong").decode(),
        "Basic " + base64.b64encode(b"a\x00b:wrong").decode(),
        "Digest username=ada",
        "nonsense",
    ],
)
def test_a_bad_credential_is_refused_and_never_anonymous(browser, path, header):
    answer = browser.get(path, headers={"Authorization": header})
    assert (answer.status_code, answer.json["code"]) == (401, "AUTH-ERR-5")
    assert "WWW-Authenticate" in answer.headers


def test_guessing_is_answered_with_the_time_to_come_back(browser, ada):
    for _ in range(MAX_ATTEMPTS):
        assert browser.get("/git", headers=basic("ada", "wrong")).status_code == 401
    answer = browser.get("/git", headers=basic("ada", "wrong"))
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0


def test_a_session_reads_and_writes_with_its_word_only(browser, context, ada):
    _, key = sign_in(context, login="ada", password=WORD)
    browser.set_cookie("hub_session", key)
    assert browser.get("/api").json == {"name": "ada", "via": "session", "scope": None}
    word = browser.get("/word").json
    for headers in ({}, {"X-CSRF-Token": "wrong"}, {"X-CSRF-Token": "ä"}):
        answer = browser.post("/api", headers=headers)
        assert (answer.status_code, answer.json["code"]) == (403, "csrf_failed")
    assert browser.post("/api", headers={"X-CSRF-Token": word}).json["via"] == "session"


def test_a_session_that_has_ended_is_as_none(browser, context, ada):
    _, key = sign_in(context, login="ada", password=WORD)
    with unit_of_work(context) as work:
        service.close_session(work, key)
    for cookie in (key, "", "nonsense", "x" * 4000):
        browser.set_cookie("hub_session", cookie)
        assert browser.get("/api").json["via"] == "anonymous"
        assert browser.post("/api").json["via"] == "anonymous"


def test_git_takes_no_cookie(browser, context, ada):
    browser.set_cookie("hub_session", sign_in(context, login="ada", password=WORD)[1])
    assert browser.get("/git").json["via"] == "anonymous"


def test_a_header_counts_before_a_cookie_and_needs_no_word(browser, context, ada, make_token):
    browser.set_cookie("hub_session", sign_in(context, login="ada", password=WORD)[1])
    value = make_token(ada, "write")
    assert browser.post("/api", headers={"Authorization": f"Bearer {value}"}).json["via"] == "token"
    assert browser.get("/api", headers={"Authorization": "Bearer wrong"}).status_code == 401


def statements_during(context, act):
    seen = []

    def note(_connection, _cursor, statement, *_rest):
        seen.append(statement.split()[0])

    engine = context[DATABASE].engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        act()
    finally:
        event.remove(engine, "before_cursor_execute", note)
    return [word for word in seen if word in ("SELECT", "INSERT", "UPDATE", "DELETE")]


def test_a_token_costs_one_query_and_its_use_is_written_after_the_answer(browser, context, ada, make_token):
    headers = {"Authorization": f"Bearer {make_token(ada)}"}

    def last_use():
        with reading(context) as work:
            return work.session.scalar(select(AccessToken.last_used_at))

    answers = []
    assert statements_during(context, lambda: answers.append(browser.get("/api", headers=headers))) == ["SELECT"]
    assert last_use() is None
    answers[0].close()
    assert last_use() is not None

    def again():
        browser.get("/api", headers=headers).close()

    assert statements_during(context, again) == ["SELECT"]


def test_a_session_in_use_is_put_off_after_the_answer(clock, browser, context, ada):
    browser.set_cookie("hub_session", sign_in(context, login="ada", password=WORD)[1])

    def end():
        with reading(context) as work:
            return work.session.scalar(select(WebSession.expires_at))

    before = end()
    clock.advance(120)
    browser.get("/api").close()
    assert (end() - before).total_seconds() == 120


@pytest.mark.parametrize("is_secure", [False, True])
def test_the_cookie_is_kept_from_scripts_other_sites_and_plain_connections(browser, context, is_secure):
    if is_secure:
        context.settings = dataclasses.replace(context.settings, base_url="https://hub.example.org")
    header = browser.get("/cookie").headers["Set-Cookie"]
    assert header.startswith("hub_session=key; ")
    for word in ("HttpOnly", "SameSite=Lax", "Path=/", f"Max-Age={context.settings.session_ttl_s}"):
        assert word in header
    assert ("Secure" in header) == is_secure


API_TOKEN = "k" * 64


@pytest.mark.settings(api_token=API_TOKEN)
@pytest.mark.parametrize("path", ["/api", "/git"])
def test_the_api_token_acts_for_whom_it_names(browser, ada, make_user, make_token, path):
    headers = {"authorization": f"bearer {API_TOKEN}"}

    def ask(query="", headers=headers):
        answer = browser.get(f"{path}?{query}", headers=headers)
        return answer.json["name"], answer.json["via"]

    assert ask() == ("api", "api_key")
    for query in (
        "current_user=ADA",
        f"current_user_uuid={ada.uuid}",
        f"current_user=ada&current_user_uuid={ada.uuid}",
    ):
        assert ask(query) == ("ada", "api_key")
    eve = make_user("eve")
    for query in (
        "current_user=none",
        "current_user_uuid=none",
        "current_user=a%00",
        f"current_user=ada&current_user_uuid={eve.uuid}",
    ):
        refused = browser.get(f"{path}?{query}", headers=headers)
        assert (refused.status_code, refused.json["code"]) == (401, "AUTH-ERR-1")
    # Nobody else's word counts.
    assert ask("current_user=ada", {"Authorization": f"Bearer {make_token(eve, 'admin')}"}) == ("eve", "token")
    assert ask("current_user=ada", {}) == ("", "anonymous")
    for wrong in (API_TOKEN[:-1], API_TOKEN.upper(), "\u00e9" * 64):
        assert browser.get(path, headers={"Authorization": f"Bearer {wrong}"}).status_code == 401


@pytest.mark.any_database
@pytest.mark.parametrize("value", ["", "k"])
def test_an_api_token_that_is_not_set_is_none(browser, value):
    assert browser.get("/api", headers={"Authorization": f"Bearer {value}"}).status_code == 401


def test_a_mirrors_token_reads_and_writes_nothing(context, browser, ada):
    with unit_of_work(context) as work:
        user = service.get_user(work, "ada")
        _, value = service.create_token(work, actor=SYSTEM, user=user, name="m", scope="admin", app="mirror")
    headers = {"Authorization": f"Bearer {value}"}
    assert browser.get("/api", headers=headers).json == {"name": "ada", "via": "token", "scope": "read"}
    assert browser.head("/api", headers=headers).status_code == 200
    refused = browser.post("/api", headers=headers)
    assert (refused.status_code, refused.json["code"]) == (403, "AUTH-ERR-2")
    assert browser.post("/git", headers=headers).json["name"] == "ada"  # git reads by POST


@pytest.mark.any_database
@pytest.mark.settings(trusted_proxies="127.0.0.1, 10.0.0.0/8", rate_limit_address=1)
def test_only_trusted_proxies_say_where_a_request_came_from(client, clock):
    def ask(peer, forwarded):
        environ = {"REMOTE_ADDR": peer}
        return client.get(
            "/api/v1/models", environ_overrides=environ, headers={"X-Forwarded-For": forwarded}
        ).status_code

    assert [ask("127.0.0.1", "8.8.8.8"), ask("127.0.0.1", "8.8.8.8, 10.1.1.1")] == [200, 429]
    assert ask("127.0.0.1", "8.8.8.8, 9.9.9.9") == 200  # what the client itself wrote before does not count
    assert [ask("7.7.7.7", "1.1.1.1"), ask("7.7.7.7", "2.2.2.2")] == [200, 429]
    assert [ask("127.0.0.1", "2001:db8::1"), ask("127.0.0.1", "2001:db8::2")] == [200, 429]


@pytest.mark.any_database
@pytest.mark.settings(trusted_proxies="proxy.example")
def test_a_proxy_without_an_address_stops_the_start(context):
    with pytest.raises(SettingsError, match="trusted_proxies"):
        create_app(context)
