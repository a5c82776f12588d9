"""REST of skills, their versions and lists; packages that repositories are made of. Contract: CSGHub, 4.3 and 5.1."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from flask import Response, request

from hub.accounts.policy import Action, require
from hub.accounts.service import get_own_user
from hub.api import skill_schemas as schemas
from hub.api.envelope import enveloped, ok, send_json
from hub.api.record_members import version_view
from hub.api.schemas import PageQuery
from hub.assets.models_records import SkillVersion
from hub.assets.records import packages, skills
from hub.assets.records.skill_registry import slug_of
from hub.assets.records.skills import ListedSkill, Published
from hub.base.errors import Invalid
from hub.db.uow import reading
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.http.ranges import disposition
from hub.http.routing import PREFIX, Address, RepositoryBlueprint
from hub.repos.downloads import DOWNLOADS
from hub.repos.models import Repository

blp = RepositoryBlueprint("skills", __name__, url_prefix=PREFIX, description="Skills and their versions")

_SEGMENT = "skills"
_FORM_BYTES = 1024 * 1024


def published_view(published: Published) -> dict[str, Any]:
    """What was published, as both dialects say it."""
    version = published.version
    return {
        "ok": True,
        "skillId": str(published.repository_id),
        "versionId": str(version.id),
        "version": version.version,
        "commit": version.commit_id,
    }


def _row_view(version: SkillVersion) -> dict[str, Any]:
    username = version.created_by.name if version.created_by else ""
    return version_view(version) | {"id": version.id, "username": username}


@blp.at("/publish", segment=_SEGMENT, method="POST")
@blp.arguments(schemas.PublishBody)
@blp.response(200, enveloped(schemas.PublishedSchema))
def publish(body: dict[str, Any], address: Address) -> dict[str, Any]:
    """Bind a version number to a commit, for ever; a tag of that name keeps the commit.

    Refused with 422 and the reasons, with their lines, where ``SKILL.md`` breaks the rules of agent skills.
    """
    published = skills.publish_version(
        current_context(),
        actor=current_actor(),
        repository_id=address.get().id,
        version=body["version"],
        changelog=body["changelog"],
        license=body["license"],
        revision=body["ref"],
    )
    return ok(published_view(published))


@blp.at("/versions", segment=_SEGMENT)
@blp.arguments(PageQuery, location="query")
@blp.response(200, enveloped(schemas.SkillVersionRowSchema, many=True))
def list_skill_versions(query: dict[str, Any], address: Address) -> Response:
    """The published versions, the highest first."""
    with reading(current_context()) as work:
        page = skills.list_versions(work, repository=address.load(work), page=page_args())
        views = [_row_view(version) for version in page.items]
    return send_json(ok(views, total=page.total, is_estimate=page.is_estimate))


@blp.at("/versions/<version>", segment=_SEGMENT)
@blp.response(200, enveloped(schemas.SkillVersionRowSchema))
def show_skill_version(address: Address, version: str) -> Response:
    """One published version; ``latest``: the highest release."""
    with reading(current_context()) as work:
        found = skills.get_version(work, repository=address.load(work), version=version)
        return send_json(ok(_row_view(found)))


@blp.at("/versions/<version>/download", segment=_SEGMENT)
@blp.response(200, content_type="application/zip", description="the files of the version")
def download_skill_version(address: Address, version: str) -> Response:
    """The files of a version as a ZIP, content in LFS included."""
    return send_version(address.get(), version)


def send_version(repository: Repository, version: str) -> Response:
    """A version's files as a ZIP; it counts as a download."""
    found, pieces = skills.open_version(current_context(), repository, actor=current_actor(), version=version)
    headers = {
        "Content-Disposition": disposition(f"{repository.name}-{found.version}.zip"),
        "X-Repo-Commit": found.commit_id,
        "X-Skill-Version": found.version,
    }
    response = Response(pieces, mimetype="application/zip", headers=headers)
    response.direct_passthrough = True
    current_context()[DOWNLOADS].count(repository.id)
    return response


