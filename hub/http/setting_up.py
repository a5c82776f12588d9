"""Who may set a hub up that has no administrator yet: who typed its code, and who sits at its machine."""

from __future__ import annotations

from flask import Response, request

from hub.accounts.service.setup import SET_UP, is_set_up_code
from hub.http.context import current_context
from hub.http.origin import hub_url, is_local

SET_UP_COOKIE = "hub_setup"
_MAX_AGE_S = 24 * 3600


def is_set_up_open() -> bool:
    """Whether this hub waits for its first administrator."""
    context = current_context()
    return context[SET_UP].is_open(context)


def may_set_up() -> bool:
    """Whether who asks may set it up. It is theirs to ask first whether there is anything to set up."""
    return is_local() or is_set_up_code(current_context(), request.cookies.get(SET_UP_COOKIE, ""))


def remember_code(response: Response, code: str) -> None:
    """Let this browser go on without typing the code again."""
    is_secure = hub_url().startswith("https://")
    response.set_cookie(SET_UP_COOKIE, code, max_age=_MAX_AGE_S, httponly=True, samesite="Strict", secure=is_secure)
