"""Upstreams that speak the protocol of responses themselves, and keep what was answered. Source: section 1.8.

What a client gets to see is not the upstream's id but a sealed one, that tells whose it is and who keeps it: nobody
else's is taken, and what follows on an answer goes where that one is kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import Any

from hub.plugin import Context
from hub.plugin.errors import HubError
from hub.plugin.signing import Sealer, create_sealer
from plugins.inference.gateway import faults
from plugins.inference.gateway.faults import Fault
from plugins.inference.gateway.responses_answers import ADAPTED, KEEP_ALIVE
from plugins.inference.gateway.translating import encode_event
from plugins.inference.gateway.usage import Heard, TokenUse, or_estimate, read_usage

_PREFIX = "resp_"
_MAX_ID_CHARS = 4096
_ENDS = frozenset({"response.completed", "response.incomplete", "response.failed"})


@dataclass(frozen=True)
class Kept:
    """An answer that an upstream keeps."""

    owner_uuid: str
    model: str
    server_id: int
    id: str


def _sealer(context: Context) -> Sealer:
    return create_sealer(context, "inference-responses")


def seal_id(context: Context, kept: Kept) -> str:
    """The id that clients are told; each time another one."""
    return _PREFIX + _sealer(context).seal(json.dumps(astuple(kept)))


def open_id(context: Context, id: str, owner_uuid: str) -> Kept | None:
    """What a client's id means; None for one that is none, or another owner's."""
    sealed = id.removeprefix(_PREFIX)
    if sealed == id or len(id) > _MAX_ID_CHARS or not id.isascii() or id.startswith(ADAPTED):
        return None
    try:
        kept = Kept(*json.loads(_sealer(context).open(sealed)))
    except HubError:
        return None
    return kept if kept.owner_uuid == owner_uuid else None


class Stamp:
    """Puts the client's names on the upstream's answers: the model's, and the ids of this answer and the one before."""

    def __init__(self, context: Context, owner_uuid: str, model: str, server_id: int, previous: str | None) -> None:
        self._context = context
        self._owner_uuid, self._model, self._server_id = owner_uuid, model, server_id
        self._previous = previous
        self._sealed: dict[str, str] = {}

    def put(self, response: dict[str, Any]) -> dict[str, Any]:
        """The response, changed. Raises Fault when it has no id."""
        id = response.get("id")
        if not isinstance(id, str):
            raise faults.upstream_failed()
        if id not in self._sealed:
            # One and the same for all events of a stream.
            self._sealed = {id: self.seal(id)}
        response["id"] = self._sealed[id]
        if "model" in response:
            response["model"] = self._model
        if response.get("previous_response_id") is not None:
            response["previous_response_id"] = self._previous
        return response

    def seal(self, id: str) -> str:
        """The client's id for one of the upstream's."""
        return seal_id(self._context, Kept(self._owner_uuid, self._model, self._server_id, id))


def finish_reason_of(response: Mapping[str, Any]) -> str:
    """Why a response ended: its status, or what kept it from being whole."""
    details = response.get("incomplete_details")
    reason = details.get("reason") if isinstance(details, dict) else None
    return str(reason or response.get("status") or "")


class NativeVoice:
    """Passes events on untouched, but for names, ids and errors."""

    def __init__(self, stamp: Stamp) -> None:
        self.finish_reason = ""
        self.is_complete = False
        self._stamp = stamp
        self._use: TokenUse | None = None
        self.heard = Heard()
        self._number = -1
        self._response: dict[str, Any] = {}
        self._last = b""

    def take(self, data: dict[str, Any], event: bytes) -> bytes:
        """As ``Voice`` says."""
        kind = data.get("type")
        if kind == "error":
            raise faults.upstream_failed()
        if isinstance(data.get("sequence_number"), int):
            self._number = data["sequence_number"]
        response = data.get("response")
        if not isinstance(response, dict):
            if isinstance(data.get("delta"), str):
                self.heard.add(data["delta"])
            return event + b"\n\n"
        self._response = self._stamp.put(response)
        self._use = read_usage(response.get("usage")) or self._use
        said = encode_event(str(kind), data)
        if kind in _ENDS:
            # Said when the call is in its account.
            self.finish_reason, self.is_complete, self._last = finish_reason_of(response), True, said
            return b""
        return said

    def keep_alive(self) -> bytes:
        """As ``Voice`` says."""
        return KEEP_ALIVE

    def use(self, prompt_tokens: int) -> TokenUse:
        """As ``Voice`` says."""
        return or_estimate(self._use, prompt=prompt_tokens, characters=self.heard.characters)

    def end(self, use: TokenUse) -> bytes:
        """As ``Voice`` says."""
        return self._last

    def fail(self, fault: Fault) -> bytes:
        """As ``Voice`` says."""
        response = self._response | {"status": "failed", "error": {"code": "server_error", "message": fault.message}}
        data = {"type": "response.failed", "sequence_number": self._number + 1, "response": response}
        return encode_event("response.failed", data)
