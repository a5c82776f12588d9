"""The servers that run here, as their engines' plans start them, with real models; each is started once."""

from __future__ import annotations

import json
import math
import socket
import struct
import subprocess
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import urllib3

from hub.compute.spec import expand
from plugins.inference.engines.engine import GgufFile, ModelFacts, Order, Site, Target
from plugins.inference.engines.installing import server_script
from plugins.inference.engines.registry import _load
from plugins.inference.servers.asking import Pieces, Refused, refuse_unknown
from tests.support.engines import engine_python, has_transformers
from tests.support.http import Answer, HTTPClient
from tests.support.huggingface import transformers_model
from tests.support.processes import free_port, wait_until
from tests.support.tiny_models import tiny_models

pytestmark = [pytest.mark.any_database, pytest.mark.slow]
needs_torch = pytest.mark.skipif(not has_transformers(), reason="pip has no torch for the CPU here")

KEY = "the-key-of-the-deployment"
NAME = "acme/small"
TEXTS = {"messages": [{"role": "user", "content": "Count to five."}], "temperature": 0}


@dataclass
class Running:
    """An engine that serves, called as its deployment would call it."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def __post_init__(self) -> None:
        self.api = HTTPClient(f"http://127.0.0.1:{self.port}", KEY)

    def figure(self, name: str) -> float:
        """Of its metrics, those of ours."""
        lines = self.api.get("/metrics").body.decode().splitlines()
        return next((float(line.split()[1]) for line in lines if line.startswith(f"hub_engine_{name} ")), 0.0)

    def wait_until_ready(self) -> None:
        """Return when it is healthy."""

        def is_ready() -> bool:
            assert self.process.poll() is None, self.log.read_text()
            try:
                return self.api.get("/health").status == 200
            except urllib3.exceptions.HTTPError:
                return False

        wait_until(is_ready, timeout_s=120, what="the engine to be ready")


def start(place: Path, name: str, order: Order, mount: Path, *more: str) -> Running:
    """An engine by its own plan, in a directory of its own and with nothing of this process's variables."""
    engine = _load(name)(Site(place, programs={name: str(engine_python(name))}))
    plan, port = engine.plan(order, target=Target.LOCAL), free_port()
    mounts = {"model": str(mount)}
    argv = [expand(word, port=port, work=str(place), mounts=mounts) for word in plan.argv]
    log = place / f"{port}.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [*argv, *more],
            cwd=place,
            env={"PATH": "/usr/bin:/bin", "HOME": str(place), **plan.environment, plan.key_variable: KEY},
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    return Running(process, port, log)


def stop(running: Running) -> None:
    running.process.kill()
    running.process.wait()
    running.api.pool.clear()


def facts(architecture: str, **more: Any) -> ModelFacts:
    known: dict[str, Any] = {"formats": ("safetensors",), "architectures": (architecture,), "has_chat_template": True}
    return ModelFacts(**{**known, **more})


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory, model_file: Path) -> Iterator[Running]:
    variant = GgufFile(model_file.name, files=(model_file.name,))
    known = facts("llama", formats=("gguf",), gguf_files=(variant,), context_length=2048)
    order = Order(NAME, known, entrypoint=model_file.name, engine_args={"threads": "1", "parallel": "2"})
    running = start(tmp_path_factory.mktemp("llama"), "llama.cpp", order, model_file.parent)
    # It ends connections that rest for 5 s, and a slow machine may just then send the next request.
    running.api.headers["Connection"] = "close"
    try:
        running.wait_until_ready()
        yield running
    finally:
        stop(running)


def test_llama_cpp_makes_vectors(tmp_path, model_file):
    variant = GgufFile(model_file.name, files=(model_file.name,))
    known = facts("llama", formats=("gguf",), gguf_files=(variant,), context_length=512, task="feature-extraction")
    arguments = {"threads": "1", "pooling": "mean"}
    running = start(
        tmp_path, "llama.cpp", Order(NAME, known, entrypoint=variant.path, engine_args=arguments), model_file.parent
    )
    try:
        running.wait_until_ready()
        answer = running.api.post("/v1/embeddings", {"input": ["a cat", "a dog"]}).json
        assert [len(one["embedding"]) for one in answer["data"]] == [576, 576]
        assert answer["usage"]["prompt_tokens"] > 2
    finally:
        stop(running)


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    arguments = {"threads": "1", "context": "1024", "waiting": "1"}
    order = Order(NAME, facts("LlamaForCausalLM"), engine_args=arguments)
    running = start(tmp_path_factory.mktemp("texts"), "transformers", order, transformers_model())
    try:
        # It listens at once, and says that it is not ready.
        wait_until(lambda: is_listening(running.port), what="the server to listen")
        loading = running.api.get("/health")
        assert (loading.status, loading.json["error"]["message"]) == (503, "Loading model")
        assert running.api.post("/v1/chat/completions", TEXTS).status == 503
        running.wait_until_ready()
        yield running
    finally:
        stop(running)


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def events_of(answer: Answer) -> list[dict[str, Any]]:
    """Those of a stream, which must have come to its end."""
    lines = [line.removeprefix(b"data: ") for line in answer.body.split(b"\n\n") if line]
    assert lines[-1] == b"[DONE]"
    return [json.loads(line) for line in lines[:-1]]


