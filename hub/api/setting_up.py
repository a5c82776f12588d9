"""REST of a hub's first hour, and of passwords that were lost. Ours: the contract has no routes for these."""

from __future__ import annotations

from typing import Any

from flask import Response, after_this_request, request

from hub.accounts.policy import Actor, require_site_admin
from hub.accounts.service import resets, setup
from hub.accounts.service.fields import validate_email
from hub.accounts.service.sessions import csrf_token_of
from hub.api import account_schemas as schemas
from hub.api.account_views import user_view
from hub.api.envelope import enveloped, ok
from hub.base.errors import Conflict
from hub.base.mail import MAILER, send_test
from hub.db.uow import reading, unit_of_work
from hub.http.actor import client_address, current_actor, set_known_cookie, set_session_cookie
from hub.http.context import current_context
from hub.http.origin import is_local, require_own_origin
from hub.http.routing import PREFIX, ApiBlueprint
from hub.http.setting_up import SET_UP_COOKIE
from hub.repos.samples import ask_for_samples

blp = ApiBlueprint("setup", __name__, url_prefix=PREFIX, description="Setting a hub up; lost passwords")


@blp.post("/setup/administrator")
@blp.arguments(schemas.SetUpBody)
@blp.response(200, enveloped(schemas.WhoamiSchema))
def create_administrator(body: dict[str, Any]) -> dict[str, Any]:
    """Make the first administrator of a hub that has none, and sign them in.

    For who holds the code that `hub serve` prints, and for who sits at the hub's own machine. Refused with
    `set_up_done` once there is an administrator: of two who try at once, one wins.
    """
    context = current_context()
    require_own_origin()
    if not context[setup.SET_UP].is_open(context):
        raise Conflict("Somebody has set this hub up already: it has an administrator.", code="set_up_done")
    if not is_local():
        code = body["code"] or request.cookies.get(SET_UP_COOKIE, "")
        setup.check_set_up_code(context, code, address=client_address())
    user, key = setup.create_first_administrator(
        context,
        name=body["username"],
        email=body["email"],
        password=body["password"],
        address=client_address(),
        user_agent=request.headers.get("User-Agent", ""),
    )
    actor = Actor.of_user(user, via="session")
    with reading(context) as work:
        view = user_view(work, actor, user)

    @after_this_request
    def send_cookie(response: Response) -> Response:
        set_session_cookie(response, key)
        set_known_cookie(response, user)
        response.delete_cookie(SET_UP_COOKIE)
        return response

    return ok(view | {"auth": {"type": actor.via, "csrf_token": csrf_token_of(key)}})


@blp.post("/setup/samples")
@blp.response(200, enveloped(schemas.AskedJobSchema))
def make_samples() -> dict[str, Any]:
    """Have a small data set and a small model made in one's own namespace, by a job; what is there already stays."""
    with unit_of_work(current_context()) as work:
        return ok({"job": ask_for_samples(work, actor=current_actor()).uuid})


@blp.post("/password_resets")
@blp.arguments(schemas.ResetRequestBody)
@blp.response(200, enveloped())
def ask_for_reset(body: dict[str, Any]) -> dict[str, Any]:
    """Have a link for a new password sent to an account. The answer is the same whether there is such an account."""
    resets.ask_for_reset(current_context(), login=body["login"], address=client_address())
    return ok()


@blp.put("/password_resets")
@blp.arguments(schemas.ResetBody)
@blp.response(200, enveloped())
def reset_password(body: dict[str, Any]) -> dict[str, Any]:
    """Choose a new password by the token of such a link; the account is signed out of every browser."""
    resets.reset_password(current_context(), token=body["token"], new_password=body["new_password"])
    return ok()


@blp.post("/admin/mail/test")
@blp.arguments(schemas.TestMailBody)
@blp.response(200, enveloped())
def send_test_mail(body: dict[str, Any]) -> dict[str, Any]:
    """Send a message to an address, now, to see whether e-mail goes out; for site administrators."""
    context = current_context()
    with reading(context) as work:
        require_site_admin(work, current_actor())
    to = validate_email(body["address"])
    send_test(context[MAILER], to=to, base_url=context.settings.effective_base_url)
    return ok()
