import gzip
import re
from datetime import timedelta
from importlib import import_module

import pytest

import hub.web.themes
from hub.base.errors import Conflict
from hub.base.settings import SettingsError
from hub.plugin import Audience, NavItem, Panel, Section, Slot
from hub.plugin.policy import ANONYMOUS
from hub.plugin.web import create_pages, render_page
from hub.web.navigation import OWN_ITEMS, PANELS, add_nav_item, add_panel, list_nav_items, list_panels
from tests.support.licenses import NOW, install, make_license
from tests.support.plugins import make_plugin, open_client, start_host

pytestmark = pytest.mark.any_database

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
POLICY = "default-src 'self'"


@pytest.fixture
def themes(tmp_path, monkeypatch):
    """``themes({"night/templates/base.html": "..."})``: further themes beside the hub's own."""
    root = tmp_path / "themes"
    root.mkdir()
    (root / "default").symlink_to(hub.web.themes.themes_path() / "default")
    monkeypatch.setattr(hub.web.themes, "themes_path", lambda: root)

    def write(files):
        for path, text in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)

    return write


@pytest.fixture
def sign_in(make_user, make_token):
    """``sign_in(admin=True)``: a browser's headers with somebody's token."""

    def make(*, admin=False):
        token = make_token(make_user("root" if admin else "ada", admin=admin), "admin")
        return {**HTML, "Authorization": f"Bearer {token}"}

    return make


# Themes: what a theme lacks is the default theme's; a plugin's own folder comes last.


@pytest.mark.settings(theme="night")
def test_a_theme_replaces_single_templates_and_keeps_the_rest(context, themes):
    themes({"night/templates/home.html": '{% extends "base.html" %}{% block content %}At night{% endblock %}'})
    page = open_client(context).get("/", headers=HTML).text
    assert "At night" in page
    assert "Skip to the content" in page


@pytest.mark.settings(theme="night")
def test_a_theme_replaces_single_static_files_and_keeps_the_rest(context, themes):
    themes({"night/static/favicon.svg": "<svg>night</svg>", "night/static/moon.svg": "<svg/>"})
    client = open_client(context)
    assert client.get("/-/static/favicon.svg", buffered=True).text == "<svg>night</svg>"
    assert client.get("/-/static/moon.svg", buffered=True).text == "<svg/>"


@pytest.mark.settings(theme="night")
def test_a_theme_may_dress_a_plugin_and_a_plugin_may_not_dress_the_hub(context, bring, themes):
    themes({"night/templates/alpha/notes.html": "by the theme", "night/static/x": ""})
    source = (
        "from hub.plugin.web import create_pages, render_page\n"
        "blueprint = create_pages('alpha_web', __name__, url_prefix='/alpha')\n"
        "blueprint.add_url_rule('', 'notes', lambda: render_page('alpha/notes.html'))\n"
        "blueprint.add_url_rule('/own', 'own', lambda: render_page('alpha/own.html'))\n"
        "blueprint.add_url_rule('/home', 'home', lambda: render_page('home.html'))\n"
    )
    files = {
        "web.py": source,
        "templates/alpha/notes.html": "by the plugin",
        "templates/alpha/own.html": "its own",
        "templates/home.html": "taken over",
        "static/alpha.css": "p {}",
    }

    class Alpha(make_plugin("alpha", url_prefixes=("/alpha",))):
        """Alpha"""

        def web_blueprints(self):
            return (import_module("hub_test_alpha.web").blueprint,)

    bring(Alpha, files=files)
    start_host(context, plugins="alpha")
    client = open_client(context)
    assert client.get("/alpha", headers=HTML).text == "by the theme"
    assert client.get("/alpha/own", headers=HTML).text == "its own"
    assert "taken over" not in client.get("/alpha/home", headers=HTML).text
    assert "taken over" not in client.get("/", headers=HTML).text
    assert client.get("/alpha/-/static/alpha.css", buffered=True).text == "p {}"


