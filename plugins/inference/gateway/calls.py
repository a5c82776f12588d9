"""The seams of the gateway: kinds of calls, which models answer, and resources, which it answers for itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import msgspec

from hub.plugin import Context
from hub.plugin.outgoing import Exchange
from plugins.inference.catalogue import OPENAI, Served, Server
from plugins.inference.gateway.faults import Fault, bad_request, unsupported
from plugins.inference.gateway.ledger import Ledger
from plugins.inference.gateway.usage import Use
from plugins.inference.gateway.wire import Request
from plugins.inference.keys import Bearer
from plugins.inference.settings import InferenceSettings

if TYPE_CHECKING:
    from plugins.inference.gateway.caller import Caller


@dataclass(frozen=True)
class Sent:
    """The body of a request to an upstream: whole, or its pieces with their size."""

    content_type: str
    body: bytes | Iterator[bytes]
    size_bytes: int | None = None


class Payload(Protocol):
    """What upstreams are sent: all alike but for the name by which they know the model."""

    def encode(self, model_name: str) -> Sent:
        """For one upstream; it may be asked several times."""
        ...

    def close(self) -> None:
        """Let go of the files that it holds; the call needs them no more."""
        ...


@dataclass(frozen=True)
class JsonPayload:
    """A JSON object, whose member ``model`` is the upstream's own name."""

    data: Mapping[str, Any]

    def encode(self, model_name: str) -> Sent:
        try:
            return Sent("application/json", msgspec.json.encode({**self.data, "model": model_name}))
        except RecursionError:
            raise bad_request("The request is nested too deeply.") from None

    def close(self) -> None:
        """It holds none."""


@dataclass
class Asked:
    """A request that was read. route: at the upstream, below its ``/v1``; own: whatever its kind keeps for itself."""

    model: str
    route: str
    payload: Payload
    is_stream: bool = False
    prompt_tokens: int = 0
    own: Any = None


@dataclass(frozen=True)
class Spoken:
    """What one upstream is asked, in the protocol that it speaks. headers: beside its own, which come first.

    hear: how its answer is read, where the protocol is another one than the kind's.
    """

    route: str
    payload: Payload
    headers: Mapping[str, str] = field(default_factory=dict)
    hear: Callable[[Exchange], Exchange] | None = None


class Relay(Protocol):
    """An answer that streams, as the client is sent it. It finishes the ledger however it ends, once."""

    def events(self) -> Generator[bytes, None, None]:
        """The pieces. Closing it early closes the upstream."""
        ...

    def close(self) -> None:
        """The end, whether or not anybody has begun to read."""
        ...


@dataclass
class Answer:
    """What the client is sent: whole, or piece by piece. A body with ``close`` is closed at the end."""

    body: bytes | Iterable[bytes]
    content_type: str = "application/json"
    status: int = 200
    headers: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    def of(cls, data: Any, status: int = 200) -> Answer:
        """In JSON."""
        return cls(msgspec.json.encode(data), status=status)


class Dialect:
    """How errors are said, and which headers name the request: as OpenAI's clients read them, unless told otherwise."""

    id_headers: ClassVar[tuple[str, ...]] = ("x-request-id",)

    def say(self, fault: Fault) -> tuple[int, bytes]:
        """An error's status and body, in JSON."""
        return fault.status, fault.body


class CallKind(ABC, Dialect):
    """One kind of call. ``Caller`` knows who calls and what is left to them, and asks the upstreams."""

    name: ClassVar[str]  # in the account of calls: "chat/completions"
    paths: ClassVar[tuple[str, ...]]  # where it is asked: "/v1/chat/completions"

    @abstractmethod
    def read(self, request: Request, settings: InferenceSettings) -> Asked:
        """What is asked. Raises Fault."""

    def choose(self, models: Sequence[Served]) -> str:
        """The model for a request that names none, of those that its key may call. Raises Fault."""
        raise bad_request("The request names no model.", param="model")

    def judge(self, asked: Asked, bearer: Bearer, context: Context) -> None:
        """Whether whoever asks may ask this of the model. Raises Fault."""

    @abstractmethod
    def most(self, asked: Asked, model: Served, settings: InferenceSettings) -> Use:
        """What the call may use at most; that much is held for it."""

    def requests_a_minute(self, settings: InferenceSettings) -> int | None:
        """How many of these calls an account makes in a minute, beside all other limits; None: no limit."""
        return None

    def suits(self, asked: Asked, server: Server) -> bool:
        """Whether an upstream can be asked this."""
        return server.protocol == OPENAI

    def refuse(self, asked: Asked) -> Fault:
        """The error when there are upstreams, and none that suits."""
        return unsupported(self.name)

    def speak(self, asked: Asked, server: Server, most: Use) -> Spoken:
        """What an upstream that suits is asked. most: what is held for the call. Raises Fault."""
        return Spoken(asked.route, asked.payload)

    @abstractmethod
    def answer(self, ledger: Ledger, exchange: Exchange, asked: Asked, settings: InferenceSettings) -> Answer:
        """The upstream's answer for the client, and the end of the call: it finishes the ledger, and closes the
        exchange; of an answer whose body is iterated, at the end of that. Raises Fault, the ledger not finished."""

    def relay(self, ledger: Ledger, exchange: Exchange, asked: Asked) -> Relay:
        """The upstream's stream for the client. Kinds that never stream have none."""
        raise TypeError(f"{self.name} never streams")


class Resource(ABC, Dialect):
    """What is answered without any model: lists, files, batches."""

    prefix: str  # "/v1/files": itself, and all below it

    @abstractmethod
    def answer(self, caller: Caller, request: Request, rest: str) -> Answer:
        """rest: the path below the prefix, without slashes around it. ``caller.authenticate`` says whose request it is.

        Raises Fault, or any of the hub's errors.
        """
