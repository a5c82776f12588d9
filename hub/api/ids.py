"""Numbers of rows in addresses and bodies: what no database could hold is refused before it is asked."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate

MAX_ROW_ID = 2**63 - 1

# In an address: f"/discussions/<{ROW_ID}:discussion_id>". Anything else is a missing page.
ROW_ID = f"int(min=1, max={MAX_ROW_ID})"


def row_id(**options: Any) -> fields.Integer:
    """A member that holds the number of a row."""
    return fields.Integer(strict=True, validate=validate.Range(min=1, max=MAX_ROW_ID), **options)
