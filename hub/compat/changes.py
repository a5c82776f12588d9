"""Changes to files as huggingface_hub sends them: how to send, then one commit. CSGHub contract, 3.6 and 3.7."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any

from flask import request
from werkzeug.exceptions import RequestEntityTooLarge

from hub.accounts.policy import Action, require
from hub.base.context import Context
from hub.base.errors import Invalid, NotFound
from hub.base.names import normalise_path
from hub.base.offload import offload
from hub.community.service import pulls
from hub.community.service.texts import MAX_CONTENT_CHARS, MAX_TITLE_CHARS, shorten
from hub.compat import schemas
from hub.compat.addresses import CompatBlueprint, Place, dialect, page_url, revision_only
from hub.compat.discussions import discussion_url
from hub.db.uow import reading
from hub.git.pointer import format_pointer
from hub.git.repository import is_empty
from hub.git.types import EntryKind, TreeEntry
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.ndjson import Copied, Linked, Removed, Step, Written, line_limit, read_commit
from hub.repos import contents, entries, quotas, uploads
from hub.repos.files import MAX_EDITS, FileEdit, build_proposal, commit_files
from hub.repos.gates import check_content
from hub.repos.ignore import IgnoreRules
from hub.repos.lfs.holdings import sizes_of_held
from hub.repos.lookup import repository_path
from hub.repos.models import Repository
from hub.repos.proposals import number_of

blp = CompatBlueprint("changes", __name__, description="Changes to files as huggingface_hub sends them")


@blp.at("/preupload/<path:revision>", method="POST")
@blp.arguments(schemas.HubCommitQuery, location="query")
@blp.arguments(schemas.HubPreuploadBody)
@blp.response(200, schemas.HubPreuploadSchema)
def preupload(query: dict[str, Any], body: dict[str, Any], place: Place, revision: str) -> dict[str, Any]:
    """How each of these files is to be sent (inline or by LFS), and what is at its path now.

    For a pull request (create_pr, or one's ref as the revision) the right to open one is enough.
    """
    context, repository = current_context(), place.get()
    revision = revision_only(repository)
    plans = uploads.plan_uploads(
        context,
        actor=current_actor(),
        repository_id=repository.id,
        revision=revision,
        files=[(file["path"], file["size"]) for file in body["files"]],
        # CSGHub looks at names and sizes only.
        binary=_binary(body["files"]) if dialect() == "hf" else (),
        for_proposal=query["create_pr"] or number_of(revision) is not None,
    )
    if not offload(is_empty, repository_path(context.settings, repository)):
        contents.resolve(context, repository, revision)
    given = body["gitIgnore"]
    ignored = IgnoreRules.parse(given.encode(errors="replace")).ignores if given is not None else None
    return {
        "files": [
            {
                "path": plan.path,
                "uploadMode": "lfs" if plan.is_lfs else "regular",
                "shouldIgnore": ignored(plan.path) if ignored else plan.is_ignored,
                "oid": plan.present_oid or None,
                "isDir": plan.is_directory,
            }
            for plan in plans
        ]
    }


def _binary(files: Sequence[dict[str, Any]]) -> set[str]:
    """The paths of the files whose sample is no text. Source: Hugging Face contract, section 7.2. Raises Invalid."""
    found = set()
    for file in files:
        try:
            sample = base64.b64decode(file["sample"] or "", validate=True)
        except (binascii.Error, ValueError):
            raise Invalid(f"{file['path'][:200]!r}: 'sample' is no base64.", code="REQ-ERR-1") from None
        if uploads.looks_binary(sample, size_bytes=file["size"]):
            found.add(file["path"])
    return found


@blp.at("/commit/<path:revision>", method="POST")
@blp.doc(
    requestBody={
        "required": True,
        "content": {
            "application/x-ndjson": {
                "schema": {
                    "type": "string",
                    "description": 'One object a line, {"key", "value"}. First "header" {summary, description, '
                    'parentCommit?}, then "file" {path, content, encoding}, "lfsFile" {path, algo, oid, size?}, '
                    '"deletedFile" {path}, "deletedFolder" {path}, "copyFile" {path, srcPath, srcRevision?}.',
                }
            }
        },
    }
)
@blp.arguments(schemas.HubCommitQuery, location="query")
@blp.response(200, schemas.HubCommittedSchema)
def commit(query: dict[str, Any], place: Place, revision: str) -> dict[str, Any]:
    """One commit of many changes. Content of LFS files must have been uploaded to this repository before.

    The body is taken in line by line, so a commit may be as large as a push. create_pr: it goes into a new pull
    request for that branch. With refs/pr/<number> as the revision it goes into that one, while it is open.
    """
    context, actor, repository = current_context(), current_actor(), place.get()
    branch = revision_only(repository)
    number = number_of(branch)
    with reading(context) as work:
        if number is not None:
            pull = pulls.find_pull(work, repository.id, number)
            if pull is None:
                # To the client its ref is a branch like others.
                raise NotFound("There is no such pull request.", code="revision_not_found")
            pulls.require_committer(work, actor, repository, pull)
        else:
            action = Action.REPOSITORY_PROPOSE if query["create_pr"] else Action.REPOSITORY_WRITE
            require(work, actor, action, repository)
        quotas.check_quota(work, repository, request.content_length or 0)
    if query["create_pr"] and number is not None:
        raise Invalid("A pull request is for a branch; commit to this one without 'create_pr'.", code="REQ-ERR-6")
    limit = context.settings.max_push_size_bytes
    if (request.content_length or 0) > limit:
        raise RequestEntityTooLarge
    request.max_content_length = limit
    with uploads.folder(context) as folder:
        asked = read_commit(
            request.stream,
            folder,
            max_line_bytes=line_limit(context.settings.max_blob_size_bytes),
            max_steps=MAX_EDITS,
            is_strict=dialect() == "hf",
        )
        edits = _edits(context, repository, branch, _last_written(asked.steps))
        target: dict[str, Any] = {
            "actor": actor,
            "repository_id": repository.id,
            "message": asked.message,
            "edits": edits,
            "parent": _parent(context, repository, asked.parent),
        }
        try:
            if query["create_pr"]:
                commit_id = build_proposal(context, **target, branch=branch)
            elif number is not None:
                commit_id = commit_files(context, **target, proposal=number).commit_id
            else:
                commit_id = commit_files(context, **target, branch=branch).commit_id
        except NotFound as error:
            if error.code != "entry_not_found":
                raise
            # The client knows the case by these words.
            raise NotFound(f"A file with this name doesn't exist: {error}", code=error.code) from None
    url = page_url(repository.path, place.kind)
    answer = {"success": True, "commitOid": commit_id, "commitUrl": f"{url}/commit/{commit_id}", "hookOutput": ""}
    if query["create_pr"]:
        title, _, description = asked.message.partition("\n")
        opened = pulls.open_pull(
            context,
            actor=actor,
            repository_id=repository.id,
            title=shorten(title.strip(), MAX_TITLE_CHARS),
            description=description.strip()[:MAX_CONTENT_CHARS],
            base=branch,
            commit_id=commit_id,
        )
        answer["pullRequestUrl"] = discussion_url(repository, place, opened.discussion.number)
    return answer


def _parent(context: Context, repository: Repository, given: str | None) -> str | None:
    """The whole id of the commit that the client thinks the branch is at; what names none is left as it is."""
    if given is None:
        return None
    try:
        return contents.resolve(context, repository, given)
    except NotFound:
        return given


def _last_written(steps: Sequence[Step]) -> list[Step]:
    """The steps without files that the very next ones write anew: of those the last counts."""
    kept: list[Step] = []
    # The paths written since the last step of another sort, which may have taken what was written before it.
    places: dict[str, int] = {}
    for step in steps:
        if not isinstance(step, Written | Linked):
            places.clear()
        elif step.path in places:
            kept[places[step.path]] = step
            continue
        else:
            places[step.path] = len(kept)
        kept.append(step)
    return kept


def _edits(context: Context, repository: Repository, branch: str, steps: Sequence[Step]) -> list[FileEdit]:
    sizes = _sizes_of_linked(context, repository, steps)
    copied = _find_copied(
        context, repository, [step for step in steps if isinstance(step, Copied) and step.revision not in ("", branch)]
    )
    edits = []
    for step in steps:
        if isinstance(step, Written):
            edits.append(FileEdit(step.path, content=step.content))
        elif isinstance(step, Linked):
            edits.append(FileEdit(step.path, content=format_pointer(step.oid, sizes[step.oid])))
        elif isinstance(step, Removed):
            edits.append(FileEdit(step.path, "delete_dir" if step.is_directory else "delete"))
        elif step.revision in ("", branch):
            edits.append(FileEdit(step.path, "copy", source=step.source))
        else:
            entry = copied[step.revision, normalise_path(step.source)]
            if entry.lfs is not None:
                edits.append(FileEdit(step.path, content=format_pointer(entry.lfs.oid, entry.lfs.size_bytes)))
            else:
                edits.append(FileEdit(step.path, blob_oid=entry.oid))
    return edits


def _sizes_of_linked(context: Context, repository: Repository, steps: Sequence[Step]) -> dict[str, int]:
    """The size of each LFS object that the commit names. Raises Invalid (``lfs_object_missing``)."""
    linked = [step for step in steps if isinstance(step, Linked)]
    with reading(context) as work:
        sizes = sizes_of_held(work, repository.id, [step.oid for step in linked], actor=current_actor())
    for step in linked:
        if step.oid not in sizes or step.size_bytes not in (None, sizes[step.oid]):
            raise Invalid(
                f"{step.path!r}: the LFS object {step.oid[:64]} was not uploaded to this repository; upload it first.",
                code="lfs_object_missing",
            )
    return sizes


def _find_copied(context: Context, repository: Repository, steps: Sequence[Copied]) -> dict[tuple[str, str], TreeEntry]:
    """The files at other revisions that are copied, by revision and path; no byte of them is read.

    Raises NotFound (``revision_not_found``, ``entry_not_found``), NotSignedIn or Denied (``gated_repository``).
    """
    if steps:
        check_content(context, current_actor(), repository)
    paths: dict[str, list[str]] = {}
    for step in steps:
        paths.setdefault(step.revision, []).append(step.source)
    found: dict[tuple[str, str], TreeEntry] = {}
    for revision, wanted in paths.items():
        _, held = entries.read_entries(context, repository, revision=revision, paths=wanted)
        found.update(((revision, entry.path), entry) for entry in held)
    for step in steps:
        entry = found.get((step.revision, normalise_path(step.source)))
        if entry is None or entry.kind not in (EntryKind.FILE, EntryKind.LINK):
            raise NotFound(f"There is no file {step.source[:200]!r} in that revision.", code="entry_not_found")
    return found
