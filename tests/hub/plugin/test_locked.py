"""What stands in for plugins that the licence or the edition does not have, and for those whose licence is over."""

from datetime import timedelta

import pytest
from flask import Blueprint

from hub.jobs.service import JOBS
from hub.plugin import JobSpec, NavItem, Schedule, WhenExpired
from hub.plugin.api import PREFIX, ApiBlueprint, RepositoryBlueprint, enveloped, keep_open, ok
from hub.plugin.events import RepositoryCreated
from hub.plugin.host import PLUGINS
from hub.plugin.web import create_pages
from tests.support.licenses import NOW, install, make_license
from tests.support.plugins import add_to_edition, contributions, make_plugin, open_client, start_host

pytestmark = pytest.mark.any_database

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
DAY_S = 24 * 3600
FEATURE = "alpha.notes"
heard = []


def do_nothing(*_subject):
    return None


def make_alpha(**members):
    """A plugin that brings a bit of everything, and needs a feature."""
    api = RepositoryBlueprint("alpha_api", __name__, url_prefix=PREFIX)
    pages = create_pages("alpha_web", __name__, url_prefix="/alpha")
    inner = Blueprint("inner", __name__, url_prefix="/inner")

    @api.route("/alpha", methods=["GET", "POST", "DELETE"])
    @api.response(200, enveloped())
    def serve():
        return ok()

    @api.post("/alpha/stop")
    @api.response(200, enveloped())
    @keep_open
    def stop():
        return ok()

    @api.at("/notes", method="POST")
    @api.response(200, enveloped())
    def write_note(address):
        return ok()

    @pages.get("")
    def show():
        return "notes"

    @pages.post("")
    def write():
        return "written"

    @pages.post("/leave")
    @keep_open
    def leave():
        return "left"

    @inner.post("")
    def write_inner():
        return "written"

    pages.register_blueprint(inner)
    given = {
        "feature": FEATURE,
        "url_prefixes": ("/api/v1/alpha", "/alpha"),
        "repository_paths": ("/notes",),
        "api_blueprints": (api,),
        "web_blueprints": (pages,),
        "nav_items": [NavItem("Alpha notes", "alpha_web.show")],
        "jobs": [JobSpec("alpha.tidy", do_nothing)],
        "schedules": [Schedule("alpha.tidy", "0 0 * * *", "alpha.tidy")],
        "listeners": {RepositoryCreated: lambda context, event: heard.append(event)},
    }
    return make_plugin("alpha", **{**given, **members})


@pytest.fixture
def open_hub(clock, context, bring):
    """``open_hub(license=..., later_days=3)``: a client; the plugin "alpha" starts that many days after the import."""

    def start(*, license=None, later_days=0.0, asked="alpha", **members):
        heard.clear()
        bring(make_alpha(**members))
        if license is not None:
            install(context, make_license(**{"features": [FEATURE], **license}))
        clock.advance(later_days * DAY_S)
        start_host(context, plugins=asked)
        return open_client(context)

    return start


SOON = {"expire_time": NOW + timedelta(days=1), "grace_days": 14}
AFTER_GRACE = {"license": SOON, "later_days": 16}


def test_a_licence_that_carries_the_feature_opens_the_plugin(context, open_hub):
    client = open_hub(license={})
    assert context[PLUGINS].find("alpha").state == "enabled"
    assert client.post("/api/v1/alpha").status_code == 200
    assert client.get("/alpha", headers=HTML).text == "notes"
    assert "Alpha notes" in client.get("/", headers=HTML).text


@pytest.mark.parametrize("later_days", [0, 0.5, 1.5, 14.9])
def test_until_its_grace_is_over_the_licence_works_as_on_the_first_day(context, open_hub, later_days):
    client = open_hub(license=SOON, later_days=later_days)
    assert context[PLUGINS].find("alpha").state == "enabled"
    assert client.post("/alpha").status_code == 200


def test_programs_are_told_that_a_licence_is_needed(open_hub):
    client = open_hub()
    for path in ("/api/v1/alpha", "/api/v1/alpha/", "/api/v1/alpha/some/thing", "/alpha", "/alpha/x"):
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            answer = client.open(path, method=method)
            assert (answer.status_code, answer.json["code"]) == (403, "LICENSE-ERR-0"), (method, path)
            assert answer.json["context"]["feature"] == FEATURE
            assert "hub license import" in answer.json["msg"]


def test_a_locked_plugin_answers_head_as_get_without_a_body(open_hub):
    client = open_hub()
    answer = client.head("/api/v1/alpha")
    assert (answer.status_code, answer.data) == (403, b"")
    assert client.head("/alpha", headers=HTML).status_code == 404


