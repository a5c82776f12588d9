"""Bodies, queries and answers of the routes of whole repositories. Names and shapes: CSGHub contract, 5.1 to 5.3."""

from __future__ import annotations

from typing import Any

from marshmallow import INCLUDE, Schema, fields, validate

from hub.accounts.models import Role
from hub.api.prompt_schemas import PromptSchema
from hub.api.schemas import Body, PageNumber, PageQuery, text
from hub.api.skill_schemas import SkillVersionSchema
from hub.repos.details import MAX_NUMBER, DetailField
from hub.repos.kinds import CORE_KINDS, RepositoryKind
from hub.repos.service import SORTS

MAX_IDS = 100
NEED_OP_WEIGHT = "true: also say what makes it trending (recom_op_weight, scores)"
NEED_OP_WEIGHT_PARAMETER: dict[str, Any] = {
    "in": "query",
    "name": "need_op_weight",
    "description": NEED_OP_WEIGHT,
    "schema": {"type": "boolean", "default": False},
}


def _bytes(description: str) -> fields.Integer:
    return fields.Integer(
        load_default=None, validate=validate.Range(0, MAX_NUMBER), metadata={"description": description}
    )


def _billions(what: str) -> fields.Float:
    return fields.Float(
        load_default=None, validate=validate.Range(0, MAX_NUMBER), metadata={"description": f"{what} (billions)"}
    )


def _texts(description: str) -> fields.List[str]:
    return fields.List(fields.String(), load_default=list, metadata={"description": description})


class _Open(Body):
    """The kinds that a plugin brings have members and filters, too: they pass by their names."""

    class Meta:
        unknown = INCLUDE


class _CommonListQuery(_Open):
    search = text("words in the path, nickname or description")
    sort = text(", ".join(SORTS), default="recently_update")
    source = text("only what comes from there: opencsg, huggingface or local")
    tag_category = _texts("with tag_name: only what carries the label; repeat both for several labels")
    tag_name = _texts("the label's name, in any case")
    tag_group = _texts("the label's group; may be left out")
    task_tag = text("a label of category task (deprecated: tag_category and tag_name)")
    framework_tag = text("a label of category framework (deprecated)")
    license_tag = text("a label of category license (deprecated)")
    language_tag = text("a label of category language (deprecated)")
    industry_tag = text("a label of category industry (deprecated)")
    # Several values with commas between them are alternatives; all of the keys must hold.
    task = text("labels of category task, with commas: one of them")
    framework = text("labels of category framework")
    language = text("labels of category language")
    programlanguage = text("labels of category program_language")
    license = text("labels of category license; none: without a licence")
    industry = text("labels of category industry")
    size_cat = text("labels of category size: n<1k, 1k<n<10k, ...")
    modality = text("labels of category modality")
    format = text("labels of category format")
    runmode = text("labels of category runmode")
    category = text("labels of category category")
    repo_size_min = _bytes("bytes: only what is at least as large")
    repo_size_max = _bytes("bytes: only what is at most as large")
    need_op_weight = fields.Boolean(load_default=False, metadata={"description": NEED_OP_WEIGHT})
    # What only plugins can tell: until one does, nothing has what these ask for.
    list_serverless = fields.Boolean(load_default=False, metadata={"description": "models that the hub itself runs"})
    model_params_min = _billions("models with at least so many parameters; 0: any")
    model_params_max = _billions("models with at most so many parameters; 0: any")
    fits = fields.Float(
        load_default=None,
        allow_nan=False,
        validate=validate.Range(0, MAX_NUMBER),
        metadata={"description": "models that run in so many GiB of GPU memory; 0: any"},
    )
    visibility = text("public or private; empty: both")
    model_tree = text("models made from another: '<any>:<relation>:<repository_id>', such as '1:adapter:12'")
    user_purchased = fields.Boolean(load_default=False, metadata={"description": "datasets that the caller has bought"})
    status = text("of a space: Running, Stopped, ...")
    xnet_migration_status = text("of the move into Xet storage")
    page = PageNumber(metadata={"description": "from 1"})
    per = PageNumber(metadata={"description": "1 to 100, 50 by default"})


