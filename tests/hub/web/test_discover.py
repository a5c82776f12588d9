import re
from dataclasses import replace

import pytest
from sqlalchemy import text

from hub.accounts.policy import ANONYMOUS
from hub.assets.service.collections import create_collection, update_collection
from hub.assets.service.items import add_items
from hub.assets.service.labels import set_labels
from hub.db.engine import DATABASE
from hub.db.uow import reading, unit_of_work
from hub.repos.models import Repository
from hub.repos.service import list_repositories
from hub.repos.service.changes import set_visibility
from hub.web.cards import card_views

pytestmark = pytest.mark.any_database

HTML = {"Accept": "text/html"}
PART = {**HTML, "HX-Request": "true"}


@pytest.fixture
def shelf(context, make_user, make_token, make_repository, actor_of):
    """Ada's models with labels, one of them private, and how she asks for pages."""
    ada = make_user("ada")
    made = {
        name: make_repository(ada, name, **fields)
        for name, fields in {
            "alpha": {"description": "<b>bold</b> words"},
            "beta": {"nickname": "The second"},
            "gamma": {},
            "veiled": {"private": True},
            "corpus": {"kind": "dataset"},
        }.items()
    }
    labels = {"alpha": ("translation", "mit"), "beta": ("translation", "apache-2.0"), "gamma": ("fill-mask", "mit")}
    with unit_of_work(context) as work:
        for name, (task, license) in labels.items():
            repository = work.session.get_one(Repository, made[name].id)
            for category, label in (("task", task), ("license", license)):
                set_labels(work, actor=actor_of(ada), repository=repository, category=category, names=[label])
    return ada, made, {**HTML, "Authorization": f"Bearer {make_token(ada, 'admin')}"}


def _in_order(page):
    return re.findall(r'<a class="of-card" href="/\w+/ada/(\w+)"', page.text)


def _paths(page):
    return sorted(_in_order(page))


def _count(page, key, name):
    """The number beside a value of a facet."""
    found = re.search(rf'id="v-{key}-{name}".*?number">(\d+)<', page.text, re.DOTALL)
    return int(found[1]) if found else 0


def test_lists_are_narrowed_by_what_their_address_says(client, shelf):
    _ada, _made, headers = shelf
    assert _paths(client.get("/models", headers=HTML)) == ["alpha", "beta", "gamma"]
    assert _paths(client.get("/models", headers=headers)) == ["alpha", "beta", "gamma", "veiled"]
    assert _paths(client.get("/models?visibility=private", headers=headers)) == ["veiled"]
    page = client.get("/models?task=translation&license=mit", headers=HTML)
    assert _paths(page) == ["alpha"]
    # Beside each value what choosing it, too, would bring under the other filters.
    assert (_count(page, "task", "translation"), _count(page, "task", "fill-mask")) == (1, 1)
    assert (_count(page, "license", "mit"), _count(page, "license", "apache-2.0")) == (1, 1)
    assert 'href="/models?license=mit"' in page.text  # without the task
    assert 'href="/models?license=mit&amp;task=translation,fill-mask"' in page.text
    assert _paths(client.get("/models?task=translation,fill-mask&license=mit", headers=HTML)) == ["alpha", "gamma"]
    assert _paths(client.get("/models?search=second", headers=HTML)) == ["beta"]
    assert _paths(client.get("/models?author=nobody", headers=HTML)) == []
    assert _paths(client.get("/datasets", headers=HTML)) == ["corpus"]


def test_a_list_escapes_what_people_wrote_and_answers_with_a_part_of_itself(client, shelf):
    page = client.get("/models?search=alpha", headers=PART)
    assert "<!doctype" not in page.text
    assert "&lt;b&gt;bold&lt;/b&gt; words" in page.text
    odd = client.get("/models", query_string={"search": '"><script>x</script>', "task": "<i>"}, headers=HTML)
    assert "<script>x" not in odd.text
    assert "<i>" not in odd.text


