"""What the pages of signing in share: where one goes next, and the half of a sign-in that lacks its code."""

from __future__ import annotations

from flask import Response, redirect, request, url_for

from hub.accounts.models import User
from hub.accounts.signing_in import HALF_TTL_S, make_half
from hub.http.context import current_context
from hub.web.pages import is_own_address

HALF_COOKIE = "hub_half"
HALF_PATH = "/login"


def next_address() -> str:
    """The page that was asked for before signing in; the first page where none of ours was."""
    address = request.values.get("next", "/")
    return address if is_own_address(address) else "/"


def lead_to_code(user: User, *, is_kept: bool) -> Response:
    """Send a browser whose password was right to the page that asks for the code."""
    context = current_context()
    response: Response = redirect(url_for("second_factor.show_code", next=next_address()), 303)  # type: ignore[assignment]
    response.set_cookie(
        HALF_COOKIE,
        make_half(context, user, is_kept=is_kept),
        max_age=HALF_TTL_S,
        path=HALF_PATH,
        httponly=True,
        samesite="Lax",
        secure=context.settings.effective_base_url.startswith("https://"),
    )
    return response