def _described(kinds: tuple[RepositoryKind, ...], field: DetailField) -> dict[str, Any]:
    """A member of some kinds in OpenAPI's words."""
    owners = " or ".join(kind.title.lower() for kind in kinds if field in kind.details)
    words = {"text": "", "line": "", "url": ", an http(s) address", "json": ", a JSON object as a text"}[field.form]
    secret = ", shown only to who administers it" if field.is_secret else ""
    found: dict[str, Any] = {"description": f"of a {owners}{words}{secret}"}
    if isinstance(field.default, str):
        return found | {"type": "string", "maxLength": field.max_chars}
    kind = {bool: "boolean", int: "integer", float: "number"}[type(field.default)]
    return found | {"type": kind}


def _details_of(kinds: tuple[RepositoryKind, ...]) -> dict[str, Any]:
    """Members that only some kinds have. What they may hold, the kind says: ``hub.repos.details`` judges them."""
    return {
        field.name: fields.Raw(allow_none=True, metadata=_described(kinds, field))
        for kind in kinds
        for field in kind.details
    }


def _filters_of(kinds: tuple[RepositoryKind, ...]) -> dict[str, Any]:
    return {
        field.name: text(f"of a {kind.title.lower()}: {', '.join(field.choices)}")
        for kind in kinds
        for field in kind.details
        if field.is_filter
    }


NamespaceListQuery = _CommonListQuery.from_dict(_filters_of(CORE_KINDS), name="NamespaceListQuery")
ListQuery = _CommonListQuery.from_dict(
    _filters_of(CORE_KINDS) | {"namespace": text("only this user's or organisation's")}, name="ListQuery"
)


FacetsQuery = NamespaceListQuery.from_dict(
    {"categories": text("which to tell of, with commas; empty: task, license, language, framework")}, name="FacetsQuery"
)


# What the platform imports when it creates. An empty repository in the place of what was to be brought in would be a
# lie, so these are refused.
_IMPORTS = ("git_url",)
# A ZIP that was sent before, by the form that POST /{t}/upload_url gives.
PACKAGES = {"code": "code_file", "skill": "skill_file"}


def _unsupported() -> fields.String:
    refusal = validate.Length(max=0, error="This hub does not import while it creates: leave this empty.")
    return fields.String(validate=refusal, allow_none=True, metadata={"description": "not yet: must be empty"})


def _package(kind: str) -> fields.String:
    return fields.String(
        allow_none=True, metadata={"description": f"of a {kind}: the SHA-256 of a package sent before"}
    )


class CommonCreateBody(_Open):
    namespace = text("a user or organisation; empty: the caller")
    name = text(required=True)
    nickname = text("the name that pages show; empty: the name")
    description = text()
    private = fields.Boolean(load_default=False)
    license = text()
    default_branch = text("empty: main")


class CommonUpdateBody(_Open):
    """Absent members stay as they are, and so do those that are null."""

    name = fields.String(
        allow_none=True, metadata={"description": "a new name; the old path leads to the repository from then on"}
    )
    nickname = fields.String(allow_none=True)
    description = fields.String(allow_none=True)
    license = fields.String(allow_none=True)
    private = fields.Boolean(allow_none=True)
    default_branch = fields.String(allow_none=True)
    xnet_enabled = fields.Boolean(
        allow_none=True,
        metadata={"description": "for site administrators; true is refused: the hub decides for each content"},
    )


CreateBody = CommonCreateBody.from_dict(
    _details_of(CORE_KINDS)
    | {name: _unsupported() for name in _IMPORTS}
    | {name: _package(kind) for kind, name in PACKAGES.items()},
    name="CreateBody",
)
UpdateBody = CommonUpdateBody.from_dict(_details_of(CORE_KINDS), name="UpdateBody")


class TransferBody(Body):
    new_namespace = text("the user or organisation that shall own it", required=True)


class ForkBody(Body):
    namespace = text("where the fork goes; empty: the caller's own")
    name = text("empty: the name of the source")
    private = fields.Boolean(load_default=None, allow_none=True)


class ChangePathBody(Body):
    new_path = text("namespace/name", required=True)


class ExtraBody(Body):
    repo_ids = fields.List(
        fields.Integer(strict=True, validate=validate.Range(1, MAX_NUMBER)),
        required=True,
        metadata={"description": f"members 'repository_id' of a list, at most {MAX_IDS}"},
    )


