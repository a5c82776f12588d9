"""The skill registry as agents' clients speak to it (ClawHub's dialect), below /claw/api/v1. Contract: CSGHub, 4.10."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask import Response, request
from werkzeug.exceptions import UnsupportedMediaType

from hub.accounts.policy import Action, require
from hub.accounts.service import get_own_user
from hub.api import skill_schemas as schemas
from hub.api.envelope import send_json
from hub.api.skills import published_view, send_version
from hub.assets.models_records import SkillRecord, SkillVersion
from hub.assets.records import skill_registry as registry
from hub.assets.records import skills
from hub.base.errors import Invalid
from hub.base.paging import PageArgs
from hub.db.uow import reading
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.errors import request_id
from hub.http.pictures import picture_url
from hub.http.platform import PLATFORM_CODES
from hub.http.routing import ApiBlueprint
from hub.repos import uploads
from hub.repos.entries import read_snapshot
from hub.repos.gates import may_read_content
from hub.repos.models import Repository

MAX_FILES = 500
MAX_FORM_BYTES = 50 * 1024 * 1024
MAX_FILES_TOLD = 1000


def render_claw_error(status: int, code: str, message: str, details: dict[str, Any]) -> Response:
    """An error in the registry's envelope; ``data.code`` is the platform's."""
    data = {"code": PLATFORM_CODES.get(code, code), **details}
    body = {
        "code": status,
        "msg": message,
        "data": data,
        "timestamp": datetime.now(UTC).isoformat(),
        "requestId": request_id(),
    }
    response = Response(json.dumps(body), status=status, mimetype="application/json")
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="hub"'
    return response


class ClawBlueprint(ApiBlueprint):
    """A blueprint whose errors are in the registry's envelope."""

    renderer = staticmethod(render_claw_error)


blp = ClawBlueprint("claw", __name__, url_prefix="/claw/api/v1", description="The skill registry, in ClawHub's dialect")


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _version_view(version: SkillVersion) -> dict[str, Any]:
    return {
        "version": version.version,
        "commit": version.commit_id,
        "createdAt": _milliseconds(version.created_at),
        "changelog": version.changelog,
        "license": version.license or None,
    }


def _identity(repository: Repository) -> dict[str, str]:
    return {"slug": registry.slug_of(repository), "displayName": repository.nickname or repository.name}


def _summary(record: SkillRecord | None, repository: Repository) -> str:
    return (record.description if record else "") or repository.description


@blp.get("/search")
@blp.arguments(schemas.ClawQuery, location="query")
@blp.response(200, schemas.ClawResultsSchema)
def search_registry(query: dict[str, Any]) -> Response:
    """The skills with these words that have a published version, the most liked first."""
    with reading(current_context()) as work:
        page = skills.list_skills(
            work,
            actor=current_actor(),
            search=query["q"],
            sort="most_favorite",
            only_published=True,
            page=PageArgs(per=query["limit"]),
        )
        results = [
            _identity(listed.repository)
            | {
                "summary": _summary(listed.record, listed.repository),
                "version": listed.latest.version if listed.latest else "",
                # By their order: nothing is measured.
                "score": round(1 / (1 + place), 4),
                "updatedAt": _milliseconds(listed.record.updated_at),
            }
            for place, listed in enumerate(page.items)
        ]
    return send_json({"results": results})


@blp.get("/skills/<slug>")
@blp.response(200, schemas.ClawSkillSchema)
def show_registry_skill(slug: str) -> Response:
    """One skill with its versions, the highest first."""
    actor = current_actor()
    with reading(current_context()) as work:
        repository = registry.get_skill(work, actor=actor, slug=slug)
        record = skills.find_record(work, repository.id)
        if record is not None and not may_read_content(work, actor, repository):
            record = None
        versions = skills.versions_of(work, [repository.id]).get(repository.id, [])
        latest = skills.latest_of(versions)
        owner = repository.namespace
        view = {
            "skill": _identity(repository)
            | {
                "summary": _summary(record, repository),
                "tags": {"latest": latest.version} if latest else {},
                "stats": {
                    "downloads": repository.download_count,
                    "stars": repository.like_count,
                    "versions": len(versions),
                },
                "createdAt": _milliseconds(repository.created_at),
                "updatedAt": _milliseconds(repository.updated_at),
            },
            "latestVersion": _version_view(latest) if latest else None,
            "versions": [_version_view(version) for version in versions],
            "owner": {"handle": owner.path, "displayName": owner.path},
            # Nobody judges them here; what the scan of files finds is told by the REST API.
            "moderation": {"isSuspicious": False, "isMalwareBlocked": False},
        }
    return send_json(view)


