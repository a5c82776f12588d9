"""Bodies, queries and answers of the routes of prompts. Names and shapes: CSGHub contract, sections 4.3 and 5.3."""

from __future__ import annotations

from marshmallow import Schema, fields

from hub.api.schemas import Body, CommitSchema, PageQuery, text
from hub.assets.service.prompts import ROLES, VARIABLE_TYPES
from hub.assets.service.prompts import TYPES as PROMPT_TYPES


class PromptVariableSchema(Schema):
    name = fields.String(metadata={"description": "as in the texts, where it stands as {{name}}"})
    type = fields.String(metadata={"description": ", ".join(VARIABLE_TYPES)})
    default = fields.String(metadata={"description": "a text, whatever the type"})
    required = fields.Boolean()
    description = fields.String()
    options = fields.List(fields.String(), metadata={"description": "of an enum: what it may be"})


class PromptMessageSchema(Schema):
    role = fields.String(metadata={"description": ", ".join(ROLES)})
    content = fields.String()


class PromptExampleSchema(Schema):
    input = fields.String()
    output = fields.String()


class PromptMembersSchema(Schema):
    """What a prompt's file says."""

    title = fields.String()
    content = fields.String()
    language = fields.String()
    tags = fields.List(fields.String())
    type = fields.String(metadata={"description": ", ".join(PROMPT_TYPES)})
    source = fields.String()
    author = fields.String()
    time = fields.String(metadata={"description": "as its author wrote it"})
    copyright = fields.String()
    feedback = fields.List(fields.String())
    variables = fields.List(fields.Nested(PromptVariableSchema))
    messages = fields.List(fields.Nested(PromptMessageSchema))
    examples = fields.List(fields.Nested(PromptExampleSchema))
    model = fields.String(metadata={"description": "the linked model, namespace/name"})
    categories = fields.List(fields.String())


class PromptSchema(PromptMembersSchema):
    file_path = fields.String(metadata={"description": "the file that holds it"})
    can_write = fields.Boolean()
    can_manage = fields.Boolean()


class PromptOutputSchema(PromptSchema):
    """One prompt with where it stands."""

    sha = fields.String(metadata={"description": "the blob of its file: send it with a change"})
    commit_id = fields.String(metadata={"description": "of the revision that it was read from"})
    variable_names = fields.List(fields.String(), metadata={"description": "the places {{name}} in its texts"})
    undefined = fields.List(fields.String(), metadata={"description": "in the texts, not in the table of variables"})
    unused = fields.List(fields.String(), metadata={"description": "in the table of variables, not in the texts"})
    like_count = fields.Integer()
    user_likes = fields.Boolean()


class _PromptBody(Body):
    content = text("the text, with places {{name}}; may be left out where there are messages")
    language = text("such as en or zh")
    tags = fields.Raw(metadata={"type": "array", "items": {"type": "string"}})
    type = text(", ".join(PROMPT_TYPES))
    source = text()
    author = text()
    time = text()
    copyright = text()
    feedback = fields.Raw(metadata={"type": "array", "items": {"type": "string"}})
    variables = fields.Raw(metadata={"type": "array", "items": {"type": "object"}, "description": "see the answer"})
    messages = fields.Raw(metadata={"type": "array", "items": {"type": "object"}, "description": "role and content"})
    examples = fields.Raw(metadata={"type": "array", "items": {"type": "object"}, "description": "input and output"})
    model = text("the linked model, namespace/name")
    categories = fields.Raw(metadata={"type": "array", "items": {"type": "string"}})


class _CommitBody(Body):
    message = text("of the commit; empty: one is made")
    branch = text("empty: the default branch")


class NewPromptBody(_PromptBody, _CommitBody):
    title = text(required=True)
    path = text("the file, *.jsonl; empty: made of the title")
    new_branch = text("the commit goes there instead, beginning at the branch: for a pull request")


class UpdatePromptBody(_PromptBody, _CommitBody):
    """Absent members stay as they are; so do members of the file that are not a prompt's."""

    title = fields.String(load_default=None)
    path = text("a new name of the file")
    sha = text("the blob that the editor began with; another by now: 409. Empty: whatever is there")
    new_branch = text("the commit goes there instead, beginning at the branch: for a pull request")


