"""What the platform's clients rely on when they make, list, show and change repositories.

Source: CSGHub contract, sections 4.1, 4.2, 5.1 to 5.3 and rows 1, 2, 11, 14, 17 and 18 of section 9.
"""

import base64
import hashlib
import json

import pytest

from hub.accounts.models import Role
from hub.accounts.policy import SYSTEM
from hub.accounts.service import set_grant
from hub.api.repository_schemas import RepositorySchema
from hub.api.schemas import CommitSchema, FileSchema, GitTagSchema
from hub.assets.models import RepositoryTag, Tag
from hub.base.registry import RegistryError
from hub.db.uow import reading, unit_of_work
from hub.repos import lastcommits
from hub.repos.details import DetailField
from hub.repos.kinds import KINDS, RepositoryKind, add_kind
from hub.repos.models import Repository
from hub.repos.service import fork_repository
from tests.support.api import data, refusal

# Where the database decides, both are asked.
anywhere = pytest.mark.any_database

COLLECTIONS = ["models", "datasets", "codes", "spaces", "prompts", "mcps", "skills"]
SECRETS = json.dumps({"KEY": "hush"})


@pytest.fixture
def ada(as_user):
    return as_user("ada")


def b64(content):
    return base64.encodebytes(content).decode()


def names(answer):
    return [item["name"] for item in data(answer)]


# Section 9.


@anywhere
@pytest.mark.parametrize("collection", COLLECTIONS)
def test_the_answers_of_the_sdks_upload_say_ok_with_200(ada, collection):
    made = ada.post(f"/{collection}", {"namespace": "ada", "name": "thing", "license": "mit"})
    assert (made.status_code, made.json["msg"]) == (200, "OK")
    address = f"/{collection}/ada/thing"
    assert [branch["name"] for branch in data(ada.get(f"{address}/branches"))] == ["main"]
    assert {file["name"] for file in data(ada.get(f"{address}/tree"))} >= {"README.md", ".gitattributes"}
    assert data(ada.post(f"{address}/preupload/main", {"files": [{"path": "a", "size": 1}]}))["files"]
    data(ada.post(f"{address}/raw/a.txt", {"message": "m", "branch": "main", "content": b64(b"a")}))
    data(ada.post(f"{address}/commit/main", {"message": "m", "files": [{"path": "b", "content": b64(b"b")}]}))


@anywhere
def test_the_platforms_capitals_and_names_are_kept(ada):
    space = data(ada.post("/spaces", {"name": "demo"}))
    assert space["namespace"].items() >= {"Path": "ada", "Type": "user", "NSType": "user"}.items()
    assert space["namespace"]["UUID"] == ada.user.namespace.uuid
    assert (space["like_count"], space["username"]) == (0, "ada")
    assert not {"likes", "downloads"} & set(space)
    assert set(data(ada.get("/spaces/ada/demo/refs/main/tree/"))) == {"Files", "Cursor"}
    assert set(data(ada.get("/spaces/ada/demo/refs/main/logs_tree/"))) == {"Commits"}
    assert data(ada.post("/models", {"name": "thing"}))["likes"] == 0


@anywhere
def test_an_empty_list_is_a_list_without_a_total_and_pages_have_bounds(nobody, ada):
    for path in ("/models", "/models/v2", "/spaces?sdk=docker"):
        assert nobody.get(path).json == {"msg": "OK", "data": []}
    assert nobody.get("/mcps").json == {"msg": "OK", "data": {"data": [], "total": 0}}
    assert nobody.get("/user/ada/models").json == {"msg": "OK", "message": "OK", "data": []}
    for query in ("per=0", "per=101", "page=0", "page=x", "sort=oldest", "source=moon", "sdk=cobol"):
        refused = nobody.get(f"/spaces?{query}")
        assert refusal(refused) == (400, "REQ-ERR-6")
        assert query.partition("=")[0] in json.dumps(refused.json["context"])
    assert nobody.get("/models?sort=oldest").json["context"]["allowed"][0] == "recently_update"
    for path in ("/user/nobody/models", "/organization/nobody/mcps"):
        assert nobody.get(path).status_code == 404


# What only one kind has.


