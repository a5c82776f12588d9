"""Queries and answers about data sets as tables. Source: Hugging Face contract, section 13."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from hub.compat.schemas import HubBody


class HubTableQuery(HubBody):
    dataset = fields.String(
        required=True, validate=validate.Length(max=200), metadata={"description": "namespace/name", "example": "a/b"}
    )
    config = fields.String(
        load_default="", validate=validate.Length(max=200), metadata={"description": "only this configuration"}
    )


class HubValidSchema(Schema):
    preview = fields.Boolean()
    viewer = fields.Boolean()
    search = fields.Boolean()
    filter = fields.Boolean()
    statistics = fields.Boolean()


class HubFailureSchema(Schema):
    config = fields.String()
    split = fields.String()
    error = fields.Dict()


class HubTablesSchema(Schema):
    pending = fields.List(fields.Dict())
    failed = fields.List(fields.Nested(HubFailureSchema))


class HubSplitSchema(Schema):
    dataset = fields.String()
    config = fields.String()
    split = fields.String()


class HubSplitsSchema(HubTablesSchema):
    splits = fields.List(fields.Nested(HubSplitSchema))


class HubTableInfoSchema(HubTablesSchema):
    dataset_info = fields.Dict(metadata={"description": "by configuration, or of the one that was asked for"})
    is_partial = fields.Boolean(
        data_key="partial", metadata={"description": "whether a split was cut where it got too large"}
    )


class HubParquetFileSchema(HubSplitSchema):
    url = fields.String()
    filename = fields.String()
    size = fields.Integer()


class HubParquetSchema(HubTablesSchema):
    parquet_files = fields.List(fields.Nested(HubParquetFileSchema))
    is_partial = fields.Boolean(data_key="partial")
