"""What a repository is, under each prefix and for every kind. CSGHub contract, sections 1.1, 1.6, 3.1 and 3.2."""

from __future__ import annotations

import hashlib
import re

import pytest
from sqlalchemy import select

from hub.accounts.policy import Actor
from hub.assets.models import RepositoryTag, Tag
from hub.db.uow import unit_of_work
from hub.repos import entries
from hub.repos.branches import create_branch, create_tag
from hub.repos.models import Repository
from tests.hub.compat.conftest import LFS_NAME, WEIGHTS, refusal

pytestmark = pytest.mark.any_database

MAIN_FILES = {".gitattributes", "README.md", "config.json", "data/a b.txt", LFS_NAME}


def test_a_repository_of_any_kind_tells_commit_and_files(call, make_repository, people, write):
    for segment in ("models", "datasets", "spaces", "codes", "mcps", "skills", "prompts"):
        kind = {"mcps": "mcpserver"}.get(segment, segment.removesuffix("s"))
        repository = make_repository(people["ada"], "thing", kind=kind, private=True)
        commit = write(repository, {"folder/deep/a.txt": b"hello", LFS_NAME: WEIGHTS})
        answer = call("GET", f"/csg/api/{segment}/ada/thing/revision/main?blobs=True&securityStatus=True")
        assert answer.status_code == 200
        assert "msg" not in answer.json
        assert (answer.json["id"], answer.json["sha"], answer.json["private"]) == ("ada/thing", commit, True)
        by_name = {sibling["rfilename"]: sibling for sibling in answer.json["siblings"]}
        assert by_name["folder/deep/a.txt"]["size"] == 5
        assert by_name[LFS_NAME]["size"] == len(WEIGHTS)
        assert by_name[LFS_NAME]["lfs"]["sha256"] == hashlib.sha256(WEIGHTS).hexdigest()
        assert len(by_name[LFS_NAME]["blobId"]) == 40
        # Hidden from others, and the same as if there were none.
        for who in ("bob", None):
            assert refusal(call("GET", f"/hf/api/{segment}/ada/thing", who)) == (404, "RepoNotFound")
        assert refusal(call("GET", f"/hf/api/{segment}/ada/nothing")) == (404, "RepoNotFound")


def test_dates_are_spelled_as_the_clients_of_each_prefix_parse_them(call, thing):
    form = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
    for prefix, names in {
        "hf": ("createdAt", "lastModified"),
        "csg": ("created_at", "last_modified"),
        "ms": ("created_at", "last_modified"),
    }.items():
        info = call("GET", f"/{prefix}/api/models/ada/thing", None).json
        assert all(form.fullmatch(info[name]) for name in names), info
        assert {"createdAt", "lastModified", "created_at", "last_modified"} & set(info) == set(names)


def test_labels_become_tags_task_and_library(call, context, thing, count_queries):
    with unit_of_work(context) as work:
        for category, name in (("task", "text-generation"), ("framework", "gguf"), ("license", "mit")):
            query = select(Tag.id).where(Tag.scope == "model", Tag.category == category, Tag.name == name)
            tag_id = work.session.scalars(query).one()
            work.session.add(RepositoryTag(repository_id=thing.id, tag_id=tag_id))
    with count_queries() as queries:
        info = call("GET", "/hf/api/models/ada/thing", None).json
    assert len(queries) <= 5, queries
    assert set(info["tags"]) == {"text-generation", "gguf", "license:mit"}
    assert (info["pipeline_tag"], info["library_name"]) == ("text-generation", "gguf")
    assert {sibling["rfilename"] for sibling in info["siblings"]} == MAIN_FILES
    assert set(call("GET", "/hf/api/models/ada/thing?expand=sha&expand=tags").json) == {"_id", "id", "sha", "tags"}


def test_a_revision_is_a_branch_a_tag_or_a_commit_and_its_slashes_come_encoded(call, context, thing, people, write):
    actor = Actor.of_user(people["ada"], via="session")
    first = call("GET", "/hf/api/models/ada/thing").json["sha"]
    create_branch(context, actor=actor, repository_id=thing.id, name="feature/x")
    create_tag(context, actor=actor, repository_id=thing.id, name="v1")
    second = write(thing, {"more.txt": b"1"}, branch="feature/x")
    for revision, commit in {
        "main": first,
        "v1": first,
        first: first,
        first[:10]: first,
        "refs%2Fheads%2Ffeature%2Fx": second,
        "feature%2Fx": second,
        "feature/x": second,
    }.items():
        assert call("GET", f"/hf/api/models/ada/thing/revision/{revision}").json["sha"] == commit, revision
    assert refusal(call("GET", "/hf/api/models/ada/thing/revision/none")) == (404, "RevisionNotFound")
    refs = call("GET", "/hf/api/models/ada/thing/refs", None).json
    assert {ref["name"]: ref["targetCommit"] for ref in refs["branches"]} == {"main": first, "feature/x": second}
    assert refs["tags"] == [{"name": "v1", "ref": "refs/tags/v1", "targetCommit": first}]
    assert refs["converts"] == []
    page = call("GET", "/hf/api/models/ada/thing/commits/feature%2Fx?limit=2")
    assert [commit["id"] for commit in page.json] == [second, first]
    assert page.json[0]["authors"] == [{"user": "ada"}]
    rest = call("GET", re.match(r'<http://localhost(.+)>; rel="next"', page.headers["Link"])[1])
    assert len(rest.json) == 1
    assert "Link" not in rest.headers