@pytest.mark.parametrize(
    "query, places, told",
    [
        ("", (0, 7), ""),
        ("params_min=3&params_max=34", (2, 5), "3–34 B"),
        ("params_min=72", (6, 7), "&gt; 72 B"),
        ("params_max=1", (0, 1), "&lt; 1 B"),
        ("params_min=5", (2, 7), "&gt; 3 B"),
        ("params_min=x", (0, 7), ""),
    ],
)
def test_a_span_of_sizes_stands_on_its_track_and_in_its_fields(client, query, places, told):
    page = client.get(f"/models?{query}", headers=HTML).text
    assert tuple(int(value) for value in re.findall(r'type="range"[^>]* value="(\d)"', page)) == places
    assert re.search(r"<output[^>]*>([^<]*)<", page)[1] == told
    assert 'name="params_min"' in page
    assert 'type="range"' not in client.get("/datasets", headers=HTML).text


@pytest.mark.parametrize("query", ["params_min=x", "params_max=-1", "fits=nan", "sort=worst", "source=moon", "page=0"])
def test_what_cannot_be_meant_is_told_and_the_filters_stay(client, query):
    page = client.get(f"/models?{query}", headers=HTML)
    assert page.status_code == 400
    assert 'data-state="error"' in page.text
    assert 'data-testid="list.search"' in page.text


def test_a_list_that_cannot_be_read_says_so_in_its_place_and_its_filters_stay(context, client, shelf):
    with context[DATABASE].engine.begin() as connection:
        connection.execute(text("ALTER TABLE repositories RENAME TO elsewhere"))
    for path in ("/models?task=translation&search=a", "/search?q=alpha", "/search?q=alpha&type=models"):
        page = client.get(path, headers=HTML)
        assert (page.status_code, 'data-state="error"' in page.text) == (503, True)
        assert 'data-testid="list.again"' in page.text
        assert page.headers["X-Request-ID"] in page.text
        assert "elsewhere" not in page.text
    listing = client.get("/models?task=translation&search=a", headers=PART)
    assert 'data-testid="list.chip"' in listing.text
    assert 'name="params_min"' in listing.text
    with context[DATABASE].engine.begin() as connection:
        connection.execute(text("ALTER TABLE elsewhere RENAME TO repositories"))
    assert _paths(client.get("/models?search=alpha", headers=HTML)) == ["alpha"]


def test_a_list_is_a_table_where_its_address_or_the_browser_says_so(client, shelf):
    table = client.get("/models?view=table&sort=name", headers=HTML)
    assert _in_order(table) == ["alpha", "beta", "gamma"]
    assert table.text.count('data-testid="list.row"') == 3
    client.set_cookie("list_view", "table")
    assert 'data-testid="list.row"' in client.get("/datasets", headers=HTML).text
    assert 'data-testid="list.row"' not in client.get("/datasets?view=cards", headers=HTML).text
    client.set_cookie("list_view", "<odd>")
    assert 'data-testid="card"' in client.get("/datasets", headers=HTML).text


def test_a_list_without_anything_says_what_to_do(client, shelf):
    assert 'data-state="empty"' in client.get("/spaces", headers=HTML).text
    assert "Sign in to make the first one" in client.get("/spaces", headers=HTML).text
    nothing = client.get("/models?license=gpl-3.0", headers=HTML)
    assert "No repository matches" in nothing.text
    assert 'data-testid="list.chip"' in nothing.text


def test_cards_cost_the_same_however_many_there_are(context, shelf, count_queries):
    with reading(context) as work:
        rows = list_repositories(work, actor=ANONYMOUS, kind="model").items
        card_views(work, ANONYMOUS, rows)  # from then on the labels are known
        context[DATABASE].moments.clear()
        with count_queries() as few:
            card_views(work, ANONYMOUS, rows[:1])
        context[DATABASE].moments.clear()
        with count_queries() as many:
            views = card_views(work, ANONYMOUS, rows)
        with count_queries() as again:
            card_views(work, ANONYMOUS, rows)
    assert len(few) == len(many) <= 5
    assert len(again) == len(many) - 2  # pictures and downloads are remembered for moments
    assert {view.task.name for view in views} == {"translation", "fill-mask"}