def test_programs_are_told_that_the_licence_has_expired(open_hub):
    client = open_hub(**AFTER_GRACE)
    for path in ("/api/v1/alpha", "/alpha", "/api/v1/models/ada/thing/notes"):
        answer = client.get(path)
        assert (answer.status_code, answer.json["code"]) == (403, "LICENSE-ERR-1")
        assert "expired" in answer.json["msg"]


def test_a_licence_that_never_carried_the_feature_is_not_the_one_that_expired(open_hub):
    answer = open_hub(license={**SOON, "features": ["other.thing"]}, later_days=16).get("/api/v1/alpha")
    assert (answer.status_code, answer.json["code"]) == (403, "LICENSE-ERR-0")


def test_a_licence_that_does_not_cover_the_feature_says_so(open_hub):
    answer = open_hub(license={"features": ["other.thing"]}).get("/api/v1/alpha")
    assert (answer.status_code, answer.json["code"]) == (403, "LICENSE-ERR-0")
    assert "does not cover 'alpha.notes'" in answer.json["msg"]


@pytest.mark.parametrize("state", [{}, AFTER_GRACE])
def test_browsers_are_shown_the_page_that_says_what_is_missing(open_hub, state):
    answer = open_hub(**state).get("/alpha/some/where", headers=HTML)
    assert (answer.status_code, answer.mimetype) == (404, "text/html")
    assert "Not in this edition" in answer.text
    assert "Alpha of the tests" in answer.text


def test_below_the_api_browsers_read_json_too(open_hub):
    answer = open_hub().get("/api/v1/alpha", headers=HTML)
    assert (answer.status_code, answer.json["code"]) == (403, "LICENSE-ERR-0")


@pytest.mark.parametrize("path", ["/api/v1/models/ada/thing/notes", "/api/v1/mcps/ada/thing/notes/3"])
def test_paths_below_a_repository_are_locked_whether_or_not_there_is_one(open_hub, path):
    client = open_hub()
    for method in ("GET", "POST", "DELETE"):
        answer = client.open(path, method=method)
        assert (answer.status_code, answer.json["code"]) == (403, "LICENSE-ERR-0")
    assert client.get(path.removeprefix("/api/v1"), headers=HTML).status_code == 404
    assert client.get("/api/v1/nothings/ada/thing/notes").status_code == 404


def test_nothing_of_a_locked_plugin_is_there(context, open_hub, make_user, make_repository):
    client = open_hub()
    # Its first path is kept free of namespaces: it may run at any time.
    assert contributions(context, "alpha") == {"reserved paths": ["alpha"]}
    assert "Alpha notes" not in client.get("/", headers=HTML).text
    make_repository(make_user())
    assert heard == []
    assert not [path for path in client.get("/api/openapi.json").json["paths"] if "alpha" in path]


@pytest.mark.parametrize("prefix", ["/models", "/api/v1/models", "/api/v1", "/api", "/-", "/mcps/mine"])
def test_a_locked_plugin_takes_no_ground_of_the_hubs(open_hub, make_user, make_repository, prefix):
    """Were it to run it would be refused; locked, it must not take what it cannot have."""
    client = open_hub(url_prefixes=(prefix,))
    make_repository(make_user(), kind="model")
    make_repository(make_user("mine"), kind="mcpserver")
    assert client.get("/api/v1/models/ada/thing").status_code == 200
    assert client.get("/models/ada/thing.git/info/refs?service=git-upload-pack").status_code == 200
    assert client.get("/mcps/mine/thing.git/info/refs?service=git-upload-pack").status_code == 200
    assert client.get("/-/health").status_code == 200
    assert client.get(prefix).status_code != 403


def test_a_locked_plugin_takes_no_ground_of_one_that_runs(context, bring, open_hub):
    pages = create_pages("beta_web", __name__, url_prefix="/alpha")
    pages.add_url_rule("", "show", lambda: "beta is here")
    pages.add_url_rule("/<name>", "show_one", lambda name: f"beta has {name}")
    bring(make_plugin("beta", url_prefixes=("/alpha",), web_blueprints=(pages,)))
    client = open_hub(asked="alpha,beta")
    assert context[PLUGINS].find("alpha").state == "locked"
    assert client.get("/alpha", headers=HTML).text == "beta is here"
    assert client.get("/alpha/x", headers=HTML).text == "beta has x"


