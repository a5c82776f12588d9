"""LiteLLM's proxy, in an environment of its own that is made when it is first asked for."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.bench.measure import CLIENT
from tests.bench.peers import NotHere, Peer
from tests.support.processes import accepts_connections, free_port, stop, tail, wait_until
from tests.support.venvs import make_venv


@contextmanager
def litellm(directory: Path, models: Mapping[str, str]) -> Iterator[Peer]:
    """One worker that serves models by name, each from an address of a provider; no keys, limits, budgets or records.

    Raises NotHere where its packages are not to be had.
    """
    try:
        programs = make_venv("bench/litellm") / "bin"
    except subprocess.CalledProcessError as error:
        raise NotHere("LiteLLM could not be installed") from error
    directory.mkdir(parents=True)
    served = [
        {"model_name": name, "litellm_params": {"model": "openai/small-v1", "api_base": url, "api_key": "none"}}
        for name, url in models.items()
    ]
    # YAML takes JSON.
    config = {"model_list": served, "litellm_settings": {"num_retries": 0, "telemetry": False}}
    (directory / "config.yaml").write_text(json.dumps(config))
    port, log_path = free_port(), directory / "litellm.log"
    environment = {
        **CLIENT,
        "HOME": str(directory),
        "PATH": f"{programs}:{CLIENT['PATH']}",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_LOG": "ERROR",
        "LITELLM_MODE": "PRODUCTION",
        # It asks nobody for a key: it is measured without that work.
        "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
    }
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [
                *(programs / "litellm", "--config", "config.yaml", "--host", "127.0.0.1"),
                *("--port", str(port), "--num_workers", "1"),
            ],
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        try:
            wait_until(lambda: accepts_connections(port), timeout_s=180, what="LiteLLM")
        except TimeoutError as error:
            raise NotHere(f"LiteLLM did not start: {tail(log_path, 5)}") from error
        yield Peer(f"http://127.0.0.1:{port}", process.pid)
    finally:
        stop(process)
