"""What the description of the API says of every route alike: errors, credentials, headers, examples.

flask-smorest writes down what a route declares: its address, body, query and answer. What follows from the kind of the
route is added here, and never over what the route says itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from hub.api.examples import add_examples
from hub.base.paging import DEFAULT_PER, MAX_PER
from hub.http.actor import CSRF_HEADER, SESSION_COOKIE
from hub.http.paging import MAX_PAGE

Document = dict[str, Any]
Operation = dict[str, Any]

METHODS = ("get", "put", "post", "delete", "patch", "head", "options", "trace")
_SAFE = frozenset({"get", "head", "options"})

_ABOUT = """\
Repositories of AI assets (models, datasets, code, spaces, prompts, skills, MCP servers), with their files, history,
people and rules.

**Answers** are `{"msg": "OK", "data": ..., "total": ...}`; members that would be empty are left out.
**Errors** are `{"code", "msg", "context", "trace_id"}`: `code` is for programs, `msg` for people, and `context.errors`
names the members that do not fit. `msg` is in the language that `Accept-Language` asks for, in English where it asks
for none. What the caller may not see is told like what is not there: 404.

**Lists** are paged by `page` (from 1) and `per` (1 to 100, 50 by default).
**Unknown members** of bodies and queries are ignored.
**Reading again** is cheap: send an answer's `ETag` as `If-None-Match`, and 304 says that it still stands.
**Sending again** is safe: a POST with an `Idempotency-Key` happens once, however often it is sent.
"""

_STATUSES = {
    400: "A member of the body or query is missing or does not fit; `context` says which.",
    401: "A credential is needed, or the one that was sent is not valid.",
    403: "The credential does not allow this.",
    404: "There is no such thing, or the caller may not see it.",
    405: "With these values the address is another, which does not take this method.",
    409: "It is there already, or something else has come in between.",
    412: "What the request was made for has changed meanwhile.",
    413: "The body is too large, or there is no room for it.",
    414: "The address is too long.",
    415: "The body is of a type that this route does not take.",
    416: "The range begins behind the end of the content.",
    422: "What the request refers to is not what it must be, such as an LFS object that is not stored here.",
    429: "Too many requests; `Retry-After` says when to go on.",
    500: "Something went wrong on the hub's side; its log has it under `trace_id`.",
    503: "The hub cannot do this at the moment; try again.",
}
# An example of each; 414 comes from the server in front of the application, which has no JSON.
_CODES = {
    400: ("REQ-ERR-6", "'page' must be a number from 1 to 1000000."),
    401: ("AUTH-ERR-5", "The credential in the Authorization header is not valid."),
    403: ("AUTH-ERR-2", "Your role does not allow this."),
    404: ("REPO-ERR-3", "There is no such repository, or you may not see it."),
    405: ("method_not_allowed", "The method is not allowed for the requested URL."),
    409: ("GIT-ERR-13", "There is a branch of that name."),
    412: ("GIT-ERR-22", "The branch has moved."),
    413: ("REQ-ERR-3", "The body is too large."),
    415: ("REQ-ERR-9", "Send the files as multipart/form-data."),
    416: ("range_not_satisfiable", "The range begins past the end of the content."),
    422: ("SYS-ERR-5", "An LFS object is not stored on this hub."),
    429: ("REQ-ERR-10", "More than 3000 requests in a minute. Wait 7 s."),
    500: ("SYS-ERR-0", "Something went wrong on our side."),
    503: ("GIT-ERR-34", "The hub is busy; try again."),
}

_SCHEMES: dict[str, dict[str, str]] = {
    "token": {"type": "http", "scheme": "bearer", "description": "An access token, or a signed session token."},
    "password": {
        "type": "http",
        "scheme": "basic",
        "description": "A name, with a password or a token. Where the account has a second factor, a password needs "
        "a code in the header `X-Second-Factor`.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": SESSION_COOKIE,
        "description": "The cookie that `POST /api/v1/session` sets.",
    },
    "csrf": {
        "type": "apiKey",
        "in": "header",
        "name": CSRF_HEADER,
        "description": "The session's word, from `/api/v1/whoami`; its writes must carry it.",
    },
}
READERS: list[dict[str, list[str]]] = [{"token": []}, {"password": []}, {"session": []}]
_WRITERS: list[dict[str, list[str]]] = [{"token": []}, {"password": []}, {"session": [], "csrf": []}]

# Reads that are for people with an account, by the operation's name. Everything below /api/v1/admin is, too.
# The tests' matrix of roles and routes holds both lists.
_CLOSED_READS = frozenset(
    {
        *("account_whoami", "accounts_whoami", "accounts_list_tokens", "accounts_list_ssh_keys"),
        *("sessions_list_sessions", "second_factors_show_factor", "second_factors_list_devices"),
        *("users_list_users", "users_export", "jwts_show_token", "claw_show_registry_user"),
        *("lineage_list_own_relations", "activities_show_feed", "community_list_mine"),
        *("gates_show_own_request", "gates_list_access_requests", "spaces_list_secrets"),
        *("spaces_show_logs", "clusters_list_clusters", "clusters_list_cluster_usage", "clusters_show_cluster"),
        "workloads_stream_workload_logs",
        *("hooks_list_webhooks", "hooks_show_webhook"),
        *("likes_list_liked_repositories", "likes_list_liked_collections"),
        *("notifications_list_notifications", "notifications_count_notifications", "notifications_poll_notifications"),
        *("notifications_list_notification_types", "notifications_show_notification_setting"),
        *("repositories_list_collaborators", "repositories_list_repository_jobs", "organizations_get_member"),
        *("branches_list_protected_branches", "branches_show_deleted_branches", "infos_check_write_access"),
        *("watches_list_watched", "own_data_show_copy", "own_data_download_copy"),
        *("metering_list_statements", "metering_export_statements", "metering_show_stat", "metering_report"),
        *("people_list_likes", "people_list_likers", "people_list_own_repositories"),
        *("people_list_organization_repositories",),
        *("webhooks_list_repository_webhooks", "webhooks_list_organization_webhooks", "webhooks_list_user_webhooks"),
        *("xet_show_write_token", "large_files_list_large_files", "uploads_check_name"),
        *("webhooks_show_webhook", "webhooks_list_deliveries", "webhooks_show_delivery"),
        *("verifications_show_users", "verifications_show_organizations"),
        *("storage_show_storage", "storage_list_large_files", "storage_show_check", "storage_show_export"),
        *("storage_download_export", "deploy_tokens_list_deploy_tokens"),
        *("licenses_list_licenses", "licenses_show_license", "licenses_show_status", "licenses_show_request"),
    }
)
# Writes, or reads in the form of a POST, that anybody may ask for.
_OPEN_WRITES = frozenset(
    {
        *("accounts_open_session", "accounts_close_session", "accounts_register"),
        *("setup_create_administrator", "setup_ask_for_reset", "setup_reset_password"),
        *("repositories_show_extra", "repositories_list_by_paths", "trees_show_paths", "account_validate_card"),
        *("prompts_show_preview", "cards_check_card", "oauth_begin_device_login", "oauth_give_token"),
    }
)
# The same view under another prefix, or at one more address.
_COPIES = re.compile(r"^(compat|root)_|_\d+$")

_HEADERS: dict[str, tuple[str, dict[str, Any]]] = {
    "X-Request-ID": ("the request's id, which the hub's log has: the client's own, or a fresh one", {"type": "string"}),
    "ETag": ("what the content is known by; send it as `If-None-Match`", {"type": "string"}),
    "RateLimit-Limit": ("requests in a minute", {"type": "integer"}),
    "RateLimit-Remaining": ("requests that are left of them", {"type": "integer"}),
    "RateLimit-Reset": ("seconds until there are more", {"type": "integer"}),
    "Retry-After": ("seconds to wait", {"type": "integer"}),
    "WWW-Authenticate": ("how to send a credential", {"type": "string"}),
    "Idempotent-Replayed": ("true, where the answer is one that was given before", {"type": "string"}),
}
_ON_EVERY_ANSWER = ("X-Request-ID", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")

_PARAMETERS: dict[str, dict[str, Any]] = {
    "If-None-Match": {
        "in": "header",
        "name": "If-None-Match",
        "description": "an `ETag`; while it is still right the answer is 304",
        "schema": {"type": "string", "maxLength": 1024},
    },
    "Idempotency-Key": {
        "in": "header",
        "name": "Idempotency-Key",
        "description": "any text; the same request with the same key is done once",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
    },
}
_PAGING = {
    "page": {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": 1},
    "per": {"type": "integer", "minimum": 1, "maximum": MAX_PER, "default": DEFAULT_PER},
}
# What the names of the skill registry's errors begin with.
_REGISTRY = "REGISTRY_"
# A body or query with one of these says what the thing must be like before it is changed.
_CONDITIONS = frozenset({"parent", "sha", "old_role"})


def operations_of(document: Document) -> Iterator[tuple[str, str, Operation]]:
    """Every operation with its path and method (in lower case)."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method in METHODS:
                yield path, method, operation