def test_a_space_is_made_of_what_is_given_and_its_secrets_are_for_those_who_manage_it(ada, as_user, nobody, context):
    bob = as_user("bob")
    body = {"name": "demo", "resource_id": "7", "secrets": SECRETS, "env": "", "variables": '{"A": "1"}', "sdk": None}
    made = data(ada.post("/spaces", body | {"min_replica": 1, "cover_image_url": "/cover.png"}))
    assert (made["sdk"], made["resource_id"], made["min_replica"]) == ("gradio", 7, 1)
    assert (made["secrets"], made["variables"]) == (SECRETS, '{"A": "1"}')
    assert not {"env", "cluster_id", "template"} & set(made)  # what is empty is left out
    data(ada.put("/spaces/ada/demo", {"env": '{"B": "2"}', "variables": None, "sdk": "docker"}))
    with unit_of_work(context) as work:
        space = work.session.get_one(Repository, made["id"])
        assert "hush" not in str(space.details)
        set_grant(work, actor=SYSTEM, resource=space, user=bob.user, role=Role.WRITE)
    for caller, shown in ((ada, True), (bob, False), (nobody, False)):
        seen = data(caller.get("/spaces/ada/demo"))
        assert (seen["sdk"], seen["variables"]) == ("docker", '{"A": "1"}')
        assert (seen.get("secrets"), seen.get("env")) == ((SECRETS, '{"B": "2"}') if shown else (None, None))
        assert "hush" not in caller.get("/spaces").text or shown
    data(bob.put("/spaces/ada/demo", {"template": "t"}))
    assert refusal(bob.put("/spaces/ada/demo", {"secrets": "{}"})) == (403, "AUTH-ERR-2")
    fork = data(bob.post("/spaces/ada/demo/fork"))
    assert (fork["sdk"], "secrets" in fork, "env" in fork) == ("docker", False, False)
    # What was sealed under another secret key is lost; the rest is shown.
    with unit_of_work(context) as work:
        space = work.session.get_one(Repository, made["id"])
        space.details = space.details | {"secrets": "sealed otherwise"}
    seen = data(ada.get("/spaces/ada/demo"))
    assert (seen.get("secrets"), seen["env"]) == (None, '{"B": "2"}')


@anywhere
def test_each_kind_shows_and_takes_its_own_members(ada):
    model = {"base_model": "meta/llama", "report_url": "https://x.org/r", "medium_risk_count": 2, "sdk": "gradio"}
    made = data(ada.post("/models", model | {"name": "m1"}))
    assert made.items() >= (model.items() - {("sdk", "gradio")}) | {("high_risk_count", 0), ("enable_inference", False)}
    assert "sdk" not in made
    changed = data(ada.put("/models/ada/m1", {"high_risk_count": 1}))
    assert (changed["medium_risk_count"], changed["high_risk_count"]) == (2, 1)
    dataset = data(ada.post("/datasets", {"name": "d1", "type": 3}))
    assert (dataset["dataset_type"], dataset["price"], dataset["status"]) == ("normal", 0.0, "normal")
    assert data(ada.put("/datasets/ada/d1", {"dataset_type": "commercial", "price": 1.5}))["price"] == 1.5
    mcp = data(ada.post("/mcps", {"name": "s1", "configuration": '{\n "a": 1}'}))
    assert (mcp["configuration"], mcp["tools_num"], mcp["run_mode"]) == ('{\n "a": 1}', 0, "")
    assert data(ada.put("/mcps/ada/s1", {"launch_cmds": "a\nb"}))["launch_cmds"] == "a\nb"
    space = data(ada.post("/spaces", {"name": "s1"}))
    for view in (made, dataset, mcp, space):
        assert set(view) <= set(RepositorySchema._declared_fields)
        assert (view["mirror_task_status"], view["scores"]) == ("", [])
    # What only plugins can know is said as it is without any.
    unmoved = {"xnet_enabled": False, "xnet_migration_status": "", "xnet_migration_progress": 0}
    for view in (made, dataset):
        assert view.items() >= (unmoved | {"url": view["path"], "mirror_last_updated_at": None}).items()
    assert (made["metadata"]["model_params"], made["metadata"]["tensor_type"], made["arch_allowed"]) == (0, "", False)
    assert (dataset["purchase_task_status"], space["status"]) == ("", "")


