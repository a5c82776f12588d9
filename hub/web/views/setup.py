"""The first hour of a hub: from an empty volume to the first push. Contract of the pages, W1."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, abort, redirect, request, url_for
from flask_babel import gettext

from hub.accounts.models import TokenScope
from hub.accounts.passwords import MIN_PASSWORD_LENGTH
from hub.accounts.policy import Actor
from hub.accounts.service.setup import check_set_up_code
from hub.base.errors import Denied, Invalid, NotFound, RateLimited
from hub.base.mail import MAILER, LogMailer
from hub.db.uow import reading
from hub.http.actor import client_address
from hub.http.checks import check_address
from hub.http.context import current_context
from hub.http.errors import status_of
from hub.http.health import instance_id
from hub.http.origin import hub_url, is_local, parse_origin, require_own_origin
from hub.http.setting_up import is_set_up_open, may_set_up, remember_code
from hub.licensing.service import LICENSING
from hub.repos.samples import SAMPLES, find_asked
from hub.web.errors import wants_html
from hub.web.pages import find_viewer, render_page
from hub.web.setting_up import (
    OPEN_STEPS,
    STEPS,
    config_path,
    describe_limits,
    let_reach,
    look_at_environment,
    make_store_probe,
    write_config,
)

blueprint = Blueprint("set_up", __name__)

_STEP_COOKIE, _ADDRESS_COOKIE = "hub_setup_step", "hub_setup_address"
_MAX_AGE_S = 7 * 24 * 3600
_ORDER = list(STEPS)


@blueprint.before_app_request
def lead_to_set_up() -> Response | None:
    """Whoever opens a hub that nobody has set up is led there."""
    if request.method != "GET" or request.path not in ("/", "/login", "/signup") or not wants_html():
        return None
    return redirect(url_for("set_up.show_set_up"), 303) if is_set_up_open() else None  # type: ignore[return-value]


@blueprint.get("/setup")
def show_set_up() -> Response:
    """Where one was; who is elsewhere than at the hub's machine types the code first."""
    if is_set_up_open() and not may_set_up():
        return _render_code()
    _open_for(None)
    steps = OPEN_STEPS if is_set_up_open() else tuple(step for step in _ORDER if step not in OPEN_STEPS)
    step = request.cookies.get(_STEP_COOKIE, "")
    return redirect(url_for("set_up.show_step", step=step if step in steps else steps[0]), 303)  # type: ignore[return-value]


@blueprint.post("/setup")
def take_code() -> Response:
    """Take the code that the hub's log has, and go on."""
    require_own_origin()
    if not is_set_up_open():
        raise NotFound("This hub is set up.")
    code = request.form.get("code", "")
    try:
        check_set_up_code(current_context(), code, address=client_address())
    except (Denied, RateLimited) as error:
        return _render_code(fault=str(error), status=status_of(error))
    response = redirect(url_for("set_up.show_set_up"), 303)
    remember_code(response, code)  # type: ignore[arg-type]  # werkzeug's type is wider
    return response  # type: ignore[return-value]


def _render_code(*, fault: str = "", status: int = 200) -> Response:
    state = "error" if fault else "ready"
    return render_page("setup/code.html", status=status, page="W1", state=state, fault=fault)


def _open_for(step: str | None) -> Actor:
    """Who sets this hub up, where the step is theirs to see. Raises NotFound once somebody else has done it."""
    viewer = find_viewer()
    if is_set_up_open():
        if not may_set_up():
            abort(redirect(url_for("set_up.show_set_up"), 303))
        if step is not None and step not in OPEN_STEPS:
            abort(redirect(url_for("set_up.show_step", step="administrator"), 303))
        return viewer
    if not viewer.is_admin or viewer.is_anonymous:
        raise NotFound("This hub is set up.")
    if step in OPEN_STEPS and step != "address":
        abort(redirect(url_for("set_up.show_step", step="edition"), 303))
    return viewer


