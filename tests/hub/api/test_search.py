"""The search over everything, and the counts beside lists, as clients see them."""

import pytest

from hub.accounts.models import Member, Role
from hub.assets.models_indexing import ModelMetadata
from hub.community.service import discussions
from hub.db.uow import unit_of_work
from hub.jobs.run import run_due
from hub.repos.files import FileEdit, commit_files
from hub.repos.models import Repository
from tests.support.api import data, refusal

CARD = (
    "---\nlicense: mit\npipeline_tag: translation\nlanguage: [en, fr]\n---\n# About\nThe **wombat** digs 自然语言处理."
)


@pytest.fixture
def library(context, as_user, make_organization, make_repository, actor_of):
    """Ada's repositories, one of them private, and Eve who sees the others."""
    ada, eve = as_user("ada"), as_user("eve")
    acme = make_organization("acme-labs")
    with unit_of_work(context) as work:
        now = work.now()
        work.session.add(Member(organization_id=acme.id, user_id=ada.user.id, role=Role.WRITE, created_at=now))
    made = {
        name: make_repository(ada.user, name, **fields)
        for name, fields in {
            "llama": {"description": "the first"},
            "llama-7b": {"license": "mit"},
            "tiny-llama": {},
            "other": {"nickname": "Cousin of Llama"},
            "secret-llama": {"private": True},
            "corpus": {"kind": "dataset", "description": "for a llama"},
            "digger": {},
        }.items()
    }

    def push(name, **files):
        edits = [
            FileEdit(path.replace("__", "/").replace("_", "."), content=text.encode()) for path, text in files.items()
        ]
        commit_files(
            context, actor=actor_of(ada.user), repository_id=made[name].id, message="x", edits=edits, branch="main"
        )

    push("digger", README_md=CARD, src__dig_py="import os\n\ndef digTunnel(depth):\n    return depth\n")
    push("secret-llama", README_md="# The wombat", dig_py="digTunnel(1)\n")
    run_due(context)
    return ada, eve, made


def _names(answer, type=None):
    sections = data(answer)["sections"]
    return [
        item["path"] if "path" in item else item.get("name", item.get("title"))
        for section in sections
        for item in section["items"]
        if type in (None, section["type"])
    ]


def _repositories_are_found_by_name_then_by_what_is_said_then_by_their_cards(library, nobody, count_queries):
    ada, *_ = library
    found = data(nobody.get("/search?q=Llama&type=models"))
    [section] = found["sections"]
    assert [item["name"] for item in section["items"]] == ["llama", "llama-7b", "tiny-llama", "other"]
    assert [item["match"] for item in section["items"]] == ["name", "name", "name", "text"]
    assert (section["total"], section["total_is_estimate"], found["total"]) == (4, False, 4)
    assert "ada/secret-llama" in _names(ada.get("/search?q=llama&type=models"))
    assert _names(nobody.get("/search?q=llama&type=models&per=2&page=2")) == ["ada/tiny-llama", "ada/other"]
    for row in ("llama%207b", '"llama%207b"'):
        assert _names(nobody.get(f"/search?q={row}&type=models")) == ["ada/llama-7b"]
    assert _names(nobody.get("/search?q=ada/llama&type=models"))[:2] == ["ada/llama", "ada/llama-7b"]

    # By the card; the private one's is its owner's alone.
    [card] = data(nobody.get("/search?q=wombat&type=models"))["sections"][0]["items"]
    assert (card["path"], card["match"]) == ("ada/digger", "card")
    assert "The wombat digs" in card["snippet"]
    assert _names(nobody.get("/search?q=语言处理&type=models")) == ["ada/digger"]
    assert set(_names(ada.get("/search?q=wombat&type=models"))) == {"ada/digger", "ada/secret-llama"}
    assert _names(nobody.get('/search?q="wombat digs"&type=models')) == ["ada/digger"]
    assert _names(nobody.get("/search?q=wombat -digs&type=models")) == []

    with count_queries() as few:
        data(nobody.get("/search?q=tiny&type=models"))
    with count_queries() as many:
        data(nobody.get("/search?q=llama&type=models"))
    assert len(many) == len(few) <= 9


