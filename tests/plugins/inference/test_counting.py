"""What calls used where their upstream does not tell: counted by its engine's own tokenizer, else estimated."""

import json
import threading

import pytest
from werkzeug.test import Client

from plugins.inference.catalogue import Prices, Served, Server
from plugins.inference.gateway.tokenizers import family_of
from plugins.inference.gateway.usage import Heard, count_items, estimate_prompt
from plugins.inference.settings import InferenceSettings
from tests.support.processes import wait_until
from tests.support.wire import answer

from .conftest import body_of, completion, delta, stream

pytestmark = [pytest.mark.any_database, pytest.mark.settings(outgoing_allowed_hosts="127.0.0.1")]

SETTINGS = InferenceSettings()
WORDS = {"role": "user", "content": "Say four words."}
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBOR"}}


class Engine:
    """An upstream that tells no usage. asked: what its tokenizer was asked, with the last word of the address."""

    def __init__(self, say, counted):
        self.say, self.counted, self.asked = say, counted, []

    def __call__(self, connection, request):
        route = request.split(b" ")[1].decode().rpartition("/")[2]
        if route not in self.counted:
            if callable(self.say):
                return self.say(connection, request)
            connection.sendall(self.say)
            return None
        asked = body_of(request)
        self.asked.append((request.split(b" ")[1].decode(), asked))
        said = self.counted[route](asked) if callable(self.counted[route]) else self.counted[route]
        connection.sendall(answer(json.dumps(said).encode()))
        return None


def words_of(text):
    return [{"id": place, "text": word} for place, word in enumerate(text.split())]


# Each counts a word as a token, and a whole prompt with two more.
ENGINES = {
    "llama.cpp": {
        "apply-template": lambda asked: {"prompt": " ".join(each["content"] for each in asked["messages"])},
        "tokenize": lambda asked: {"tokens": [*asked["content"].split(), *[0] * 2 * asked["add_special"]]},
    },
    "vllm": {
        "tokenize": lambda asked: {
            "count": sum(len(each["content"].split()) for each in asked["messages"]) + 2
            if "messages" in asked
            else len(asked["prompt"].split()) + 2 * asked["add_special_tokens"]
        }
    },
    # It knows no template: three are added for it.
    "sglang": {"tokenize": lambda asked: {"count": len(asked["prompt"].split()) - 1}},
    "text-generation-inference": {
        "chat_tokenize": lambda asked: {"tokenize_response": words_of(f"{asked['messages'][0]['content']} a b")},
        "tokenize": lambda asked: words_of(asked["inputs"]),
    },
}


@pytest.mark.parametrize("provider", ENGINES)
def test_an_engines_own_tokenizer_counts_what_it_does_not_tell(ask, serve, calls, provider):
    counted = ENGINES[provider]
    said = 1 if provider == "sglang" else 0
    whole = Engine(completion("five words are in here", usage=None), counted)
    serve(whole, provider=provider)
    serve(
        Engine(stream(delta("five words"), delta(" are in here"), delta(finish="stop")), counted),
        "s",
        provider=provider,
    )
    assert ask().status_code == 200
    ask(model="s", stream=True).get_data()
    found = [(call.usage_source, call.prompt_tokens, call.completion_tokens) for call in calls()]
    assert found == [("tokenizer", 5, 5 - said)] * 2
    # Beside "/v1", where engines have it, with the key that the calls have.
    assert {path.count("/") for path, _ in whole.asked} == {1}


def test_tokens_of_other_protocols_and_of_prompts_are_counted_as_well(ask, serve, calls, gateway):
    serve(Engine(completion("a b c", usage=None), ENGINES["vllm"]), provider="nvidia-vllm")
    headers = {"anthropic-version": "2023-06-01"}
    told = ask(path="/v1/messages", headers=headers, max_tokens=9, stream=False).json["usage"]
    assert (told["input_tokens"], told["output_tokens"]) == (5, 3)
    told = ask(path="/v1/responses", input="two words", messages=None).json["usage"]
    assert (told["input_tokens"], told["output_tokens"]) == (4, 3)
    text = {"choices": [{"index": 0, "text": "a b", "finish_reason": "stop"}]}
    serve(Engine(answer(json.dumps(text).encode()), ENGINES["vllm"]), "text", provider="vllm")
    ask(path="/v1/completions", model="text", messages=None, prompt=["one two", "three"])
    ask(path="/v1/completions", model="text", messages=None, prompt=[[7, 8, 9], [7]])
    assert [(call.usage_source, call.prompt_tokens, call.completion_tokens) for call in calls()][2:] == [
        ("tokenizer", 5, 2),
        ("tokenizer", 4, 2),
    ]
    tei = {"tokenize": lambda asked: [words_of(f"{asked['inputs']} x y")]}
    serve(Engine(answer(json.dumps({"data": []}).encode()), tei), "vectors", provider="tei")
    ask(path="/v1/embeddings", model="vectors", messages=None, input=["one two", "three"])
    assert [(call.usage_source, call.prompt_tokens, call.completion_tokens) for call in calls()][4:] == [
        ("tokenizer", 5, 0)
    ]