class PathsBody(Body):
    paths = fields.List(
        fields.String(), required=True, metadata={"description": f"namespace/name each, at most {MAX_IDS}"}
    )


class PathsQuery(PageQuery):
    search = text("words in the path, nickname or description")
    type = text("model, dataset, ...; empty: all kinds")


class DayDownloadsBody(Body):
    date = fields.Date(required=True, metadata={"description": "the day, in UTC"})
    download_count = fields.Integer(
        required=True,
        strict=True,
        validate=validate.Range(0, MAX_NUMBER),
        metadata={"description": "of that day; saying it again replaces it"},
    )


# Answers.


class OwnerSchema(Schema):
    username = fields.String()
    nickname = fields.String()
    avatar = fields.String()


class CloneAddressSchema(Schema):
    http_clone_url = fields.String()
    ssh_clone_url = fields.String()


class RepositoryNamespaceSchema(Schema):
    """Capitalised, as the web client of the platform reads it, and in lower case."""

    Path = fields.String()
    Type = fields.String()
    NSType = fields.String()
    Avatar = fields.String()
    UUID = fields.String()
    path = fields.String()
    type = fields.String()
    uuid = fields.String()


class ScoreSchema(Schema):
    weight_name = fields.String(metadata={"description": "op: points of site administrators; total: all points"})
    score = fields.Float()


class RepositoryLabelSchema(Schema):
    """A label that a repository carries; the platform calls it a tag."""

    id = fields.Integer()
    name = fields.String()
    category = fields.String()
    group = fields.String()
    built_in = fields.Boolean()
    scope = fields.String()
    show_name = fields.String()
    i18n_key = fields.String()
    created_at = fields.DateTime()
    updated_at = fields.DateTime()


class BriefRepositorySchema(Schema):
    """What every list can say without asking another table."""

    id = fields.Integer()
    repository_id = fields.Integer()
    type = fields.String(metadata={"description": "the kind of asset: model, dataset, ..."})
    name = fields.String()
    nickname = fields.String()
    description = fields.String()
    path = fields.String(metadata={"description": "namespace/name"})
    likes = fields.Integer(metadata={"description": "not of spaces"})
    like_count = fields.Integer(metadata={"description": "the likes of a space"})
    downloads = fields.Integer(metadata={"description": "not of spaces"})
    private = fields.Boolean()
    gated = fields.String(metadata={"description": "auto or manual: content is given on request; empty: no gate"})
    archived = fields.Boolean()
    license = fields.String()
    default_branch = fields.String()
    source = fields.String(metadata={"description": "where a mirror comes from: opencsg, huggingface; else local"})
    sync_status = fields.String(metadata={"description": "of a mirror: pending, inprogress, failed, completed, ..."})
    mirror_task_status = fields.String(metadata={"description": "of a mirror's last copying"})
    hf_path = fields.String()
    ms_path = fields.String()
    csg_path = fields.String()
    repo_size = fields.Integer(metadata={"description": "bytes of Git and LFS together"})
    created_at = fields.DateTime()
    updated_at = fields.DateTime()


class QuantizationSchema(Schema):
    name = fields.String(metadata={"description": "Q4_K_M, ..."})
    path = fields.String(metadata={"description": "of a variant in several files, the first"})
    size = fields.Integer(metadata={"description": "bytes, of all of its files"})
    parameters = fields.Integer()


class ModelMetadataSchema(Schema):
    """What a model's files say of it; zeros and empty texts: not known."""

    model_params = fields.Float(metadata={"description": "billions"})
    tensor_type = fields.String()
    architecture = fields.String()
    mini_gpu_memory_gb = fields.Float(metadata={"description": "GiB to run it: 1.2 times its smallest weights"})
    mini_gpu_finetune_gb = fields.Float(metadata={"description": "GiB to fine-tune all of it: 16 bytes a parameter"})
    model_type = fields.String()
    class_name = fields.String()
    quantizations = fields.List(fields.Nested(QuantizationSchema), metadata={"description": "GGUF variants"})


