import pytest
from flask import Blueprint
from marshmallow import Schema, fields

from hub.base.registry import RegistryError
from hub.plugin import NavItem, Section
from hub.plugin.api import PREFIX, ApiBlueprint, RepositoryBlueprint, enveloped, ok
from hub.plugin.events import RepositoryCreated
from hub.plugin.host import PLUGINS
from hub.plugin.states import PluginError
from hub.plugin.web import create_pages, render_page
from hub.repos.kinds import RepositoryKind
from hub.web.navigation import NAVIGATION
from tests.support.plugins import contributions, make_plugin, open_client, start_host

pytestmark = pytest.mark.any_database

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
ALPHA = {"url_prefixes": ("/api/v1/alpha", "/alpha"), "repository_paths": ("/notes",)}


class Here(Schema):
    here = fields.String()


def make_api(name="alpha_api", path="/alpha"):
    api = RepositoryBlueprint(name, __name__, url_prefix=PREFIX, description="Alphas")

    @api.get(path)
    @api.response(200, enveloped(Here))
    def read():
        """What there is."""
        return ok({"here": name})

    return api


def make_repository_api():
    api = make_api()

    @api.at("/notes")
    @api.response(200, enveloped(Here))
    def list_notes(address):
        """The notes."""
        return ok({"here": address.path})

    return api


def make_pages(name="alpha_web", prefix="/alpha", **routes):
    pages = create_pages(name, __name__, url_prefix=prefix)

    @pages.get("")
    def show():
        return render_page("home.html")

    for path, view in routes.items():
        pages.add_url_rule(f"/{path}", path, view)
    return pages


def make_alpha(**members):
    given = {"api_blueprints": (make_repository_api(),), "web_blueprints": (make_pages(),), **ALPHA}
    return make_plugin("alpha", **{**given, **members})


@pytest.fixture
def mount(context, bring):
    """``mount(make_alpha())``: a client on the application with these plugins."""

    def start(*plugins, **settings):
        for plugin in plugins:
            bring(plugin)
        start_host(context, plugins=",".join(plugin.name for plugin in plugins), **settings)
        return open_client(context)

    return start


@pytest.fixture
def fault(context, mount):
    """``fault(plugin)``: why the last of these plugins is broken; the application stands without it."""

    def tell(*plugins):
        client = mount(*plugins)
        assert client.get("/-/health").status_code == 200
        assert not [name for name in client.application.blueprints if name.startswith(plugins[-1].name)]
        found = context[PLUGINS].find(plugins[-1].name)
        assert found.state == "broken"
        assert contributions(context, found.name) == {}
        return found.reason

    return tell


def test_pages_and_api_are_served_and_the_api_is_described(context, mount, make_user, make_repository):
    client = mount(make_alpha())
    assert client.get("/api/v1/alpha").json["data"] == {"here": "alpha_api"}
    page = client.get("/alpha", headers=HTML)
    assert (page.status_code, page.mimetype) == (200, "text/html")
    make_repository(make_user())
    assert client.get("/api/v1/models/ada/thing/notes").json["data"] == {"here": "ada/thing"}
    described = client.get("/api/openapi.json").json
    assert described["paths"]["/api/v1/alpha"]["get"]["summary"] == "What there is."
    assert [path for path in described["paths"] if path.endswith("/notes")]
    assert {"API routes", "pages"} <= set(context[PLUGINS].find("alpha").points)


def test_what_the_api_of_a_plugin_refuses_is_told_in_the_platforms_words(mount):
    api = ApiBlueprint("alpha_api", __name__, url_prefix=f"{PREFIX}/alpha")

    @api.get("")
    def refuse():
        raise PermissionError

    client = mount(make_alpha(api_blueprints=(api,)))
    client.application.testing = False
    answer = client.get("/api/v1/alpha", headers=HTML)
    assert (answer.status_code, answer.json["code"]) == (500, "SYS-ERR-0")


def test_a_kind_of_asset_has_its_addresses(mount, make_user, make_repository):
    client = mount(make_alpha(kinds=[RepositoryKind("notebook", "notebooks", "Notebook")]))
    make_repository(make_user(), kind="notebook")
    assert client.get("/api/v1/notebooks/ada/thing").json["data"]["path"] == "ada/thing"
    assert client.get("/notebooks/ada/thing.git/info/refs?service=git-upload-pack").status_code == 200