def complete(document: Document) -> Document:
    """The description with what follows from each route's kind. Changes the one that is given, and returns it."""
    components = document.setdefault("components", {})
    components["securitySchemes"] = _SCHEMES
    components["headers"] = {name: {"description": text, "schema": schema} for name, (text, schema) in _HEADERS.items()}
    components["parameters"] = components.get("parameters", {}) | _PARAMETERS
    components["responses"] = {HTTPStatus(status).name: _error(status) for status in _STATUSES}
    components["responses"] |= {_REGISTRY + HTTPStatus(status).name: _registry_error(status) for status in _STATUSES}
    for path, method, operation in operations_of(document):
        _add_security(path, method, operation)
        _add_parameters(path, method, operation)
        _add_errors(document, path, method, operation)
        _add_headers(method, operation)
        operation.setdefault("description", _access_of(operation))
    used = {tag for _, _, operation in operations_of(document) for tag in operation["tags"]}
    document["tags"] = [tag for tag in document["tags"] if tag["name"] in used]
    document["info"] |= {
        "description": _ABOUT,
        "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0.html"},
        "contact": {"name": "The administrators of this hub", "url": document["servers"][0]["url"]},
    }
    add_examples(document)
    written: Document = _in_markdown(document)
    return written


def _error(status: int) -> dict[str, Any]:
    if status not in _CODES:
        return {"description": _STATUSES[status]}
    code, message = _CODES[status]
    headers = [*_ON_EVERY_ANSWER, *{401: ["WWW-Authenticate"], 429: ["Retry-After"]}.get(status, [])]
    return {
        "description": _STATUSES[status],
        "headers": _references(headers),
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/Error"},
                "example": {"code": code, "msg": message, "trace_id": "6f1d0c2b9a3e4d57"},
            }
        },
    }