@anywhere
def test_names_branches_and_storage_are_judged_as_the_platform_does(ada, as_user):
    root = as_user("root", admin=True)
    assert data(ada.post("/spaces", {"name": "demo", "default_branch": ""}))["default_branch"] == "main"
    data(ada.post("/spaces", {"name": "other"}))
    for taken in (ada.post("/spaces", {"name": "DEMO"}), ada.put("/spaces/ada/other", {"name": "demo"})):
        assert refusal(taken) == (400, "SPACE-ERR-1")
    address = "/spaces/ada/demo"
    assert data(ada.put(address, {"xnet_enabled": False, "nickname": "One"}))["nickname"] == "One"
    assert refusal(ada.put(address, {"xnet_enabled": True, "nickname": "Two"})) == (403, "AUTH-ERR-2")
    assert refusal(root.put(address, {"xnet_enabled": True})) == (400, "REQ-ERR-6")
    assert data(ada.get(address))["nickname"] == "One"


@anywhere
@pytest.mark.parametrize(
    "collection, member, value",
    [
        ("spaces", "sdk", "cobol"),
        ("spaces", "env", "not json"),
        ("spaces", "secrets", "[" * 10_000),
        ("spaces", "variables", '["a"]'),
        ("spaces", "min_replica", -1),
        ("spaces", "resource_id", 1.5),
        ("spaces", "cover_image_url", "javascript:alert(1)"),
        ("spaces", "template", "a\nb"),
        ("models", "base_model", "x" * 256),
        ("models", "base_model", "\ud800"),
        ("models", "report_url", "//evil.org"),
        ("models", "medium_risk_count", 10**30),
        ("datasets", "price", "nan"),
        ("mcps", "configuration", "a\0b"),
        ("mcps", "run_mode", {"a": 1}),
    ],
)
def test_what_does_not_fit_a_member_is_refused_by_its_name(ada, collection, member, value):
    for answer in (
        ada.post(f"/{collection}", {"name": "thing", member: value}),
        data(ada.post(f"/{collection}", {"name": "thing"})) and ada.put(f"/{collection}/ada/thing", {member: value}),
    ):
        assert refusal(answer) == (400, "REQ-ERR-6")
        assert answer.json["context"]["member"] == member


@anywhere
def test_a_plugins_kind_has_members_filters_and_secrets_too(context, request):
    members = (
        DetailField("engine", default="python", choices=("python", "r"), is_filter=True),
        DetailField("key", is_secret=True),
        DetailField("is_shared", default=False, is_filter=True),
        DetailField("cells", default=0, is_filter=True),
        DetailField("hours", default=0.5, is_filter=True),
    )
    with pytest.raises(RegistryError, match="private"):
        add_kind(context[KINDS], RepositoryKind("pad", "pads", "Pad", details=(DetailField("private"),)))
    add_kind(context[KINDS], RepositoryKind("notebook", "notebooks", "Notebook", details=members))
    ada, nobody = request.getfixturevalue("as_user")("ada"), request.getfixturevalue("nobody")
    body = {"name": "n1", "engine": "r", "key": "hush", "is_shared": True, "cells": 2**53 - 1, "hours": 1e-7}
    made = data(ada.post("/notebooks", body))
    assert (made["engine"], made["key"], made["is_shared"]) == ("r", "hush", True)
    assert "key" not in data(nobody.get("/notebooks/ada/n1"))
    assert refusal(ada.put("/notebooks/ada/n1", {"is_shared": "yes"})) == (400, "REQ-ERR-6")
    assert (names(nobody.get("/notebooks?engine=r")), names(nobody.get("/notebooks?engine=python"))) == (["n1"], [])
    data(ada.post("/notebooks", {"name": "n2"}))
    for asked, found in (
        *(("is_shared=True", "n1"), ("is_shared=1", "n1"), ("is_shared=false", "n2")),
        *((f"cells={2**53 - 1}", "n1"), ("cells=0", "n2"), ("hours=0.0000001", "n1"), ("hours=0.5", "n2")),
    ):
        assert names(nobody.get(f"/notebooks?{asked}")) == [found], asked
    for asked in ("engine=cobol", "is_shared=yes", "cells=-1", "cells=x", "hours=nan"):
        assert refusal(nobody.get(f"/notebooks?{asked}")) == (400, "REQ-ERR-6")


