"""The HTTP of an engine of ours: one request computes at a time, a few wait; for who hangs up nothing is computed."""

from __future__ import annotations

import base64
import contextlib
import hmac
import json
import os
import select
import signal
import socket
import struct
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

from plugins.inference.servers.asking import HungUp, Refused, flag_of, number_of, refuse_unknown, tell, texts_of

# In which its callers' key comes; without one, nobody is asked for any.
KEY_VARIABLE = "HUB_ENGINE_KEY"
MAX_BODY_BYTES = 16 * 1024 * 1024
MAX_CONNECTIONS = 256
# A client that neither sends nor takes anything for so long is gone.
IDLE_S = 60.0
STOP_PATIENCE_S = 5.0
LOOK_EVERY_S = 0.25


class Engine(Protocol):
    """What computes. Each raises Refused, and whatever ``say`` and ``look`` do."""

    routes: frozenset[str]

    def prompt_of(self, asked: Mapping[str, Any], *, is_chat: bool) -> list[int]:
        """The tokens to go on from."""

    def generate(self, prompt: list[int], asked: Mapping[str, Any], say: Callable[[str], None]) -> tuple[int, str]:
        """Say what follows; how many tokens that were, and why it ended: "stop" or "length"."""

    def embed(self, inputs: Sequence[Any], look: Callable[[], None]) -> tuple[list[list[float]], int]:
        """A vector for each input, and how many tokens they have."""

    def rank(self, query: str, documents: Sequence[str], look: Callable[[], None]) -> tuple[list[float], int]:
        """How well each document answers, from 0 to 1, and how many tokens that took."""