@pytest.mark.parametrize("theme", ["nowhere", "../default", ".", "..", "default/templates"])
def test_a_theme_that_there_is_not_stops_the_start_and_the_others_are_named(theme):
    with pytest.raises(SettingsError, match=r"there are: .*default"):
        hub.web.themes.theme_folders(theme)


def test_without_a_word_the_default_theme_is_meant():
    [folder] = hub.web.themes.theme_folders("")
    assert folder.name == "default"


# Static files.


def test_a_picture_is_served_and_kept_for_a_while(client):
    answer = client.get("/-/static/favicon.svg", buffered=True)
    assert (answer.status_code, answer.mimetype) == (200, "image/svg+xml")
    assert "max-age=3600" in answer.headers["Cache-Control"]
    known = {"If-None-Match": answer.headers["ETag"]}
    assert client.get("/-/static/favicon.svg", headers=known, buffered=True).status_code == 304


def test_what_is_built_is_named_by_its_content_sent_compressed_and_kept_for_a_year(client):
    page = client.get("/", headers=HTML).text
    [address] = re.findall(r'href="(/-/static/built/site-[^"]+\.css)"', page)
    plain = client.get(address, buffered=True)
    small = client.get(address, headers={"Accept-Encoding": "br"}, buffered=True)
    assert (plain.mimetype, small.mimetype) == ("text/css", "text/css")
    assert small.headers["Content-Encoding"] == "br"
    assert len(small.data) < len(plain.data) / 2
    assert "immutable" in small.headers["Cache-Control"]


@pytest.mark.parametrize(
    "name",
    [
        "../templates/base.html",
        "..%2ftemplates%2fbase.html",
        "%2e%2e/templates/base.html",
        "x/../../templates/base.html",
        "....//templates/base.html",
        "%2fetc/passwd",
        "..%5ctemplates%5cbase.html",
        "hub.css%00.png",
        "",
        "nowhere.css",
        "x" * 300,
        "x/" * 3000,
    ],
)
def test_nothing_but_static_files_is_served(client, name):
    answer = client.get(f"/-/static/{name}", follow_redirects=True)
    assert answer.status_code == 404
    assert answer.json["code"] == "not_found"


# What every page carries.


@pytest.mark.parametrize("path, status", [("/", 200), ("/-/static/nowhere", 404)])
def test_every_page_says_where_scripts_may_come_from_and_is_kept_by_nobody(client, path, status):
    answer = client.get(path, headers=HTML)
    assert (answer.status_code, answer.mimetype) == (status, "text/html")
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith(POLICY)
    assert "frame-ancestors 'none'" in policy
    # A page may carry styles, and no scripts.
    assert "unsafe" not in policy.replace("style-src 'self' 'unsafe-inline'", "")
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "accept, mimetype",
    [
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html"),
        ("text/html", "text/html"),
        ("application/json", "application/json"),
        ("*/*", "application/json"),
        ("", "application/json"),
        ("application/json, text/html;q=0.5", "application/json"),
    ],
)
def test_a_page_that_is_not_there_is_told_in_the_readers_words(client, accept, mimetype):
    answer = client.get("/-/static/nowhere", headers={"Accept": accept})
    assert (answer.status_code, answer.mimetype) == (404, mimetype)
    if mimetype == "text/html":
        assert "There is no such page" in answer.text
    else:
        assert answer.json["code"] == "not_found"


def test_an_address_that_nobody_has_is_told_to_a_browser_on_a_page(client):
    answer = client.get("/nowhere/at/all", headers=HTML)
    assert (answer.status_code, answer.mimetype) == (404, "text/html")
    assert client.get("/nowhere/at/all").mimetype == "application/json"
    assert client.get("/api/v1/nowhere", headers=HTML).mimetype == "application/json"


