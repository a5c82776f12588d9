"""Queries and answers of the search."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from hub.api.schemas import Body, PageNumber, text
from hub.assets.search.grammar import MAX_QUERY_CHARS
from hub.assets.search.repositories import SORTS

_Q = fields.String(
    load_default="",
    validate=validate.Length(max=4 * MAX_QUERY_CHARS),
    metadata={
        "description": 'words, "rows of words", -refused ones, and filters: user: org: license: task: lang: framework: '
        "tag: kind: is: params: size: updated: created: path:",
        "example": 'llama license:mit,apache-2.0 -"no longer" updated:>2026-01-01',
    },
)


class QuickQuery(Body):
    q = _Q


class SearchQuery(Body):
    q = _Q
    type = text(
        "all (five of each), models, datasets, codes, spaces, prompts, skills, mcps, collections, users, "
        "organizations, code (contents of files), discussions",
        default="all",
    )
    sort = text(f"of repositories: {', '.join(SORTS)}", default="relevance")
    page = PageNumber(metadata={"description": "from 1; of one type only"})
    per = PageNumber(metadata={"description": "1 to 100, 20 by default"})


class SectionSchema(Schema):
    type = fields.String()
    title = fields.String()
    total = fields.Integer()
    total_is_estimate = fields.Boolean(metadata={"description": "true: there are at least so many"})
    items = fields.List(
        fields.Dict(),
        metadata={
            "description": "what the type's own lists answer; of repositories, match (name, text or card) and snippet "
            "besides; of code, repository, path, branch and lines"
        },
    )


class DroppedSchema(Schema):
    filter = fields.String()
    total = fields.Integer(metadata={"description": "repositories that are found without it"})
    total_is_estimate = fields.Boolean()


class SearchSchema(Schema):
    query = fields.String()
    type = fields.String()
    corrected_query = fields.String(
        metadata={"description": "what was searched for instead, as the words asked for are nowhere; absent: as asked"}
    )
    total = fields.Integer()
    sections = fields.List(fields.Nested(SectionSchema))
    dropped = fields.List(fields.Nested(DroppedSchema), metadata={"description": "where nothing was found"})


class FacetValueSchema(Schema):
    name = fields.String()
    show_name = fields.String()
    group = fields.String()
    count = fields.Integer()
    selected = fields.Boolean()


class FacetSchema(Schema):
    category = fields.String()
    total = fields.Integer(metadata={"description": "repositories under the other filters"})
    count_is_estimate = fields.Boolean(metadata={"description": "true: too many to count, a sample was looked at"})
    sample_size = fields.Integer(metadata={"description": "how many were looked at"})
    values = fields.List(fields.Nested(FacetValueSchema))