class Figures:
    """What ``/metrics`` tells."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[str, float] = defaultdict(float)

    def add(self, name: str, value: float = 1) -> None:
        """Count something."""
        with self._lock:
            self._values[name] += value

    def text(self) -> str:
        """As Prometheus reads it."""
        with self._lock:
            return "".join(f"hub_engine_{name} {value:g}\n" for name, value in sorted(self._values.items()))


class Turn:
    """Who may compute: one at a time, and ``waiting`` others stand in line."""

    def __init__(self, waiting: int, figures: Figures) -> None:
        self._one, self._places = threading.Lock(), threading.BoundedSemaphore(waiting + 1)
        self._figures = figures

    def wait_for_end(self, limit_s: float) -> None:
        """Return when nobody computes, or after so long."""
        self._one.acquire(timeout=limit_s)

    @contextlib.contextmanager
    def taken(self, look: Callable[[], None]) -> Iterator[None]:
        """Wait for the turn. look: called now and then, may raise. Raises Refused when the line is full."""
        if not self._places.acquire(blocking=False):
            raise Refused(429, "Too many requests wait already.", code="queue_full", kind="overloaded_error")
        self._figures.add("requests_waiting", 1)
        try:
            while not self._one.acquire(timeout=LOOK_EVERY_S):
                look()
        except BaseException:
            self._places.release()
            raise
        finally:
            self._figures.add("requests_waiting", -1)
        self._figures.add("requests_running", 1)
        try:
            look()
            yield
        finally:
            self._figures.add("requests_running", -1)
            self._one.release()
            self._places.release()


class Server(ThreadingHTTPServer):
    """Listens from the start; ``engine`` comes once it is loaded. name: what callers call the model."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, host: str, port: int, *, name: str, waiting: int) -> None:
        self.name, self.started_at = name, int(time.time())
        self.engine: Engine | None = None
        self.key = os.environ.pop(KEY_VARIABLE, "")
        self.figures = Figures()
        self.turn = Turn(waiting, self.figures)
        self.stopping = threading.Event()
        self._connections = threading.BoundedSemaphore(MAX_CONNECTIONS)
        super().__init__((host, port), Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in a thread of its own, unless there are too many."""
        if self._connections.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """The same, in that thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._connections.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection broke: there is nobody to tell."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Server
    protocol_version = "HTTP/1.1"
    timeout = IDLE_S
    disable_nagle_algorithm = True
    wbufsize = 65536

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not logged: what they say is nobody's business."""

    def do_GET(self) -> None:
        """Health, figures, and what is served."""
        path = self.path.partition("?")[0]
        if path == "/health":
            self._tell_health()
        elif not self._is_let_in():
            pass
        elif path == "/metrics":
            self._send(200, self.server.figures.text().encode(), "text/plain; version=0.0.4")
        elif path == "/v1/models":
            model = {"id": self.server.name, "object": "model", "created": self.server.started_at, "owned_by": "hub"}
            self._answer(200, {"object": "list", "data": [model]})
        else:
            self._fail(Refused(404, "There is nothing at this address.", code="not_found"))

    def _tell_health(self) -> None:
        if self.server.engine is None or self.server.stopping.is_set():
            word = "Shutting down" if self.server.stopping.is_set() else "Loading model"
            self._answer(503, {"error": {"code": 503, "message": word, "type": "unavailable_error"}})
        else:
            self._answer(200, {"status": "ok"})

    def do_POST(self) -> None:
        """A request to the model."""
        self._is_streaming = False
        try:
            body = self._read_body()  # also of a request that is refused: the next one lies behind it
            if self._is_let_in():
                self._serve(body)
        except Refused as refused:
            self._fail(refused)
        except (HungUp, OSError):
            self.close_connection = True
            self.server.figures.add("requests_abandoned_total")
        except Exception as error:
            tell(f"error: {type(error).__name__}: {error}"[:500])
            self._fail(Refused(500, "The model failed to answer.", code="model_failed", kind="server_error"))

    def _read_body(self) -> bytes:
        said = self.headers.get("Content-Length", "")
        if not said.isdigit() or int(said) > MAX_BODY_BYTES:
            self.close_connection = True
            status, message = (413, "The request is too large.") if said.isdigit() else (411, "Say its length.")
            raise Refused(status, message)
        return self.rfile.read(int(said))

    def _is_let_in(self) -> bool:
        key = self.server.key
        given = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if key and not hmac.compare_digest(given.encode(errors="replace"), key.encode()):
            self._fail(Refused(401, "Invalid API key.", code="invalid_api_key", kind="authentication_error"))
            return False
        return True

    def _serve(self, body: bytes) -> None:
        engine, route = self.server.engine, self.path.partition("?")[0].removeprefix("/v1/")
        if engine is None or self.server.stopping.is_set():
            raise Refused(503, "Loading model", code="model_loading", kind="unavailable_error")
        if route not in engine.routes:
            raise Refused(404, "This model does not answer at this address.", code="route_not_supported")
        try:
            asked = json.loads(body)
        except (ValueError, RecursionError):
            raise Refused(400, "The request is not valid JSON.") from None
        if not isinstance(asked, dict):
            raise Refused(400, "The request must be an object.")
        serve = {"embeddings": self._embed, "rerank": self._rank}.get(route)
        if serve is not None:
            serve(engine, asked)
        else:
            self._generate(engine, asked, is_chat=route.startswith("chat"))

    def _look(self) -> None:
        """Raise HungUp when the client is gone; Refused when the server stops."""
        if self.server.stopping.is_set():
            raise Refused(503, "The model is being stopped.", code="stopping", kind="unavailable_error")
        readable, _, _ = select.select([self.connection], [], [], 0)
        if readable and not self.connection.recv(1, socket.MSG_PEEK):
            raise HungUp

    # Texts.

    def _generate(self, engine: Engine, asked: Mapping[str, Any], *, is_chat: bool) -> None:
        refuse_unknown(asked)
        is_stream, started = flag_of(asked, "stream"), time.monotonic()
        options = asked.get("stream_options")
        tells_usage = isinstance(options, dict) and options.get("include_usage") is True
        prompt = engine.prompt_of(asked, is_chat=is_chat)
        kind = ("chat.completion.chunk" if is_stream else "chat.completion") if is_chat else "text_completion"
        head = {
            "id": f"{'chatcmpl' if is_chat else 'cmpl'}-{uuid.uuid4().hex}",
            "object": kind,
            "created": int(time.time()),
            "model": self.server.name,
        }
        said: list[str] = []

        def say(text: str) -> None:
            self._look()
            if not said:
                self.server.figures.add("time_to_first_token_seconds_sum", time.monotonic() - started)
                self.server.figures.add("time_to_first_token_seconds_count")
            if is_stream and not self._is_streaming:
                self._begin_stream()
                if is_chat:
                    self._send_event({**head, "choices": [_choice(is_chat, True, "", None, role="assistant")]})
            said.append(text)
            if is_stream and text:
                self._send_event({**head, "choices": [_choice(is_chat, True, text, None)]})

        with self.server.turn.taken(self._look):
            count, reason = engine.generate(prompt, asked, say)
        usage = {"prompt_tokens": len(prompt), "completion_tokens": count, "total_tokens": len(prompt) + count}
        self._count(usage)
        if not is_stream:
            choice = _choice(is_chat, False, "".join(said), reason)
            self._answer(200, {**head, "choices": [choice], "usage": usage})
            return
        self._send_event({**head, "choices": [_choice(is_chat, True, "", reason)]})
        if tells_usage:
            self._send_event({**head, "choices": [], "usage": usage})
        self._end_stream()

    # Numbers.

    def _embed(self, engine: Engine, asked: Mapping[str, Any]) -> None:
        inputs = texts_of(asked.get("input"), "input", or_tokens=True)
        size = int(number_of(asked, "dimensions", 0, 1, 2**20))
        form = asked.get("encoding_format") or "float"
        if form not in ("float", "base64"):
            raise Refused(400, "'encoding_format' must be 'float' or 'base64'.")
        with self.server.turn.taken(self._look):
            vectors, count = engine.embed(inputs, self._look)
        if size > len(vectors[0]):
            raise Refused(400, f"The model's vectors have {len(vectors[0])} dimensions.")
        if size:
            vectors = [_shortened(vector, size) for vector in vectors]
        data = [
            {"object": "embedding", "index": index, "embedding": vector if form == "float" else _packed(vector)}
            for index, vector in enumerate(vectors)
        ]
        usage = {"prompt_tokens": count, "total_tokens": count}
        self._count(usage)
        self._answer(200, {"object": "list", "data": data, "model": self.server.name, "usage": usage})

    def _rank(self, engine: Engine, asked: Mapping[str, Any]) -> None:
        query = asked.get("query")
        if not isinstance(query, str):
            raise Refused(400, "'query' must be a text.")
        documents = asked.get("documents")
        if isinstance(documents, list):
            documents = [one.get("text") if isinstance(one, dict) else one for one in documents]
        texts = texts_of(documents, "documents")
        most = int(number_of(asked, "top_n", len(texts), 1, 2**31))
        with self.server.turn.taken(self._look):
            scores, count = engine.rank(query, texts, self._look)
        order = sorted(range(len(texts)), key=lambda index: -scores[index])[:most]
        shown = flag_of(asked, "return_documents")
        results = [
            {"index": index, "relevance_score": scores[index]} | ({"document": {"text": texts[index]}} if shown else {})
            for index in order
        ]
        usage = {"prompt_tokens": count, "total_tokens": count}
        self._count(usage)
        self._answer(200, {"model": self.server.name, "object": "list", "results": results, "usage": usage})

    def _count(self, usage: Mapping[str, int]) -> None:
        self.server.figures.add("requests_total")
        self.server.figures.add("prompt_tokens_total", usage["prompt_tokens"])
        self.server.figures.add("generation_tokens_total", usage.get("completion_tokens", 0))

    # What goes out.

    def _answer(self, status: int, body: Mapping[str, Any]) -> None:
        self._send(status, json.dumps(body, separators=(",", ":")).encode(), "application/json")

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if status in (429, 503):
            self.send_header("Retry-After", "5")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def _fail(self, refused: Refused) -> None:
        self.server.figures.add("requests_failed_total")
        with contextlib.suppress(OSError):
            if getattr(self, "_is_streaming", False):
                self._send_event(refused.body)
                self.close_connection = True
            else:
                self._answer(refused.status, refused.body)

    def _begin_stream(self) -> None:
        self._is_streaming = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def _send_event(self, body: Mapping[str, Any]) -> None:
        self._send_chunk(b"data: " + json.dumps(body, separators=(",", ":")).encode() + b"\n\n")

    def _send_chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def _end_stream(self) -> None:
        self._send_chunk(b"data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()


def _choice(is_chat: bool, is_delta: bool, text: str, reason: str | None, *, role: str = "") -> dict[str, Any]:
    if not is_chat:
        said: dict[str, Any] = {"text": text}
    elif is_delta:
        said = {"delta": ({"role": role} if role else {}) | ({"content": text} if text or role else {})}
    else:
        said = {"message": {"role": "assistant", "content": text}}
    return {"index": 0, **said, "logprobs": None, "finish_reason": reason}


def _shortened(vector: Sequence[float], size: int) -> list[float]:
    """The first numbers of a vector, made to have the length 1."""
    part = vector[:size]
    length = sum(number * number for number in part) ** 0.5 or 1.0
    return [number / length for number in part]


def _packed(vector: Sequence[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def serve(server: Server, load: Callable[[], Engine]) -> int:
    """Answer until SIGTERM or SIGINT; what loads, loads meanwhile. The exit status: 1 where it could not be loaded."""

    def stop(*_: Any) -> None:
        server.stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    failed: list[BaseException] = []

    def bring() -> None:
        started = time.monotonic()
        try:
            server.engine = load()
        except BaseException as error:
            failed.append(error)
            server.stopping.set()
            return
        tell(f"ready after {time.monotonic() - started:.1f} s")

    threading.Thread(target=bring, daemon=True).start()
    server.stopping.wait()
    if failed:
        tell(f"error: the model cannot be loaded: {failed[0]}"[:2000])
        return 1
    server.shutdown()
    server.turn.wait_for_end(STOP_PATIENCE_S)
    # Threads of libraries may still compute, and an interpreter that ends under them ends badly.
    os._exit(0)
