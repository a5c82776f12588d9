"""Programs that tests drive from outside, each in an environment of its own, so that it moves none of our pins.

``python -m tests.support.venvs`` makes those that are missing; `make test` does so before the tests start.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.assets import cache_path
from tests.support.git import Result

CLIENTS = Path(__file__).parent.parent / "clients"
# Those that pip finds on some machines only: torch without CUDA is on no public index.
_RARE = ("transformers",)
_STAMP = ".complete"
_HEAD = """
import json, sys
given = json.loads(sys.argv[1])
answer = lambda value: print('ANSWER ' + json.dumps(value, default=str), flush=True)
"""


def make_venv(name: str) -> Path:
    """The directory of the environment with the pins of ``tests/clients/NAME.txt``, made when it is not there yet."""
    path = _path_of(name)
    with (cache_path() / f"{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (path / _STAMP).exists():
            # Programs carry the path of their environment, so it is made in its place.
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(path)], check=True)
            install = ["-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps"]
            pins = ["--requirement", str(CLIENTS / f"{name}.txt")]
            subprocess.run([str(path / "bin" / "python"), *install, *pins], check=True)
            (path / _STAMP).touch()
    return path


def has_venv(name: str) -> bool:
    """Whether the environment is there, whole."""
    return (_path_of(name) / _STAMP).exists()


def _path_of(name: str) -> Path:
    pins = CLIENTS / f"{name}.txt"
    digest = hashlib.sha256(pins.read_bytes() + sys.version.encode()).hexdigest()[:12]
    return cache_path() / f"{name}-{digest}"


class Client(ABC):
    """Somebody with the programs of one environment. Heirs say which, and with what variables."""

    @abstractmethod
    def programs(self) -> Path:
        """The directory of the environment's programs."""

    @abstractmethod
    def variables(self) -> Mapping[str, str]:
        """The whole environment of a run."""

    @abstractmethod
    def place(self) -> Path:
        """The directory in which programs run."""

    def command(self, name: str, *arguments: str | Path) -> list[str]:
        """The command line of one of the programs."""
        return [str(self.programs() / name), *map(str, arguments)]

    def run(self, name: str, *arguments: str | Path, check: bool = True, timeout_s: float = 200) -> Result:
        """Run one of the programs to its end. Raises AssertionError when it fails and ``check`` is set."""
        done = subprocess.run(
            self.command(name, *arguments),
            cwd=self.place(),
            env=dict(self.variables()),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
        )
        result = Result(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))
        words = " ".join(str(word)[:80] for word in arguments)
        assert result.ok or not check, f"{name} {words}: {result.status}\n{result.output}\n{result.error}"
        return result

    def start(self, name: str, *arguments: str | Path) -> subprocess.Popen[bytes]:
        """Start one of the programs in a process group of its own and return at once; both outputs are pipes."""
        return subprocess.Popen(
            self.command(name, *arguments),
            cwd=self.place(),
            env=dict(self.variables()),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def python(self, script: str, *, timeout_s: float = 200, **values: Any) -> Any:
        """What a script, given the values as ``given``, hands to ``answer``, as JSON."""
        done = self.run("python", "-c", _HEAD + script, json.dumps(values, default=str), timeout_s=timeout_s)
        found = [line.partition(" ")[2] for line in done.output.splitlines() if line.startswith("ANSWER ")]
        return json.loads(found[-1]) if found else None


if __name__ == "__main__":
    for found in sorted(CLIENTS.glob("*.txt")):
        try:
            make_venv(found.stem)
        except subprocess.CalledProcessError:
            if found.stem not in _RARE:
                raise
            print(f"{found.name}: not to be had here; its tests are left out", file=sys.stderr)
    # Made once from what these hold; the tests do not wait for it.
    if has_venv("transformers"):
        subprocess.run([sys.executable, "-m", "tests.support.huggingface"], check=True, env=os.environ)
