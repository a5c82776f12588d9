"""Whose addresses are whose, and that a plugin's reach ends at its own."""

import pytest
from flask import Blueprint, Response

from hub.accounts.models import NamespaceKind
from hub.accounts.service.namespaces import new_namespace
from hub.base.errors import Invalid
from hub.db.uow import unit_of_work
from hub.plugin.host import PLUGINS
from hub.plugin.web import create_pages
from hub.repos.kinds import RepositoryKind
from tests.support.plugins import make_plugin, open_client, start_host

pytestmark = pytest.mark.any_database


def make_pages(name="alpha_web", prefix="/alpha"):
    pages = create_pages(name, __name__, url_prefix=prefix)
    pages.add_url_rule("", "show", lambda: "notes")
    return pages


@pytest.fixture
def reason(context, bring):
    """``reason(url_prefixes=...)``: why the plugin alpha cannot be mounted."""

    def tell(**members):
        bring(make_plugin("alpha", **members))
        start_host(context, plugins="alpha")
        client = open_client(context)
        assert client.get("/-/health").status_code == 200
        found = context[PLUGINS].find("alpha")
        assert found.state == "broken"
        return found.reason

    return tell


@pytest.mark.parametrize("feature", [None, "alpha.x"])
def test_no_namespace_takes_the_first_word_of_a_plugins_pages_not_even_of_a_locked_one(context, bring, feature):
    bring(make_plugin("alpha", url_prefixes=("/Notes/mine", "/api/v1/pads"), feature=feature))
    start_host(context, plugins="alpha")
    for name in ("notes", "NOTES"):
        with unit_of_work(context) as work, pytest.raises(Invalid, match="reserved") as raised:
            new_namespace(work, name, NamespaceKind.USER)
        assert raised.value.code == "name_reserved"
    with unit_of_work(context) as work:
        assert new_namespace(work, "pads", NamespaceKind.USER).path == "pads"


def test_a_namespace_that_was_there_first_keeps_its_addresses(make_user, reason):
    make_user("Notes")
    told = reason(url_prefixes=("/notes",), web_blueprints=(make_pages(prefix="/notes"),))
    assert told == "its prefix '/notes' is already taken by the namespace 'notes'"


def test_a_single_address_takes_nothing_else(context, bring, make_user):
    make_user("notes")
    app = Response("mine", mimetype="text/plain")
    members = {"wsgi_addresses": ("/notes/v1/mine",), "wsgi_apps": {"/notes/v1/mine": lambda _context: app}}
    bring(make_plugin("alpha", **members))
    start_host(context, plugins="alpha")
    client = open_client(context)
    assert client.post("/notes/v1/mine").text == "mine"
    assert client.get("/notes/v1/mine/below").status_code == 404
    assert client.get("/notes", headers={"Accept": "text/html"}).location.endswith("/notes")


@pytest.mark.parametrize(
    "members, told",
    [
        ({"wsgi_addresses": ("/api/v1/users",)}, "its address '/api/v1/users' is already taken by hub"),
        ({"wsgi_apps": {"/a/b": lambda _context: None}}, "'/a/b', which is none of its url_prefixes or wsgi_addresses"),
    ],
)
def test_a_single_address_of_somebody_else_is_not_taken(reason, members, told):
    assert told in reason(**members)


def test_a_kind_of_asset_takes_no_address_of_the_hubs(reason):
    told = reason(kinds=[RepositoryKind("alpha", "user", "Alpha")])
    assert "the addresses of its kind 'alpha', user, are already taken by hub" in told


@pytest.mark.parametrize(
    "reach",
    [
        lambda pages: pages.before_app_request(lambda: None),
        lambda pages: pages.after_app_request(lambda response: response),
        lambda pages: pages.teardown_app_request(lambda error: None),
        lambda pages: pages.app_errorhandler(404)(lambda error: "mine"),
        lambda pages: pages.app_context_processor(dict),
        lambda pages: pages.app_template_filter("upper")(lambda text: text),
        lambda pages: pages.app_template_global("viewer")(lambda: None),
        lambda pages: pages.app_url_defaults(lambda endpoint, values: None),
    ],
)
def test_a_blueprint_that_reaches_into_every_page_is_refused(reason, reach):
    pages = Blueprint("alpha_web", __name__, url_prefix="/alpha")
    reach(pages)
    assert "of the whole application" in reason(url_prefixes=("/alpha",), web_blueprints=(pages,))
