"""The address by which a client reached the hub: clients take addresses apart that they get, and refuse another host.

Source: Hugging Face contract, section 1.1.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from flask import request

from hub.base.errors import Denied, Invalid
from hub.http.actor import comes_from_trusted_proxy

_SCHEMES = ("http", "https")
_HOST = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?\Z")
_PREFIX = re.compile(r"(?:/[A-Za-z0-9._~-]{1,100}){1,10}\Z")


def hub_url() -> str:
    """The hub as the client reached it (``https://hub.example.com``), without a slash at its end.

    What a trusted proxy (setting ``trusted_proxies``) says in ``X-Forwarded-Proto``, ``-Host`` and ``-Prefix`` counts,
    member by member, where it has the form of one; of several values the last, which the nearest proxy wrote.
    """
    if not comes_from_trusted_proxy():
        return request.host_url.rstrip("/")
    scheme = _said("Proto").lower()
    host = _said("Host")
    prefix = _said("Prefix").rstrip("/")
    scheme = scheme if scheme in _SCHEMES else request.scheme
    host = host if _HOST.match(host) else request.host
    return f"{scheme}://{host}{prefix if _PREFIX.match(prefix) else ''}"


def require_own_origin() -> None:
    """Return unless a browser says that the request was made by another site's page; for forms without a session.

    Raises Denied (``origin_foreign``).
    """
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site", "same-origin")
    if (origin is not None and origin.lower() != _origin_of(hub_url())) or site not in ("same-origin", "none"):
        raise Denied(
            "This form was sent from another site's page. Open it here and send it again.", code="origin_foreign"
        )


def is_local() -> bool:
    """Whether it comes from a browser or program on this very machine, that means this machine, and no proxy's.

    A page elsewhere whose name was made to lead here still names itself as the host.
    """
    try:
        is_loopback = ipaddress.ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        return False
    # A proxy that nobody told to name the client still gives itself away: nginx asks in HTTP/1.0, as no browser does.
    is_relayed = request.environ.get("SERVER_PROTOCOL") == "HTTP/1.0" or any(
        name in request.headers for name in ("X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Forwarded", "Via")
    )
    host = urlsplit(f"//{request.host}").hostname or ""
    return is_loopback and not is_relayed and host in ("localhost", "127.0.0.1", "::1")


def parse_origin(text: str) -> str:
    """What stands before the path of an address by which a hub may be reached: ``https://hub.example.com:8443``.

    Raises Invalid (``address_invalid``) for what is no such address, or has a path, a query or a credential.
    """
    scheme, _, rest = text.strip().rstrip("/").partition("://")
    if scheme.lower() not in _SCHEMES or not _HOST.match(rest):
        raise Invalid(
            "An address begins with http:// or https:// and has a host name, and a port where it is not the usual one.",
            code="address_invalid",
            member="base_url",
        )
    return f"{scheme.lower()}://{rest.lower()}"


def _origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def _said(member: str) -> str:
    return request.headers.get(f"X-Forwarded-{member}", "").rpartition(",")[2].strip()
