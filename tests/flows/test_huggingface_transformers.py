"""transformers, unmodified, with a real language model on a running hub: 135 million parameters, 269 MB.

Left out where pip has no torch for the CPU.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.assets import sha256_of
from tests.support.hub import Account, HubServer
from tests.support.huggingface import HuggingFace, transformers_model
from tests.support.servers import scratch_directory
from tests.support.venvs import has_venv

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not has_venv("transformers"), reason="pip has no torch for the CPU here"),
]


@pytest.fixture(scope="module")
def hub() -> Iterator[HubServer]:
    with scratch_directory("transformers") as directory, HubServer(directory / "home", {"ssh_port": 0}) as server:
        yield server


@pytest.fixture(scope="module")
def account(hub: HubServer) -> Account:
    return hub.new_account()


# Loads what one client has uploaded, lets it speak, pushes it to a repository of its own and loads that.
USE = """
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, pipeline

torch.set_num_threads(1)
model = AutoModelForCausalLM.from_pretrained(given["name"])
tokenizer = AutoTokenizer.from_pretrained(given["name"])
words = tokenizer("The capital of France is", return_tensors="pt")
said = model.generate(**words, min_new_tokens=5, max_new_tokens=5, do_sample=False)
model.push_to_hub(given["copy"], private=True)
tokenizer.push_to_hub(given["copy"])
again = AutoModelForCausalLM.from_pretrained(given["copy"])
answer({
    "parameters": model.num_parameters(),
    "type": str(model.dtype),
    "new": said.shape[1] - words["input_ids"].shape[1],
    "text": tokenizer.decode(said[0], skip_special_tokens=True),
    "same": all(torch.equal(one, two) for one, two in zip(model.parameters(), again.parameters(), strict=True)),
})
"""


@pytest.mark.parametrize("xet", [True, False], ids=["xet-below", "lfs-at-root"])
def test_a_model_is_loaded_speaks_and_is_pushed(hub, account, tmp_path, xet):
    model = transformers_model()
    word = "xet" if xet else "lfs"
    uploader = HuggingFace(tmp_path / "a", hub.url + ("/hf" if xet else ""), account.token, xet=xet)
    name, copy = f"{account.name}/smollm2-{word}", f"{account.name}/copy-{word}"
    uploader.hf("upload", name, model, ".", "--private")
    user = uploader.with_(home=tmp_path / "b", line="transformers")
    told = user.python(USE, name=name, copy=copy)
    assert told["parameters"] == 134_515_008
    assert told["type"] == "torch.bfloat16"
    assert told["new"] == 5
    assert told["text"].startswith("The capital of France is")
    assert told["same"] is True
    files = {file["path"]: file for file in account.api.get(f"/hf/api/models/{copy}/tree/main").json}
    assert files["model.safetensors"]["lfs"]["oid"] == sha256_of(Path(model) / "model.safetensors")
