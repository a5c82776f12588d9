"""The second step of signing in, and setting the second factor up where the hub asks for one.

As signing in, giving the code works without scripts.
"""

from __future__ import annotations

from flask import Blueprint, Response, redirect, request, url_for
from flask_babel import gettext

from hub.accounts import service
from hub.accounts.policy import ANONYMOUS
from hub.accounts.service.second_factors import MAX_CODE_CHARS, NOBODY, must_set_up, remember_device
from hub.accounts.signing_in import finish_sign_in, read_half
from hub.base.errors import Denied, HubError, NotSignedIn, RateLimited
from hub.db.uow import reading, unit_of_work
from hub.http.actor import (
    client_address,
    current_actor,
    known_marks,
    open_without_factor,
    session_key,
    set_device_cookie,
    set_known_cookie,
    set_session_cookie,
)
from hub.http.context import current_context
from hub.http.origin import require_own_origin
from hub.web.errors import wants_html
from hub.web.pages import render_page, wants_part
from hub.web.second_factor import HALF_COOKIE, HALF_PATH, next_address
from hub.web.signed_in import require_viewer

blueprint = Blueprint("second_factor", __name__)


@blueprint.before_app_request
def lead_to_set_up() -> Response | None:
    """Whoever must have a second factor and has none is led to set it up, whatever page they open."""
    if current_context().settings.second_factor_required == NOBODY or request.method != "GET":
        return None
    if not session_key() or wants_part() or not wants_html() or request.endpoint in _ALWAYS:
        return None
    try:
        current_actor()
    except Denied as error:
        if error.code == "second_factor_missing":
            return redirect(url_for("second_factor.show_set_up", next=request.full_path.rstrip("?")), 303)  # type: ignore[return-value]
    except HubError:
        pass  # the page itself says so
    return None


# What the page that one is led to is made of.
_ALWAYS = frozenset({"site.send_static", "site.send_built", "second_factor.show_set_up"})


@blueprint.get("/login/code")
def show_code() -> Response:
    """The form for the code; ``recovery``: for a recovery code."""
    with reading(current_context()) as work:
        half = read_half(work, request.cookies.get(HALF_COOKIE, ""))
    if half is None:
        return _begin_anew()
    return _render_code(half.user.name)


def _begin_anew() -> Response:
    return redirect(url_for("sign_in.show_login", next=next_address()), 303)  # type: ignore[return-value]


@blueprint.post("/login/code")
def take_code() -> Response:
    """Sign in by the code, and go to the page that was asked for."""
    require_own_origin()
    context, browser = current_context(), {"address": client_address()}
    browser["user_agent"] = request.headers.get("User-Agent", "")
    half = request.cookies.get(HALF_COOKIE, "")
    try:
        code = request.form.get("code", "")[:MAX_CODE_CHARS]
        session, key, is_kept = finish_sign_in(context, half=half, code=code, marks=known_marks(), **browser)
    except (NotSignedIn, RateLimited) as error:
        return _refuse(half, error)
    response: Response = redirect(next_address(), 303)  # type: ignore[assignment]
    set_session_cookie(response, key, is_kept=is_kept)
    set_known_cookie(response, session.user)
    response.delete_cookie(HALF_COOKIE, path=HALF_PATH)
    if "remember_device" in request.form:
        with unit_of_work(context) as work:
            device = remember_device(work, user=session.user, **browser)
        set_device_cookie(response, device, user_id=session.user_id)
    return response


def _refuse(half: str, error: NotSignedIn | RateLimited) -> Response:
    with reading(current_context()) as work:
        found = read_half(work, half)
    if found is None:
        return _begin_anew()
    if isinstance(error, RateLimited):
        wait_s = int(error.details["retry_after_s"])
        fault = gettext("Too many attempts. Try again in %(minutes)s minutes.", minutes=-(-wait_s // 60))
        response = _render_code(found.user.name, fault=fault, status=429)
        response.headers["Retry-After"] = str(wait_s)
        return response
    fault = gettext("The code is wrong, or was used before. Wait for the next one.")
    if request.values.get("recovery"):
        fault = gettext("This is no recovery code of yours, or it was used before.")
    return _render_code(found.user.name, fault=fault, status=401)


def _render_code(name: str, *, fault: str = "", status: int = 200) -> Response:
    return render_page(
        "people/code.html",
        status=status,
        page="L1",
        state="error" if fault else "ready",
        name=name,
        fault=fault,
        next=next_address(),
        is_recovery=bool(request.values.get("recovery")),
        most=MAX_CODE_CHARS,
    )


@blueprint.get("/login/second-factor")
@open_without_factor
def show_set_up() -> Response:
    """Setting the second factor up, for who may do nothing else before that."""
    actor = require_viewer()
    with reading(current_context()) as work:
        user = service.get_own_user(work, actor=actor)
    if not must_set_up(current_context().settings, user):
        return redirect(next_address(), 303)  # type: ignore[return-value]
    # The bar has nothing for them yet.
    return render_page(
        "people/second_factor.html", page="L1", user=user, viewer=ANONYMOUS, is_half=True, next=next_address()
    )
