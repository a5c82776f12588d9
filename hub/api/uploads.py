"""REST by which browsers bring files and changes, with a session: checks, large contents in parts, one commit.

Large contents go by signed addresses, straight to the object store where it lets pages of this hub do so. Ours: the
contract of the platform has none of this.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from flask import request
from werkzeug.exceptions import RequestEntityTooLarge

from hub.accounts.policy import Action, require
from hub.api import upload_schemas as schemas
from hub.api.envelope import enveloped, ok
from hub.base.context import Context
from hub.base.errors import Invalid
from hub.community.service.landing import Landed, land_changes
from hub.db.uow import reading
from hub.git.pointer import format_pointer
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.ndjson import Linked, Removed, Step, Written, line_limit, read_commit
from hub.http.origin import hub_url
from hub.http.routing import COLLECTION, PREFIX, Address, RepositoryBlueprint
from hub.objects.store import STORE
from hub.repos import quotas, uploads
from hub.repos.files import MAX_EDITS, FileEdit
from hub.repos.incoming import check_files
from hub.repos.kinds import RepositoryKind
from hub.repos.lfs.browser import ObjectSteps, find_steps, finish_object
from hub.repos.lfs.links import SignedLinks
from hub.repos.service.naming import find_name_fault

blp = RepositoryBlueprint("uploads", __name__, url_prefix=PREFIX, description="Files and changes out of a browser")


@blp.get(f"{COLLECTION}/check_name")
@blp.arguments(schemas.NameQuery, location="query")
@blp.response(200, enveloped(schemas.NameSchema))
def check_name(query: dict[str, Any], kind: RepositoryKind) -> dict[str, Any]:
    """Whether the caller could give a new repository this name, and why not."""
    actor = current_actor()
    with reading(current_context()) as work:
        fault = find_name_fault(
            work, actor=actor, kind=kind.name, namespace=query["namespace"] or actor.name, name=query["name"]
        )
    return ok({"is_free": not fault, "reason": fault})


@blp.at("/uploads/check", method="POST")
@blp.arguments(schemas.UploadCheckBody)
@blp.response(200, enveloped(schemas.CheckedSchema))
def check_upload(body: dict[str, Any], address: Address) -> dict[str, Any]:
    """How each of these files would be stored, what is at its path now, and what stands against it."""
    checked = check_files(
        current_context(),
        actor=current_actor(),
        repository_id=address.get().id,
        branch=body["branch"],
        files=[(file["path"], file["size"]) for file in body["files"]],
        total_bytes=body["total_size"],
        for_proposal=body["for_proposal"],
    )
    files = [
        {
            "path": file.path,
            "mode": "lfs" if file.plan and file.plan.is_lfs else "regular",
            "oid": file.plan.present_oid if file.plan else "",
            "is_directory": bool(file.plan and file.plan.is_directory),
            "is_ignored": bool(file.plan and file.plan.is_ignored),
            "fault": file.fault,
        }
        for file in checked.files
    ]
    return ok({"commit_id": checked.commit_id, "fault": checked.fault, "files": files})


@blp.at("/uploads/objects", method="POST")
@blp.arguments(schemas.ObjectsBody)
@blp.response(200, enveloped(schemas.ObjectStepsSchema, many=True))
def announce_objects(body: dict[str, Any], address: Address) -> dict[str, Any]:
    """What is left to do for each of these contents: nothing, one PUT, or the parts that are not there yet.

    The addresses are signed and need no credential. What was sent straight to the store, or in parts, counts when
    ``uploads/objects/finish`` has checked it.
    """
    context, actor, repository = current_context(), current_actor(), address.get()
    steps = find_steps(
        context,
        actor=actor,
        repository_id=repository.id,
        sizes={item["oid"]: item["size"] for item in body["objects"]},
        links=SignedLinks(context, actor, repository),
        is_direct=_is_direct(context),
        for_proposal=body["for_proposal"],
    )
    return ok([_steps_view(step, context) for step in steps])


def _is_direct(context: Context) -> bool:
    """Whether the browser may send straight to the store: from pages at the hub's own address.

    Whoever reaches the hub by another name sends through it: a name in a request must not be written into a bucket.
    """
    store, own = context[STORE], urlsplit(context.settings.effective_base_url)
    origin = f"{own.scheme}://{own.netloc}"
    return store.is_direct and hub_url() == origin and store.allows_pages_of(origin)


def _steps_view(step: ObjectSteps, context: Context) -> dict[str, Any]:
    own = context.settings.effective_base_url
    return {
        "oid": step.oid,
        "size": step.size_bytes,
        "is_held": step.is_held,
        "address": _seen_from_page(step.address, own),
        "part_size": step.part_bytes,
        "received": step.received,
        "parts": {str(number): _seen_from_page(href, own) for number, href in step.parts.items()},
    }


def _seen_from_page(address: str, own: str) -> str:
    """The hub's own addresses without its host: the page may have been reached by another name of it."""
    return address.removeprefix(own.rstrip("/")) if urlsplit(address).netloc == urlsplit(own).netloc else address


