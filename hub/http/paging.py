"""Which page a request asks for."""

from __future__ import annotations

from flask import request

from hub.base.errors import Invalid
from hub.base.paging import DEFAULT_PER, MAX_PER, PageArgs

MAX_PAGE = 1_000_000


def page_args(*, per: str = "per", default: int = DEFAULT_PER) -> PageArgs:
    """The request's ``page`` and ``per``. Raises Invalid (``REQ-ERR-6``) naming the parameter that is out of bounds.

    per: the parameter's name, and default: its value when absent, on the routes where the contract has other ones.
    """
    return PageArgs(_number("page", 1, MAX_PAGE), _number(per, default, MAX_PER))


def _number(name: str, default: int, most: int) -> int:
    raw = request.args.get(name)
    if raw is None or raw == "":
        return default
    if not raw.isascii() or not raw.isdigit() or len(raw) > 10 or not 1 <= int(raw) <= most:
        raise Invalid(f"'{name}' must be a number from 1 to {most}.", code="REQ-ERR-6", query=name)
    return int(raw)