@pytest.fixture
def refusing(context, bring):
    """A client on a hub with a page that refuses, one that breaks, and one that escapes nothing by itself."""
    pages = create_pages("alpha_web", __name__, url_prefix="/alpha")

    def refuse():
        raise Conflict("<b>Not</b> twice.")

    def break_down():
        raise ZeroDivisionError

    pages.add_url_rule("/refuse", "refuse", refuse)
    pages.add_url_rule("/break", "break", break_down)
    pages.add_url_rule("/show", "show", lambda: render_page("home.html"))
    bring(make_plugin("alpha", url_prefixes=("/alpha",), web_blueprints=(pages,)))
    start_host(context, plugins="alpha")
    return open_client(context, testing=False)


def test_a_refusal_is_shown_with_its_reason_which_is_no_markup(refusing):
    answer = refusing.get("/alpha/refuse", headers=HTML)
    assert (answer.status_code, answer.mimetype) == (409, "text/html")
    assert "&lt;b&gt;Not&lt;/b&gt; twice." in answer.text
    assert refusing.get("/alpha/refuse").json["code"] == "conflict"


def test_what_nobody_expected_is_shown_with_the_number_of_the_request_alone(refusing):
    answer = refusing.get("/alpha/break", headers={**HTML, "X-Request-ID": "find-me"})
    assert (answer.status_code, answer.mimetype) == (500, "text/html")
    assert "Something went wrong on our side" in answer.text
    assert "find-me" in answer.text
    assert "ZeroDivisionError" not in answer.text


def test_a_bad_credential_does_not_spoil_the_page_that_tells_of_it(client):
    answer = client.get("/", headers={**HTML, "Authorization": "Bearer nonsense"})
    assert (answer.status_code, answer.mimetype) == (401, "text/html")
    assert 'data-testid="bar.user"' not in answer.text


def test_who_is_signed_in_is_named(client, sign_in):
    page = client.get("/", headers=sign_in()).text
    assert '<span class="label">ada</span>' in page[page.index('data-testid="bar.user"') :]


# Navigation.


def test_items_stand_in_order_for_those_whom_they_concern(context, make_user, actor_of):
    for label, weight, audience in (
        ("Heavy", 200, Audience.EVERYONE),
        ("B", 100, Audience.SIGNED_IN),
        ("A", 100, Audience.EVERYONE),
        ("Root", 1, Audience.ADMINS),
    ):
        add_nav_item(context, NavItem(label, "home.show_home", weight=weight, audience=audience))

    def labels(viewer):
        own = {item.label for item in OWN_ITEMS}
        items = list_nav_items(context, Section.MAIN, viewer=viewer)
        return [item.label for item in items if item.label not in own]

    assert labels(ANONYMOUS) == ["A", "Heavy"]
    assert labels(actor_of(make_user())) == ["A", "B", "Heavy"]
    assert labels(actor_of(make_user("root", admin=True))) == ["Root", "A", "B", "Heavy"]


def test_a_tab_stands_on_the_kinds_of_asset_that_it_names(context, make_user, actor_of):
    add_nav_item(context, NavItem("Notes", "x.show", section=Section.REPOSITORY, kinds=("model",)))
    add_nav_item(context, NavItem("All", "x.show", section=Section.REPOSITORY))
    viewer = actor_of(make_user())
    for kind, labels in (("model", ["All", "Notes"]), ("dataset", ["All"])):
        found = list_nav_items(context, Section.REPOSITORY, viewer=viewer, kind=kind)
        assert [item.label for item in found] == labels


def test_an_item_that_leads_nowhere_is_left_out(context):
    add_nav_item(context, NavItem("Nowhere", "nobody.home"))
    add_nav_item(context, NavItem("Somewhere", "home.show_home"))
    page = open_client(context).get("/", headers=HTML).text
    assert "Nowhere" not in page
    assert "Somewhere" in page


# Panels.


def render_greeting(*, viewer):
    return f"<p>Good day, {viewer.name or 'stranger'}</p>"


def break_down(**_subject):
    raise ZeroDivisionError