@anywhere
def test_nothing_is_made_where_something_was_to_be_imported(ada):
    assert ada.post("/codes", {"name": "thing", "git_url": "https://x.org/y.git"}).status_code == 400
    assert ada.get("/codes/ada/thing").status_code == 404
    data(ada.post("/codes", {"name": "thing", "git_url": ""}))


# Lists.


def test_lists_are_filtered_by_labels_members_size_and_source(ada, nobody, context):
    ids = {name: data(ada.post("/models", {"name": name}))["id"] for name in ("one", "two", "three")}
    with unit_of_work(context) as work:
        now = work.now()
        for category, name, carriers in (("task", "house-task", ("one", "two")), ("license", "house-mit", ("two",))):
            label = Tag(scope="model", category=category, name=name, group="g", created_at=now, updated_at=now)
            work.session.add(label)
            work.session.flush()
            work.session.add_all(RepositoryTag(repository_id=ids[each], tag_id=label.id) for each in carriers)
        three = work.session.get_one(Repository, ids["three"])
        three.source, three.hf_path, three.lfs_size_bytes = "huggingface", "meta/three", 10**9
    task = "tag_category=task&tag_name=House-TASK"
    for query, found in (
        (task, ["two", "one"]),
        (f"{task}&tag_group=g", ["two", "one"]),
        (f"{task}&tag_group=other", []),
        (f"{task}&tag_category=license&tag_name=house-mit", ["two"]),
        ("task_tag=house-task&license_tag=house-mit", ["two"]),
        ("task_tag=none", []),
        ("source=huggingface", ["three"]),
        (f"source=local&{task}&search=on", ["one"]),
        (f"repo_size_min={10**9}", ["three"]),
        (f"repo_size_max={10**9 - 1}", ["two", "one"]),
    ):
        for path in ("/models", "/models/v2", "/user/ada/models"):
            answer = nobody.get(f"{path}?{query}")
            assert sorted(names(answer)) == sorted(found), query
            assert answer.json.get("total", 0) == len(found)
    assert refusal(nobody.get("/models?tag_name=x")) == (400, "REQ-ERR-6")
    assert data(nobody.get("/models?source=huggingface"))[0]["hf_path"] == "meta/three"
    for name, sdk in (("s1", "docker"), ("s2", "")):
        data(ada.post("/spaces", {"name": name, "sdk": sdk}))
    assert names(nobody.get("/spaces?sdk=docker")) == ["s1"]
    assert names(nobody.get("/spaces?sdk=gradio")) == ["s2"]
    data(ada.post("/datasets", {"name": "d1", "dataset_type": "commercial"}))
    assert names(nobody.get("/datasets?dataset_type=normal")) == []
    assert names(nobody.get("/datasets?dataset_type=commercial")) == ["d1"]
    # What only plugins can tell: nothing has it.
    for path, query in (
        ("/models", "list_serverless=true"),
        ("/models/v2", "model_params_min=0.5"),
        ("/user/ada/models", "model_params_max=7"),
        ("/models", "model_tree=base:finetune:1"),
        ("/models", "model_tree=base:nonsense:1"),
        ("/models", "model_tree=base:finetune:x"),
        ("/models", "xnet_migration_status=pending"),
        ("/datasets", "user_purchased=true"),
        ("/spaces", "status=Running"),
    ):
        assert names(nobody.get(f"{path}?{query}")) == [], query
        assert nobody.get(f"{path}?{query}").json.get("total", 0) == 0
    for path in ("/models?status=Running&user_purchased=true", "/models?list_serverless=false&model_params_min=0"):
        assert len(names(nobody.get(path))) == 3
    assert refusal(nobody.get("/models?model_tree=base:finetune")) == (400, "REQ-ERR-6")