def test_a_mirror_is_found_by_its_path_on_the_other_hub(call, context, make_repository, people, write):
    mirror = make_repository(people["ada"], "copy", default_branch="release")
    make_repository(people["bob"], "bert")
    with unit_of_work(context) as work:
        row = work.session.get(Repository, mirror.id)
        row.hf_path, row.source = "bob/bert", "huggingface"
    # /csg knows local paths only; /hf the mirrored one first.
    assert call("GET", "/csg/api/models/bob/bert", None).json["id"] == "bob/bert"
    assert call("GET", "/ms/api/models/bob/bert", None).json["id"] == "bob/bert"
    found = call("GET", "/hf/api/models/bob/bert/revision/main", None).json
    assert found["id"] == "ada/copy"
    assert call("GET", "/hf/bob/bert/resolve/main/README.md", None).status_code == 200
    assert call("GET", "/csg/ada/copy/resolve/master/README.md", None).headers["X-Repo-Commit"] == found["sha"]
    # A mirror that the caller may not see hides nothing.
    with unit_of_work(context) as work:
        work.session.get(Repository, mirror.id).is_private = True
    assert call("GET", "/hf/api/models/bob/bert", None).json["id"] == "bob/bert"


def test_a_list_goes_on_where_its_link_leads(call, make_repository, people, monkeypatch):
    from hub.compat import info_schemas

    for name in ("one-bert", "two-bert", "three"):
        make_repository(people["ada"], name)
    make_repository(people["ada"], "secret-bert", private=True)
    monkeypatch.setattr(info_schemas, "MAX_LIST", 1)
    first = call("GET", "/hf/api/models?search=bert&author=ada&limit=5", None)
    link = re.match(r'<http://localhost(/hf/api/models\?.+)>; rel="next"', first.headers["Link"])[1]
    second = call("GET", link, None)
    assert {item["id"] for item in (*first.json, *second.json)} == {"ada/one-bert", "ada/two-bert"}
    assert call("GET", "/hf/api/models?author=nobody", None).json == []
    assert "Link" not in second.headers


def test_a_repository_of_too_many_files_is_told_without_them(call, thing, monkeypatch):
    monkeypatch.setattr(entries, "MAX_FILES", 4)
    info = call("GET", "/hf/api/models/ada/thing?blobs=true").json
    assert len(info["sha"]) == 40
    assert "siblings" not in info


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/hf/api/models/gpt2", "RepoNotFound"),
        ("/hf/gpt2/resolve/main/config.json", "RepoNotFound"),
        ("/csg/nowhere", None),
        ("/hf/api/models/ada/thing/xet-read-token/main", None),
        # The repository is there; what is not is another thing.
        ("/hf/api/models/ada/thing/nothing", None),
        ("/api/models/ada/thing/discussions/abc", None),
        ("/hf/ada/thing/resolve/main/", None),
        ("/ada/thing/resolve/main/", None),
        ("/hf/models/ada/thing/raw/", None),
        ("/hf/api/nowhere/ada/thing", None),
        ("/hf/api/models/ada/none/nothing", "RepoNotFound"),
        ("/api/models/gpt2/tree/main", "RepoNotFound"),
        ("/csg/datasets/ada/thing/resolve/main/", "RepoNotFound"),
        ("/datasets/gpt2/resolve/main/config.json", "RepoNotFound"),
    ],
)
def test_what_is_not_there_is_told_in_the_clients_words(call, thing, path, code):
    assert refusal(call("GET", path, None)) == (404, code)


def test_a_bad_token_is_told_apart_from_a_missing_repository(call, thing):
    answer = call("GET", "/hf/api/models/ada/thing", "0" * 32)
    assert answer.status_code == 401
    assert answer.headers["X-Error-Message"] == "Invalid credentials in Authorization header"
    assert answer.json["code"] == "AUTH-ERR-5"


def test_who_asks_is_told_name_organisations_and_role(call, context, make_organization, people):
    from hub.accounts.models import Member, Role

    acme = make_organization("acme")
    with unit_of_work(context) as work:
        work.session.add(
            Member(organization_id=acme.id, user_id=people["ada"].id, role=Role.WRITE, created_at=work.now())
        )
    me = call("GET", "/hf/api/whoami-v2", "reader").json
    assert (me["name"], me["type"], me["email"]) == ("ada", "user", "ada@example.org")
    assert [(org["name"], org["roleInOrg"]) for org in me["orgs"]] == [("acme", "write")]
    assert me["auth"]["accessToken"]["role"] == "read"
    assert call("GET", "/hf/api/whoami-v2").json["auth"]["accessToken"]["role"] == "write"
    assert call("GET", "/hf/api/whoami-v2", None).status_code == 401