def _registry_error(status: int) -> dict[str, Any]:
    """An error in the envelope of the skill registry. Source: CSGHub contract, section 4.10."""
    if status not in _CODES:
        return {"description": _STATUSES[status]}
    members = {"code": "integer", "msg": "string", "data": "object", "timestamp": "string", "requestId": "string"}
    properties = {name: {"type": type} for name, type in members.items()}
    schema = {"type": "object", "required": ["code", "msg"], "properties": properties}
    return {"description": _STATUSES[status], "content": {"application/json": {"schema": schema}}}


def _references(headers: list[str]) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in headers}


def _add_security(path: str, method: str, operation: Operation) -> None:
    if "security" in operation:
        return
    name = _COPIES.sub("", operation["operationId"])
    ways = READERS if method in _SAFE else _WRITERS
    is_closed = path.startswith("/api/v1/admin") or (
        name in _CLOSED_READS if method in _SAFE else name not in _OPEN_WRITES
    )
    operation["security"] = ways if is_closed else [{}, *ways]


def _access_of(operation: Operation) -> str:
    if {} not in operation["security"]:
        return "For those who are signed in, as far as their role and their token's scope allow it."
    return "Needs no account for what is public; what is private is told to those who may see it."


def _add_parameters(path: str, method: str, operation: Operation) -> None:
    parameters = operation.setdefault("parameters", [])
    for parameter in parameters:
        name = parameter.get("name", "")
        if parameter.get("in") == "query":
            parameter.setdefault("description", name.replace("_", " "))
            if name in _PAGING and parameter["schema"].get("type") == "integer":
                parameter["schema"] = {**_PAGING[name], **parameter["schema"]}
    if method == "get" and _json_answers(operation):
        parameters.append({"$ref": "#/components/parameters/If-None-Match"})
        operation["responses"].setdefault("304", {"description": "The content is what the `ETag` stands for."})
    if method == "post" and not _media_types(operation) - {"application/json"}:
        parameters.append({"$ref": "#/components/parameters/Idempotency-Key"})
    if not parameters:
        del operation["parameters"]


