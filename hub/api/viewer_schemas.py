"""Queries and answers about data sets as tables. Source: CSGHub contract, section 4.7; ours are what it has not."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from hub.api.schemas import RefQuery

MAX_PER = 500
_MAX_NAME_CHARS = 300
_MAX_QUERY_CHARS = 4_000


def _name(description: str, *, required: bool = False) -> fields.String:
    options = {"required": True} if required else {"load_default": ""}
    return fields.String(
        validate=validate.Length(max=_MAX_NAME_CHARS), metadata={"description": description}, **options
    )


class PageQuery(RefQuery):
    page = fields.Integer(load_default=1, validate=validate.Range(min=1, max=10**12))
    per = fields.Integer(
        load_default=50, validate=validate.Range(min=1, max=MAX_PER), metadata={"description": "rows of a page"}
    )


class RowsQuery(PageQuery):
    config = _name("a configuration", required=True)
    split = _name("one of its splits", required=True)
    search = fields.String(
        load_default="",
        validate=validate.Length(max=_MAX_QUERY_CHARS),
        metadata={"description": "a word that a text of the row has, in any case"},
    )
    where = fields.String(
        load_default="",
        validate=validate.Length(max=_MAX_QUERY_CHARS),
        metadata={"description": "a condition over the columns", "example": '"score" > 0.5 AND "label" = \'a\''},
    )
    orderby = fields.String(
        load_default="",
        validate=validate.Length(max=_MAX_QUERY_CHARS),
        metadata={"description": "a column to sort by, with DESC after it for the other way"},
    )


class TableQuery(RefQuery):
    config = _name("a configuration; empty with `file`")
    split = _name("one of its splits; empty with `file`")
    file = fields.String(
        load_default="",
        validate=validate.Length(max=4096),
        metadata={"description": "the path of a file that is a table by itself, instead of a split"},
    )


class CellQuery(TableQuery):
    row = fields.Integer(
        required=True, validate=validate.Range(min=0, max=2**53), metadata={"description": "its number, from 0"}
    )
    column = fields.Integer(
        required=True, validate=validate.Range(min=0, max=100_000), metadata={"description": "its place, from 0"}
    )


class ColumnSchema(Schema):
    name = fields.String()
    type = fields.String(metadata={"description": "as Arrow calls it"})
    feature = fields.Raw(
        allow_none=True, metadata={"description": "as the library `datasets` spells it; null: it has no words for it"}
    )


class NoteSchema(Schema):
    path = fields.String()
    note = fields.String()


class FailureSchema(Schema):
    config_name = fields.String()
    split = fields.String()
    path = fields.String(metadata={"description": "the file that gave no rows, or not all"})
    reason = fields.String()


class RowsSchema(Schema):
    columns = fields.List(fields.String())
    columns_type = fields.List(fields.String(), metadata={"description": "as Arrow calls them"})
    features = fields.List(fields.Raw(), metadata={"description": "of each column, as the library `datasets` has it"})
    rows = fields.List(fields.List(fields.Raw()))
    numbers = fields.List(fields.Integer(), metadata={"description": "of each row, its place in the table, from 0"})
    truncated_cells = fields.List(
        fields.List(fields.Integer()),
        metadata={"description": "row and column here of each cell that is not whole; `dataviewer/cell` has it"},
    )
    total = fields.Integer()
    total_is_exact = fields.Boolean(metadata={"description": "false: there are so many at least"})
    is_partial = fields.Boolean(data_key="partial", metadata={"description": "there is more than could be read"})
    pending = fields.Boolean(metadata={"description": "the table is being made; these are its first rows"})
    search = fields.String()
    where = fields.String()
    orderby = fields.String()
    sql = fields.String(metadata={"description": "what was asked, in words of SQL"})
    commit = fields.String()
    failures = fields.List(fields.Nested(FailureSchema))
    notes = fields.List(fields.Nested(NoteSchema), metadata={"description": "how files were read"})


class DataFileSchema(Schema):
    split = fields.String()
    path = fields.List(fields.String())


class CatalogConfigSchema(Schema):
    config_name = fields.String()
    data_files = fields.List(fields.Nested(DataFileSchema))
    format = fields.String()


class CatalogFileSchema(Schema):
    path = fields.String()
    size = fields.Integer()


class CatalogSplitSchema(Schema):
    name = fields.String()
    num_examples = fields.Integer(allow_none=True, metadata={"description": "null: not counted yet"})
    num_bytes = fields.Integer(allow_none=True, metadata={"description": "as Parquet"})
    state = fields.String(metadata={"enum": ["ready", "pending", "failed"]})
    asked = fields.Boolean(metadata={"description": "whether a job makes it"})
    reason = fields.String()
    is_partial = fields.Boolean(data_key="partial")
    progress = fields.Dict(metadata={"description": "bytes read of all"})
    files = fields.List(fields.Nested(CatalogFileSchema))
    columns = fields.List(fields.Nested(ColumnSchema))
    notes = fields.List(fields.Nested(NoteSchema))


class CatalogInfoSchema(Schema):
    config_name = fields.String()
    splits = fields.List(fields.Nested(CatalogSplitSchema))


class CatalogSchema(Schema):
    configs = fields.List(fields.Nested(CatalogConfigSchema))
    dataset_info = fields.List(fields.Nested(CatalogInfoSchema))
    status = fields.Integer(metadata={"description": "0 pending, 1 running, 2 done, 3 failed"})
    logs = fields.String(metadata={"description": "the reasons of what failed"})
    downloaded_size = fields.Integer(metadata={"description": "bytes of the files"})
    converted_size = fields.Integer(metadata={"description": "bytes as Parquet, of what is ready"})
    rows_num = fields.Integer(metadata={"description": "of what is ready"})
    commit = fields.String()
    failures = fields.List(fields.Nested(FailureSchema))


class CellSchema(Schema):
    value = fields.Raw(allow_none=True)
