"""REST of credentials: sessions, registration, passwords, tokens, SSH keys. Routes: CSGHub contract, section 4.6."""

from __future__ import annotations

from typing import Any

from flask import Response, after_this_request, request

from hub.accounts import service
from hub.accounts.attempts import ATTEMPTS, count_attempt
from hub.accounts.authentication import change_password
from hub.accounts.models import TokenScope
from hub.accounts.passwords import hash_password
from hub.accounts.policy import Actor
from hub.accounts.service import device_logins
from hub.accounts.service.invitations import accept
from hub.accounts.service.second_factors import remember_device
from hub.accounts.service.sessions import csrf_token_of
from hub.accounts.signing_in import sign_in
from hub.api import account_schemas as schemas
from hub.api.account_views import (
    key_view,
    new_token_view,
    private_user_view,
    public_user_view,
    token_view,
    user_view,
)
from hub.api.envelope import enveloped, ok
from hub.base.errors import Denied, NotFound
from hub.db.uow import reading, unit_of_work
from hub.http.actor import (
    FACTOR_HEADER,
    clear_session_cookie,
    client_address,
    csrf_token,
    current_actor,
    device_keys,
    known_marks,
    open_without_factor,
    session_key,
    set_device_cookie,
    set_known_cookie,
    set_session_cookie,
)
from hub.http.context import current_context
from hub.http.routing import ApiBlueprint

blp = ApiBlueprint("accounts", __name__, url_prefix="/api/v1", description="Sessions, tokens and keys")

# Who am I: sessions and registration.


@blp.get("/whoami")
@blp.response(200, enveloped(schemas.WhoamiSchema))
@open_without_factor
def whoami() -> dict[str, Any]:
    """The account that the credential stands for, and what the credential allows."""
    actor = current_actor()
    with reading(current_context()) as work:
        view = user_view(work, actor, service.get_own_user(work, actor=actor))
    auth = {"type": actor.via} | ({"scope": actor.scope.value} if actor.scope else {})
    if actor.via == "session":
        auth["csrf_token"] = csrf_token() or ""
    return ok(view | {"auth": auth})


@blp.post("/session")
@blp.arguments(schemas.SignInBody)
@blp.response(200, enveloped(schemas.WhoamiSchema))
def open_session(body: dict[str, Any]) -> dict[str, Any]:
    """Sign in with a name (or e-mail address) and a password; the answer sets the session's cookie.

    An account with a second factor needs a code as well, in the body or the header `X-Second-Factor`: without one the
    answer is 401 with `second_factor_needed`.
    """
    context, code = current_context(), body["code"] or request.headers.get(FACTOR_HEADER, "")
    browser = {"address": client_address(), "user_agent": request.headers.get("User-Agent", "")}
    session, key = sign_in(
        context,
        login=body["username"],
        password=body["password"],
        code=code,
        devices=device_keys(),
        marks=known_marks(),
        **browser,
    )
    user = session.user
    actor, device = Actor.of_user(user, via="session"), ""
    with reading(context) as work:
        view = user_view(work, actor, user)
    if body["remember_device"] and code and user.second_factor_at is not None:
        with unit_of_work(context) as work:
            device = remember_device(work, user=user, **browser)

    @after_this_request
    def send_cookie(response: Response) -> Response:
        set_session_cookie(response, key)
        set_known_cookie(response, user)
        if device:
            set_device_cookie(response, device, user_id=user.id)
        return response

    return ok(view | {"auth": {"type": actor.via, "csrf_token": csrf_token_of(key)}})


@blp.delete("/session")
@blp.response(200, enveloped())
@open_without_factor
def close_session() -> dict[str, Any]:
    """Sign out; harmless when the session has ended already."""
    if current_actor().via == "session":
        with unit_of_work(current_context()) as work:
            service.close_session(work, session_key())

    @after_this_request
    def drop_cookie(response: Response) -> Response:
        clear_session_cookie(response)
        return response

    return ok()


@blp.post("/users")
@blp.arguments(schemas.RegistrationBody)
@blp.response(200, enveloped(schemas.UserSchema))
def register(body: dict[str, Any]) -> dict[str, Any]:
    """Create an account: anybody where registration is open or who is invited, site administrators always."""
    context, actor = current_context(), current_actor()
    if body["invitation"]:
        count_attempt(context[ATTEMPTS], " registration", client_address())
        invited = accept(
            context,
            code=body["invitation"],
            name=body["username"],
            email=body["email"],
            password=body["password"],
            nickname=body["nickname"],
        )
        return ok(public_user_view(invited) | private_user_view(invited))
    if actor.is_anonymous:
        if not context.settings.registration:
            raise Denied("Accounts are created by the administrators of this hub.", code="registration_closed")
        # No account has a space in its name: this counts the address's registrations, not somebody's sign-ins.
        count_attempt(context[ATTEMPTS], " registration", client_address())
    password = hash_password(context, body["password"], name=body["username"], email=body["email"])
    with unit_of_work(context) as work:
        user = service.create_user(
            work,
            actor=actor,
            name=body["username"],
            email=body["email"],
            password=password,
            nickname=body["nickname"],
        )
        return ok(public_user_view(user) | private_user_view(user))


