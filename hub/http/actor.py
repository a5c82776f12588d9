"""Who asks: the actor of the request, from its ``Authorization`` header or its session cookie."""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

from flask import Response, after_this_request, current_app, g, request

from hub.accounts.authentication import Identity, identify_basic, identify_bearer, identify_session, record_use
from hub.accounts.browsers import mark_of
from hub.accounts.models import User
from hub.accounts.policy import ANONYMOUS, Actor
from hub.accounts.second_factor import SecondFactorNeeded
from hub.accounts.service.second_factors import REMEMBER_FOR, REQUIREMENTS
from hub.accounts.service.sessions import csrf_token_of
from hub.base.errors import Denied, HubError, NotSignedIn
from hub.base.settings import Settings, SettingsError, split_names
from hub.db.uow import reading
from hub.http.context import current_context

SESSION_COOKIE = "hub_session"
CSRF_HEADER = "X-CSRF-Token"
# A code of the second factor, beside a name and password.
FACTOR_HEADER = "X-Second-Factor"
# One for each account, with its id: several people may use one browser.
DEVICE_COOKIE = "hub_device_"
KNOWN_COOKIE = "hub_known_"
_KNOWN_FOR_S = 400 * 24 * 3600  # as long as browsers keep a cookie at most
_MAX_COOKIES = 20
# Of a chain of proxies as many as anybody has.
_MAX_PROXIES = 10
_MAX_ADDRESS_CHARS = 64
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

View = TypeVar("View", bound=Callable[..., Any])


def open_without_factor(view: View) -> View:
    """Let a view serve also who must set a second factor up before anything else. The innermost decorator."""
    view.is_open_without_factor = True  # type: ignore[attr-defined]  # functions carry what one likes
    return view


def current_actor() -> Actor:
    """The actor of an API or page request; anonymous when no credential was sent.

    The header's Bearer, ``token`` or Basic credential counts, else the session cookie. A session that has ended is
    as none. A write by session must carry the session's word in ``X-CSRF-Token``. The bearer of the hub's own API
    token acts for the user whom the query's ``current_user`` names (CSGHub contract, section 1.2).
    Raises NotSignedIn for a bad header (AUTH-ERR-5), an unknown ``current_user`` (AUTH-ERR-1), a password without the
    account's second factor (``second_factor_needed``, ``second_factor_wrong``); Denied (``csrf_failed``; AUTH-ERR-2
    for a write with a mirror's token; ``second_factor_missing``), RateLimited.
    """
    if "hub_actor_error" in g:
        # A page that tells of a bad credential asks again who looks at it; that is no second attempt.
        raise g.hub_actor_error
    if "hub_actor" not in g:
        try:
            actor = _actor_of_header(is_git=False)
            g.hub_actor = _actor_of_session() if actor is None else actor
        except HubError as error:
            g.hub_actor_error = error
            raise
    return g.hub_actor  # type: ignore[no-any-return]  # flask.g is untyped


def git_actor() -> Actor:
    """The actor of a Git or LFS request; anonymous when no credential was sent. Cookies do not count.

    Raises NotSignedIn (AUTH-ERR-5) for a bad credential: answered with 401 and ``WWW-Authenticate: Basic``, it makes
    git forget the credential and ask again; so does the password of an account with a second factor
    (``second_factor_needed``). Raises Denied (``second_factor_missing``), RateLimited.
    """
    if "hub_git_actor" not in g:
        try:
            g.hub_git_actor = _actor_of_header(is_git=True) or ANONYMOUS
        except SecondFactorNeeded as error:
            raise NotSignedIn(
                "This account has a second factor: use an access token in place of the password. You make one at "
                f"{current_context().settings.effective_base_url}/settings/access-token",
                code=error.code,
            ) from None
    return g.hub_git_actor  # type: ignore[no-any-return]


def client_address() -> str:
    """The network address that the request came from.

    What a trusted proxy says counts: of the addresses in ``X-Forwarded-For`` the last one that is no trusted proxy.
    """
    forwarded = request.headers.get("X-Forwarded-For", "")
    return address_behind(request.remote_addr or "", forwarded, current_context().settings.trusted_proxies)


def address_behind(address: str, forwarded: str, trusted_proxies: str) -> str:
    """The address of a client whose connection comes from this one. forwarded: the header ``X-Forwarded-For``."""
    trusted = _networks(trusted_proxies)
    if not trusted:
        return address
    named = [part.strip() for part in forwarded.split(",")[-_MAX_PROXIES:]] if forwarded else []
    while named and _is_within(address, trusted):
        address = named.pop()
    return address[:_MAX_ADDRESS_CHARS]


def comes_from_trusted_proxy() -> bool:
    """Whether what the request's ``X-Forwarded-…`` headers say is to be believed."""
    trusted = _networks(current_context().settings.trusted_proxies)
    return bool(trusted) and _is_within(request.remote_addr or "", trusted)


def check_settings(settings: Settings) -> None:
    """Return when the settings of this module can be used. Raises SettingsError."""
    try:
        _networks(settings.trusted_proxies)
    except ValueError as error:
        raise SettingsError(f"setting trusted_proxies: {error}") from None
    if settings.second_factor_required not in REQUIREMENTS:
        raise SettingsError(f"setting second_factor_required: it is one of {', '.join(REQUIREMENTS)}")