def test_a_facet_is_shown_whole_and_looked_through(client, shelf):
    page = client.get("/models?facet=license&find=apache", headers=HTML)
    assert (_count(page, "license", "apache-2.0"), _count(page, "license", "mit")) == (1, 0)
    assert "No label has this in its name." in client.get("/models?facet=license&find=zzz", headers=HTML).text


def test_the_search_page_shows_each_type_and_helps_where_nothing_is_found(client, shelf):
    assert _paths(client.get("/search?q=alpha&type=models", headers=HTML)) == ["alpha"]
    assert "ada/veiled" not in client.get("/search?q=veiled", headers=HTML).text
    page = client.get("/search", query_string={"q": "alpha license:apache-2.0"}, headers=HTML)
    assert 'data-state="empty"' in page.text
    [address] = re.findall(r'href="(/search\?q=[^"]*)" data-testid="search.drop"', page.text)
    assert address == "/search?q=alpha"
    fault = client.get("/search", query_string={"q": "params:<b>"}, headers=HTML)
    assert (fault.status_code, 'data-state="error"' in fault.text) == (400, True)
    assert "&lt;b&gt;" in fault.text
    assert client.get("/search", headers=HTML).status_code == 200


def test_the_box_finds_while_one_types_and_never_fails(client, shelf):
    page = client.get("/search/quick?q=bet", headers=PART)
    assert re.findall(r'role="option"[^>]*href="([^"]+)"', page.text) == ["/models/ada/beta", "/search?q=bet"]
    for odd in ("params:", '"', " ", "x" * 300):
        assert client.get("/search/quick", query_string={"q": odd}, headers=PART).status_code == 200


def test_the_first_page_is_for_who_looks(client, shelf, make_user, make_token):
    _ada, _made, headers = shelf
    anybody, ada = client.get("/", headers=HTML).text, client.get("/", headers=headers).text
    assert "veiled" not in anybody
    assert "Your repositories" not in anybody
    assert "/models/ada/veiled" in ada
    eve = {**HTML, "Authorization": f"Bearer {make_token(make_user('eve'), 'admin')}"}
    begins = client.get("/", headers=eve).text
    assert "Your repositories" in begins
    assert 'class="card row" href="/models/new"' in begins
    assert "What others did" in client.get("/?part=feed", headers={**headers, "HX-Request": "true"}).text
    assert client.get("/explore?period=day", headers=HTML).status_code == 200
    assert client.get("/explore?period=aeon", headers=HTML).status_code == 400


def test_what_is_remembered_of_the_first_page_is_shown_while_everybody_may_see_it(
    context, client, shelf, actor_of, count_queries
):
    ada, made, _headers = shelf
    with unit_of_work(context) as work:
        best = create_collection(work, actor=actor_of(ada), name="Best").id
    assert "/models/ada/alpha" in client.get("/", headers=HTML).text
    with count_queries() as queries:
        again = client.get("/", headers=HTML).text
    assert "/models/ada/alpha" in again
    assert f"/collections/{best}" in again
    assert len(queries) <= 3
    with unit_of_work(context) as work:
        set_visibility(work, actor=actor_of(ada), repository_id=made["alpha"].id, private=True)
        update_collection(work, actor=actor_of(ada), collection_id=best, is_private=True)
    hidden = client.get("/", headers=HTML).text
    assert "/models/ada/beta" in hidden
    assert "/models/ada/alpha" not in hidden
    assert f"/collections/{best}" not in hidden


