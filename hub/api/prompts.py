"""REST of single prompts: reading, writing, versions, likes, many at once, all of the hub. Contract: CSGHub, 4.3."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, cast

from flask import Response, request
from werkzeug.exceptions import UnsupportedMediaType

from hub.accounts.policy import Action, require
from hub.api import prompt_schemas as schemas
from hub.api.envelope import enveloped, ok, send_json
from hub.api.views import commit_view
from hub.assets.records import prompt_edits, prompt_lists, prompt_transfer, prompt_versions
from hub.assets.records.prompt_edits import PromptFile, Saved
from hub.assets.records.prompt_lists import ListedPrompt
from hub.assets.records.variables import check_usage, names_of, preview_prompt
from hub.assets.service.prompts import MEMBERS
from hub.base.errors import Invalid
from hub.db.uow import reading, unit_of_work
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.paging import page_args
from hub.http.ranges import disposition
from hub.http.routing import BYTES, PREFIX, Address, RepositoryBlueprint
from hub.repos.branches import create_tag
from hub.repos.models import Repository
from hub.repos.service import access_of

blp = RepositoryBlueprint("prompts", __name__, url_prefix=PREFIX, description="Single prompts of prompt repositories")

_SEGMENT = "prompts"
_FORM_BYTES = 1024 * 1024
_MIMETYPES = {"jsonl": "application/x-ndjson", "zip": "application/zip", "csv": "text/csv"}


def _output(repository: Repository, *files: PromptFile) -> list[dict[str, Any]]:
    """Prompts of one repository as their viewer sees them. Four queries, however many."""
    actor = current_actor()
    with reading(current_context()) as work:
        access = access_of(work, actor=actor, repositories=[repository])[repository.id]
        records = prompt_lists.find_records(work, repository_id=repository.id, paths=[file.path for file in files])
        liked = prompt_lists.liked_prompts(work, actor=actor, ids=[record.id for record in records.values()])
    views = []
    for file in files:
        record = records.get(file.path)
        undefined, unused = check_usage(file.prompt)
        views.append(
            asdict(file.prompt)
            | {
                "file_path": file.path,
                "can_write": access.can_write,
                "can_manage": access.can_manage,
                "sha": file.blob_id,
                "commit_id": file.commit_id,
                "variable_names": names_of(file.prompt),
                "undefined": undefined,
                "unused": unused,
                "like_count": record.like_count if record else 0,
                "user_likes": record is not None and record.id in liked,
            }
        )
    return views


def _saved(saved: Saved) -> dict[str, Any]:
    view = asdict(saved.prompt) if saved.prompt else {}
    return ok(view | {"file_path": saved.path, "commit_id": saved.result.commit_id, "branch": saved.result.branch})


def _members(body: dict[str, Any], *, of: tuple[str, ...] = MEMBERS) -> dict[str, Any]:
    return {name: body[name] for name in of if body.get(name) is not None}


@blp.at("/prompt/view/<path:path>", segment=_SEGMENT)
@blp.arguments(schemas.PromptRevisionQuery, location="query")
@blp.response(200, enveloped(schemas.PromptOutputSchema))
def show_prompt(query: dict[str, Any], address: Address, path: str) -> Response:
    """One prompt, of any revision, with the places in its texts."""
    repository = address.get()
    file = prompt_edits.read_prompt(
        current_context(), repository, actor=current_actor(), path=path, revision=query["ref"]
    )
    return send_json(ok(_output(repository, file)[0]))


@blp.at("/prompt/record", segment=_SEGMENT, method="POST")
@blp.arguments(schemas.NewPromptBody)
@blp.response(200, enveloped(schemas.SavedPromptSchema))
def create_prompt(body: dict[str, Any], address: Address) -> dict[str, Any]:
    """Add a prompt in a commit of its own; 409 when there is a file of that name."""
    saved = prompt_edits.create_prompt(
        current_context(),
        actor=current_actor(),
        repository_id=address.get().id,
        members={member: value for member, value in _members(body).items() if value != ""},
        path=body["path"],
        message=body["message"],
        branch=body["branch"],
        new_branch=body["new_branch"],
    )
    return _saved(saved)


@blp.at("/prompt/record/<path:path>", segment=_SEGMENT, method="PUT")
@blp.arguments(schemas.UpdatePromptBody)
@blp.response(200, enveloped(schemas.SavedPromptSchema))
def update_prompt(body: dict[str, Any], address: Address, path: str) -> dict[str, Any]:
    """Change a prompt in a commit of its own; with ``sha``, 409 when somebody else has changed it meanwhile."""
    saved = prompt_edits.update_prompt(
        current_context(),
        actor=current_actor(),
        repository_id=address.get().id,
        path=path,
        members=_members(body),
        expected_oid=body["sha"],
        new_path=body["path"],
        message=body["message"],
        branch=body["branch"],
        new_branch=body["new_branch"],
    )
    return _saved(saved)


@blp.at("/prompt/record/<path:path>", segment=_SEGMENT, method="DELETE")
@blp.arguments(schemas.DeletePromptBody, required=False)
@blp.response(200, enveloped(schemas.SavedPromptSchema))
def delete_prompt(body: dict[str, Any], address: Address, path: str) -> dict[str, Any]:
    """Remove a prompt in a commit of its own."""
    saved = prompt_edits.delete_prompt(
        current_context(),
        actor=current_actor(),
        repository_id=address.get().id,
        path=path,
        expected_oid=body["sha"],
        message=body["message"],
        branch=body["branch"],
    )
    return _saved(saved)


# Versions.


@blp.at("/prompt/versions/<path:path>", segment=_SEGMENT)
@blp.arguments(schemas.PromptVersionsQuery, location="query")
@blp.response(200, enveloped(schemas.PromptVersionSchema, many=True))
def list_prompt_versions(query: dict[str, Any], address: Address, path: str) -> Response:
    """The commits that touched a prompt, newest first, with the tags that name them."""
    page = page_args()
    found = prompt_versions.list_versions(
        current_context(), address.get(), path=path, revision=query["ref"], offset=page.offset, limit=page.per
    )
    return send_json(
        ok([commit_view(version.commit) | {"tags": version.tags} for version in found.items], total=found.total)
    )


@blp.at("/prompt/versions/<path:path>", segment=_SEGMENT, method="POST")
@blp.arguments(schemas.NamePromptVersionBody)
@blp.response(200, enveloped(schemas.NamedPromptVersionSchema))
def name_prompt_version(body: dict[str, Any], address: Address, path: str) -> dict[str, Any]:
    """Name a version of a prompt: a tag of the repository at that commit, where the prompt must be there."""
    context, actor, repository = current_context(), current_actor(), address.get()
    with reading(context) as work:
        require(work, actor, Action.REPOSITORY_WRITE, repository)
    file = prompt_edits.read_prompt(context, repository, actor=actor, path=path, revision=body["ref"])
    commit_id = create_tag(
        context,
        actor=actor,
        repository_id=repository.id,
        name=body["name"],
        revision=file.commit_id,
        message=body["message"],
    )
    return ok({"name": body["name"], "commit_id": commit_id})


@blp.at("/prompt/compare/<path:path>", segment=_SEGMENT)
@blp.arguments(schemas.ComparePromptQuery, location="query")
@blp.response(200, enveloped(schemas.PromptComparisonSchema))
def compare_prompt(query: dict[str, Any], address: Address, path: str) -> Response:
    """Two versions of a prompt: their texts line by line, and the other members that differ."""
    repository = address.get()
    found = prompt_versions.compare_versions(
        current_context(),
        repository,
        actor=current_actor(),
        path=path,
        before=query["a"],
        after=query["b"],
        old_path=query["old_path"],
    )
    before, after = _output(repository, found.before, found.after)
    changes = [asdict(change) for change in found.changes]
    return send_json(ok({"a": before, "b": after, "diff": found.diff, "changes": changes}))


@blp.at("/prompt/preview", segment=_SEGMENT, method="POST")
@blp.arguments(schemas.PreviewPromptBody)
@blp.response(200, enveloped(schemas.PromptPreviewSchema))
def show_preview(body: dict[str, Any], address: Address) -> Response:
    """A prompt with values in its places, and what is wrong with them. Nothing is saved, no model is asked."""
    repository = address.get()
    if body["path"]:
        prompt = prompt_edits.read_prompt(
            current_context(), repository, actor=current_actor(), path=body["path"], revision=body["ref"]
        ).prompt
    else:
        given = {member: value for member, value in _members(body).items() if value != ""}
        prompt, _data = prompt_edits.composed({"title": "preview"} | given)
    return send_json(ok(asdict(preview_prompt(prompt, body["values"]))))


# Likes.


@blp.at("/prompt/like/<path:path>", segment=_SEGMENT, method="PUT")
@blp.response(200, enveloped(schemas.PromptLikesSchema))
def like_prompt(address: Address, path: str) -> dict[str, Any]:
    """Like a prompt of the default branch. Harmless when one does already."""
    with unit_of_work(current_context()) as work:
        actor = current_actor()
        repository = address.load(work)
        return ok({"like_count": prompt_lists.like_prompt(work, actor=actor, repository=repository, path=path)})


@blp.at("/prompt/like/<path:path>", segment=_SEGMENT, method="DELETE")
@blp.response(200, enveloped(schemas.PromptLikesSchema))
def unlike_prompt(address: Address, path: str) -> dict[str, Any]:
    """Like a prompt no more. Harmless when one did not."""
    with unit_of_work(current_context()) as work:
        actor = current_actor()
        repository = address.load(work)
        return ok({"like_count": prompt_lists.unlike_prompt(work, actor=actor, repository=repository, path=path)})


# Many at once.


@blp.at("/prompt/import", segment=_SEGMENT, method="POST")
@blp.doc(
    requestBody={
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "format": {"type": "string", "enum": [*prompt_transfer.FORMATS]},
                        "replace": {"type": "string", "description": "true: what is there already is written anew"},
                        "message": {"type": "string"},
                        "branch": {"type": "string"},
                        "new_branch": {"type": "string"},
                    },
                    "required": ["file"],
                }
            }
        },
    }
)
@blp.response(200, enveloped(schemas.ImportedPromptsSchema))
def import_prompts(address: Address) -> dict[str, Any]:
    """Write the prompts of a file in one commit: JSON lines, a ZIP of prompt files, or CSV; at most 1,000.

    What cannot be read is told, line by line, and does not keep the others from being written.
    """
    repository = address.get()
    with reading(current_context()) as work:
        require(work, current_actor(), Action.REPOSITORY_WRITE, repository)
    request.max_content_length = prompt_transfer.MAX_IMPORT_BYTES + _FORM_BYTES
    if request.mimetype != "multipart/form-data":
        raise UnsupportedMediaType("Send the file as multipart/form-data.")
    file = request.files.get("file")
    if file is None:
        raise Invalid("The form needs a 'file'.", code="REQ-ERR-4")
    ending = (file.filename or "").rpartition(".")[2].lower()
    format = request.form.get("format") or (ending if ending in prompt_transfer.FORMATS else "jsonl")
    done = prompt_transfer.import_prompts(
        current_context(),
        actor=current_actor(),
        repository_id=repository.id,
        stream=file.stream,
        format=cast(prompt_transfer.Format, format),
        replace=request.form.get("replace", "").lower() in ("true", "1"),
        message=request.form.get("message", ""),
        branch=request.form.get("branch", ""),
        new_branch=request.form.get("new_branch", ""),
    )
    return ok(
        {
            "commit_id": done.result.commit_id if done.result else "",
            "branch": done.result.branch if done.result else "",
            "created": done.created,
            "replaced": done.replaced,
            "skipped": done.skipped,
            "errors": [asdict(error) for error in done.errors],
            "error_count": done.error_count,
        }
    )


@blp.at("/prompt/export", segment=_SEGMENT)
@blp.arguments(schemas.ExportPromptsQuery, location="query")
@blp.response(200, content_type="application/x-ndjson", description="the prompts, one a line")
@blp.alt_response(200, schema=BYTES, content_type="application/zip")
@blp.alt_response(200, schema=BYTES, content_type="text/csv")
def export_prompts(query: dict[str, Any], address: Address) -> Response:
    """The prompts of a revision as one file."""
    repository, format = address.get(), query["format"]
    pieces = prompt_transfer.export_prompts(
        current_context(), repository, actor=current_actor(), format=format, revision=query["ref"]
    )
    headers = {"Content-Disposition": disposition(f"{repository.name}.{format}")}
    return Response(pieces, mimetype=_MIMETYPES[format], headers=headers)


# All of the hub.


def _record_view(listed: ListedPrompt) -> dict[str, Any]:
    record = listed.record
    return {
        "id": record.id,
        "repository_id": record.repository_id,
        "repo_path": listed.repository_path,
        "file_path": record.path,
        "title": record.title,
        "excerpt": record.excerpt,
        "language": record.language,
        "type": record.type,
        "tags": listed.tags,
        "categories": listed.categories,
        "source": record.source,
        "author": record.author,
        "model": record.model,
        "variable_count": record.variable_count,
        "like_count": record.like_count,
        "user_likes": listed.is_liked,
        "created_at": record.created_at,
        "updated_at": record.updated_at,
    }


@blp.get("/prompts/records")
@blp.arguments(schemas.PromptRecordsQuery, location="query")
@blp.response(200, enveloped(schemas.PromptRecordSchema, many=True))
def list_prompt_records(query: dict[str, Any]) -> Response:
    """The prompts of all repositories, as far as the caller gets their content."""
    with reading(current_context()) as work:
        page = prompt_lists.list_prompts(
            work,
            actor=current_actor(),
            search=query["search"],
            language=query["language"],
            tag=query["tag"],
            category=query["category"],
            type=query["type"],
            repository_path=query["repository"],
            sort=query["sort"],
            page=page_args(),
        )
        views = [_record_view(listed) for listed in page.items]
    return send_json(ok(views, total=page.total, is_estimate=page.is_estimate))
