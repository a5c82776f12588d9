import pytest

from hub.app import create_app
from hub.plugin import JobSpec, Permission
from tests.support.plugins import make_migration, make_plugin, open_client, start_host

pytestmark = pytest.mark.any_database

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
PLUGINS = "/api/v1/admin/plugins"


@pytest.fixture
def client(context, bring):
    """A hub with a plugin in each state but one."""
    members = {
        "jobs": [JobSpec("alpha.tidy", print)],
        "permissions": (Permission("alpha:note:read", "read notes"),),
        "requires": ("delta",),
    }
    bring(make_plugin("alpha", "Notes <b>of all kinds</b>\n\nShort ones.", **members), version="2.1")
    bring(make_plugin("beta", feature="beta.x", migrations=True), files=make_migration("0001_beta"))
    bring("gamma", source="raise ValueError('<script>alert(1)</script>')")
    bring(make_plugin("delta"))
    bring(make_plugin("epsilon"))
    start_host(context, plugins="alpha,beta,gamma,delta")
    return open_client(context)


@pytest.fixture
def sign_in(make_user, make_token):
    """``sign_in(admin=True)``: the headers of somebody."""

    def make(*, admin=False, scope="admin"):
        return {"Authorization": f"Bearer {make_token(make_user(admin=admin), scope)}"}

    return make


@pytest.mark.parametrize("path", [PLUGINS, "/-/plugins"])
def test_only_administrators_see_the_plugins(client, sign_in, path):
    assert client.get(path).status_code == 401
    assert client.get(path, headers=sign_in()).status_code == 403


@pytest.mark.parametrize("path", [PLUGINS, "/-/plugins"])
def test_an_administrators_token_for_reading_does_not_do(client, sign_in, path):
    assert client.get(path, headers=sign_in(admin=True, scope="read")).status_code == 403


def test_who_may_not_see_the_page_is_told_on_a_page(client, sign_in):
    answer = client.get("/-/plugins", headers=HTML)
    assert (answer.status_code, answer.location) == (303, "/login?next=/-/plugins")
    assert client.get("/-/plugins", headers={**HTML, **sign_in()}).mimetype == "text/html"
    assert client.get("/-/plugins").mimetype == "application/json"


def test_every_plugin_is_told_by_name_with_what_became_of_it(client, sign_in):
    answer = client.get(PLUGINS, headers=sign_in(admin=True))
    rows = {row["name"]: row for row in answer.json["data"]}
    assert answer.json["total"] == len(rows)
    assert list(rows) == sorted(rows)
    assert rows["alpha"] == {
        "name": "alpha",
        "title": "Notes <b>of all kinds</b>",
        "description": "Short ones.",
        "state": "enabled",
        "reason": "",
        "version": "2.1",
        "distribution": "hub-test-alpha",
        "feature": None,
        "requires": ["delta"],
        "points": ["permissions", "jobs"],
        "migrations": "none",
    }
    beta = rows["beta"]
    assert (beta["state"], beta["feature"], beta["migrations"]) == ("locked", "beta.x", "absent")
    assert (rows["gamma"]["state"], rows["epsilon"]["state"]) == ("broken", "disabled")
    assert "alert(1)" in rows["gamma"]["reason"]


@pytest.mark.parametrize(
    "state, names",
    [
        ("enabled", {"alpha", "delta"}),
        ("locked", {"beta"}),
        ("broken", {"gamma"}),
        ("disabled", {"epsilon"}),
        ("read_only", set()),
    ],
)
def test_the_list_is_narrowed_by_state(client, sign_in, state, names):
    headers = sign_in(admin=True)
    found = client.get(f"{PLUGINS}?state={state}", headers=headers).json["data"]
    ours = {"alpha", "beta", "gamma", "delta", "epsilon"}
    assert {row["name"] for row in found} & ours == names
    page = client.get(f"/-/plugins?state={state}", headers={**HTML, **headers}).text
    assert {name for name in ours if f'<tr id="{name}">' in page} == names


def test_a_state_that_there_is_not_is_refused_and_the_others_named(client, sign_in):
    headers = sign_in(admin=True)
    answer = client.get(f"{PLUGINS}?state=asleep", headers=headers)
    assert (answer.status_code, answer.json["code"]) == (400, "REQ-ERR-6")
    assert "enabled, read_only, locked, disabled, broken" in answer.json["msg"]
    page = client.get("/-/plugins?state=asleep", headers={**HTML, **headers})
    assert (page.status_code, page.mimetype) == (400, "text/html")


def test_the_page_shows_the_same_and_nothing_of_it_is_markup(client, sign_in):
    page = client.get("/-/plugins", headers={**HTML, **sign_in(admin=True)}).text
    assert "Notes &lt;b&gt;of all kinds&lt;/b&gt;" in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert" not in page
    assert "Community Edition" in page


def test_a_hub_without_plugins_has_an_empty_list(context, sign_in):
    client = create_app(context).test_client()
    assert client.get(PLUGINS, headers=sign_in(admin=True)).json["data"] == []