def test_who_leaves_in_the_midst_of_a_stream_pays_for_the_tokens_that_came(gateway, make_key, serve, calls):
    is_cut = threading.Event()

    def talk(connection, _request):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        for word in ("one ", "two ", "three "):
            connection.sendall(b"data: " + json.dumps(delta(word)).encode() + b"\n\n")
        while connection.recv(100):
            pass
        is_cut.set()
        return False

    engine = Engine(talk, ENGINES["llama.cpp"])
    serve(engine, provider="llama.cpp")
    response = Client(gateway).post(
        "/v1/chat/completions",
        json={"model": "tiny", "stream": True, "messages": [WORDS]},
        headers={"Authorization": f"Bearer {make_key()}"},
        buffered=False,
    )
    seen = b""
    for piece in response.iter_encoded():
        seen += piece
        if b"three" in seen:
            break
    response.close()
    assert is_cut.wait(60)
    wait_until(calls, what="the call to be written down")
    [call] = calls()
    assert (call.status, call.usage_source, call.prompt_tokens, call.completion_tokens) == (499, "tokenizer", 5, 3)
    assert [path for path, _ in engine.asked] == ["/apply-template", "/tokenize", "/tokenize"]


@pytest.mark.parametrize(
    "say",
    [
        answer(b"", status="404 Not Found"),
        answer(b"no JSON"),
        answer(b"[1]"),
        answer(b'{"count": "many"}'),
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{",
    ],
)
def test_what_a_tokenizer_does_not_say_is_estimated(ask, serve, calls, say):
    def talk(connection, request):
        is_call = b"/v1/" in request.split(b" ")[1]
        connection.sendall(completion("x" * 40, usage=None) if is_call else say)
        return is_call

    serve(talk, provider="vllm")
    assert ask().status_code == 200
    [call] = calls()
    assert (call.usage_source, call.prompt_tokens, call.completion_tokens) == ("estimate", 4, 10)


def test_usage_that_is_told_is_not_counted_again(ask, serve, calls):
    server = serve(completion(), provider="vllm")
    ask()
    assert [call.usage_source for call in calls()] == ["upstream"]
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "name, family",
    [
        *(("ascend-vllm", "vllm"), ("nvidia-sglang", "sglang"), ("tgi-gcu", "tgi"), ("TEI", "tei")),
        *(("amd-llama.cpp", "llama.cpp"), ("xllamacpp", "llama.cpp"), ("llama_cpp", "llama.cpp")),
        *(("llama-server", "llama.cpp"), ("Proteins Inc.", ""), ("ktransformers", ""), ("", "")),
    ],
)
def test_engines_are_known_by_their_names(name, family):
    served = Served(*("m", "external_llm", "", "", None, "", "weighted", ""), (), None, Prices(), 0, ())
    assert family_of(served, Server(1, "http://a/v1", "m", name, 1, 0, {})) == family


# Estimates


def test_pictures_and_recordings_in_prompts_count_as_is_set(ask, serve, calls):
    sound = {"type": "input_audio", "input_audio": {"data": "UklGR", "format": "wav"}}
    serve(completion("x" * 40, usage=None))
    ask(messages=[{"role": "user", "content": [{"type": "text", "text": "12345678"}, PICTURE, PICTURE, sound]}])
    block = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBOR"}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": [block]}
    messages = [{"role": "user", "content": [{"type": "text", "text": "12345678"}, result]}]
    counted = ask(path="/v1/messages/count_tokens", messages=messages, headers={"anthropic-version": "2023-06-01"}).json
    assert [call.prompt_tokens for call in calls()] == [2 + 2 * SETTINGS.image_tokens + SETTINGS.audio_tokens]
    assert counted == {"input_tokens": 2 + SETTINGS.image_tokens}
    said = [{"role": "user", "content": [{"type": "input_image", "image_url": "data:image/png;base64,iVBOR"}]}]
    assert estimate_prompt({"input": said}, SETTINGS) == SETTINGS.image_tokens
    odd = [{"type": ["image"]}, {"type": "image"}, 7, None]
    for _ in range(100):
        odd = [{"content": odd}]
    assert count_items(odd) == (0, 0)


def test_each_document_is_read_with_the_question(ask, serve, calls):
    serve(answer(json.dumps({"results": []}).encode()))
    ask(path="/v1/rerank", messages=None, query="1234", documents=["12345678"] * 3)
    ask(path="/v1/rerank", messages=None, query="1234", documents=[{"text": "12345678"}])
    ask(path="/v1/embeddings", messages=None, input=["1234", "12345678", [1, 2]])
    assert [(call.usage_source, call.prompt_tokens) for call in calls()] == [
        ("estimate", 9),
        ("estimate", 3),
        ("estimate", 5),
    ]


def test_what_repeats_the_words_of_an_answer_is_not_counted(ask, serve, calls):
    token = {"token": "xxxx", "logprob": -1.0, "top_logprobs": [{"token": "yyyy", "logprob": -2.0}]}
    choice = {
        "index": 0,
        "message": {"content": "x" * 8},
        "logprobs": {"content": [token] * 2},
        "finish_reason": "stop",
    }
    serve(completion(usage=None, choices=[choice]))
    ask()
    assert [call.completion_tokens for call in calls()] == [2]


def test_of_a_long_answer_no_text_is_kept():
    heard = Heard(texts=[])
    for _ in range(6):
        heard.add("x" * 1024 * 1024)
    assert (heard.texts, heard.characters) == (None, 6 * 1024 * 1024)