def test_a_plugin_of_the_enterprise_edition_comes_and_goes_with_the_licence(clock, context, bring):
    bring(make_alpha(feature=None))
    add_to_edition(context, "ee", "alpha")
    install(context, make_license(**SOON))
    clock.advance(16 * DAY_S)
    start_host(context)
    assert context[PLUGINS].find("alpha").reason == "it is not in the edition Community Edition"
    answer = open_client(context).get("/api/v1/alpha")
    assert (answer.status_code, answer.json["code"]) == (403, "LICENSE-ERR-1")


@pytest.mark.settings(edition="lite")
def test_what_no_licence_can_open_is_not_offered_for_one(context, bring):
    bring(make_alpha(feature=None))
    add_to_edition(context, "ce", "alpha")
    start_host(context)
    client = open_client(context)
    assert "hub license import" not in client.get("/api/v1/alpha").json["msg"]
    assert "with any licence" in client.get("/alpha", headers=HTML).text


def test_between_an_import_and_the_new_process_the_old_one_asks_for_patience(context, open_hub):
    client = open_hub()
    install(context, make_license(features=[FEATURE]))
    answer = client.get("/api/v1/alpha")
    assert (answer.status_code, answer.json["code"]) == (403, "LICENSE-ERR-0")
    assert "few seconds" in answer.json["msg"]


# Read-only.


@pytest.fixture
def read_only(open_hub):
    """A client on a hub whose licence has expired, with a plugin that goes on for reading."""
    return open_hub(**AFTER_GRACE, when_expired=WhenExpired.READ_ONLY)


def test_what_is_read_only_answers_reads(context, read_only):
    assert context[PLUGINS].find("alpha").state == "read_only"
    assert context[PLUGINS].find("alpha").reason == "the licence has expired: nothing new can be begun"
    assert read_only.get("/api/v1/alpha").status_code == 200
    assert read_only.head("/api/v1/alpha").status_code == 200
    assert read_only.get("/alpha", headers=HTML).text == "notes"
    assert "Alpha notes" in read_only.get("/", headers=HTML).text


@pytest.mark.parametrize(
    "method, path",
    [
        ("POST", "/api/v1/alpha"),
        ("DELETE", "/api/v1/alpha"),
        ("POST", "/api/v1/models/ada/thing/notes"),
        ("POST", "/alpha"),
        ("POST", "/alpha/inner"),
    ],
)
def test_what_is_read_only_refuses_writes(read_only, method, path):
    answer = read_only.open(path, method=method)
    assert (answer.status_code, answer.json["code"]) == (403, "LICENSE-ERR-1")


def test_a_person_who_writes_is_told_on_a_page(read_only):
    answer = read_only.post("/alpha", headers=HTML)
    assert (answer.status_code, answer.mimetype) == (403, "text/html")
    assert "expired" in answer.text


def test_what_keeps_open_takes_writes_all_the_same(read_only):
    assert read_only.post("/api/v1/alpha/stop").status_code == 200
    assert read_only.post("/alpha/leave").text == "left"


def test_jobs_and_listeners_of_what_is_read_only_go_on(context, read_only, make_user, make_repository):
    found = contributions(context, "alpha")
    assert (found["jobs"], found["schedules"]) == (["alpha.tidy"], ["alpha.tidy"])
    assert "alpha.tidy" in context[JOBS]
    make_repository(make_user())
    assert len(heard) == 1


def test_the_forge_itself_takes_writes_while_a_plugin_is_read_only(read_only, make_user, make_token):
    headers = {"Authorization": f"Bearer {make_token(make_user(), 'write')}"}
    assert read_only.post("/api/v1/models", json={"name": "thing"}, headers=headers).status_code == 200


def test_only_what_the_licence_carried_is_read_only(context, open_hub):
    open_hub(license={**SOON, "features": ["other.thing"]}, later_days=16, when_expired=WhenExpired.READ_ONLY)
    assert context[PLUGINS].find("alpha").state == "locked"


def test_without_any_licence_nothing_is_read_only(context, open_hub):
    open_hub(when_expired=WhenExpired.READ_ONLY)
    assert context[PLUGINS].find("alpha").state == "locked"


def test_a_mark_that_stands_above_a_blueprints_own_decorators_counts(open_hub):
    api = ApiBlueprint("alpha_api", __name__, url_prefix=f"{PREFIX}/alpha")

    @api.post("/late")
    @keep_open
    @api.response(200, enveloped())
    def late():
        return ok()

    members = {"when_expired": WhenExpired.READ_ONLY, "api_blueprints": (api,), "repository_paths": ()}
    assert open_hub(**AFTER_GRACE, **members).post("/api/v1/alpha/late").status_code == 200
