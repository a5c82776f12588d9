"""The address by which a client reached the hub: clients take addresses apart that they get, and refuse another host.

Source: Hugging Face contract, section 1.1.
"""

from __future__ import annotations

import re

from flask import request

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


def _said(member: str) -> str:
    return request.headers.get(f"X-Forwarded-{member}", "").rpartition(",")[2].strip()
