"""Queries, bodies and answers of the Hugging-Face-shaped routes. Source: CSGHub contract, sections 3.2 to 3.8."""

from __future__ import annotations

from typing import Any

from marshmallow import EXCLUDE, Schema, fields, validate

from hub.http.rest import ErrorSchema

MAX_COMMITS = 100
MAX_TREE = 1000
MAX_TREE_EXPANDED = 50
MAX_PREUPLOAD = 256


class HubBody(Schema):
    """A request's members; clients of many versions send more than we know."""

    class Meta:
        unknown = EXCLUDE


def _text(description: str = "", **options: Any) -> fields.String:
    return fields.String(metadata={"description": description} if description else {}, **options)


# Information.


class HubLFSSchema(Schema):
    sha256 = fields.String()
    size = fields.Integer()
    pointerSize = fields.Integer()


class HubSiblingSchema(Schema):
    rfilename = _text("the file's full path")
    blobId = fields.String()
    size = fields.Integer()
    lfs = fields.Nested(HubLFSSchema)


class HubRefsQuery(HubBody):
    include_prs = fields.Boolean(load_default=False, metadata={"description": "with the pull requests"})


class HubRefSchema(Schema):
    name = fields.String()
    ref = fields.String()
    targetCommit = fields.String()


class HubRefsSchema(Schema):
    branches = fields.List(fields.Nested(HubRefSchema))
    tags = fields.List(fields.Nested(HubRefSchema))
    converts = fields.List(fields.Nested(HubRefSchema))
    pullRequests = fields.List(fields.Nested(HubRefSchema))


class HubCommitsQuery(HubBody):
    limit = fields.Integer(load_default=50, validate=validate.Range(1, MAX_COMMITS))
    cursor = fields.Integer(load_default=0, validate=validate.Range(0, 10_000_000))
    expand = fields.List(fields.String(), load_default=list, metadata={"description": "formatted: texts as HTML"})
    expand_too = fields.List(fields.String(), load_default=list, data_key="expand[]")


class HubCommitAuthorSchema(Schema):
    user = fields.String()


class HubCommitSchema(Schema):
    id = fields.String()
    title = fields.String()
    message = fields.String()
    date = fields.String()
    authors = fields.List(fields.Nested(HubCommitAuthorSchema))
    formatted = fields.Dict(keys=fields.String(), values=fields.String())


# Trees.


class HubTreeQuery(HubBody):
    recursive = fields.Boolean(load_default=False)
    expand = fields.Boolean(
        load_default=False, metadata={"description": "with each entry's last commit, and what scans found in it"}
    )
    limit = fields.Integer(load_default=None, allow_none=True, validate=validate.Range(1, MAX_TREE))
    cursor = _text("from the Link header", load_default=None, allow_none=True)


class HubPointerSchema(Schema):
    oid = _text("SHA-256")
    size = fields.Integer()
    pointerSize = fields.Integer()


class HubLastCommitSchema(Schema):
    id = fields.String()
    title = fields.String()
    date = fields.String()


class HubFileSecuritySchema(Schema):
    status = _text("safe, suspicious, unsafe, error, skipped or queued")
    avScan = fields.Dict(allow_none=True, metadata={"description": "null: no scanner of viruses is here"})
    pickleImportScan = fields.Dict(allow_none=True, metadata={"description": "null: no pickle is in it"})


class HubEntrySchema(Schema):
    type = _text("file or directory")
    path = fields.String()
    oid = _text("the Git object")
    size = fields.Integer()
    lfs = fields.Nested(HubPointerSchema)
    xetHash = _text("under which Xet's clients fetch the content; absent: they fetch it by HTTP")
    lastCommit = fields.Nested(HubLastCommitSchema)
    securityFileStatus = fields.Nested(HubFileSecuritySchema)


# Changes.


# Clients send 512 bytes; the whole is 256 files.
MAX_SAMPLE_CHARS = 8192


class HubPreuploadFileBody(HubBody):
    path = fields.String(required=True)
    size = fields.Integer(load_default=0, validate=validate.Range(0, 2**63 - 1))
    sample = _text(
        "the first 512 bytes in base64: a file that is no text is for LFS",
        load_default="",
        allow_none=True,
        validate=validate.Length(max=MAX_SAMPLE_CHARS),
    )


class HubPreuploadBody(HubBody):
    files = fields.List(fields.Nested(HubPreuploadFileBody), required=True, validate=validate.Length(max=MAX_PREUPLOAD))
    gitIgnore = _text("a .gitignore that counts instead of the repository's", load_default=None, allow_none=True)