def test_panels_stand_in_order_for_those_whom_they_concern(context, sign_in):
    for name, weight, audience in (("last", 9, Audience.EVERYONE), ("first", 1, Audience.SIGNED_IN)):
        add_panel(context, Panel(name, Slot.HOME, lambda name=name, **_: f"[{name}]", weight=weight, audience=audience))
    add_panel(context, Panel("elsewhere", Slot.PROFILE, lambda **_: "[elsewhere]"))
    client = open_client(context)
    assert "[last]" in client.get("/", headers=HTML).text
    assert "[first]" not in client.get("/", headers=HTML).text
    assert "[first][last]" in client.get("/", headers=sign_in()).text


def test_a_panel_is_given_the_viewer_and_may_be_named(context, sign_in):
    add_panel(context, Panel("greeting", Slot.HOME, f"{__name__}:render_greeting"))
    assert "<p>Good day, ada</p>" in open_client(context).get("/", headers=sign_in()).text


@pytest.mark.parametrize(
    "render", [break_down, "nothing_of_this_name:render", f"{__name__}:nothing", lambda: "no viewer"]
)
def test_a_panel_that_fails_is_left_out_and_the_page_stands(context, render):
    add_panel(context, Panel("greeting", Slot.HOME, render_greeting))
    add_panel(context, Panel("odd", Slot.HOME, render))
    page = open_client(context, testing=False).get("/", headers=HTML)
    assert page.status_code == 200
    assert "Good day, stranger" in page.text


def test_panels_have_one_owner_each(context, make_user, actor_of):
    add_panel(context, Panel("greeting", Slot.HOME, render_greeting), owner="alpha")
    assert [entry.owner for entry in context[PANELS].entries()] == ["alpha"]
    assert len(list_panels(context, Slot.HOME, viewer=actor_of(make_user()))) == 1


# Notices of the licence.


@pytest.fixture
def notices(clock, context, sign_in):
    """``notices(40)``: what everybody and what administrators are told that many days before a licence ends."""
    admin = sign_in(admin=True)

    def look(days):
        end = NOW + timedelta(days=100)
        install(context, make_license(expire_time=end, grace_days=14))
        clock.moment = end - timedelta(days=days)
        client = open_client(context)
        return tuple(client.get("/", headers=headers).text.count('class="notice"') for headers in (HTML, admin))

    return look


@pytest.mark.parametrize("days, everybody, admins", [(90, 0, 0), (20, 0, 1), (-3, 1, 1), (-20, 0, 1)])
def test_notices_reach_those_whom_they_concern(notices, days, everybody, admins):
    assert notices(days) == (everybody, admins)


def test_pages_are_compressed_for_those_whose_page_holds_nothing_of_theirs(client, sign_in):
    packed = {**HTML, "Accept-Encoding": "br, gzip"}
    client.set_cookie("zone", "Europe/Paris")
    page = client.get("/", headers=packed)
    assert page.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in page.headers["Vary"]
    assert gzip.decompress(page.data).decode().startswith("<!doctype html>")
    for headers in (HTML, {**packed, **sign_in()}):
        assert "Content-Encoding" not in client.get("/", headers=headers).headers
    client.set_cookie("hub_session", "x")
    assert "Content-Encoding" not in client.get("/", headers=packed).headers


# Speed: a page asks the database little, whoever looks.


@pytest.fixture
def read_again(client, make_user, make_repository, sign_in, count_queries):
    """``read_again(path, headers)``: how many queries a page takes that was seen before."""
    ada = make_user("grace")
    make_repository(ada, "thing")
    make_repository(ada, "trainer", kind="code")

    def count(path, headers):
        assert client.get(path, headers=headers).status_code == 200
        with count_queries() as queries:
            assert client.get(path, headers=headers).status_code == 200
        # The licence is looked at once a minute, whoever asks then.
        return len([query for query in queries if "FROM licenses" not in query])

    return count


@pytest.mark.parametrize(
    "path, of_nobody, of_somebody",
    [
        ("/models/grace/thing", 2, 7),
        ("/models", 1, 3),
        ("/codes/grace/trainer/files/main", 1, 6),
    ],
)
def test_a_page_takes_few_queries(read_again, sign_in, path, of_nobody, of_somebody):
    assert read_again(path, HTML) == of_nobody
    assert read_again(path, sign_in()) == of_somebody
