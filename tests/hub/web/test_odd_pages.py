"""Pages with odd words in their addresses: shown, refused or led on, and never a fault of ours."""

from __future__ import annotations

import html
import re
from importlib import import_module
from inspect import getsource
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from hub.accounts.service.avatars import own_picture
from hub.git.types import FileChange, RefChange, Signature
from hub.git.write import build_commit, update_refs
from hub.repos.lookup import repository_path
from hub.web.app import MODULES

pytestmark = pytest.mark.any_database

HTML = {"Accept": "text/html"}
ODD_FILE = "50%/a #1?x=1 \u202eabc\U0001f680\u00e9&.md"
ODD_BRANCH = "100%#\u202e\u00e9\U0001f680/x&y"


@pytest.fixture
def ada(make_user):
    return make_user("ada")


@pytest.fixture
def commit(context, ada, make_repository):
    """The one commit of a branch with an odd name, of a file with an odd name, in ``ada/thing``."""
    path = repository_path(context.settings, make_repository(ada, "thing"))
    who = Signature("A <b>", "a@example.org", context.clock.now())
    steps = [FileChange("put", name, b"# Odd\n") for name in (ODD_FILE, "README.md")]
    made = build_commit(path, parent=None, changes=steps, author=who, committer=who, message="\u202eOdd")
    nothing = "0" * 40
    update_refs(
        path, [RefChange(f"refs/heads/{ODD_BRANCH}", nothing, made), RefChange("refs/tags/v1#%", nothing, made)]
    )
    return made


def test_links_of_a_page_to_itself_lead_to_it(client, ada, commit, sign):
    place = f"/models/ada/thing/blob/{quote(ODD_BRANCH, safe='')}/{quote(ODD_FILE)}"
    page = client.get(place, headers=sign(ada))
    assert page.status_code == 200
    links = [
        html.unescape(link) for link in re.findall(r'(?:href|hx-get|value)="(/models/ada/thing/blob/[^"]+)"', page.text)
    ]
    assert any("?" in link for link in links)
    for link in links:
        assert client.get(link, headers=sign(ada)).status_code == 200, link
    asked = client.get("/profile/likes/a%23b?x=%26%23", headers=HTML)
    assert parse_qs(urlsplit(asked.location).query) == {"next": ["/profile/likes/a%23b?x=%26%23"]}


def test_who_moved_is_found_at_the_very_page_that_was_asked_for(client, ada, commit, make_organization):
    make_organization("acme")
    for old, new, rest in (
        ("models/ADA/thing", "models/ada/thing", f"/blob/{quote(ODD_BRANCH, safe='')}/{quote(ODD_FILE)}"),
        ("models/ADA/thing", "models/ada/thing", "/commit/a%0D%0Ab%23"),
        ("profile/ADA", "profile/ada", ""),
        ("organizations/ACME", "organizations/acme", "/members"),
    ):
        for query in ("", "?_external=1&_scheme=javascript", "?endpoint=x&_method=X", "?namespace=bob&username=bob"):
            answer = client.get(f"/{old}{rest}{query}", headers=HTML)
            assert answer.location.removeprefix("http://localhost") == f"/{new}{rest}{query}"


@pytest.mark.parametrize("page", ["0", "-1", "9" * 30, "0" * 9 + "19" + "9" * 20, "%C2%B2", "1e9", "%00", "1&page=2"])
def test_a_page_of_a_list_has_a_number_of_its_own_size(client, page):
    assert client.get(f"/models?page={page}").status_code in (200, 400)
    assert (client.get(f"/api/v1/models?page={page}").status_code == 200) == (page == "1&page=2")


def test_results_in_a_card_that_are_no_numbers_are_shown_as_they_stand(client, ada, make_repository):
    values = (".nan", "-.inf", "9" * 30, "true", "2026-01-01", "[1]", "0.5")
    metrics = "".join(f"    - {{name: m, value: {value}}}\n" for value in values)
    card = f"---\nmodel-index:\n- name: x\n  results:\n  - metrics:\n{metrics}---\n# Hi\n"
    make_repository(ada, "thing", files={"README.md": card.encode()})
    page = client.get("/models/ada/thing", headers=HTML)
    assert page.status_code == 200
    shown = re.findall(r"<td class=\"number\">([^<]*)<", page.text)
    assert shown == ["null", "null", "null", "true", "2026-01-01", "[1]", "0.5"]


@pytest.mark.parametrize("odd", ["%00%F0%9F%9A%80%23%3F%25%0A", "9" * 30])
def test_no_page_fails_over_an_odd_word_in_its_address_or_query(client, make_user, commit, sign, odd):
    headers = sign(make_user("root", admin=True))
    rooms = {module.blueprint.name: getsource(module) for module in map(import_module, MODULES)}
    good = {"kind": "models", "namespace": "ada", "name": "thing", "username": "ada", "rest": "main/README.md"}
    for rule in client.application.url_map.iter_rules():
        room = rule.endpoint.partition(".")[0]
        # Those of the set-up ask the machine, and are gone once there is an administrator.
        if room not in rooms or room == "set_up" or "GET" not in rule.methods:
            continue
        asked = {*re.findall(r'(?:args|query)\.get(?:list)?\("(\w+)"', rooms[room]), "page", "part"}
        kept = re.sub(r"<[^<>]*?(\w+)>", lambda found: good.get(found[1], "1"), rule.rule)
        bent = re.sub(
            r"<[^<>]*?(\w+)>",
            lambda found: odd if found[1] not in ("kind", "namespace", "name") else good[found[1]],
            rule.rule,
        )
        queries = [f"{kept}?{name}={odd}" for name in sorted(asked)] if room != "admin_pages" else []
        for address in [bent, *queries]:
            answer = client.get(address, headers={**headers, "HX-Request": "true"})
            assert answer.status_code < 500, (address, answer.text[:300])


def test_pictures_of_accounts_are_on_this_hub():
    assert own_picture("/-/static/favicon.svg") == "/-/static/favicon.svg"
    for address in ("//evil.example/x", "/\\evil.example/x", "/\t/evil.example/x", "https://evil.example/x", ""):
        assert own_picture(address) == ""
