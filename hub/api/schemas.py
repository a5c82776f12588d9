"""Bodies, queries and answers of the repository routes. Names and shapes: CSGHub contract, sections 4.1 to 5.5."""

from __future__ import annotations

from typing import Any

from marshmallow import EXCLUDE, Schema, fields, validate

from hub.accounts.models import Role
from hub.api.envelope import enveloped
from hub.git.types import EntryKind


class Body(Schema):
    """A request's members; those that are not ours are ignored, as clients send more than they need."""

    class Meta:
        unknown = EXCLUDE


def text(description: str = "", *, required: bool = False, default: str = "") -> fields.String:
    """A text member."""
    metadata = {"description": description} if description else {}
    return (
        fields.String(required=True, metadata=metadata)
        if required
        else fields.String(load_default=default, metadata=metadata)
    )


class PageNumber(fields.Integer):
    """Described as a number and taken as it comes: ``page_args`` judges it, in the words that the contract wants."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> Any:
        return value


# Background work.


class ProgressSchema(Schema):
    done = fields.Integer()
    total = fields.Integer(allow_none=True, metadata={"description": "null: not known"})
    unit = fields.String()


class JobSchema(Schema):
    id = fields.String()
    name = fields.String()
    queue = fields.String()
    state = fields.String(metadata={"description": "queued, running, succeeded, failed or cancelled"})
    attempt = fields.Integer()
    max_attempts = fields.Integer()
    progress = fields.Nested(ProgressSchema)
    error = fields.String()
    log = fields.String()
    created_at = fields.DateTime()
    run_after = fields.DateTime()
    started_at = fields.DateTime(allow_none=True)
    finished_at = fields.DateTime(allow_none=True)


class PageQuery(Body):
    page = PageNumber(metadata={"description": "from 1"})
    per = PageNumber(metadata={"description": "1 to 100, 50 by default"})


class JobsQuery(PageQuery):
    state = text("queued, running, succeeded, failed or cancelled")
    name = text()


# Branches and tags.


class CommitIdSchema(Schema):
    id = fields.String()


class BranchSchema(Schema):
    name = fields.String()
    message = fields.String(metadata={"description": "of the commit at its tip"})
    commit = fields.Nested(CommitIdSchema)


class TaggerSchema(Schema):
    name = fields.String()
    email = fields.String()
    date = fields.String(metadata={"format": "date-time"})


class GitTagSchema(BranchSchema):
    annotated = fields.Boolean()
    tag_message = fields.String(metadata={"description": "of an annotated tag, else empty"})
    tagger = fields.Nested(TaggerSchema, allow_none=True, metadata={"description": "of an annotated tag, else null"})


class NewRefBody(Body):
    name = text(required=True)
    revision = text("where it starts: a branch, tag or commit; empty: the default branch")


class NewTagBody(NewRefBody):
    message = text("makes it an annotated tag; empty: a lightweight one")


class RenameBranchBody(Body):
    name = text("the new name", required=True)


class DeletedBranchSchema(Schema):
    uuid = fields.String()
    name = fields.String()
    commit_id = fields.String(metadata={"description": "what it was at"})
    deleted_by = fields.String(metadata={"description": "empty: the hub itself, or nobody any more"})
    deleted_at = fields.DateTime()
    expires_at = fields.DateTime(metadata={"description": "when it cannot be brought back any more"})


class RestoreBranchBody(Body):
    name = text("another name for it; empty: the one that it had")


class CarriedCommitBody(Body):
    commit_id = text("the commit", required=True)
    base = text("the branch that it is for; empty: the default branch")
    new_branch = text("where the new commit goes; empty: a name is made")


class CarriedCommitSchema(Schema):
    commit_id = fields.String(metadata={"description": "of the new commit"})
    branch = fields.String(metadata={"description": "the new branch, which a pull request can be opened from"})
    base = fields.String()
    title = fields.String(metadata={"description": "the first line of the new commit's message"})


class ProtectedBranchBody(Body):
    push_role = fields.Enum(Role, by_value=True, load_default=Role.WRITE)
    allow_force_push = fields.Boolean(load_default=False)
    allow_deletion = fields.Boolean(load_default=False)
    require_pull = fields.Boolean(
        load_default=False, metadata={"description": "it changes by merges of pull requests only"}
    )
    allow_admins = fields.Boolean(
        load_default=False, metadata={"description": "whoever administers the repository is not held to that"}
    )
    required_approvals = fields.Integer(
        load_default=0, validate=validate.Range(0, 20), metadata={"description": "before a merge"}
    )
    dismiss_stale = fields.Boolean(
        load_default=False, metadata={"description": "approvals given before the last commit do not count"}
    )
    require_resolved = fields.Boolean(
        load_default=False, metadata={"description": "no conversation may be open before a merge"}
    )


class ProtectedBranchSchema(Schema):
    pattern = fields.String()
    push_role = fields.String()
    allow_force_push = fields.Boolean()
    allow_deletion = fields.Boolean()
    require_pull = fields.Boolean()
    allow_admins = fields.Boolean()
    required_approvals = fields.Integer()
    dismiss_stale = fields.Boolean()
    require_resolved = fields.Boolean()
    created_at = fields.DateTime()


# Contents.


class RefQuery(Body):
    ref = text("a branch, tag or commit; empty: the default branch")


def _moment() -> fields.String:
    # Git's times keep the offset of the writer's clock, and a page of files has thousands: they come as text.
    return fields.String(metadata={"format": "date-time"})


class SelectionQuery(Body):
    folder = text("the folder; empty: the root")
    name = fields.List(
        fields.String(), load_default=list, metadata={"description": "of its files and folders; none: all of it"}
    )


class DownloadQuery(RefQuery):
    lfs = fields.Boolean(
        load_default=False, metadata={"description": "the path is an LFS object's, ab/cd/...: answer with its address"}
    )
    save_as = fields.String(
        load_default="",
        validate=validate.Length(max=255),
        metadata={"description": "what the file shall be called; empty: as it is"},
    )


class CommitSchema(Schema):
    id = fields.String()
    message = fields.String()
    author_name = fields.String()
    author_email = fields.String()
    authored_date = _moment()
    committer_name = fields.String()
    committer_email = fields.String()
    committer_date = _moment()
    created_at = _moment()


class CommitsQuery(RefQuery, PageQuery):
    path = text("only commits that touched it")


class CommitsSchema(Schema):
    commits = fields.List(fields.Nested(CommitSchema))
    total = fields.Integer()
    page_count = fields.Integer()


class StatsSchema(Schema):
    total = fields.Integer()
    additions = fields.Integer()
    deletions = fields.Integer()


class ParentSchema(Schema):
    sha = fields.String()


class FileChangeSchema(Schema):
    path = fields.String()
    old_path = fields.String()
    status = fields.String(metadata={"description": "added, deleted, modified, renamed, copied or type_changed"})
    additions = fields.Integer()
    deletions = fields.Integer()
    binary = fields.Boolean()
    lfs = fields.Boolean()
    truncated = fields.Boolean()


class CommitDiffSchema(CommitSchema):
    files = fields.List(fields.String())
    parents = fields.List(fields.Nested(ParentSchema))
    diff = fields.String(metadata={"description": "a patch, in base64"})
    stats = fields.Nested(StatsSchema)
    changes = fields.List(fields.Nested(FileChangeSchema))
    truncated = fields.Boolean(metadata={"description": "whether there are more files than are shown"})


class DiffQuery(Body):
    left_commit_id = text(required=True)
    right_commit_id = text("empty: the default branch")


class DiffSchema(Schema):
    added = fields.List(fields.String())
    removed = fields.List(fields.String())
    modified = fields.List(fields.String())
    truncated = fields.Boolean()


class CompareQuery(Body):
    base = text("empty: the default branch")
    head = text("empty: the default branch")


class CompareSchema(Schema):
    base = fields.String()
    head = fields.String()
    merge_base = fields.String(allow_none=True, metadata={"description": "null: no common history"})
    ahead = fields.Integer()
    behind = fields.Integer()
    commits = fields.List(fields.Nested(CommitSchema))
    changes = fields.List(fields.Nested(FileChangeSchema))
    diff = fields.String(metadata={"description": "a patch, in base64"})
    stats = fields.Nested(StatsSchema)
    truncated = fields.Boolean()


class LastCommitSchema(CommitSchema):
    """Of a file. Where nobody has looked for it yet, every member is there and empty."""

    authored_date = fields.String(metadata={"description": "a time, or empty"})
    committer_date = fields.String(metadata={"description": "a time, or empty"})
    created_at = fields.String(metadata={"description": "a time, or empty"})


class FileSchema(Schema):
    name = fields.String()
    type = fields.String(metadata={"description": ", ".join(kind.value for kind in EntryKind)})
    size = fields.Integer(metadata={"description": "of the real content, also of LFS files"})
    path = fields.String()
    mode = fields.String()
    sha = fields.String(metadata={"description": "Git's id of the blob or tree"})
    url = fields.String(metadata={"description": "where the content is downloaded"})
    lfs = fields.Boolean()
    lfs_sha256 = fields.String(metadata={"description": "this and the next two: of an LFS file, else empty and 0"})
    lfs_pointer_size = fields.Integer()
    lfs_relative_path = fields.String()
    commit = fields.Nested(
        LastCommitSchema, metadata={"description": "the last one; of empty texts: nobody has looked for it yet"}
    )
    last_commit_sha = fields.String(metadata={"description": "empty: nobody has looked for it yet"})
    content = fields.String(metadata={"description": "in base64; of a blob only"})
    preview_code = fields.Integer(metadata={"description": "of a blob: 0 text, 1 too large, 2 not text"})
    xnet_enabled = fields.Boolean(metadata={"description": "whether it lies in Xet storage"})


class TreeQuery(RefQuery):
    path = text("a directory; empty: the root")


class TreePageQuery(Body):
    limit = fields.Integer(load_default=500, validate=validate.Range(1, 500))
    cursor = text("the Cursor of the page before")


class TreePageSchema(Schema):
    Files = fields.List(fields.Nested(FileSchema))
    Cursor = fields.String(metadata={"description": "empty at the end"})


class AllFilesQuery(RefQuery):
    cursor = text("the cursor of the page before")


class AllFilesSchema(enveloped(FileSchema, many=True)):  # type: ignore[misc]  # the class is made by a function
    cursor = fields.String(metadata={"description": "leads to the next page; empty at the end"})


class LogsTreeQuery(Body):
    limit = fields.Integer(load_default=25, validate=validate.Range(1, 500))
    offset = fields.Integer(load_default=0, validate=validate.Range(0, 10_000_000))


class LogEntrySchema(CommitSchema):
    name = fields.String()
    path = fields.String()


class LogsTreeSchema(Schema):
    Commits = fields.List(fields.Nested(LogEntrySchema))


class BlameQuery(RefQuery):
    first_line = fields.Integer(load_default=1, validate=validate.Range(1))
    last_line = fields.Integer(load_default=None, validate=validate.Range(1))


class BlameHunkSchema(Schema):
    first_line = fields.Integer()
    line_count = fields.Integer()
    commit = fields.Nested(CommitSchema)
    original_path = fields.String()
    original_first_line = fields.Integer()


class SizeSchema(Schema):
    total_size = fields.Integer(metadata={"description": "bytes of the whole repository, Git and LFS"})
    last_commit_size = fields.Integer(metadata={"description": "bytes of the branch's files"})


# Edits.


class NewFileBody(Body):
    message = text("of the commit; empty: one that names the file")
    branch = text("empty: the default branch")
    new_branch = text("the commit goes there instead; without 'branch' it begins a history of its own")
    content = text("in base64, line breaks allowed")
    parent = fields.String(load_default=None, metadata={"description": "the commit the branch must be at"})


class UpdateFileBody(NewFileBody):
    sha = text("the blob that the path must hold now")
    origin_path = text("the path that the file had, when it moves")


class DeleteFileBody(Body):
    message = text("of the commit; empty: one that names the file")
    branch = text("empty: the default branch")
    new_branch = text("the commit goes there instead")
    sha = text("the blob that the path must hold now")
    parent = fields.String(load_default=None, metadata={"description": "the commit the branch must be at"})


class CommitFileBody(Body):
    path = text(required=True)
    action = fields.String(
        load_default="create", validate=validate.OneOf(["create", "update", "delete", "delete_dir", "move", "copy"])
    )
    content = text("in base64, line breaks allowed")
    source = text("of a move or copy")


class CommitBody(Body):
    message = text(required=True)
    files = fields.List(fields.Nested(CommitFileBody), required=True)
    parent = fields.String(load_default=None, metadata={"description": "the commit the branch must be at"})
    new_branch = text("the commit goes there instead")


class CommittedSchema(Schema):
    commit_id = fields.String()
    branch = fields.String()


class PreuploadFileBody(Body):
    path = text(required=True)
    size = fields.Integer(load_default=0, validate=validate.Range(0))


class PreuploadBody(Body):
    files = fields.List(fields.Nested(PreuploadFileBody), required=True, validate=validate.Length(1, 256))


class PreuploadFileSchema(Schema):
    path = fields.String()
    uploadMode = fields.String(metadata={"description": "regular or lfs"})  # noqa: N815 - the wire's name
    shouldIgnore = fields.Boolean()  # noqa: N815
    oid = fields.String(metadata={"description": "of the content there now; empty: none"})
    isDir = fields.Boolean()  # noqa: N815


class PreuploadSchema(Schema):
    files = fields.List(fields.Nested(PreuploadFileSchema))