@blp.at("/manifest", segment=_SEGMENT)
@blp.arguments(schemas.SkillManifestQuery, location="query")
@blp.response(200, enveloped(schemas.SkillManifestSchema))
def show_skill_manifest(query: dict[str, Any], address: Address) -> Response:
    """What ``SKILL.md`` says at a revision, and with line and reason what is wrong with it."""
    repository = address.get()
    commit_id, skill = skills.read_skill(current_context(), repository, actor=current_actor(), revision=query["ref"])
    return send_json(
        ok(
            {
                "name": skill.name,
                "description": skill.description,
                "license": skill.license,
                "compatibility": skill.compatibility,
                "category": skill.category,
                "allowed_tools": skill.allowed_tools,
                "metadata": skill.details,
                "is_valid": skill.is_valid,
                "problems": [asdict(problem) for problem in skill.problems],
                "commit_id": commit_id,
                "slug": slug_of(repository),
                "registry": f"{current_context().settings.effective_base_url}/claw",
            }
        )
    )


def _record_view(listed: ListedSkill) -> dict[str, Any]:
    record, repository = listed.record, listed.repository
    return {
        "repository_id": repository.id,
        "repo_path": repository.path,
        "slug": slug_of(repository),
        "nickname": repository.nickname,
        "name": record.name,
        "description": record.description,
        "category": record.category,
        "license": record.license or repository.license,
        "allowed_tools": record.allowed_tools,
        "is_valid": record.is_valid,
        "latest_version": listed.latest.version if listed.latest else "",
        "likes": repository.like_count,
        "downloads": repository.download_count,
        "updated_at": record.updated_at,
    }


@blp.get("/skills/records")
@blp.arguments(schemas.SkillRecordsQuery, location="query")
@blp.response(200, enveloped(schemas.SkillRecordSchema, many=True))
def list_skill_records(query: dict[str, Any]) -> Response:
    """What the SKILL.md of all skills say, by category, as far as the caller gets their content."""
    with reading(current_context()) as work:
        page = skills.list_skills(
            work,
            actor=current_actor(),
            search=query["search"],
            category=query["category"],
            sort=query["sort"],
            page=page_args(),
        )
        views = [_record_view(listed) for listed in page.items]
    return send_json(ok(views, total=page.total, is_estimate=page.is_estimate))


@blp.get("/skills/categories")
@blp.response(200, enveloped(schemas.SkillCategorySchema, many=True))
def list_skill_categories() -> Response:
    """The categories of skills with their numbers, the largest 200."""
    with reading(current_context()) as work:
        found = skills.list_categories(work, actor=current_actor())
    return send_json(ok([{"category": category, "count": count} for category, count in found], total=len(found)))


# Packages.


@blp.post("/skills/upload_url")
@blp.post("/codes/upload_url")
@blp.response(200, enveloped(schemas.UploadUrlSchema))
def create_upload_url() -> dict[str, Any]:
    """A form by which a ZIP is sent; a new repository then names it by its SHA-256 (skill_file, code_file)."""
    context, actor = current_context(), current_actor()
    with reading(context) as work:
        require(work, actor, Action.ACCOUNT_WRITE, get_own_user(work, actor=actor), what="user")
    ticket = packages.create_ticket(context, actor=actor)
    url = f"{context.settings.effective_base_url}{PREFIX}/packages"
    return ok({"url": url, "uuid": ticket.uuid, "formData": ticket.fields})


@blp.post("/packages")
@blp.doc(
    requestBody={
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "key": {"type": "string"},
                        "policy": {"type": "string"},
                        "signature": {"type": "string"},
                        "file": {"type": "string", "format": "binary"},
                    },
                    "required": ["policy", "signature", "file"],
                }
            }
        },
    }
)
@blp.response(200, enveloped(schemas.StoredPackageSchema))
def send_package() -> dict[str, Any]:
    """Send a package by the form that ``upload_url`` gave; no other credential is looked at."""
    context = current_context()
    is_form = request.mimetype == "multipart/form-data"
    request.max_content_length = packages.MAX_PACKAGE_BYTES + _FORM_BYTES
    # Who has no form is told so first, whatever else is wrong.
    fields = request.form.to_dict() if is_form else {}
    packages.check_ticket(context, fields=fields)
    file = request.files.get("file")
    if file is None:
        raise Invalid("The form needs a 'file'.", code="REQ-ERR-4")
    stored = packages.store_package(context, fields=fields, stream=file.stream)
    return ok({"sha256": stored.sha256, "size": stored.size_bytes})
