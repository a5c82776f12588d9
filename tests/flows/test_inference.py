"""A model goes in by git, is deployed on this machine and called by the unmodified SDKs; then everything is killed."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from urllib3.exceptions import HTTPError

from tests.support.assets import MODEL_CARD, MODEL_NAME
from tests.support.compute import LocalCompute, kill_all_but_workloads
from tests.support.engines import has_transformers, programs_setting
from tests.support.git import GitUser
from tests.support.http import HTTPClient
from tests.support.hub import Account, HubServer
from tests.support.huggingface import transformers_model
from tests.support.inference import Program, keys_api
from tests.support.processes import free_range, wait_until
from tests.support.sdk import SDK
from tests.support.servers import scratch_directory
from tests.support.tiny_models import tiny_models

pytestmark = [pytest.mark.slow, pytest.mark.any_database]

SEED = 20261128
CALLS, CALLERS = 200, 4
CHAT = {"messages": [{"role": "user", "content": "Name a colour."}], "temperature": 0}


@pytest.fixture(scope="module")
def hub() -> Iterator[HubServer]:
    """A hub with the engines that run here; whatever it starts ends with it."""
    engines = ["llama.cpp", *(["transformers"] if has_transformers() else [])]
    settings = {
        "ssh_port": 0,
        "compute_ports": free_range(20),
        "inference_engine_programs": programs_setting(*engines),
        "inference_sleep_after_s": 3,
    }
    with scratch_directory("inference") as folder:
        server = HubServer(folder / "home", settings)
        try:
            yield server.start()
        finally:
            server.stop()
            LocalCompute(server.home).close()


@pytest.fixture(scope="module")
def ada(hub: HubServer) -> Account:
    return hub.create_user("ada")


@pytest.fixture(scope="module")
def key(hub: HubServer, ada: Account) -> str:
    client, place = keys_api(hub, ada)
    value: str = client.post(f"{place}/apikeys", {"name": "programs"}).data["token"]
    return value


@pytest.fixture(scope="module")
def sku(hub: HubServer) -> int:
    """The smallest resource."""
    return int(hub.api.get("/api/v1/space_resources?deploy_type=1").data[0]["id"])


@pytest.fixture(scope="module")
def gguf(hub: HubServer, ada: Account, model_file: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """``models/ada/smollm2``, pushed by git."""
    user = GitUser(tmp_path_factory.mktemp("git"))
    path, work_tree = ada.create_repository("smollm2"), tmp_path_factory.mktemp("work") / "tree"
    user.clone(ada.address(path), work_tree)
    (work_tree / MODEL_NAME).hardlink_to(model_file)
    (work_tree / "README.md").write_text(MODEL_CARD)
    user.git("lfs", "track", "*.gguf", cwd=work_tree)
    user.git("add", "--all", cwd=work_tree)
    user.git("commit", "--quiet", "--message", "SmolLM2", cwd=work_tree)
    user.push(work_tree, "main")
    return path


def deploy(account: Account, path: str, **members: Any) -> Callable[..., Any]:
    """Deploy a model and return ``look(status)``: waits for it, and gives the deployment."""
    made = account.api.post(f"/api/v1/{path}/run", members)
    assert made.status == 200, made.body
    place = f"/api/v1/{path}/run/{made.data['deploy_id']}"

    def look(status: str = "", timeout_s: float = 120) -> Any:
        def found() -> Any:
            return account.api.get(place).data

        if status:
            wait_until(lambda: found()["status"] == status, timeout_s=timeout_s, what=f"it to be {status}")
        return found()

    return look


def engines(hub: HubServer) -> list[psutil.Process]:
    """The engines of that hub, whoever their parents are."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = process.info["cmdline"] or []
        if any(word.startswith(str(hub.home / "compute")) for word in line):
            found.append(process)
    return found