@blp.get("/skills/<slug>/versions/<version>")
@blp.response(200, schemas.ClawSkillVersionSchema)
def show_registry_version(slug: str, version: str) -> Response:
    """One version with its files; ``latest``: the highest release."""
    context = current_context()
    with reading(context) as work:
        repository = registry.get_skill(work, actor=current_actor(), slug=slug)
        found = skills.get_version(work, repository=repository, version=version)
    snapshot = read_snapshot(context, repository, revision=found.commit_id, with_sizes=True, max_files=MAX_FILES_TOLD)
    files = [{"path": entry.path, "size": entry.size_bytes or 0} for entry in snapshot.entries or ()]
    return send_json({"version": _version_view(found) | {"files": files}, "skill": _identity(repository)})


@blp.post("/skills")
@blp.doc(
    requestBody={
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "payload": {
                            "type": "string",
                            "description": "JSON: slug, version, displayName, changelog, license, private",
                        },
                        "files": {"type": "array", "items": {"type": "string", "format": "binary"}},
                    },
                    "required": ["payload", "files"],
                }
            }
        },
    }
)
@blp.response(200, schemas.PublishedSchema)
def publish_to_registry() -> Response:
    """Publish a version that holds exactly the files of the form, called by their paths; a new skill is made."""
    context, actor = current_context(), current_actor()
    with reading(context) as work:
        require(work, actor, Action.ACCOUNT_WRITE, get_own_user(work, actor=actor), what="user")
    if request.mimetype != "multipart/form-data":
        raise UnsupportedMediaType("Send the skill as multipart/form-data.")
    request.max_content_length = MAX_FORM_BYTES
    request.max_form_parts = MAX_FILES + 10
    payload = _payload(request.form.get("payload", ""))
    with uploads.folder(context) as folder:
        files: dict[str, Path] = {}
        for number, file in enumerate(request.files.getlist("files")):
            target = folder / str(number)
            file.save(target)
            files[file.filename or ""] = target
        published = registry.publish_files(
            context,
            actor=actor,
            slug=_text(payload, "slug"),
            version=_text(payload, "version"),
            files=files,
            display_name=_text(payload, "displayName"),
            changelog=_text(payload, "changelog"),
            license=_text(payload, "license"),
            private=payload.get("private") is True,
        )
    return send_json(published_view(published))


def _payload(text: str) -> dict[str, Any]:
    try:
        payload = json.loads(text)
    except (ValueError, RecursionError):
        payload = None
    if not isinstance(payload, dict):
        raise Invalid("The form needs a 'payload', a JSON object.", code="json_invalid")
    return payload


def _text(payload: dict[str, Any], name: str) -> str:
    value = payload.get(name)
    if value is not None and not isinstance(value, str):
        raise Invalid(f"'{name}' must be a text.", code="REQ-ERR-6", member=name)
    return value or ""


@blp.get("/download/<slug>")
@blp.arguments(schemas.ClawVersionQuery, location="query")
@blp.response(200, content_type="application/zip", description="the files of the version")
def download_skill(query: dict[str, Any], slug: str) -> Response:
    """The files of a version as a ZIP, SKILL.md at its root."""
    return _send(slug, query["version"])


@blp.get("/download")
@blp.arguments(schemas.ClawSlugQuery, location="query")
@blp.response(200, content_type="application/zip", description="the files of the version")
def download_by_query(query: dict[str, Any]) -> Response:
    """As the other address."""
    return _send(query["slug"], query["version"])


def _send(slug: str, version: str) -> Response:
    with reading(current_context()) as work:
        repository = registry.get_skill(work, actor=current_actor(), slug=slug)
    return send_version(repository, version)


@blp.get("/resolve/<slug>")
@blp.response(200, schemas.ClawResolvedSchema)
def resolve_skill(slug: str) -> Response:
    """The latest version of a skill. ``match`` is null: versions are not looked for by what they hold."""
    return _resolve(slug)


@blp.get("/resolve")
@blp.arguments(schemas.ClawSlugQuery, location="query")
@blp.response(200, schemas.ClawResolvedSchema)
def resolve_by_query(query: dict[str, Any]) -> Response:
    """As the other address; with ``version``, ``match`` says whether there is such a version."""
    return _resolve(query["slug"], query["version"])


def _resolve(slug: str, version: str = "") -> Response:
    with reading(current_context()) as work:
        repository = registry.get_skill(work, actor=current_actor(), slug=slug)
        latest = skills.find_latest(work, repository.id)
        match = skills.find_version(work, repository.id, version) if version else None
    found = {"match": match, "latestVersion": latest}
    return send_json({name: {"version": row.version} if row else None for name, row in found.items()})


@blp.get("/whoami")
@blp.response(200, schemas.ClawUserSchema)
def show_registry_user() -> Response:
    """Whose token it is."""
    with reading(current_context()) as work:
        user = get_own_user(work, actor=current_actor())
        person = {"handle": user.name, "displayName": user.nickname or user.name, "image": picture_url(user.avatar)}
    return send_json({"user": person})
