"""Queries and answers of follows, feeds and downloads by day."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from hub.api.ids import MAX_ROW_ID
from hub.api.schemas import Body
from hub.base.paging import DEFAULT_PER, MAX_PER
from hub.repos.activities import ActivityType

MAX_DAYS = 366
MAX_FILES = 100


class FollowStateSchema(Schema):
    followers = fields.Integer()
    following = fields.Boolean(metadata={"description": "whether the caller follows it"})


class PersonSchema(Schema):
    username = fields.String()
    nickname = fields.String()
    avatar = fields.String()


class FollowedSchema(Schema):
    path = fields.String(metadata={"description": "the name"})
    type = fields.String(metadata={"description": "user or organization"})
    nickname = fields.String()
    avatar = fields.String()


class CursorQuery(Body):
    cursor = fields.Integer(
        load_default=0,
        validate=validate.Range(0, MAX_ROW_ID),
        metadata={"description": "the answer's 'next_cursor'; 0: the newest"},
    )
    per = fields.Integer(load_default=DEFAULT_PER, validate=validate.Range(1, MAX_PER))


class ActivityRepositorySchema(Schema):
    id = fields.Integer()
    type = fields.String(metadata={"description": "the kind of asset"})
    path = fields.String()
    nickname = fields.String()
    private = fields.Boolean()


class ActivityCollectionSchema(Schema):
    id = fields.Integer()
    namespace = fields.String()
    name = fields.String()
    nickname = fields.String()


class ActivitySchema(Schema):
    id = fields.Integer()
    type = fields.String(metadata={"description": f"{', '.join(ActivityType)}, or a plugin's"})
    user = fields.Nested(PersonSchema)
    namespace = fields.String(metadata={"description": "whose thing it is, or who is followed"})
    repository = fields.Nested(ActivityRepositorySchema, allow_none=True)
    collection = fields.Nested(ActivityCollectionSchema, allow_none=True)
    data = fields.Dict(metadata={"description": "branch, tag, or number and title of a discussion"})
    count = fields.Integer(metadata={"description": "how often on that day"})
    day = fields.Date()
    created_at = fields.DateTime(metadata={"description": "the first time on that day"})


class ActivitiesSchema(Schema):
    activities = fields.List(fields.Nested(ActivitySchema))
    next_cursor = fields.Integer(metadata={"description": "where the next page begins; 0: this is the last"})


class ActiveDaySchema(Schema):
    date = fields.Date()
    count = fields.Integer()


class ActivityMapSchema(Schema):
    total = fields.Integer()
    days = fields.List(fields.Nested(ActiveDaySchema), metadata={"description": "the last year's; without empty ones"})


class DownloadsQuery(Body):
    days = fields.Integer(load_default=30, validate=validate.Range(1, MAX_DAYS))
    limit = fields.Integer(
        load_default=20, validate=validate.Range(0, MAX_FILES), metadata={"description": "of the files"}
    )


class DownloadDaySchema(Schema):
    date = fields.Date()
    downloads = fields.Integer(metadata={"description": "of files and by git; a client counts once for each file"})
    clients = fields.Integer(metadata={"description": "accounts and addresses that had any"})


class DownloadedFileSchema(Schema):
    path = fields.String()
    downloads = fields.Integer()


class DownloadsSchema(Schema):
    total = fields.Integer(metadata={"description": "of all time, every request from the first byte on counted"})
    recent = fields.Integer(metadata={"description": "of these days"})
    days = fields.List(fields.Nested(DownloadDaySchema), metadata={"description": "today last"})
    files = fields.List(fields.Nested(DownloadedFileSchema), metadata={"description": "the most downloaded ones"})