@blueprint.get("/setup/<step>")
def show_step(step: str) -> Response:
    """One step."""
    if step not in STEPS:
        raise NotFound("There is no such step.")
    viewer = _open_for(step)
    at = _ORDER.index(step)
    values = _VALUES[step](viewer) if step in _VALUES else {}
    response = render_page(
        f"setup/{step}.html",
        page="W1",
        steps=STEPS,
        step=step,
        is_open=is_set_up_open(),
        open_steps=OPEN_STEPS,
        before=_ORDER[at - 1] if at else None,
        after=_ORDER[at + 1] if at + 1 < len(_ORDER) else None,
        **values,
    )
    response.set_cookie(_STEP_COOKIE, step, max_age=_MAX_AGE_S, samesite="Lax", httponly=True)
    for origin in filter(None, (values.get("base_url"), values.get("probe"))):
        let_reach(response, str(origin))
    return response


def _chosen_address() -> str:
    try:
        return parse_origin(request.cookies.get(_ADDRESS_COOKIE, ""))
    except Invalid:
        return hub_url()


@blueprint.post("/setup/address")
def choose_address() -> Response:
    """Remember the address that this hub shall be reached by, and try it."""
    require_own_origin()
    _open_for("address")
    base_url = parse_origin(request.form.get("base_url", ""))
    response = redirect(url_for("set_up.show_step", step="address"), 303)
    response.set_cookie(_ADDRESS_COOKIE, base_url, max_age=_MAX_AGE_S, samesite="Lax", httponly=True)
    return response  # type: ignore[return-value]


@blueprint.get("/setup/environment/checks")
def show_environment() -> Response:
    """What the machine is like; it takes a moment, so the page asks for it afterwards."""
    _open_for("environment")
    return render_page("setup/_checks.html", checks=look_at_environment(current_context()))


@blueprint.get("/setup/address/server")
def show_address_check() -> Response:
    """Whether the hub finds itself at the chosen address."""
    _open_for("address")
    found = check_address(current_context(), _chosen_address())
    return render_page("setup/_checks.html", checks=[found], title=gettext("From the hub's machine"))


@blueprint.get("/setup/content/progress")
def show_progress() -> Response:
    """How far the sample content is."""
    return render_page("setup/_samples.html", **_content_values(_open_for("content")))


@blueprint.get("/setup/hub.toml")
def send_config() -> Response:
    """The settings of this hub as a file."""
    _open_for("finish")
    response = Response(write_config(current_context(), base_url=_chosen_address()), mimetype="application/toml")
    response.headers.set("Content-Disposition", "attachment", filename="hub.toml")
    response.headers["Cache-Control"] = "private, no-store"
    return response


# What the steps' templates see.


def _address_values(_viewer: Actor) -> dict[str, Any]:
    context = current_context()
    settings = context.settings
    return {
        "base_url": _chosen_address(),
        "here_url": hub_url(),
        "in_force": settings.effective_base_url,
        "is_set": bool(settings.base_url),
        "instance": instance_id(context),
        "probe": make_store_probe(context),
        "config_path": config_path(settings),
        "settings": settings,
    }


def _edition_values(_viewer: Actor) -> dict[str, Any]:
    return {"standing": current_context()[LICENSING].standing()}


def _storage_values(_viewer: Actor) -> dict[str, Any]:
    context = current_context()
    return {"rows": describe_limits(context), "config_path": config_path(context.settings)}


def _mail_values(_viewer: Actor) -> dict[str, Any]:
    context = current_context()
    mailer = context[MAILER]
    return {
        "is_log": isinstance(mailer, LogMailer),
        "told": mailer.describe(),
        "sender": mailer.sender,
        "config_path": config_path(context.settings),
    }


def _content_values(viewer: Actor) -> dict[str, Any]:
    with reading(current_context()) as work:
        return {"job": find_asked(work, actor=viewer), "samples": SAMPLES, "owner": viewer.name}


def _finish_values(viewer: Actor) -> dict[str, Any]:
    context = current_context()
    return {
        "config": write_config(context, base_url=_chosen_address()),
        "config_path": config_path(context.settings),
        "base_url": context.settings.effective_base_url,
        "scope": TokenScope.WRITE.value,
        "owner": viewer.name,
    }


def _administrator_values(_viewer: Actor) -> dict[str, Any]:
    return {"least": MIN_PASSWORD_LENGTH, "is_local": is_local()}


_VALUES = {
    "address": _address_values,
    "administrator": _administrator_values,
    "edition": _edition_values,
    "storage": _storage_values,
    "mail": _mail_values,
    "content": _content_values,
    "finish": _finish_values,
}
