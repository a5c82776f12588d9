"""Characters that a database or a file system stumbles over, in every place where a client may put them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from hub.accounts.models import User
from hub.repos.models import Repository

ODD = ["%00", "a%00b", "%ED%A0%80", "%FF", "%F0%9F%98%80", "..", "%2e%2e", "a" * 3000, "%25", "'\"", "%0A"]


@pytest.mark.parametrize("odd", ODD)
def test_odd_addresses_and_queries_are_refused_and_break_nothing(
    client: FlaskClient,
    make_user: Callable[..., User],
    make_repository: Callable[..., Repository],
    make_token: Callable[..., str],
    odd: str,
) -> None:
    ada = make_user("ada")
    make_repository(ada, "thing")
    headers = {"Authorization": f"Bearer {make_token(ada, 'admin')}"}
    thing = "/api/v1/models/ada/thing"
    for path in (
        f"/api/v1/models?search={odd}",
        f"/api/v1/models?namespace={odd}",
        f"/api/v1/user/{odd}/models",
        f"/api/v1/models/{odd}/thing",
        f"/api/v1/models/ada/{odd}",
        f"{thing}/raw/{odd}",
        f"{thing}/raw/README.md?ref={odd}",
        f"{thing}/resolve/{odd}",
        f"{thing}/tree?path={odd}",
        f"{thing}/refs/{odd}/tree/",
        f"{thing}/refs/main/tree/{odd}",
        f"{thing}/refs/main/tree/?cursor={odd}",
        f"{thing}/refs/main/logs_tree/{odd}",
        f"{thing}/commits?path={odd}",
        f"{thing}/commit/{odd}",
        f"{thing}/diff?left_commit_id={odd}",
        f"{thing}/compare?base={odd}",
        f"{thing}/blame/{odd}",
        f"{thing}/archive/{odd}.zip",
        f"{thing}/size/{odd}",
        f"{thing}/lineage?types={odd}",
        f"{thing}/runs?commit={odd}&type={odd}",
        f"/api/v1/runs?namespace={odd}",
        f"/api/v1/runs?repository=models/{odd}",
        f"/api/v1/runs?created_by={odd}",
        f"/api/v1/models?model_tree={odd}:{odd}:1",
    ):
        answer = client.get(path, headers=headers)
        assert answer.status_code in (200, 400, 404), f"{path}: {answer.status_code} {answer.get_data(as_text=True)}"
        assert answer.is_json, path
    for method, path, body in (
        ("PUT", f"{thing}/collaborators/{odd}", {"role": "read"}),
        ("DELETE", f"{thing}/branches/{odd}", None),
        ("DELETE", f"{thing}/protected_branches/{odd}", None),
        ("DELETE", f"{thing}/raw/{odd}", {}),
        ("POST", f"{thing}/undelete/", None),
    ):
        answer = client.open(path, method=method, json=body, headers=headers)
        assert answer.status_code in (400, 404), f"{method} {path}: {answer.status_code}"


@pytest.mark.parametrize("odd", ["a\0b", "\ud800", "x" * 5000, "\n"])
def test_odd_members_are_refused_and_break_nothing(
    client: FlaskClient,
    make_user: Callable[..., User],
    make_repository: Callable[..., Repository],
    make_token: Callable[..., str],
    odd: str,
) -> None:
    ada = make_user("ada")
    make_repository(ada, "thing")
    headers = {"Authorization": f"Bearer {make_token(ada, 'admin')}"}
    thing = "/api/v1/models/ada/thing"
    for method, path, body in (
        ("POST", "/api/v1/models", {"name": odd}),
        ("POST", "/api/v1/models", {"name": "x1", "namespace": odd}),
        ("POST", "/api/v1/models", {"name": "x1", "license": odd}),
        ("POST", "/api/v1/models", {"name": "x1", "default_branch": odd}),
        ("POST", "/api/v1/spaces", {"name": "x1", "sdk": odd}),
        ("PUT", thing, {"nickname": odd}),
        ("POST", f"{thing}/raw/x", {"content": "", "message": f"{odd}\0"}),
        ("PUT", thing, {"name": odd}),
        ("PUT", thing, {"default_branch": odd}),
        ("POST", f"{thing}/transfer", {"new_namespace": odd}),
        ("POST", f"{thing}/fork", {"name": odd}),
        ("POST", f"{thing}/branches", {"name": odd}),
        ("POST", f"{thing}/branches", {"name": "x1", "revision": odd}),
        ("POST", f"{thing}/git_tags", {"name": odd}),
        ("POST", f"{thing}/raw/x", {"content": "", "branch": odd}),
        ("POST", f"{thing}/raw/x", {"content": "", "new_branch": odd}),
        ("POST", f"{thing}/raw/x", {"content": "", "parent": odd}),
        ("POST", f"{thing}/commit/main", {"message": "m", "files": [{"path": odd, "content": ""}]}),
        ("POST", f"{thing}/preupload/main", {"files": [{"path": odd, "size": 1}]}),
    ):
        answer = client.open(path, method=method, json=body, headers=headers)
        assert 400 <= answer.status_code < 500, f"{method} {path} {list(body)}: {answer.status_code}"
        assert answer.is_json, path


@pytest.mark.any_database
def test_a_body_is_read_as_forgivingly_as_the_platforms_clients_need(client, make_user, make_token):
    headers = {"Authorization": f"Bearer {make_token(make_user())}"}

    def create(data, **more):
        return client.post("/api/v1/models", data=data, headers={**headers, **more})

    everything = '{"name": "a1", "nickname": null, "description": null, "license": null, "private": null}'
    assert create(everything).status_code == 200  # no type, and nulls for what is absent
    assert client.get("/api/v1/models?sort=&source=&search=&per=&need_op_weight=").status_code == 200
    assert create('{"name": ' + "9" * 5000 + "}").json["code"] == "REQ-ERR-1"
    assert create('{"name": null}').json["code"] == "REQ-ERR-6"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert create('{"name": "a2"}', **form).status_code == 400


@pytest.mark.any_database
def test_of_what_one_may_not_see_no_form_of_a_request_is_better(client, make_user, make_repository):
    make_repository(make_user(), "hidden", private=True)
    for name in ("hidden", "none"):
        answer = client.post(f"/api/v1/models/ada/{name}/preupload/main", json={"files": "x"})
        assert (answer.status_code, answer.json["code"]) == (404, "REPO-ERR-3")
