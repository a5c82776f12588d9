"""Queries and answers of information about repositories. Source: Hugging Face contract, section 5."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, validate

from hub.compat.schemas import HubBody, HubSiblingSchema

MAX_LIST = 100
# Of repositories whose files are read for it.
MAX_LIST_OF_FILES = 20
MAX_TAG_CHARS = 200


def _text(description: str = "", **options: Any) -> fields.String:
    return fields.String(metadata={"description": description} if description else {}, **options)


def _texts(description: str, **options: Any) -> fields.List[str]:
    return fields.List(
        fields.String(validate=validate.Length(max=MAX_TAG_CHARS)),
        load_default=list,
        metadata={"description": description},
        **options,
    )


def _flag(description: str) -> fields.Boolean:
    return fields.Boolean(load_default=False, metadata={"description": description})


class HubExpandQuery(HubBody):
    expand = _texts("only these members, and the id")
    expand_too = _texts("as 'expand', as some clients spell it", data_key="expand[]")


class HubInfoQuery(HubExpandQuery):
    blobs = _flag("with sizes and LFS data of the files")
    securityStatus = _flag("with what scans found in the files of models")


class HubListQuery(HubExpandQuery):
    search = _text("words in the path, nickname or description", load_default="")
    author = _text("only this user's or organisation's", load_default="")
    filter = _texts("tags that all must be there, such as license:mit, language:en, dataset:ada/corpus or a word")
    pipeline_tag = _text("the task of models", load_default="")
    apps = _texts("programs that run the model")
    models = _texts("of spaces: that use one of these models")
    datasets = _texts("of spaces: that use one of these data sets")
    linked = _flag("of spaces: that use any model or data set")
    gated = fields.Boolean(load_default=None, metadata={"description": "only those behind a gate, or only the others"})
    inference = _text("models that run somewhere; here none does", load_default="")
    inference_provider = _texts("as 'inference', by who runs it")
    num_parameters = _text("models of so many parameters: min:6B,max:128B", load_default="")
    sort = _text("lastModified, createdAt, downloads, likes or trendingScore", load_default="lastModified")
    direction = _text("-1: lists are descending", load_default="-1")
    limit = fields.Integer(
        load_default=None,
        allow_none=True,
        metadata={"description": "items of a page, at most 100, or 20 where files are read"},
    )
    cursor = _text("from the Link header", load_default="", validate=validate.Length(max=100))
    full = _flag("with commit, files and the card's metadata")
    config = _flag("with the configuration of models")
    cardData = _flag("with the card's metadata")


class HubSearchQuery(HubBody):
    q = _text("words that must all be in the path, nickname or description", load_default="")
    filter = _texts("as of lists")
    sdk = _texts("one of these SDKs")
    includeNonRunning = _flag("makes no difference: this hub tells of all spaces")


class HubInfoSchema(Schema):
    """Members that have nothing to say are left out."""

    _id = fields.String()
    id = _text("namespace/name")
    modelId = fields.String()
    author = fields.String()
    sha = _text("the commit that the revision names")
    private = fields.Boolean()
    disabled = fields.Boolean()
    gated = fields.Raw(metadata={"description": "false, auto or manual", "nullable": True})
    downloads = fields.Integer(metadata={"description": "all that were counted"})
    downloadsAllTime = fields.Integer()
    likes = fields.Integer()
    trendingScore = fields.Float()
    usedStorage = fields.Integer(metadata={"description": "bytes of Git and LFS"})
    xetEnabled = fields.Boolean(metadata={"description": "whether large files may go by Xet; only when asked for"})
    mainSize = fields.Integer(metadata={"description": "bytes of the revision's files"})
    tags = fields.List(fields.String())
    pipeline_tag = fields.String()
    library_name = fields.String()
    description = fields.String()
    cardData = fields.Dict(metadata={"description": "the metadata at the head of the README.md"})
    config = fields.Dict(metadata={"description": "of the model's config.json"})
    safetensors = fields.Dict(metadata={"description": "parameters by type, and their total"})
    gguf = fields.Dict()
    transformersInfo = fields.Dict(keys=fields.String(), values=fields.String())
    mask_token = fields.String()
    widgetData = fields.Raw(metadata={"description": "what the card says of it"})
    baseModels = fields.List(fields.String())
    childrenModelCount = fields.Integer(metadata={"description": "models that name this one"})
    spaces = fields.List(fields.String())
    models = fields.List(fields.String())
    datasets = fields.List(fields.String())
    citation = fields.String()
    paperswithcode_id = fields.String()
    sdk = fields.String()
    subdomain = fields.String()
    runtime = fields.Dict(metadata={"description": "what a space is at; only when it is asked for"})
    securityRepoStatus = fields.Dict()
    createdAt = _text("at the root and under /hf")
    lastModified = _text("at the root and under /hf")
    created_at = _text("under /csg and /ms")
    last_modified = _text("under /csg and /ms")
    siblings = fields.List(
        fields.Nested(HubSiblingSchema), metadata={"description": "all files; absent when they are over 100,000"}
    )


class HubWeightsSchema(Schema):
    index = fields.Dict()
    headers = fields.Dict(metadata={"description": "the head of each file, by its name"})


class HubTagSchema(Schema):
    id = _text("what 'filter' takes")
    label = fields.String()
    type = fields.String()