def check_texts(running: Running, **more: Any) -> None:
    """Chat and completions, whole and as a stream, with stops, limits and usage; not without the key."""
    api, texts = running.api, TEXTS | more
    for header in ({"Authorization": ""}, {"Authorization": "Bearer the-key"}, {"Authorization": f"Basic {KEY}"}):
        assert api.request("POST", "/v1/chat/completions", json_body=texts, headers=header).status == 401
    assert api.get("/v1/models").json["data"][0]["id"] == NAME
    whole = api.post("/v1/chat/completions", {**texts, "max_tokens": 8}).json
    [choice] = whole["choices"]
    said, usage = choice["message"]["content"], whole["usage"]
    assert (whole["model"], choice["finish_reason"], usage["completion_tokens"]) == (NAME, "length", 8)
    assert usage["total_tokens"] == usage["prompt_tokens"] + 8
    asked = {**texts, "max_tokens": 8, "stream": True, "stream_options": {"include_usage": True}}
    events = events_of(api.post("/v1/chat/completions", asked))
    pieces = [event["choices"][0]["delta"].get("content") or "" for event in events if event["choices"]]
    assert "".join(pieces) == said
    assert len([piece for piece in pieces if piece]) > 2
    tokens = {name: events[-1]["usage"][name] for name in ("prompt_tokens", "completion_tokens", "total_tokens")}
    assert tokens == {name: usage[name] for name in tokens}
    assert [event["choices"][0]["finish_reason"] for event in events if event["choices"]][-1] == "length"
    # A stop is no part of the answer, in pieces or whole.
    word = said[3:6]
    asked = {**texts, "max_tokens": 8, "stop": [word]}
    [choice] = api.post("/v1/chat/completions", asked).json["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == (said[: said.index(word)], "stop")
    streamed = events_of(api.post("/v1/chat/completions", {**asked, "stream": True}))
    deltas = [event["choices"][0]["delta"].get("content") or "" for event in streamed if event["choices"]]
    assert "".join(deltas) == said[: said.index(word)]
    prompt = {"prompt": "The capital of France is", "max_tokens": 3, "temperature": 1.0, "top_p": 0.9, "seed": 7} | more
    one, two = (api.post("/v1/completions", prompt).json for _ in range(2))
    assert one["choices"][0]["text"] == two["choices"][0]["text"]
    assert one["usage"]["completion_tokens"] <= 3


def test_llama_cpp_serves_a_gguf_file(llama):
    # What it takes from its cache it works out in another way, and the same question has another answer now and then.
    check_texts(llama, cache_prompt=False)
    metrics = llama.api.get("/metrics").body.decode()
    assert "llamacpp:tokens_predicted_total" in metrics
    form = {
        "type": "json_object",
        "schema": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]},
    }
    asked = {**TEXTS, "max_tokens": 200, "response_format": form}
    assert "n" in json.loads(llama.api.post("/v1/chat/completions", asked).json["choices"][0]["message"]["content"])
    # What would let a caller read or change other things is off.
    assert llama.api.get("/slots").status in (404, 501)
    assert llama.api.post("/slots/0?action=save", {"filename": "x"}).status in (404, 501)
    assert llama.api.get("/props").status in (200, 404)
    llama.process.terminate()
    assert llama.process.wait(60) == 0


@needs_torch
def test_transformers_serves_safetensors(texts):
    check_texts(texts)
    assert texts.figure("requests_running") == 0
    before = texts.figure("prompt_tokens_total"), texts.figure("generation_tokens_total")
    usage = texts.api.post("/v1/chat/completions", {**TEXTS, "max_tokens": 2}).json["usage"]
    after = texts.figure("prompt_tokens_total"), texts.figure("generation_tokens_total")
    assert after == (before[0] + usage["prompt_tokens"], before[1] + usage["completion_tokens"])


