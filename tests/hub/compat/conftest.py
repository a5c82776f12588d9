"""What the tests of the Hugging-Face-shaped routes share: people, a model with some files, and calls as a client's."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from hub.accounts.models import User
from hub.accounts.policy import Actor
from hub.base.context import Context
from hub.repos.files import FileEdit, commit_files
from hub.repos.models import Repository

Call = Callable[..., TestResponse]
WEIGHTS = bytes(range(256)) * 40
LFS_NAME = "model.bin"


@pytest.fixture
def people(make_user: Callable[..., User]) -> dict[str, User]:
    return {"ada": make_user("ada"), "bob": make_user("bob")}


@pytest.fixture
def call(client: FlaskClient, people: dict[str, User], make_token: Callable[..., str]) -> Call:
    """``call("GET", "/hf/api/models/ada/thing", as_="bob")``; as_ None: without a token."""
    tokens = {name: make_token(user, "write") for name, user in people.items()}
    tokens["reader"] = make_token(people["ada"], "read")

    def run(method: str, path: str, as_: str | None = "ada", **request: Any) -> TestResponse:
        headers = {"Authorization": f"Bearer {tokens.get(as_, as_)}"} if as_ else {}
        headers |= request.pop("headers", {})
        return client.open(path, method=method, headers=headers, buffered=True, **request)

    return run


@pytest.fixture
def write(context: Context, people: dict[str, User]) -> Callable[..., str]:
    """``write(repository, {"a.txt": b"1"}, new_branch="x")``: one commit of ada's; its id."""

    def commit(repository: Repository, files: dict[str, bytes], **options: Any) -> str:
        actor = Actor.of_user(people["ada"], via="session")
        edits = [FileEdit(path, content=content) for path, content in files.items()]
        result = commit_files(
            context, actor=actor, repository_id=repository.id, message="Files", edits=edits, **options
        )
        return result.commit_id

    return commit


@pytest.fixture
def thing(make_repository: Callable[..., Repository], people: dict[str, User], write: Callable[..., str]) -> Repository:
    """A public model ``ada/thing`` with two small files, one of them in a folder, and one in LFS."""
    repository = make_repository(people["ada"], "thing")
    write(repository, {"config.json": b"{}\n", "data/a b.txt": b"hello", LFS_NAME: WEIGHTS})
    return repository


@pytest.fixture
def send_commit(call: Call) -> Call:
    """``send_commit("/hf/api/models/ada/thing/commit/main", ("file", {...}), summary="x")``: an NDJSON commit."""

    def send(path: str, *steps: tuple[str, dict[str, Any]], as_: str | None = "ada", **header: Any) -> TestResponse:
        lines = [{"key": "header", "value": {"summary": "Change", **header}}]
        lines += [{"key": key, "value": value} for key, value in steps]
        body = "\n".join(map(json.dumps, lines)).encode()
        return call("POST", path, as_, data=body, headers={"Content-Type": "application/x-ndjson"})

    return send


def inline(path: str, content: bytes) -> tuple[str, dict[str, Any]]:
    """A line of a commit that writes a file."""
    return "file", {"path": path, "content": base64.b64encode(content).decode(), "encoding": "base64"}


def refusal(response: TestResponse) -> tuple[int, str | None]:
    """Status and ``X-Error-Code`` of an error, whose text must stand in the header and in the body."""
    assert response.status_code >= 400, response.get_data(as_text=True)
    assert response.json is not None
    assert response.headers["X-Error-Message"]
    assert response.json["error"] == response.json["msg"]
    return response.status_code, response.headers.get("X-Error-Code")