def _media_types(operation: Operation) -> set[str]:
    return set(operation.get("requestBody", {}).get("content", {}))


def _json_answers(operation: Operation) -> list[dict[str, Any]]:
    return [
        answer
        for status, answer in operation["responses"].items()
        if str(status).startswith("2") and "application/json" in answer.get("content", {})
    ]


def _add_errors(document: Document, path: str, method: str, operation: Operation) -> None:
    is_write, media_types = method not in _SAFE, _media_types(operation)
    parameters = [*document["paths"][path].get("parameters", ()), *operation.get("parameters", ())]
    named = [parameter for parameter in parameters if "name" in parameter]
    statuses = {401, 403, 429, 500, 503}
    if is_write or named:
        statuses |= {400, 404}
    if named:
        statuses |= {414}
    if "{" in path:
        statuses |= {405}
    # Reads below a repository's address, too: what a file holds may be no table, prompt or head, or not read yet.
    if is_write or "{name}/" in path:
        statuses |= {409, 422}
    if media_types:
        statuses |= {413}
    if media_types - {"application/json"}:
        statuses |= {415}
    if _CONDITIONS & _body_members(document, operation):
        statuses |= {412}
    if "206" in operation["responses"]:
        statuses |= {416}
        operation["responses"]["206"].setdefault("content", operation["responses"]["200"].get("content", {}))
    dialect = _REGISTRY if path.startswith("/claw/") else ""
    # What checks a body or query has written its own status down already, in the words of the platform's errors.
    statuses |= {status for status in _STATUSES if dialect and "$ref" in operation["responses"].get(str(status), {})}
    for status in sorted(statuses):
        reference = {"$ref": f"#/components/responses/{dialect}{HTTPStatus(status).name}"}
        if "$ref" in operation["responses"].get(str(status), reference):
            operation["responses"][str(status)] = reference
    operation["responses"] = dict(sorted(operation["responses"].items()))


def _body_members(document: Document, operation: Operation) -> set[str]:
    schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    name = schema.get("$ref", "").rpartition("/")[2]
    return set(document["components"]["schemas"].get(name, schema).get("properties", {}))


def _add_headers(method: str, operation: Operation) -> None:
    for status, answer in operation["responses"].items():
        if "$ref" in answer:
            continue
        names = list(_ON_EVERY_ANSWER)
        if method == "get" and status in ("200", "304"):
            names.append("ETag")
        if {"$ref": "#/components/parameters/Idempotency-Key"} in operation.get("parameters", []):
            names.append("Idempotent-Replayed")
        answer["headers"] = _references(names) | answer.get("headers", {})


def _in_markdown(value: Any) -> Any:
    """Texts out of docstrings mark code by two backticks; OpenAPI's are Markdown."""
    if isinstance(value, dict):
        return {
            key: re.sub("``", "`", item)
            if key in ("summary", "description") and isinstance(item, str)
            else _in_markdown(item)
            for key, item in value.items()
        }
    return [_in_markdown(item) for item in value] if isinstance(value, list) else value