def test_brief_lists_are_enriched_in_as_many_queries_as_one_takes(ada, as_user, nobody, count_queries):
    bob = as_user("bob")
    open_id = data(ada.post("/models", {"name": "open", "report_url": "https://x.org"}))["id"]
    shut_id = data(ada.post("/models", {"name": "shut", "private": True}))["id"]
    brief = data(nobody.get("/models/v2"))[0]
    assert brief["repository_id"] == open_id
    assert "tags" not in brief
    everything = {"repo_ids": [open_id, shut_id, 10**12]}
    extra = data(nobody.post("/repos/extra", everything))
    assert [item["repo_id"] for item in extra] == [open_id]
    assert extra[0]["size"] == brief["repo_size"]
    assert extra[0]["report_url"] == "https://x.org"
    assert len(data(ada.post("/repos/extra", everything))) == 2
    paths = {"paths": ["ADA/open", "ada/shut", "ada/none", "odd", "\0/x", ""]}
    assert names(bob.post("/list/models_by_path", paths)) == ["open"]
    assert names(bob.post("/list/datasets_by_path", paths)) == []
    assert data(nobody.post("/list/models_by_path", {"paths": []})) == []
    with count_queries() as few:
        nobody.post("/list/models_by_path", {"paths": ["ada/open"]})
        nobody.post("/repos/extra", {"repo_ids": [open_id]})
    for number in range(3):
        data(ada.post("/models", {"name": f"m{number}"}))
    with count_queries() as many:
        nobody.post("/list/models_by_path", {"paths": [f"ada/m{number}" for number in range(3)]})
        nobody.post("/repos/extra", {"repo_ids": list(range(1, 100))})
    assert len(many) == len(few)
    assert refusal(nobody.post("/repos/extra", {"repo_ids": [1] * 101})) == (400, "REQ-ERR-6")
    assert refusal(nobody.post("/list/models_by_path", {"paths": ["a/b"] * 101})) == (400, "REQ-ERR-6")


@anywhere
def test_one_public_repository_is_shown_in_one_query(ada, nobody, count_queries):
    data(ada.post("/models", {"name": "thing"}))
    nobody.get("/models/ada/thing")
    with count_queries() as queries:
        data(nobody.get("/models/ada/thing"))
    assert len(queries) == 1, queries


# Administration.


def test_administrators_move_search_and_count(ada, as_user, nobody):
    root = as_user("root", admin=True)
    data(ada.post("/models", {"name": "thing", "private": True}))
    moved = "/admin/model/ada/thing/change_path"
    assert refusal(ada.post(moved, {"new_path": "root/x1"})) == (403, "AUTH-ERR-2")
    assert nobody.post(moved, {"new_path": "root/x1"}).status_code == 401
    assert refusal(root.post(moved, {"new_path": "x1"})) == (400, "REQ-ERR-6")
    assert refusal(root.post(moved, {"new_path": "none/x1"})) == (404, "REQ-ERR-13")
    assert refusal(root.post(moved, {"new_path": "root/a..b"})) == (400, "REPO-ERR-1")
    data(root.post("/models", {"name": "taken"}))
    assert refusal(root.post(moved, {"new_path": "root/TAKEN"})) == (400, "REPO-ERR-0")
    assert data(root.post("/admin/models/ada/thing/change_path", {"new_path": "root/other"}))["path"] == "root/other"
    assert data(root.get("/models/ada/thing"))["path"] == "root/other"
    listed = root.get("/admin/repos?search=other&type=model")
    assert (data(listed), listed.json["total"]) == (["root/other"], 1)
    assert data(root.get("/admin/repos?type=skill")) == []
    assert ada.get("/admin/repos").status_code == 403
    assert root.get("/admin/repos?type=elephant").status_code == 404

    def downloads():
        return data(root.get("/models/root/other"))["downloads"]

    day = {"date": "2026-11-01", "download_count": 5}
    for body in (day, day, day | {"date": "2026-11-02"}, day | {"download_count": 7}):
        data(root.post("/models/root/other/update_downloads", body))
    data(root.put("/models/root/other/incr_downloads"))
    assert downloads() == 13
    data(ada.post("/models", {"name": "mine"}))
    assert refusal(ada.put("/models/ada/mine/incr_downloads")) == (403, "AUTH-ERR-2")
    assert refusal(ada.post("/models/ada/mine/update_downloads", day)) == (403, "AUTH-ERR-2")
    assert set(data(nobody.get("/version"))) == {"version", "commit"}


