"""OpenAI's responses. Source: gateway contract, section 1.8.

Upstreams that speak this protocol are asked as the client asked; the others are asked for a chat, and what they answer
is told as a response that nobody keeps.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from hub.plugin import Context
from hub.plugin.errors import Invalid
from hub.plugin.outgoing import Exchange, NoAnswer
from plugins.inference.catalogue import DISABLED, NATIVE, OPENAI, Served, Server
from plugins.inference.gateway import faults
from plugins.inference.gateway.answers import read_answer, use_of
from plugins.inference.gateway.asking import ask_server
from plugins.inference.gateway.calls import Answer, Asked, CallKind, JsonPayload, Resource, Spoken
from plugins.inference.gateway.completions import model_of, most_tokens
from plugins.inference.gateway.faults import Fault
from plugins.inference.gateway.ledger import Ledger
from plugins.inference.gateway.responses_answers import ADAPTED, Frame, ResponseVoice, to_response
from plugins.inference.gateway.responses_native import Kept, NativeVoice, Stamp, finish_reason_of, open_id
from plugins.inference.gateway.responses_requests import to_chat
from plugins.inference.gateway.routing import endpoint_of
from plugins.inference.gateway.translating import Sayable, Voice, VoicedRelay, end_with, reason_of
from plugins.inference.gateway.usage import TokenUse, Use, estimate_prompt, read_usage
from plugins.inference.gateway.wire import Request
from plugins.inference.keys import Bearer
from plugins.inference.settings import InferenceSettings

if TYPE_CHECKING:
    from plugins.inference.gateway.caller import Caller

ROUTE, CHAT = "responses", "chat/completions"
# What an upstream would do or show that is not counted, or not its caller's alone.
_REFUSED = ("background", "conversation", "prompt")


class _Own(Sayable):
    """A request, on what it follows, and what the answer to a chat is told in."""

    previous: Kept | None = None
    frame: Frame | None = None

    def say(self) -> dict[str, Any]:
        self.frame = Frame(self.data)
        return to_chat(self.data)


class Responses(CallKind):
    """Answers that may be kept."""

    name = ROUTE
    paths = ("/v1/responses",)

    def read(self, request: Request, settings: InferenceSettings) -> Asked:
        data = request.read_json(settings.max_body_bytes)
        model = model_of(data)
        for name in _REFUSED:
            if data.get(name):
                raise faults.unsupported(name)
        is_stream = data.get("stream") is True
        return Asked(model, CHAT, JsonPayload(data), is_stream, estimate_prompt(data, settings), _Own(data))

    def judge(self, asked: Asked, bearer: Bearer, context: Context) -> None:
        own: _Own = asked.own
        id = own.data.get("previous_response_id")
        if id is None:
            return
        if isinstance(id, str) and id.startswith(ADAPTED):
            raise faults.unsupported("previous_response_id, of a response that nobody keeps")
        own.previous = open_id(context, id, bearer.owner_uuid) if isinstance(id, str) else None
        if own.previous is None:
            raise _no_previous()
        asked.payload = JsonPayload(own.data | {"previous_response_id": own.previous.id})

    def most(self, asked: Asked, model: Served, settings: InferenceSettings) -> TokenUse:
        own: _Own = asked.own
        if own.previous is not None and own.previous.model != model.name:
            raise _no_previous()
        if own.previous is None and not any(server.responses == NATIVE for server in model.servers):
            # Why it cannot be said is worth more than that nobody can be asked.
            own.chat()
        wanted = {"max_tokens": own.data.get("max_output_tokens")}
        return TokenUse(asked.prompt_tokens, completion=most_tokens(wanted, model, settings))

    def suits(self, asked: Asked, server: Server) -> bool:
        own: _Own = asked.own
        if own.previous is not None:
            return server.id == own.previous.server_id and server.responses == NATIVE
        return server.responses == NATIVE or (server.responses != DISABLED and own.is_chat)

    def refuse(self, asked: Asked) -> Fault:
        if asked.own.previous is None:
            return super().refuse(asked)
        message = "Who keeps the previous response cannot be asked now."
        return faults.bad_request(message, param="previous_response_id", code="response_route_unavailable")

    def speak(self, asked: Asked, server: Server, most: Use) -> Spoken:
        own: _Own = asked.own
        if server.responses == NATIVE:
            return Spoken(ROUTE, asked.payload)
        if server.protocol == OPENAI:
            return Spoken(CHAT, JsonPayload(own.chat()))
        # Deliberately late: most hubs have no upstream of another protocol.
        from plugins.inference.gateway.messages_upstream import speak_chat

        return speak_chat(own.chat(), most)

    def answer(self, ledger: Ledger, exchange: Exchange, asked: Asked, settings: InferenceSettings) -> Answer:
        data = read_answer(ledger, exchange, settings)
        stamp = _stamp_of(ledger, asked)
        said = data.get("output") if stamp is not None else data.get("choices")
        use = use_of(ledger, read_usage(data.get("usage")), prompt=asked.prompt_tokens, said=said)
        if stamp is not None:
            response, reason = stamp.put(data), finish_reason_of(data)
        else:
            response = to_response(data, use, _frame_of(ledger, asked))
            reason = reason_of(data)
        return end_with(ledger, response, use, reason)

    def relay(self, ledger: Ledger, exchange: Exchange, asked: Asked) -> VoicedRelay:
        stamp = _stamp_of(ledger, asked)
        voice: Voice = ResponseVoice(_frame_of(ledger, asked)) if stamp is None else NativeVoice(stamp)
        return VoicedRelay(ledger, exchange, asked.prompt_tokens, voice)


def _frame_of(ledger: Ledger, asked: Asked) -> Frame:
    """What the answer to a chat is told in."""
    frame: Frame | None = asked.own.frame
    assert frame is not None
    frame.model = ledger.model.name
    return frame


def _stamp_of(ledger: Ledger, asked: Asked) -> Stamp | None:
    """None: the upstream was asked for a chat."""
    server = ledger.server
    if server is None or server.responses != NATIVE:
        return None
    previous = asked.own.data.get("previous_response_id")
    return Stamp(ledger.context, ledger.bearer.owner_uuid, ledger.model.name, server.id, previous)


def _no_previous() -> Fault:
    message = "There is no such previous response of this model."
    return faults.bad_request(message, param="previous_response_id", code="previous_response_not_found")


def _not_found() -> Fault:
    return Fault(404, "invalid_request_error", "response_not_found", "There is no such response.")


class KeptResponses(Resource):
    """Responses that an upstream keeps: shown and deleted for whoever asked for them."""

    prefix = "/v1/responses"

    def answer(self, caller: Caller, request: Request, rest: str) -> Answer:
        if "/" in rest:
            raise faults.unknown_route(request.path[:200])
        if request.method not in ("GET", "DELETE"):
            raise faults.wrong_method(request.method)
        bearer = caller.authenticate(request.bearer)
        if not bearer.rules.allows_route(ROUTE):
            raise faults.not_this_route(ROUTE)
        kept = open_id(caller.context, rest, bearer.owner_uuid)
        if kept is None:
            raise _not_found()
        model = caller.find_model(bearer, kept.model)
        server = next((each for each in model.servers if each.id == kept.server_id), None)
        if server is None or server.responses != NATIVE:
            raise _not_found()
        admission = caller.admitter.admit(bearer, secrets.token_hex(12), tokens=0, cost_nano=0)
        try:
            found = _ask(caller.context, server, request.method, kept.id)
        finally:
            caller.admitter.settle(admission, tokens=0, cost_nano=0)
        if request.method == "DELETE":
            return Answer.of({"id": rest, "object": "response.deleted", "deleted": True})
        previous = found.get("previous_response_id")
        stamp = Stamp(caller.context, bearer.owner_uuid, model.name, server.id, None)
        # Its caller's as well, and sealed anew.
        previous = stamp.seal(previous) if isinstance(previous, str) else None
        found |= {"id": rest, "model": model.name, "previous_response_id": previous}
        return Answer.of(found)


def _ask(context: Context, server: Server, method: str, id: str) -> dict[str, Any]:
    """What the upstream says of a response. Raises Fault."""
    try:
        status, found = ask_server(context, server, method, endpoint_of(server.url, f"{ROUTE}/{quote(id, safe='')}"))
    except NoAnswer as error:
        raise faults.no_answer(error) from error
    except Invalid as error:
        raise faults.upstream_failed() from error
    if status == 404:
        raise _not_found()
    if status != 200 or not isinstance(found, dict):
        raise faults.upstream_failed()
    return found
