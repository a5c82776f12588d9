"""Queries and answers about users and organisations. Source: Hugging Face contract, section 3."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from hub.compat.schemas import HubBody


class HubPageQuery(HubBody):
    cursor = fields.Integer(
        load_default=1, validate=validate.Range(1, 1_000_000), metadata={"description": "from the Link header"}
    )


class HubPersonSchema(Schema):
    user = fields.String(metadata={"description": "the name"})
    fullname = fields.String()
    avatarUrl = fields.String()
    type = fields.String()


class HubOrganizationBriefSchema(Schema):
    name = fields.String()
    fullname = fields.String()
    avatarUrl = fields.String()


class HubNumbersSchema(Schema):
    """Of what the caller may see; what the hub does not have is 0."""

    numModels = fields.Integer()
    numDatasets = fields.Integer()
    numSpaces = fields.Integer()
    numPapers = fields.Integer()
    numFollowers = fields.Integer()
    isFollowing = fields.Boolean()
    details = fields.String()


class HubUserSchema(HubPersonSchema, HubNumbersSchema):
    isPro = fields.Boolean()
    numUpvotes = fields.Integer()
    numFollowing = fields.Integer()
    numDiscussions = fields.Integer(metadata={"description": "discussions and pull requests that they opened"})
    numLikes = fields.Integer()
    createdAt = fields.String()
    orgs = fields.List(fields.Nested(HubOrganizationBriefSchema))


class HubOrganizationOverviewSchema(HubOrganizationBriefSchema, HubNumbersSchema):
    type = fields.String()
    isVerified = fields.Boolean()
    numUsers = fields.Integer()
    plan = fields.String(allow_none=True, metadata={"description": "null: this hub sells none"})


class HubLikedSchema(Schema):
    name = fields.String(metadata={"description": "namespace/name"})
    type = fields.String()


class HubLikeSchema(Schema):
    createdAt = fields.String()
    repo = fields.Nested(HubLikedSchema)


class HubStoredSchema(Schema):
    id = fields.String(metadata={"description": "namespace/name"})
    type = fields.String()
    updatedAt = fields.String()
    visibility = fields.String(metadata={"description": "public or private"})
    storage = fields.Integer(metadata={"description": "bytes of Git and LFS"})
    storagePercent = fields.Float(metadata={"description": "of what the owner's repositories take together"})