@cache
def _networks(text: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(ipaddress.ip_network(name) for name in split_names(text))


def _is_within(address: str, networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in networks)


def _actor_of_header(*, is_git: bool) -> Actor | None:
    header = request.headers.get("Authorization", "").strip()
    if not header:
        return None
    scheme, _, credential = header.partition(" ")
    credential = credential.strip()
    identity: Identity | None = None
    if scheme.lower() in ("bearer", "token"):
        with reading(current_context()) as work:
            identity = identify_bearer(
                work,
                credential,
                current_user=request.args.get("current_user", ""),
                current_user_uuid=request.args.get("current_user_uuid", ""),
            )
    elif scheme.lower() == "basic":
        login, secret = _parse_basic(credential)
        # Git has no header for a code, and would need a new one for each of its requests.
        code = "" if is_git else request.headers.get(FACTOR_HEADER, "")
        identity = identify_basic(current_context(), login, secret, code=code, address=client_address())
    if identity is None:
        raise NotSignedIn("The credential in the Authorization header is not valid.", code="AUTH-ERR-5")
    # Git and LFS read by POST as well; there the token's scope is enough.
    if identity.is_mirror and not is_git and request.method not in _SAFE_METHODS:
        raise Denied("A mirror's token is good for reading only.", code="AUTH-ERR-2")
    _refuse_without_factor(identity)
    _record_after_response(identity)
    return identity.actor


def _parse_basic(credential: str) -> tuple[str, str]:
    try:
        login, colon, secret = base64.b64decode(credential, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        colon = ""
    if not colon:
        raise NotSignedIn("The Authorization header is malformed.", code="AUTH-ERR-5")
    return login, secret


def _actor_of_session() -> Actor:
    key = request.cookies.get(SESSION_COOKIE, "")
    if not key:
        return ANONYMOUS
    with reading(current_context()) as work:
        identity = identify_session(work, key)
    if identity is None:
        return ANONYMOUS
    if request.method not in _SAFE_METHODS:
        given = request.headers.get(CSRF_HEADER, "")
        if not hmac.compare_digest(csrf_token_of(key).encode(), given.encode(errors="replace")):
            raise Denied("The page is out of date; load it again and repeat.", code="csrf_failed")
    _refuse_without_factor(identity)
    _record_after_response(identity)
    return identity.actor


def _refuse_without_factor(identity: Identity) -> None:
    view = current_app.view_functions.get(request.endpoint or "")
    if identity.must_set_up and not getattr(view, "is_open_without_factor", False):
        url = f"{current_context().settings.effective_base_url}/login/second-factor"
        raise Denied(
            f"This hub asks for a second factor: set yours up at {url}; access tokens work without.",
            code="second_factor_missing",
        )


def _record_after_response(identity: Identity) -> None:
    use, context = identity.use, current_context()
    if use is None:
        return

    @after_this_request
    def remember(response: Response) -> Response:
        response.call_on_close(lambda: record_use(context, use))
        return response


def csrf_token() -> str | None:
    """The word that this session's writes must carry; None when the request has no session cookie."""
    key = request.cookies.get(SESSION_COOKIE, "")
    return csrf_token_of(key) if key else None


def session_key() -> str:
    """The key in the request's session cookie; empty when it has none."""
    return request.cookies.get(SESSION_COOKIE, "")


def set_session_cookie(response: Response, key: str, *, is_kept: bool = True) -> None:
    """Hand the browser its session; the row says when it ends. is_kept: not only until the browser is closed."""
    settings = current_context().settings
    response.set_cookie(
        SESSION_COOKIE,
        key,
        max_age=settings.session_ttl_s if is_kept else None,
        httponly=True,
        samesite="Lax",
        secure=settings.effective_base_url.startswith("https://"),
    )


def clear_session_cookie(response: Response) -> None:
    """Make the browser forget its session."""
    response.delete_cookie(SESSION_COOKIE, httponly=True, samesite="Lax")


def device_keys() -> list[str]:
    """The keys by which accounts may remember this browser."""
    return _cookies_named(DEVICE_COOKIE)


def known_marks() -> list[str]:
    """What accounts have left in this browser that signed in with it before."""
    return _cookies_named(KNOWN_COOKIE)


def _cookies_named(prefix: str) -> list[str]:
    named = [value for name, value in request.cookies.items() if name.startswith(prefix)]
    return named[:_MAX_COOKIES]


def set_device_cookie(response: Response, key: str, *, user_id: int) -> None:
    """Let this browser be remembered by the account; the row says for how long."""
    _set_cookie(response, f"{DEVICE_COOKIE}{user_id}", key, max_age_s=int(REMEMBER_FOR.total_seconds()))


def set_known_cookie(response: Response, user: User) -> None:
    """Let the account know this browser the next time that it signs in."""
    _set_cookie(response, f"{KNOWN_COOKIE}{user.id}", mark_of(current_context(), user), max_age_s=_KNOWN_FOR_S)


def _set_cookie(response: Response, name: str, value: str, *, max_age_s: int) -> None:
    is_secure = current_context().settings.effective_base_url.startswith("https://")
    response.set_cookie(name, value, max_age=max_age_s, httponly=True, samesite="Lax", secure=is_secure)
