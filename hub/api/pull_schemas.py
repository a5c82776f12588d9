"""Queries, bodies and answers of the pull request routes."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from hub.api.discussion_schemas import DiscussionAuthorSchema
from hub.api.envelope import enveloped
from hub.api.schemas import Body, PageQuery
from hub.community.service.labels import MAX_EACH, MAX_NAME_CHARS
from hub.community.service.texts import MAX_CONTENT_CHARS, MAX_TITLE_CHARS
from hub.git.merge import MergeMethod


class PullsQuery(PageQuery):
    status = fields.String(
        load_default="",
        validate=validate.OneOf(["", "open", "closed"]),
        metadata={"description": "open: drafts, too; closed: merged ones, too; absent: all"},
    )
    author = fields.String(load_default="", metadata={"description": "a user's name"})


class PullQuery(Body):
    diff = fields.Boolean(load_default=False, metadata={"description": "with the changes as a patch"})


class NewPullBody(Body):
    title = fields.String(
        required=True,
        validate=validate.Length(min=1, max=MAX_TITLE_CHARS),
        metadata={"description": "one line", "example": "A better card"},
    )
    description = fields.String(
        load_default="",
        validate=validate.Length(max=MAX_CONTENT_CHARS),
        metadata={"description": "Markdown; becomes the first comment"},
    )
    base = fields.String(load_default="", metadata={"description": "the branch it is for; absent: the default branch"})
    revision = fields.String(
        load_default="",
        metadata={
            "description": "what it proposes: a branch, which it follows, or a tag of the repository (or of the fork "
            "that 'source' names); absent: nothing yet"
        },
    )
    source = fields.String(
        load_default="",
        metadata={"description": "a fork of the repository, as namespace/name; absent: the repository itself"},
    )
    is_draft = fields.Boolean(load_default=False)
    labels = fields.List(
        fields.String(validate=validate.Length(1, MAX_NAME_CHARS)),
        load_default=list,
        validate=validate.Length(max=MAX_EACH),
        metadata={"description": "names of the repository's labels"},
    )


class PullBody(Body):
    title = fields.String(
        validate=validate.Length(min=1, max=MAX_TITLE_CHARS), metadata={"example": "A much better card"}
    )
    status = fields.String(validate=validate.OneOf(["open", "closed"]))
    is_draft = fields.Boolean(metadata={"description": "drafts are not merged"})
    base = fields.String(
        validate=validate.Length(min=1, max=255), metadata={"description": "another branch that it is for"}
    )


class MergeBody(Body):
    message = fields.String(
        load_default="",
        validate=validate.Length(max=MAX_CONTENT_CHARS),
        metadata={"description": "of the merge commit, where one is needed; absent: one that names the pull request"},
    )
    method = fields.String(
        load_default="",
        validate=validate.OneOf(["", *MergeMethod]),
        metadata={"description": "auto, merge, squash, rebase or fast_forward; absent: the repository's default"},
    )
    expected_head = fields.String(
        load_default="",
        validate=validate.Length(max=40),
        metadata={"description": "the commit that was looked at; with another one it is not merged"},
    )
    delete_source = fields.Boolean(
        load_default=None,
        allow_none=True,
        metadata={"description": "remove the branch that it follows; absent: as the repository says"},
    )


class UpdateBranchBody(Body):
    method = fields.String(
        load_default="merge",
        validate=validate.OneOf(["merge", "rebase"]),
        metadata={"description": "the base is merged into it, or its commits are made again on the base"},
    )


class RevertBody(Body):
    title = fields.String(
        load_default="", validate=validate.Length(max=MAX_TITLE_CHARS), metadata={"description": "of the new one"}
    )


class MergeSettingsBody(Body):
    methods = fields.List(
        fields.String(validate=validate.OneOf([*MergeMethod])),
        validate=validate.Length(min=1, max=len(MergeMethod)),
        metadata={"description": "those that are allowed", "example": ["squash", "merge"]},
    )
    default_method = fields.String(validate=validate.OneOf([*MergeMethod]), metadata={"example": "squash"})
    delete_source = fields.Boolean(metadata={"description": "branches go after their merge"})


class MergeSettingsSchema(Schema):
    methods = fields.List(fields.String())
    default_method = fields.String()
    delete_source = fields.Boolean()


class PullSourceSchema(Schema):
    repository = fields.String(
        allow_none=True, metadata={"description": "namespace/name; null: gone, or not to be seen"}
    )
    branch = fields.String()


class PullSchema(Schema):
    id = fields.Integer(metadata={"description": "of its discussion, where its comments are"})
    number = fields.Integer(metadata={"description": "its commits are those of refs/pr/<number>"})
    title = fields.String()
    status = fields.String(metadata={"description": "open, draft, closed or merged"})
    user = fields.Nested(DiscussionAuthorSchema)
    ref = fields.String()
    base = fields.String(metadata={"description": "the short name of the branch it is for"})
    source = fields.Nested(
        PullSourceSchema, allow_none=True, metadata={"description": "the branch that it follows; null: its own ref"}
    )
    merge_method = fields.String(metadata={"description": "by which it was merged; empty: by hand, or not"})
    merge_commit = fields.String(allow_none=True, metadata={"description": "where the base was after the merge"})
    merged_by = fields.String(allow_none=True)
    merged_at = fields.DateTime(allow_none=True)
    comment_count = fields.Integer()
    created_at = fields.DateTime()
    updated_at = fields.DateTime()


class PullCommitSchema(Schema):
    id = fields.String()
    title = fields.String()
    author = fields.String()
    created_at = fields.DateTime()


class ShownPullSchema(PullSchema):
    head = fields.String(allow_none=True, metadata={"description": "the commit that its ref leads to"})
    conflicts = fields.List(fields.String(), metadata={"description": "the files that stand against a merge"})
    commits = fields.List(
        fields.Nested(PullCommitSchema), metadata={"description": "with 'diff': the newest 250, newest first"}
    )
    diff = fields.String(metadata={"description": "with 'diff': of a large one its beginning"})


class MergeConflictSchema(Schema):
    path = fields.String()
    kind = fields.String(
        metadata={
            "description": "both_modified, both_added, deleted_by_base, deleted_by_head, binary, submodule or "
            "file_and_folder"
        }
    )


class MergeCheckSchema(Schema):
    name = fields.String(
        metadata={
            "description": "ready, commits, conflicts, write, role, approvals, changes (asked for) or conversations"
        }
    )
    passed = fields.Boolean()
    reason = fields.String()


class MergeMethodSchema(Schema):
    name = fields.String()
    is_possible = fields.Boolean()
    reason = fields.String(metadata={"description": "why it is not possible as things are; empty: it is"})


class MergeabilitySchema(Schema):
    state = fields.String(metadata={"description": "mergeable, blocked, conflicts, draft, empty, closed or merged"})
    base = fields.String(allow_none=True, metadata={"description": "the commit of the base branch"})
    head = fields.String(allow_none=True)
    is_behind = fields.Boolean(metadata={"description": "the base has commits that it lacks"})
    default_method = fields.String()
    methods = fields.List(fields.Nested(MergeMethodSchema), metadata={"description": "the allowed ones"})
    checks = fields.List(fields.Nested(MergeCheckSchema))
    conflicts = fields.List(fields.Nested(MergeConflictSchema), metadata={"description": "at most 1,000"})
    commands = fields.List(
        fields.String(), metadata={"description": "of git, by which the conflicts are resolved at home"}
    )


PullEnvelope = enveloped(PullSchema)
PullsEnvelope = enveloped(PullSchema, many=True)
ShownPullEnvelope = enveloped(ShownPullSchema)
MergeabilityEnvelope = enveloped(MergeabilitySchema)
MergeSettingsEnvelope = enveloped(MergeSettingsSchema)