def test_collections_show_what_one_may_see_and_count_the_rest_for_their_owners(
    context, client, shelf, actor_of, make_user, make_repository
):
    ada, made, headers = shelf
    with unit_of_work(context) as work:
        collection = create_collection(work, actor=actor_of(ada), name="Best", description="<i>mine</i>")
        ids = [made[name].id for name in ("veiled", "beta", "alpha")]
        add_items(work, actor=actor_of(ada), collection_id=collection.id, repository_ids=ids)
        secret = create_collection(work, actor=actor_of(ada), name="Secret", is_private=True)
        best, secret = f"/collections/{collection.id}", f"/collections/{secret.id}"
    page = client.get(best, headers=HTML)
    assert "may not see" not in page.text
    assert "veiled" not in page.text.split("<main", 1)[1]
    assert "&lt;i&gt;mine&lt;/i&gt;" in page.text
    assert re.findall(r'data-place="(\d)"', page.text) == ["1", "2"]
    assert 'data-testid="item.up"' not in page.text
    own = client.get(best, headers=headers)
    assert re.findall(r'data-place="(\d)"', own.text) == ["1", "2", "3"]
    assert 'data-testid="item.up"' in own.text
    # Of bob's, once he has hidden it, ada is told that it is there; places count it, as the API takes them.
    bob = make_user("bob")
    borrowed = make_repository(bob, "borrowed")
    with unit_of_work(context) as work:
        add_items(
            work, actor=actor_of(ada), collection_id=collection.id, repository_ids=[borrowed.id, made["gamma"].id]
        )
        set_visibility(work, actor=actor_of(bob), repository_id=borrowed.id, private=True)
    own = client.get(best, headers=headers)
    assert "1 more is in it that you may not see." in own.text
    assert re.findall(r'data-place="(\d)"', own.text) == ["1", "2", "3", "5"]
    assert client.get(secret, headers=HTML).status_code == 404
    assert client.get("/collections/999999999999999999999", headers=HTML).status_code == 404
    listed = client.get("/collections?search=be", headers=HTML).text
    assert best in listed
    assert secret not in listed
    candidates = client.get(f"{best}?add=alp", headers={**headers, "HX-Request": "true"}).text
    assert "In it already" in candidates
    assert client.get("/collections/new", headers=HTML).status_code == 303


def test_the_first_page_says_what_its_hub_is_told_to_say(context, client, shelf):
    context.settings = replace(context.settings, home_title="<Acme> models", home_text="Ours.")
    page = client.get("/", headers=HTML).text
    assert "<h1>&lt;Acme&gt; models</h1>" in page
    assert "Ours." in page


def test_a_fresh_hub_says_how_to_begin(client, make_user, make_token):
    root = {**HTML, "Authorization": f"Bearer {make_token(make_user('root', admin=True), 'admin')}"}
    page = client.get("/", headers=root).text
    assert 'data-state="empty"' in page
    assert 'data-testid="home.fresh.setup"' in page
    assert 'data-testid="home.fresh.setup"' not in client.get("/", headers=HTML).text
    for path in ("/explore", "/collections", "/skills"):
        assert 'data-state="empty"' in client.get(path, headers=HTML).text


def test_the_rest_lists_take_the_filters_of_the_pages(client, shelf):
    _ada, _made, headers = shelf
    found = client.get("/api/v1/models?visibility=private", headers=headers).json["data"]
    assert [model["path"] for model in found] == ["ada/veiled"]
    assert client.get("/api/v1/models?fits=24").json["data"] == []
    for sort in ("name", "size", "created", "most_likes7d"):
        found = client.get(f"/api/v1/models?sort={sort}").json["data"]
        assert sorted(model["name"] for model in found) == ["alpha", "beta", "gamma"]
        page = client.get(f"/models?sort={sort}", headers=HTML)
        assert _in_order(page) == [model["name"] for model in found]
    assert _in_order(client.get("/models?sort=name", headers=HTML)) == ["alpha", "beta", "gamma"]
    for query in ("visibility=moon", "fits=x", "fits=nan"):
        assert client.get(f"/api/v1/models?{query}").status_code == 400
