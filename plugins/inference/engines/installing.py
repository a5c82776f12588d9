"""Engines that run on this machine, each in an environment of its own below ``HUB_HOME/engines/NAME/VERSION``.

None of them shares a package with the hub. An environment is made beside its place and put there whole by a rename, so
that what is there is complete.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from hub.plugin.errors import Conflict, Failed, Invalid, NotFound
from plugins.inference.engines.engine import Site

# Which package an engine's version is that of.
PACKAGES = {"llama.cpp": "xllamacpp", "transformers": "transformers"}
_NEW, _LOCK = ".new-", ".lock"
_VERSION = re.compile(r"[0-9][A-Za-z0-9.+!-]{0,63}\Z")
_PIN = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>\S+)\Z")
_CPU = "+cpu"


@dataclass(frozen=True)
class InstalledEngine:
    """An environment that is there. is_used: the one that deployments start with."""

    name: str
    version: str
    path: Path
    is_used: bool

    @property
    def python(self) -> Path:
        """Its Python."""
        return self.path / "bin" / "python"


def server_script() -> Path:
    """What the Python of an environment runs."""
    return Path(__file__).parent.parent / "servers" / "launch.py"


def find_python(site: Site, name: str) -> Path | None:
    """The Python that runs an engine's server: one that an administrator named, else an installed one's; or None."""
    if named := site.programs.get(name):
        return Path(named) if os.path.basename(named).startswith("python") else None
    used = next((each for each in list_installed(site.home, name) if each.is_used), None)
    return used.python if used else None


def list_installed(home: Path, name: str = "") -> list[InstalledEngine]:
    """What is installed, of one engine or of all; the newest version of each is used."""
    found: list[InstalledEngine] = []
    for engine in [name] if name else sorted(PACKAGES):
        versions = [
            each.name
            for each in (home / engine).glob("*/")
            if _VERSION.match(each.name) and (each / "bin" / "python").exists()
        ]
        ordered = sorted(versions, key=_rank, reverse=True)
        found += [
            InstalledEngine(engine, version, home / engine / version, version == ordered[0]) for version in ordered
        ]
    return found


def _rank(version: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.findall(r"\d+|[A-Za-z]+", version)]


def read_pins(name: str) -> dict[str, str]:
    """The packages of an engine's environment, with the versions that were tested together.

    Raises NotFound (``engine_not_installable``).
    """
    if name not in PACKAGES:
        known = ", ".join(sorted(PACKAGES))
        raise NotFound(f"No engine {name!r} can be installed here; there are {known}.", code="engine_not_installable")
    lines = (files(__package__) / "pins" / f"{name}.txt").read_text("utf-8").splitlines()
    return {match["name"]: match["version"] for line in lines if (match := _PIN.match(line))}


def install_engine(
    home: Path, name: str, *, version: str = "", on_cards: bool = False, say: Callable[[str], None] = lambda _: None
) -> InstalledEngine:
    """Install an engine, with its tested version or another. on_cards: torch with what it needs to compute on cards.

    say: called with each line of what goes on. Raises NotFound; Invalid (``engine_version_invalid``); Conflict
    (``engine_installed``); Failed (``engine_install_failed``).
    """
    pins = read_pins(name)
    package = PACKAGES[name]
    if version and not _VERSION.match(version):
        raise Invalid(f"{version!r} is no version.", code="engine_version_invalid")
    pins[package] = version = version or pins[package]
    if on_cards:
        pins = {one: pin.removesuffix(_CPU) for one, pin in pins.items()}
    folder = home / name
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        if (folder / version).exists():
            raise Conflict(f"{name} {version} is installed already.", code="engine_installed")
        for left in folder.glob(f"{_NEW}*"):
            shutil.rmtree(left, ignore_errors=True)
        draft = Path(tempfile.mkdtemp(prefix=_NEW, dir=folder))
        try:
            _make(draft, pins, has_dependencies=on_cards, say=say)
            draft.chmod(0o755)
            draft.rename(folder / version)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
    return next(each for each in list_installed(home, name) if each.version == version)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with (folder / _LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make(draft: Path, pins: dict[str, str], *, has_dependencies: bool, say: Callable[[str], None]) -> None:
    python = str(draft / "bin" / "python")
    # The hub's own pip does it where there is one: it takes no part in what runs later.
    has_pip = importlib.util.find_spec("pip") is not None
    _run([sys.executable, "-m", "venv", *(["--without-pip"] if has_pip else []), str(draft)], say)
    words = [f"{package}=={version}" for package, version in pins.items()]
    # All of them are named, so that pip decides nothing; with cards, torch brings more than can be named here.
    alone = [] if has_dependencies else ["--no-deps"]
    pip = [sys.executable, "-m", "pip", "--python", python] if has_pip else [python, "-m", "pip"]
    _run([*pip, "--disable-pip-version-check", "install", "--no-input", "--progress-bar", "off", *alone, *words], say)


def _run(command: list[str], say: Callable[[str], None]) -> None:
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    last = ""
    assert process.stdout is not None  # asked for above
    with process:
        for line in process.stdout:
            if line.strip():
                say(last := line.strip())
    if process.returncode:
        raise Failed(f"The engine could not be installed: {last[:500]}", code="engine_install_failed")


def remove_engine(home: Path, name: str, *, version: str) -> None:
    """Remove one version of an engine. What runs of it goes on until it is stopped. Raises NotFound."""
    found = next((each for each in list_installed(home, name) if each.version == version), None)
    if name not in PACKAGES or found is None:
        raise NotFound(f"{name} {version} is not installed.", code="engine_not_installed")
    with _locked(home / name):
        # Out of sight at once; what is left of it by a crash goes with the next installation.
        gone = Path(tempfile.mkdtemp(prefix=_NEW, dir=home / name))
        found.path.rename(gone / version)
        shutil.rmtree(gone)