class HubPreuploadFileSchema(Schema):
    path = fields.String()
    uploadMode = _text("regular or lfs")
    shouldIgnore = fields.Boolean()
    oid = _text("what is at the path now: the blob, or the SHA-256 of LFS content", allow_none=True)
    isDir = fields.Boolean()


class HubPreuploadSchema(Schema):
    files = fields.List(fields.Nested(HubPreuploadFileSchema))


class HubCommitQuery(HubBody):
    create_pr = fields.Boolean(load_default=False)


class HubCommittedSchema(Schema):
    success = fields.Boolean()
    commitOid = fields.String()
    commitUrl = fields.String()
    hookOutput = fields.String()
    pullRequestUrl = _text("of the pull request that was opened")


class HubBranchBody(HubBody):
    startingPoint = _text("where it starts; absent: the default branch", load_default=None, allow_none=True)


class HubTagBody(HubBody):
    tag = fields.String(required=True)
    message = _text("makes it an annotated tag", load_default=None, allow_none=True)


# Repositories.


class HubRepoBody(HubBody):
    name = _text("the name, or namespace/name", required=True)
    organization = _text("absent: the caller", load_default=None, allow_none=True)
    type = _text("model, dataset, space, code, skill, mcp or prompt", load_default="model", allow_none=True)


class HubEntryBody(HubBody):
    """A variable or secret of a space."""

    key = fields.String(required=True)
    value = fields.String(required=True)
    description = _text(load_default=None, allow_none=True)


class HubSpaceWishes(HubBody):
    """What a space is wished to be run on, at its making."""

    hardware = _text("of a space, once something runs it", load_default=None, allow_none=True)
    sleepTimeSeconds = fields.Integer(load_default=None, allow_none=True)
    storageTier = _text(load_default=None, allow_none=True)


class HubCreateBody(HubSpaceWishes, HubRepoBody):
    private = fields.Boolean(load_default=None, allow_none=True)
    visibility = _text("public or private; counts before 'private'", load_default=None, allow_none=True)
    sdk = _text("of a space", load_default=None, allow_none=True)
    license = _text(load_default=None, allow_none=True)
    secrets = fields.List(fields.Nested(HubEntryBody), load_default=None, allow_none=True)
    variables = fields.List(fields.Nested(HubEntryBody), load_default=None, allow_none=True)


class HubDuplicateBody(HubSpaceWishes):
    repository = _text("namespace/name of the copy; without a namespace the caller's", required=True)
    private = fields.Boolean(load_default=None, allow_none=True)
    visibility = _text("public or private; counts before 'private'", load_default=None, allow_none=True)
    secrets = fields.List(fields.Nested(HubEntryBody), load_default=None, allow_none=True)
    variables = fields.List(fields.Nested(HubEntryBody), load_default=None, allow_none=True)


class HubDuplicatedSchema(Schema):
    url = fields.String()


class HubCreatedSchema(Schema):
    url = fields.String()
    name = fields.String()
    id = fields.String()


class HubTakenSchema(ErrorSchema):
    """The error of a name that is taken, which leads to what has it."""

    url = _text("the page of the repository that is there")


class HubMoveBody(HubBody):
    fromRepo = fields.String(required=True)
    toRepo = fields.String(required=True)
    type = _text(load_default="model", allow_none=True)


class HubDoneSchema(Schema):
    success = fields.Boolean()


# The account, and cards.


class HubOrganizationSchema(Schema):
    type = fields.String()
    id = fields.String()
    name = fields.String()
    fullname = fields.String()
    avatarUrl = fields.String()
    isEnterprise = fields.Boolean()
    roleInOrg = fields.String()


class HubTokenSchema(Schema):
    displayName = fields.String()
    role = _text("read or write")
    createdAt = fields.String()


class HubAuthSchema(Schema):
    type = fields.String()
    accessToken = fields.Nested(HubTokenSchema)


class HubWhoamiSchema(Schema):
    type = fields.String()
    id = fields.String()
    name = fields.String()
    fullname = fields.String()
    email = fields.String()
    emailVerified = fields.Boolean()
    avatarUrl = fields.String()
    isPro = fields.Boolean()
    canPay = fields.Boolean()
    orgs = fields.List(fields.Nested(HubOrganizationSchema))
    auth = fields.Nested(HubAuthSchema)


class HubCardBody(HubBody):
    content = _text("the text of a README.md", required=True)
    repoType = _text(load_default="model", allow_none=True)


class HubFindingSchema(Schema):
    message = fields.String()


class HubFindingsSchema(Schema):
    errors = fields.List(fields.Nested(HubFindingSchema))
    warnings = fields.List(fields.Nested(HubFindingSchema))