def _all_types_come_with_counts_and_the_overlay_without(library, nobody, context, actor_of):
    ada, eve, made = library
    data(ada.post("/collections", {"name": "llama things", "namespace": "ada"}))
    with unit_of_work(context) as work:
        for name in ("llama", "secret-llama"):
            discussions.create_discussion(
                work, actor=actor_of(ada.user), repository_id=made[name].id, title=f"Is {name} a Llama?"
            )
    found = data(nobody.get("/search?q=llama"))
    totals = {section["type"]: section["total"] for section in found["sections"]}
    assert totals == {
        "models": 4, "datasets": 1, "codes": 0, "spaces": 0, "prompts": 0, "skills": 0, "mcps": 0,
        "collections": 1, "organizations": 0, "code": 4, "discussions": 1,
    }  # fmt: skip
    assert _names(eve.get("/search?q=llama&type=discussions")) == ["Is llama a Llama?"]
    assert len(_names(ada.get("/search?q=llama user:ada&type=discussions"))) == 2
    assert _names(nobody.get("/search?q=acme")) == ["acme-labs"]
    assert _names(eve.get("/search?q=dax&type=users")) == []
    [[user]] = [section["items"] for section in data(eve.get("/search?q=Ad&type=users"))["sections"]]
    assert user["username"] == "ada"
    assert refusal(nobody.get("/search?q=ada&type=users")) == (401, "AUTH-ERR-0")

    quick = data(nobody.get("/search/quick?q=lla"))
    assert [section["type"] for section in quick["sections"]] == ["models", "datasets", "collections"]
    assert data(nobody.get("/search/quick?q=")) == data(nobody.get("/search/quick")) | {"query": ""}


def _code_is_found_with_its_lines_by_those_who_get_it(library, nobody, context):
    ada, eve, made = library
    [hit] = data(nobody.get("/search?q=dig_tunnel&type=code"))["sections"][0]["items"]
    assert (hit["repository"], hit["path"], hit["repository_type"]) == ("ada/digger", "src/dig.py", "model")
    assert hit["lines"] == [{"number": 3, "text": "def digTunnel(depth):"}]
    assert len(_names(ada.get("/search?q=digTunnel&type=code"))) == 2
    assert len(_names(ada.get("/search?q=digTunnel path:src&type=code"))) == 1
    assert _names(nobody.get("/search?q=digTunnel -depth&type=code")) == []

    # What is given on request only is not shown by the way of the search, neither code nor card.
    with unit_of_work(context) as work:
        work.session.get(Repository, made["digger"].id).gate = "manual"
    for asker, count in ((nobody, 0), (eve, 0), (ada, 2)):
        for type in ("code", "models"):
            query = "digTunnel" if type == "code" else "wombat"
            assert len(_names(asker.get(f"/search?q={query}&type={type}"))) == count
    # Deleted and renamed ones are followed.
    data(ada.put("/models/ada/digger", {"name": "burrower"}))
    assert "ada/burrower" in _names(ada.get("/search?q=wombat&type=models"))
    data(ada.delete("/models/ada/burrower"))
    assert len(_names(ada.get("/search?q=digTunnel&type=code"))) == 1


def _filters_narrow_and_what_cannot_be_understood_is_told(library, nobody, context):
    ada, _eve, made = library
    with unit_of_work(context) as work:
        work.session.merge(ModelMetadata(repository_id=made["llama-7b"].id, parameters=7 * 10**9))
    for query, names in {
        "license:mit": ["digger", "llama-7b"],
        "llama license:apache-2.0,mit": ["llama-7b"],
        "llama -license:mit": ["llama", "tiny-llama", "other"],
        "task:translation lang:fr": ["digger"],
        "user:ADA llama-7b": ["llama-7b"],
        "org:acme-labs llama": [],
        "llama kind:dataset": [],
        "llama is:public size:<10GB updated:>2020-01-01 likes:0": ["llama", "llama-7b", "tiny-llama", "other"],
        "llama updated:<2020-01-01": [],
        "llama params:>1B": ["llama-7b"],
        "llama params:1B..6.9B": [],
        "llama -params:>1B -path:x is:public,private created:>=2020-01-01": ["llama", "other", "tiny-llama"],
    }.items():
        assert sorted(_names(nobody.get(f"/search?q={query}&type=models"))) == sorted(f"ada/{name}" for name in names)
    assert _names(ada.get("/search?q=is:private&type=models")) == ["ada/secret-llama"]

    for query in (
        "size:big", "is:purple", "updated:soon", '"open', "license:", "params:1..x", "a " * 9, "x" * 257, "kind:a " * 9,
        "\x00",
    ):  # fmt: skip
        assert refusal(nobody.get(f"/search?q={query.replace(chr(0), '%00')}")) == (400, "query_invalid"), query
    assert refusal(nobody.get("/search?q=a&type=nothing")) == (400, "REQ-ERR-6")
    assert refusal(nobody.get("/search?q=a&type=models&sort=nothing")) == (400, "REQ-ERR-6")
    assert refusal(nobody.get("/search?q=a&type=models&page=1000")) == (400, "REQ-ERR-6")
    for odd in (
        "%",
        "_",
        "\\",
        "'",
        "(",
        "a/b/c",
        "-",
        "--",
        "*",
        "語",
        "a:b",
        "\u200b",
        "OR",
        "NEAR(a b)",
        "-a",
        '""',
    ):
        for type in ("all", "models", "code"):
            data(nobody.client.get("/api/v1/search", query_string={"q": odd, "type": type}))
    for odd in ("%00", "%ED%A0%80", "a" * 3000, "a," * 51):
        for path in ("search?q", "search/quick?q", "models?task", "models/facets?license", "models/facets?categories"):
            assert nobody.get(f"/{path}={odd}").status_code in (200, 400), path


