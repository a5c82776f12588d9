"""Bodies and answers of the routes by which browsers bring files and changes."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from hub.api.schemas import Body, text

MAX_CHECKED = 2000
MAX_OBJECTS = 500
MAX_CHANGES = 1000
_MAX_BYTES = 2**53


def _for_proposal() -> fields.Boolean:
    return fields.Boolean(
        load_default=False,
        metadata={"description": "for a pull request that is to be opened: the right to read is enough"},
    )


def _size(description: str) -> fields.Integer:
    return fields.Integer(
        strict=True, load_default=0, validate=validate.Range(0, _MAX_BYTES), metadata={"description": description}
    )


class CheckedFileBody(Body):
    path = text("in the repository", required=True)
    size = _size("bytes")


class UploadCheckBody(Body):
    branch = text("empty: the default branch")
    files = fields.List(fields.Nested(CheckedFileBody), required=True, validate=validate.Length(1, MAX_CHECKED))
    total_size = _size("bytes of all that is to come, for the quota")
    for_proposal = _for_proposal()


class CheckedFileSchema(Schema):
    path = fields.String()
    mode = fields.String(metadata={"description": "regular: within the commit; lfs: as an object, sent before it"})
    oid = fields.String(
        metadata={"description": "of what is there now: the Git blob, of LFS content its SHA-256; empty: nothing"}
    )
    is_directory = fields.Boolean(metadata={"description": "there is a folder of that name"})
    is_ignored = fields.Boolean(metadata={"description": "by the branch's .gitignore"})
    fault = fields.String(metadata={"description": "why it cannot be taken; empty: it can"})


class CheckedSchema(Schema):
    commit_id = fields.String(metadata={"description": "what the branch is at; empty: nothing"})
    fault = fields.String(metadata={"description": "what stands against all of them, such as the quota"})
    files = fields.List(fields.Nested(CheckedFileSchema))


class ObjectBody(Body):
    oid = text("the SHA-256 of the content, 64 lower-case hexadecimal digits", required=True)
    size = fields.Integer(
        strict=True, required=True, validate=validate.Range(1, _MAX_BYTES), metadata={"description": "bytes"}
    )


class ObjectsBody(Body):
    objects = fields.List(fields.Nested(ObjectBody), required=True, validate=validate.Length(1, MAX_OBJECTS))
    for_proposal = _for_proposal()


class FinishedObjectBody(ObjectBody):
    for_proposal = _for_proposal()


class ObjectStepsSchema(Schema):
    oid = fields.String()
    size = fields.Integer()
    is_held = fields.Boolean(metadata={"description": "the repository has it: nothing is left to do"})
    address = fields.String(metadata={"description": "where the whole is PUT, in one request; empty: it goes in parts"})
    part_size = fields.Integer(metadata={"description": "bytes of each part, the last one excepted"})
    received = fields.List(fields.Integer(), metadata={"description": "numbers of the parts that are there, from 1"})
    parts = fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        metadata={"description": "number to where that part is PUT; at most 1,000, ask again for the rest"},
    )


def _allow_secrets() -> fields.Boolean:
    return fields.Boolean(load_default=False, metadata={"description": "also texts that look as if they held a secret"})


class UploadCommitQuery(Body):
    new_branch = text("the commit goes there instead")
    create_pr = fields.Boolean(load_default=False, metadata={"description": "a pull request is opened with it"})
    allow_secrets = _allow_secrets()


class ChangeBody(Body):
    path = text("in the repository", required=True)
    action = fields.String(load_default="put", validate=validate.OneOf(["put", "delete", "delete_dir", "move", "copy"]))
    content = text("the text of a 'put', in UTF-8")
    source = text("of a move or copy")
    sha = fields.String(
        load_default=None,
        allow_none=True,
        metadata={
            "description": "the blob (of LFS content, the SHA-256) that the path, or the source, must hold now; "
            "empty: nothing may be there yet; null: whatever it holds"
        },
    )


class ChangesBody(Body):
    message = text("title, and after an empty line the description", required=True)
    branch = text("empty: the default branch")
    new_branch = text("the commit goes there instead")
    create_pr = fields.Boolean(
        load_default=False,
        metadata={"description": "a pull request is opened with it; without 'new_branch' the right to read is enough"},
    )
    parent = fields.String(
        load_default=None, allow_none=True, metadata={"description": "the commit the branch must be at"}
    )
    allow_secrets = _allow_secrets()
    files = fields.List(fields.Nested(ChangeBody), required=True, validate=validate.Length(1, MAX_CHANGES))


class LandedSchema(Schema):
    commit_id = fields.String()
    branch = fields.String()
    is_new = fields.Boolean(metadata={"description": "false: the changes changed nothing"})
    pull_number = fields.Integer(allow_none=True, metadata={"description": "of the pull request that was opened"})
    url = fields.String(metadata={"description": "the page that shows it"})


class NameQuery(Body):
    namespace = text("empty: the caller's own")
    name = text(required=True)


class NameSchema(Schema):
    is_free = fields.Boolean()
    reason = fields.String(metadata={"description": "why it is not"})