@needs_torch
def test_what_it_cannot_do_or_read_is_refused_and_the_next_one_is_answered(texts):
    api = texts.api
    refused = {
        "n": 2,
        "logprobs": True,
        "tools": [{"type": "function", "function": {"name": "f"}}],
        "response_format": {"type": "json_object"},
        "temperature": "hot",
        "top_p": 2,
        "max_tokens": 0.5,
        "stop": [1],
        "stream": "yes",
        "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://10.0.0.1/"}}]}],
    }
    for name, value in refused.items():
        answer = api.post("/v1/chat/completions", {**TEXTS, name: value})
        assert (answer.status, answer.json["error"]["type"]) == (400, "invalid_request_error"), name
    for body in (b"{", b"[]", b"[" * 100_000, b"\xff", b""):
        assert api.request("POST", "/v1/chat/completions", body=body).status == 400
    for messages in ([], "x", [{"role": "user"}], [{"role": 1, "content": "x"}], [[]]):
        assert api.post("/v1/chat/completions", {"messages": messages}).status == 400
    for prompt in (None, "", [], [10**9], ["a", "b"], {"a": 1}):
        assert api.post("/v1/completions", {"prompt": prompt}).status == 400
    long = api.post("/v1/completions", {"prompt": "word " * 5000})
    assert (long.status, long.json["error"]["code"]) == (400, "context_length_exceeded")
    assert api.post("/v1/embeddings", {"input": "x"}).status == 404
    assert api.get("/../../etc/passwd").status == 404
    with socket.create_connection(("127.0.0.1", texts.port)) as raw:
        raw.sendall(b"POST /v1/completions HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n")
        assert b" 413 " in raw.recv(100)
    assert api.post("/v1/completions", {"prompt": "Hello", "max_tokens": 1}).status == 200
    assert "Traceback" not in texts.log.read_text()


def ask_raw(port: int, **asked: Any) -> socket.socket:
    """A request for a long text whose answer nobody has read yet."""
    body = json.dumps({**TEXTS, "max_tokens": 900, "min_tokens": 900, **asked}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nAuthorization: Bearer {KEY}\r\nContent-Length: {len(body)}\r\n\r\n"
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(head.encode() + body)
    return connection


@needs_torch
def test_one_computes_few_wait_and_for_who_hangs_up_nothing_is_computed(texts):
    abandoned, spoken = texts.figure("requests_abandoned_total"), texts.figure("generation_tokens_total")
    # Nothing else than the limit would end such an answer for long.
    endless = {"stream": True, "temperature": 2.0, "seed": 1}
    first = ask_raw(texts.port, **endless)
    assert b"text/event-stream" in first.recv(4096)
    second = ask_raw(texts.port)
    wait_until(lambda: texts.figure("requests_waiting") == 1, what="the second to wait")
    third = texts.api.post("/v1/chat/completions", TEXTS)
    assert (third.status, third.json["error"]["code"]) == (429, "queue_full")
    second.close()
    wait_until(lambda: texts.figure("requests_waiting") == 0, what="the second to be forgotten")
    first.close()
    wait_until(lambda: texts.figure("requests_running") == 0, what="the first to be given up")
    wait_until(lambda: texts.figure("requests_abandoned_total") == abandoned + 2, what="both to be counted")
    # One that is not read in pieces is noticed, too.
    whole = ask_raw(texts.port, temperature=2.0)
    wait_until(lambda: texts.figure("requests_running") == 1, what="it to be computed")
    whole.close()
    wait_until(lambda: texts.figure("requests_running") == 0, what="it to be given up")
    # Nothing was worked out to its end.
    assert texts.figure("generation_tokens_total") == spoken
    # A stop ends what is under way, and the process in order.
    last = ask_raw(texts.port, **endless)
    assert last.recv(4096)
    texts.process.terminate()
    assert texts.process.wait(60) == 0
    last.close()


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Running]]:
    """Started together, as each takes its time: an encoder, a judge, and a model that brings code and a pickle."""
    place, folder = tmp_path_factory.mktemp("others"), tiny_models()
    odd = place / "odd"
    odd.mkdir()
    config = {"model_type": "odd", "architectures": ["OddForCausalLM"], "auto_map": {"AutoConfig": "odd.OddConfig"}}
    (odd / "config.json").write_text(json.dumps(config))
    (odd / "odd.py").write_text(f"open({str(place / 'ran')!r}, 'w')\n")
    (odd / "pytorch_model.bin").write_bytes(f"cos\nsystem\n(S'touch {place}/ran'\ntR.".encode())
    wanted = {"encoder": "BertModel", "judge": "BertForSequenceClassification", "odd": "OddForCausalLM"}
    running = {
        name: start(place, "transformers", Order(NAME, facts(cls), cpus=1), odd if name == "odd" else folder / name)
        for name, cls in wanted.items()
    }
    try:
        yield running
    finally:
        for one in running.values():
            stop(one)


