"""The description of the API is whole: every operation says all that a client must know, and its examples are right."""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from openapi_schema_validator import OAS30Validator
from openapi_spec_validator import validate
from werkzeug.test import TestResponse

import hub.api
from hub.api.app import MODULES
from hub.api.description import operations_of
from hub.cli.main import cli

pytestmark = pytest.mark.any_database

Document = dict[str, Any]


@pytest.fixture
def document(client: FlaskClient) -> Document:
    found: Document = client.get("/api/openapi.json").get_json()
    return found


def _json_bodies(operation: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for kind, media in operation.get("requestBody", {}).get("content", {}).items():
        if kind == "application/json":
            yield media


def _resolve(document: Document, schema: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["components"]["schemas"].get(schema.get("$ref", "").rpartition("/")[2], schema)
    return found


def test_every_operation_says_all_that_a_client_must_know(document: Document) -> None:
    validate(document)
    operations = list(operations_of(document))
    assert len(operations) > 100
    names = [operation["operationId"] for _, _, operation in operations]
    assert len(names) == len(set(names))
    for path, method, operation in operations:
        where = f"{method.upper()} {path}"
        assert operation["summary"], where
        assert operation["description"], where
        assert operation["tags"], where
        assert "default" not in operation["responses"], f"{where}: 'default' stands for what is not said"
        successes = {status: answer for status, answer in operation["responses"].items() if status < "300"}
        assert successes, where
        for status, answer in successes.items():
            assert status in ("204", "206") or answer.get("content"), f"{where}: {status} has no content"
            for media in answer.get("content", {}).values():
                assert media.get("schema"), f"{where}: {status} has no schema"
        assert {"401", "403", "429", "500"} <= set(operation["responses"]), where
        assert "{" not in path or "404" in operation["responses"], where
        assert method == "get" or {"400", "409", "422"} <= set(operation["responses"]), where
        for media in _json_bodies(operation):
            schema = _resolve(document, media["schema"])
            assert "example" in media or "examples" in media or "example" in schema, f"{where}: no example of the body"
        for parameter in operation.get("parameters", []):
            assert "$ref" in parameter or parameter["description"], f"{where}: {parameter}"
            if parameter.get("name") in ("page", "per"):
                assert {"minimum", "maximum"} <= set(parameter["schema"]), where
        assert (operation["security"][0] == {}) == ({} in operation["security"]), where


def test_an_answer_in_json_carries_the_envelope(document: Document) -> None:
    for path, method, operation in operations_of(document):
        if not path.startswith("/api/v1"):
            continue  # other hubs' formats have none
        for status, answer in operation["responses"].items():
            media = answer.get("content", {}).get("application/json")
            if status.startswith("2") and media is not None:
                for schema in media["schema"].get("oneOf", [media["schema"]]):
                    members = _resolve(document, schema).get("properties", {})
                    assert "msg" in members, f"{method.upper()} {path}: {status}"


def test_every_example_fits_its_schema(document: Document) -> None:
    schemas = document["components"]["schemas"]
    examples = [(name, schema, schema["example"]) for name, schema in schemas.items() if "example" in schema]
    for path, method, operation in operations_of(document):
        for media in _json_bodies(operation):
            given = [media["example"]] if "example" in media else []
            given += [example["value"] for example in media.get("examples", {}).values()]
            examples += [(f"{method.upper()} {path}", media["schema"], example) for example in given]
    assert len(examples) > 80
    for where, schema, example in examples:
        within = {"allOf": [schema], "components": {"schemas": schemas}}
        faults = [f"{fault.json_path}: {fault.message}" for fault in OAS30Validator(within).iter_errors(example)]
        assert not faults, f"{where}: {faults}"


def test_the_description_is_read_again_only_when_it_has_changed(client: FlaskClient) -> None:
    first = client.get("/api/openapi.json")
    again = client.get("/api/openapi.json", headers={"If-None-Match": first.headers["ETag"]})
    assert (first.status_code, again.status_code, again.data) == (200, 304, b"")
    assert json.loads(first.data)["info"]["license"]["name"] == "Apache-2.0"


def test_swagger_ui_is_the_hubs_own_and_runs_nothing_else(client: FlaskClient) -> None:
    def get(path: str) -> TestResponse:
        with client.get(path) as answer:
            answer.get_data()
        return answer

    page = get("/api/docs")
    policy = page.headers["Content-Security-Policy"]
    assert (page.status_code, page.mimetype) == (200, "text/html")
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert b"//" not in page.data.replace(b"<!doctype html>", b""), "an address elsewhere"
    for name, kind in (
        ("docs.js", "text/javascript"),
        ("swagger-ui-bundle.js", "text/javascript"),
        ("swagger-ui.css", "text/css"),
        ("favicon-32x32.png", "image/png"),
    ):
        assert name.encode() in page.data or name == "docs.js"
        file = get(f"/api/docs/{name}")
        assert (file.status_code, file.mimetype) == (200, kind), name
    for name in ("docs.html", "LICENSE", "..%2fdocumentation.py", "swagger-ui.js"):
        assert get(f"/api/docs/{name}").status_code == 404, name
    for path in ("/api/v1/swagger/", "/api/v1/swagger/index.html"):
        assert get(path).headers["Location"] == "/api/docs", path


def test_every_module_with_routes_is_mounted() -> None:
    found = {module.name for module in pkgutil.iter_modules(hub.api.__path__)}
    with_routes = {name for name in found if hasattr(importlib.import_module(f"hub.api.{name}"), "blp")}
    assert with_routes == {module.__name__.rpartition(".")[2] for module in MODULES}


def test_the_command_writes_the_description_and_needs_nothing_that_runs(tmp_path: Path) -> None:
    environ = {"HUB_HOME": str(tmp_path / "none"), "HUB_DATABASE_URL": "postgresql://127.0.0.1:1/none"}
    target = tmp_path / "openapi.json"
    done = CliRunner().invoke(cli, ["openapi", "--output", str(target)], env=environ)
    assert done.exit_code == 0, done.output
    document = json.loads(target.read_text())
    validate(document)
    assert document["openapi"] == "3.0.3"
    assert not (tmp_path / "none").exists()


def test_errors_of_the_skill_registry_are_described_in_its_own_envelope(document: Document) -> None:
    errors = {
        (path, status): answer["$ref"]
        for path, _, operation in operations_of(document)
        if path.startswith("/claw/")
        for status, answer in operation["responses"].items()
        if status >= "400"
    }
    assert ("/claw/api/v1/resolve", "400") in errors
    assert [where for where, name in errors.items() if "/REGISTRY_" not in name] == []