def _a_slip_of_the_pen_is_put_right_and_a_filter_in_the_way_is_named(library, nobody):
    for typed in ("lllama", "lalma", "llamma"):
        found = data(nobody.get(f"/search?q={typed}&type=models"))
        assert (found["corrected_query"], found["total"]) == ("llama", 4), typed
    assert "corrected_query" not in data(nobody.get("/search?q=zebrafish&type=models"))
    found = data(nobody.get("/search?q=llama license:gpl-3.0 task:translation&type=models"))
    assert found["total"] == 0
    assert [(one["filter"], one["total"]) for one in found["dropped"]] == [
        ("license:gpl-3.0", 0), ("task:translation", 0),
    ]  # fmt: skip
    [dropped] = data(nobody.get("/search?q=llama license:gpl-3.0&type=models"))["dropped"]
    assert dropped == {"filter": "license:gpl-3.0", "total": 4, "total_is_estimate": False}


def _lists_take_alternatives_and_facets_count_them(library, nobody, count_queries):
    ada, *_ = library
    for name, labels in {"llama": ["translation"], "other": ["summarization"], "tiny-llama": ["fill-mask"]}.items():
        data(ada.post(f"/models/ada/{name}/tags/task", labels))
    listed = data(nobody.get("/models?task=translation,summarization&sort=recently_create"))
    assert [item["name"] for item in listed] == ["digger", "other", "llama"]
    assert [item["name"] for item in data(nobody.get("/models?task=Translation&license=mit"))] == ["digger"]
    assert data(nobody.get("/models?task=nothing")) == []
    assert "ada/llama" in [item["path"] for item in data(nobody.get("/models?license=none"))]

    facets = {facet["category"]: facet for facet in data(nobody.get("/models/facets?task=translation,fill-mask"))}
    assert list(facets) == ["task", "license", "language", "framework"]
    assert {value["name"]: (value["count"], value["selected"]) for value in facets["task"]["values"]} == {
        "translation": (2, True), "summarization": (1, False), "fill-mask": (1, True),
    }  # fmt: skip
    # Of the other categories under the choice.
    assert {value["name"]: value["count"] for value in facets["license"]["values"]} == {"mit": 1}
    assert (facets["license"]["total"], facets["license"]["count_is_estimate"]) == (3, False)
    assert data(nobody.get("/models/facets?search=digger&categories=language"))[0]["values"][0]["count"] == 1
    assert refusal(nobody.get(f"/models/facets?categories={','.join(map(str, range(13)))}")) == (400, "REQ-ERR-6")
    with count_queries() as queries:
        data(nobody.get("/models/facets"))
    assert len(queries) <= 6


def test_everything_is_found_by_those_who_may_see_it(library, nobody, context, actor_of, count_queries):
    """One library for all of it: to make one takes longer than to search it."""
    _repositories_are_found_by_name_then_by_what_is_said_then_by_their_cards(library, nobody, count_queries)
    _filters_narrow_and_what_cannot_be_understood_is_told(library, nobody, context)
    _a_slip_of_the_pen_is_put_right_and_a_filter_in_the_way_is_named(library, nobody)
    _lists_take_alternatives_and_facets_count_them(library, nobody, count_queries)
    _all_types_come_with_counts_and_the_overlay_without(library, nobody, context, actor_of)
    _code_is_found_with_its_lines_by_those_who_get_it(library, nobody, context)
