"""The blueprint of the CAS service, and how it answers. Source: Xet contract, section 3."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from flask import Response

from hub.plugin.errors import Invalid, NotFound
from hub.plugin.wire import create_wire
from plugins.xnet.formats.hashes import hash_from_text

# Clients know these; everything else that is refused is 400 to them, and final.
_UNTOLD = frozenset({422})
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def render_error(status: int, code: str, message: str, details: dict[str, Any]) -> Response:
    """``{"error": text}``. The request's id is in the header that every answer has."""
    response = answer({"error": message, "code": code}, 400 if status in _UNTOLD else status)
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="xet"'
    return response


def answer(body: Mapping[str, Any], status: int = 200) -> Response:
    """A JSON answer."""
    return Response(json.dumps(body), status=status, mimetype="application/json")


blueprint = create_wire("xnet_web", __name__, url_prefix="/xet", renderer=render_error)


def parse_hash(text: str) -> bytes:
    """The hash that an address names. Raises Invalid (``hash_invalid``)."""
    try:
        return hash_from_text(text)
    except ValueError:
        raise Invalid("A hash is 64 lower-case hexadecimal digits.", code="hash_invalid") from None


@blueprint.route("/", defaults={"rest": ""}, methods=_METHODS)
@blueprint.route("/<path:rest>", methods=_METHODS)
def refuse(rest: str) -> Response:
    """What is not served here is missing, whatever the method: to clients 404 alone means "do without it"."""
    raise NotFound(f"There is no {rest!r} in this service.", code="route_not_found")
