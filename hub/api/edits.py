"""REST of changes to files: one file, many in one commit, uploads. Contract: CSGHub, sections 2.5, 3.6, 4.2, 5.5."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from flask import request
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType
from werkzeug.formparser import FormDataParser

from hub.accounts.policy import Action, require
from hub.api import schemas
from hub.api.envelope import enveloped, ok
from hub.base.context import Context
from hub.base.errors import Invalid
from hub.db.uow import reading
from hub.http.actor import current_actor
from hub.http.context import current_context
from hub.http.routing import PREFIX, Address, RepositoryBlueprint
from hub.repos import quotas, uploads
from hub.repos.files import CommitResult, FileEdit, commit_files

blp = RepositoryBlueprint("edits", __name__, url_prefix=PREFIX, description="Changes to files")

MAX_UPLOADED_FILES = 1000
_MAX_FIELD_BYTES = 1024 * 1024


def _answer(result: CommitResult) -> dict[str, Any]:
    return ok({"commit_id": result.commit_id, "branch": result.branch})


def decode_content(text: str) -> bytes:
    """Base64 with line breaks or without its padding, as clients send it. Raises Invalid (``REQ-ERR-1``).

    Source: CSGHub contract, section 5.5.
    """
    plain = "".join(text.split()).rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise Invalid("'content' is no base64.", code="REQ-ERR-1") from None


@blp.at("/raw/<path:path>", method="POST")
@blp.arguments(schemas.NewFileBody)
@blp.response(200, enveloped(schemas.CommittedSchema))
def create_file(body: dict[str, Any], address: Address, path: str) -> dict[str, Any]:
    """Write one file in a commit of its own; one that is there already is replaced.

    A large file, or one that ``.gitattributes`` gives to LFS, is stored as an LFS object.
    """
    edit = FileEdit(path, content=decode_content(body["content"]))
    return _commit(address, body, [edit], default_message=f"Create {path}")


@blp.at("/raw/<path:path>", method="PUT")
@blp.arguments(schemas.UpdateFileBody)
@blp.response(200, enveloped(schemas.CommittedSchema))
def update_file(body: dict[str, Any], address: Address, path: str) -> dict[str, Any]:
    """Replace one file, moving it from ``origin_path`` when that is given and another."""
    origin, expected = body["origin_path"], body["sha"] or None
    content = decode_content(body["content"])
    if origin and origin.strip("/") != path.strip("/"):
        edits = [FileEdit(origin, "delete", expected_oid=expected), FileEdit(path, content=content)]
    else:
        edits = [FileEdit(path, content=content, expected_oid=expected)]
    return _commit(address, body, edits, default_message=f"Update {path}")


@blp.at("/raw/<path:path>", method="DELETE")
@blp.arguments(schemas.DeleteFileBody)
@blp.response(200, enveloped(schemas.CommittedSchema))
def delete_file(body: dict[str, Any], address: Address, path: str) -> dict[str, Any]:
    """Remove one file in a commit of its own."""
    edit = FileEdit(path, "delete", expected_oid=body["sha"] or None)
    return _commit(address, body, [edit], default_message=f"Delete {path}")


def _commit(address: Address, body: dict[str, Any], edits: list[FileEdit], *, default_message: str) -> dict[str, Any]:
    result = commit_files(
        current_context(),
        actor=current_actor(),
        repository_id=address.get().id,
        message=body["message"] or default_message,
        edits=edits,
        branch=body["branch"],
        new_branch=body["new_branch"],
        parent=body["parent"],
    )
    return _answer(result)


@blp.at("/commit/<path:branch>", method="POST")
@blp.arguments(schemas.CommitBody)
@blp.response(200, enveloped(schemas.CommittedSchema))
def commit(body: dict[str, Any], address: Address, branch: str) -> dict[str, Any]:
    """One commit of many changes. ``create`` and ``update`` are the same: the file is there afterwards.

    Content that is an LFS pointer must name an object that was uploaded to this repository.
    """
    edits = [
        FileEdit(
            file["path"],
            "put" if file["action"] in ("create", "update") else file["action"],
            content=decode_content(file["content"]),
            source=file["source"],
        )
        for file in body["files"]
    ]
    result = commit_files(
        current_context(),
        actor=current_actor(),
        repository_id=address.get().id,
        message=body["message"],
        edits=edits,
        branch=branch,
        new_branch=body["new_branch"],
        parent=body["parent"],
    )
    return _answer(result)


@blp.at("/upload_file", method="POST")
@blp.doc(
    requestBody={
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "file": {"type": "array", "items": {"type": "string", "format": "binary"}},
                        "file_path": {"type": "array", "items": {"type": "string"}},
                        "branch": {"type": "string"},
                        "message": {"type": "string"},
                    },
                    "required": ["file", "file_path"],
                }
            }
        },
    }
)
@blp.response(200, enveloped(schemas.CommittedSchema))
def upload_file(address: Address) -> dict[str, Any]:
    """Write the files of a form in one commit; ``file`` and ``file_path`` belong together by their order.

    The bytes go straight to disk, so a file may be as large as an LFS object.
    """
    context, actor, repository = current_context(), current_actor(), address.get()
    with reading(context) as work:
        require(work, actor, Action.REPOSITORY_WRITE, repository)
        quotas.check_quota(work, repository, request.content_length or 0)
    with _received_form(context) as form:
        edits = [FileEdit(path, content=file) for file, path in form.pairs()]
        result = commit_files(
            context,
            actor=actor,
            repository_id=repository.id,
            message=form.fields.get("message") or f"Upload {edits[0].path}",
            edits=edits,
            branch=form.fields.get("branch") or "",
        )
    return _answer(result)


@dataclass(frozen=True)
class _Form:
    """A form whose files lie on disk while the request lasts."""

    fields: MultiDict[str, str]
    files: list[tuple[Path, str]]

    def pairs(self) -> Iterator[tuple[Path, str]]:
        """Each file and the path that it shall have. Raises Invalid (``REQ-ERR-4``)."""
        paths = self.fields.getlist("file_path")
        if not self.files or len(paths) > len(self.files):
            raise Invalid("The form needs a 'file' for each 'file_path'.", code="REQ-ERR-4")
        for at, (file, filename) in enumerate(self.files):
            path = paths[at] if at < len(paths) and paths[at] else filename
            if not path:
                raise Invalid("The form needs a 'file_path' for each 'file'.", code="REQ-ERR-4")
            yield file, path


@contextmanager
def _received_form(context: Context) -> Iterator[_Form]:
    """The request's form, its files streamed into a folder that is removed afterwards."""
    if request.mimetype != "multipart/form-data":
        raise UnsupportedMediaType("Send the files as multipart/form-data.")
    limit = context.settings.max_lfs_object_size_bytes
    if (request.content_length or 0) > limit + _MAX_FIELD_BYTES:
        raise RequestEntityTooLarge
    request.max_content_length = limit + _MAX_FIELD_BYTES
    with uploads.folder(context) as folder:
        opened: dict[int, Path] = {}

        def open_file(*_: Any, **__: Any) -> IO[bytes]:
            if len(opened) >= MAX_UPLOADED_FILES:
                raise RequestEntityTooLarge(f"A form has at most {MAX_UPLOADED_FILES} files.")
            stream = (folder / str(len(opened))).open("w+b")
            opened[id(stream)] = folder / str(len(opened))
            return stream

        parser = FormDataParser(
            stream_factory=open_file,
            max_form_memory_size=_MAX_FIELD_BYTES,
            max_content_length=request.max_content_length,
        )
        _, fields, files = parser.parse(
            request.stream, request.mimetype, request.content_length, request.mimetype_params
        )
        yield _Form(fields, [(opened[id(file.stream)], file.filename or "") for file in _closed(files)])


def _closed(files: MultiDict[str, FileStorage]) -> list[FileStorage]:
    received = files.getlist("file")
    for file in received:
        file.stream.close()
    return received


@blp.at("/preupload/<path:revision>", method="POST")
@blp.arguments(schemas.PreuploadBody)
@blp.response(200, enveloped(schemas.PreuploadSchema))
def preupload(body: dict[str, Any], address: Address, revision: str) -> dict[str, Any]:
    """How each of these files is to be sent (inline or by LFS), and what is at its path now."""
    plans = uploads.plan_uploads(
        current_context(),
        actor=current_actor(),
        repository_id=address.get().id,
        revision=revision,
        files=[(file["path"], file["size"]) for file in body["files"]],
    )
    return ok(
        {
            "files": [
                {
                    "path": plan.path,
                    "uploadMode": "lfs" if plan.is_lfs else "regular",
                    "shouldIgnore": plan.is_ignored,
                    "oid": plan.present_oid,
                    "isDir": plan.is_directory,
                }
                for plan in plans
            ]
        }
    )
