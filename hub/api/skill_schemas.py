"""Bodies, queries and answers of the routes of skills. Names and shapes: CSGHub contract, sections 4.3, 4.10, 5.3."""

from __future__ import annotations

from typing import Any

from marshmallow import INCLUDE, Schema, fields, validate

from hub.api.schemas import Body, PageQuery, text


class UploadUrlSchema(Schema):
    url = fields.String(metadata={"description": "where the form goes: a POST of multipart/form-data"})
    uuid = fields.String()
    form_data = fields.Dict(
        attribute="formData",
        data_key="formData",
        keys=fields.String(),
        values=fields.String(),
        metadata={"description": "members of the form, beside them the package as 'file'; for an hour"},
    )


class StoredPackageSchema(Schema):
    sha256 = fields.String(metadata={"description": "what a new repository names it by: skill_file or code_file"})
    size = fields.Integer(metadata={"description": "bytes"})


class PublishBody(Body):
    version = text("by Semantic Versioning, such as 1.4.0", required=True)
    changelog = text()
    license = text("empty: what SKILL.md says, or the repository")
    ref = text("what is published: a branch, tag or commit; empty: the default branch")


class PublishedSchema(Schema):
    ok = fields.Boolean()
    skill_id = fields.String(attribute="skillId", data_key="skillId")
    version_id = fields.String(attribute="versionId", data_key="versionId")
    version = fields.String()
    commit = fields.String()


class SkillVersionSchema(Schema):
    version = fields.String()
    commit = fields.String()
    changelog = fields.String()
    license = fields.String()
    created_at = fields.DateTime()


class SkillVersionRowSchema(SkillVersionSchema):
    id = fields.Integer()
    username = fields.String(metadata={"description": "who published it; empty: the account is gone"})


class SkillManifestQuery(Body):
    ref = text("a branch, tag or commit; empty: the default branch")


class SkillProblemSchema(Schema):
    line = fields.Integer(metadata={"description": "of SKILL.md; 0: of none"})
    member = fields.String()
    message = fields.String()
    is_warning = fields.Boolean(metadata={"description": "a warning keeps nobody from publishing"})


class SkillManifestSchema(Schema):
    """What ``SKILL.md`` says at a revision, and what is wrong with it."""

    name = fields.String()
    description = fields.String()
    license = fields.String()
    compatibility = fields.String()
    category = fields.String()
    allowed_tools = fields.List(fields.String())
    metadata = fields.Dict(keys=fields.String(), values=fields.String())
    is_valid = fields.Boolean()
    problems = fields.List(fields.Nested(SkillProblemSchema))
    commit_id = fields.String()
    slug = fields.String(metadata={"description": "by which clients of the registry install it"})
    registry = fields.String(metadata={"description": "the registry's address, as its clients take it"})


class SkillRecordsQuery(PageQuery):
    search = text("words in the name, the description or the path")
    category = text("what SKILL.md calls metadata.category")
    sort = text("recently_update, most_favorite or most_download", default="recently_update")


class SkillCategorySchema(Schema):
    category = fields.String()
    count = fields.Integer(metadata={"description": "of the skills that the caller may see"})


class SkillRecordSchema(Schema):
    repository_id = fields.Integer()
    repo_path = fields.String(metadata={"description": "namespace/name"})
    slug = fields.String()
    nickname = fields.String()
    name = fields.String()
    description = fields.String()
    category = fields.String()
    license = fields.String()
    allowed_tools = fields.List(fields.String())
    is_valid = fields.Boolean()
    latest_version = fields.String(metadata={"description": "empty: none is published"})
    likes = fields.Integer()
    downloads = fields.Integer()
    updated_at = fields.DateTime()


# The registry's own dialect.


class ClawQuery(Body):
    q = text("words; empty: all")
    limit = fields.Integer(load_default=20, validate=validate.Range(1, 100))


class ClawSlugQuery(Body):
    slug = text("namespace--name; a bare name: the caller's own, or the only one of that name", required=True)
    version = text("empty: the latest")


class ClawVersionQuery(Body):
    version = text("empty: the latest")


class _ClawSchema(Schema):
    class Meta:
        unknown = INCLUDE


def _camel(name: str, field: type[fields.Field[Any]], **options: Any) -> fields.Field[Any]:
    return field(attribute=name, data_key=name, **options)


class ClawResultSchema(_ClawSchema):
    slug = fields.String()
    display_name = _camel("displayName", fields.String)
    summary = fields.String()
    version = fields.String()
    score = fields.Float()
    updated_at = _camel("updatedAt", fields.Integer, metadata={"description": "milliseconds since 1970"})


class ClawResultsSchema(_ClawSchema):
    results = fields.List(fields.Nested(ClawResultSchema))


class ClawVersionSchema(_ClawSchema):
    version = fields.String()
    commit = fields.String()
    created_at = _camel("createdAt", fields.Integer)
    changelog = fields.String()
    license = fields.String(allow_none=True)
    files = fields.List(fields.Dict(), metadata={"description": "path and size of each, of one version only"})


class ClawSkillInfoSchema(_ClawSchema):
    slug = fields.String()
    display_name = _camel("displayName", fields.String)
    summary = fields.String()
    tags = fields.Dict(keys=fields.String(), values=fields.String())
    stats = fields.Dict(keys=fields.String(), values=fields.Integer())
    created_at = _camel("createdAt", fields.Integer)
    updated_at = _camel("updatedAt", fields.Integer)


class ClawPersonSchema(_ClawSchema):
    handle = fields.String()
    display_name = _camel("displayName", fields.String)
    image = fields.String()


class ClawModerationSchema(_ClawSchema):
    is_suspicious = _camel("isSuspicious", fields.Boolean)
    is_malware_blocked = _camel("isMalwareBlocked", fields.Boolean)


class ClawSkillSchema(_ClawSchema):
    skill = fields.Nested(ClawSkillInfoSchema)
    latest_version = _camel("latestVersion", fields.Nested, nested=ClawVersionSchema, allow_none=True)
    versions = fields.List(fields.Nested(ClawVersionSchema))
    owner = fields.Nested(ClawPersonSchema)
    moderation = fields.Nested(ClawModerationSchema)


class ClawSkillNameSchema(_ClawSchema):
    slug = fields.String()
    display_name = _camel("displayName", fields.String)


class ClawSkillVersionSchema(_ClawSchema):
    version = fields.Nested(ClawVersionSchema)
    skill = fields.Nested(ClawSkillNameSchema)


class ClawMatchSchema(_ClawSchema):
    version = fields.String()


class ClawResolvedSchema(_ClawSchema):
    match = fields.Nested(ClawMatchSchema, allow_none=True)
    latest_version = _camel("latestVersion", fields.Nested, nested=ClawMatchSchema, allow_none=True)


class ClawUserSchema(_ClawSchema):
    user = fields.Nested(ClawPersonSchema)
