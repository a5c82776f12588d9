"""The success envelope of the platform's JSON. Source: CSGHub contract, section 1.4."""

from __future__ import annotations

from typing import Any


def ok(data: Any = None, total: int | None = None) -> dict[str, Any]:
    """``{"msg": "OK", "data"?, "total"?}``; clients compare ``msg`` with "OK" exactly. None members are left out."""
    body: dict[str, Any] = {"msg": "OK"}
    if data is not None:
        body["data"] = data
    if total is not None:
        body["total"] = total
    return body