@pytest.mark.parametrize(
    "members, reason",
    [
        ({"web_blueprints": (make_pages("alphabet"),)}, "'alphabet' is not named 'alpha_web...'"),
        ({"web_blueprints": (make_pages("beta_web"),)}, "'beta_web' is not named 'alpha_web...'"),
        ({"api_blueprints": (make_api("alpha_web"),)}, "'alpha_web' is not named 'alpha_api...'"),
        ({"web_blueprints": (make_pages(prefix="/elsewhere"),)}, "/elsewhere lies under none of its url_prefixes"),
        ({"web_blueprints": (make_pages(prefix="/alphabet"),)}, "/alphabet lies under none of its url_prefixes"),
        ({"api_blueprints": (make_api(path="/beta"),)}, "/api/v1/beta lies under none of its url_prefixes"),
        ({"repository_paths": ("/other",)}, "/notes lies under none of its url_prefixes"),
        ({"nav_items": [NavItem("Notes", "alpha_web.nowhere")]}, "'Notes' leads to 'alpha_web.nowhere'"),
        ({"web_blueprints": (3,)}, "AttributeError"),
        ({"web_blueprints": None}, "TypeError"),
        ({"api_blueprints": (Blueprint("alpha_api", __name__),)}, "AttributeError"),
        ({"url_prefixes": ("/api/v1/alpha", "/alpha", "/api")}, "'/api' is already taken by hub"),
        ({"url_prefixes": ("/api/v1/alpha", "/alpha", "/api/v1")}, "'/api/v1' is already taken by hub"),
        ({"url_prefixes": ("/api/v1/alpha", "/alpha", "/-")}, "'/-' is already taken by hub"),
        ({"url_prefixes": ("/api/v1/alpha", "/alpha", "/-/health")}, "'/-/health' is already taken by hub"),
        ({"url_prefixes": ("/api/v1/alpha", "/alpha", "/models")}, "'/models' is already taken by hub"),
        ({"url_prefixes": ("/api/v1/alpha", "/alpha", "/mcps/mine")}, "'/mcps/mine' is already taken by hub"),
        ({"url_prefixes": ("/api/v1/alpha", "/alpha", "/api/v1/models")}, "'/api/v1/models' is already taken by hub"),
        ({"url_prefixes": ("/api/v1/alpha", "/alpha", "/api/v1/user")}, "'/api/v1/user' is already taken by hub"),
        ({"repository_paths": ("/notes", "/branches")}, "/branches' is already taken by hub"),
    ],
)
def test_what_does_not_fit_makes_the_plugin_broken_and_the_application_stands(fault, members, reason):
    assert reason in fault(make_alpha(**members))


def test_a_method_that_gives_pages_and_raises_is_the_reason(fault):
    plugin = make_alpha()

    def fail(self):
        raise SystemExit("no pages today")

    plugin.web_blueprints = fail
    assert fault(plugin) == "SystemExit: no pages today"


@pytest.mark.parametrize("prefix", ["/alpha", "/alpha/inner"])
def test_the_ground_of_another_plugin_is_taken_and_both_are_named(fault, prefix):
    beta = make_plugin("beta", url_prefixes=(prefix,), web_blueprints=(make_pages("beta_web", prefix),))
    assert fault(make_alpha(), beta) == f"its prefix {prefix!r} is already taken by alpha"


def test_ground_around_that_of_another_plugin_is_taken_too(fault):
    beta = make_plugin("beta", url_prefixes=("/alpha",), repository_paths=())
    alpha = make_plugin("alpha", url_prefixes=("/alpha/inner",))
    aaa = make_plugin("aaa", url_prefixes=("/alpha",), web_blueprints=(make_pages("aaa_web"),))
    assert fault(aaa, alpha, beta) == "its prefix '/alpha' is already taken by aaa"


def test_paths_below_a_repository_have_one_owner(fault):
    beta = make_plugin("beta", repository_paths=("/notes",))
    assert "/notes' is already taken by alpha" in fault(make_alpha(), beta)


def test_two_plugins_on_their_own_ground_both_run(mount):
    beta = make_plugin("beta", url_prefixes=("/alphabet",), web_blueprints=(make_pages("beta_web", "/alphabet"),))
    client = mount(make_alpha(), beta)
    assert client.get("/alpha", headers=HTML).status_code == 200
    assert client.get("/alphabet", headers=HTML).status_code == 200


def test_a_plugin_that_requires_the_broken_one_is_taken_along(context, mount):
    pages = make_pages("beta_web", "/beta")
    beta = make_plugin("beta", requires=("alpha",), url_prefixes=("/beta",), web_blueprints=(pages,))
    client = mount(make_alpha(url_prefixes=("/models",)), beta)
    assert context[PLUGINS].find("beta").reason == "it requires the plugin 'alpha', which does not run"
    assert client.get("/beta", headers=HTML).status_code == 404


def test_a_strict_start_fails_when_pages_cannot_be_mounted(mount):
    with pytest.raises(PluginError, match="'alpha' is broken: its prefix '/models' is already taken by hub"):
        mount(make_alpha(url_prefixes=("/models",)), plugins_strict=True)


def test_the_registries_are_closed_once_the_application_stands(context, mount):
    mount(make_alpha())
    with pytest.raises(RegistryError):
        context[NAVIGATION].add("main/Later", NavItem("Later", "home.show_home"))


def test_navigation_shows_what_a_plugin_adds(mount):
    items = [NavItem("All notes", "alpha_web.show"), NavItem("Hidden", "alpha_web.show", section=Section.USER)]
    page = mount(make_alpha(nav_items=items)).get("/", headers=HTML).text
    assert '<a href="/alpha">All notes</a>' in page
    assert "Hidden" not in page


def test_a_plugin_that_runs_hears_of_what_is_made(mount, make_user, make_repository):
    heard = []
    mount(make_alpha(listeners={RepositoryCreated: lambda context, event: heard.append(event)}))
    repository = make_repository(make_user())
    assert [event.repository_id for event in heard] == [repository.id]
