"""Users, organisations, likes, and files as Git holds them. Hugging Face contract, sections 3, 4 and 8."""

from __future__ import annotations

import re

import pytest

from hub.accounts.models import Member, Role
from hub.db.uow import unit_of_work
from hub.repos.models import Repository
from tests.hub.compat.conftest import LFS_NAME, refusal


@pytest.fixture
def acme(context, make_organization, people):
    """An organisation that ada may read in, and bob may not."""
    organization = make_organization("acme")
    with unit_of_work(context) as work:
        work.session.add(
            Member(organization_id=organization.id, user_id=people["ada"].id, role=Role.READ, created_at=work.now())
        )
    return organization


def test_people_and_organisations_are_told_with_what_is_theirs(call, context, acme, people, make_repository):
    make_repository(people["ada"], "open")
    make_repository(people["ada"], "hidden", private=True)
    make_repository(people["ada"], "corpus", kind="dataset")
    for path in ("models/ada/open", "models/ada/hidden"):
        talk = {"title": "A", "description": "B", "pullRequest": False}
        assert call("POST", f"/api/{path}/discussions", json=talk).status_code == 200
        assert call("POST", f"/api/{path}/like").status_code == 200
    ada = call("GET", "/api/users/Ada/overview").json
    assert (ada["user"], ada["type"], ada["isPro"]) == ("ada", "user", False)
    assert (ada["numModels"], ada["numDatasets"], ada["numSpaces"], ada["numLikes"]) == (2, 1, 0, 2)
    assert ada["orgs"] == [{"name": "acme", "fullname": "acme", "avatarUrl": ""}]
    assert ada["numDiscussions"] == 2
    # What is hidden is not counted for others.
    seen = call("GET", "/hf/api/users/ada/overview", None).json
    assert (seen["numModels"], seen["numLikes"], seen["numDiscussions"]) == (1, 1, 1)
    organization = call("GET", "/api/organizations/acme/overview", None).json
    assert (organization["name"], organization["numUsers"], organization["isVerified"]) == ("acme", 1, False)
    assert organization["plan"] is None
    assert {"user": "ada", "fullname": "ada", "avatarUrl": "", "type": "user"} in call(
        "GET", "/api/organizations/acme/members", None
    ).json
    for path in ("users/ada/followers", "users/ada/following", "organizations/acme/followers"):
        assert call("GET", f"/api/{path}", None).json == []
    for path in (
        "users/none/overview",
        "users/none/followers",
        "organizations/none/overview",
        "organizations/ada/members",
    ):
        assert refusal(call("GET", f"/api/{path}", None))[0] == 404, path


def test_the_room_that_repositories_take_is_for_their_owners(call, context, acme, people, make_repository, monkeypatch):
    monkeypatch.setattr("hub.compat.people.MAX_PER", 1)
    sizes = {"one": 10**9, "two": 3 * 10**9}
    for name, size in sizes.items():
        repository = make_repository(people["ada"], name, private=name == "two")
        with unit_of_work(context) as work:
            row = work.session.get(Repository, repository.id)
            row.git_size_bytes, row.lfs_size_bytes = 0, size
    make_repository(people["ada"], "code", kind="code")
    first = call("GET", "/api/settings/repositories")
    link = re.fullmatch(r'<http://localhost(.+)>; rel="next"', first.headers["Link"])[1]
    [two], [one] = first.json, call("GET", link).json
    assert (two["id"], two["type"], two["visibility"], two["storage"]) == ("ada/two", "model", "private", 3 * 10**9)
    assert (one["id"], one["visibility"]) == ("ada/one", "public")
    assert 20 < one["storagePercent"] < two["storagePercent"] < 80
    assert refusal(call("GET", "/api/settings/repositories", None))[0] == 401
    assert call("GET", "/api/organizations/acme/settings/repositories").json == []
    assert refusal(call("GET", "/api/organizations/acme/settings/repositories", "bob"))[0] == 403


def test_what_somebody_likes_is_told_to_people(call, context, thing, people, make_repository):
    make_repository(people["ada"], "space", kind="space")
    hidden = make_repository(people["ada"], "hidden", kind="dataset", private=True)
    for path in ("models/ada/thing", "spaces/ada/space", "datasets/ada/hidden", "models/ada/thing"):
        assert call("POST", f"/api/{path}/like").status_code == 200
    assert call("POST", "/api/models/ada/thing/like", "bob").status_code == 200
    assert call("GET", "/api/models/ada/thing", None).json["likes"] == 2
    likes = call("GET", "/api/users/ada/likes").json
    assert {(like["repo"]["type"], like["repo"]["name"]) for like in likes} == {
        ("model", "ada/thing"),
        ("space", "ada/space"),
        ("dataset", "ada/hidden"),
    }
    assert len(call("GET", "/api/users/ada/likes", "bob").json) == 2
    assert call("GET", "/api/users/ada/overview", "bob").json["numLikes"] == 2
    assert [user["user"] for user in call("GET", "/api/models/ada/thing/likers", "bob").json] == ["ada", "bob"]
    assert refusal(call("GET", f"/api/datasets/{hidden.path}/likers", "bob"))[1] == "RepoNotFound"
    assert call("DELETE", "/api/models/ada/thing/like").status_code == 200
    assert [user["user"] for user in call("GET", "/api/models/ada/thing/likers").json] == ["bob"]
    for method, path in (("POST", "like"), ("DELETE", "like"), ("GET", "likers")):
        assert refusal(call(method, f"/api/models/ada/thing/{path}", None))[0] == 401
    assert refusal(call("POST", "/api/models/ada/thing/like", "reader"))[0] == 403
    assert refusal(call("GET", "/api/users/ada/likes", None))[0] == 401


@pytest.mark.any_database
def test_raw_sends_what_git_holds(call, context, thing):
    for base in ("/ada/thing", "/hf/models/ada/thing", "/api/models/ada/thing"):
        text = call("GET", f"{base}/raw/main/config.json", None)
        assert (text.data, text.mimetype) == (b"{}\n", "text/plain")
        assert len(text.headers["X-Repo-Commit"]) == 40
    pointer = call("GET", f"/ada/thing/raw/main/{LFS_NAME}", None)
    assert pointer.data.startswith(b"version https://git-lfs.github.com/spec/v1\noid sha256:")
    assert len(pointer.data) == int(pointer.headers["Content-Length"])
    assert call("HEAD", f"/ada/thing/raw/main/{LFS_NAME}", None).headers["ETag"] == pointer.headers["ETag"]
    missing = call("GET", "/ada/thing/raw/main/none", None)
    assert refusal(missing) == (404, "EntryNotFound")
    assert missing.headers["X-Repo-Commit"] == pointer.headers["X-Repo-Commit"]
    with unit_of_work(context) as work:
        work.session.get(Repository, thing.id).gate = "auto"
    assert refusal(call("GET", "/ada/thing/raw/main/config.json", "bob")) == (403, "GatedRepo")
    assert call("GET", "/ada/thing/raw/main/config.json").status_code == 200
