"""Short questions to upstreams beside their calls: what they count, or keep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from hub.plugin import Context
from hub.plugin.outgoing import Patience, get_channels, get_own_channels
from plugins.inference.catalogue import Server
from plugins.inference.gateway.translating import read_json

_PATIENCE = Patience(connect_s=2.0, head_s=10.0, piece_s=5.0)
_MAX_ANSWER_BYTES = 16 * 1024 * 1024


def ask_server(
    context: Context,
    server: Server,
    method: str,
    url: str,
    *,
    data: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    patience: Patience = _PATIENCE,
) -> tuple[int, Any]:
    """The status of an upstream's answer, and what its JSON holds; None when it is none.

    headers: beside the upstream's own, which come first. Raises NoAnswer, Invalid (``outgoing_refused``).
    """
    channels = get_own_channels(context) if server.is_own else get_channels(context)
    sent = {"Content-Type": "application/json", **server.headers}
    sent |= beside(headers or {}, sent)
    body = msgspec.json.encode(data) if data is not None else b""
    with channels.open(method, url, headers=sent, body=body, patience=patience) as exchange:
        answer, is_whole = exchange.read(_MAX_ANSWER_BYTES, timeout_s=patience.head_s)
        return exchange.status, read_json(answer) if is_whole else None


def beside(more: Mapping[str, str], sent: Mapping[str, str]) -> Mapping[str, str]:
    """Those that are not sent already, in whatever letters."""
    known = {name.lower() for name in sent} if more else ()
    return {name: value for name, value in more.items() if name.lower() not in known}