@anywhere
def test_a_prompt_repository_is_shown_with_its_prompts_and_without(ada, as_user, nobody):
    bob = as_user("bob")
    data(ada.post("/prompts", {"name": "p1"}))
    whole = {"title": "Sum up", "content": "Sum up:\n{text}", "language": "en", "tags": ["short"], "type": "image"}
    whole |= {"source": "s", "author": "a", "time": "2024-05-01", "copyright": "c", "feedback": ["good"]}
    files = {
        "a.jsonl": json.dumps(whole | {"unknown": 1}, indent=1),
        "b.jsonl": '\ufeff{"title": "T", "content": "C", "type": "", "tags": null}',
        "deep/c.jsonl": json.dumps(whole),
        "d.json": json.dumps(whole),
        # None of these is a prompt.
        "e.jsonl": '{"title": "one", "content": "x"}\n{"title": "two", "content": "x"}',
        "f.jsonl": '{"title": "T"}',
        "g.jsonl": json.dumps(whole | {"tags": "short"}),
        "h.jsonl": json.dumps(whole | {"type": "song"}),
        "i.jsonl": json.dumps(whole | {"content": "\ud800"}),
        "j.jsonl": "[" * 10_000,
        "k.jsonl": json.dumps(whole | {"content": "x" * 1024 * 1024}),
    }
    commit = [{"path": path, "content": b64(text.encode())} for path, text in files.items()]
    data(ada.post("/prompts/ada/p1/commit/main", {"message": "m", "files": commit}))
    shown = data(ada.get("/prompts/ada/p1"))
    assert set(shown) == {"detail", "prompts"}
    assert shown["detail"] == data(ada.get("/prompts_info/ada/p1"))
    first, second = shown["prompts"]
    further = {"variables": [], "messages": [], "examples": [], "model": "", "categories": []}
    assert first == whole | further | {"file_path": "a.jsonl", "can_write": True, "can_manage": True}
    assert (second["file_path"], second["title"], second["type"], second["tags"]) == ("b.jsonl", "T", "text", [])
    assert [prompt["can_write"] for prompt in data(bob.get("/prompts/ada/p1"))["prompts"]] == [False, False]
    data(ada.put("/prompts/ada/p1", {"private": True}))
    for path in ("/prompts/ada/p1", "/prompts_info/ada/p1", "/prompts/ada/none"):
        assert refusal(nobody.get(path)) == (404, "REPO-ERR-3")


# What is in them.


@anywhere
def test_branches_are_renamed_and_tags_annotated(ada, as_user, context):
    bob = as_user("bob")
    thing = data(ada.post("/models", {"name": "thing"}))
    with unit_of_work(context) as work:
        set_grant(
            work, actor=SYSTEM, resource=work.session.get_one(Repository, thing["id"]), user=bob.user, role="write"
        )
    address = "/models/ada/thing"
    data(bob.post(f"{address}/branches", {"name": "dev/one"}))
    assert data(bob.put(f"{address}/branches/dev/one", {"name": "dev/two"}))["name"] == "dev/two"
    assert refusal(bob.put(f"{address}/branches/dev/one", {"name": "x"})) == (404, "GIT-ERR-11")
    assert refusal(bob.put(f"{address}/branches/dev/two", {"name": "main"})) == (409, "GIT-ERR-13")
    assert refusal(bob.put(f"{address}/branches/main", {"name": "trunk"})) == (403, "AUTH-ERR-2")
    assert data(ada.put(f"{address}/branches/main", {"name": "trunk"}))["name"] == "trunk"
    assert data(ada.get(address))["default_branch"] == "trunk"
    # As after a crash in the middle: the new default stands, the old name is still there.
    data(ada.post(f"{address}/branches", {"name": "main"}))
    data(ada.put(f"{address}/branches/trunk", {"name": "main"}))
    assert {branch["name"] for branch in data(ada.get(f"{address}/branches"))} == {"main", "dev/two"}
    tag = data(ada.post(f"{address}/git_tags", {"name": "v1", "message": "First <release>\n"}))
    assert (tag["annotated"], tag["tag_message"].strip(), tag["tagger"]["name"]) == (True, "First <release>", "ada")
    assert data(ada.post(f"{address}/git_tags", {"name": "v2"}))["annotated"] is False
    listed = data(ada.get(f"{address}/git_tags"))
    assert listed == GitTagSchema(many=True).dump(listed)
    assert {item["commit"]["id"] for item in listed} == {tag["commit"]["id"]}
    assert refusal(ada.post(f"{address}/git_tags", {"name": "v3", "message": "x" * 70_000})) == (400, "message_invalid")


