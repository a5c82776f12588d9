"""Sign-in of a program by a code, as ``hf auth login`` does it. Source: Hugging Face contract, section 3; RFC 8628."""

from __future__ import annotations

import json
from typing import Any

from flask import Response, request

from hub.accounts.service import device_logins
from hub.base.errors import HubError
from hub.compat import oauth_schemas as schemas
from hub.compat.addresses import CompatBlueprint
from hub.db.uow import reading
from hub.http.context import current_context
from hub.http.origin import hub_url

blp = CompatBlueprint("oauth", __name__, description="Sign-in of a program by a code, as huggingface_hub asks")

PAGE = "/settings/access-token"
_DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_FORM = {
    "required": True,
    "content": {"application/x-www-form-urlencoded": {"schema": {"type": "object"}}},
}
# Errors as OAuth words them; the client reads nothing else of an answer. Source: RFC 6749, section 5.2.
_ERRORS = ("invalid_grant", "expired_token")


@blp.post("/oauth/device")
@blp.doc(requestBody=_FORM)
@blp.response(200, schemas.HubDeviceSchema)
def begin_device_login() -> dict[str, Any]:
    """A code for a program to show, and the page where its user agrees. Of the form, nothing is needed."""
    login = device_logins.begin(current_context())
    return {
        "device_code": login.device_code,
        "user_code": login.user_code,
        "verification_uri": f"{hub_url()}{PAGE}?device=",
        "verification_uri_complete": f"{hub_url()}{PAGE}?device={login.user_code}",
        "expires_in": device_logins.LIFE_S,
        "interval": device_logins.INTERVAL_S,
    }


@blp.post("/oauth/token")
@blp.doc(requestBody=_FORM)
@blp.response(200, schemas.HubGivenTokenSchema)
@blp.alt_response(400, schema=schemas.HubOAuthErrorSchema, description="not yet, no more, or never")
def give_token() -> Response:
    """The token that the program's user has agreed to; 400 ``authorization_pending`` until then.

    It is renewed on the page of one's tokens and not here.
    """
    grant = request.form.get("grant_type", "")
    if grant == "refresh_token":
        return _refuse("invalid_grant", "The tokens of this hub are not refreshed: sign in again.")
    if grant != _DEVICE_GRANT:
        return _refuse("unsupported_grant_type", "This hub gives tokens for device codes only.")
    context = current_context()
    try:
        with reading(context) as work:
            given = device_logins.find_given(work, request.form.get("device_code", ""))
            if given is None:
                return _refuse("authorization_pending", "Nobody has agreed to the code yet.")
            token, value = given
            answer: dict[str, Any] = {"access_token": value, "token_type": "bearer", "scope": token.scope.value}
            if token.expires_at is not None:
                answer["expires_in"] = max(1, int((token.expires_at - work.now()).total_seconds()))
    except HubError as error:
        if error.code not in _ERRORS:
            raise
        return _refuse(error.code, str(error))
    return _send(answer, 200)


def _refuse(error: str, description: str) -> Response:
    return _send({"error": error, "error_description": description}, 400)


def _send(answer: dict[str, Any], status: int) -> Response:
    response = Response(json.dumps(answer), status=status, mimetype="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response