class _CommonRepositorySchema(BriefRepositorySchema):
    tags = fields.List(fields.Nested(RepositoryLabelSchema))
    user = fields.Nested(OwnerSchema)
    username = fields.String(metadata={"description": "of a space: who made it"})
    namespace = fields.Nested(RepositoryNamespaceSchema)
    repository = fields.Nested(CloneAddressSchema)
    git_size = fields.Integer(metadata={"description": "bytes"})
    lfs_size = fields.Integer(metadata={"description": "bytes"})
    forked = fields.Boolean()
    user_likes = fields.Boolean()
    can_write = fields.Boolean()
    can_manage = fields.Boolean()
    recom_op_weight = fields.Integer(metadata={"description": "with need_op_weight: points of site administrators"})
    scores = fields.List(fields.Nested(ScoreSchema), metadata={"description": "with need_op_weight; else empty"})
    sensitive_check_status = fields.String(metadata={"description": "for who administers it; Skip: nobody checks"})
    pushed_at = fields.DateTime(allow_none=True)
    # What the hub alone cannot know; plugins do.
    widget_type = fields.String(metadata={"description": "of a model: generation or chat"})
    status = fields.String()
    enable_inference = fields.Boolean()
    enable_finetune = fields.Boolean()
    enable_evaluation = fields.Boolean()
    arch_allowed = fields.Boolean()
    metadata = fields.Nested(ModelMetadataSchema)
    url = fields.String(metadata={"description": "of a model or dataset: namespace/name"})
    mirror_last_updated_at = fields.DateTime(allow_none=True)
    xnet_enabled = fields.Boolean()
    xnet_migration_status = fields.String()
    xnet_migration_progress = fields.Integer()
    is_for_sale = fields.Boolean()
    user_purchased = fields.Boolean()
    purchase_task_status = fields.String()
    tools_num = fields.Integer(metadata={"description": "of an MCP server: the tools that its files declare"})
    prompts_num = fields.Integer()
    resources_num = fields.Integer(metadata={"description": "templates of resources among them"})
    transports = fields.List(fields.String(), metadata={"description": "of an MCP server: stdio, streamable-http, sse"})
    schema = fields.String(metadata={"description": "of an MCP server: a JSON Schema of its environment, as a text"})
    star_num = fields.Integer()
    github_path = fields.String()
    avatar_url = fields.String()
    latest_version = fields.String(metadata={"description": "of a skill: its highest release"})
    versions = fields.List(
        fields.Nested(SkillVersionSchema), metadata={"description": "of a skill: at most 20, the highest first"}
    )


RepositorySchema = _CommonRepositorySchema.from_dict(_details_of(CORE_KINDS), name="RepositorySchema")


class PromptRepositorySchema(Schema):
    detail = fields.Nested(RepositorySchema)
    prompts = fields.List(fields.Nested(PromptSchema))


class RepositoryPathSchema(Schema):
    path = fields.String()
    name = fields.String()
    nickname = fields.String()
    description = fields.String()
    downloads = fields.Integer()
    private = fields.Boolean()
    tags = fields.List(fields.Nested(RepositoryLabelSchema))
    updated_at = fields.DateTime()


class RepositoryExtraSchema(Schema):
    repo_id = fields.Integer()
    size = fields.Integer(metadata={"description": "bytes of Git and LFS together"})
    tags = fields.List(fields.Nested(RepositoryLabelSchema))
    repository = fields.Nested(CloneAddressSchema)
    report_url = fields.String()


class PathListSchema(Schema):
    msg = fields.String(metadata={"description": "OK"})
    data = fields.List(fields.String(), metadata={"description": "namespace/name each"})
    total = fields.Integer(metadata={"description": "of all pages; absent: 0"})
    total_is_estimate = fields.Boolean()


class VersionSchema(Schema):
    version = fields.String()
    commit = fields.String(metadata={"description": "of the hub's source; empty: not known"})


class CollaboratorBody(Body):
    role = fields.Enum(Role, by_value=True, required=True)


class CollaboratorSchema(Schema):
    username = fields.String()
    nickname = fields.String()
    role = fields.String()
    created_at = fields.DateTime()


class RefChangeSchema(Schema):
    ref = fields.String()
    old = fields.String(metadata={"description": "the commit before; zeros: none"})
    new = fields.String(metadata={"description": "the commit after; zeros: none"})


class PushSchema(Schema):
    id = fields.String()
    username = fields.String()
    via = fields.String(metadata={"description": "http, ssh, web, api, mirror or reconcile"})
    changes = fields.List(fields.Nested(RefChangeSchema))
    created_at = fields.DateTime()