def test_a_gguf_model_is_called_by_the_sdk_sleeps_and_wakes(
    hub: HubServer, ada: Account, gguf: str, key: str, sku: int, tmp_path: Path, git_user: GitUser
) -> None:
    look = deploy(ada, gguf, deploy_name="chat", resource_id=sku, engine="llama.cpp", entrypoint=MODEL_NAME)
    name = look("Running")["served_name"]
    found = Program("openai", tmp_path, hub.url, key).python(
        """
from openai import OpenAI
client = OpenAI()
# What it takes from its cache the engine works out in another way, and the same question may have another answer.
ask = dict(model=given["model"], messages=[{"role": "user", "content": "Count: one, two,"}], temperature=0,
           extra_body={"cache_prompt": False})
plain = client.chat.completions.create(**ask, max_tokens=8)
chunks = list(client.chat.completions.create(
    **ask, max_tokens=8, stream=True, stream_options={"include_usage": True}
))
# What is said again, at the temperature of nought, up to where it is to stop.
word = plain.choices[0].message.content[4:10]
stopped = client.chat.completions.create(**ask, max_tokens=40, stop=[word])
colour = {"type": "object", "properties": {"colour": {"type": "string", "maxLength": 8}}, "required": ["colour"]}
shaped = client.chat.completions.create(
    model=given["model"], messages=[{"role": "user", "content": "Name a colour as JSON."}], max_tokens=200,
    temperature=0,
    response_format={"type": "json_schema", "json_schema": {"name": "colour", "schema": colour}},
)
answer({
    "plain": [plain.model, plain.usage.completion_tokens, plain.choices[0].finish_reason],
    "same": "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        == plain.choices[0].message.content,
    "usage": [plain.usage.prompt_tokens, plain.usage.completion_tokens, chunks[-1].usage.completion_tokens],
    "stopped": [stopped.choices[0].finish_reason, word in stopped.choices[0].message.content],
    "shaped": shaped.choices[0].message.content,
    "total": sum(one.usage.total_tokens for one in (plain, chunks[-1], stopped, shaped)),
    "models": [model.id for model in client.models.list()],
})
""",
        model=name,
    )
    assert found["plain"] == [name, 8, "length"]
    assert found["same"]
    assert found["usage"][1:] == [8, 8]
    assert found["stopped"] == ["stop", False]
    assert set(json.loads(found["shaped"])) == {"colour"}
    assert found["models"] == [name]
    # What the engine counted is what is booked.
    booked = hub.rows("SELECT sum(prompt_tokens + completion_tokens), count(*), min(usage_source) FROM inference_calls")
    assert booked == [(found["total"], 4, "upstream")]
    assert hub.rows("SELECT sum(quantity) FROM usage_events WHERE unit = 'token'") == [(found["total"],)]

    # Anthropic's SDK, unmodified.
    said = Program("anthropic", tmp_path, hub.url, key).python(
        """
from anthropic import Anthropic
client = Anthropic()
ask = dict(model=given["model"], max_tokens=8, messages=[{"role": "user", "content": "Count: one, two,"}])
ask["extra_body"] = {"temperature": 0, "cache_prompt": False}
plain = client.messages.create(**ask)
with client.messages.stream(**ask) as stream:
    text = "".join(stream.text_stream)
    final = stream.get_final_message()
count = client.messages.count_tokens(model=given["model"], messages=ask["messages"])
# What the engine had in its cache from the calls before, which is up to it, stands beside input_tokens.
read = plain.usage.input_tokens + plain.usage.cache_read_input_tokens
answer([plain.stop_reason, plain.usage.output_tokens, final.usage.output_tokens, text == plain.content[0].text,
        count.input_tokens, read])
""",
        model=name,
    )
    assert said == ["max_tokens", 8, 8, True, found["usage"][0], found["usage"][0]]

    # csghub-cli, unmodified.
    sdk = SDK(git_user, hub.url, ada.token)
    listed = sdk.cli("inference", "list", "-u", "ada").output
    assert "chat" in listed
    assert "ada/smollm2" in listed
    assert "Running" in listed or "Sleeping" in listed  # by now it may have fallen asleep
    number = str(look()["deploy_id"])
    assert "OK" in sdk.cli("inference", "stop", "ada/smollm2", number).output
    look("Stopped")
    asked = {"model": name, "max_tokens": 2} | CHAT
    client = HTTPClient(hub.url, key)
    refused = client.post("/v1/chat/completions", asked)
    assert (refused.status, refused.json["error"]["code"]) == (503, "model_not_running")
    assert "OK" in sdk.cli("inference", "start", "ada/smollm2", number).output

    # Nobody calls it, so it sleeps; a call wakes it and waits.
    look("Running")
    look("Sleeping")
    woken = client.post("/v1/chat/completions", asked)
    assert woken.status == 200, woken.body
    assert look()["status"] == "Running"
    # Of this start, which is the second one: it was ready, fell asleep, and was ready again.
    lines = hub.cli("deployment", "logs", number, "--lines", "1000").stdout
    assert lines.count("ready at") == 2, lines
    # Without the key that is this deployment's alone nobody is answered.
    assert client.post("/v1/chat/completions", asked).status == 200
    [(endpoint,)] = hub.rows("SELECT endpoint FROM workloads")
    assert HTTPClient(endpoint).post("/v1/chat/completions", asked).status == 401
    assert ada.api.delete(f"/api/v1/{gguf}/run/{number}").status == 200