@blp.put("/user/<username>/password")
@blp.arguments(schemas.PasswordBody)
@blp.response(200, enveloped())
def update_password(body: dict[str, Any], username: str) -> dict[str, Any]:
    """Change the password; the user is signed out of every browser."""
    change_password(
        current_context(),
        actor=current_actor(),
        name=username,
        old_password=body["old_password"],
        new_password=body["new_password"],
        address=client_address(),
    )
    return ok()


# Tokens.


@blp.get("/user/<username>/tokens")
@blp.arguments(schemas.TokensQuery, location="query")
@blp.response(200, enveloped(schemas.TokenInfoSchema, many=True))
def list_tokens(query: dict[str, Any], username: str) -> dict[str, Any]:
    """The user's tokens, newest first, their values masked."""
    actor = current_actor()
    with reading(current_context()) as work:
        page = service.list_tokens(work, actor=actor, user=service.get_user(work, username), app=query["app"])
    return ok([token_view(token) for token in page.items])


@blp.post("/token/<app>/<name>")
@blp.arguments(schemas.TokenBody)
@blp.response(200, enveloped(schemas.NewTokenSchema))
def create_token(body: dict[str, Any], app: str, name: str) -> dict[str, Any]:
    """Make a token for oneself; the answer is the only one that holds its value.

    With ``user_code``, the program that shows this code is given it as well (`hf auth login`).
    """
    actor = current_actor()
    with unit_of_work(current_context()) as work:
        user, typed = service.get_own_user(work, actor=actor), body["user_code"]
        token, value = service.create_token(
            work,
            actor=actor,
            user=user,
            value=device_logins.value_to_give(work, user=user, typed=typed) if typed else "",
            name=name,
            scope=TokenScope(body["permission"]),
            app=app,
            expires_at=body["expired_at"],
        )
        return ok(new_token_view(token, value))


@blp.put("/token/<app>/<name>")
@blp.arguments(schemas.RefreshTokenBody)
@blp.response(200, enveloped(schemas.TokenInfoSchema))
def refresh_token(body: dict[str, Any], app: str, name: str) -> dict[str, Any]:
    """Give a token of one's own a new value; the old one ends at once."""
    actor = current_actor()
    with unit_of_work(current_context()) as work:
        user = service.get_own_user(work, actor=actor)
        token, value = service.refresh_token(
            work, actor=actor, user=user, name=name, app=app, expires_at=body["expired_at"]
        )
        return ok(token_view(token, value))


@blp.delete("/token/<app>/<name>")
@blp.response(200, enveloped())
def revoke_token(app: str, name: str) -> dict[str, Any]:
    """End a token of one's own at once."""
    actor = current_actor()
    with unit_of_work(current_context()) as work:
        service.revoke_token(work, actor=actor, user=service.get_own_user(work, actor=actor), name=name, app=app)
    return ok()


@blp.get("/token/<value>")
@blp.arguments(schemas.TokensQuery, location="query")
@blp.response(200, enveloped(schemas.TokenInfoSchema))
def check_token(query: dict[str, Any], value: str) -> dict[str, Any]:
    """What a token is good for; whoever knows its value may ask."""
    with reading(current_context()) as work:
        token = service.find_token(work, value)
    if token is None or query["app"] not in (None, "", token.app):
        raise NotFound("There is no such token, or it has ended.", code="token_not_found")
    return ok(token_view(token, value))


# SSH keys.


@blp.get("/user/<username>/ssh_keys")
@blp.response(200, enveloped(schemas.SSHKeySchema, many=True))
def list_ssh_keys(username: str) -> dict[str, Any]:
    """The user's SSH keys, newest first."""
    actor = current_actor()
    with reading(current_context()) as work:
        page = service.list_ssh_keys(work, actor=actor, user=service.get_user(work, username))
    return ok([key_view(key) for key in page.items])


@blp.post("/user/<username>/ssh_keys")
@blp.arguments(schemas.SSHKeyBody)
@blp.response(200, enveloped(schemas.SSHKeySchema))
def add_ssh_key(body: dict[str, Any], username: str) -> dict[str, Any]:
    """Add a public key."""
    actor = current_actor()
    with unit_of_work(current_context()) as work:
        user = service.get_user(work, username)
        key = service.add_ssh_key(work, actor=actor, user=user, name=body["name"], public_key=body["content"])
        return ok(key_view(key))


@blp.delete("/user/<username>/ssh_key/<name>")
@blp.response(200, enveloped())
def remove_ssh_key(username: str, name: str) -> dict[str, Any]:
    """Remove a public key; it is good no more, at once."""
    actor = current_actor()
    with unit_of_work(current_context()) as work:
        service.remove_ssh_key(work, actor=actor, user=service.get_user(work, username), name=name)
    return ok()