@blp.at("/uploads/objects/finish", method="POST")
@blp.arguments(schemas.FinishedObjectBody)
@blp.response(200, enveloped())
def finish_upload(body: dict[str, Any], address: Address) -> dict[str, Any]:
    """Check what has arrived, size and SHA-256, and let the repository hold it. May be repeated."""
    finish_object(
        current_context(),
        actor=current_actor(),
        repository_id=address.get().id,
        oid=body["oid"],
        size_bytes=body["size"],
        for_proposal=body["for_proposal"],
    )
    return ok()


@blp.at("/uploads/commit/<path:branch>", method="POST")
@blp.doc(
    requestBody={
        "required": True,
        "content": {
            "application/x-ndjson": {
                "schema": {
                    "type": "string",
                    "description": 'One object a line, {"key", "value"}. First "header" {summary, description, '
                    'parentCommit?}, then "file" {path, content, encoding}, "lfsFile" {path, algo, oid, size}, '
                    '"deletedFile" {path}.',
                }
            }
        },
    }
)
@blp.arguments(schemas.UploadCommitQuery, location="query")
@blp.response(200, enveloped(schemas.LandedSchema))
def commit_upload(query: dict[str, Any], address: Address, branch: str) -> dict[str, Any]:
    """One commit of many files. Contents of LFS files must have been sent before.

    What looks like a secret is refused (``secrets_found``, with the places) unless ``allow_secrets`` is said, which
    those who administer the repository may.
    """
    context, actor, repository = current_context(), current_actor(), address.get()
    is_proposal = query["create_pr"] and not query["new_branch"]
    with reading(context) as work:
        require(work, actor, Action.REPOSITORY_PROPOSE if is_proposal else Action.REPOSITORY_WRITE, repository)
        if query["allow_secrets"]:
            # Before hundreds of megabytes are taken in.
            require(work, actor, Action.REPOSITORY_ADMIN, repository)
        quotas.check_quota(work, repository, request.content_length or 0)
    limit = context.settings.max_push_size_bytes
    if (request.content_length or 0) > limit:
        raise RequestEntityTooLarge
    request.max_content_length = limit
    with uploads.folder(context) as folder:
        max_line_bytes = line_limit(context.settings.max_blob_size_bytes)
        asked = read_commit(request.stream, folder, max_line_bytes=max_line_bytes, max_steps=MAX_EDITS)
        landed = land_changes(
            context,
            actor=actor,
            repository_id=repository.id,
            message=asked.message,
            edits=[_edit_of(step) for step in asked.steps],
            branch=branch,
            new_branch=query["new_branch"],
            with_pull=query["create_pr"],
            parent=asked.parent,
            allows_secrets=query["allow_secrets"],
        )
    return ok(_landed_view(landed, address))


def _edit_of(step: Step) -> FileEdit:
    if isinstance(step, Written):
        return FileEdit(step.path, content=step.content)
    if isinstance(step, Linked) and step.size_bytes is not None:
        return FileEdit(step.path, content=format_pointer(step.oid, step.size_bytes))
    if isinstance(step, Removed):
        return FileEdit(step.path, "delete_dir" if step.is_directory else "delete")
    raise Invalid("An upload has files, LFS files with their sizes, and files that go.", code="REQ-ERR-6")


@blp.at("/changes", method="POST")
@blp.arguments(schemas.ChangesBody)
@blp.response(200, enveloped(schemas.LandedSchema))
def make_changes(body: dict[str, Any], address: Address) -> dict[str, Any]:
    """One commit of changes to texts, moves and removals, as editors make them: on a branch, or as a pull request.

    A file that is not what ``sha`` says is 409 (``file_changed``), and nothing is written. Secrets as in an upload.
    """
    edits = [
        FileEdit(
            file["path"],
            file["action"],
            content=file["content"].encode(errors="surrogatepass") if file["action"] == "put" else b"",
            source=file["source"],
            expected_oid=file["sha"],
        )
        for file in body["files"]
    ]
    repository = address.get()
    landed = land_changes(
        current_context(),
        actor=current_actor(),
        repository_id=repository.id,
        message=body["message"],
        edits=edits,
        branch=body["branch"] or repository.default_branch,
        new_branch=body["new_branch"],
        with_pull=body["create_pr"],
        parent=body["parent"],
        allows_secrets=body["allow_secrets"],
    )
    return ok(_landed_view(landed, address))


def _landed_view(landed: Landed, address: Address) -> dict[str, Any]:
    root = f"/{address.kind.page_path}/{address.path}"
    return {
        "commit_id": landed.commit_id,
        "branch": landed.branch,
        "is_new": landed.is_new,
        "pull_number": landed.pull_number,
        "url": f"{root}/community/{landed.pull_number}" if landed.pull_number else f"{root}/commit/{landed.commit_id}",
    }
