"""Examples in the description of the API, made from the schemas: what a member is called says what it may hold.

A schema's own example (``metadata={"example": ...}``) stands. A body's example has the members that it must have and
those whose meaning is known by name; an answer's has all.
"""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]
Schema = dict[str, Any]

_REFERENCE = "#/components/schemas/"
_MAX_DEPTH = 8

# By the schema's name and the member's, else by the member's alone.
_EXAMPLES: dict[str, Any] = {
    "name": "thing",
    "namespace": "ada",
    "username": "ada",
    "user_name": "ada",
    "nickname": "Thing",
    "email": "ada@example.org",
    "description": "What the thing is for.",
    "license": "apache-2.0",
    "path": "README.md",
    "message": "Say what it is for",
    "content": "IyBUaGluZwo=",
    "title": "How to run it",
    "branch": "main",
    "default_branch": "main",
    "commit_id": "9f2c1d7e5b3a4f60812d9c7b6a5e4f3d2c1b0a99",
    "sha": "9f2c1d7e5b3a4f60812d9c7b6a5e4f3d2c1b0a99",
    "uuid": "3f0c8a52-6c0e-4b7e-9c55-0a1d2e3f4a5b",
    "homepage": "https://example.org",
    "time_zone": "Europe/Berlin",
    "url": "https://example.org/hook",
    "role": "read",
    "new_role": "write",
    "users": "grace",
    "permission": "read",
    "password": "correct-horse-battery",
    "old_password": "correct-horse-battery",
    "new_password": "battery-horse-correct",
    "new_namespace": "grace",
    "left_commit_id": "main",
    "msg": "OK",
    "total": 1,
    "Repository.path": "ada/thing",
    "CreateBody.name": "thing",
    "CreateOrganizationBody.name": "acme",
    "CreateOrganizationBody.nickname": "Acme",
    "NewRefBody.name": "trial",
    "RegistrationBody.nickname": "Ada",
    "UpdateUserBody.nickname": "Ada",
    "UpdateUserBody.name": None,
    "UpdateBody.name": None,
    "UpdateBody.default_branch": None,
    "ForkBody.namespace": "grace",
    "UpdateFileBody.sha": None,
    "DeleteFileBody.sha": None,
    "SSHKeyBody.name": "laptop",
    "SSHKeyBody.content": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f ada@laptop",
}
_OF_FORMAT = {
    "date-time": "2026-11-23T12:00:00+00:00",
    "date": "2026-11-23",
    "uuid": "3f0c8a52-6c0e-4b7e-9c55-0a1d2e3f4a5b",
    "email": "ada@example.org",
    "uri": "https://example.org",
    "url": "https://example.org",
}
_NOTHING = object()


def add_examples(document: Document) -> None:
    """Give every object among the schemas an example, and every JSON body that is described in place one."""
    schemas: dict[str, Schema] = document["components"]["schemas"]
    for name, schema in schemas.items():
        if schema.get("type") == "object" and "example" not in schema:
            schema["example"] = _example_of(schemas, schema, name, is_body=_is_body(name))
    for path in document["paths"].values():
        for operation in path.values():
            if isinstance(operation, dict):
                media = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
                if media and "$ref" not in media["schema"] and not {"example", "examples"} & set(media):
                    media["example"] = _example_of(schemas, media["schema"], "", is_body=True)


def _is_body(name: str) -> bool:
    return name.endswith("Body")


def _example_of(
    schemas: dict[str, Schema], schema: Schema, owner: str, member: str = "", *, is_body: bool, depth: int = 0
) -> Any:
    if "$ref" in schema:
        owner = schema["$ref"].removeprefix(_REFERENCE)
        schema, member = schemas[owner], ""
    for choice in ("allOf", "oneOf", "anyOf"):
        if choice in schema and "type" not in schema:
            return _example_of(schemas, schema[choice][0], owner, member, is_body=is_body, depth=depth)
    if "example" in schema:
        return schema["example"]
    if schema.get("enum"):
        return schema["enum"][0]
    if schema.get("type") == "object":
        return _object(schemas, schema, owner, is_body=is_body, depth=depth)
    if schema.get("type") == "array":
        if depth > _MAX_DEPTH:
            return []
        return [_example_of(schemas, schema.get("items", {}), owner, member, is_body=is_body, depth=depth + 1)]
    return _plain(schema, owner, member)


def _object(schemas: dict[str, Schema], schema: Schema, owner: str, *, is_body: bool, depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    required = schema.get("required", [])
    for name, member in schema.get("properties", {}).items():
        if depth > _MAX_DEPTH or (is_body and name not in required and not _is_told(member, owner, name)):
            continue
        found[name] = _example_of(schemas, member, owner, name, is_body=is_body, depth=depth + 1)
    return found


def _is_told(member: Schema, owner: str, name: str) -> bool:
    """Whether it is known what an optional member of a body may hold."""
    return "example" in member or _known(owner, name) not in (None, _NOTHING)


def _known(owner: str, name: str) -> Any:
    return _EXAMPLES.get(f"{owner}.{name}", _EXAMPLES.get(name, _NOTHING))


def _plain(schema: Schema, owner: str, name: str) -> Any:
    kind = schema.get("type")
    known = _known(owner, name)
    if kind == "string":
        if schema.get("format") in _OF_FORMAT:
            return _OF_FORMAT[schema["format"]]
        return known if isinstance(known, str) else str(schema.get("default") or "text")
    if kind == "boolean":
        return bool(schema.get("default") or False)
    if kind in ("integer", "number"):
        given = known if isinstance(known, int) else schema.get("default")
        return given if given is not None else schema.get("minimum", 1)
    return {} if known is _NOTHING else known
