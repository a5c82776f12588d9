"""Signing in and up, out, and a new password for who has lost theirs.

Signing in works without scripts, so it is one of the few POSTs of the pages: sent by a page of this very site.
"""

from __future__ import annotations

from flask import Blueprint, Response, redirect, request
from flask_babel import gettext

from hub.accounts.passwords import MIN_PASSWORD_LENGTH
from hub.accounts.second_factor import SecondFactorNeeded
from hub.accounts.service import close_session
from hub.accounts.service.invitations import check_invitation
from hub.accounts.service.resets import can_reset, check_reset_token
from hub.accounts.signing_in import sign_in
from hub.base.errors import Invalid, NotSignedIn, RateLimited
from hub.db.uow import reading, unit_of_work
from hub.http.actor import (
    clear_session_cookie,
    client_address,
    device_keys,
    known_marks,
    open_without_factor,
    session_key,
    set_known_cookie,
    set_session_cookie,
)
from hub.http.context import current_context
from hub.http.errors import status_of
from hub.http.origin import require_own_origin
from hub.web.pages import find_viewer, render_page
from hub.web.second_factor import lead_to_code, next_address

blueprint = Blueprint("sign_in", __name__)

_MAX_LOGIN_CHARS = 300


@blueprint.get("/login")
def show_login() -> Response:
    """The form; who is signed in goes on at once."""
    if not find_viewer().is_anonymous:
        return redirect(next_address(), 303)  # type: ignore[return-value]  # werkzeug's type is wider
    return _render_login(request.args.get("name", ""))


@blueprint.post("/login")
def sign_in_by_form() -> Response:
    """Sign in by name and password, and go to the page that was asked for; by way of the code where one is needed."""
    require_own_origin()
    login = request.form.get("username", "")[:_MAX_LOGIN_CHARS]
    try:
        session, key = sign_in(
            current_context(),
            login=login,
            password=request.form.get("password", ""),
            devices=device_keys(),
            marks=known_marks(),
            address=client_address(),
            user_agent=request.headers.get("User-Agent", ""),
        )
    except SecondFactorNeeded as error:
        return lead_to_code(error.user, is_kept="remember" in request.form)
    except (NotSignedIn, RateLimited) as error:
        response = _render_login(login, fault=_words(error), status=status_of(error))
        if isinstance(error, RateLimited):
            response.headers["Retry-After"] = str(error.details["retry_after_s"])
        return response
    response = redirect(next_address(), 303)  # type: ignore[assignment]
    set_session_cookie(response, key, is_kept="remember" in request.form)
    set_known_cookie(response, session.user)
    return response


def _words(error: NotSignedIn | RateLimited) -> str:
    if isinstance(error, RateLimited):
        minutes = -(-int(error.details["retry_after_s"]) // 60)
        return str(gettext("Too many attempts from your address. Try again in %(minutes)s minutes.", minutes=minutes))
    return str(gettext("The name or the password is wrong."))


def _render_login(login: str, *, fault: str = "", status: int = 200) -> Response:
    return render_page(
        "people/login.html",
        status=status,
        page="L1",
        state="error" if fault else "ready",
        login=login[:_MAX_LOGIN_CHARS],
        fault=fault,
        next=next_address(),
        can_register=current_context().settings.registration,
    )


@blueprint.get("/login/back")
def show_back() -> Response:
    """Where a window ends that was opened to sign in for a form in another."""
    return render_page("people/back.html", page="L1")


@blueprint.post("/logout")
@open_without_factor
def sign_out_by_form() -> Response:
    """Sign out without scripts; harmless for who is not signed in."""
    require_own_origin()
    with unit_of_work(current_context()) as work:
        close_session(work, session_key())
    response = redirect("/", 303)
    clear_session_cookie(response)  # type: ignore[arg-type]
    return response  # type: ignore[return-value]


@blueprint.get("/signup")
def show_signup() -> Response:
    """The form for a new account, or who makes one here."""
    is_open = current_context().settings.registration
    code, invitation, fault = request.args.get("invitation", ""), None, ""
    if code:
        try:
            with reading(current_context()) as work:
                invitation = check_invitation(work, code)
        except Invalid:
            fault = gettext("This invitation is good no more: it was used, taken back, or is too old.")
    is_open = is_open or invitation is not None
    return render_page(
        "people/signup.html",
        page="L3",
        state="error" if fault else "ready" if is_open else "empty",
        is_open=is_open,
        invitation=invitation,
        code=code if invitation is not None else "",
        fault=fault,
        next=next_address(),
        least=MIN_PASSWORD_LENGTH,
    )


@blueprint.get("/login/reset")
def show_reset() -> Response:
    """Asking for a link, or, behind the link, the form for the new password."""
    token, fault = request.args.get("token", ""), ""
    if token:
        try:
            with reading(current_context()) as work:
                check_reset_token(work, token)
        except Invalid:
            token, fault = "", gettext("This link is good no more: it was used, or an hour has passed.")
    return render_page(
        "people/reset.html",
        page="L3",
        state="error" if fault else "ready",
        token=token,
        fault=fault,
        can_reset=can_reset(current_context()),
        least=MIN_PASSWORD_LENGTH,
    )
