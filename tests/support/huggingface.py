"""huggingface_hub, datasets and transformers as their users have them: unmodified, in environments of their own.

``python -m tests.support.huggingface`` converts the language model, once, into the files that transformers loads.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.support.assets import cache_path, fetch_model
from tests.support.git import Result
from tests.support.venvs import Client, make_venv

_WEIGHTS = "model.safetensors"

# transformers refuses to save a model that came out of a GGUF: a new one takes its weights.
_CONVERT = """
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

torch.set_num_threads(2)
source = {"pretrained_model_name_or_path": given["folder"], "gguf_file": given["name"]}
loaded = AutoModelForCausalLM.from_pretrained(**source, dtype=torch.bfloat16)
config = AutoConfig.from_pretrained(**source)
if hasattr(config, "quantization_config"):
    del config.quantization_config
config.dtype = torch.bfloat16
model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
model.load_state_dict(loaded.state_dict())
model.save_pretrained(given["target"])
AutoTokenizer.from_pretrained(**source).save_pretrained(given["target"])
"""


@dataclass
class HuggingFace(Client):
    """One person's clients, with one token and one cache, talking to one hub.

    home: a directory; HF_HOME lies in it. url: HF_ENDPOINT. line: whose pins, a name of ``tests/clients``. xet: False
    sets HF_HUB_DISABLE_XET.
    """

    home: Path
    url: str
    token: str = ""
    line: str = "huggingface"
    xet: bool = True
    environment: dict[str, str] = field(default_factory=dict)

    def programs(self) -> Path:
        return make_venv(self.line) / "bin"

    def place(self) -> Path:
        self.home.mkdir(parents=True, exist_ok=True)
        return self.home

    def variables(self) -> dict[str, str]:
        values = {
            "PATH": os.pathsep.join([str(self.programs()), os.environ["PATH"]]),
            "HOME": str(self.home),
            "LC_ALL": "C.UTF-8",
            "NO_COLOR": "1",
            "HF_HOME": str(self.home / "hf"),
            "HF_ENDPOINT": self.url,
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_UPDATE_CHECK": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_HUB_DISABLE_XET": "0" if self.xet else "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        if self.token:
            values["HF_TOKEN"] = self.token
        return {**values, **self.environment}

    def hf(self, *arguments: str | Path, check: bool = True, timeout_s: float = 200) -> Result:
        """``hf`` with these arguments."""
        return self.run("hf", *arguments, check=check, timeout_s=timeout_s)

    def with_(self, **changes: Any) -> HuggingFace:
        """The same clients with other settings; ``environment`` is added to."""
        environment = {**self.environment, **changes.pop("environment", {})}
        return replace(self, environment=environment, **changes)


def transformers_model() -> Path:
    """A folder with the language model as transformers saves one, 269 MB in bfloat16; made when it is not there yet."""
    target = cache_path() / "SmolLM2-135M-Instruct"
    with target.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (target / _WEIGHTS).exists():
            draft = cache_path() / "SmolLM2-135M-Instruct.draft"
            shutil.rmtree(draft, ignore_errors=True)
            source = fetch_model()
            client = HuggingFace(draft / "home", "http://127.0.0.1:9", line="transformers")
            client = client.with_(environment={"HF_HUB_OFFLINE": "1"})
            client.python(_CONVERT, folder=source.parent, name=source.name, target=draft / "model", timeout_s=900)
            (draft / "model").replace(target)
            shutil.rmtree(draft)
    return target


if __name__ == "__main__":
    transformers_model()
