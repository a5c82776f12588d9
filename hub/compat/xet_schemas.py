"""Queries, bodies and answers about large files: leave to move them in pieces, what there is of them, copies.

Source: Xet contract, section 2; Hugging Face contract, section 7.5.
"""

from __future__ import annotations

from marshmallow import Schema, fields

from hub.compat.schemas import HubBody


class HubXetTokenSchema(Schema):
    accessToken = fields.String()
    exp = fields.Integer(metadata={"description": "until when the token is good, in Unix seconds"})
    casUrl = fields.String(metadata={"description": "below which the pieces are"})


class HubXetWriteQuery(HubBody):
    create_pr = fields.Boolean(
        load_default=False, metadata={"description": "for a pull request: the right to propose is enough"}
    )