@needs_torch
def test_sentences_become_vectors(others):
    others["encoder"].wait_until_ready()
    api = others["encoder"].api
    answer = api.post("/v1/embeddings", {"input": ["abc", "a much longer text than that one", "abc"]}).json
    first, other, same = (one["embedding"] for one in answer["data"])
    # Of one text the same, whatever is computed beside it.
    assert all(math.isclose(a, b, abs_tol=1e-5) for a, b in zip(first, same, strict=True))
    assert not all(math.isclose(a, b, abs_tol=1e-3) for a, b in zip(first, other, strict=True))
    assert math.isclose(sum(number * number for number in first), 1, rel_tol=1e-4)
    assert answer["usage"]["prompt_tokens"] == answer["usage"]["total_tokens"] > 10
    packed = api.post("/v1/embeddings", {"input": "abc", "encoding_format": "base64"}).json["data"][0]
    unpacked = struct.unpack("<32f", b64decode(packed["embedding"]))
    assert all(math.isclose(a, b, abs_tol=1e-5) for a, b in zip(first, unpacked, strict=True))
    short = api.post("/v1/embeddings", {"input": "abc", "dimensions": 8}).json["data"][0]["embedding"]
    assert math.isclose(sum(number * number for number in short), 1, rel_tol=1e-4)
    for wrong in ({"input": []}, {"input": [1.5]}, {"input": "x " * 500}, {"input": "x", "dimensions": 99}, {}):
        assert api.post("/v1/embeddings", wrong).status == 400, wrong
    assert api.post("/v1/chat/completions", TEXTS).status == 404


@needs_torch
def test_documents_are_ranked(others):
    others["judge"].wait_until_ready()
    api, documents = others["judge"].api, ["abc", {"text": "xyz"}, "abc"]
    ranked = api.post("/v1/rerank", {"query": "a", "documents": documents, "return_documents": True}).json
    scores = [one["relevance_score"] for one in ranked["results"]]
    assert scores == sorted(scores, reverse=True)
    assert {one["index"]: one["document"]["text"] for one in ranked["results"]} == {0: "abc", 1: "xyz", 2: "abc"}
    assert len(api.post("/v1/rerank", {"query": "a", "documents": documents, "top_n": 1}).json["results"]) == 1
    assert api.post("/v1/rerank", {"query": ["a"], "documents": documents}).status == 400


@needs_torch
def test_code_of_a_repository_does_not_run_and_what_cannot_be_loaded_says_so(others):
    odd = others["odd"]
    assert odd.process.wait(120) == 1
    assert "error: the model cannot be loaded" in odd.log.read_text()
    assert not (odd.log.parent / "ran").exists()


def test_a_launched_server_finds_its_libraries_beside_modules_of_the_same_name():
    """The module ``transformers`` of ours does not hide the library; nothing else of the checkout is importable."""
    script = (
        "import runpy, sys; sys.argv = ['launch', 'llama', '--help']\n"
        f"launch = runpy.run_path({str(server_script())!r})['launch']\n"
        "try: launch('llama', ['--help'])\nexcept SystemExit: pass\n"
        "import importlib.util as u; print(u.find_spec('transformers'), u.find_spec('hub'), 'plugins' in sys.modules)"
    )
    python = engine_python("llama.cpp")
    done = subprocess.run([python, "-I", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "None None True"


# Without a model.

LETTERS = ["ab", "c", "d\u00e9", "fg", "h\u20ac", "ij"]
CODED = "".join(LETTERS).encode()


@pytest.mark.parametrize("stop", ["", "cd", "gh", "\u20aci", "j", "xyz", "hx"])
@pytest.mark.parametrize("by", [1, 2, 3])
def test_pieces_are_the_text_up_to_the_stop_however_it_is_cut(stop, by):
    """Tokens of a few bytes each, as byte-level tokenizers cut them: letters come whole."""
    tokens = [CODED[start : start + by] for start in range(0, len(CODED), by)]
    pieces = Pieces(lambda numbers: b"".join(tokens[n] for n in numbers).decode(errors="replace"), [stop, "zzz"])
    said = []
    for number in range(len(tokens)):
        said.append(pieces.add(number))
        if pieces.is_stopped:
            break
    said.append(pieces.end())
    text = CODED.decode()
    assert "".join(said) == (text[: text.index(stop)] if stop and stop in text else text)
    assert "\N{REPLACEMENT CHARACTER}" not in "".join(said)
    assert pieces.is_stopped == bool(stop and stop in text)


def test_what_changes_nothing_is_not_refused():
    refuse_unknown({"n": 1, "tools": [], "logprobs": False, "response_format": {"type": "text"}, "user": "x"})
    with pytest.raises(Refused):
        refuse_unknown({"functions": [{}]})