# What is not said stays, so these have no default.
for _name in ("content", "language", "type", "source", "author", "time", "copyright", "model"):
    UpdatePromptBody._declared_fields[_name] = fields.String(load_default=None)


class DeletePromptBody(_CommitBody):
    sha = text("the blob that must be there; empty: whatever is")


class SavedPromptSchema(PromptMembersSchema):
    file_path = fields.String()
    commit_id = fields.String()
    branch = fields.String()


class PromptRevisionQuery(Body):
    ref = text("a branch, tag or commit; empty: the default branch")


class PromptVersionsQuery(PageQuery):
    ref = text("a branch, tag or commit; empty: the default branch")


class PromptVersionSchema(CommitSchema):
    tags = fields.List(fields.String(), metadata={"description": "Git's tags that stand at it: named versions"})


class NamePromptVersionBody(Body):
    name = text("the name of the tag", required=True)
    ref = text("the version: a commit; empty: what the default branch has")
    message = text("makes it an annotated tag")


class NamedPromptVersionSchema(Schema):
    name = fields.String()
    commit_id = fields.String()


class ComparePromptQuery(Body):
    a = text("the version before: a branch, tag or commit", required=True)
    b = text("the version after; empty: the default branch")
    old_path = text("how the file was called before, if otherwise")


class PromptChangeSchema(Schema):
    name = fields.String()
    before = fields.Raw()
    after = fields.Raw()


class PromptComparisonSchema(Schema):
    a = fields.Nested(PromptOutputSchema)
    b = fields.Nested(PromptOutputSchema)
    diff = fields.String(metadata={"description": "of content and messages, as git prints it; empty: the same"})
    changes = fields.List(fields.Nested(PromptChangeSchema), metadata={"description": "of the other members"})


class PreviewPromptBody(_PromptBody):
    """A prompt that is not saved yet, or the path of one that is; and values for its variables."""

    title = text()
    path = text("of a prompt of the repository; empty: what the body says")
    ref = text("where the path is read; empty: the default branch")
    values = fields.Dict(
        keys=fields.String(),
        values=fields.Raw(),
        load_default=dict,
        metadata={"description": "texts, numbers, true or false, by the names of the variables"},
    )


class PromptTroubleSchema(Schema):
    name = fields.String()
    reason = fields.String()


class PromptPreviewSchema(Schema):
    content = fields.String()
    messages = fields.List(fields.Nested(PromptMessageSchema))
    undefined = fields.List(fields.String())
    unused = fields.List(fields.String())
    troubles = fields.List(
        fields.Nested(PromptTroubleSchema), metadata={"description": "values that are missing or do not fit"}
    )


class RefusedPromptSchema(Schema):
    place = fields.String(metadata={"description": "the line, or the file of an archive"})
    reason = fields.String()


class ImportedPromptsSchema(Schema):
    commit_id = fields.String(metadata={"description": "empty: there was nothing to commit"})
    branch = fields.String()
    created = fields.List(fields.String())
    replaced = fields.List(fields.String())
    skipped = fields.List(fields.String(), metadata={"description": "there already, and not to be replaced"})
    errors = fields.List(fields.Nested(RefusedPromptSchema), metadata={"description": "at most 100 are told"})
    error_count = fields.Integer()


class ExportPromptsQuery(PromptRevisionQuery):
    format = text("jsonl, zip or csv", default="jsonl")


class PromptRecordsQuery(PageQuery):
    search = text("words in the title, tags, categories or content")
    language = text()
    tag = text()
    category = text()
    type = text(", ".join(PROMPT_TYPES))
    repository = text("only of this one, namespace/name")
    sort = text("recently_update or most_favorite", default="recently_update")


class PromptRecordSchema(Schema):
    id = fields.Integer()
    repository_id = fields.Integer()
    repo_path = fields.String(metadata={"description": "namespace/name"})
    file_path = fields.String()
    title = fields.String()
    excerpt = fields.String()
    language = fields.String()
    type = fields.String()
    tags = fields.List(fields.String())
    categories = fields.List(fields.String())
    source = fields.String()
    author = fields.String()
    model = fields.String()
    variable_count = fields.Integer()
    like_count = fields.Integer()
    user_likes = fields.Boolean()
    created_at = fields.DateTime()
    updated_at = fields.DateTime()


class PromptLikesSchema(Schema):
    like_count = fields.Integer()