def test_hub_worker_and_engine_are_killed_during_calls_and_nothing_is_lost_or_doubled(
    hub: HubServer, ada: Account, gguf: str, key: str, sku: int
) -> None:
    look = deploy(
        ada, gguf, deploy_name="tough", resource_id=sku, engine="llama.cpp", entrypoint=MODEL_NAME, min_replica=1
    )
    shown = look("Running")
    name, svc_name, compute = shown["served_name"], shown["svc_name"], LocalCompute(hub.home)
    asked = {"model": name, "max_tokens": 1} | CHAT
    ids, statuses, lock = list[str](), Counter[int](), threading.Lock()
    pause = threading.Event()

    def call() -> None:
        client = HTTPClient(hub.url, key, timeout_s=60)
        while statuses[200] < CALLS:
            try:
                answer = client.post("/v1/chat/completions", asked)
            except HTTPError:
                with lock:
                    statuses[0] += 1
                pause.wait(1)  # as clients do before they try again
                continue
            with lock:
                statuses[answer.status] += 1
                if answer.status == 200:
                    ids.append(answer.headers["x-request-id"])
            if answer.status >= 500:
                pause.wait(1)

    chance = random.Random(SEED)
    moments = sorted(chance.sample(range(CALLS // 10, CALLS * 3 // 4), 4))
    victims = ["worker", "engine", "hub", "engine"]
    chance.shuffle(victims)
    callers = [threading.Thread(target=call) for _ in range(CALLERS)]
    for caller in callers:
        caller.start()
    for moment, victim in zip(moments, victims, strict=True):
        wait_until(lambda moment=moment: statuses[200] >= moment, timeout_s=120, what=f"{moment} answers")
        if victim == "hub":
            kill_all_but_workloads(hub)
            hub.start()
        elif victim == "worker":
            for process in hub.program("worker"):
                process.kill()
        else:
            wait_until(lambda: compute.record(svc_name).is_running, what="the engine to run again")
            os.kill(compute.record(svc_name).pid, signal.SIGKILL)
    for caller in callers:
        caller.join(240)
    assert statuses[200] >= CALLS, statuses
    assert len(set(ids)) == len(ids) == statuses[200]
    # It came back by itself, and answers.
    look("Running")
    wait_until(
        lambda: HTTPClient(hub.url, key).post("/v1/chat/completions", asked).status == 200,
        timeout_s=60,
        what="an answer",
    )
    rows = hub.rows("SELECT request_id, uuid FROM inference_calls WHERE model = :name AND status = 200", name=name)
    booked = Counter(row[0] for row in rows)
    assert {id for id in ids if booked[id] != 1} == set()
    events = Counter(row[0] for row in hub.rows("SELECT uuid FROM usage_events WHERE unit = 'token'"))
    assert {uuid for _, uuid in rows if events[uuid] != 1} == set()
    # One interval is open, of the one replica that runs, and its time goes on where it was.
    open_ones = hub.rows("SELECT count(*) FROM usage_intervals WHERE customer_id = :n AND ended_at IS NULL", n=svc_name)
    assert open_ones == [(1,)]
    record = compute.record(svc_name)
    assert ada.api.delete(f"/api/v1/{gguf}/run/{shown['deploy_id']}").status == 200
    wait_until(lambda: not record.is_running and not record.is_kept, what="it to end")
    wait_until(lambda: not engines(hub), what="no engine to run")


def push_folder(account: Account, user: GitUser, name: str, folder: Path, work_tree: Path) -> str:
    """A model as transformers saves one, in a repository of its own."""
    path = account.create_repository(name)
    user.clone(account.address(path), work_tree)
    shutil.copytree(folder, work_tree, copy_function=os.link, dirs_exist_ok=True)
    user.git("lfs", "track", "*.safetensors", cwd=work_tree)
    user.git("add", "--all", cwd=work_tree)
    user.git("commit", "--quiet", "--message", name, cwd=work_tree)
    user.push(work_tree, "main")
    return path


@pytest.mark.skipif(not has_transformers(), reason="torch for the CPU cannot be had here")
def test_the_same_weights_as_safetensors_are_served_by_transformers(
    hub: HubServer, ada: Account, key: str, sku: int, tmp_path: Path, git_user: GitUser
) -> None:
    path = push_folder(ada, git_user, "smollm2-safe", transformers_model(), tmp_path / "tree")
    # It would fall asleep while the program starts.
    look = deploy(ada, path, deploy_name="safe", resource_id=sku, engine="transformers", min_replica=1)
    name = look("Running")["served_name"]
    found = Program("openai", tmp_path, hub.url, key).python(
        """
from openai import OpenAI
client = OpenAI()
ask = dict(model=given["model"], messages=[{"role": "user", "content": "Count:"}], temperature=0, max_tokens=4)
plain = client.chat.completions.create(**ask)
chunks = list(client.chat.completions.create(**ask, stream=True, stream_options={"include_usage": True}))
answer([plain.model, plain.usage.completion_tokens, chunks[-1].usage.completion_tokens,
        "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        == plain.choices[0].message.content])
""",
        model=name,
    )
    assert found == [name, 4, 4, True]
    assert ada.api.delete(f"/api/v1/{path}/run/{look()['deploy_id']}").status == 200


@pytest.mark.skipif(not has_transformers(), reason="torch for the CPU cannot be had here")
def test_a_small_encoder_gives_vectors(
    hub: HubServer, ada: Account, key: str, sku: int, tmp_path: Path, git_user: GitUser
) -> None:
    path = push_folder(ada, git_user, "encoder", tiny_models() / "encoder", tmp_path / "tree")
    look = deploy(ada, path, deploy_name="vectors", resource_id=sku, engine="transformers", min_replica=1)
    name = look("Running")["served_name"]
    found = Program("openai", tmp_path, hub.url, key).python(
        """
from openai import OpenAI
made = OpenAI().embeddings.create(model=given["model"], input=["a b", "a b c"])
answer([made.model, [len(one.embedding) for one in made.data], made.usage.prompt_tokens])
""",
        model=name,
    )
    # A letter is a token, and each text has one before its first and one behind its last.
    assert found == [name, [32, 32], 9]
    assert hub.rows("SELECT prompt_tokens FROM inference_calls WHERE model = :name", name=name) == [(9,)]
    assert ada.api.delete(f"/api/v1/{path}/run/{look()['deploy_id']}").status == 200
