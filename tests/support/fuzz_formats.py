"""atheris over the readers of Xet's formats: coverage leads it to bodies that no generator would think of.

``python -m tests.support.fuzz_formats`` does it for a minute (`make fuzz`); a test tries generated bodies in small.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from tests.support import xet_client as xet
from tests.support.servers import scratch_directory
from tests.support.venvs import CLIENTS, make_venv

ROOT = Path(__file__).parent.parent.parent
# A body must not take longer, nor the whole process more, whatever the body says of itself.
LIMITS = ("-timeout=5", "-rss_limit_mb=512", "-max_len=20000")


def write_seeds(directory: Path) -> None:
    """Good bodies to start from: each way to store a chunk, with each footer, and a shard."""
    chunks = [b"a line of text\n" * 40, bytes(300), bytes(range(256))]
    bodies = {f"x{scheme}": xet.pack_xorb(chunks, scheme) for scheme in (xet.STORED, xet.LZ4, xet.BG4_LZ4)}
    bodies |= {f"f{version}": bodies["x0"] + xet.make_footer(chunks, version=version) for version in (0, 1)}
    bodies["shard"] = xet.make_upload(b"".join(chunks))[2]
    for name, body in bodies.items():
        (directory / name).write_bytes((b"s" if name == "shard" else b"x") + body)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="how long it goes on")
    given = parser.parse_args()
    try:
        python = make_venv("fuzz/atheris") / "bin" / "python"
    except subprocess.CalledProcessError:
        print("Xet's formats: not tried, atheris is not to be had for this machine.")
        return 0
    with scratch_directory("formats") as directory:
        (directory / "corpus").mkdir()
        write_seeds(directory / "corpus")
        command = [python, CLIENTS / "fuzz" / "formats.py", *LIMITS, f"-max_total_time={given.seconds}"]
        # A body that breaks a reader is left where it is looked for: here.
        command += [f"-artifact_prefix={Path.cwd()}/", directory / "corpus"]
        return subprocess.run(command, cwd=directory, env={**os.environ, "PYTHONPATH": str(ROOT)}).returncode


if __name__ == "__main__":
    sys.exit(main())
