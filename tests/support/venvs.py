"""Programs that tests drive from outside, each in an environment of its own, so that it moves none of our pins.

``python -m tests.support.venvs`` makes those that are missing; `make test` does so before the tests start.
"""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
import sys
from pathlib import Path

from tests.support.assets import cache_path

CLIENTS = Path(__file__).parent.parent / "clients"
_STAMP = ".complete"


def make_venv(name: str) -> Path:
    """The directory of the environment with the pins of ``tests/clients/NAME.txt``, made when it is not there yet."""
    pins = CLIENTS / f"{name}.txt"
    digest = hashlib.sha256(pins.read_bytes() + sys.version.encode()).hexdigest()[:12]
    path = cache_path() / f"{name}-{digest}"
    with (cache_path() / f"{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (path / _STAMP).exists():
            # Programs carry the path of their environment, so it is made in its place.
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(path)], check=True)
            install = ["-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps"]
            subprocess.run([str(path / "bin" / "python"), *install, "--requirement", str(pins)], check=True)
            (path / _STAMP).touch()
    return path


if __name__ == "__main__":
    for pins in sorted(CLIENTS.glob("*.txt")):
        make_venv(pins.stem)
