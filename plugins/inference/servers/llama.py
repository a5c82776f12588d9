"""llama.cpp's own server, as the wheel xllamacpp carries it, for machines without the program ``llama-server``.

Run by an environment that has xllamacpp (``launch.py``). It listens once the model is loaded. What of that server reads
or writes other files, or fetches anything, stays off. Its callers' key comes in ``LLAMA_API_KEY``, as the program's
does.
"""

from __future__ import annotations

import argparse
import os
import signal
import threading
from typing import Any

from plugins.inference.servers.asking import tell

KEY_VARIABLE = "LLAMA_API_KEY"
# Of prompts kept in memory for later requests; the server's own default is 8 GiB.
CACHE_MIB = 256
POOLINGS = ("mean", "cls", "last")


def parameters_of(options: argparse.Namespace) -> Any:
    """What the server is told."""
    import xllamacpp

    wanted = xllamacpp.CommonParams()
    wanted.model.path = options.model
    wanted.model_alias = {options.name}
    wanted.hostnames, wanted.port = [options.host], options.port
    wanted.api_keys = [key] if (key := os.environ.pop(KEY_VARIABLE, "")) else []
    # Shared by all that are served at once.
    wanted.n_ctx, wanted.n_parallel = options.context * options.parallel, options.parallel
    wanted.cpuparams.n_threads = options.threads or int(os.environ.get("OMP_NUM_THREADS") or 0) or os.cpu_count() or 1
    wanted.n_gpu_layers = options.gpu_layers
    wanted.cache_ram_mib = CACHE_MIB
    wanted.offline, wanted.ui, wanted.endpoint_slots, wanted.endpoint_metrics = True, False, False, True
    if options.mmproj:
        wanted.mmproj.path = options.mmproj
    if options.mode != "text":
        wanted.embedding = True
        if pooling := "rank" if options.mode == "rerank" else options.pooling:
            wanted.pooling_type = getattr(xllamacpp.llama_pooling_type, f"LLAMA_POOLING_TYPE_{pooling.upper()}")
        # An input is computed at once or not at all.
        wanted.n_batch = wanted.n_ubatch = options.context
    return wanted


def main(arguments: list[str]) -> int:
    """Serve until told to stop; the exit status."""
    parser = argparse.ArgumentParser(prog="llama", allow_abbrev=False)
    parser.add_argument("--model", required=True, help="the GGUF file, of several the first")
    parser.add_argument("--name", required=True, help="what callers call the model")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--mode", choices=("text", "embeddings", "rerank"), default="text")
    parser.add_argument("--pooling", choices=POOLINGS, default="", help="of embeddings; as the model says where empty")
    parser.add_argument("--context", type=int, default=4096, help="longest prompt and answer together, in tokens")
    parser.add_argument("--parallel", type=int, default=1, help="how many requests are computed at once")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--gpu-layers", type=int, default=-1)
    parser.add_argument("--mmproj", default="")
    options = parser.parse_args(arguments)
    if not os.access(options.model, os.R_OK):
        tell("error: the file of the model is not there")
        return 1
    import xllamacpp

    server = xllamacpp.Server(parameters_of(options))
    tell(f"ready at {server.listening_address}")
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    stopped.wait()
    # Its threads may be in the midst of an answer; nothing of them outlives the process.
    os._exit(0)