@anywhere
def test_messages_of_the_history_are_ready_for_a_page_and_nowhere_else(ada):
    data(ada.post("/models", {"name": "thing"}))
    message = "<b>bold</b> & co"
    data(ada.post("/models/ada/thing/raw/a.txt", {"message": message, "content": b64(b"a")}))
    commit = data(ada.get("/models/ada/thing/commits?per=1"))["commits"][0]
    assert commit["message"].strip() == "&lt;b&gt;bold&lt;/b&gt; &amp; co"
    assert data(ada.get("/models/ada/thing/last_commit"))["message"].strip() == message


@anywhere
def test_an_lfs_object_is_found_by_its_own_path(ada, nobody, as_user):
    content = b"weights" * 100
    data(ada.post("/models", {"name": "thing"}))
    data(ada.post("/models/ada/thing/raw/m.bin", {"content": b64(content)}))
    path = data(ada.get("/models/ada/thing/blob/m.bin"))["lfs_relative_path"]
    assert path.replace("/", "") == hashlib.sha256(content).hexdigest()
    url = data(nobody.get(f"/models/ada/thing/download/{path}?lfs=true&save_as=m.bin"))
    fetched = nobody.client.get(url[url.index("/models/") :])
    assert fetched.data == content
    for answer in (fetched, nobody.get("/models/ada/thing/download/README.md?save_as=m.bin")):
        assert 'filename="m.bin"' in answer.headers["Content-Disposition"]
    assert refusal(nobody.get(f"/models/ada/thing/download/{'0' * 64}?lfs=true")) == (404, "SYS-ERR-5")
    assert nobody.get("/models/ada/thing/download/a/b?lfs=true").status_code == 400


@anywhere
def test_a_file_has_every_member_and_a_short_history_tells_its_last_commits(ada, nobody, monkeypatch):
    data(ada.post("/models", {"name": "thing"}))
    data(ada.post("/models/ada/thing/raw/a/b.txt", {"message": "Add b", "content": b64(b"b")}))
    whole = set(FileSchema._declared_fields)
    for path in ("refs/main/tree/", "all_files", "tree"):
        found = data(nobody.get(f"/models/ada/thing/{path}"))
        for file in found["Files"] if isinstance(found, dict) else found:
            assert set(file) == whole, path
            assert set(file["commit"]) == set(CommitSchema._declared_fields)
            assert file["last_commit_sha"] == file["commit"]["id"]
            assert (file["content"], file["lfs_sha256"], file["lfs_pointer_size"]) == ("", "", 0)
    told = {file["name"]: file["commit"]["message"].strip() for file in found}
    assert told == {"a": "Add b", ".gitattributes": "initial commit", "README.md": "initial commit"}
    kept = data(nobody.get("/models/ada/thing/refs/main/tree/"))["Files"]
    assert {file["name"]: file["commit"]["message"].strip() for file in kept} == told
    blob = data(nobody.get("/models/ada/thing/blob/a/b.txt"))
    assert (set(blob), blob["content"], blob["preview_code"]) == (whole, "Yg==", 0)
    # A longer history is not walked for a directory, only for its log.
    monkeypatch.setattr(lastcommits, "MAX_QUICK_COMMITS", 1)
    assert data(nobody.get("/models/ada/thing/tree?path=a"))[0]["last_commit_sha"] == ""
    monkeypatch.setattr(lastcommits, "MAX_QUICK_COMMITS", 2)
    assert data(nobody.get("/models/ada/thing/tree?path=a"))[0]["commit"]["message"] == "Add b\n"


@anywhere
def test_a_fork_takes_what_is_not_the_owners(ada, actor_of, context):
    made = data(ada.post("/spaces", {"name": "demo", "order_detail_id": 9, "sdk": "nginx", "secrets": SECRETS}))
    fork = fork_repository(context, actor=actor_of(ada.user), source_id=made["id"], name="copy")
    with reading(context) as work:
        assert work.session.get_one(Repository, fork.id).details == {"sdk": "nginx"}
