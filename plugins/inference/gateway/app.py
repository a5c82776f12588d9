"""The gateway's WSGI application. Source of routes: gateway contract, section 1.1."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from hub.plugin import Context, get_logger
from hub.plugin.errors import HubError
from plugins.inference.files.routes import Batches, Files
from plugins.inference.gateway import faults, wire
from plugins.inference.gateway.audio import KINDS as AUDIO
from plugins.inference.gateway.caller import Caller, Client
from plugins.inference.gateway.calls import Answer, CallKind, Dialect, Relay, Resource
from plugins.inference.gateway.completions import KINDS as COMPLETIONS
from plugins.inference.gateway.faults import ClientGone, Fault
from plugins.inference.gateway.images import KINDS as IMAGES
from plugins.inference.gateway.listing import Models
from plugins.inference.gateway.messages import COUNTERS, Messages
from plugins.inference.gateway.moderations import KINDS as MODERATIONS
from plugins.inference.gateway.ocr import KINDS as OCR
from plugins.inference.gateway.responses import KeptResponses, Responses
from plugins.inference.gateway.video import KINDS as VIDEO
from plugins.inference.gateway.video_tasks import OldVideoTasks, VideoTasks
from plugins.inference.gateway.wire import Request

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

log = get_logger(__name__)

KINDS: tuple[CallKind, ...] = (*COMPLETIONS, Messages(), Responses(), *IMAGES, *AUDIO, *OCR, *MODERATIONS, *VIDEO)
RESOURCES: tuple[Resource, ...] = (
    Models(),
    *COUNTERS,
    KeptResponses(),
    Files(),
    Batches(),
    VideoTasks(),
    OldVideoTasks(),
)
_PLAIN = Dialect()


class Gateway:
    """Answers below ``/v1``, and at the other addresses of its routes; one for a process."""

    def __init__(self, context: Context) -> None:
        self.caller = Caller(context)
        self._spool = context.settings.home / "incoming"
        self._kinds = {path: kind for kind in KINDS for path in kind.paths}
        # What a process before this one could not write.
        self.caller.late.begin()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ, self._spool)
        found = self._kinds.get(request.path) or _resource_of(request.path)
        dialect = found or _PLAIN
        headers = [(name, request.id) for name in dialect.id_headers]
        try:
            if found is None:
                raise faults.unknown_route(request.path[:200])
            if isinstance(found, CallKind):
                return _send(self._call(found, request, headers), start_response, headers)
            self.caller.check_address(request.bearer, partial(self._address_of, request))
            rest = request.path.removeprefix(found.prefix).strip("/")
            return _send(found.answer(self.caller, request, rest), start_response, headers)
        except Fault as fault:
            told = fault
        except ClientGone:
            told = faults.bad_request("The request ended early.")
        except HubError as error:
            told = faults.of_hub(error)
        except Exception:
            log.exception("gateway_failed", request_id=request.id, path=request.path[:200])
            told = faults.internal()
        status, body = dialect.say(told)
        return wire.send(start_response, status, [*headers, *told.headers.items()], body)

    def _address_of(self, request: Request) -> str:
        return request.address(self.caller.context.settings.trusted_proxies)

    def _call(self, kind: CallKind, request: Request, headers: list[tuple[str, str]]) -> Answer | Relay:
        if request.method != "POST":
            raise faults.wrong_method(request.method)
        bearer = self.caller.authenticate(request.bearer)
        asked = kind.read(request, self.caller.settings)
        try:
            client = Client(
                request.id, request.headers, request.check_client, address=partial(self._address_of, request)
            )
            return self.caller.call(kind, bearer, client, asked, headers)
        finally:
            asked.payload.close()


def _resource_of(path: str) -> Resource | None:
    return next((one for one in RESOURCES if path == one.prefix or path.startswith(f"{one.prefix}/")), None)


def _send(answer: Answer | Relay, start_response: StartResponse, headers: list[tuple[str, str]]) -> Iterable[bytes]:
    if isinstance(answer, Answer):
        headers = [*headers, *answer.headers]
        return wire.send(start_response, answer.status, headers, answer.body, content_type=answer.content_type)
    wire.begin_stream(start_response, headers)
    return _Stream(answer)


class _Stream:
    """A stream as WSGI servers take it: they iterate, and close it at the end, also when they never began."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._events = relay.events()

    def __iter__(self) -> Iterator[bytes]:
        return self._events

    def close(self) -> None:
        self._events.close()
        self._relay.close()


def create_gateway(context: Context) -> Gateway:
    """The application for one process."""
    return Gateway(context)
